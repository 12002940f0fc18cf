/** The dashboard's page: where it is, what browsers are told of it, and that a page of one's own stays. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { buildDashboard } from '../../scripts/dashboard.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%/html;
    location = /dashboard.html { }
    location /status { dashboard; }
    location /elsewhere { dashboard api=/internal/api; }
    location /closed { deny all; dashboard; }
    location /api { api; }
  }
  server { listen 127.0.0.1:%%PORT_1%%; location = /dashboard.html { root %%DIR%%/own; } location / { root %%DIR%%/html; } }
  server { listen 127.0.0.1:%%PORT_2%%; root %%DIR%%/html; }
}`

let server: Server

before(async () => {
  await buildDashboard()
  server = await startViaduct(CONF, { files: { 'own/dashboard.html': 'own page', 'html/index.html': 'index' } })
})
after(() => server[Symbol.asyncDispose]())

test('the page is one file that browsers may run and that asks nobody else', async () => {
  for (const path of ['/status', '/status/anything', '/dashboard.html']) {
    const response = await fetch(server.url(path))
    assert.equal(response.status, 200, path)
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
    const text = await response.text()
    const policy = response.headers.get('content-security-policy')!
    const scripts = [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)]
    assert.equal(scripts.length, 1)
    const hash = createHash('sha256').update(scripts[0]![1]!).digest('base64')
    assert.ok(policy.includes(`script-src 'sha256-${hash}'`) && policy.startsWith("default-src 'none'"))
    assert.ok(!policy.includes('unsafe') && policy.includes("frame-ancestors 'none'"))
    assert.doesNotMatch(text, /(?:src|href)="(?!data:)[^"]+"/)
    assert.match(text, /<meta name="api" content="\/api\/">/)
    assert.match(text, /MIT License|Permission is hereby granted/)
  }
})

test('browsers keep it, and ask whether it is still good', async () => {
  const first = await fetch(server.url('/status'))
  const etag = first.headers.get('etag')!
  assert.equal(first.headers.get('cache-control'), 'no-cache')
  const second = await fetch(server.url('/status'), { headers: { 'If-None-Match': etag } })
  assert.equal(second.status, 304)
  assert.notEqual((await fetch(server.url('/elsewhere'))).headers.get('etag'), etag)
})

test('the API may be elsewhere, and access rules come first', async () => {
  assert.match(await (await fetch(server.url('/elsewhere'))).text(), /<meta name="api" content="\/internal\/api\/">/)
  assert.equal((await fetch(server.url('/closed'))).status, 403)
  assert.equal((await fetch(server.url('/status'), { method: 'POST', body: 'x' })).status, 405)
  const head = await fetch(server.url('/status'), { method: 'HEAD' })
  assert.ok(head.status === 200 && Number(head.headers.get('content-length')) > 10_000)
})

test("a file of one's own is sent, and other locations do not have the page", async () => {
  assert.equal(await (await fetch(server.url('/dashboard.html', 1))).text(), 'own page')
  assert.equal((await fetch(server.url('/dashboard.html', 2))).status, 404)
  assert.equal((await fetch(server.url('/dashboard.html'), { method: 'POST', body: 'x' })).status, 405)
})

test('the path of the API must be one of this server', async () => {
  const conf = 'http { server { listen 127.0.0.1:%%PORT_0%%; location / { dashboard api=//other/; } } }'
  await assert.rejects(startViaduct(conf), /invalid path "\/\/other\/" of the API, it begins with one "\/"/)
})
