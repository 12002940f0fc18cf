/** HTTP/2 over TLS: chosen by ALPN and by the server that SNI names, with HTTP/1.1 beside it, and 421 across servers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'

const BIG = 'x'.repeat(1_000_000)

function conf(certs: Certificates): string {
  const pair = certs.make('localhost', { names: ['localhost', 'plain.test', 'verified.test'] })
  const ssl = `ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};`
  return `http {
    ${ssl}
    server { listen 127.0.0.1:%%PORT_0%% ssl; http2 on; server_name localhost; root %%DIR%%;
      location = / { return 200 "$http2 $server_protocol $scheme $ssl_protocol"; } }
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name plain.test; return 200 plain; }
    server { listen 127.0.0.1:%%PORT_0%% ssl; http2 on; server_name verified.test;
      ssl_verify_client on; ssl_client_certificate ${pair.certFile}; return 200 verified; }
  }`
}

async function connect(port: number, servername: string, protocols: readonly string[]): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    servername,
    ALPNProtocols: [...protocols],
    rejectUnauthorized: false,
  })
  await once(socket, 'secureConnect')
  return socket
}

test('HTTP/2 over TLS', async (t) => {
  const certs = new Certificates()
  t.after(() => certs.remove())
  await using server = await startViaduct(conf(certs), { files: { 'big.txt': BIG } })
  const port = server.prefix.port()
  const agreed = async (name: string, protocols: readonly string[]) => {
    const socket = await connect(port, name, protocols)
    socket.destroy()
    return socket.alpnProtocol
  }

  await t.test('the protocol is agreed on by ALPN', async () => {
    assert.equal(await agreed('localhost', ['h2', 'http/1.1']), 'h2')
    assert.equal(await agreed('localhost', ['http/1.1', 'h2']), 'h2')
    assert.equal(await agreed('localhost', ['http/1.1']), 'http/1.1')
    assert.equal(await agreed('plain.test', ['h2', 'http/1.1']), 'http/1.1')
  })

  const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, servername: 'localhost' })
  const ask = async (path: string, authority = 'localhost') => {
    const stream = session.request({ ':path': path, ':authority': authority })
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    let body = ''
    for await (const piece of stream) body += String(piece)
    return { status: headers[':status'], body }
  }

  await t.test('requests are answered as over HTTP/1.1', async () => {
    assert.deepEqual(await ask('/'), { status: 200, body: 'h2 HTTP/2.0 https TLSv1.3' })
    assert.equal((await ask('/big.txt')).body, BIG)
  })

  await t.test('a server that asks for certificates is not reached by another name', async () => {
    assert.equal((await ask('/', 'verified.test')).status, 421)
  })

  await t.test('a server without HTTP/2 is not reached', async () => {
    assert.equal((await ask('/', 'plain.test')).status, 421)
  })

  await t.test('HTTP/1.1 on the same port', async () => {
    const socket = await connect(port, 'localhost', ['http/1.1'])
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    let text = ''
    for await (const piece of socket) text += String(piece)
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(text, / HTTP\/1\.1 https TLSv1\.3$/)
  })
  session.destroy()
})
