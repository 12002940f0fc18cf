/** TLS on the ring: what a worker leaves of it when it dies, and where Node's engine serves instead. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { whyNoRing } from '../../src/net/engine.ts'
import { whyNoSsl } from '../../src/sys/ssl.ts'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'
import { askTls } from '../harness/tls-client.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const pair = certificates.make('one.example')
const own = `ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};`
const why = whyNoRing() || whyNoSsl()
const options = why === '' ? { timeout: 60_000 } : { skip: why }

/** Preloaded into every thread: a worker dies when a folder appears. */
const BOMB = `
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'
const take = () => { try { fs.rmdirSync(new URL('bomb', import.meta.url)); return true } catch { return false } }
if (!isMainThread) setInterval(() => { if (take()) throw new Error('a bug') }, 5).unref()
`

test('workers that die in the middle of handshakes and requests are replaced, again and again', options, async () => {
  const env = { NODE_OPTIONS: '--import=./bomb.mjs' }
  await using server = await startViaduct(
    `events { use io_uring; io_uring_tls on; } worker_processes 1; http { ${own} ssl_session_cache shared:a:1m;
      server { listen 127.0.0.1:%%PORT_0%% ssl; return 200 "$ssl_protocol $ssl_session_reused"; } }`,
    { files: { 'bomb.mjs': BOMB }, alerts: true, env, cwd: true },
  )
  fs.chmodSync(server.dir, 0o777)
  const started = (): number => server.errorLog().match(/start worker process \d+/g)?.length ?? 0
  let busy = true
  const loads = Array.from({ length: 4 }, async () => {
    while (busy) await askTls(server.port()).catch(() => {})
  })
  const idle: tls.TLSSocket[] = []
  for (let death = 1; death <= 3; death++) {
    for (let n = 0; n < 20; n++) {
      const socket = tls.connect({ port: server.port(), host: '127.0.0.1', rejectUnauthorized: false })
      idle.push(socket.on('error', () => {}))
    }
    fs.mkdirSync(`${server.dir}/bomb`)
    await server.until('another worker', () => started() === death + 1)
    assert.match((await askTls(server.port())).body, /^TLSv1\.3 \.$/)
  }
  busy = false
  await Promise.all(loads)
  for (const socket of idle) socket.destroy()
})

for (const [what, events] of [
  ['on the ring', 'use io_uring; io_uring_tls on;'],
  ['on handles beside the ring', 'use io_uring; io_uring_tls off;'],
  ['on handles', 'use epoll; io_uring_tls on;'],
] as const) {
  test(`TLS ${what}, from a client and to a back end`, options, async () => {
    await using server = await startViaduct(`events { ${events} } http { ${own}
      server { listen 127.0.0.1:%%PORT_0%% ssl; location / { proxy_pass https://127.0.0.1:%%PORT_1%%;
        proxy_ssl_trusted_certificate ${pair.certFile}; proxy_ssl_verify on; proxy_ssl_name one.example; } }
      server { listen 127.0.0.1:%%PORT_1%% ssl; return 200 "$ssl_protocol $ssl_cipher"; } }`)
    assert.equal((await askTls(server.port())).body, 'TLSv1.3 TLS_AES_256_GCM_SHA384')
  })
}
