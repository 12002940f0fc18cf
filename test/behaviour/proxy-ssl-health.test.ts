/** Health checks ask back ends as requests do: over TLS, with the name told and verified. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const own = certificates.make('localhost')
const other = certificates.make('other')

test('a server with the wrong certificate is unhealthy', async () => {
  const answer = ({ socket }: { socket: { servername: string | false | null } }) => reply(String(socket.servername))
  await using fine = await TlsPeer.start(own, answer)
  await using wrong = await TlsPeer.start(other, answer)
  await using server = await startViaduct(`worker_processes 1; http {
    upstream u { zone u 64k; server 127.0.0.1:${wrong.port}; server 127.0.0.1:${fine.port}; }
    server { listen 127.0.0.1:%%PORT_0%%; location / {
      proxy_pass https://u; health_check interval=100ms mandatory uri=/health;
      proxy_ssl_server_name on; proxy_ssl_name localhost;
      proxy_ssl_verify on; proxy_ssl_trusted_certificate ${own.certFile};
  } } }`)
  const checked = /SSL certificate verify error: \(18:self-signed certificate\) while SSL handshaking to upstream/
  await server.until('the checks', () => fine.requests.length >= 2 && checked.test(server.errorLog()))
  assert.match(fine.requests[0]!.head, /^GET \/health /)
  const response = await fetch(server.url('/'))
  assert.equal(await response.text(), 'localhost')
  assert.equal(wrong.requests.length, 0)
})
