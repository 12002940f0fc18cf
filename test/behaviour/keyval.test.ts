/** `keyval` and `keyval_zone`: variables from pairs that the API changes, the same in all workers, kept over restarts. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

const CONF = `
worker_processes 2;
http {
  keyval_zone zone=one:1m state=%%DIR%%/state/one.json;
  keyval_zone zone=short:1m timeout=1h;
  keyval_zone zone=nets:1m type=ip;
  keyval_zone zone=paths:32k type=prefix;
  keyval $arg_k $text zone=one;
  keyval $arg_k $brief zone=short;
  keyval $arg_a $net zone=nets;
  keyval $uri $path zone=paths;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location /one { return 200 "[$text]"; }
    location /short { return 200 "[$brief]"; }
    location /net { return 200 "[$net]"; }
    location /p { return 200 "[$path]"; }
    location /api { api write=on; client_max_body_size 10m; }
  }
}`

let server: Server
before(async () => {
  server = await startViaduct(CONF, {
    prepare: (dir) => {
      fs.mkdirSync(`${dir}/state`)
      fs.chmodSync(`${dir}/state`, 0o777)
      fs.writeFileSync(`${dir}/state/one.json`, '{"kept":"before","ended":{"value":"x","expires":1}}')
    },
  })
})
after(async () => {
  await server[Symbol.asyncDispose]()
})

async function api(path: string, method = 'GET', body?: object | string): Promise<{ status: number; body: unknown }> {
  const text = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
  const response = await fetch(server.url(`/api/9/http/keyvals/${path}`), { method, ...text })
  const answer = await response.text()
  return { status: response.status, body: answer === '' ? undefined : JSON.parse(answer) }
}

async function codeOf(...request: Parameters<typeof api>): Promise<string> {
  const { status, body } = await api(...request)
  return `${status} ${(body as { error?: { code?: string; text?: string } } | undefined)?.error?.text ?? ''}`.trim()
}

/** What both workers say. */
async function text(target: string): Promise<string> {
  const all = new Set<string>()
  for (let i = 0; i < 8; i++) {
    const answer = await server.raw(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    all.add(answer.split('\r\n\r\n')[1]!)
  }
  return [...all].join(' ')
}

test('pairs are added, changed and removed, for all workers', async () => {
  assert.deepEqual((await api('one')).body, { kept: 'before' }, 'the state file was read, without what has ended')
  assert.equal(await text('/one?k=kept'), '[before]')
  assert.equal(await text('/one?k=none'), '[]')
  assert.equal(await codeOf('one', 'POST', { a: 'b', c: 'd' }), '400 only one key can be added')
  assert.equal(await codeOf('one', 'POST', { schlüssel: 'wért "1"' }), '201')
  assert.equal(await text('/one?k=schl%C3%BCssel'), '[]', 'arguments are not decoded')
  assert.deepEqual((await api('one?key=schl%C3%BCssel')).body, { schlüssel: 'wért "1"' })
  assert.equal(await codeOf('one', 'POST', { kept: 'again' }), '409 key already exists')
  assert.equal(await codeOf('one', 'PATCH', { kept: 'after' }), '204')
  assert.equal(await text('/one?k=kept'), '[after]')
  assert.equal(await codeOf('one', 'PATCH', { none: 'x' }), '404 keyval key not found')
  assert.equal(await codeOf('one', 'PATCH', { a: '1', b: '2' }), '400 only one key can be updated')
  assert.equal(await codeOf('one', 'PATCH', { schlüssel: null }), '204')
  assert.equal(await codeOf('one?key=none'), '404 keyval key not found')
  assert.equal(await codeOf('none'), '404 keyval not found')
  assert.deepEqual((await api('')).body, { one: { kept: 'after' }, short: {}, nets: {}, paths: {} })
  assert.deepEqual((await api('?fields=')).body, ['one', 'short', 'nets', 'paths'])
  for (const body of ['', '{', '[]', '"x"']) assert.equal((await api('one', 'POST', body)).status, 415)
  for (const body of ['{"a":1}', '{"a":[]}', '{"a":{"value":1}}', '{"a":{"valeu":"x"}}', '{"a":null}']) {
    assert.equal(await codeOf('one', 'POST', body), '400 invalid JSON', body)
  }
  assert.equal(await codeOf('one', 'POST', {}), '400 key required')
  assert.equal(await codeOf('one', 'POST', { a: { value: 'b', expire: 5 } }), '400 keyval timeout is not enabled')
})

test('what a zone has is in another file from the reload on that names it', async () => {
  const conf = (state: string): string => `http { keyval_zone zone=z:1m ${state}; keyval $arg_k $v zone=z;
    server { listen 127.0.0.1:%%PORT_0%%; location / { return 200 "[$v]"; } location /api { api write=on; } } }`
  const prepare = (dir: string): void => fs.chmodSync(dir, 0o777)
  await using moved = await startViaduct(conf(''), { prepare })
  const body = JSON.stringify({ a: 'b' })
  const made = await fetch(moved.url('/api/9/http/keyvals/z'), { method: 'POST', body })
  assert.equal(made.status, 201)
  for (const name of ['one.json', 'two.json']) {
    await moved.reload(conf(`state=%%DIR%%/${name}`))
    await moved.until('it is written', () => moved.prefix.read(name) === '{\n "a": "b"\n}\n')
  }
  // Other memory has what the file has.
  await moved.reload(conf('state=%%DIR%%/two.json').replace('z:1m', 'z:2m'))
  assert.match(await moved.raw('GET /?k=a HTTP/1.0\r\n\r\n'), /\[b\]$/)
})

test('what is kept outlives reloads and restarts', async () => {
  assert.equal(server.prefix.read('state/one.json'), '{\n "kept": "after"\n}\n')
  await server.reload()
  assert.equal(await text('/one?k=kept'), '[after]')
  await server[Symbol.asyncDispose]()
  server = await startViaduct(CONF, {
    prepare: (dir) => {
      fs.mkdirSync(`${dir}/state`)
      fs.chmodSync(`${dir}/state`, 0o777)
      fs.writeFileSync(`${dir}/state/one.json`, '{\n "kept": "after"\n}\n')
    },
  })
  assert.equal(await text('/one?k=kept'), '[after]')
  assert.equal(await codeOf('one', 'DELETE'), '204')
  assert.equal(server.prefix.read('state/one.json'), '{}\n')
  fs.renameSync(server.prefix.path('state'), server.prefix.path('gone'))
  assert.match(await codeOf('one', 'POST', { a: 'b' }), /^500 .*was not made: open\(\) .* failed \(2: No such file/)
  fs.renameSync(server.prefix.path('gone'), server.prefix.path('state'))
  assert.deepEqual((await api('one')).body, {})
})

test('pairs end', async () => {
  assert.equal(await codeOf('short', 'POST', { a: 'long', b: { value: 'short', expire: 300 } }), '201')
  assert.equal(await text('/short?k=b'), '[short]')
  await server.until('the end of the pair', async () => (await text('/short?k=b')) === '[]')
  assert.equal(await text('/short?k=a'), '[long]')
  assert.equal(await codeOf('short', 'PATCH', { a: { expire: 1 } }), '204')
  await server.until('the end of the other', async () => Object.keys((await api('short')).body as object).length === 0)
  assert.equal(await codeOf('short', 'POST', { a: 'again' }), '201')
})

test('addresses are matched by the narrowest range', async () => {
  const pairs = {
    '10.0.0.0/8': 'wide',
    '10.1.0.0/16': 'narrow',
    '10.1.2.3': 'one',
    '2001:db8::/32': 'six',
    '::/0': 'any',
  }
  assert.equal(await codeOf('nets', 'POST', pairs), '201')
  const cases = {
    '10.9.9.9': 'wide',
    '10.1.9.9': 'narrow',
    '10.1.2.3': 'one',
    '11.0.0.1': '',
    '2001:db8::1': 'six',
    '2001:db9::1': 'any',
    x: '',
  }
  for (const [address, value] of Object.entries(cases))
    assert.equal(await text(`/net?a=${address}`), `[${value}]`, address)
  assert.equal(await text('/net?a=::ffff:10.1.2.3'), '[one]')
  assert.equal(await text('/net?a=10.1.2.0/24'), '[narrow]')
  assert.equal(await codeOf('nets', 'POST', { '10.0.0.0/33': 'x' }), '400 invalid key format')
  assert.equal(await codeOf('nets', 'POST', { name: 'x' }), '400 invalid key format')
  assert.equal(await codeOf('nets', 'POST', { '10.77.0.0/8': 'x' }), '409 key already exists', 'the same range')
  assert.deepEqual((await api('nets')).body, pairs)
})

test('texts are matched by the longest key that they begin with, as long as there is room', async () => {
  const long = `/p/${'x'.repeat(500)}`
  assert.equal(await codeOf('paths', 'POST', { '/p': 'short', '/p/q': 'longer', [long]: 'long' }), '201')
  assert.equal(await text('/p'), '[short]')
  assert.equal(await text('/p/q/r'), '[longer]')
  assert.equal(await text('/pq'), '[short]')
  assert.equal(await text(`${long}y`), '[long]')
  assert.equal(await codeOf('paths', 'POST', { large: 'y'.repeat(40_000) }), '413 keyval zone memory exhausted')
  assert.equal(await codeOf('paths', 'PATCH', { '/p': 'y'.repeat(40_000) }), '413 keyval zone memory exhausted')
  assert.equal(await text('/p'), '[short]', 'what was there stays')
})

test('mistakes in the configuration', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['keyval_zone zone=a:1m; keyval_zone zone=a:1m;', /duplicate keyval zone "a"/],
    ['keyval $arg_a $b zone=none;', /unknown keyval zone "none"/],
    ['keyval_zone zone=a:1k;', /zone "zone=a:1k" is too small|zone "a:1k" is too small/],
    ['keyval_zone zone=a:1m type=what;', /invalid parameter "type=what"/],
    ['keyval_zone zone=a:1m sync;', /"sync" requires "timeout" parameter/],
    ['keyval_zone zone=a:1m sync timeout=1h;', /"sync" is not supported by Viaduct: there is no "zone_sync"/],
    ['keyval_zone zone=a:1m; keyval a b zone=a;', /invalid variable name "b"/],
    ['keyval_zone zone=a:1m state=%%DIR%%/broken;', /keyval state file ".*broken" is broken/],
  ]
  for (const [lines, expected] of cases) {
    await using prefix = await Prefix.create(`http { ${lines} server { listen 127.0.0.1:%%PORT_0%%; } } events {}`, {
      broken: '{',
    })
    assert.match((await prefix.run(['-t'])).stderr, expected)
  }
})
