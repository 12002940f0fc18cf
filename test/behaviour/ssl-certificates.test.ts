/** Which certificate a client is shown, where certificates come from, and what is said of those that are no good. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { Prefix, startViaduct, withDefaults } from '../harness/server.ts'
import { askTls, refusalOf } from '../harness/tls-client.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const one = certificates.make('one.example')
const two = certificates.make('two.example')
const rsa = certificates.make('rsa.example', { rsa: true })
const secret = certificates.encrypt(one, 'secret')
const pairOf = ({ certFile, keyFile }: typeof one): string =>
  `ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};`

test('the name that the client asks for decides', async () => {
  await using server = await startViaduct(`http {
    server { listen 127.0.0.1:%%PORT_0%% ssl default_server; server_name one.example; ${pairOf(one)} return 200 one; }
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name *.two.example; ${pairOf(two)} return 200 two; }
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name ~^(?<who>.+)\\.rsa$; ${pairOf(rsa)} return 200 $who; }
  }`)
  const seen = async (servername: string) => {
    const { subject, body } = await askTls(server.port(), { servername })
    return `${subject} ${body}`
  }
  assert.equal(await seen('one.example'), 'one.example one')
  assert.equal(await seen('WWW.Two.Example.'), 'two.example two')
  assert.equal(await seen('me.rsa'), 'rsa.example me')
  assert.equal(await seen('unknown'), 'one.example one')
  assert.equal(await seen(''), 'one.example one')
})

test('a request for another server than that of the certificate is served by its host', async () => {
  await using server = await startViaduct(`http {
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name one; ${pairOf(one)} return 200 one; }
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name two; ${pairOf(two)} return 200 two; }
  }`)
  const { subject, body } = await askTls(server.port(), { servername: 'one', host: 'two' })
  assert.deepEqual([subject, body], ['one.example', 'two'])
})

test('of two kinds of certificates the client gets what it understands', async () => {
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%% ssl; ${pairOf(one)} ${pairOf(rsa)} return 200 ok; } }`,
  )
  const kinds = async (ciphers: string) => (await askTls(server.port(), { maxVersion: 'TLSv1.2', ciphers })).keyType
  assert.equal(await kinds('ECDHE-RSA-AES128-GCM-SHA256'), 'rsa')
  assert.equal(await kinds('ECDHE-ECDSA-AES128-GCM-SHA256'), 'ec')
})

test('keys under a password, and texts instead of files', async () => {
  await using server = await startViaduct(
    `http {
      server { listen 127.0.0.1:%%PORT_0%% ssl; ssl_certificate ${one.certFile}; ssl_certificate_key ${secret}; ssl_password_file passwords; return 200 a; }
      server { listen 127.0.0.1:%%PORT_1%% ssl; ssl_certificate "data:${two.cert}"; ssl_certificate_key "data:${two.key}"; return 200 b; }
      server { listen 127.0.0.1:%%PORT_2%% ssl; ssl_certificate ${one.certFile}; ssl_certificate_key store:file:${one.keyFile}; return 200 c; }
    }`,
    { files: { passwords: 'wrong\nsecret\n' } },
  )
  assert.deepEqual([(await askTls(server.port(0))).body, (await askTls(server.port(1))).subject], ['a', 'two.example'])
  assert.equal((await askTls(server.port(2))).body, 'c')
})

test('names of files may come from variables', async () => {
  await using server = await startViaduct(`http {
    error_log error.log info;
    server { listen 127.0.0.1:%%PORT_0%% ssl; ssl_certificate ${certificates.dir}/$ssl_server_name.crt;
      ssl_certificate_key ${certificates.dir}/$ssl_server_name.key; ssl_certificate_cache max=10; return 200 "$ssl_server_name"; }
  }`)
  assert.equal((await askTls(server.port(), { servername: 'one.example' })).subject, 'one.example')
  assert.equal((await askTls(server.port(), { servername: 'two.example' })).subject, 'two.example')
  assert.equal(await refusalOf(server.port(), { servername: 'none.example' }), 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR')
  await server.logged(
    /\[error\].* cannot load certificate ".*none\.example\.crt": BIO_new_file\(\) failed .* while SSL handshaking, client: 127\.0\.0\.1/,
  )
})

test('a server may refuse who asks for it', async () => {
  await using server = await startViaduct(`http {
    error_log error.log info;
    server { listen 127.0.0.1:%%PORT_0%% ssl default_server; ssl_reject_handshake on; }
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name one.example; ${pairOf(one)} return 200 one; }
  }`)
  assert.equal((await askTls(server.port(), { servername: 'one.example' })).body, 'one')
  assert.equal(await refusalOf(server.port(), { servername: 'other' }), 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME')
  assert.equal(await refusalOf(server.port()), 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME')
  await server.logged(
    /\[info\].* handshake rejected while SSL handshaking, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+$/m,
  )
})

/** What the check of a configuration says. */
async function complaint(servers: string): Promise<string> {
  await using prefix = await Prefix.create(withDefaults(`http { ${servers} }`))
  fs.writeFileSync(prefix.path('empty'), 'nothing')
  const { stderr } = await prefix.run(['-t'])
  return stderr
}

