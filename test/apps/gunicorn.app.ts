/**
 * FastAPI under gunicorn with uvicorn workers on a Unix socket, and static files and media beside it as Django has them.
 * The configuration is one from a guide; only addresses and paths are replaced.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { WebSocket } from 'ws'
import { type Server, startViaduct } from '../harness/server.ts'
import { BackEnd } from './back-ends.ts'

const PICTURE = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256))

const running = new AsyncDisposableStack()
let server: Server

before(async () => {
  const app = running.use(await BackEnd.gunicorn())
  server = running.use(
    await startViaduct(
      `http {
        include mime.types;
        map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
        upstream gunicorn {
          server unix:${app.socketPath} fail_timeout=10s;
          keepalive 16;
        }
        server {
          listen 127.0.0.1:%%PORT_0%%;
          server_name api.example.com;
          client_max_body_size 10m;
          access_log %%DIR%%/access.log;
          location / {
            proxy_pass http://gunicorn;
            proxy_http_version 1.1;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Upgrade $http_upgrade;
            include proxy-headers.conf;
            proxy_connect_timeout 5s;
            proxy_read_timeout 30s;
            proxy_buffer_size 8k;
            proxy_buffers 4 16k;
          }
          # Django static files
          location /static/ {
            alias %%DIR%%/staticfiles/;
            expires 30d;
            access_log off;
          }
          # Django media uploads
          location /media/ {
            alias %%DIR%%/media/;
            expires 7d;
          }
        }
      }`,
      {
        files: {
          'mime.types': fs.readFileSync(new URL('../../conf/mime.types', import.meta.url)),
          'proxy-headers.conf': `proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Port $server_port;`,
          'staticfiles/admin/css/base.css': 'body { margin: 0 }',
          'media/photo one.jpg': PICTURE,
          'secret.txt': 'secret',
        },
      },
    ),
  )
})
after(() => running.disposeAsync())

test('JSON arrives over the Unix socket, with the headers of a proxy', async () => {
  assert.deepEqual(await (await fetch(server.url('/api/items/1'))).json(), { name: 'arch', price: 12.5 })
  const body = JSON.stringify({ name: 'pier', price: 3 })
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }
  assert.equal((await fetch(server.url('/api/items'), init)).status, 201)
  assert.equal((await fetch(server.url('/api/missing'))).status, 404)
  const { headers } = (await (await fetch(server.url('/api/request'))).json()) as { headers: [string, string][] }
  const names = Object.fromEntries(headers)
  assert.equal(names['host'], '127.0.0.1')
  assert.equal(names['x-forwarded-for'], '127.0.0.1')
  assert.equal(names['x-forwarded-proto'], 'http')
  assert.equal(names['connection'], undefined)
})

test('an upload as large as allowed arrives, and a larger one is refused', async () => {
  const body = new Uint8Array(10 * 1024 * 1024).map((_, i) => i % 251)
  const response = await fetch(server.url('/api/upload'), { method: 'POST', body })
  const sha256 = createHash('sha256').update(body).digest('hex')
  assert.deepEqual(await response.json(), { size: body.length, sha256 })
  const larger = new Uint8Array(body.length + 1)
  assert.equal((await fetch(server.url('/api/upload'), { method: 'POST', body: larger })).status, 413)
})

test('requests at once are answered by the workers', async () => {
  const statuses = Array.from({ length: 200 }, async () => {
    const response = await fetch(server.url('/api/items/1'))
    await response.arrayBuffer()
    return response.status
  })
  assert.deepEqual([...new Set(await Promise.all(statuses))], [200])
})

test('a WebSocket goes through the same location', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port()}/ws/echo`)
  await once(socket, 'open')
  socket.send('hello')
  assert.equal(String((await once(socket, 'message'))[0]), 'hello')
  socket.close()
  await once(socket, 'close')
})

test('static files come from the alias, may be kept for long, and are not logged', async () => {
  const response = await fetch(server.url('/static/admin/css/base.css'))
  assert.equal(await response.text(), 'body { margin: 0 }')
  assert.equal(response.headers.get('content-type'), 'text/css')
  assert.equal(response.headers.get('cache-control'), 'max-age=2592000')
  const etag = response.headers.get('etag')!
  const again = await fetch(server.url('/static/admin/css/base.css'), { headers: { 'If-None-Match': etag } })
  assert.equal(again.status, 304)
  assert.doesNotMatch(server.accessLog(), /base\.css/)
})

test('media come from the alias whole and in ranges', async () => {
  const response = await fetch(server.url('/media/photo%20one.jpg'))
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), PICTURE)
  assert.equal(response.headers.get('content-type'), 'image/jpeg')
  assert.equal(response.headers.get('cache-control'), 'max-age=604800')
  const part = await fetch(server.url('/media/photo%20one.jpg'), { headers: { Range: 'bytes=100-199' } })
  assert.equal(part.status, 206)
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), PICTURE.subarray(100, 200))
  await server.until('media are logged', () => /GET \/media\/photo%20one\.jpg/.test(server.accessLog()))
})

test('what is not there is 404, and nothing outside of the folders can be had', async () => {
  assert.equal((await fetch(server.url('/media/none.jpg'))).status, 404)
  for (const target of [
    '/static/../secret.txt',
    '/static/..%2fsecret.txt',
    '/media/%2e%2e/secret.txt',
    '/static../secret.txt',
  ]) {
    const answer = await server.raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 40[04] /, target)
    assert.doesNotMatch(answer, /\r\n\r\nsecret/)
  }
})
