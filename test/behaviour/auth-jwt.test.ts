/** auth_jwt: who gets in with which token, what variables tell of it, and what is refused. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { CompactEncrypt, CompactSign } from 'jose'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  log_format claims "$uri $status $jwt_claim_sub";
  access_log %%DIR%%/access.log claims;
  auth_jwt_claim_set $role realm role;
  auth_jwt_claim_set $roles realm all;
  auth_jwt_header_set $kid kid;
  map $jwt_claim_aud $for_us { "us" 1; "~(^|,)us(,|$)" 1; }
  map $http_x_pass $pass { let 1; }
  proxy_cache_path %%DIR%%/cache keys_zone=keys:1m;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    auth_jwt "api $host";
    auth_jwt_key_file keys.json;
    location / { return 204; }
    location /page {
      add_header X-Token "$jwt_claim_sub|$jwt_claim_admin|$role|$roles|$kid|$jwt_header_alg|$jwt_payload" always;
      root %%DIR%%;
    }
    location /off { auth_jwt off; add_header X-Sub "$jwt_claim_sub" always; root %%DIR%%; }
    location /leeway { auth_jwt_leeway 1m; root %%DIR%%; }
    location /query { auth_jwt "q" token=$arg_token; root %%DIR%%; }
    location /audience { auth_jwt_require $for_us; root %%DIR%%; }
    location /require { auth_jwt_require $jwt_claim_admin error=403; root %%DIR%%; }
    location /auth-require { auth_require $for_us error=429; root %%DIR%%; }
    location /any { satisfy any; auth_require $pass; add_header X-Sub "$jwt_claim_sub" always; root %%DIR%%; }
    location /missing { auth_jwt_key_file missing.json; root %%DIR%%; }
    location /broken { auth_jwt_key_file broken.json; root %%DIR%%; }
    location /two { auth_jwt_key_file other.json; auth_jwt_key_file keys.json; root %%DIR%%; }
    location /by-kid { auth_jwt_key_file $jwt_header_kid.json; root %%DIR%%; }
    location /encrypted {
      auth_jwt_type encrypted;
      add_header X-Token "$jwt_claim_sub|$jwt_payload";
      root %%DIR%%;
    }
    location /nested { auth_jwt_type nested; add_header X-Token "$jwt_claim_sub|$jwt_payload"; root %%DIR%%; }
    location /early { set $told $jwt_claim_sub; add_header X-Told $told always; root %%DIR%%; }
    location /delayed { auth_delay 50ms; root %%DIR%%; }
    location /internal { try_files /none /page; }
    location /write { limit_except GET { auth_jwt_require $jwt_claim_admin; } root %%DIR%%; }
    error_page 401 /denied;
    location = /denied { internal; auth_jwt off; return 401 "denied [$jwt_claim_sub]"; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%%;
    auth_jwt "keys";
    location /asked { auth_jwt_key_request /keys; root %%DIR%%; }
    location /kept { auth_jwt_key_request /keys; auth_jwt_key_cache 1h; root %%DIR%%; }
    location /failing { auth_jwt_key_request /nothing; root %%DIR%%; }
    location /none { root %%DIR%%; }
    location = /keys { internal; log_subrequest on; alias %%DIR%%/keys.json; }
    location = /nothing { internal; return 404; }
    location /proxied { auth_jwt_key_request /proxied-keys?x=$arg_x; root %%DIR%%; }
    location = /proxied-keys { internal; proxy_pass http://127.0.0.1:%%PORT_2%%/keys.json; proxy_pass_request_headers off; }
    location /careless { auth_jwt_key_request /careless-keys; root %%DIR%%; }
    location = /careless-keys { internal; proxy_pass http://127.0.0.1:%%PORT_2%%/keys.json; }
  }
  server { listen 127.0.0.1:%%PORT_2%%; access_log off; gzip on; gzip_types *; gzip_min_length 1; root %%DIR%%; }
}`

const NAMES = [
  'page',
  'off',
  'leeway',
  'query',
  'audience',
  'require',
  'auth-require',
  'any',
  'missing',
  'broken',
  'two',
]
const MORE = [
  'by-kid',
  'encrypted',
  'nested',
  'early',
  'delayed',
  'asked',
  'kept',
  'failing',
  'none',
  'write',
  'proxied',
  'careless',
]
const SECRET = Buffer.from('a secret that is long enough for HMAC')
const WRAP = Buffer.from('0123456789abcdef')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed = generateKeyPairSync('ed25519')
const ed448 = generateKeyPairSync('ed448')
const now = (): number => Math.floor(Date.now() / 1000)

function jwk(key: KeyObject, members: object): object {
  return { ...key.export({ format: 'jwk' }), ...members }
}

function keySet(): string {
  return JSON.stringify({
    keys: [
      { kty: 'oct', k: SECRET.toString('base64url'), kid: 'hmac', use: 'sig' },
      { kty: 'oct', k: WRAP.toString('base64url'), kid: 'wrap', use: 'enc' },
      jwk(rsa.publicKey, { kid: 'rsa' }),
      jwk(rsa.privateKey, { kid: 'rsa-private', use: 'enc' }),
      jwk(ec.publicKey, { kid: 'ec', key_ops: ['verify'] }),
      jwk(ed.publicKey, { kid: 'ed' }),
      jwk(ed448.publicKey, { kid: 'ed448' }),
      { kty: 'future', kid: 'unknown types are ignored' },
    ],
  })
}

let server: Server
before(async () => {
  const files = Object.fromEntries([...NAMES, ...MORE].map((name) => [name, name]))
  const keys = keySet()
  const other = JSON.stringify({ keys: [{ kty: 'oct', k: 'b3RoZXI', kid: 'other' }] })
  server = await startViaduct(CONF, {
    files: {
      ...files,
      'keys.json': keys,
      'hmac.json': keys,
      'other.json': other,
      'broken.json': '{"keys":[{"kty":"oct"}]}',
    },
  })
})
after(() => server[Symbol.asyncDispose]())

type Claims = Readonly<Record<string, unknown>>

function sign(claims: Claims, alg = 'HS256', key: KeyObject | Uint8Array = SECRET, kid = 'hmac'): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader({ alg, kid }).sign(key)
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

async function ask(path: string, token?: string, init: RequestInit = {}, port = 0): Promise<Response> {
  const authorization: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` }
  return fetch(server.url(path, port), { ...init, headers: { ...authorization, ...init.headers } })
}

async function status(path: string, token?: string, port = 0): Promise<number> {
  const response = await ask(path, token, {}, port)
  await response.arrayBuffer()
  return response.status
}

test('a token that fits lets in, and variables tell of it', async () => {
  const claims = { sub: 'ann', admin: true, realm: { role: 'chief', all: ['a', 'b'] } }
  const response = await ask('/page', await sign(claims))
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('x-token'), 'ann|true|chief|a,b|hmac|HS256|')
})

test('each algorithm with its key', async () => {
  assert.equal(await status('/page', await sign({}, 'RS256', rsa.privateKey, 'rsa')), 200)
  assert.equal(await status('/page', await sign({}, 'PS512', rsa.privateKey, 'rsa')), 200)
  assert.equal(await status('/page', await sign({}, 'ES256', ec.privateKey, 'ec')), 200)
  assert.equal(await status('/page', await sign({}, 'EdDSA', ed.privateKey, 'ed')), 200)
  assert.equal(await status('/page', await sign({}, 'HS512')), 200)
})

test('EdDSA on the curve Ed448', async () => {
  const token = (header: object, claims: object, key = ed448.privateKey): string => {
    const text = `${encode({ alg: 'EdDSA', kid: 'ed448', ...header })}.${encode(claims)}`
    return `${text}.${signBytes(null, Buffer.from(text), key).toString('base64url')}`
  }
  const response = await ask('/page', token({}, { sub: 'ann' }))
  assert.equal(response.status, 200)
  assert.match(response.headers.get('x-token') ?? '', /^ann\|.*\|ed448\|EdDSA\|$/)
  assert.equal(await status('/page', token({ alg: 'Ed448' }, { sub: 'bob' })), 200)
  const other = generateKeyPairSync('ed448')
  assert.equal(await status('/page', token({}, { sub: 'eve' }, other.privateKey)), 401, 'another key')
  assert.equal(await status('/page', token({ alg: 'Ed25519' }, {})), 401, 'another curve is named')
  assert.equal(await status('/page', token({ kid: 'ed' }, {})), 401, 'the key of another curve is named')
  assert.equal(await status('/page', token({ crit: ['b64'], b64: false }, {})), 401, 'what must be understood')
  const [head, , signature] = token({}, { sub: 'ann' }).split('.')
  assert.equal(await status('/page', `${head}.${encode({ sub: 'eve' })}.${signature}`), 401, 'other claims')
  assert.equal(await status('/page', `${head}.${encode({ sub: 'ann' })}.`), 401, 'no signature')
  assert.equal(await status('/page', token({}, { exp: now() - 10 })), 401, 'it has ended')
})

test('without a token the client is asked for one', async () => {
  const response = await ask('/page')
  assert.equal(response.status, 401)
  assert.equal(response.headers.get('www-authenticate'), 'Bearer realm="api 127.0.0.1"')
  assert.equal(await response.text(), 'denied []')
})

test('a wrong token is refused, and nothing of it is told', async () => {
  const token = await sign({ sub: 'eve' }, 'HS256', Buffer.from('another secret, just as long as that'))
  const response = await ask('/page', token)
  assert.equal(response.status, 401)
  assert.equal(response.headers.get('www-authenticate'), 'Bearer realm="api 127.0.0.1",error="invalid_token"')
  assert.equal(await response.text(), 'denied []')
  await server.logged(/JSON Web Token refused: its signature is wrong, client/)
  assert.doesNotMatch(server.errorLog(), new RegExp(token.split('.')[2]!))
  await server.until('the line', () => /\/denied 401 -/.test(server.accessLog()))
  assert.doesNotMatch(server.accessLog(), /eve/)
})

test('alg: none is refused', async () => {
  for (const alg of ['none', 'None', 'NONE', '', 'hs256', 'constructor', '__proto__', 7, null]) {
    assert.equal(await status('/page', `${encode({ alg })}.${encode({ sub: 'eve' })}.`), 401)
    assert.equal(await status('/page', `${encode({ alg })}.${encode({ sub: 'eve' })}.AAAA`), 401)
  }
  await server.logged(/signatures with "none" are not accepted/)
})

test('HMAC with the text of a public key is refused', async () => {
  const texts = [
    rsa.publicKey.export({ format: 'pem', type: 'spki' }),
    rsa.publicKey.export({ format: 'der', type: 'spki' }),
    JSON.stringify(rsa.publicKey.export({ format: 'jwk' })),
    Buffer.from(rsa.publicKey.export({ format: 'jwk' }).n!, 'base64url'),
  ]
  for (const text of texts) {
    for (const kid of ['rsa', 'hmac', 'nobody']) {
      assert.equal(await status('/page', await sign({ sub: 'eve' }, 'HS256', Buffer.from(text), kid)), 401)
    }
  }
})

test('a key for encryption is none for signatures', async () => {
  const key = Buffer.concat([WRAP])
  assert.equal(await status('/page', await sign({}, 'HS256', key, 'wrap')), 401)
})

test('expired, early and absurd times', async () => {
  assert.equal(await status('/page', await sign({ exp: now() - 5 })), 401)
  assert.equal(await status('/leeway', await sign({ exp: now() - 5 })), 200)
  assert.equal(await status('/page', await sign({ exp: now() + 60 })), 200)
  assert.equal(await status('/page', await sign({ nbf: now() + 30 })), 401)
  assert.equal(await status('/leeway', await sign({ nbf: now() + 30 })), 200)
  assert.equal(await status('/page', await sign({ exp: 'tomorrow' })), 401)
  await server.logged(/refused: it has expired/)
  await server.logged(/refused: it is not valid yet/)
})

test('a token that was let in is not when it has expired', async () => {
  const token = await sign({ exp: now() + 2 })
  assert.equal(await status('/page', token), 200)
  await server.until('the end of the token', async () => (await status('/page', token)) === 401)
})

test('a wrong audience is refused, one of several will do', async () => {
  assert.equal(await status('/audience', await sign({ aud: 'us' })), 200)
  assert.equal(await status('/audience', await sign({ aud: ['them', 'us'] })), 200)
  assert.equal(await status('/audience', await sign({ aud: 'them' })), 401)
  assert.equal(await status('/audience', await sign({})), 401)
})

test('requirements', async () => {
  assert.equal(await status('/require', await sign({ admin: true })), 200)
  assert.equal(await status('/require', await sign({ admin: false })), 403)
  assert.equal(await status('/auth-require', await sign({ aud: 'us' })), 200)
  assert.equal(await status('/auth-require', await sign({ aud: 'them' })), 429)
})

test('a token in another place', async () => {
  assert.equal(await status(`/query?token=${await sign({})}`), 200)
  assert.equal(await status('/query', await sign({})), 401)
})

test('satisfy any: what was not checked is not told', async () => {
  const forged = `${encode({ alg: 'HS256' })}.${encode({ sub: 'eve' })}.AAAA`
  const init = { headers: { 'X-Pass': 'let' } }
  const passed = await ask('/any', forged, init)
  assert.deepEqual([passed.status, passed.headers.get('x-sub')], [200, null])
  const known = await ask('/any', await sign({ sub: 'ann' }))
  assert.deepEqual([known.status, known.headers.get('x-sub')], [200, 'ann'])
  assert.equal(await status('/any', forged), 401)
  assert.equal((await ask('/any', undefined, init)).status, 200)
})

test('where auth_jwt is off nothing is told', async () => {
  const response = await ask('/off', await sign({ sub: 'ann' }))
  assert.deepEqual([response.status, response.headers.get('x-sub')], [200, null])
})

test('keys that cannot be had are an error', async () => {
  const token = await sign({})
  assert.equal(await status('/missing', token), 500)
  assert.equal(await status('/broken', token), 500)
  await server.logged(/missing.json" failed \(2: No such file or directory\)/)
  await server.logged(/broken.json" is no JSON Web Key Set: key 1: "k" is missing or no Base64/)
})

test('several files, and one that the token names', async () => {
  assert.equal(await status('/two', await sign({}, 'HS256', Buffer.from('other'), 'other')), 200)
  assert.equal(await status('/two', await sign({})), 200)
  assert.equal(await status('/by-kid', await sign({})), 200)
})

test('encrypted tokens', async () => {
  const encrypt = (alg: string, key: KeyObject | Uint8Array, text: string): Promise<string> =>
    new CompactEncrypt(Buffer.from(text)).setProtectedHeader({ alg, enc: 'A128CBC-HS256' }).encrypt(key)
  for (const [alg, key] of [
    ['A128KW', WRAP],
    ['A128GCMKW', WRAP],
    ['RSA-OAEP-256', rsa.publicKey],
  ] as const) {
    const response = await ask('/encrypted', await encrypt(alg, key, '{"sub":"ann"}'))
    assert.deepEqual([response.status, response.headers.get('x-token')], [200, 'ann|{"sub":"ann"}'])
  }
  const inner = await sign({ sub: 'bob' })
  const nested = await ask('/nested', await encrypt('A128KW', WRAP, inner))
  assert.deepEqual([nested.status, nested.headers.get('x-token')], [200, `bob|${inner}`])
  // Who knows the key to encrypt with may still not say who he is.
  assert.equal(await status('/nested', await encrypt('A128KW', WRAP, '{"sub":"eve"}')), 401)
  assert.equal(await status('/encrypted', inner), 401)
  assert.equal(await status('/page', await encrypt('A128KW', WRAP, '{}')), 401)
})

test('variables before the access phase, delays, redirects, methods', async () => {
  const token = await sign({ sub: 'ann' })
  assert.equal((await ask('/early', token)).headers.get('x-told'), 'ann')
  assert.equal(await status('/delayed', 'x'), 401)
  assert.equal(await status('/delayed', token), 200)
  assert.equal(await (await ask('/internal', token)).text(), 'page')
  assert.equal(await status('/write', token), 200)
})

test('keys that a subrequest gets', async () => {
  const token = await sign({ sub: 'ann' })
  const asked = (): number => server.accessLog().match(/^\/keys 200/gm)?.length ?? 0
  for (let i = 0; i < 2; i++) assert.equal(await status('/asked', token, 1), 200)
  await server.until('two questions', () => asked() === 2)
  for (let i = 0; i < 3; i++) assert.equal(await status('/kept', await sign({ i }), 1), 200)
  assert.equal(await status('/kept', 'x.y.z', 1), 401)
  assert.equal(asked(), 3)
  assert.equal(await status('/failing', token, 1), 500)
  assert.equal(await status('/none', token, 1), 500)
  await server.logged(/the request for keys to "\/nothing" was answered with 404/)
})

test('keys of another server, whatever the client asks for', async () => {
  const token = await sign({})
  const seen = (await fetch(server.url('/keys.json', 2))).headers.get('last-modified')!
  for (const headers of [{}, { 'If-Modified-Since': seen }, { Range: 'bytes=0-1' }, { 'Accept-Encoding': 'gzip' }]) {
    const init = { headers: headers as Record<string, string> }
    const { status: found } = await ask('/proxied', token, init, 1)
    assert.ok([200, 206, 304].includes(found), `${found}`)
  }
  assert.equal((await ask('/careless', token, { headers: { 'Accept-Encoding': 'gzip' } }, 1)).status, 500)
  assert.equal((await ask('/careless', token, { headers: { 'If-Modified-Since': seen } }, 1)).status, 500)
  await server.logged(/was answered in compressed form, since the client asks for that/)
  await server.logged(/was answered with 304, since the client asks for that/)
})

test('many at once on one connection', async () => {
  const tokens = await Promise.all(Array.from({ length: 20 }, (_, i) => sign({ sub: `s${i}` })))
  const answers = await Promise.all(tokens.map((token) => ask('/page', token)))
  for (const [i, { headers }] of answers.entries()) assert.match(headers.get('x-token')!, new RegExp(`^s${i}\\|`))
})
