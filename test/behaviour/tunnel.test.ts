/** tunnel_pass: CONNECT to other servers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

/** Sends back what it gets, in capitals, and ends when the other side does. */
async function shouter(): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', (bytes) => socket.write(bytes.toString('latin1').toUpperCase()))
    socket.on('end', () => socket.end('BYE'))
    socket.on('error', () => {})
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}

const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port
const OPENED = /^HTTP\/1\.1 200 (?:OK|Connection established)\r\n/i

test('bytes pass both ways, those that come early too, and each side ends by itself', async () => {
  await using echo = await shouter()
  await using server = await startViaduct(`http { access_log %%DIR%%/access.log all;
    log_format all '$status $upstream_addr $request_completion $request';
    server { listen 127.0.0.1:%%PORT_0%%; tunnel_pass; tunnel_half_close on; } }`)
  const client = await server.connect(0)
  client.write(`CONNECT 127.0.0.1:${portOf(echo)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nearly `)
  await client.until(/EARLY /)
  client.socket.end('late')
  const answer = await client.rest()
  assert.match(answer, OPENED)
  assert.doesNotMatch(answer, /Transfer-Encoding|Content-Length/i)
  assert.match(answer, /\r\n\r\nEARLY LATEBYE$/)
  await server.until('a line in the log', () => server.accessLog() !== '')
  assert.equal(server.accessLog(), `200 127.0.0.1:${portOf(echo)} OK CONNECT 127.0.0.1:${portOf(echo)} HTTP/1.1\n`)
})

test('where it goes may be configured, and by whom', async () => {
  await using echo = await shouter()
  await using server = await startViaduct(`http { upstream one { server 127.0.0.1:${portOf(echo)}; }
    map $request_port $allowed { 443 1; }
    server { listen 127.0.0.1:%%PORT_0%%; if ($allowed = "") { return 403; } tunnel_half_close on; tunnel_pass one; } }`)
  const client = await server.connect(0)
  client.write('CONNECT anywhere.example:443 HTTP/1.1\r\nHost: anywhere.example:443\r\n\r\nhello')
  await client.until(/HELLO/)
  client.socket.end()
  assert.match(await client.rest(), /\r\n\r\nHELLOBYE$/)
  const refused = await server.raw(
    'CONNECT anywhere.example:22 HTTP/1.1\r\nHost: anywhere.example:22\r\nConnection: close\r\n\r\n',
  )
  assert.match(refused, /^HTTP\/1\.1 403 /)
})

test('a server that is not there is 502; other methods are not allowed', async () => {
  const closed = await shouter()
  const port = portOf(closed)
  closed.close()
  await using server = await startViaduct(
    'http { server { listen 127.0.0.1:%%PORT_0%%; location / { tunnel_pass; } } server { listen 127.0.0.1:%%PORT_1%%; } }',
  )
  assert.match(
    await server.raw(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    /^HTTP\/1\.1 502 /,
  )
  assert.match(await server.raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 405 /)
  assert.match(await server.raw('CONNECT x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 1), /^HTTP\/1\.1 405 /)
})

test('a client that has ended is not waited for', async () => {
  const ended = Promise.withResolvers<string>()
  const sockets: net.Socket[] = []
  await using silent = net.createServer({ allowHalfOpen: true }, (socket) => {
    let received = ''
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => (received += bytes.toString('latin1')))
    socket.on('end', () => ended.resolve(received))
  })
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  await using server = await startViaduct(`http { access_log %%DIR%%/access.log;
    server { listen 127.0.0.1:%%PORT_0%%; tunnel_read_timeout 1d; tunnel_pass; } }`)
  const client = await server.connect(0)
  client.write(`CONNECT 127.0.0.1:${portOf(silent)} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await client.until(/200/)
  client.socket.end('last')
  await client.rest()
  assert.equal(await ended.promise, 'last')
  await server.until('it is logged', () => server.accessLog() !== '')
  for (const socket of sockets) socket.destroy()
})

test('a silent tunnel ends with tunnel_read_timeout', async () => {
  await using silent = net.createServer((socket) => socket.on('error', () => {}))
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  await using server = await startViaduct(
    'http { server { listen 127.0.0.1:%%PORT_0%%; tunnel_read_timeout 200ms; tunnel_pass; } }',
  )
  assert.match(await server.raw(`CONNECT 127.0.0.1:${portOf(silent)} HTTP/1.1\r\nHost: x\r\n\r\n`), OPENED)
})
