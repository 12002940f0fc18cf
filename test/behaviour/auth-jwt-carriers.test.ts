/** auth_jwt with all that carries requests: HTTP/2, bodies, pipelines, clients that leave, subrequests, other ways to get in. */
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { after, before, test } from 'node:test'
import { CompactSign } from 'jose'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  log_format inner "inner $uri $http_x_sub";
  log_format line "$request_method $uri $status $jwt_claim_sub";
  access_log %%DIR%%/access.log line;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    auth_jwt x;
    auth_jwt_key_file keys.json;
    client_max_body_size 10m;
    location / { proxy_set_header X-Sub $jwt_claim_sub; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /grpc { grpc_set_header X-Sub $jwt_claim_sub; grpc_pass 127.0.0.1:%%PORT_1%%; }
    location /named { error_page 401 = @login; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location @login { auth_jwt off; return 302 /login?sub=$jwt_claim_sub; }
    location /either { satisfy any; auth_basic y; auth_basic_user_file users; root %%DIR%%; }
    location /both { auth_basic y; auth_basic_user_file users; root %%DIR%%; auth_jwt x token=$arg_t; }
    location /asked { auth_request /judge; root %%DIR%%; }
    location = /judge { internal; proxy_set_header X-Sub $jwt_claim_sub; proxy_pass http://127.0.0.1:%%PORT_1%%/judge; }
    location /page.html { ssi on; auth_jwt off; root %%DIR%%; }
    location /part { root %%DIR%%; }
    location /mirrored { mirror /mirror; root %%DIR%%; }
    location = /mirror { internal; proxy_set_header X-Sub $jwt_claim_sub; proxy_pass http://127.0.0.1:%%PORT_1%%/mirror; }
    location /limited { client_max_body_size 10; proxy_pass http://127.0.0.1:%%PORT_1%%; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%%;
    http2 on;
    access_log %%DIR%%/inner.log inner;
    client_max_body_size 10m;
    location = /judge { if ($http_x_sub = ann) { return 204; } return 403; }
    location / { proxy_set_header X-Sub $http_x_sub; proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location /grpc { return 200 "$http_x_sub"; }
  }
  server { listen 127.0.0.1:%%PORT_2%%; client_max_body_size 10m; access_log off; return 200 "$http_x_sub $content_length"; }
}`
const SECRET = Buffer.from('a secret that is long enough for HMAC')

let server: Server
before(async () => {
  server = await startViaduct(CONF, {
    files: {
      'keys.json': JSON.stringify({ keys: [{ kty: 'oct', k: SECRET.toString('base64url') }] }),
      users: 'bob:{PLAIN}secret\n',
      either: 'either',
      both: 'both',
      asked: 'asked',
      mirrored: 'mirrored',
      part: 'part',
      'page.html': '[<!--#include virtual="/part" -->]',
    },
  })
})
after(() => server[Symbol.asyncDispose]())

let made = 0
/** A token that nobody has seen before, so that its check takes a moment. */
function fresh(sub = 'ann'): Promise<string> {
  const claims = Buffer.from(JSON.stringify({ sub, n: made++ }))
  return new CompactSign(claims).setProtectedHeader({ alg: 'HS256' }).sign(SECRET)
}

async function ask(path: string, token: string, init: RequestInit = {}): Promise<Response> {
  return fetch(server.url(path), {
    redirect: 'manual',
    ...init,
    headers: { Authorization: `Bearer ${token}`, ...init.headers },
  })
}

const SIZES = [0, 5, 70_000, 3_000_000]

for (const size of SIZES) {
  test(`a body of ${size} bytes, the first time and again`, async () => {
    const token = await fresh()
    for (let i = 0; i < 2; i++) {
      const response = await ask('/x', token, { method: 'POST', body: Buffer.alloc(size) })
      assert.equal(await response.text(), `ann ${size}`)
    }
    const refused = await ask('/x', `${token}x`, { method: 'POST', body: Buffer.alloc(size) })
    assert.equal(refused.status, 401)
    await refused.arrayBuffer()
  })
}

test('a body that is too large is refused before', async () => {
  assert.equal((await ask('/limited', await fresh(), { method: 'POST', body: Buffer.alloc(100) })).status, 413)
})

test('requests in a row on one connection, each with its own token', async () => {
  const tokens = await Promise.all(['a', 'b', 'c', 'd'].map(fresh))
  const head = (token: string, last: boolean): string =>
    `POST /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 3\r\nConnection: ${last ? 'close' : 'keep-alive'}\r\n\r\nabc`
  const sent = tokens.map((token, i) => head(i === 1 ? `${token}x` : token, i === 3)).join('')
  const answers = await server.raw(sent)
  assert.deepEqual(answers.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 401', 'HTTP/1.1 200', 'HTTP/1.1 200'])
  assert.deepEqual(answers.match(/\b[abcd] 3/g), ['a 3', 'c 3', 'd 3'])
})

test('HTTP/2: streams beside each other', async () => {
  const session = http2.connect(server.url('/'))
  const one = async (i: number): Promise<string> => {
    const token = await fresh(`s${i}`)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/x',
      authorization: `Bearer ${token}${i % 3 === 0 ? 'x' : ''}`,
    })
    stream.end(Buffer.alloc(i * 10_000))
    let text = ''
    let status = 0
    stream.on('response', (headers) => {
      status = headers[':status']!
    })
    for await (const piece of stream.setEncoding('latin1')) text += piece
    return status === 200 ? text : String(status)
  }
  const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => one(i)))
  for (const [i, answer] of answers.entries()) assert.equal(answer, i % 3 === 0 ? '401' : `s${i} ${i * 10_000}`)
  const stream = session.request({ ':path': '/x', authorization: `Bearer ${await fresh()}` })
  stream.on('error', () => {})
  stream.close(http2.constants.NGHTTP2_CANCEL)
  session.close()
})

test('gRPC, HEAD, and a client that leaves while its token is checked', async () => {
  const grpc = await ask('/grpc', await fresh('gus'), { method: 'POST', body: 'x' })
  assert.equal(await grpc.text(), 'gus')
  assert.equal((await ask('/x', await fresh(), { method: 'HEAD' })).status, 200)
  for (let i = 0; i < 20; i++) {
    const client = await server.connect()
    client.write(`GET /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await fresh()}\r\n\r\n`)
    client.close()
  }
  assert.equal((await ask('/x', await fresh())).status, 200)
})

test('an error page and what it is told', async () => {
  const refused = await ask('/named', 'x.y.z')
  assert.deepEqual([refused.status, refused.headers.get('location')], [302, server.url('/login?sub=')])
  assert.equal((await ask('/named', await fresh())).status, 200)
})

test('beside a password: either, and both', async () => {
  const basic = { Authorization: `Basic ${Buffer.from('bob:secret').toString('base64')}` }
  assert.equal((await ask('/either', '', { headers: basic })).status, 200)
  assert.equal((await ask('/either', await fresh())).status, 200)
  const neither = await ask('/either', 'x')
  assert.equal(neither.status, 401)
  assert.match(neither.headers.get('www-authenticate')!, /Bearer realm="x",error="invalid_token"/)
  assert.equal((await ask('/both', '', { headers: basic })).status, 401)
  assert.equal((await ask(`/both?t=${await fresh()}`, '', { headers: basic })).status, 200)
  assert.equal((await ask(`/both?t=${await fresh()}`, 'x')).status, 401)
})

test('subrequests know who asks, and are not asked themselves', async () => {
  assert.equal((await ask('/asked', await fresh('ann'))).status, 200)
  assert.equal((await ask('/asked', await fresh('bob'))).status, 403)
  assert.equal(await (await ask('/page.html', '')).text(), '[part]')
  assert.equal((await ask('/mirrored', await fresh('mia'))).status, 200)
  await server.until('the mirror', () => /^inner \/mirror mia$/m.test(server.prefix.read('inner.log')))
})
