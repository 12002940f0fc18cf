/** Heads that are refused: whose settings answer, what the logs tell, and that nothing behind them is a request. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { H2Client } from '../harness/h2-client.ts'
import { Peer } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const STATUSES = '400 405 408 414 494 501 505'

const SERVERS = `
http {
  log_format line '$host $status $request';
  client_header_timeout 300ms;
  large_client_header_buffers 2 1k;
  server { listen 127.0.0.1:%%PORT_0%%; http2 on; access_log access.log line; error_page ${STATUSES} /p; location = /p { return 200 default; } }
  server {
    listen 127.0.0.1:%%PORT_0%%; http2 on; server_name named;
    access_log named.log line; error_page ${STATUSES} /p; location = /p { return 200 named-$status; }
  }
}`

/** Heads, and what the answer says: of which server it is. */
const HEADS: readonly (readonly [what: string, head: string, answer: string])[] = [
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 'default'],
  ['a broken line', 'GET / HTP/1.1\r\nHost: named\r\n\r\n', 'default'],
  ['a broken field behind the host', 'GET / HTTP/1.1\r\nHost: named\r\na b: c\r\n\r\n', 'named'],
  ['a broken field before the host', 'GET / HTTP/1.1\r\na b: c\r\nHost: named\r\n\r\n', 'default'],
  ['an absolute target', 'GET http://named/ HTTP/1.1\r\na b: c\r\n\r\n', 'named'],
  ['another host in the target', 'GET http://other/ HTTP/1.1\r\nHost: named\r\na b: c\r\n\r\n', 'default'],
  ['a broken host in the target', 'GET http://na$med/ HTTP/1.1\r\nHost: named\r\n\r\n', 'default'],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: named\r\nHost: other\r\n\r\n', 'named'],
  ['a long field', `GET / HTTP/1.1\r\nHost: named\r\na: ${'x'.repeat(3000)}\r\n\r\n`, 'named'],
  ['a long target', `GET http://named/${'x'.repeat(3000)} HTTP/1.1\r\n\r\n`, 'named'],
  [
    'length and coding',
    'GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nHost: named\r\n\r\n',
    'named',
  ],
  ['a broken length', 'GET / HTTP/1.1\r\nHost: named\r\nContent-Length: x\r\n\r\n', 'named'],
  ['an unknown coding', 'GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nHost: named\r\n\r\n', 'named'],
  ['TRACE', 'TRACE / HTTP/1.1\r\nHost: named\r\n\r\n', 'named'],
  ['CONNECT', 'CONNECT named:1 HTTP/1.1\r\nHost: named\r\n\r\n', 'named'],
  ['a target out of the root', 'GET /../x HTTP/1.1\r\nHost: named\r\n\r\n', 'named'],
]

test('the server that a refused head names answers and logs', async (t) => {
  await using server = await startViaduct(SERVERS)
  const behind = 'GET /behind HTTP/1.1\r\nHost: named\r\n\r\n'
  for (const [what, head, answer] of HEADS) {
    await t.test(what, async () => {
      const log = answer === 'named' ? 'named.log' : 'access.log'
      const before = server.prefix.read(log).length
      const text = await server.raw(head + behind)
      assert.match(text, new RegExp(`\\r\\n\\r\\n${answer}`))
      assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1, 'nothing behind it is answered')
      assert.match(text, /\r\nConnection: close\r\n/)
      await server.until('it is logged', () => server.prefix.read(log).length > before)
    })
  }
  await t.test('a head that stays incomplete', async () => {
    using client = await server.connect()
    client.write('GET /late HTTP/1.1\r\nHost: named\r\nA:')
    await client.rest()
    await server.until('it is logged', () => /^named 408 GET \/late HTTP\/1\.1$/m.test(server.prefix.read('named.log')))
  })
  await t.test('over HTTP/2', async () => {
    await using client = await H2Client.connect(server.port())
    client.request(1, { authority: 'named', fields: [['connection', 'close']] })
    client.request(3, {
      raw: [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', 'x'],
        ['host', 'named'],
      ],
    })
    client.request(5, { authority: 'named', fields: [['content-length', 'x']] })
    client.request(7, { authority: 'other', fields: [['content-length', 'x']] })
    client.request(9, { authority: 'named', method: 'TRACE' })
    client.request(11, {
      raw: [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        ['host', 'named'],
        ['te', 'x'],
      ],
    })
    const answers = await Promise.all([1, 3, 5, 7, 9, 11].map((id) => client.response(id)))
    assert.deepEqual(
      answers.map(({ body }) => body.replace(/-.*/, '')),
      ['named', 'named', 'named', 'default', 'named', 'named'],
    )
  })
})

