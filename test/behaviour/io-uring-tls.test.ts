/** TLS on the ring: what a worker leaves of it when it dies, and where Node's engine serves instead. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { whyNoRing, whyNoSsl } from '../../src/net/engine.ts'
import { Certificates } from '../harness/certificates.ts'
import { Prefix, startViaduct, withDefaults } from '../harness/server.ts'
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

/** A client that hears nothing of what it is answered: its handshake stays where it is, once the server has said its part. */
async function deafClient(port: number): Promise<net.Server> {
  let heard = (): void => {}
  const answered = new Promise<void>((resolve) => (heard = resolve))
  const between = net.createServer((client) => {
    const server = net.connect(port, '127.0.0.1')
    client
      .on('error', () => {})
      .on('close', () => server.destroy())
      .pipe(server)
    server.on('error', () => {}).on('close', () => client.destroy())
    server.on('data', heard)
  })
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
  const client = tls.connect({ port: (between.address() as net.AddressInfo).port, rejectUnauthorized: false })
  client.on('error', () => {})
  await answered
  return between
}

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
    const deaf = await Promise.all(Array.from({ length: 5 }, () => deafClient(server.port())))
    fs.mkdirSync(`${server.dir}/bomb`)
    await server.until('another worker', () => started() === death + 1)
    assert.match((await askTls(server.port())).body, /^TLSv1\.3 \.$/)
    for (const between of deaf) between.close()
  }
  busy = false
  await Promise.all(loads)
  for (const socket of idle) socket.destroy()
  assert.equal(server.errorLog().match(/.*exited on signal.*/g), null)
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

/** Sizes of the records of data that a server answers with, by TLS 1.2, where only data has this type. */
async function recordsOf(port: number, path = '/'): Promise<number[]> {
  const sizes: number[] = []
  let rest = Buffer.alloc(0)
  const note = (piece: Buffer): void => {
    rest = Buffer.concat([rest, piece])
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt16BE(3)) {
      const size = rest.readUInt16BE(3)
      if (rest[0] === 23) sizes.push(size)
      rest = rest.subarray(5 + size)
    }
  }
  const between = net.createServer((client) => {
    const server = net.connect(port, '127.0.0.1')
    client.pipe(server).on('data', note).pipe(client)
    client.on('error', () => server.destroy())
    server.on('error', () => client.destroy())
  })
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
  const { port: relayed } = between.address() as net.AddressInfo
  await askTls(relayed, { path, maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })
  between.close()
  return sizes
}

test('ssl_buffer_size and ssl_dyn_rec_*: how large records are', options, async () => {
  const body = 'x'.repeat(100_000)
  await using server = await startViaduct(
    `events { use io_uring; } http { ${own} root %%DIR%%;
      server { listen 127.0.0.1:%%PORT_0%% ssl; ssl_buffer_size 4k; }
      server { listen 127.0.0.1:%%PORT_1%% ssl; ssl_dyn_rec_enable on; ssl_dyn_rec_threshold 5; ssl_dyn_rec_timeout 1h; }
      # What the kernel does not encrypt here changes nothing.
      server { listen 127.0.0.1:%%PORT_2%% ssl; sendfile on; ssl_conf_command Options KTLS; }
      server { listen 127.0.0.1:%%PORT_3%% ssl; sendfile on; ssl_buffer_size 5000; } }`,
    { files: { 'index.html': body, large: 'x'.repeat(1_000_000) } },
  )
  // Data of a record with this cipher, and what surrounds it: 8 bytes before, 16 behind.
  const data = async (n: number): Promise<number[]> => (await recordsOf(server.port(n))).map((size) => size - 24)
  const even = await data(0)
  assert.deepEqual(new Set(even.slice(0, -1)), new Set([4096]))
  const growing = await data(1)
  const expected = [...new Array(6).fill(1369), ...new Array(5).fill(4229), 16384, 16384]
  assert.deepEqual(growing.slice(0, expected.length), expected)
  const sum = (sizes: readonly number[]): number => sizes.reduce((all, size) => all + size, 0)
  assert.equal(sum(even), sum(growing))
  const large = await data(2)
  assert.deepEqual(new Set(large.slice(0, -1)), new Set([16384]))
  assert.equal(sum(large), sum(even))
  const file = (await recordsOf(server.port(3), '/large')).map((size) => size - 24)
  assert.deepEqual(new Set(file.slice(0, -1)), new Set([5000]), 'a file that is encrypted in turns')
  assert.ok(sum(file) > 1_000_000)
})

