/** TLS to back ends that cannot be spoken, for want of a certificate: nobody is asked in the clear instead. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { Peer } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const own = certificates.make('own')
const other = certificates.make('other')
const FAMILIES = {
  proxy: 'proxy_pass https://u;',
  grpc: 'grpc_pass grpcs://u;',
  uwsgi: 'uwsgi_pass suwsgi://u;',
} as const
const PROBLEM =
  /\[error\].* cannot load certificate "\/none\.crt": BIO_new_file\(\) failed \([^"]*\) while connecting to upstream/

for (const [family, pass] of Object.entries(FAMILIES)) {
  for (const engine of ['io_uring', 'epoll']) {
    test(`${family}_ssl_certificate of a request that is not there (${engine})`, async () => {
      await using peer = await Peer.start(() => undefined)
      await using server = await startViaduct(`events { use ${engine}; }
        http {
          log_format f '$status $upstream_addr $upstream_status $upstream_bytes_sent';
          upstream u { server 127.0.0.1:${peer.port}; server 127.0.0.1:${peer.port} backup; }
          server { listen 127.0.0.1:%%PORT_0%%; access_log requests.log f;
            set $cert /none.crt;
            ${family}_ssl_certificate $cert; ${family}_ssl_certificate_key $cert;
            location / { ${pass} }
            location /each { ${family}_request_dynamic on; ${pass} } } }`)
      for (const path of ['/', '/each']) {
        const response = await fetch(server.url(path), { method: 'POST', body: 'secret' })
        assert.equal(response.status, 500)
      }
      await server.until('logged', () => server.prefix.read('requests.log').split('\n').length === 3)
      const line = `500 127.0.0.1:${peer.port} - 0\n`
      assert.equal(server.prefix.read('requests.log'), line + line)
      assert.match(server.errorLog(), new RegExp(`${PROBLEM.source}.*, upstream: "\\w+://127\\.0\\.0\\.1:${peer.port}`))
      assert.equal(peer.received.join(''), '')
    })
  }

  test(`health checks by ${family}_pass do without a server then`, async () => {
    await using peer = await Peer.start(() => undefined)
    await using server = await startViaduct(`http {
      upstream u { zone u 64k; server 127.0.0.1:${peer.port}; }
      map "" $cert { default /none.crt; }
      server { listen 127.0.0.1:%%PORT_0%%;
        ${family}_ssl_certificate $cert; ${family}_ssl_certificate_key $cert;
        location / { ${pass} health_check mandatory interval=50ms ${family === 'grpc' ? 'type=grpc' : ''}; } } }`)
    await server.logged(PROBLEM)
    assert.equal((await fetch(server.url('/'))).status, 502)
    assert.equal(peer.received.join(''), '')
  })
}

test('a key that is text is not told', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    proxy_ssl_certificate ${own.certFile}; proxy_ssl_certificate_key $key;
    location /broken { set $key "data:secret"; proxy_pass https://127.0.0.1:${peer.port}; }
    location /other { set $key "data:${other.key}"; proxy_pass https://127.0.0.1:${peer.port}; } } }`)
  assert.equal((await fetch(server.url('/broken'))).status, 500)
  assert.equal((await fetch(server.url('/other'))).status, 500)
  await server.logged(/\[error\].* cannot load certificate key "data:\.\.\.": /)
  await server.logged(/\[error\].* SSL_use_PrivateKey\("data:\.\.\."\) failed \(SSL: .*key values mismatch/)
  assert.doesNotMatch(server.errorLog(), /secret|PRIVATE KEY/)
})
