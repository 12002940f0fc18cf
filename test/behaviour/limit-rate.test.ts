/** limit_rate: a response takes its time, and arrives whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const SIZE = 300000
const CONF = `
http {
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%;
    limit_rate_after 50k;
    location / { limit_rate 200k; }
    location /head { limit_rate 1k; limit_rate_after 0; add_header X-Long %%LONG%%; return 200 body; }
    location /free/ { alias %%DIR%%/; limit_rate $arg_rate; }
  }
}`.replace('%%LONG%%', 'x'.repeat(1500))

test('bytes beyond limit_rate_after are held back', async () => {
  const content = Buffer.alloc(SIZE, 'limited ')
  await using server = await startViaduct(CONF, { files: { big: content } })
  const begun = performance.now()
  const limited = Buffer.from(await (await fetch(server.url('/big'))).arrayBuffer())
  // 250 KB at 200 KB per second: what is allowed for the first second goes out at once, the rest after its pause.
  assert.ok(performance.now() - begun > 900)
  assert.ok(limited.equals(content))
  const free = performance.now()
  assert.equal((await (await fetch(server.url('/free/big?rate=0'))).arrayBuffer()).byteLength, SIZE)
  assert.ok(performance.now() - free < 900)
})

test('a long head is held back too', async () => {
  await using server = await startViaduct(CONF)
  const begun = performance.now()
  const client = await server.connect()
  client.write('GET /head HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  const first = await client.until(/X-Long: x/)
  assert.ok(first.length <= 1024, `${first.length} bytes at once`)
  assert.match(await client.rest(), /^HTTP\/1\.1 200 OK\r\n.*\r\nX-Long: x{1500}\r\n\r\nbody$/s)
  assert.ok(performance.now() - begun > 500)
})

test('what comes from a back end without buffers has no rate', async () => {
  await using peer = await Peer.start(({ line }) =>
    reply('x'.repeat(100), line.includes('/told') ? ['X-Accel-Buffering: no', 'X-Accel-Limit-Rate: 1'] : []),
  )
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:${peer.port}; }
    location /off { proxy_pass http://127.0.0.1:${peer.port}; proxy_buffering off; limit_rate 1; } } }`)
  // With their rates these would take longer than any test may.
  for (const target of ['/told', '/off']) {
    assert.equal(await (await fetch(server.url(target))).text(), 'x'.repeat(100))
  }
})

test('a client that leaves ends the waiting', async () => {
  await using server = await startViaduct(CONF, { files: { big: Buffer.alloc(SIZE, 'x') } })
  const client = await server.connect()
  client.write('GET /big HTTP/1.1\r\nHost: h\r\n\r\n')
  await client.until(/\r\n\r\nx/)
  client.socket.end()
  assert.ok((await client.rest()).length < SIZE)
  await server.logged(/client prematurely closed connection/)
})
