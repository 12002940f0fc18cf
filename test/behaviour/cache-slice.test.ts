/** slice: one response of many answers, cached piece by piece. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, cachedConf, outcome } from '../harness/cached.ts'
import { Peer, type PeerRequest, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const SLICE =
  'slice 4; proxy_cache_key $uri$slice_range; proxy_set_header Range $slice_range; proxy_cache_valid 200 206 1m;'
const WHOLE = '0123456789abcdef!'

/** Answers for the range that is asked for; `fields` may depend on where it begins. */
function slicing({ field }: PeerRequest, fields: (start: number) => readonly string[] = () => []): string {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(field('range') ?? '') ?? []
  if (from === undefined) return reply(WHOLE)
  const end = Math.min(Number(to) + 1, WHOLE.length)
  const range = `Content-Range: bytes ${from}-${end - 1}/${WHOLE.length}`
  return reply(WHOLE.slice(Number(from), end), [range, ...fields(Number(from))], '206 Partial Content')
}

const ranges = (peer: Peer) => peer.requests.map((request) => request.field('range'))

test('the whole, and parts of it', async () => {
  await using peer = await Peer.start((request) => slicing(request))
  await using server = await startViaduct(cachedConf(peer, SLICE))
  const part = await ask(server, '/a', ['Range: bytes=6-9'])
  assert.match(part, /^HTTP\/1.1 206 [\s\S]*Content-Range: bytes 6-9\/17\r\n[\s\S]*\r\n6789$/)
  assert.deepEqual(ranges(peer), ['bytes=4-7', 'bytes=8-11'])
  assert.equal(await outcome(server, '/a'), `MISS ${WHOLE}`)
  assert.deepEqual(ranges(peer).slice(2), ['bytes=0-3', 'bytes=12-15', 'bytes=16-19'])
  assert.equal(await outcome(server, '/a'), `HIT ${WHOLE}`)
  assert.match(await ask(server, '/a', ['Range: bytes=-3']), /^HTTP\/1.1 206 [\s\S]*\r\n\r\nef!$/)
  assert.match(await ask(server, '/a', [], 'HEAD'), /^HTTP\/1.1 200 [\s\S]*Content-Length: 17\r\n/)
  assert.equal(peer.requests.length, 5)
})

test('a slice that does not fit cuts the response off', async () => {
  for (const [name, answer] of [
    ['another tag', (request: PeerRequest) => slicing(request, (start) => [`ETag: "${start > 4 ? 'b' : 'a'}"`])],
    [
      'another status',
      (request: PeerRequest) => (request.field('range') === 'bytes=8-11' ? reply(WHOLE) : slicing(request)),
    ],
    [
      'a short body',
      (request: PeerRequest) => {
        if (request.field('range') !== 'bytes=8-11') return slicing(request)
        request.socket.end('HTTP/1.1 206 P\r\nContent-Range: bytes 8-11/17\r\nContent-Length: 4\r\n\r\n8')
        return undefined
      },
    ],
  ] as const) {
    await using peer = await Peer.start(answer)
    await using server = await startViaduct(cachedConf(peer, SLICE))
    const body = (await ask(server, '/a')).split('\r\n\r\n')[1] ?? ''
    assert.ok(body.length < WHOLE.length, `${name}: ${body}`)
    assert.ok(WHOLE.startsWith(body), name)
  }
})

test('a slice that does not fit is not kept', async () => {
  let isBroken = true
  await using peer = await Peer.start((request) => {
    const from = request.field('range')
    // The first, then one behind it: each is another part than was asked for.
    if (isBroken && (from === 'bytes=0-3' || from === 'bytes=8-11')) {
      isBroken = false
      return reply('4567', [`Content-Range: bytes 4-7/${WHOLE.length}`], '206 Partial Content')
    }
    return slicing(request)
  })
  await using server = await startViaduct(cachedConf(peer, SLICE))
  assert.equal(await ask(server, '/a'), '')
  assert.equal(await outcome(server, '/a'), `MISS ${WHOLE}`)
  isBroken = true
  assert.equal(await ask(server, '/b', ['Range: bytes=4-15']), '')
  assert.match(await ask(server, '/b', ['Range: bytes=4-15']), /\r\n456789abcdef$/)
  assert.deepEqual(ranges(peer).slice(-4), ['bytes=4-7', 'bytes=8-11', 'bytes=8-11', 'bytes=12-15'])
  await server.logged(/unexpected range in slice response: 4-8, expected: 8-8/)
})

test('a stale slice is renewed by the same slice', async () => {
  let fields = ['X-Accel-Expires: @1']
  await using peer = await Peer.start((request) => slicing(request, () => fields))
  const stale = 'proxy_cache_background_update on; proxy_cache_use_stale updating;'
  await using server = await startViaduct(cachedConf(peer, SLICE + stale))
  assert.equal(await outcome(server, '/a'), `MISS ${WHOLE}`)
  fields = ['X-Accel-Expires: 60']
  assert.equal(await outcome(server, '/a'), `STALE ${WHOLE}`)
  await server.until('all slices renewed', () => peer.requests.length === 10)
  assert.deepEqual(ranges(peer).slice(5).sort(), ranges(peer).slice(0, 5).sort())
  await server.until('hits', async () => (await outcome(server, '/a')) === `HIT ${WHOLE}`)
  assert.equal(peer.requests.length, 10)
})

test('a back end without ranges is passed on as it is', async () => {
  await using peer = await Peer.start(() => reply(WHOLE))
  await using server = await startViaduct(cachedConf(peer, SLICE))
  assert.equal(await outcome(server, '/a'), `MISS ${WHOLE}`)
})
