/** `listen ... ssl`: what is agreed on, what variables tell of it, and plain HTTP that comes by mistake. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { Prefix, startViaduct } from '../harness/server.ts'
import { askTls } from '../harness/tls-client.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const pair = certificates.make('one.example', { names: ['one.example'] })
const own = `ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};`

test('requests over TLS are requests with https', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%% ssl; server_name one.example;
    ${own}
    location / { return 200 "$scheme $https $ssl_protocol $ssl_server_name $ssl_alpn_protocol $ssl_session_reused"; }
    location /dir { root /tmp; return 301 /other; }
  } }`)
  const { status, body, protocol, cipher } = await askTls(server.port(), {
    servername: 'One.Example',
    ALPNProtocols: ['http/1.1'],
  })
  assert.equal(status, 200)
  assert.equal(body, 'https on TLSv1.3 One.Example http/1.1 .')
  assert.deepEqual([protocol, cipher], ['TLSv1.3', 'TLS_AES_256_GCM_SHA384'])
  const { head } = await askTls(server.port(), { servername: 'one.example', path: '/dir' })
  assert.match(head, /\r\nLocation: https:\/\/one\.example:\d+\/other/)
})

test('versions and ciphers are those of the directives', async () => {
  await using server = await startViaduct(`http {
    ${own}
    server { listen 127.0.0.1:%%PORT_0%% ssl; ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384;
      ssl_prefer_server_ciphers on; ssl_ecdh_curve prime256v1; return 200 "$ssl_cipher $ssl_curve $ssl_sigalg"; }
    server { listen 127.0.0.1:%%PORT_1%% ssl; ssl_protocols TLSv1.3; return 200 "$ssl_cipher $ssl_curve"; }
    server { listen 127.0.0.1:%%PORT_2%% ssl; ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256; return 200 $ssl_cipher; }
  }`)
  const old = await askTls(server.port(0))
  assert.equal(old.body, 'ECDHE-ECDSA-AES128-GCM-SHA256 prime256v1 ecdsa_secp256r1_sha256')
  await assert.rejects(askTls(server.port(0), { minVersion: 'TLSv1.3' }))
  await assert.rejects(askTls(server.port(1), { maxVersion: 'TLSv1.2' }))
  assert.equal((await askTls(server.port(1), { ecdhCurve: 'X25519' })).body, 'TLS_AES_256_GCM_SHA384 X25519')
  assert.equal((await askTls(server.port(2))).body, 'TLS_CHACHA20_POLY1305_SHA256')
})

test('DHE with parameters of either form', async () => {
  const rsa = certificates.make('rsa.example', { rsa: true })
  const dsa = certificates.path('dsa.pem')
  execFileSync('openssl', ['dhparam', '-dsaparam', '-out', dsa, '2048'], { stdio: 'ignore' })
  const plain = certificates.path('dh.pem')
  const group = ['-algorithm', 'DH', '-pkeyopt', 'group:ffdhe2048']
  execFileSync('openssl', ['genpkey', '-genparam', ...group, '-out', plain], { stdio: 'ignore' })
  for (const file of [dsa, plain]) {
    await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%% ssl; ssl_dhparam ${file};
      ssl_certificate ${rsa.certFile}; ssl_certificate_key ${rsa.keyFile}; ssl_ciphers DHE-RSA-AES128-GCM-SHA256;
      ssl_protocols TLSv1.2; return 200 $ssl_cipher; } }`)
    assert.equal((await askTls(server.port())).body, 'DHE-RSA-AES128-GCM-SHA256')
  }
})

test('what the client offered is told', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%% ssl; ${own}
    return 200 "$ssl_ciphers|$ssl_curves|$ssl_sigalgs"; } }`)
  const { body } = await askTls(server.port(), {
    maxVersion: 'TLSv1.2',
    ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256',
    ecdhCurve: 'X25519:P-256:P-384',
    sigalgs: 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha512',
  })
  const ciphers = 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256'
  assert.equal(body, `${ciphers}|X25519:prime256v1:secp384r1|0x0403:0x0806`)
})

test('the security level that ssl_ciphers names decides which certificates and parameters will do', async () => {
  const { certFile, keyFile } = certificates.make('weak', { rsa: 1024 })
  const parameters = certificates.path('dh1024.pem')
  execFileSync('openssl', ['dhparam', '-dsaparam', '-out', parameters, '1024'], { stdio: 'ignore' })
  const conf = (ciphers: string, more: string) => `http { server { listen 127.0.0.1:%%PORT_0%% ssl; ${ciphers}
    ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}; ${more} return 200 $ssl_protocol; } }`
  await using server = await startViaduct(conf('ssl_ciphers DEFAULT:@SECLEVEL=0;', `ssl_dhparam ${parameters};`))
  const weak = {
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    ciphers: 'DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0',
  } as const
  assert.equal((await askTls(server.port(), weak)).body, 'TLSv1.2')
  await using prefix = await Prefix.create(`events {} ${conf('', '')}`)
  assert.match(
    (await prefix.run(['-t'])).stderr,
    /\[emerg\] SSL_CTX_use_certificate\("[^"]+weak\.crt"\) failed \(SSL: error:0A00018F:SSL routines::ee key too small\)/,
  )
})

test('plain HTTP is told that TLS is spoken here, or sent there by error_page', async () => {
  await using server = await startViaduct(`http {
    error_log error.log info;
    server { listen 127.0.0.1:%%PORT_0%% ssl; ${own} return 200 no; }
    server { listen 127.0.0.1:%%PORT_1%% ssl; ${own} error_page 497 =301 https://$host:443$request_uri; return 200 no; }
  }`)
  const answer = await server.raw('GET /x HTTP/1.1\r\nHost: a\r\n\r\n', 0)
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*400 The plain HTTP request was sent to HTTPS port/)
  await server.logged(
    /\[info\].* client sent plain HTTP request to HTTPS port while reading client request headers, client: 127\.0\.0\.1, server: ,/,
  )
  const moved = await server.raw('GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n', 1)
  assert.match(moved, /^HTTP\/1\.1 301 [\s\S]*\r\nLocation: https:\/\/a:443\/x\?y\r\n/)
})

test('a page of ours for plain HTTP has status 400; HTTP/0.9 is refused, too', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%% ssl; ${own}
    error_page 497 /page; location /page { return 200 "page $status"; } location / { return 200 secret; } }
    server { listen 127.0.0.1:%%PORT_1%% ssl; ${own} return 200 secret; } }`)
  assert.match(
    await server.raw('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 0),
    /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*\npage 400$/,
  )
  assert.equal(await server.raw('GET /\r\n', 0), 'page 400')
  assert.match(await server.raw('GET /\r\n', 1), /^<html>[\s\S]*400 The plain HTTP request was sent to HTTPS port/)
})

test('TLS and plain HTTP on two ports of one server', async () => {
  await using server = await startViaduct(`http { server {
    listen 127.0.0.1:%%PORT_0%%; listen 127.0.0.1:%%PORT_1%% ssl; ${own}
    return 200 "$scheme$ssl_protocol\\n"; } }`)
  assert.equal(await (await fetch(server.url('/'))).text(), 'http\n')
  assert.equal((await askTls(server.port(1))).body, 'httpsTLSv1.3\n')
})

test('the PROXY protocol comes before TLS', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%% ssl proxy_protocol; ${own}
    return 200 "$proxy_protocol_addr $ssl_protocol"; } }`)
  const { socket } = await server.connect()
  socket.write('PROXY TCP4 192.0.2.7 192.0.2.8 1000 2000\r\n')
  const { body } = await askTls(0, { socket })
  assert.equal(body, '192.0.2.7 TLSv1.3')
})

test('large bodies in both directions, in records of the size that is set', async () => {
  const size = 3_000_000
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%% ssl; ${own} ssl_buffer_size 4k; root %%DIR%%; } }`,
    { files: { big: new Uint8Array(size).fill(120) } },
  )
  const { status, body } = await askTls(server.port(), { path: '/big' })
  assert.equal(status, 200)
  assert.equal(body.length, size)
})

test('a client that ends its side right behind its request has the answer and a clean end', async () => {
  await using server = await startViaduct(
    `http { ${own} server { listen 127.0.0.1:%%PORT_0%% ssl; return 200 whole; } }`,
  )
  for (let n = 0; n < 20; n++) {
    const socket = tls.connect({ port: server.port(), rejectUnauthorized: false })
    let answer = ''
    socket.on('data', (bytes: Buffer) => {
      answer += bytes.latin1Slice()
    })
    await once(socket, 'secureConnect')
    socket.end('GET / HTTP/1.0\r\n\r\n')
    // A connection that is reset is an error here.
    await once(socket, 'close')
    assert.match(answer, /^HTTP\/1\.1 200 .*whole$/s)
  }
})
