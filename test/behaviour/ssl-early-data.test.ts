/** `ssl_early_data`: requests with the first message of a handshake, where OpenSSL speaks TLS on the ring. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { whyNoRing, whyNoSsl } from '../../src/net/engine.ts'
import { Certificates } from '../harness/certificates.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const pair = certificates.make('one.example')
const own = `ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};`
const why = whyNoRing() || whyNoSsl()
const options = why === '' ? {} : { skip: why }
const EVENTS = 'events { use io_uring; io_uring_tls on; }'

/** What openssl's client says and hears, until the server closes. */
async function client(port: number, args: readonly string[], later = ''): Promise<string> {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_3', '-ign_eof', ...args])
  child.stdin.on('error', () => {})
  child.stdin.end(later)
  let text = ''
  child.stdout.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
  })
  await new Promise((resolve) => child.on('close', resolve))
  return text
}

const request = (target: string, lines = ''): string =>
  `GET ${target} HTTP/1.1\r\nHost: x\r\n${lines}Connection: close\r\n\r\n`

test('a request that comes early is answered early, and said to be so', options, async () => {
  await using peer = await Peer.start((asked) =>
    asked.field('early-data') === '1' ? reply('', [], '425 Too Early') : reply('in time'),
  )
  await using server = await startViaduct(`${EVENTS} http { ${own} ssl_early_data on;
    server { listen 127.0.0.1:%%PORT_0%% ssl;
      location / { return 200 "early <$ssl_early_data> reused $ssl_session_reused"; }
      location /behind { proxy_pass http://127.0.0.1:${peer.port}; proxy_set_header Early-Data $ssl_early_data; } }
    server { listen 127.0.0.1:%%PORT_1%% ssl; ssl_early_data off; return 200 "early <$ssl_early_data>"; } }`)
  const session = `${server.dir}/session`
  const early = `${server.dir}/request`
  const again = ['-sess_in', session, '-early_data', early]
  const first = await client(server.port(), ['-sess_out', session], request('/'))
  assert.match(first, /\r\n\r\nearly <> reused \./)
  fs.writeFileSync(early, request('/'))
  const second = await client(server.port(), again)
  assert.match(second, /Early data was accepted/)
  assert.match(second, /\r\n\r\nearly <1> reused r/)
  // Half of it early, the rest when the handshake is over.
  fs.writeFileSync(early, 'GET / HTTP/1.1\r\nHost: x\r\n')
  const third = await client(server.port(), again, 'Connection: close\r\n\r\n')
  assert.match(third, /Early data was accepted/)
  assert.match(third, /\r\n\r\nearly <> reused r/)
  // A back end that wants no such requests says so.
  fs.writeFileSync(early, request('/behind'))
  assert.match(await client(server.port(), again), /HTTP\/1\.1 425 Too Early\r\n/)
  assert.match(await client(server.port(), ['-sess_in', session], request('/behind')), /\r\n\r\nin time/)
  // A server that takes none is asked again in the usual way.
  const plain = await client(server.port(1), ['-sess_out', session], request('/'))
  assert.match(plain, /\r\n\r\nearly <>/)
  assert.match(plain, /Max Early Data: 0\n/)
})

test('where repetitions are to be noticed there is none', options, async () => {
  await using server =
    await startViaduct(`${EVENTS} http { ${own} ssl_early_data on; ssl_conf_command Options AntiReplay;
    server { listen 127.0.0.1:%%PORT_0%% ssl; return 200 "early <$ssl_early_data>"; } }`)
  assert.match(await client(server.port(), [], request('/')), /Max Early Data: 0\n/)
  await server.logged(/\[warn\] .*"ssl_early_data" is ignored: .*AntiReplay/)
})

test('without OpenSSL on the ring it is ignored, with a warning', async () => {
  await using server = await startViaduct(`events { use epoll; } http { ${own} ssl_early_data on;
    server { listen 127.0.0.1:%%PORT_0%% ssl; return 200 "early <$ssl_early_data>"; } }`)
  assert.match(await client(server.port(), [], request('/')), /\r\n\r\nearly <>/)
  await server.logged(/\[warn\] .*"ssl_early_data" is not supported by Node\.js, ignored/)
})