test('what is wrong is told when the configuration loads', async () => {
  const listen = 'listen 127.0.0.1:%%PORT_0%% ssl;'
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      `server { ${listen} }`,
      /no "ssl_certificate" is defined for the "listen \.\.\. ssl" directive in .*nginx\.conf:\d+\n/,
    ],
    [
      `server { ${listen} ssl_certificate ${one.certFile}; }`,
      /no "ssl_certificate_key" is defined for certificate ".*one\.example\.crt"/,
    ],
    [
      `server { ${listen} ssl_certificate none.crt; ssl_certificate_key none.key; }`,
      /cannot load certificate ".*none\.crt": BIO_new_file\(\) failed \(SSL: error:80000002:system library::No such file or directory/,
    ],
    [
      `server { ${listen} ssl_certificate empty; ssl_certificate_key empty; }`,
      /cannot load certificate ".*empty": PEM_read_bio_X509_AUX\(\) failed \(SSL: error:0480006C:PEM routines::no start line/,
    ],
    [
      `server { ${listen} ssl_certificate ${one.certFile}; ssl_certificate_key ${two.keyFile}; }`,
      /SSL_CTX_use_PrivateKey\(".*two\.example\.key"\) failed \(SSL: error:05800074:x509 certificate routines::key values mismatch\)/,
    ],
    [
      `server { ${listen} ${pairOf(one)} ssl_ciphers NONE; }`,
      /SSL_CTX_set_cipher_list\("NONE"\) failed \(SSL: error:0A0000B9:SSL routines::no cipher match\)/,
    ],
    [`server { ${listen} ${pairOf(one)} ssl_ecdh_curve none; }`, /SSL_CTX_set1_curves_list\("none"\) failed/],
    [`server { ${listen} ${pairOf(one)} ssl_session_cache shared:a:1k; }`, /session cache "shared:a:1k" is too small/],
    [`server { ${listen} ${pairOf(one)} ssl_session_cache other; }`, /invalid session cache "other"/],
    [`server { ${listen} ${pairOf(one)} ssl_session_ticket_key empty; }`, /".*empty" must be 48 or 80 bytes/],
    [
      `server { ${listen} ${pairOf(one)} ssl_verify_client on; }`,
      /no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client/,
    ],
    [
      `server { ${listen} ${pairOf(one)} ssl_stapling on; ssl_certificate_compression on; }`,
      /"ssl_stapling" is incompatible with "ssl_certificate_compression"/,
    ],
    [
      `server { ${listen} ${pairOf(one)} } server { listen 127.0.0.1:%%PORT_0%% proxy_protocol; server_name b; }`,
      /\[warn\] protocol options redefined for 127\.0\.0\.1:\d+/,
    ],
  ]
  for (const [servers, pattern] of cases) assert.match(await complaint(servers), pattern, servers)
})
