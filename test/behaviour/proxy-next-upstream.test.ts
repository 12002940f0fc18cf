/** When a failed attempt is followed by another one, and when not: `proxy_next_upstream` and its limits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

/** What the first back end does, by path. */
const bad = (): Promise<Peer> =>
  Peer.start(({ line, socket }) => {
    const path = line.split(' ')[1]!
    const status = /\/s(\d+)$/.exec(path)?.[1]
    if (status !== undefined) return reply('bad', [], `${status} Bad`)
    if (path.endsWith('/reset')) socket.resetAndDestroy()
    else if (path.endsWith('/close')) socket.end()
    else if (path.endsWith('/invalid')) return 'HTTP/1.1 200 OK\r\na\0b: c\r\n\r\n'
    else if (path.endsWith('/body')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbad')
    return undefined
  })

/** `proxy_next_upstream`, what happens, method, and the answer: of the good back end (200) or not. */
const CASES: readonly (readonly [string, string, string, number])[] = [
  ['default', 'close', 'GET', 200],
  ['default', 'reset', 'GET', 200],
  ['default', 'silent', 'GET', 200],
  ['default', 'invalid', 'GET', 502],
  ['default', 's500', 'GET', 500],
  ['default', 's503', 'GET', 503],
  ['default', 'close', 'POST', 502],
  ['default', 'silent', 'POST', 504],
  ['default', 'close', 'PUT', 200],
  ['default', 'close', 'DELETE', 200],
  ['default', 'close', 'PATCH', 502],
  ['default', 'close', 'LOCK', 502],
  ['off', 'close', 'GET', 502],
  ['off', 'silent', 'GET', 504],
  ['error', 'silent', 'GET', 504],
  ['error', 'close', 'GET', 200],
  ['timeout', 'close', 'GET', 502],
  ['timeout', 'silent', 'GET', 200],
  ['invalid_header', 'invalid', 'GET', 200],
  ['invalid_header', 'close', 'GET', 502],
  ['http_500', 's500', 'GET', 200],
  ['http_500', 's502', 'GET', 502],
  ['http_502', 's502', 'GET', 200],
  ['http_503', 's503', 'GET', 200],
  ['http_504', 's504', 'GET', 200],
  ['http_403', 's403', 'GET', 200],
  ['http_404', 's404', 'GET', 200],
  ['http_429', 's429', 'GET', 200],
  ['http_404', 's403', 'GET', 403],
  ['http_500', 's500', 'POST', 500],
  ['non_idempotent', 'close', 'POST', 502],
  ['error_non_idempotent', 'close', 'POST', 200],
  ['http_500_non_idempotent', 's500', 'POST', 200],
]

test('what is tried again', async (t) => {
  await using first = await bad()
  await using second = await Peer.start(() => reply('good'))
  const words = [...new Set(CASES.map(([word]) => word))]
  const locations = words.map((word) => {
    const values = word.replace('_non_idempotent', ' non_idempotent')
    return `location /${word}/ { proxy_pass http://group; ${word === 'default' ? '' : `proxy_next_upstream ${values};`} }`
  })
  await using server = await startViaduct(`http { proxy_read_timeout 150ms; access_log %%DIR%%/access.log all;
    log_format all '$uri $request_method $upstream_status';
    upstream group { server 127.0.0.1:${first.port} max_fails=0 weight=1000; server 127.0.0.1:${second.port} max_fails=0; }
    server { listen 127.0.0.1:%%PORT_0%%; ${locations.join('\n')} } }`)
  for (const [word, what, method, status] of CASES) {
    await t.test(`${word}: ${method} ${what}`, async () => {
      const count = first.requests.length
      const body = method === 'GET' || method === 'DELETE' ? '' : 'body'
      const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`
      const answer = await server.raw(
        `${method} /${word}/${what} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}\r\n${body}`,
      )
      // The good one may have been chosen first: once in a thousand it is its turn.
      if (first.requests.length === count) return
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
      if (status === 200) assert.equal(second.requests.at(-1)!.body, body)
    })
  }
})

const group = (servers: readonly string[], more: string) => `http { access_log %%DIR%%/access.log all;
  log_format all '$status $upstream_addr|$upstream_status';
  upstream group { ${servers.map((one) => `server ${one};`).join(' ')} }
  server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://group; ${more} } } }`

const ask = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

test('proxy_next_upstream_tries limits the attempts', async () => {
  await using one = await Peer.start(() => reply('', [], '500 Bad'))
  const servers = Array.from({ length: 4 }, () => `127.0.0.1:${one.port} max_fails=0`)
  const conf = group(servers, 'proxy_next_upstream http_500; proxy_next_upstream_tries 2;')
  await using server = await startViaduct(conf)
  assert.match(await server.raw(ask), /^HTTP\/1\.1 500 /)
  assert.equal(one.requests.length, 2)
})

test('every server is tried once', async () => {
  await using one = await Peer.start(() => reply('', [], '500 Bad'))
  const servers = Array.from({ length: 4 }, () => `127.0.0.1:${one.port} max_fails=0`)
  await using server = await startViaduct(group(servers, 'proxy_next_upstream http_500;'))
  assert.match(await server.raw(ask), /^HTTP\/1\.1 500 /)
  assert.equal(one.requests.length, 4)
  await server.until('it is logged', () => server.accessLog().includes('500, 500, 500, 500'))
})

test('proxy_next_upstream_timeout limits their time', async () => {
  await using silent = await Peer.start(() => undefined)
  const servers = Array.from({ length: 4 }, () => `127.0.0.1:${silent.port} max_fails=0`)
  const conf = group(servers, 'proxy_read_timeout 100ms; proxy_next_upstream_timeout 50ms;')
  await using server = await startViaduct(conf)
  assert.match(await server.raw(ask), /^HTTP\/1\.1 504 /)
  assert.equal(silent.requests.length, 1)
  await server.reload(group(servers, 'proxy_read_timeout 100ms; proxy_next_upstream_timeout 1h;'))
  assert.match(await server.raw(ask), /^HTTP\/1\.1 504 /)
  assert.equal(silent.requests.length, 5)
})

test('a response that has begun is not tried again', async () => {
  await using first = await bad()
  await using second = await Peer.start(() => reply('good'))
  await using server = await startViaduct(group([`127.0.0.1:${first.port}`, `127.0.0.1:${second.port} backup`], ''))
  const answer = await server.raw(ask.replace('GET /', 'GET /body'))
  assert.match(answer, /^HTTP\/1\.1 200 .*Content-Length: 100\r\n.*bad$/s)
  assert.equal(second.requests.length, 0)
})

test('a body that is streamed is not sent twice', async () => {
  await using first = await bad()
  await using second = await Peer.start(() => reply('good'))
  const servers = [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port} backup`]
  await using server = await startViaduct(group(servers, 'proxy_request_buffering off;'))
  const head = 'PUT /close HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n'
  using client = await server.connect()
  client.write(head)
  await first.until(() => first.received[0]?.endsWith('\r\n\r\n') === true)
  client.write('body')
  assert.match(await client.rest(), /^HTTP\/1\.1 502 /)
  assert.equal(second.requests.length, 0)
  // What came with its head is no stream.
  assert.match(await server.raw(`${head}body`), /^HTTP\/1\.1 200 /)
  assert.equal(second.requests[0]!.body, 'body')
})
