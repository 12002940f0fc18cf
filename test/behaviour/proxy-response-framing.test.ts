/** How a response of the back end is framed for the client, whatever framed it there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

/** What the back end writes, by path; `END` closes its side. */
const END = '<END>'
const RESPONSES: Readonly<Record<string, string>> = {
  '/length': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  '/zero': 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  '/chunked':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n',
  '/until-close': `HTTP/1.1 200 OK\r\n\r\nhello${END}`,
  '/old': `HTTP/1.0 200 OK\r\n\r\nhello${END}`,
  '/nine': `hello${END}`,
  '/000': 'HTTP/1.1 000 Nothing\r\nContent-Length: 2\r\n\r\nok',
  '/1000': 'HTTP/1.1 1000 Much\r\nContent-Length: 2\r\n\r\nok',
  '/100s': 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(101),
  '/head-length': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
  '/head-chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  '/204': 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n',
  '/304': 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 5\r\n\r\n',
  '/103': 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  '/100': 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  '/bare-lf': 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello',
  '/reason': 'HTTP/1.1 299 Quite  Fine\r\nContent-Length: 0\r\n\r\n',
  '/short': `HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello${END}`,
  '/cut-chunk': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel${END}`,
  '/both': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  '/two-lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
  '/bad-length': 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello',
  '/bad-coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello',
  '/nul': 'HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\nhello',
}

async function startPeer(): Promise<Peer> {
  return Peer.start(({ line, socket }) => {
    const text = RESPONSES[line.split(' ')[1]!]!
    if (!text.endsWith(END)) return text
    socket.end(text.slice(0, -END.length), 'latin1')
    return undefined
  })
}

/** Asks, and asks again on the same connection where it stays open: the end of the first response must be clear. */
async function ask(
  server: Server,
  path: string,
  version = '1.1',
  method = 'GET',
): Promise<{ head: string; body: string }> {
  const last = version === '1.1' ? `GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n` : ''
  const answer = await server.raw(`${method} ${path} HTTP/${version}\r\nHost: x\r\n\r\n${last}`)
  const at = answer.indexOf('\r\n\r\n')
  const all = answer.slice(at + 4)
  const next = all.indexOf('HTTP/1.1 200 OK\r\nServer')
  const head = answer.slice(0, at + 2).replace(/^(Server|Date): .*\r\n/gm, '')
  return { head, body: next < 0 ? all : all.slice(0, next) }
}

test('framing of responses', async (t) => {
  await using peer = await startPeer()
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:${peer.port}; } location = /end { return 200 end; } } }`)
  const ok = (fields: string, status = '200 OK') => `HTTP/1.1 ${status}\r\n${fields}Connection: keep-alive\r\n`
  const CHUNKED = 'Transfer-Encoding: chunked\r\n'
  const LENGTH = 'Content-Length: 5\r\n'
  const HELLO = '5\r\nhello\r\n0\r\n\r\n'
  const cases: readonly (readonly [string, string, string])[] = [
    ['/length', ok(LENGTH), 'hello'],
    ['/zero', ok('Content-Length: 0\r\n'), ''],
    ['/until-close', ok(CHUNKED), HELLO],
    ['/old', ok(CHUNKED), HELLO],
    ['/204', ok('', '204 No Content') + 'X-A: 1\r\n', ''],
    ['/100', ok(LENGTH), 'hello'],
    ['/bare-lf', ok(LENGTH), 'hello'],
    ['/reason', ok('Content-Length: 0\r\n', '299 Quite  Fine'), ''],
  ]
  for (const [path, head, body] of cases) {
    await t.test(path, async () => assert.deepEqual(await ask(server, path), { head, body }))
  }
  await t.test('chunks are written anew', async () => {
    const { head, body } = await ask(server, '/chunked')
    assert.equal(head, ok(CHUNKED))
    assert.match(body, /^(5\r\nhello|3\r\nhel\r\n2\r\nlo)\r\n0\r\n\r\n$/)
  })
  await t.test('304 has no body', async () => {
    const { head, body } = await ask(server, '/304')
    assert.match(head, /^HTTP\/1\.1 304 Not Modified\r\n/)
    assert.match(head, /ETag: "a"\r\n/)
    assert.equal(body, '')
  })
  await t.test('HEAD has the length of what it does not have', async () => {
    assert.deepEqual(await ask(server, '/head-length', '1.1', 'HEAD'), { head: ok(LENGTH), body: '' })
    assert.equal((await ask(server, '/head-chunked', '1.1', 'HEAD')).body, '')
  })
  await t.test('HTTP/1.0 clients get no chunks', async () => {
    const { head, body } = await ask(server, '/chunked', '1.0')
    assert.equal(head, 'HTTP/1.1 200 OK\r\nConnection: close\r\n')
    assert.equal(body, 'hello')
  })
  for (const path of [
    '/nine',
    '/000',
    '/1000',
    '/100s',
    '/both',
    '/two-lengths',
    '/bad-length',
    '/bad-coding',
    '/nul',
  ]) {
    await t.test(`${path} is refused`, async () => assert.match((await ask(server, path)).head, /^HTTP\/1\.1 502 /))
  }
  await t.test('a body that is too short does not look complete', async () => {
    assert.deepEqual(await ask(server, '/short'), { head: ok('Content-Length: 50\r\n'), body: 'hello' })
    assert.ok(!(await ask(server, '/cut-chunk')).body.includes('\r\n0\r\n'))
  })
})