test('the logs have a refused line to its end', async () => {
  await using server = await startViaduct(SERVERS)
  const lines: readonly (readonly [line: string, logged: string])[] = [
    ['GET /a HTP/1.1', 'GET /a HTP/1.1'],
    ['get / HTTP/1.1', 'get / HTTP/1.1'],
    ['GE{T} /shell?cd+/tmp HTTP/1.1', 'GE{T} /shell?cd+/tmp HTTP/1.1'],
    ['GET http://u:p@host/ HTTP/1.1', 'GET http://u:p@host/ HTTP/1.1'],
    ['OPTIONS * HTTP/1.1', 'OPTIONS * HTTP/1.1'],
    ['GET / HTTP/3.0', 'GET / HTTP/3.0'],
    ['\r\n\r\nGET /\x01 HTTP/1.1', 'GET /\\x01 HTTP/1.1'],
    ['\x16\x03\x01\x85\x01tls', '\\x16\\x03\\x01\\x85\\x01tls'],
    [`GET /${'x'.repeat(2000)} HTTP/1.1`, `GET /${'x'.repeat(1019)}`],
  ]
  for (const [n, [line, logged]] of lines.entries()) {
    await server.raw(`${line}\r\nHost: a\r\n\r\n`)
    await server.until('a line', () => server.accessLog().split('\n').length > n + 1)
    assert.equal(
      server
        .accessLog()
        .split('\n')
        [n]!.replace(/^\S* \d+ /, ''),
      logged,
    )
  }
  assert.match(server.errorLog(), /request: "GE\{T\} \/shell\?cd\+\/tmp HTTP\/1\.1"/)
  assert.match(server.errorLog(), /request: "GET \/\\x01 HTTP\/1\.1"/)
})

