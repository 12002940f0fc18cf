/** OCSP on both sides: clients that issuers do not vouch for, and answers about our own certificate for clients. */
import assert from 'node:assert/strict'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'
import { askTls } from '../harness/tls-client.ts'

const certificates = new Certificates()
after(() => certificates.remove())

/** Answers questions about certificates with what it is given. */
class Responder {
  answer: Buffer | undefined
  readonly asked: string[] = []
  readonly #server = http.createServer((request, response) => {
    this.asked.push(request.url ?? '')
    response.writeHead(this.answer === undefined ? 500 : 200, { 'Content-Type': 'application/ocsp-response' })
    response.end(this.answer)
  })

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

test('clients are asked about before they are served', async () => {
  await using responder = new Responder()
  const url = await responder.listen()
  const root = certificates.make('root', { authority: true })
  const client = certificates.make('client', { issuer: root, responder: url })
  const other = certificates.make('other', { authority: true })
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%% ssl;
    ssl_certificate ${root.certFile}; ssl_certificate_key ${root.keyFile};
    ssl_verify_client on; ssl_client_certificate ${root.certFile}; ssl_ocsp on; ssl_ocsp_cache shared:ocsp:1m;
    add_header X-Verify $ssl_client_verify always; return 200 $ssl_client_verify; } }`)
  const verify = async (): Promise<string> => {
    const { head, status } = await askTls(server.port(), { cert: client.cert, key: client.key })
    return `${status} ${/X-Verify: (.*)/.exec(head)?.[1]}`
  }
  assert.equal(await verify(), '400 FAILED:certificate status request failed')
  responder.answer = Buffer.from('garbage')
  assert.equal(await verify(), '400 FAILED:certificate status request failed')
  // Somebody else's word does not count.
  responder.answer = certificates.status(other, client)
  assert.equal(await verify(), '400 FAILED:certificate status request failed')
  responder.answer = certificates.status(root, client)
  assert.equal(await verify(), '200 SUCCESS')
  const { length } = responder.asked
  responder.answer = certificates.status(root, client, true)
  assert.equal(await verify(), '200 SUCCESS', 'remembered')
  assert.equal(responder.asked.length, length)
  await server.logged(/\[error\].* d2i_OCSP_RESPONSE\(\) failed while requesting certificate status, client/)
})

test('a revoked certificate is refused', async () => {
  await using responder = new Responder()
  const url = await responder.listen()
  const root = certificates.make('root2', { authority: true })
  const client = certificates.make('client2', { issuer: root })
  responder.answer = certificates.status(root, client, true)
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%% ssl; error_log error.log info;
    ssl_certificate ${root.certFile}; ssl_certificate_key ${root.keyFile};
    ssl_verify_client on; ssl_client_certificate ${root.certFile}; ssl_ocsp leaf; ssl_ocsp_responder ${url}/x;
    return 200 ok; } }`)
  assert.equal((await askTls(server.port(), { cert: client.cert, key: client.key })).status, 400)
  assert.match(responder.asked[0] ?? '', /^\/x\/M/)
  await server.logged(
    /\[info\].* client SSL certificate verify error: certificate revoked while reading client request headers, client/,
  )
})

test('an answer is stapled, from a file or from the responder', async () => {
  await using responder = new Responder()
  const url = await responder.listen()
  const root = certificates.make('root3', { authority: true })
  const own = certificates.make('own', { issuer: root, responder: url })
  const answer = certificates.status(root, own)
  responder.answer = answer
  const chain = `ssl_certificate chain.crt; ssl_certificate_key ${own.keyFile};`
  await using server = await startViaduct(
    `http { ssl_stapling on; ${chain}
      server { listen 127.0.0.1:%%PORT_0%% ssl; ssl_stapling_file answer.der; return 200 ok; }
      server { listen 127.0.0.1:%%PORT_1%% ssl; return 200 ok; } }`,
    { files: { 'answer.der': answer, 'chain.crt': own.cert + root.cert } },
  )
  const asks = { requestOCSP: true }
  assert.deepEqual((await askTls(server.port(0), asks)).ocsp, answer)
  assert.deepEqual((await askTls(server.port(0), asks)).ocsp, answer)
  await server.until('the staple', async () => (await askTls(server.port(1), asks)).ocsp?.equals(answer) === true)
  assert.equal(responder.asked.length, 1)
})

test('what a responder has said is known after a reload', async () => {
  await using responder = new Responder()
  const url = await responder.listen()
  const root = certificates.make('root5', { authority: true })
  const own = certificates.make('own5', { issuer: root, responder: url })
  const answer = certificates.status(root, own)
  responder.answer = answer
  const conf = (
    status: number,
  ): string => `http { ssl_stapling on; ssl_certificate chain.crt; ssl_certificate_key ${own.keyFile};
    server { listen 127.0.0.1:%%PORT_0%% ssl; return ${status}; } }`
  await using server = await startViaduct(conf(204), { files: { 'chain.crt': own.cert + root.cert } })
  const asks = { requestOCSP: true }
  await server.until('the staple', async () => (await askTls(server.port(), asks)).ocsp?.equals(answer) === true)
  await server.reload(conf(404))
  const first = await askTls(server.port(), asks)
  assert.deepEqual([first.status, first.ocsp], [404, answer])
  assert.equal(responder.asked.length, 1)
})

test('each of two certificates has an answer of its own', async () => {
  await using responder = new Responder()
  const url = await responder.listen()
  const root = certificates.make('root4', { authority: true })
  const ec = certificates.make('ec', { issuer: root, responder: url })
  const rsa = certificates.make('rsa', { issuer: root, responder: url, rsa: true })
  const answers = { ec: certificates.status(root, ec), rsa: certificates.status(root, rsa) }
  const pairs = (['ec', 'rsa'] as const).map(
    (name) => `ssl_certificate ${name}.crt; ssl_certificate_key ${certificates.path(name)}.key;`,
  )
  await using server = await startViaduct(
    `http { ssl_stapling on; ${pairs.join(' ')} ssl_ciphers HIGH:!SHA384:!aNULL; server { listen 127.0.0.1:%%PORT_0%% ssl; return 200 ok; } }`,
    { files: { 'ec.crt': ec.cert + root.cert, 'rsa.crt': rsa.cert + root.cert } },
  )
  for (const [name, sigalgs] of [
    ['rsa', 'rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256'],
    ['ec', 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256'],
  ] as const) {
    responder.answer = answers[name]
    const asks = { requestOCSP: true, sigalgs, minVersion: 'TLSv1.3' } as const
    await server.until('the staple', async () => {
      const { ocsp, subject } = await askTls(server.port(), asks)
      assert.equal(subject, name)
      return ocsp?.equals(answers[name]) === true
    })
  }
  // TLS 1.2 decides by the cipher.
  for (const [name, ciphers] of [
    ['ec', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
    ['rsa', 'ECDHE-RSA-AES128-GCM-SHA256'],
    ['rsa', 'AES128-GCM-SHA256'],
    ['ec', 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256'],
    ['rsa', 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256'],
    // The server does not take the first.
    ['rsa', 'ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES128-GCM-SHA256'],
  ] as const) {
    const { ocsp, subject } = await askTls(server.port(), { requestOCSP: true, maxVersion: 'TLSv1.2', ciphers })
    assert.equal(subject, name, ciphers)
    assert.ok(ocsp?.equals(answers[name]), ciphers)
  }
})
