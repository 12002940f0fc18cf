/**
 * NGINX Plus's own dashboard page works against our API, in a browser: every tab, and a server is changed. The page is not
 * part of this repository: DASHBOARD names `dashboard.html` of nginxinc/nginx-plus-dashboard (production-dist/).
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'
import { startBrowser } from './browser.ts'

const DASHBOARD = process.env['DASHBOARD'] ?? ''

const CONF = `
worker_processes 2;
http {
  limit_req_zone $uri zone=rate:1m rate=1r/s;
  proxy_cache_path %%DIR%%/cache keys_zone=pages:1m max_size=10m;
  resolver 127.0.0.1 status_zone=names;
  upstream back { zone back 64k; server 127.0.0.1:%%PORT_1%%; server 127.0.0.1:%%PORT_2%% backup; }
  server { listen 127.0.0.1:%%PORT_1%%; listen 127.0.0.1:%%PORT_2%%; return 200 ok; }
  server {
    listen 127.0.0.1:%%PORT_0%%; status_zone site;
    location / { status_zone all; proxy_pass http://back; proxy_cache pages; proxy_cache_valid 1s; }
    location = /dashboard.html { root %%DIR%%; }
    location /api { api write=on; }
  }
}`

/** A tab, and something that stands in it. */
const TABS = {
  server_zones: 'site',
  upstreams: 'back',
  caches: 'pages',
  shared_zones: 'rate',
  resolvers: 'names',
  workers: 'Workers',
}

test('all tabs are filled, and a server is changed', { skip: DASHBOARD === '', timeout: 120_000 }, async () => {
  const page = fs.readFileSync(DASHBOARD)
  await using server = await startViaduct(CONF, { files: { 'dashboard.html': page } })
  const browser = await startBrowser()
  try {
    const tab = await browser.newPage()
    const problems: string[] = []
    tab.on('pageerror', (error) => problems.push(error.message))
    for (const [name, text] of Object.entries(TABS)) {
      await fetch(server.url('/'))
      await tab.goto(server.url(`/dashboard.html#${name}`))
      await tab.getByText(text, { exact: true }).first().waitFor()
    }
    await tab.goto(server.url('/dashboard.html#upstreams'))
    await tab.locator('[class*="edit___"]').first().click()
    await tab.locator('table input[type=checkbox]').first().click()
    await tab.getByText('Edit selected').first().click()
    await tab.locator('input#weight').fill('7')
    await tab.getByText('Save', { exact: true }).first().click()
    await server.until('the weight', async () => {
      const servers = await fetch(server.url('/api/9/http/upstreams/back/servers'))
      return ((await servers.json()) as { weight: number }[])[0]!.weight === 7
    })
    assert.deepEqual(problems, [])
  } finally {
    await browser.close()
  }
})
