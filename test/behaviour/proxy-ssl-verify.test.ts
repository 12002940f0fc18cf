/** `proxy_ssl_verify`: who is trusted, for which name, through how many others; and what is logged of the rest. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Certificates, type Pair } from '../harness/certificates.ts'
import { reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const root = certificates.make('root', { authority: true })
const middle = certificates.make('middle', { authority: true, issuer: root })
const good = certificates.make('good.example', { issuer: root, names: ['good.example', '*.wild.example'] })
const plain = certificates.make('plain.example', { issuer: root })
const far = certificates.make('far.example', { issuer: middle })
const expired = certificates.make('expired.example', { issuer: root, expired: true })
const lone = certificates.make('lone.example')
const revoked = certificates.make('revoked.example', { issuer: root })
const crl = certificates.revoke(root, [revoked])

/** The answer's status and the line that the failure leaves, for a back end with this certificate. */
async function ask(pair: Pair, settings: string, chain = ''): Promise<{ status: number; log: string }> {
  await using peer = await TlsPeer.start({ cert: pair.cert + chain, key: pair.key }, ({ socket }) =>
    reply(String(socket.servername)),
  )
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / {
      proxy_pass https://127.0.0.1:${peer.port};
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${root.certFile};
      ${settings}
    }
  } }`)
  const { status } = await fetch(server.url('/'))
  const log = /^.*\[error\].*$/m.exec(server.errorLog())?.[0] ?? ''
  return { status, log }
}

async function accepted(pair: Pair, settings: string, chain = ''): Promise<void> {
  assert.deepEqual(await ask(pair, settings, chain), { status: 200, log: '' })
}

async function refused(pair: Pair, settings: string, why: string, chain = ''): Promise<void> {
  const { status, log } = await ask(pair, settings, chain)
  assert.equal(status, 502)
  assert.ok(log.includes(` ${why} while SSL handshaking to upstream, client: 127.0.0.1`), log)
  assert.match(log, /upstream: "https:\/\/127\.0\.0\.1:\d+\/"/)
}

test('a certificate for the name, signed by who is trusted, is accepted', async () => {
  await accepted(good, 'proxy_ssl_name good.example;')
  await accepted(good, 'proxy_ssl_name one.wild.example;')
  await accepted(good, 'proxy_ssl_name good.example:443;')
})

test('the common name counts only without other names', async () => {
  await accepted(plain, 'proxy_ssl_name plain.example;')
  await refused(plain, 'proxy_ssl_name two.example;', 'upstream SSL certificate does not match "two.example"')
})

test('without a name of its own the address is compared, as a name', async () => {
  await refused(good, '', 'upstream SSL certificate does not match "127.0.0.1"')
})

test('the name may come from variables', async () => {
  await accepted(good, 'set $n good; proxy_ssl_name $n.example;')
  await refused(good, 'set $n bad; proxy_ssl_name $n.example;', 'upstream SSL certificate does not match "bad.example"')
})

test('self-signed and expired certificates are refused', async () => {
  const error = 'upstream SSL certificate verify error:'
  await refused(lone, 'proxy_ssl_name lone.example;', `${error} (18:self-signed certificate)`)
  await refused(expired, 'proxy_ssl_name expired.example;', `${error} (10:certificate has expired)`)
  await refused(far, 'proxy_ssl_name far.example;', `${error} (21:unable to verify the first certificate)`)
})

test('as many others may stand between as the depth says', async () => {
  await accepted(far, 'proxy_ssl_name far.example;', middle.cert)
  await refused(
    far,
    'proxy_ssl_name far.example; proxy_ssl_verify_depth 0;',
    'upstream SSL certificate verify error: (22:certificate chain too long)',
    middle.cert,
  )
  await accepted(good, 'proxy_ssl_name good.example; proxy_ssl_verify_depth 0;')
})

test('what is revoked is refused', async () => {
  await accepted(good, `proxy_ssl_name good.example; proxy_ssl_crl ${crl};`)
  await refused(
    revoked,
    `proxy_ssl_name revoked.example; proxy_ssl_crl ${crl};`,
    'upstream SSL certificate verify error: (23:certificate revoked)',
  )
})

test('a server that fails verification is passed over', async () => {
  await using bad = await TlsPeer.start(lone, () => reply('bad'))
  await using fine = await TlsPeer.start(good, () => reply('fine'))
  await using server = await startViaduct(`http {
    upstream u { server 127.0.0.1:${bad.port}; server 127.0.0.1:${fine.port}; }
    server { listen 127.0.0.1:%%PORT_0%%;
      proxy_ssl_verify on; proxy_ssl_trusted_certificate ${root.certFile}; proxy_ssl_name good.example;
      location / { proxy_pass https://u; add_header X-Status $upstream_status; }
  } }`)
  const response = await fetch(server.url('/'))
  assert.equal(await response.text(), 'fine')
  assert.equal(response.headers.get('x-status'), '502, 200')
})

for (const engine of ['io_uring', 'epoll']) {
  test(`a name is told in the bytes that it has (${engine})`, async () => {
    await using peer = await TlsPeer.start(good, ({ socket }) =>
      reply(Buffer.from(String(socket.servername), 'latin1').toString('hex')),
    )
    await using server = await startViaduct(`events { use ${engine}; } http { server { listen 127.0.0.1:%%PORT_0%%;
      location / { proxy_pass https://127.0.0.1:${peer.port}; proxy_ssl_server_name on; proxy_ssl_name b\u00fccher.example; } } }`)
    const asked = await (await fetch(server.url('/'))).text()
    assert.equal(Buffer.from(asked, 'hex').toString(), 'b\u00fccher.example')
  })
}

test('the name is told when asked for, but never an address', async () => {
  await using peer = await TlsPeer.start(good, ({ socket }) => reply(String(socket.servername)))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    proxy_ssl_server_name on;
    location /address { proxy_pass https://127.0.0.1:${peer.port}; }
    location /host { proxy_pass https://localhost:${peer.port}; }
    location /name { proxy_pass https://127.0.0.1:${peer.port}; proxy_ssl_name $http_x_name; }
  } }`)
  const get = async (path: string, name = '') => (await fetch(server.url(path), { headers: { 'X-Name': name } })).text()
  assert.equal(await get('/address'), 'false')
  assert.equal(await get('/host'), 'localhost')
  assert.equal(await get('/name', 'some.example:8443'), 'some.example')
  assert.equal(await get('/name', '[::1]:443'), 'false')
  assert.equal(await get('/name', ''), 'false')
})
