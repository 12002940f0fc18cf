/** Clients that do not keep to TLS, or take their time: they are ended, logged as nginx does, and harm nobody. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { askTls } from '../harness/tls-client.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const pair = certificates.make('one.example')
const own = `ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};`

function start(settings = ''): Promise<Server> {
  return startViaduct(`http { error_log error.log info; server { listen 127.0.0.1:%%PORT_0%% ssl; ${own} ${settings}
    return 200 ok; } }`)
}

/** Sends bytes and returns what comes back, in hex, until the server closes. */
async function answerTo(server: Server, bytes: string): Promise<string> {
  return Buffer.from(await server.raw(bytes), 'latin1').toString('hex')
}

const ALERT = /^1503[0-9a-f]{2}000202/

test('bytes that are no TLS get an alert, and a line in the log', async () => {
  await using server = await start()
  assert.match(await answerTo(server, '\x16\x03\x01\x00\x05hello'), ALERT)
  assert.match(await answerTo(server, '\x16\x03\x01\xff\xff'), ALERT)
  assert.match(await answerTo(server, `\x16\x03\x01\x40\x00\x01\xff\xff\xff${'x'.repeat(20000)}`), ALERT)
  const failed =
    /\[info\].* SSL_do_handshake\(\) failed \(SSL: error:0A[0-9A-F]{6}:SSL routines::[^)]*\) while SSL handshaking, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+$/gm
  await server.until('three lines', () => server.errorLog().match(failed)?.length === 3)
  assert.equal((await askTls(server.port())).body, 'ok')
})

test('a handshake has the time of client_header_timeout in all', async () => {
  await using server = await start('client_header_timeout 300ms;')
  const silent = await server.connect()
  const slow = await server.connect()
  slow.write('\x16\x03\x01\x02\x00\x01')
  const stuck = await server.connect()
  const hello = await helloOf(server)
  stuck.write(hello)
  await Promise.all([silent.rest(), slow.rest(), stuck.rest()])
  await server.logged(
    /\[info\].* client timed out \(110: Connection timed out\) while SSL handshaking, client: 127\.0\.0\.1/,
  )
})

test('a hello in small pieces, and in many records, is understood', async () => {
  await using server = await start()
  const hello = await helloOf(server)
  const body = hello.slice(5)
  let records = ''
  for (let at = 0; at < body.length; at += 7) {
    const piece = body.slice(at, at + 7)
    records += `\x16\x03\x01\x00${String.fromCharCode(piece.length)}${piece}`
  }
  for (const text of [hello, records]) {
    const client = await server.connect()
    client.socket.setNoDelay(true)
    for (let at = 0; at < text.length; at += 50) {
      client.write(text.slice(at, at + 50))
      await new Promise(setImmediate)
    }
    // A server hello.
    await client.until(/^\x16\x03\x03..\x02/s)
    client.close()
  }
})

test('a server that rejects everybody does not let those pass whose name is empty, or not understood', async () => {
  await using server = await startViaduct(`http { error_log error.log info; ${own}
    server { listen 127.0.0.1:%%PORT_0%% ssl default_server; ssl_reject_handshake on; return 200 rejected; }
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name one.example; return 200 ok; } }`)
  const hello = Buffer.from(await helloOf(server, 'one.example'), 'latin1')
  const name = hello.indexOf('one.example')
  const empty = Buffer.concat([hello.subarray(0, name), hello.subarray(name + 'one.example'.length)])
  // Lengths of the name, the list, the extension, all extensions, the message and the record.
  const extensions = 5 + 4 + 2 + 32 + 1 + 32
  const list = extensions + 2 + hello.readUInt16BE(extensions) + 2
  for (const at of [name - 2, name - 5, name - 7, list, 7, 3]) {
    empty.writeUInt16BE(empty.readUInt16BE(at) - 'one.example'.length, at)
  }
  const broken = Buffer.from(hello)
  broken[name] = 0
  for (const bytes of [empty, broken]) {
    const client = await server.connect()
    client.write(bytes.toString('latin1'))
    assert.equal(Buffer.from(await client.rest(), 'latin1').toString('hex'), '15030300020270')
  }
  assert.equal((await askTls(server.port(), { servername: 'one.example' })).body, 'ok')
})

test('a client that goes away is logged', async () => {
  await using server = await start()
  const client = await server.connect()
  client.write(await helloOf(server))
  await client.until(/^\x16/)
  client.socket.end()
  const early = await server.connect()
  early.write('\x16\x03\x01')
  early.socket.end()
  const silent = await server.connect()
  silent.socket.end()
  const closed =
    /\[info\].* peer closed connection in SSL handshake while SSL handshaking, client: 127\.0\.0\.1, server: 127/g
  await server.until('two are told', () => server.errorLog().match(closed)?.length === 2)
  await server.logged(/\[info\].* client closed connection while SSL handshaking, client: 127\.0\.0\.1/)
})

test('renegotiation is refused', async () => {
  await using server = await start()
  const socket = tls.connect({
    host: '127.0.0.1',
    port: server.port(),
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.2',
  })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  const refused = await new Promise((resolve) => {
    socket.renegotiate({}, (error) => resolve(error))
    socket.once('close', resolve)
  })
  assert.notEqual(refused, null)
  socket.destroy()
})

test('many handshakes that come to nothing leave nothing behind', async () => {
  await using server = await start()
  const hello = await helloOf(server)
  for (let n = 0; n < 200; n++) {
    const client = await server.connect()
    client.write(n % 2 === 0 ? hello : hello.slice(0, n))
    client.close()
  }
  assert.equal((await askTls(server.port())).body, 'ok')
})

/** What a client says first. */
async function helloOf(server: Server, servername = ''): Promise<string> {
  const { createServer } = await import('node:net')
  const listener = createServer()
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  const port = typeof address === 'object' && address !== null ? address.port : server.port()
  const client = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, servername })
  client.on('error', () => {})
  const [socket] = await once(listener, 'connection')
  const [bytes] = await once(socket, 'data')
  socket.destroy()
  client.destroy()
  listener.close()
  return bytes.toString('latin1')
}
