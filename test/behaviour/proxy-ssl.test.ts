/** `proxy_pass https://`: requests over TLS, kept connections, ports and variables. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
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

test('the port is 443 unless given, and the scheme is what variables say', async () => {
  await using peer = await TlsPeer.start(own, ({ head }) => reply(/^host: (.*)\r$/im.exec(head)?.[1] ?? ''))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    add_header X-Port "$proxy_host $proxy_port" always;
    location /default { proxy_pass https://127.0.0.4; }
    location /variable { set $port ${peer.port}; proxy_pass https://127.0.0.1:$port; }
    location /scheme { proxy_pass $arg_s://127.0.0.1:${peer.port}; }
  } }`)
  const default443 = await fetch(server.url('/default'))
  assert.equal(default443.headers.get('x-port'), '127.0.0.4 443')
  assert.match(server.errorLog(), /upstream: "https:\/\/127\.0\.0\.4:443\/default"/)
  const variable = await fetch(server.url('/variable'))
  assert.equal(await variable.text(), `127.0.0.1:${peer.port}`)
  assert.equal(variable.headers.get('x-port'), `127.0.0.1:${peer.port} ${peer.port}`)
  assert.equal((await fetch(server.url('/scheme?s=https'))).status, 200)
  assert.equal((await fetch(server.url('/scheme?s=http'))).status, 502)
  assert.equal((await fetch(server.url('/scheme?s=https'))).status, 200)
})

test('redirects of the back end are rewritten', async () => {
  await using peer = await TlsPeer.start(own, () =>
    reply('', [`Location: https://127.0.0.1:${peer.port}/in/x`], '302 Found'),
  )
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location /out/ { proxy_pass https://127.0.0.1:${peer.port}/in/; }
  } }`)
  const response = await fetch(server.url('/out/'), { redirect: 'manual' })
  assert.equal(response.headers.get('location'), server.url('/out/x'))
})

test('a name that is too long for SNI is no reason to ask without one', async () => {
  await using peer = await TlsPeer.start(own, () => reply('asked'))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_ssl_server_name on; proxy_ssl_name $arg_n; proxy_pass https://127.0.0.1:${peer.port}; }
  } }`)
  assert.equal((await fetch(server.url(`/?n=${'x'.repeat(255)}`))).status, 200)
  assert.equal((await fetch(server.url(`/?n=${'x'.repeat(256)}`))).status, 500)
  await server.logged(
    /\[error\].* SSL_set_tlsext_host_name\("x{256}"\) failed \(SSL: [^)]*invalid servername\) while connecting to upstream,/,
  )
})

test('over a UNIX socket', async () => {
  await using peer = await TlsPeer.start(own, () => reply('unix'), { path: certificates.path('socket') })
  fs.chmodSync(certificates.path('socket'), 0o666)
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass https://unix:${certificates.path('socket')}:/; }
  } }`)
  assert.equal(await (await fetch(server.url('/'))).text(), 'unix')
  assert.equal(peer.sockets.length, 1)
})

test('kept connections survive a reload', async () => {
  await using peer = await TlsPeer.start(own, ({ connection }) => reply(String(connection)))
  await using server = await startViaduct(`worker_processes 1; http {
    upstream u { server 127.0.0.1:${peer.port}; keepalive 4; }
    server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass https://u; } }
  }`)
  const get = async () => (await fetch(server.url('/'))).text()
  assert.equal(await get(), '0')
  await server.reload()
  assert.equal(await get(), '0')
})
