/** A graceful stop waits for what is under way, and for nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { H2Client } from '../harness/h2-client.ts'
import { Peer } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const UPLOADS = `
http {
  server {
    listen 127.0.0.1:%%PORT_0%%; http2 on;
    listen 127.0.0.1:%%PORT_1%%;
    client_body_buffer_size 2k;
    location /file { client_body_in_file_only on; proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location /single { client_body_in_single_buffer on; proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location /large { client_max_body_size 1k; proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location /unbuffered/ { proxy_pass http://127.0.0.1:%%PORT_1%%/; proxy_request_buffering off; proxy_http_version 1.1; }
  }
  server { listen 127.0.0.1:%%PORT_2%%; return 204; }
}`

async function stopped(server: Server): Promise<number> {
  const begun = performance.now()
  await server.stop('SIGQUIT')
  return performance.now() - begun
}

test('after uploads through two hops, some of them refused', async () => {
  await using server = await startViaduct(UPLOADS)
  for (const prefix of ['', '/unbuffered']) {
    for (const length of [true, false]) {
      for (const path of ['/file', '/single', '/large']) {
        await using client = await H2Client.connect(server.port())
        const fields = length ? [['content-length', '1280'] as const] : []
        client.request(1, { path: prefix + path, open: true, fields })
        for (let i = 0; i < 1280; i++) client.data(1, 'x', i === 1279)
        assert.equal((await client.response(1)).status, path === '/large' ? 413 : 204)
      }
    }
  }
  assert.ok((await stopped(server)) < 4000)
})

test('a chunked body that is refused with its last chunk at hand', async () => {
  await using server = await startViaduct(UPLOADS)
  using client = await server.connect(1)
  client.write('POST /large HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  client.write(`500\r\n${'x'.repeat(0x500)}\r\n0\r\n\r\n`)
  await client.until(/413 Request Entity/)
  client.close()
  assert.ok((await stopped(server)) < 4000)
})

test('an idle connection of one address does not end the requests of another', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(`http {
    server { listen 127.0.0.1:%%PORT_0%%; return 200 a; }
    server { listen 127.0.0.1:%%PORT_1%%; location / { proxy_pass http://127.0.0.1:${peer.port}; } } }`)
  using idle = await server.connect(0)
  idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await idle.until(/a$/)
  using busy = await server.connect(1)
  busy.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await server.until('the back end is asked', () => peer.received.length === 1)
  server.signal('SIGQUIT')
  await idle.rest()
  peer.sockets[0]!.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate')
  assert.match(await busy.rest(), /\r\n\r\nlate$/)
})

test('worker_shutdown_timeout: what is cut off is logged', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(`
    worker_shutdown_timeout 200ms;
    http {
      log_format line '$status $request'; access_log access.log line;
      server { listen 127.0.0.1:%%PORT_0%%; http2 on; location / { proxy_pass http://127.0.0.1:${peer.port}; } }
    }`)
  using client = await server.connect()
  client.write('GET /one HTTP/1.1\r\nHost: a\r\n\r\n')
  await using other = await H2Client.connect(server.port())
  other.request(1, { path: '/two' })
  await peer.until(() => peer.requests.length === 2)
  await server.stop('SIGQUIT')
  const cut = /\[warn\] .*request is cut off because worker_shutdown_timeout is over.* request: "GET \/(one|two) /g
  assert.equal(server.errorLog().match(cut)?.length, 2)
  assert.deepEqual(server.accessLog().trim().split('\n').sort(), ['000 GET /one HTTP/1.1', '000 GET /two HTTP/2.0'])
})

test('a kept connection stays for keepalive_min_timeout, and is told to close by its next answer', async () => {
  await using server = await startViaduct(`http { keepalive_min_timeout 5s; keepalive_timeout 60s;
    server { listen 127.0.0.1:%%PORT_0%%; return 200 ok; } }`)
  using client = await server.connect()
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until(/ok$/)
  server.signal('SIGQUIT')
  await server.until('nobody new', async () => !(await server.listens()))
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await client.rest(), /Connection: close\r\n[\s\S]*ok$/)
  assert.deepEqual(await server.ended, { code: 0, signal: null })
})