test('ssl_dyn_rec_enable on handles is ignored, with a warning', async () => {
  await using server = await startViaduct(`events { use epoll; } http { ${own} ssl_dyn_rec_enable on;
    server { listen 127.0.0.1:%%PORT_0%% ssl; return 200 ok; } }`)
  assert.equal((await askTls(server.port())).body, 'ok')
  await server.logged(/\[warn\] .*"ssl_dyn_rec_enable" is not supported by Node\.js, ignored/)
})

/** Counts tickets of TLS 1.3, which come behind the handshake. */
async function ticketsOf(port: number): Promise<number> {
  const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: 'TLSv1.3' })
  let count = 0
  client.on('session', () => count++)
  await once(client, 'secureConnect')
  client.end('GET / HTTP/1.0\r\n\r\n')
  for await (const _ of client);
  return count
}

test('ssl_conf_command: what Node has no option for, too', options, async () => {
  const other = certificates.make('two.example')
  await using server = await startViaduct(`events { use io_uring; io_uring_tls on; } http { ${own}
    server { listen 127.0.0.1:%%PORT_0%% ssl; return 200; }
    server { listen 127.0.0.1:%%PORT_1%% ssl; return 200; ssl_conf_command NumTickets 1; }
    server { listen 127.0.0.1:%%PORT_2%% ssl; return 200; ssl_conf_command numtickets 4;
      ssl_conf_command Options -MiddleboxCompat,-TxCertificateCompression; ssl_conf_command RecordPadding 512; }
    server { listen 127.0.0.1:%%PORT_3%% ssl; return 200 "$ssl_client_verify"; ssl_conf_command VerifyMode Peer,Require;
      ssl_conf_command VerifyCAFile ${other.certFile}; }
    server { listen 127.0.0.1:%%PORT_4%%; proxy_ssl_certificate ${other.certFile}; proxy_ssl_certificate_key ${other.keyFile};
      location / { proxy_pass https://127.0.0.1:%%PORT_3%%; } } }`)
  assert.equal(await ticketsOf(server.port(0)), 2)
  assert.equal(await ticketsOf(server.port(1)), 1)
  assert.equal(await ticketsOf(server.port(2)), 4)
  await assert.rejects(askTls(server.port(3)).then(({ status }) => assert.ok(status > 0)))
  assert.equal((await fetch(server.url('/', 4))).status, 200)
})

test('ssl_conf_command: what OpenSSL refuses is told as it says it', options, async () => {
  for (const [command, why] of [
    ['NumTickets -1', 'bad value'],
    ['VerifyMode Perhaps', 'bad value'],
    ['DHParameters none.pem', 'No such file'],
  ] as const) {
    const [name, value] = command.split(' ')
    await using prefix = await Prefix.create(
      withDefaults(`events { use io_uring; io_uring_tls on; } http { ${own} server { listen 127.0.0.1:1 ssl;
        ssl_conf_command MinProtocol TLSv1.2; ssl_conf_command ${command}; } }`),
    )
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1)
    assert.match(
      stderr,
      new RegExp(
        `SSL_CONF_cmd\\("${name}", ".*${value}"\\) failed \\(SSL: error:.*${why}.*\\) in .*nginx.conf:\\d+`,
        's',
      ),
    )
  }
})

test('ssl_conf_command: what Node has no option for is ignored on handles, with a warning', async () => {
  await using server = await startViaduct(`events { use epoll; } http { ${own} ssl_conf_command NumTickets 1;
    server { listen 127.0.0.1:%%PORT_0%% ssl; return 200 ok; } }`)
  assert.equal((await askTls(server.port())).body, 'ok')
  await server.logged(/\[warn\] .*"ssl_conf_command NumTickets" is not supported by Node\.js, ignored/)
})
