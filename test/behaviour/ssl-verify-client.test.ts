/** `ssl_verify_client`: who is let in, what is told of the certificate, and the answers to others. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'
import { type AskOptions, askTls } from '../harness/tls-client.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const pair = certificates.make('one.example')
const root = certificates.make('root', { authority: true })
const middle = certificates.make('middle', { authority: true, issuer: root })
const near = certificates.make('near', { issuer: root })
const far = certificates.make('far', { issuer: middle })
const revoked = certificates.make('revoked', { issuer: root })
const stranger = certificates.make('stranger')
const crl = certificates.revoke(root, [revoked])
const own = `ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};`
const by = ({ cert, key }: typeof near, chain = ''): AskOptions => ({ cert: cert + chain, key })

test('on, optional and optional_no_ca', async () => {
  const server = (mode: string, n: number) => `server { listen 127.0.0.1:%%PORT_${n}%% ssl;
    ssl_verify_client ${mode}; return 200 $ssl_client_verify; }`
  await using viaduct =
    await startViaduct(`http { ${own} error_log error.log info; ssl_client_certificate ${root.certFile};
    ${server('on', 0)} ${server('optional', 1)} ${server('optional_no_ca', 2)} ${server('off', 3)} }`)
  const seen = async (n: number, options: AskOptions) => {
    const { status, body } = await askTls(viaduct.port(n), options)
    return status === 200 ? body : /<center>([^<]*)<\/center>\r\n<hr>/.exec(body)?.[1]
  }
  assert.equal(await seen(0, by(near)), 'SUCCESS')
  assert.equal(await seen(0, {}), 'No required SSL certificate was sent')
  assert.equal(await seen(0, by(stranger)), 'The SSL certificate error')
  assert.equal(await seen(1, {}), 'NONE')
  assert.equal(await seen(1, by(near)), 'SUCCESS')
  assert.equal(await seen(1, by(stranger)), 'The SSL certificate error')
  assert.equal(await seen(2, by(stranger)), 'FAILED:self-signed certificate')
  assert.equal(await seen(2, {}), 'NONE')
  assert.equal(await seen(3, by(near)), 'NONE')
  await viaduct.logged(
    /\[info\].* client sent no required SSL certificate while reading client request headers, client: 127\.0\.0\.1, server: , request: "GET \/ HTTP\/1\.1"/,
  )
  await viaduct.logged(
    /\[info\].* client SSL certificate verify error: \(18:self-signed certificate\) while reading client request headers, client/,
  )
})

test('the length of chains, and resuming does not help', async () => {
  const server = (depth: number) => `server { listen 127.0.0.1:%%PORT_${depth}%% ssl; ssl_verify_depth ${depth};
    return 200 $ssl_client_verify; }`
  await using viaduct = await startViaduct(`worker_processes 2; http { ${own} ssl_verify_client on;
    ssl_client_certificate ${root.certFile}; ${server(0)} ${server(1)} }`)
  const chain = by(far, middle.cert)
  assert.equal((await askTls(viaduct.port(1), chain)).body, 'SUCCESS')
  assert.equal((await askTls(viaduct.port(0), by(near))).body, 'SUCCESS')
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await askTls(viaduct.port(0), { ...chain, maxVersion })
    assert.equal(first.status, 400)
    for (let n = 0; n < 4; n++) {
      const { status } = await askTls(viaduct.port(0), { ...chain, maxVersion, session: first.session! })
      assert.equal(status, 400)
    }
  }
})

test('revoked certificates', async () => {
  await using viaduct = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%% ssl; ${own}
    ssl_verify_client on; ssl_client_certificate ${root.certFile}; ssl_crl ${crl}; return 200 ok; } }`)
  assert.equal((await askTls(viaduct.port(), by(near))).status, 200)
  assert.equal((await askTls(viaduct.port(), by(revoked))).status, 400)
})

test('what is known of the certificate', async () => {
  const names = ['s_dn', 'i_dn', 's_dn_legacy', 'serial', 'fingerprint', 'v_start', 'v_end', 'v_remain', 'sigalg']
  const told = names.map((name) => `$ssl_client_${name}`).join('|')
  await using viaduct = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%% ssl; ${own}
    ssl_verify_client on; ssl_client_certificate ${root.certFile};
    location / { return 200 "${told}"; }
    location /raw { return 200 "$ssl_client_raw_cert"; }
    location /folded { return 200 "$ssl_client_cert"; }
    location /escaped { return 200 "$ssl_client_escaped_cert"; } } }`)
  const known = new X509Certificate(near.cert)
  const at = async (path: string) => (await askTls(viaduct.port(), { ...by(near), path })).body
  assert.deepEqual((await at('/')).split('|'), [
    'CN=near',
    'CN=root',
    '/CN=near',
    known.serialNumber,
    known.fingerprint.replaceAll(':', '').toLowerCase(),
    known.validFrom,
    known.validTo,
    '29',
    'ecdsa_secp256r1_sha256',
  ])
  assert.equal(await at('/raw'), near.cert)
  assert.equal(await at('/folded'), near.cert.trimEnd().replaceAll('\n', '\n\t'))
  assert.equal(decodeURIComponent(await at('/escaped')), near.cert)
})

test('error pages of 495 and 496, and a server that verifies is reached by its own name only', async () => {
  await using viaduct = await startViaduct(`http { ${own} error_log error.log info;
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name open; return 200 open; }
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name closed; ssl_verify_client on; ssl_client_certificate ${root.certFile};
      error_page 495 =403 /bad; error_page 496 /none?$status;
      location = /bad { internal; return 200 "bad $status"; }
      location = /none { internal; return 200 "none $args"; }
      location / { return 200 closed; } }
  }`)
  const at = async (options: AskOptions) => {
    const { status, body } = await askTls(viaduct.port(), options)
    return `${status} ${body.split('\r\n')[0]}`
  }
  assert.equal(await at({ servername: 'closed', ...by(near) }), '200 closed')
  // The page is told of the status that the client sees.
  assert.equal(await at({ servername: 'closed' }), '400 none 400')
  assert.match(await at({ servername: 'closed', ...by(stranger) }), /bad/)
  assert.match(await at({ servername: 'open', host: 'closed' }), /^421 /)
  assert.equal(await at({ servername: 'closed', host: 'open', ...by(near) }), '200 open')
  await viaduct.logged(
    /negotiated while reading client request headers, client: 127\.0\.0\.1, server: open, request: "GET \/ HTTP\/1\.1", host: "closed"/,
  )
})

test('who names no host is served by the default server, whatever TLS was set up for', async () => {
  const server = (n: number, name: string, settings: string) =>
    `server { listen 127.0.0.1:%%PORT_${n}%% ssl; server_name ${name}; ${settings} return 200 "$server_name $host"; }`
  const verifies = `ssl_verify_client on; ssl_client_certificate ${root.certFile};`
  await using viaduct = await startViaduct(`http { ${own} ${server(0, 'first', '')} ${server(0, 'second', verifies)}
    ${server(1, 'first', verifies)} ${server(1, 'second', '')} }`)
  const at = async (n: number) => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: viaduct.port(n),
      servername: 'second',
      rejectUnauthorized: false,
    })
    let text = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part
    })
    socket.write('GET / HTTP/1.0\r\n\r\n')
    await once(socket, 'end')
    socket.destroy()
    return text
  }
  assert.match(await at(0), / 200 OK\r\n[\s\S]*\r\n\r\nfirst first$/)
  assert.match(await at(1), /^HTTP\/1\.1 421 /)
})

test('ssl_trusted_certificate alone: clients are verified, and told no names', async () => {
  const two = `${root.cert}${stranger.cert}`
  const server = (n: number, trust: string) => `server { listen 127.0.0.1:%%PORT_${n}%% ssl; ${own}
    ssl_verify_client on; ${trust} return 200 $ssl_client_verify; }`
  await using viaduct = await startViaduct(
    `http { ${server(0, `ssl_trusted_certificate ${root.certFile};`)} ${server(1, 'ssl_trusted_certificate two.pem;')}
      ${server(2, `ssl_client_certificate ${root.certFile};`)}
      ${server(3, `ssl_client_certificate ${root.certFile}; ssl_trusted_certificate ${stranger.certFile};`)} }`,
    { files: { 'two.pem': two } },
  )
  for (const n of [0, 1, 2, 3]) {
    assert.equal((await askTls(viaduct.port(n), by(near))).body, 'SUCCESS', String(n))
    assert.equal((await askTls(viaduct.port(n), by(far))).status, 400, String(n))
  }
  assert.equal((await askTls(viaduct.port(0), by(stranger))).status, 400)
  assert.equal((await askTls(viaduct.port(1), by(stranger))).body, 'SUCCESS')
  for (const [n, names] of [
    [0, []],
    [1, []],
    [2, ['root']],
    [3, ['root']],
  ] as const) {
    assert.deepEqual(await namesToldBy(viaduct.port(n)), names)
  }
})

/** The authorities that a server names to its clients. */
async function namesToldBy(port: number): Promise<string[]> {
  const told = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`], { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  told.stdout.setEncoding('latin1').on('data', (part: string) => {
    text += part
  })
  await once(told, 'close')
  const [, list = ''] = /^Acceptable client certificate CA names\n((?:.*CN ?= ?.*\n)*)/m.exec(text) ?? []
  return [...list.matchAll(/CN ?= ?(\S+)/g)].map((match) => match[1]!)
}
