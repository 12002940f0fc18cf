/** Runs the cases of http2-frame-cases.ts and http2-message-cases.ts, each on a connection of its own. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { H2Client } from '../harness/h2-client.ts'
import { startViaduct } from '../harness/server.ts'
import type { Outcome } from './http2-case.ts'
import { FRAME_CASES } from './http2-frame-cases.ts'
import { MESSAGE_CASES } from './http2-message-cases.ts'

const CONF = `http {
  server {
    listen 127.0.0.1:%%PORT_0%% http2;
    http2_max_concurrent_streams 10;
    lingering_timeout 100ms;
    root %%DIR%%;
    location = / { return 200 hello; }
    location /big { try_files /big.txt =404; }
    location /echo { proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /hold { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:%%PORT_2%%; }
  }
  server { listen 127.0.0.1:%%PORT_1%%; client_max_body_size 0; return 200 echo; }
}`

async function check(client: H2Client, outcome: Outcome): Promise<void> {
  switch (outcome.kind) {
    case 'fine':
      client.request(outcome.stream, { path: '/' })
      // Its body may have to wait for a window.
      await client.waitFor((f) => f.stream === outcome.stream && f.fields.some(([, value]) => value === '200'))
      return
    case 'status':
      assert.equal((await client.response(1)).status, outcome.status)
      return
    case 'stream': {
      const frame = await client.waitFor((f) => f.type === 7 || (f.type === 3 && f.stream === 1))
      assert.ok(outcome.codes.includes(frame.payload.readUInt32BE(frame.type === 7 ? 4 : 0)), 'the code')
      return
    }
    case 'connection':
      if (outcome.codes.length > 0) assert.ok(outcome.codes.includes((await client.goAway()).code), 'the code')
      await client.closed()
  }
}

test('a server of HTTP/2', async (t) => {
  await using server = await startViaduct(CONF, { files: { 'big.txt': 'x'.repeat(300000) } })
  // It takes what comes and never answers.
  const silent = net.createServer((socket) => socket.on('error', () => {}).resume())
  await once(silent.listen(server.prefix.port(2), '127.0.0.1'), 'listening')
  for (const { section, name, send, outcome, silent = false } of [...FRAME_CASES, ...MESSAGE_CASES]) {
    await t.test(`${section} ${name}`, async () => {
      await using client = await H2Client.connect(server.prefix.port(), { silent, greedy: false })
      await send(client)
      await check(client, outcome)
    })
  }
  silent.close()
})
