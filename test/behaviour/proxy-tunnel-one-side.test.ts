/** One side of a tunnel is gone and the other one says nothing: the tunnel ends at once, whatever carries the two sides. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { END_STREAM, RST_STREAM } from '../../src/http/h2/wire/frames.ts'
import { Certificates } from '../harness/certificates.ts'
import { H2Client } from '../harness/h2-client.ts'
import { Peer } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const pair = certificates.make('localhost')

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n'
const UPGRADE = 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n'

const conf = (target: string, more = ''): string => `http { ${more}
  log_format all '$request $status <$request_completion>'; access_log %%DIR%%/access.log all;
  proxy_read_timeout 1d; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection upgrade; proxy_pass_request_body off;
  server { listen 127.0.0.1:%%PORT_0%%; http2 on; location / { proxy_pass ${target}; } }
  server { listen 127.0.0.1:%%PORT_1%% ssl; ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};
    location / { proxy_pass ${target}; } } }`

const logged = (server: Server): Promise<void> => server.until('it is logged', () => / 101 /.test(server.accessLog()))

/** A client in the clear or by TLS, with the tunnel open. */
async function open(server: Server, secure: boolean): Promise<net.Socket> {
  const socket = secure
    ? tls.connect({ port: server.port(1), host: '127.0.0.1', rejectUnauthorized: false })
    : net.connect({ port: server.port(), host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  socket.setEncoding('latin1').write(UPGRADE)
  let answer = ''
  await new Promise<void>((resolve) => {
    socket.on('data', (text: string) => {
      answer += text
      if (answer.includes('\r\n\r\n')) resolve()
    })
  })
  return socket
}

for (const secure of [false, true]) {
  const how = secure ? 'TLS' : 'plain'
  test(`${how}: the client has ended, the back end is silent`, async () => {
    await using peer = await Peer.start(() => SWITCH)
    await using server = await startViaduct(conf(`http://127.0.0.1:${peer.port}`))
    const client = await open(server, secure)
    client.end('last')
    await logged(server)
    assert.match(server.accessLog(), / 101 <OK>\n$/)
    await peer.until(() => peer.received[0]!.endsWith('last') && peer.sockets[0]!.readableEnded)
    client.destroy()
  })

  test(`${how}: the back end has ended, the client is silent`, async () => {
    await using peer = await TlsPeer.start({ key: pair.key, cert: pair.cert, allowHalfOpen: true }, () => SWITCH)
    await using server = await startViaduct(conf(`https://127.0.0.1:${peer.port}`))
    const client = await open(server, secure)
    let rest = ''
    client.on('data', (text: string) => (rest += text))
    const ended = new Promise((resolve) => client.on('end', resolve))
    peer.sockets[0]!.end('last')
    await ended
    assert.equal(rest, 'last')
    await logged(server)
    client.destroy()
  })
}

const CONNECT = [
  [':method', 'CONNECT'],
  [':protocol', 'websocket'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'localhost'],
  ['sec-websocket-version', '13'],
  ['sec-websocket-key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
] as const

test('HTTP/2: the client ends its stream, the back end is silent', async () => {
  await using peer = await Peer.start(() => SWITCH.replace('raw', 'websocket'))
  await using server = await startViaduct(conf(`http://127.0.0.1:${peer.port}`))
  await using client = await H2Client.connect(server.port())
  client.request(1, { raw: CONNECT, open: true })
  await client.waitFor((frame) => frame.stream === 1)
  client.frame(0, END_STREAM, 1, 'last')
  await client.waitFor((f) => f.stream === 1 && (f.type === RST_STREAM || (f.flags & END_STREAM) !== 0))
  await peer.until(() => peer.received[0]!.endsWith('last') && peer.sockets[0]!.readableEnded)
})

test('HTTP/2: the back end has ended, the client is silent', async () => {
  await using peer = await Peer.start(() => SWITCH.replace('raw', 'websocket'))
  await using server = await startViaduct(conf(`http://127.0.0.1:${peer.port}`))
  await using client = await H2Client.connect(server.port())
  client.request(1, { raw: CONNECT, open: true })
  await client.waitFor((frame) => frame.stream === 1)
  peer.sockets[0]!.end('last')
  await client.waitFor((f) => f.stream === 1 && (f.type === RST_STREAM || (f.flags & END_STREAM) !== 0))
  assert.equal(client.soFar(1).body, 'last')
})

test('who takes nothing is not waited for longer than the send time-outs', async (t) => {
  const large = 'x'.repeat(16_000_000)
  await using peer = await Peer.start(() => SWITCH)
  await t.test('the back end', async () => {
    const more = 'proxy_send_timeout 200ms;'
    await using server = await startViaduct(conf(`http://127.0.0.1:${peer.port}`, more))
    const client = await open(server, false)
    peer.sockets.at(-1)!.pause()
    client.write(large)
    await server.logged(
      /\[error\].*upstream timed out \(110: Connection timed out\) while proxying upgraded connection/,
    )
    await logged(server)
    assert.match(server.accessLog(), / 101 <>\n$/)
    client.destroy()
    // It is over with that tunnel: the next one ends as others do.
    const next = await open(server, false)
    next.end()
    await server.until('it is complete', () => / 101 <OK>\n$/.test(server.accessLog()))
  })
  await t.test('the client', async () => {
    const more = 'send_timeout 200ms; proxy_send_timeout 200ms;'
    await using server = await startViaduct(conf(`http://127.0.0.1:${peer.port}`, more))
    const client = await open(server, false)
    client.pause()
    peer.sockets.at(-1)!.write(large)
    await server.logged(/\[info\].*client timed out \(110: Connection timed out\) while proxying upgraded connection/)
    await logged(server)
    assert.match(server.accessLog(), / 101 <>\n$/)
    client.destroy()
  })
})
