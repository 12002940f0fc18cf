/** A back end repeats a field that may stand once: the first counts, the rest is dropped and logged, as in nginx. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { H2Peer } from '../harness/h2-peer.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const FIRST = 'Mon, 01 Jan 2024 00:00:00 GMT'
const SECOND = 'Tue, 02 Jan 2024 00:00:00 GMT'
const SINGLE: readonly (readonly [name: string, first: string, second: string])[] = [
  ['Status', '1', '2'],
  ['Content-Type', 'text/a', 'text/b'],
  ['Date', FIRST, SECOND],
  ['Last-Modified', FIRST, SECOND],
  ['ETag', '"a"', '"b"'],
  ['Server', 'a', 'b'],
  ['Location', '/a', '/b'],
  ['Refresh', '1', '2'],
  ['Expires', FIRST, SECOND],
  ['X-Accel-Expires', '1', '2'],
  ['X-Accel-Limit-Rate', '100000', '1'],
]
const MANY: readonly (readonly [name: string, first: string, second: string])[] = [
  ['Set-Cookie', 'a=1', 'b=2'],
  ['Link', '</a>', '</b>'],
  ['Vary', 'A', 'B'],
  ['Cache-Control', 'no-cache', 'no-store'],
  ['WWW-Authenticate', 'Basic', 'Bearer'],
  ['X-Other', '1', '2'],
]
const ALL = [...SINGLE, ...MANY]
const PASSED = SINGLE.filter(([name]) => name.startsWith('X-Accel') || name === 'Server' || name === 'Date')
const PASS = PASSED.map(([name]) => `proxy_pass_header ${name};`).join(' ')

const fieldsOf = (answer: string, name: string): string[] =>
  [...answer.matchAll(new RegExp(`^${name}: (.*)\\r$`, 'gim'))].map((match) => match[1]!)

const ask = (server: Server, target = '/'): Promise<string> =>
  server.raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)

async function check(server: Server, lower: boolean): Promise<void> {
  const answer = await ask(server)
  for (const [name, first] of SINGLE) assert.deepEqual(fieldsOf(answer, name), [first], name)
  for (const [name, first, second] of MANY) assert.deepEqual(fieldsOf(answer, name), [first, second], name)
  for (const [written, first, second] of SINGLE) {
    const name = lower ? written.toLowerCase() : written
    const line = `duplicate header line: "${name}: ${second}", previous value: "${name}: ${first}", ignored while reading`
    assert.ok(server.errorLog().includes(line), `${name} is logged`)
  }
  assert.match(server.errorLog(), /\[warn\].*upstream sent duplicate header line/)
  await server.until('it is logged', () => server.accessLog() !== '')
  assert.equal(server.accessLog().trim(), '1 a=1, b=2')
}

const conf = (
  pass: string,
  port: number,
): string => `http { log_format all '$upstream_http_refresh $upstream_http_set_cookie';
  server { listen 127.0.0.1:%%PORT_0%%; access_log %%DIR%%/access.log all;
    location / { ${PASS} ${pass}://127.0.0.1:${port}; }
    location = /inside { internal; return 200 inside; }
    location = /outside { internal; return 200 outside; } } }`

test('HTTP/1', async () => {
  await using peer = await Peer.start(() =>
    reply(
      '',
      ALL.flatMap(([name, a, b]) => [`${name}: ${a}`, `${name}: ${b}`]),
    ),
  )
  await using server = await startViaduct(conf('proxy_pass http', peer.port))
  await check(server, false)
})

for (const [what, pass] of [
  ['HTTP/2', 'proxy_http_version 2; proxy_pass http'],
  ['gRPC', 'grpc_pass grpc'],
] as const) {
  test(what, async () => {
    await using peer = await H2Peer.start((stream) =>
      stream.reply(
        '',
        ALL.flatMap(([name, a, b]): [string, string][] => [
          [name.toLowerCase(), a],
          [name.toLowerCase(), b],
        ]),
      ),
    )
    const text = conf(pass, peer.port)
    const prefix = what === 'gRPC' ? 'grpc_' : 'proxy_'
    await using server = await startViaduct(text.replaceAll('proxy_pass_header', `${prefix}pass_header`))
    await check(server, true)
  })
}

test('of two X-Accel-Redirect the first is followed, with the first of what it keeps', async () => {
  const fields = ['X-Accel-Redirect: /inside', 'X-Accel-Redirect: /outside', `Expires: ${FIRST}`, `Expires: ${SECOND}`]
  await using peer = await Peer.start(() => reply('', fields))
  await using server = await startViaduct(conf('proxy_pass http', peer.port))
  const answer = await ask(server)
  assert.match(answer, /\r\n\r\ninside$/)
  assert.deepEqual(fieldsOf(answer, 'Expires'), [FIRST])
  await server.logged(/"X-Accel-Redirect: \/outside", previous value: "X-Accel-Redirect: \/inside", ignored/)
})

test('codings in several lines all count', async () => {
  await using peer = await Peer.start(() => reply('x', ['Content-Encoding: gzip', 'Content-Encoding: br']))
  await using server = await startViaduct(conf('proxy_pass http', peer.port))
  assert.deepEqual(fieldsOf(await ask(server), 'Content-Encoding'), ['gzip, br'])
})

/** What says how long the body is must not be said twice, equal or not. */
for (const lines of [
  ['Content-Length: 2', 'Content-Length: 2'],
  ['Content-Length: 2', 'Content-Length: 3'],
  ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
  ['Transfer-Encoding: chunked', 'Content-Length: 2'],
]) {
  test(`refused: ${lines.join(', ')}`, async () => {
    await using peer = await Peer.start(() => `HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\n\r\nok`)
    await using server = await startViaduct(conf('proxy_pass http', peer.port))
    assert.match(await ask(server), /^HTTP\/1\.1 502 /)
  })
}
