/** The dashboard in a browser: what it shows, what can be done with it, by whom, on which screens, and when the server is away. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { buildDashboard } from '../../scripts/dashboard.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { startBrowser } from './browser.ts'

const CONF = (port: number): string => `
worker_processes 2;
http {
  status_top on;
  status_requests 100%;
  upstream shop { zone shop 64k; server 127.0.0.1:${port}; server 127.0.0.1:${port} weight=2; }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    status_zone site;
    location / { status_zone pages; proxy_pass http://shop; }
    location /api/ { api write=on; }
    location = /dashboard.html { dashboard; }
  }
}`

let browser: Browser
let peer: Peer

before(async () => {
  await buildDashboard()
  browser = await startBrowser()
  peer = await Peer.start(({ line }) => (/missing/.test(line) ? reply('no', [], '404 Not Found') : reply('yes')))
})
after(async () => {
  await browser.close()
  await peer[Symbol.asyncDispose]()
})

/** A page that fails the test when it has an error, breaks its policy or asks another server. */
async function open(server: Server, view: string): Promise<Page> {
  const page = await browser.newPage()
  const origin = server.url('/')
  page.on('pageerror', (error) => assert.fail(error))
  page.on('console', (message) => {
    // What the page tries to learn whether it may change something.
    if (!/status of (?:40[0-9]|502)/.test(message.text())) assert.fail(message.text())
  })
  page.on('request', (request) => {
    assert.ok(request.url().startsWith(origin) || request.url().startsWith('data:'), request.url())
  })
  await page.goto(server.url(`/dashboard.html#/${view}`))
  return page
}

/** Sends requests until the test ends. */
function load(server: Server, paths: readonly string[]): Disposable {
  let ended = false
  const one = async (): Promise<void> => {
    for (let i = 0; !ended; i++) {
      const response = await fetch(server.url(paths[i % paths.length]!)).catch(() => undefined)
      await response?.text()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  void one()
  return {
    [Symbol.dispose]: () => {
      ended = true
    },
  }
}

test('requests and back ends are live', async () => {
  await using server = await startViaduct(CONF(peer.port), { busyAtEnd: 'the browser' })
  using _ = load(server, ['/a', '/missing'])
  const page = await open(server, 'overview')
  const rate = page.getByLabel('Requests', { exact: true }).locator('.value')
  await page.waitForFunction(`parseFloat(document.querySelector('[aria-label="Requests"] .value')?.textContent) > 1`)
  assert.match((await rate.textContent())!, /^\d+(\.\d)?\/s$/)
  await page.getByRole('link', { name: /^Back ends/ }).click()
  const row = page.getByRole('row', { name: new RegExp(`127.0.0.1:${peer.port}`) })
  assert.equal(await row.count(), 2)
  await page.waitForFunction(
    `[...document.querySelectorAll('tbody tr.open')].some((row) => row.children[3].textContent > 0)`,
  )
  await page.close()
})
