/** Clients that leave, or fall silent, before their request is complete, or with it: what the logs tell, and that they are not kept. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const pair = certificates.make('h')
const own = `ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};`

const SETTINGS = `error_log error.log info; log_format line '$host $status [$request] $request_length $connection_requests';
  access_log access.log line; keepalive_timeout 600s; client_header_timeout 600s;`
const CONF = `http { ${SETTINGS}
  server { listen 127.0.0.1:%%PORT_0%%; server_name first; return 200; }
  server { listen 127.0.0.1:%%PORT_0%%; server_name named; return 200 named; }
  server { listen 127.0.0.1:%%PORT_1%%; http2 on; return 200; }
  server { listen 127.0.0.1:%%PORT_2%%; client_header_timeout 100ms; return 200; }
  server { listen 127.0.0.1:%%PORT_3%% ssl; ${own} location / { root html; } }
}`

/** What is sent, what the access log has of it, and what was read when the client left. */
const HEADS = [
  ['G', 'first 400 [G] 0 1', 'line'],
  ['GET / HTTP/1.1', 'first 400 [GET / HTTP/1.1] 0 1', 'line'],
  ['GET / HTTP/1.1\r\n', 'first 400 [GET / HTTP/1.1] 16 1', 'headers'],
  ['GET / HTTP/1.1\r\nHost: na', 'first 400 [GET / HTTP/1.1] 16 1', 'headers'],
  ['GET / HTTP/1.1\r\nHost: named\r\n', 'named 400 [GET / HTTP/1.1] 29 1', 'headers'],
  ['GET / HTTP/1.1\r\nHost: named\r\n\r\nGET /2', 'named 200 [GET / HTTP/1.1] 31 1\nfirst 400 [GET /2] 0 2', 'line'],
] as const

/** Sends bytes and the end, and returns what came back once the server has ended, too. */
async function leave(server: Server, n: number, bytes: string): Promise<string> {
  const socket = net.connect({ port: server.port(n), host: '127.0.0.1', allowHalfOpen: true })
  socket.end(bytes)
  return textOf(socket)
}

test('a client that leaves within a head is logged with what there is of it', async () => {
  await using server = await startViaduct(CONF)
  for (const [head, lines, where] of HEADS) {
    const [access, errors] = [server.accessLog().length, server.errorLog().length]
    await leave(server, 0, head)
    await server.until(lines, () => server.accessLog().slice(access) === `${lines}\n`)
    const told = new RegExp(
      `\\[info\\].* client prematurely closed connection while reading client request ${where}, client: `,
    )
    await server.until(`${told}`, () => told.test(server.errorLog().slice(errors)))
  }
})

test('one that asks nothing is told by a line in the error log', async () => {
  await using server = await startViaduct(CONF)
  for (const n of [0, 1]) await leave(server, n, '')
  const waiting =
    /\[info\].* client closed connection while waiting for request, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+$/gm
  await server.until('both are told', () => server.errorLog().match(waiting)?.length === 2)
  assert.match(await leave(server, 0, 'GET / HTTP/1.1\r\nHost: first\r\n\r\n'), / 200 OK/)
  await server.logged(/\[info\] \d+#\d+: \*\d+ client 127\.0\.0\.1 closed keepalive connection$/m)
  const silent = await server.connect(2)
  await silent.rest()
  await server.logged(/\[info\].* client timed out \(110: Connection timed out\) while waiting for request, client: /)
})

test('one that ends its side while it is answered is not kept for another request', async () => {
  await using server = await startViaduct(CONF, { files: { 'html/large': 'x'.repeat(300_000) } })
  const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`
  for (const paths of [['/large'], ['/large', '/none'], ['/none', '/large', '/none', '/none']]) {
    const to = {
      port: server.port(3),
      host: '127.0.0.1',
      allowHalfOpen: true,
      rejectUnauthorized: false,
    }
    const socket = tls.connect(to)
    await once(socket, 'secureConnect')
    socket.end(paths.map(ask).join(''))
    // Without an end from the server this would wait for `keepalive_timeout`.
    assert.match(await textOf(socket), /^HTTP\/1\.1 /)
  }
})

async function textOf(socket: net.Socket): Promise<string> {
  let text = ''
  socket.setEncoding('latin1').on('data', (part) => (text += part))
  await once(socket, 'end')
  return text
}
