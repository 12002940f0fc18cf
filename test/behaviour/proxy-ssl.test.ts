/** `proxy_pass https://`: requests over TLS, kept connections, ports and variables. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const own = certificates.make('localhost')

test('a request goes over TLS, without SNI and without verification unless asked for', async () => {
  await using peer = await TlsPeer.start(own, ({ socket }) => reply(`${socket.servername} ${socket.getProtocol()}`))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass https://localhost:${peer.port}; }
  } }`)
  const response = await fetch(server.url('/x?y'))
  assert.equal(response.status, 200)
  assert.equal(await response.text(), 'false TLSv1.3')
  assert.match(peer.requests[0]!.head, /^GET \/x\?y HTTP\/1\.1\r\n/)
})

test('connections are kept, and plain and secured ones are not mixed', async () => {
  await using peer = await TlsPeer.start(own, ({ connection }) => reply(String(connection)))
  await using server = await startViaduct(`http {
    upstream u { server 127.0.0.1:${peer.port}; keepalive 4; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { proxy_pass https://u; }
      location /other { proxy_pass https://u; proxy_ssl_protocols TLSv1.2; }
      location /plain { proxy_pass http://u; }
  } }`)
  const get = async (path: string) => (await fetch(server.url(path))).text()
  assert.equal(await get('/'), '0')
  assert.equal(await get('/'), '0')
  assert.equal(await get('/other'), '1')
  assert.equal(peer.sockets[1]!.getProtocol(), 'TLSv1.2')
  assert.equal((await fetch(server.url('/plain'))).status, 502)
  assert.equal(await get('/'), '0')
  assert.equal(await get('/other'), '1')
})
