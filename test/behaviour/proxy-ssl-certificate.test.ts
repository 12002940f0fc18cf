/** `proxy_ssl_certificate`: who we are for the back end, from files, passwords, variables and the text itself. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const root = certificates.make('root', { authority: true })
const own = certificates.make('localhost', { issuer: root })
const one = certificates.make('one', { issuer: root })
const two = certificates.make('two', { issuer: root })
const secret = certificates.make('secret', { issuer: root })
const locked = certificates.encrypt(one, 'open sesame')

/** A back end that wants to know who asks, and answers with the name. */
function knowing(rejectUnauthorized = true): Promise<TlsPeer> {
  const options = { cert: own.cert, key: own.key, ca: root.cert, requestCert: true, rejectUnauthorized }
  return TlsPeer.start(options, ({ socket }) => reply(nameOf(socket)))
}

function nameOf(socket: TLSSocket): string {
  return String(socket.getPeerCertificate().subject?.CN ?? 'nobody')
}

test('a certificate from files, its key with a password, and none', async () => {
  // Workers may not read it when the master is root.
  fs.chmodSync(secret.keyFile, 0o600)
  await using peer = await knowing(false)
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%%;
      proxy_ssl_certificate ${one.certFile};
      proxy_ssl_certificate_key ${one.keyFile};
      location / { proxy_pass https://127.0.0.1:${peer.port}; }
      location /locked {
        proxy_ssl_certificate_key ${locked}; proxy_ssl_password_file passwords;
        proxy_pass https://127.0.0.1:${peer.port};
      }
      location /secret {
        proxy_ssl_certificate ${secret.certFile}; proxy_ssl_certificate_key ${secret.keyFile};
        proxy_pass https://127.0.0.1:${peer.port};
      }
      location /none { proxy_ssl_certificate ""; proxy_pass https://127.0.0.1:${peer.port}; }
      location /command {
        proxy_ssl_conf_command Certificate ${two.certFile};
        proxy_ssl_conf_command PrivateKey ${two.keyFile};
        proxy_pass https://127.0.0.1:${peer.port};
      }
    } }`,
    { files: { passwords: 'wrong\nopen sesame\n' } },
  )
  const get = async (path: string) => (await fetch(server.url(path))).text()
  assert.equal(await get('/'), 'one')
  assert.equal(await get('/locked'), 'one')
  assert.equal(await get('/secret'), 'secret')
  assert.equal(await get('/none'), 'nobody')
  assert.equal(await get('/command'), 'two')
})

test('a back end that refuses us is an error of reading, since its handshake is over by then', async () => {
  await using peer = await knowing()
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass https://127.0.0.1:${peer.port}; }
  } }`)
  assert.equal((await fetch(server.url('/'))).status, 502)
  assert.match(
    server.errorLog(),
    /SSL_read\(\) failed \(SSL: error:0A00045C:SSL routines::tlsv13 alert certificate required:SSL alert number 116\) while reading response header from upstream/,
  )
})

for (const cache of ['off', 'max=10']) {
  test(`variables choose the certificate, with a cache (${cache})`, async () => {
    await using peer = await knowing(false)
    await using server = await startViaduct(
      `http { upstream u { server 127.0.0.1:${peer.port}; keepalive 8; }
      server { listen 127.0.0.1:%%PORT_0%%;
        proxy_ssl_certificate_cache ${cache};
        location / {
          proxy_pass https://u;
          proxy_ssl_certificate $arg_c;
          proxy_ssl_certificate_key $arg_k;
          proxy_ssl_password_file passwords;
        }
    } }`,
      { files: { passwords: 'open sesame' } },
    )
    const ask = (c: string, k: string) =>
      fetch(server.url(`/?c=${c.replaceAll('\n', '%0A')}&k=${k.replaceAll('\n', '%0A')}`))
    const get = async (c: string, k: string) => (await ask(c, k)).text()
    assert.equal(await get(one.certFile, one.keyFile), 'one')
    assert.equal(await get(two.certFile, two.keyFile), 'two')
    assert.equal(await get(one.certFile, locked), 'one')
    assert.equal(await get('', ''), 'nobody')
    assert.equal(peer.sockets.length, 3)
    assert.equal((await ask('/none.crt', one.keyFile)).status, 500)
    assert.equal((await ask(one.certFile, two.keyFile)).status, 500)
    assert.equal((await ask(one.certFile, 'engine:x:y')).status, 500)
    const log = server.errorLog()
    assert.match(log, /cannot load certificate "\/none\.crt": BIO_new_file\(\) failed \(SSL: error:80000002:/)
    assert.match(log, /SSL_use_PrivateKey\(".*two\.key"\) failed \(SSL: error:05800074:.*key values mismatch\)/)
    assert.match(
      log,
      /cannot load certificate key "engine:x:y": loading "engine:..." certificate keys is not supported/,
    )
  })
}

test('the text itself may stand for a file', async () => {
  await using peer = await knowing(false)
  await using server = await startViaduct(`http {
    map $arg_who $cert { default ""; one "data:${one.cert}"; }
    map $arg_who $key { default ""; one "data:${one.key}"; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location / {
        proxy_pass https://127.0.0.1:${peer.port};
        proxy_ssl_certificate $cert;
        proxy_ssl_certificate_key $key;
      }
      location /fixed {
        proxy_pass https://127.0.0.1:${peer.port};
        proxy_ssl_certificate "data:${two.cert}";
        proxy_ssl_certificate_key "data:${two.key}";
      }
  } }`)
  assert.equal(await (await fetch(server.url('/?who=one'))).text(), 'one')
  assert.equal(await (await fetch(server.url('/'))).text(), 'nobody')
  assert.equal(await (await fetch(server.url('/fixed'))).text(), 'two')
})

test('a kept certificate is read anew when the pair no longer fits', async () => {
  await using peer = await knowing(false)
  const certFile = certificates.path('changing.crt')
  const keyFile = certificates.path('changing.key')
  const use = (pair: typeof one) => {
    fs.copyFileSync(pair.certFile, certFile)
    fs.copyFileSync(pair.keyFile, keyFile)
    fs.chmodSync(keyFile, 0o644)
  }
  use(one)
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / {
      proxy_pass https://127.0.0.1:${peer.port};
      proxy_ssl_certificate_cache max=1 valid=1h inactive=1h;
      proxy_ssl_certificate ${certificates.dir}/$arg_name.crt;
      proxy_ssl_certificate_key ${certificates.dir}/$arg_name.key;
    }
  } }`)
  const get = async () => (await fetch(server.url('/?name=changing'))).text()
  assert.equal(await get(), 'one')
  use(two)
  // Only one of the pair is kept, so that the other is the new one: they do not fit.
  assert.equal(await get(), 'two')
})

test('a key with a password is never kept', async () => {
  await using peer = await knowing()
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%%;
    location / {
      proxy_pass https://127.0.0.1:${peer.port};
      proxy_ssl_certificate_cache max=10 valid=1h inactive=1h;
      proxy_ssl_certificate ${one.certFile};
      proxy_ssl_certificate_key %%DIR%%/$arg_key;
      proxy_ssl_password_file passwords;
    } } }`,
    { files: { passwords: 'open sesame', 'locked.key': fs.readFileSync(locked), 'plain.key': one.key } },
  )
  const get = async (key: string) => (await fetch(server.url(`/?key=${key}`))).text()
  for (const key of ['locked.key', 'plain.key']) {
    assert.equal(await get(key), 'one')
    server.prefix.write(key, 'no key any more')
  }
  assert.equal(await get('plain.key'), 'one')
  assert.match(await get('locked.key'), /500 Internal Server Error/)
})
