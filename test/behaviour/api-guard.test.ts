/** The API cannot be used by pages of other sites: not by forms, not by scripts, not by names that lead here for a moment. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { H2Client } from '../harness/h2-client.ts'
import { type Server, startViaduct } from '../harness/server.ts'

let server: Server
before(async () => {
  server = await startViaduct(
    `http {
    upstream u { zone u 64k; server 127.0.0.1:1; }
    server {
      listen 127.0.0.1:%%PORT_0%%; http2 on;
      server_name status.example.com *.ops.example ~^lb\\d+\\.corp\\.example$ ~.;
      location /api { api write=on; }
      location /closed { auth_basic api; auth_basic_user_file %%DIR%%/users; api write=on; }
      location /denied { deny all; api; }
    }
  }`,
    { files: { users: 'a:{PLAIN}b\n' } },
  )
})
after(async () => {
  await server[Symbol.asyncDispose]()
})

/** Sends a request; returns its status, and the code of the error. */
async function ask(method: string, fields: Readonly<Record<string, string>>, path = '/api'): Promise<string> {
  const body = method === 'GET' || method === 'HEAD' ? '' : '{"server":"127.0.0.1:x"}'
  const all = { Host: `127.0.0.1:${server.port()}`, ...fields, 'Content-Length': String(body.length) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const target = method === 'GET' ? '/9/nginx' : '/9/http/upstreams/u/servers'
  const answer = await server.raw(
    `${method} ${path}${target} HTTP/1.1\r\n${lines.join('')}Connection: close\r\n\r\n${body}`,
  )
  return `${answer.slice(9, 12)} ${/"code":"(\w+)"/.exec(answer)?.[1] ?? ''}`.trim()
}

const WRITTEN = '400 UpstreamBadAddress'
const FOREIGN = '403 ForeignOrigin'
const UNKNOWN = '403 UnknownHost'

test('tools write, whatever they say they send', async () => {
  for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain;charset=UTF-8']) {
    assert.equal(await ask('POST', { 'Content-Type': type }), WRITTEN)
  }
  assert.equal(await ask('POST', { Host: 'anything.example.net', 'User-Agent': 'curl/8' }), WRITTEN)
  assert.equal(await ask('GET', { Host: 'anything.example.net', 'Accept-Language': '*', 'User-Agent': 'node' }), '200')
})

test('forms and scripts of other sites do not', async () => {
  const own = `127.0.0.1:${server.port()}`
  assert.equal(await ask('POST', { Origin: 'http://evil.example' }), FOREIGN)
  assert.equal(await ask('POST', { Origin: 'null', 'Content-Type': 'text/plain' }), FOREIGN)
  assert.equal(await ask('POST', { Origin: `http://127.0.0.1:${server.port() + 1}` }), FOREIGN)
  assert.equal(await ask('POST', { 'Sec-Fetch-Site': 'cross-site' }), FOREIGN)
  assert.equal(await ask('POST', { 'Sec-Fetch-Site': 'same-site', Origin: `http://${own}` }), FOREIGN)
  assert.equal(await ask('POST', { Referer: 'http://evil.example/page' }), FOREIGN)
  assert.equal(await ask('DELETE', { Origin: 'http://evil.example' }), FOREIGN)
  assert.equal(await ask('PATCH', { Origin: 'http://evil.example' }), FOREIGN)
  assert.equal(
    await ask('POST', { Origin: `http://${own}`, 'Content-Type': 'multipart/form-data; boundary=x' }),
    '415 JsonError',
  )
  assert.equal(await ask('POST', { Origin: `http://${own}`, 'Sec-Fetch-Site': 'same-origin' }), WRITTEN)
  assert.equal(await ask('POST', { Origin: `https://${own}` }), WRITTEN, 'TLS may end before this server')
  assert.equal(await ask('POST', { Referer: `http://${own}/dashboard.html` }), WRITTEN)
})

test('a browser is answered by address and by names that are the server’s', async () => {
  const browser = { 'User-Agent': 'Mozilla/5.0', 'Accept-Language': 'en' }
  for (const host of [
    '127.0.0.1',
    '[::1]:80',
    'localhost:80',
    'lb1',
    'status.example.com',
    'a.ops.example',
    'lb7.corp.example',
  ]) {
    assert.equal(await ask('GET', { ...browser, Host: host }), '200', host)
  }
  for (const host of [
    'evil.example',
    'status.example.com.evil.example',
    '127.0.0.1.evil.example:80',
    'lb7.corp.example.net',
  ]) {
    assert.equal(await ask('GET', { ...browser, Host: host }), UNKNOWN, host)
    assert.equal(await ask('POST', { Host: host, Origin: `http://${host}` }), UNKNOWN, host)
  }
})

/** The same over HTTP/2, where the name is a pseudo-field. */
async function ask2(
  method: string,
  authority: string,
  fields: Readonly<Record<string, string>> = {},
  host?: string,
): Promise<string> {
  await using client = await H2Client.connect(server.port())
  const path = method === 'GET' ? '/api/9/nginx' : '/api/9/http/upstreams/u/servers'
  const all = Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value] as const)
  const named = [
    ...(authority === '' ? [] : [[':authority', authority] as const]),
    ...(host === undefined ? [] : [['host', host] as const]),
  ]
  client.request(1, {
    raw: [[':method', method], [':scheme', 'http'], [':path', path], ...named, ...all],
    ...(method === 'GET' ? {} : { body: '{"server":"127.0.0.1:x"}' }),
  })
  const { status, body } = await client.response(1)
  return `${status} ${/"code":"(\w+)"/.exec(body)?.[1] ?? ''}`.trim()
}

