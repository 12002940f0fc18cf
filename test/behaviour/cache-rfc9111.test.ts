/** proxy_cache_rfc9111: what clients are told, and what nginx's cache does not do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, cachedConf, outcome } from '../harness/cached.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const ON = 'proxy_cache_rfc9111 on;'
const field = (response: string, name: string) => new RegExp(`^${name}: (.*)\r$`, 'm').exec(response)?.[1]

test('a stored response has its age and date, and says that it is one', async () => {
  const date = new Date(Date.now() - 20_000).toUTCString()
  await using peer = await Peer.start(() =>
    reply('x', ['Cache-Control: max-age=60', `Date: ${date}`, 'Age: 3', 'Connection: a', 'A: 1']),
  )
  await using server = await startViaduct(cachedConf(peer, ON))
  assert.equal(field(await ask(server, '/a'), 'Cache-Status'), 'viaduct; fwd=uri-miss; stored')
  const hit = await ask(server, '/a')
  assert.match(field(hit, 'Cache-Status') ?? '', /^viaduct; hit; ttl=(3\d|40)$/)
  assert.match(field(hit, 'Age') ?? '', /^2\d$/)
  assert.equal(hit.match(/^Age:/gm)?.length, 1)
  assert.equal(field(hit, 'Date'), date)
  assert.equal(field(hit, 'A'), undefined)
})

test('the client decides how fresh it has to be', async () => {
  let count = 0
  await using peer = await Peer.start(() => reply(`answer ${++count}`, ['Cache-Control: max-age=60']))
  await using server = await startViaduct(cachedConf(peer, ON))
  assert.match(await ask(server, '/a', ['Cache-Control: only-if-cached']), /^HTTP\/1.1 504 /)
  assert.equal(await outcome(server, '/a'), 'MISS answer 1')
  assert.equal(await outcome(server, '/a', ['Cache-Control: max-age=10, min-fresh=5']), 'HIT answer 1')
  assert.equal(await outcome(server, '/a', ['Cache-Control: min-fresh=70']), 'EXPIRED answer 2')
  assert.equal(await outcome(server, '/a', ['Pragma: no-cache']), 'EXPIRED answer 3')
  assert.equal(await outcome(server, '/a', ['Cache-Control: only-if-cached']), 'HIT answer 3')
})

test('304 changes the stored head', async () => {
  await using peer = await Peer.start((request) =>
    request.field('if-none-match') === undefined
      ? reply('x', ['Cache-Control: max-age=0', 'ETag: "e"', 'A: old', 'B: kept'])
      : 'HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\nA: new\r\nContent-Length: 9\r\n\r\n',
  )
  await using server = await startViaduct(cachedConf(peer, ON))
  await ask(server, '/a')
  for (const status of ['REVALIDATED', 'HIT']) {
    const response = await ask(server, '/a')
    assert.deepEqual([field(response, 'X-Cache'), field(response, 'A'), field(response, 'B')], [status, 'new', 'kept'])
    assert.match(response, /Content-Length: 1\r\n[\s\S]*\r\n\r\nx$/)
  }
  assert.equal(peer.requests.length, 2)
})

test('what an unsafe method changes is forgotten, and what its answer names', async () => {
  let count = 0
  await using peer = await Peer.start(({ line }) => {
    if (line.startsWith('POST /fails')) return reply('', [], '500 Internal Server Error')
    if (line.startsWith('POST')) return reply('', ['Location: /b', 'Content-Location: http://x/c'])
    return reply(`answer ${++count}`, ['Cache-Control: max-age=60'])
  })
  await using server = await startViaduct(cachedConf(peer, ON))
  const get = async () =>
    (await Promise.all(['/a', '/b', '/c', '/fails'].map((path) => outcome(server, path)))).map((text) =>
      text.slice(0, 4),
    )
  await get()
  assert.deepEqual(await get(), ['HIT ', 'HIT ', 'HIT ', 'HIT '])
  await ask(server, '/a', ['Content-Length: 0'], 'POST')
  await ask(server, '/fails', ['Content-Length: 0'], 'POST')
  assert.deepEqual(await get(), ['MISS', 'MISS', 'MISS', 'HIT '])
})

test('who must be revalidated is not served stale; errors are made up for as the response allows', async () => {
  let broken = false
  await using peer = await Peer.start(({ line, socket }) => {
    if (broken) {
      socket.destroy()
      return undefined
    }
    const control = line.includes('/strict') ? 'must-revalidate, ' : ''
    return reply('x', [`Cache-Control: ${control}max-age=0, stale-if-error=60`, 'ETag: "e"'])
  })
  await using server = await startViaduct(cachedConf(peer, `${ON} proxy_cache_use_stale error;`))
  for (const path of ['/strict', '/lenient']) await ask(server, path)
  broken = true
  assert.match(await ask(server, '/strict'), /^HTTP\/1.1 502 /)
  assert.match(await outcome(server, '/lenient'), /^STALE x$/)
})

test('conditions are tested by the rules', async () => {
  await using peer = await Peer.start(() =>
    reply('x', ['Cache-Control: max-age=60', 'ETag: "e"', 'Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT']),
  )
  await using server = await startViaduct(cachedConf(peer, ON))
  await ask(server, '/a')
  assert.match(
    await ask(server, '/a', ['If-None-Match: "e"', 'If-Modified-Since: Wed, 21 Oct 2014 07:28:00 GMT']),
    /^HTTP\/1.1 304 /,
  )
  assert.match(await ask(server, '/a', ['If-Modified-Since: Wed, 21 Oct 2020 07:28:00 GMT']), /^HTTP\/1.1 304 /)
  assert.match(await ask(server, '/a', ['Range: bytes=0-0']), /^HTTP\/1.1 206 /)
})
