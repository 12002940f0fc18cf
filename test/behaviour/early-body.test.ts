/** client_body_early_read: bodies come before limits, for those who are meant. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

test('the body is read before anything else', async () => {
  await using server = await startViaduct(`
    http {
      client_body_early_read $arg_early;
      client_max_body_size 100;
      server {
        listen 127.0.0.1:%%PORT_0%%;
        location / { return 200 "$request_length\\n"; }
        location /app { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_request_buffering off; }
      }
      server {
        listen 127.0.0.1:%%PORT_1%%;
        location / { return 200 "got $content_length\\n"; }
      }
    }`)
  const start = async (path: string) => {
    const client = await server.connect()
    client.write(`POST ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 6\r\n\r\nabc`)
    return client
  }
  // Without it the answer does not wait for the body.
  const early = await start('/?early=0')
  await early.until(/200 OK/)
  early.close()
  for (const path of ['/?early=1', '/app?early=yes']) {
    const client = await start(path)
    const other = await server.raw('GET / HTTP/1.0\r\n\r\n')
    assert.match(other, /200 OK/)
    assert.equal(client.received, '')
    client.write('def')
    assert.match(await client.rest(), path === '/app?early=yes' ? /got 6\n$/ : /200 OK/)
  }
  const long = 'POST /?early=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 101\r\n\r\n'
  assert.match(await server.raw(long + 'x'.repeat(101)), /^HTTP\/1.1 413 /)
  const chunked = 'POST /?early=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n'
  assert.match(await server.raw(`${chunked}3\r\nabc\r\n0\r\n\r\n`), /200 OK/)
  assert.match(await server.raw(`${chunked}c8\r\n${'x'.repeat(200)}\r\n0\r\n\r\n`), /^HTTP\/1.1 413 /)
})