test('all of it over HTTP/2', async () => {
  const own = `127.0.0.1:${server.port()}`
  const browser = { 'User-Agent': 'Mozilla/5.0', 'Accept-Language': 'en' }
  assert.equal(await ask2('POST', own), WRITTEN)
  assert.equal(await ask2('POST', own, { Origin: 'http://evil.example' }), FOREIGN)
  assert.equal(await ask2('POST', own, { Origin: `http://127.0.0.1:${server.port() + 1}` }), FOREIGN)
  assert.equal(await ask2('POST', own, { 'Sec-Fetch-Site': 'cross-site' }), FOREIGN)
  assert.equal(await ask2('DELETE', own, { Referer: 'http://evil.example/page' }), FOREIGN)
  assert.equal(
    await ask2('POST', own, { ...browser, Origin: `http://${own}`, 'Sec-Fetch-Site': 'same-origin' }),
    WRITTEN,
  )
  assert.equal(await ask2('POST', 'status.example.com', { ...browser, Origin: 'https://status.example.com' }), WRITTEN)
  for (const authority of ['status.example.com', 'localhost', own]) {
    assert.equal(await ask2('GET', authority, browser), '200', authority)
  }
  for (const authority of ['evil.example', `evil.example:${server.port()}`, 'status.example.com.evil.example']) {
    assert.equal(await ask2('GET', authority, browser), UNKNOWN, authority)
    assert.equal(await ask2('POST', authority, { Origin: `http://${authority}` }), UNKNOWN, authority)
  }
  assert.equal(await ask2('GET', '', browser, 'evil.example'), UNKNOWN, 'a name in Host alone')
  assert.equal(await ask2('POST', '', { Origin: `http://${own}` }, own), WRITTEN)
  // A Host that says something else than :authority does not lend it a better name.
  assert.match(await ask2('GET', 'evil.example', browser, 'localhost'), /^(?:400|403 UnknownHost)$/)
})

test('access rules stand before it', async () => {
  assert.equal(await ask('GET', {}, '/closed'), '401')
  assert.equal(await ask('POST', {}, '/closed'), '401')
  assert.equal(await ask('GET', { Authorization: `Basic ${btoa('a:b')}` }, '/closed'), '200')
  assert.equal(await ask('GET', {}, '/denied'), '403')
})

test('paths, methods and bodies that make no sense', async () => {
  for (const target of [
    '/api/9/http/upstreams/%00/',
    '/api/09/nginx',
    '/api/9x/',
    '/api//9//nginx//',
    '/api/9/http/upstreams/u/servers/1/2',
  ]) {
    const { status } = await fetch(server.url(target))
    assert.ok(
      status === 404 || status === 400 || (status === 200 && target === '/api//9//nginx//'),
      `${target}: ${status}`,
    )
  }
  assert.equal((await fetch(server.url('/api/9/nginx'), { method: 'PUT' })).status, 405)
  assert.equal((await fetch(server.url('/api/9/nginx'), { method: 'DELETE' })).status, 405)
  assert.equal((await fetch(server.url('/api/9/nginx'), { method: 'HEAD' })).status, 200)
  const large = await fetch(server.url('/api/9/http/upstreams/u/servers'), {
    method: 'POST',
    body: `{"x":"${'y'.repeat(100_000)}"}`,
  })
  assert.equal(large.status, 400)
})

/** Numbers that look random and are the same in every run. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >> 8) % below
  }
}

const PIECES = [
  'api',
  '9',
  '1',
  '0',
  'viaduct',
  'http',
  'upstreams',
  'u',
  'servers',
  '0',
  '-1',
  '99999999999',
  'keyvals',
  '*',
  'many',
  'history',
]
const MORE = [
  '..',
  '%2e%2e',
  '%00',
  '%ff',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'workers',
  'slabs',
  'x'.repeat(300),
  '',
]
const VALUES = [
  'null',
  'true',
  '0',
  '-1',
  '1e999',
  '"x"',
  '[]',
  '{}',
  '{"value":"v","expire":-1}',
  '"\\u0000"',
  '""',
  '99999999999999',
]
const NAMES = [
  'server',
  'weight',
  'max_conns',
  'fail_timeout',
  'route',
  'backup',
  'down',
  '__proto__',
  'constructor',
  'a',
  '',
]

test('nonsense in paths and bodies is answered, and nobody dies of it', async () => {
  const roll = dice(7)
  const pick = (list: readonly string[]): string => list[roll(list.length)]!
  for (let i = 0; i < 400; i++) {
    const parts = Array.from({ length: 1 + roll(6) }, () => pick(roll(3) === 0 ? MORE : PIECES))
    const paths = [`/api/${parts.join('/')}`, '/api/9/http/upstreams/u/servers/0', '/api/viaduct/many']
    const path = paths[roll(3)]!
    const fields = Array.from({ length: roll(4) }, () => `"${pick(NAMES)}":${pick(VALUES)}`)
    const text = `{${fields.join(',')}}`
    const body = roll(5) === 0 ? text.slice(0, roll(text.length + 1)) : text
    const method = pick(['GET', 'POST', 'PATCH', 'DELETE'])
    const of = `of=${pick(PIECES)}/${pick(MORE)}&of=viaduct/${pick(PIECES)}?${pick(NAMES)}`
    const answer = await fetch(server.url(`${path}?fields=${pick(NAMES)}&key=${pick(MORE.slice(4))}&${of}`), {
      method,
      ...(method === 'GET' ? {} : { body }),
    })
    const said = await answer.text()
    assert.ok(answer.status < 500, `${method} ${path} ${body}: ${answer.status} ${said}`)
    if (answer.headers.get('content-type') === 'application/json' && said !== '') JSON.parse(said)
  }
  assert.equal((await fetch(server.url('/api/9/nginx'))).status, 200)
})
