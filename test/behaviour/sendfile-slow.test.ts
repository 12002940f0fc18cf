/** A client that takes a file slowly has `send_timeout` from each part that it takes, however much the kernel was told to send. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { whyNoRing } from '../../src/net/engine.ts'
import { startViaduct } from '../harness/server.ts'

const skip = whyNoRing()
const options = skip === '' ? {} : { skip }
const SIZE = 6_000_000
const SEND_TIMEOUT_MS = 2000

test('a slow client gets all of a large file', options, async () => {
  await using server = await startViaduct(
    `events { use io_uring; } http { sendfile on; send_timeout ${SEND_TIMEOUT_MS}ms;
      server { listen 127.0.0.1:%%PORT_0%% sndbuf=64k; root %%DIR%%; } }`,
    { files: { large: Buffer.alloc(SIZE, 'x') } },
  )
  const client = net.connect({ port: server.port(), host: '127.0.0.1' })
  const ended = once(client, 'end')
  client.write('GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await once(client, 'readable')
  let size = 0
  // Less than a piece has left when the time of its beginning is over.
  for (const start = performance.now(); performance.now() - start < SEND_TIMEOUT_MS + 700; await delay(200)) {
    size += (client.read() as Buffer | null)?.length ?? 0
  }
  assert.ok(size < 2_000_000, `${size} bytes have come: not slowly enough`)
  client.on('data', (bytes: Buffer) => (size += bytes.length))
  await ended
  assert.ok(size > SIZE, `${size} bytes have come`)
})
