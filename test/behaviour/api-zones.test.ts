/** `status_zone` and `api`: requests of servers and locations are counted exactly over workers, reloads and their deaths. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { after, before, test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
worker_processes 2;
http {
  log_format bytes "$status $request_length $bytes_sent $request_uri";
  access_log %%DIR%%/access.log bytes;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    status_zone site;
    location / { return 200 ok; }
    location /gone { status_zone gone; return 404; }
    location /moved { status_zone moved; return 301 /; location /moved/off { status_zone off; return 204; } }
    location /nothing { return 444; }
    location /inner/ { status_zone inner; error_page 404 /page; }
    location = /page { status_zone page; internal; return 200 page; }
    location /slow { status_zone slow; limit_rate 1; return 200 0123456789; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%%;
    location /api { api; }
    location /write { api write=on; }
  }
}`

let server: Server
before(async () => {
  server = await startViaduct(CONF, { files: {} })
})
after(async () => {
  await server[Symbol.asyncDispose]()
})

interface Zone {
  readonly processing: number
  readonly requests: number
  readonly responses: Readonly<Record<string, number>> & { readonly codes: Readonly<Record<string, number>> }
  readonly discarded: number
  readonly received: number
  readonly sent: number
}

async function api<T>(path: string, method = 'GET'): Promise<{ readonly status: number; readonly body: T }> {
  const response = await fetch(server.url(path, 1), { method })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T }
}

async function zone(name: string, kind = 'server'): Promise<Zone> {
  return (await api<Zone>(`/api/9/http/${kind}_zones/${name}`)).body
}

/** One connection for each request, so that both workers get some. */
async function get(target: string): Promise<string> {
  return await new Promise((resolve) => {
    const socket = net.connect(server.port(0), '127.0.0.1')
    let text = ''
    socket.setEncoding('latin1').on('data', (piece: string) => {
      text += piece
    })
    socket.on('close', () => resolve(text))
    socket.end(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  })
}

test('every request is counted once, by its status, with its bytes', async () => {
  for (let i = 0; i < 20; i++) await get('/')
  for (let i = 0; i < 5; i++) await get('/gone')
  await get('/moved')
  await get('/moved/off')
  await get('/nothing')
  await get('/inner/x')
  const found = await zone('site')
  assert.deepEqual(
    [found.processing, found.requests, found.discarded, found.responses['total']],
    [0, 29, 1, 28],
    JSON.stringify(found),
  )
  assert.deepEqual(found.responses.codes, { 200: 20, 204: 1, 301: 1, 404: 6 })
  assert.deepEqual([found.responses['2xx'], found.responses['3xx'], found.responses['4xx']], [21, 1, 6])
  const lines = server.accessLog().trim().split('\n')
  const site = lines.map((line) => line.split(' ')).filter(([, , , uri]) => !/^\/(?:api|write)/.test(uri!))
  assert.equal(
    found.received,
    site.reduce((sum, [, received]) => sum + Number(received), 0),
  )
  assert.equal(
    found.sent,
    site.reduce((sum, [, , sent]) => sum + Number(sent), 0),
  )
})

test('a request counts for the location that it ends in', async () => {
  const zones = (await api<Record<string, Zone>>('/api/9/http/location_zones/')).body
  const counts = Object.fromEntries(Object.entries(zones).map(([name, { requests }]) => [name, requests]))
  assert.deepEqual(counts, { gone: 5, inner: 0, moved: 1, page: 1, slow: 0 }, 'off ends it, and unread ones are there')
})

test('what is under way is told', async () => {
  const socket = net.connect(server.port(0), '127.0.0.1')
  socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  await server.until('it is told', async () => (await zone('site')).processing === 1)
  const before = await zone('site')
  socket.destroy()
  await server.until('it is told', async () => (await zone('site')).processing === 0)
  assert.equal((await zone('site')).requests, before.requests)
})

test('counts outlive reloads and worker threads', async () => {
  const before = await zone('site')
  await server.reload()
  await get('/')
  assert.equal((await zone('site')).requests, before.requests + 1)
})

test('a reset begins at zero, and needs write=on', async () => {
  assert.deepEqual((await api('/api/9/http/server_zones/site', 'DELETE')).status, 405)
  assert.equal((await zone('site')).requests > 0, true)
  assert.equal((await api('/write/9/http/server_zones/site', 'DELETE')).status, 204)
  assert.deepEqual(
    await zone('site').then(({ requests, received, responses }) => [requests, received, responses.codes]),
    [0, 0, {}],
  )
  await get('/')
  assert.equal((await zone('site')).requests, 1)
  assert.equal((await api('/write/9/http/server_zones/none', 'DELETE')).status, 404)
})

test('paths, versions and fields', async () => {
  assert.deepEqual((await api('/api/')).body, [1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.deepEqual((await api<string[]>('/api/9/http')).body.includes('server_zones'), true)
  assert.deepEqual((await api<string[]>('/api/4/http/')).body.includes('location_zones'), false)
  assert.equal((await api('/api/4/http/location_zones')).status, 404)
  const { status, body } = await api<{ readonly error: object }>('/api/10/nginx')
  assert.deepEqual([status, body.error], [404, { status: 404, text: 'unknown version', code: 'UnknownVersion' }])
  assert.equal((await api('/api/9/nowhere')).status, 404)
  assert.deepEqual((await api('/api/9/http/server_zones?fields=')).body, ['site'])
  assert.deepEqual((await api('/api/9/http/server_zones/site/?fields=processing,discarded')).body, {
    processing: 0,
    discarded: 0,
  })
  const old = await api<Zone>('/api/6/http/server_zones/site')
  assert.deepEqual(Object.keys(old.body.responses), ['1xx', '2xx', '3xx', '4xx', '5xx', 'total'])
})
