/** limit_rate: a response takes its time, and arrives whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const SIZE = 300000
const CONF = `
http {
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%;
    limit_rate_after 50k;
    location / { limit_rate 200k; }
    location /free/ { alias %%DIR%%/; limit_rate $arg_rate; }
  }
}`

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

test('a client that leaves ends the waiting', async () => {
  await using server = await startViaduct(CONF, { files: { big: Buffer.alloc(SIZE, 'x') } })
  const client = await server.connect()
  client.write('GET /big HTTP/1.1\r\nHost: h\r\n\r\n')
  await client.until(/\r\n\r\nx/)
  client.socket.end()
  assert.ok((await client.rest()).length < SIZE)
  await server.logged(/client prematurely closed connection/)
})