test('of a refused request the logs have what was understood', async () => {
  await using server = await startViaduct(`http { error_log error.log info; large_client_header_buffers 2 1k;
    log_format facts '$request_method $server_protocol $request_length $request_uri $uri';
    server { listen 127.0.0.1:%%PORT_0%%; access_log access.log facts; return 200; } }`)
  const line = 'GET /a%20b?c HTTP/1.1\r\n'
  const cases: readonly (readonly [sent: string, facts: string, during: string])[] = [
    ['GET /a HTP/1.1\r\n\r\n', '- - 0 - -', 'line'],
    ['G{T /a HTTP/1.1\r\n\r\n', '- - 0 - -', 'line'],
    ['GET /a HTTP/3.0\r\n\r\n', '- - 0 - -', 'line'],
    ['GET /a HTTP/2.0\r\n\r\n', '- - 0 - -', 'line'],
    [`GET /${'x'.repeat(2000)}`, '- - 0 - -', 'line'],
    ['GET /../a HTTP/1.1\r\nHost: a\r\n\r\n', 'GET HTTP/1.1 20 - ', 'line'],
    ['GET http://a!@/b HTTP/1.1\r\n\r\n', '- - 0 - -', 'line'],
    ['GET http:///b HTTP/1.1\r\n\r\n', 'GET HTTP/1.1 24 /b /b', 'line'],
    [`\r\n\n${line}\r\n`, 'GET HTTP/1.1 25 /a%20b?c /a b', 'headers'],
    [`${line}Host: a\r\nx y: z\r\n\r\n`, 'GET HTTP/1.1 32 /a%20b?c /a b', 'headers'],
    [`${line}Host: a\r\nHost: b\r\nX: y\r\n\r\n`, 'GET HTTP/1.1 41 /a%20b?c /a b', 'headers'],
    [`${line}Host: a\r\nX: ${'x'.repeat(2000)}\r\n\r\n`, 'GET HTTP/1.1 32 /a%20b?c /a b', 'headers'],
    [`${line}Host: a\r\nContent-Length: x\r\n\r\n`, 'GET HTTP/1.1 53 /a%20b?c /a b', 'headers'],
    ['TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 'TRACE HTTP/1.1 29 / /', 'headers'],
  ]
  for (const [n, [sent, facts, during]] of cases.entries()) {
    await server.raw(sent)
    await server.until('a line', () => server.accessLog().split('\n').length > n + 1)
    assert.equal(server.accessLog().split('\n')[n], facts)
    const message = server.errorLog().trim().split('\n').at(-1)!
    assert.ok(message.includes(` while reading client request ${during}, client: 127.0.0.1`), message)
  }
  await server.raw('GET / HTTP/1.7\r\nHost: a\r\nConnection: close\r\n\r\n')
  await server.until('a line', () => /^GET HTTP\/1\.7 /m.test(server.accessLog()))
})

test('a field that is left out for its name is told', async () => {
  await using server = await startViaduct(
    'http { error_log error.log info; server { listen 127.0.0.1:%%PORT_0%%; return 200 $http_a_b; } }',
  )
  const answer = await server.raw('GET / HTTP/1.1\r\nHost: a\r\nA_B: secret\r\nConnection: close\r\n\r\n')
  assert.ok(answer.endsWith('\r\n\r\n'))
  await server.logged(/\[info\].* client sent invalid header line: "A_B: \.\.\." while reading client request headers/)
})

test('a request without an answer is logged with its status, and reset where that is asked for', async () => {
  await using server = await startViaduct(`http { log_format s '$uri $status'; access_log access.log s;
    server { listen 127.0.0.1:%%PORT_0%%; location /444 { return 444; } location /408 { return 408; }
      location /reset { reset_timedout_connection on; return 444; } } }`)
  for (const status of ['444', '408']) {
    assert.equal(await server.raw(`GET /${status} HTTP/1.0\r\n\r\n`), '')
    await server.until('it is logged', () => server.accessLog().includes(`/${status} ${status}\n`))
  }
  const socket = net.connect(server.port(), '127.0.0.1')
  socket.write('GET /reset HTTP/1.0\r\n\r\n')
  const [failure] = await once(socket, 'error')
  assert.equal(failure.code, 'ECONNRESET')
})

test('bytes behind a request for another protocol are no request', async () => {
  await using server = await startViaduct('http { server { listen 127.0.0.1:%%PORT_0%%; return 200 ok; } }')
  const head = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'
  const next = 'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  assert.equal((await server.raw(head + next)).match(/HTTP\/1\.1 200/g)?.length, 1)
  using patient = await server.connect()
  patient.write(head)
  await patient.until(/ok$/)
  patient.write(next)
  assert.equal((await patient.rest()).match(/HTTP\/1\.1 200/g)?.length, 2, 'who waits for the answer may go on')
})

test('a client that leaves in its body is logged with 400', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(`http { log_format s $status; access_log access.log s;
    server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://127.0.0.1:${peer.port}; }
    location /stream { proxy_request_buffering off; proxy_pass http://127.0.0.1:${peer.port}; } } }`)
  let seen = 0
  for (const path of ['/', '/stream']) {
    for (const reset of [false, true]) {
      const client = await server.connect()
      client.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc`)
      await server.until('the request', () => server.errorLog().split('http request line').length > seen + 1)
      if (path === '/stream') await peer.until(() => peer.received.join('').split('abc').length - 1 > seen - 2)
      if (reset) client.socket.resetAndDestroy()
      else client.close()
      seen++
      await server.until('a line', () => server.accessLog().split('\n').length > seen)
    }
  }
  assert.equal(server.accessLog(), '400\n'.repeat(4))
  const client = await server.connect()
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await peer.until(() => peer.requests.length > 0)
  client.close()
  await server.until('a line', () => server.accessLog().endsWith('499\n'))
})
