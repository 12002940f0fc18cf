/** `health_check` of a location that speaks TLS to its back ends: so does the check. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const own = certificates.make('back.test')

test('a server that does not speak TLS is not well', async () => {
  await using secured = await TlsPeer.start(own, ({ socket }) => reply(`${socket.servername}`))
  await using plain = await Peer.start(() => reply('plain'))
  await using server = await startViaduct(`http {
    upstream u { zone u 64k; server 127.0.0.1:${secured.port}; server 127.0.0.1:${plain.port}; }
    server {
      listen 127.0.0.1:%%PORT_0%%;
      location / {
        proxy_pass https://u; proxy_ssl_name back.test; proxy_ssl_server_name on; proxy_connect_timeout 1s;
        health_check interval=30ms uri=/health;
      }
  } }`)
  await server.logged(
    new RegExp(
      `\\[warn\\] .*peer is unhealthy while SSL handshaking to upstream, .* of peer 127.0.0.1:${plain.port} in`,
    ),
  )
  for (let i = 0; i < 4; i++) assert.equal(await (await fetch(server.url('/'))).text(), 'back.test')
  const check = secured.requests.find(({ head }) => head.startsWith('GET /health '))
  assert.equal(check?.socket.servername, 'back.test')
  assert.doesNotMatch(server.errorLog(), new RegExp(`unhealthy .* of peer 127.0.0.1:${secured.port} `))
})
