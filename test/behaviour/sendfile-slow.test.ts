/** A client that takes a file slowly has `send_timeout` from each part that it takes, however much the kernel was told to send. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { truncateSync } from 'node:fs'
import net from 'node:net'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import tls from 'node:tls'
import { whyNoRing } from '../../src/net/engine.ts'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'

const skip = whyNoRing()
const options = skip === '' ? {} : { skip }
const SIZE = 6_000_000
const SEND_TIMEOUT_MS = 2000

const certificates = new Certificates()
after(() => certificates.remove())
const pair = certificates.make('one.example')

for (const [what, listen, connect] of [
  ['in the clear', '', (port: number): net.Socket => net.connect({ port, host: '127.0.0.1' })],
  ['over TLS', ' ssl', (port: number) => tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })],
] as const) {
  test(`a slow client gets all of a large file, ${what}`, options, async () => {
    await using server = await startViaduct(
      `events { use io_uring; } http { sendfile on; send_timeout ${SEND_TIMEOUT_MS}ms;
        ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};
        server { listen 127.0.0.1:%%PORT_0%%${listen} sndbuf=64k; root %%DIR%%; } }`,
      { files: { large: Buffer.alloc(SIZE, 'x') } },
    )
    const client = connect(server.port())
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
}

test(
  'over TLS a file waits for its client as a file without `sendfile`, too, and one that shrinks ends the connection',
  options,
  async () => {
    await using server = await startViaduct(
      `events { use io_uring; } http { ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};
      server { listen 127.0.0.1:%%PORT_0%% ssl sndbuf=64k; root %%DIR%%; } }`,
      { files: { shrinking: Buffer.alloc(SIZE, 'x') }, alerts: true },
    )
    const client = tls.connect({ port: server.port(), host: '127.0.0.1', rejectUnauthorized: false })
    client.write('GET /shrinking HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(client, 'readable')
    truncateSync(`${server.dir}/shrinking`, 1000)
    let size = 0
    for await (const piece of client) size += (piece as Buffer).length
    assert.ok(size < SIZE, `${size} bytes have come`)
    await server.logged(/\[alert\] .*pread\(\) read only \d+ of 6000000 from ".*\/shrinking"/)
  },
)
