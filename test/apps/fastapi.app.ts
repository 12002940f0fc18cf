/** dev.nginx and http.conf as they are found in guides, in front of a real FastAPI under uvicorn. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { WebSocket } from 'ws'
import type { Server } from '../harness/server.ts'
import { BackEnd } from './back-ends.ts'
import { startExample } from './example.ts'

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST, PUT, DELETE, PATCH, OPTIONS',
  'access-control-allow-headers':
    'DNT,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization',
}
const NO_STORE = 'no-store, no-cache, must-revalidate, proxy-revalidate, max-age=0'
/** `limit_conn conn_limit 10`. */
const CONNECTIONS_MAX = 10
/** `burst=20`, and the one within the rate. */
const BURST_MAX = 21

const running = new AsyncDisposableStack()
let server: Server

before(async () => {
  const api = running.use(await BackEnd.fastApi())
  // Nothing here asks for the page.
  server = running.use(await startExample('dev.nginx', api, api))
})
after(() => running.disposeAsync())

/** A request that gets through the rate limit: it is asked again until it does. */
async function call(target: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const response = await fetch(server.url(target), init)
    if (response.status !== 503) return response
    await response.arrayBuffer()
  }
}

const json = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(body),
})

test('JSON requests of every kind arrive, and so do their answers', async () => {
  assert.deepEqual(await (await call('/api/items/1')).json(), { name: 'arch', price: 12.5 })
  const created = await call('/api/items', json({ name: 'pier', price: 3 }))
  assert.equal(created.status, 201)
  const { id } = (await created.json()) as { id: number }
  assert.equal((await call(`/api/items/${id}`, { method: 'DELETE' })).status, 204)
  assert.equal((await call(`/api/items/${id}`)).status, 404)
  assert.equal((await call('/api/items', json({ name: 'no price' }))).status, 422)
})

test('a location with a proxy_set_header of its own has none of those above it', async () => {
  const { headers } = (await (await call('/api/request')).json()) as { headers: [string, string][] }
  const names = Object.fromEntries(headers)
  assert.equal(names['host'], 'backend')
  assert.equal(names['x-real-ip'], undefined)
  assert.equal(names['connection'], undefined)
})

test('answers carry the CORS headers of the http level, and Cache-Control where the status allows', async () => {
  const found = await call('/api/items')
  const missing = await call('/api/nothing')
  assert.equal(missing.status, 404)
  for (const response of [found, missing]) {
    for (const [name, value] of Object.entries(CORS)) assert.equal(response.headers.get(name), value)
  }
  assert.equal(found.headers.get('cache-control'), NO_STORE)
  assert.equal(missing.headers.get('cache-control'), null)
})

test('a preflight request is answered by the if of the server', async () => {
  const response = await fetch(server.url('/api/items'), { method: 'OPTIONS' })
  assert.equal(response.status, 204)
  for (const [name, value] of Object.entries(CORS)) assert.equal(response.headers.get(name), value)
  assert.equal(response.headers.get('access-control-max-age'), '1728000')
  assert.equal(response.headers.get('cache-control'), null)
  assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8')
})

test('an upload is passed on piece by piece, and one that is too large is refused', async () => {
  const body = new Uint8Array(900_000).map((_, i) => i % 251)
  const response = await call('/api/upload', { method: 'POST', body })
  const sha256 = createHash('sha256').update(body).digest('hex')
  assert.deepEqual(await response.json(), { size: body.length, sha256 })
  const refused = await call('/api/upload', { method: 'POST', body: new Uint8Array(1_100_000) })
  assert.equal(refused.status, 413)
})

test('an event arrives before the next one happens', async () => {
  const response = await call('/api/events')
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  assert.equal((await reader.read()).value, 'data: hello\n\n')
  for (const text of ['one', 'two', 'three']) {
    await call('/api/publish', { method: 'POST', body: text })
    assert.equal((await reader.read()).value, `data: ${text}\n\n`)
  }
  await reader.cancel()
})

test('a WebSocket carries text and bytes both ways, and its close', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port()}/ws/echo`)
  await once(socket, 'open')
  const big = 'x'.repeat(100_000)
  for (const text of ['hello', big]) {
    socket.send(text)
    assert.equal(String((await once(socket, 'message'))[0]), text)
  }
  socket.send(Uint8Array.of(0, 1, 255))
  assert.deepEqual((await once(socket, 'message'))[0], Buffer.of(0, 1, 255))
  socket.send('bye')
  assert.equal((await once(socket, 'close'))[0], 4000)
})

test('a burst over the rate is refused, and recovers', async () => {
  const statuses = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const response = await fetch(server.url('/api/items/1'))
      await response.arrayBuffer()
      return response.status
    }),
  )
  const passed = statuses.filter((status) => status === 200).length
  assert.equal(statuses.filter((status) => status === 503).length, 60 - passed)
  // How many connections there are at a time, and how many requests the rate gives back meanwhile, is up to the machine.
  assert.ok(passed >= 1 && passed <= BURST_MAX + 15, `${passed} passed`)
  await server.logged(/\[error\] .*limiting requests, excess: \d+\.\d+ by zone "api_limit"/)
  assert.equal((await call('/api/items/1')).status, 200)
})

test('more connections at a time than allowed are refused', async () => {
  const open: Response[] = []
  for (let i = 0; i < CONNECTIONS_MAX; i++) open.push(await call('/api/events'))
  await server.until('the rate limit lets a request through to the connection limit', async () => {
    const refused = await fetch(server.url('/api/items/1'))
    await refused.arrayBuffer()
    assert.equal(refused.status, 503)
    return /limiting connections by zone "conn_limit"/.test(server.errorLog())
  })
  await Promise.all(open.map((response) => response.body!.cancel()))
  assert.equal((await call('/api/items/1')).status, 200)
})

test('health is answered at once and not logged', async () => {
  const response = await fetch(server.url('/health'))
  assert.equal(await response.text(), 'healthy\n')
  assert.equal(response.headers.get('content-type'), 'application/octet-stream, text/plain')
  assert.doesNotMatch(server.accessLog(), /GET \/health/)
})

test('the access log has the times of the upstream', async () => {
  await call('/api/items/1?logged', { headers: { Referer: 'http://a/', 'User-Agent': 'agent' } })
  const time = /\d+\.\d{3}/.source
  const line = new RegExp(
    `^127\\.0\\.0\\.1 - - \\[\\d\\d/\\w{3}/\\d{4}:[\\d:]{8} [+-]\\d{4}\\] "GET /api/items/1\\?logged HTTP/1\\.1" 200 28 ` +
      `"http://a/" "agent" rt=${time} uct="${time}" uht="${time}" urt="${time}"$`,
    'm',
  )
  await server.until('the line in the access log', () => line.test(server.accessLog()))
  assert.match(server.accessLog(), /"OPTIONS \/api\/items HTTP\/1\.1" 204 0 .* uct="-" uht="-" urt="-"$/m)
})
