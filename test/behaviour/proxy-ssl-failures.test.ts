/** Back ends that do not finish the handshake: the answer, the log, and the next server. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const own = certificates.make('localhost')

/** A listener that does this with every connection. */
async function listener(onConnection: (socket: net.Socket) => void) {
  const sockets: net.Socket[] = []
  const server = net.createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    onConnection(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as net.AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function failing(
  onConnection: (socket: net.Socket) => void,
  settings = '',
): Promise<{ status: number; log: string }> {
  await using back = await listener(onConnection)
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass https://127.0.0.1:${back.port}; ${settings} }
  } }`)
  const { status } = await fetch(server.url('/'))
  return { status, log: /^.*\[error\].*$/m.exec(server.errorLog())?.[0] ?? '' }
}

test('one that closes in the handshake', async () => {
  const { status, log } = await failing((socket) => socket.once('data', () => socket.end()))
  assert.equal(status, 502)
  assert.match(log, / peer closed connection in SSL handshake while SSL handshaking to upstream, client: /)
})

test('one that resets in the handshake', async () => {
  const { status, log } = await failing((socket) => socket.once('data', () => socket.resetAndDestroy()))
  assert.equal(status, 502)
  assert.match(
    log,
    / peer closed connection in SSL handshake \(104: Connection reset by peer\) while SSL handshaking to upstream,/,
  )
})

test('one that does not speak TLS', async () => {
  const { status, log } = await failing((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  assert.equal(status, 502)
  assert.match(
    log,
    / SSL_do_handshake\(\) failed \(SSL: error:0A00010B:SSL routines::wrong version number\) while SSL handshaking to upstream,/,
  )
})

test('one that says nothing is given up after proxy_connect_timeout', async () => {
  const { status, log } = await failing(() => {}, 'proxy_connect_timeout 200ms;')
  assert.equal(status, 504)
  assert.match(log, / upstream timed out \(110: Connection timed out\) while SSL handshaking to upstream,/)
})

test('one that speaks only another version', async () => {
  await using peer = await TlsPeer.start({ ...own, maxVersion: 'TLSv1.2' }, () => reply('no'))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass https://127.0.0.1:${peer.port}; proxy_ssl_protocols TLSv1.3; }
  } }`)
  assert.equal((await fetch(server.url('/'))).status, 502)
  assert.match(
    server.errorLog(),
    /SSL_do_handshake\(\) failed \(SSL: error:0A00042E:SSL routines::tlsv1 alert protocol version:SSL alert number 70\)/,
  )
})

test('the next server is asked instead', async () => {
  await using bad = await listener((socket) => socket.once('data', () => socket.end()))
  await using fine = await TlsPeer.start(own, () => reply('fine'))
  await using server = await startViaduct(`http {
    upstream u { server 127.0.0.1:${bad.port}; server 127.0.0.1:${fine.port}; }
    server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass https://u; } }
  }`)
  const response = await fetch(server.url('/'), { method: 'POST', body: 'x' })
  assert.equal(await response.text(), 'fine')
})

test('a kept connection that the back end closed meanwhile is replaced', async () => {
  await using peer = await TlsPeer.start(own, ({ connection }) => reply(String(connection)))
  await using server = await startViaduct(`http {
    upstream u { server 127.0.0.1:${peer.port}; keepalive 1; }
    server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass https://u; } }
  }`)
  assert.equal(await (await fetch(server.url('/'))).text(), '0')
  const [socket] = peer.sockets
  const closed = once(socket!, 'close')
  socket!.end()
  await closed
  assert.equal(await (await fetch(server.url('/'))).text(), '1')
})
