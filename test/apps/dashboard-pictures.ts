/**
 * Takes the pictures of docs/images/dashboard-*.png anew, of a server with something to see: node test/apps/dashboard-pictures.ts
 * Two minutes of load come first, so that charts have something to show; on a busy machine the times that they show are long.
 */
import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'
import { fileURLToPath } from 'node:url'
import type { BrowserContextOptions } from 'playwright-core'
import { buildDashboard } from '../../scripts/dashboard.ts'
import { Certificates } from '../harness/certificates.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { startBrowser } from './browser.ts'

const LOAD_MS = 120_000
const CLIENTS = 12
const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url))

/** A back end that takes some time; every `illForMs` it is ill for as long. */
async function backEnd(slowMs: number, illForMs = 0): Promise<http.Server> {
  const server = http.createServer((request, response) => {
    const ill = illForMs > 0 && Math.floor(Date.now() / illForMs) % 2 === 1
    const status = /missing/.test(request.url ?? '') ? 404 : ill ? 500 : /moved/.test(request.url ?? '') ? 302 : 200
    const body = status === 200 ? 'x'.repeat(2000 + Math.floor(Math.random() * 8000)) : ''
    setTimeout(() => response.writeHead(status).end(body), Math.random() ** 3 * slowMs)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}

const portOf = (server: http.Server): number => (server.address() as net.AddressInfo).port

function confOf([quick, slow, ill]: readonly number[], pair: { readonly certFile: string; readonly keyFile: string }) {
  const times = 'proxy_cache_valid 10s; proxy_cache_use_stale error updating;'
  return `
worker_processes 2;
http {
  status_top on; status_requests 20% slow=200ms;
  proxy_cache_path %%DIR%%/pages keys_zone=pages:4m max_size=100m;
  limit_req_zone $arg_user zone=by_user:1m rate=20r/s;
  upstream shop { zone shop 256k; server 127.0.0.1:${quick}; server 127.0.0.1:${slow} weight=3; server 127.0.0.1:${ill} max_conns=50; server 127.0.0.1:1; server 127.0.0.1:${slow} backup; }
  upstream accounts { zone accounts 256k; server 127.0.0.1:${slow}; server 127.0.0.1:${quick} down; }
  upstream search { zone search 256k; server 127.0.0.1:${quick}; }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    status_zone shop;
    location / { proxy_pass http://shop; health_check interval=2s fails=2 passes=2; }
    location /images/ { status_zone images; proxy_cache pages; ${times} proxy_pass http://shop; }
    location /account/ { status_zone accounts; limit_req zone=by_user burst=5 nodelay; proxy_pass http://accounts; }
    location /search { status_zone search; proxy_pass http://search; }
    location /api/ { access_log off; api write=on; }
    location = /dashboard.html { dashboard; }
  }
  server { listen 127.0.0.1:%%PORT_1%% ssl; status_zone secure; server_name shop.example; ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile}; }
}`
}

const PATHS = [
  '/',
  '/cart',
  '/images/1',
  '/images/2',
  '/account/me?user=ann',
  '/search?q=x',
  '/missing',
  '/moved',
  '/product/7',
]

async function load(server: Server, end: number): Promise<void> {
  const client = async (n: number): Promise<void> => {
    for (let i = n; performance.now() < end; i++) {
      const response = await fetch(server.url(PATHS[i % PATHS.length]!), { redirect: 'manual' }).catch(() => undefined)
      await response?.arrayBuffer()
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 160))
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, (_, n) => client(n)))
}

await buildDashboard()
const certificates = new Certificates()
const backEnds = await Promise.all([backEnd(20), backEnd(90), backEnd(400, 30_000)])
const browser = await startBrowser()
try {
  const pair = certificates.make('shop.example', { names: ['www.shop.example'] })
  await using server = await startViaduct(confOf(backEnds.map(portOf), pair), {
    busyAtEnd: 'the browser',
    alerts: true,
  })
  const loading = load(server, performance.now() + LOAD_MS + 60_000)
  await new Promise((resolve) => setTimeout(resolve, LOAD_MS))
  const picture = async (name: string, view: string, options: BrowserContextOptions, row?: number): Promise<void> => {
    const page = await browser.newPage(options)
    await page.goto(server.url(`/dashboard.html#/${view}`))
    await page.locator('main .card, main .note').first().waitFor()
    if (row !== undefined) await page.locator('.rowname').nth(row).click()
    // Rates need two answers, and times of the last seconds some of them.
    await page.waitForTimeout(9000)
    await page.screenshot({ path: `${IMAGES}dashboard-${name}.png` })
    await page.close()
  }
  const desktop = { width: 1280, height: 800 }
  await picture('overview', 'overview', { viewport: desktop, colorScheme: 'light' })
  await picture('server', 'upstreams', { viewport: desktop, colorScheme: 'dark' }, 2)
  await picture('phone', 'upstreams', { viewport: { width: 390, height: 800 }, colorScheme: 'light' })
  await loading
} finally {
  await browser.close()
  for (const one of backEnds) {
    one.close()
    one.closeAllConnections()
  }
  certificates.remove()
}
