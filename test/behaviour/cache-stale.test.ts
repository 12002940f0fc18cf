/** Stale responses: when they are used, and how they are renewed behind that. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, cachedConf, EXPIRED, outcome } from '../harness/cached.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

/** A back end that answers well first, and then as `then` says. */
async function turning(then: string | undefined, fields: readonly string[] = [EXPIRED]): Promise<Peer> {
  let count = 0
  return Peer.start(({ socket }) => {
    if (++count === 1) return reply('good', fields)
    if (then === undefined) socket.destroy()
    return then
  })
}

const failures: readonly (readonly [string, string | undefined])[] = [
  ['error', undefined],
  ['invalid_header', 'nonsense\r\n\r\n'],
  ['http_500', reply('bad', [], '500 Internal Server Error')],
  ['http_502', reply('bad', [], '502 Bad Gateway')],
  ['http_503', reply('bad', [], '503 Service Unavailable')],
  ['http_504', reply('bad', [], '504 Gateway Timeout')],
  ['http_403', reply('bad', [], '403 Forbidden')],
  ['http_404', reply('bad', [], '404 Not Found')],
  ['http_429', reply('bad', [], '429 Too Many Requests')],
]
for (const [condition, answer] of failures) {
  test(`a stale response in place of ${condition}`, async () => {
    await using peer = await turning(answer)
    await using server = await startViaduct(cachedConf(peer, `proxy_cache_use_stale ${condition};`))
    assert.equal(await outcome(server, '/a'), 'MISS good')
    assert.equal(await outcome(server, '/a'), 'STALE good')
    assert.equal(await outcome(server, '/a'), 'STALE good')
  })
}

test('and in place of nothing else', async () => {
  await using peer = await turning(reply('bad', [], '503 Service Unavailable'))
  await using server = await startViaduct(cachedConf(peer, 'proxy_cache_use_stale error timeout http_500;'))
  await ask(server, '/a')
  assert.equal(await outcome(server, '/a'), 'EXPIRED bad')
})

test('in place of a time-out, and when nobody can be asked', async () => {
  let count = 0
  await using peer = await Peer.start(() => (++count === 1 ? reply('good', [EXPIRED]) : undefined))
  const stale = 'proxy_cache_use_stale error timeout; proxy_read_timeout 100ms;'
  await using server = await startViaduct(cachedConf(peer, stale))
  await ask(server, '/a')
  assert.equal(await outcome(server, '/a'), 'STALE good')
})

test('a stale response at once, and a new one behind it', async () => {
  let count = 0
  await using peer = await Peer.start(({ field }) =>
    reply(`answer ${++count} to ${field('x')}`, count === 1 ? [EXPIRED] : []),
  )
  const conf = 'proxy_cache_valid 1m; proxy_cache_use_stale updating; proxy_cache_background_update on;'
  await using server = await startViaduct(cachedConf(peer, conf))
  await ask(server, '/a', ['X: first'])
  using client = await server.connect()
  client.write('GET /a HTTP/1.1\r\nHost: x\r\nX: second\r\n\r\n')
  assert.match(await client.until(/answer/), /X-Cache: STALE[\s\S]*answer 1 to first$/)
  await server.until('renewed', async () => (await outcome(server, '/a')) === 'HIT answer 2 to second')
  assert.equal(peer.requests.length, 2)
})

test('while one request renews a response, the others get the stale one', async () => {
  let count = 0
  await using peer = await Peer.start(() => (++count === 1 ? reply('old', [EXPIRED]) : undefined))
  await using server = await startViaduct(cachedConf(peer, 'proxy_cache_valid 1m; proxy_cache_use_stale updating;'))
  await ask(server, '/a')
  const renewing = outcome(server, '/a')
  await peer.until(() => peer.requests.length === 2)
  assert.equal(await outcome(server, '/a'), 'UPDATING old')
  peer.requests[1]!.socket.write(reply('new'))
  assert.equal(await renewing, 'EXPIRED new')
  assert.equal(await outcome(server, '/a'), 'HIT new')
})

test('as the response itself allows: stale-while-revalidate, stale-if-error', async () => {
  let broken = false
  await using peer = await Peer.start(({ socket }) => {
    if (!broken) return reply('good', [EXPIRED, 'Cache-Control: stale-if-error=9999999999'])
    socket.destroy()
    return undefined
  })
  await using server = await startViaduct(cachedConf(peer))
  await ask(server, '/a')
  broken = true
  assert.equal(await outcome(server, '/a'), 'STALE good')
})

test('failures are remembered as proxy_cache_valid says', async () => {
  await using peer = await Peer.start(({ socket, line }) => {
    if (line.includes('/404')) return reply('theirs', [], '404 Not Found')
    socket.destroy()
    return undefined
  })
  const conf =
    'proxy_cache_valid 502 404 1m; proxy_intercept_errors on; error_page 404 /none; } location = /none { return 200 ours;'
  await using server = await startViaduct(cachedConf(peer, conf))
  for (const [path, status] of [
    ['/a', 502],
    ['/404', 404],
  ] as const) {
    const before = peer.requests.length
    for (let i = 0; i < 2; i++) assert.match(await ask(server, path), new RegExp(`^HTTP/1.1 ${status} `))
    assert.equal(peer.requests.length, before + 1)
  }
})
