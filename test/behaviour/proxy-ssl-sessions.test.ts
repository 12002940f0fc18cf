/** `proxy_ssl_session_reuse`, `proxy_ssl_key_log`, `proxy_ssl_ciphers` and `proxy_ssl_conf_command`. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const own = certificates.make('localhost')

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a session of ${version} is used again, unless that is off`, async () => {
    await using peer = await TlsPeer.start({ ...own, maxVersion: version }, ({ socket }) =>
      reply(String(socket.isSessionReused())),
    )
    await using server = await startViaduct(`worker_processes 1; http { server { listen 127.0.0.1:%%PORT_0%%;
      proxy_ssl_verify on; proxy_ssl_trusted_certificate ${own.certFile}; proxy_ssl_name localhost;
      location / { proxy_pass https://127.0.0.1:${peer.port}; }
      location /off { proxy_pass https://127.0.0.1:${peer.port}; proxy_ssl_session_reuse off; }
      location /other { proxy_pass https://127.0.0.1:${peer.port}; proxy_ssl_name other; }
    } }`)
    const get = async (path: string) => (await fetch(server.url(path))).text()
    assert.equal(await get('/'), 'false')
    assert.equal(await get('/'), 'true')
    assert.equal(await get('/'), 'true')
    assert.equal(await get('/off'), 'false')
    assert.equal(await get('/off'), 'false')
    assert.equal((await fetch(server.url('/other'))).status, 502)
    assert.equal((await fetch(server.url('/other'))).status, 502)
  })
}

test('secrets are logged in the format of NSS', async () => {
  await using peer = await TlsPeer.start({ ...own, maxVersion: 'TLSv1.2' }, () => reply('ok'))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass https://127.0.0.1:${peer.port}; proxy_ssl_key_log secrets.log; }
  } }`)
  assert.equal((await fetch(server.url('/'))).status, 200)
  assert.match(server.prefix.read('secrets.log'), /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}\n$/)
})

test('ciphers and commands decide what is spoken', async () => {
  await using peer = await TlsPeer.start(own, ({ socket }) =>
    reply(`${socket.getProtocol()} ${socket.getCipher().name}`),
  )
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location /cipher {
      proxy_ssl_protocols TLSv1.2; proxy_ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256;
      proxy_ssl_conf_command CipherString ECDHE-ECDSA-CHACHA20-POLY1305;
      proxy_pass https://127.0.0.1:${peer.port};
    }
    location /list {
      proxy_ssl_protocols TLSv1.2; proxy_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;
      proxy_pass https://127.0.0.1:${peer.port};
    }
    location /suite {
      proxy_ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;
      proxy_pass https://127.0.0.1:${peer.port};
    }
    location /max { proxy_ssl_conf_command MaxProtocol TLSv1.2; proxy_pass https://127.0.0.1:${peer.port}; }
    location /not { proxy_ssl_conf_command Protocol -TLSv1.3; proxy_pass https://127.0.0.1:${peer.port}; }
    location /groups {
      proxy_ssl_conf_command Groups P-384; proxy_ssl_conf_command Options PrioritizeChaCha,-SessionTicket;
      proxy_pass https://127.0.0.1:${peer.port};
    }
  } }`)
  const get = async (path: string) => (await fetch(server.url(path))).text()
  assert.equal(await get('/cipher'), 'TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305')
  assert.equal(await get('/list'), 'TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256')
  assert.equal(await get('/suite'), 'TLSv1.3 TLS_CHACHA20_POLY1305_SHA256')
  assert.match(await get('/max'), /^TLSv1\.2 /)
  assert.match(await get('/not'), /^TLSv1\.2 /)
  assert.match(await get('/groups'), /^TLSv1\.3 /)
})

for (const engine of ['io_uring', 'epoll']) {
  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    test(`${version} is spoken at security level 0 alone (${engine})`, async () => {
      const ciphers = 'DEFAULT@SECLEVEL=0'
      await using peer = await TlsPeer.start(
        { ...own, minVersion: version, maxVersion: version, ciphers },
        ({ socket }) => reply(String(socket.getProtocol())),
      )
      await using server = await startViaduct(`events { use ${engine}; } http { server { listen 127.0.0.1:%%PORT_0%%;
        proxy_ssl_protocols ${version};
        location / { proxy_ssl_ciphers ${ciphers}; proxy_pass https://127.0.0.1:${peer.port}; }
        location /refused { proxy_pass https://127.0.0.1:${peer.port}; } } }`)
      assert.equal(await (await fetch(server.url('/'))).text(), version)
      assert.equal((await fetch(server.url('/refused'))).status, 502)
    })
  }
}
