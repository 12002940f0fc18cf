/** proxy_cache_lock: one request fetches, the others get what it gets, as soon as there is something. */
import assert from 'node:assert/strict'
import type net from 'node:net'
import { test } from 'node:test'
import { ask, cachedConf, EXPIRED, outcome } from '../harness/cached.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const LOCK = 'proxy_cache_lock on; proxy_cache_lock_timeout 60s; proxy_cache_lock_age 60s; proxy_cache_valid 1m;'
const FIFTY = Array.from({ length: 50 })

/** A back end that answers when it is told to. */
class Held {
  readonly sockets: net.Socket[] = []
  readonly peer: Promise<Peer>

  constructor(first?: string) {
    this.peer = Peer.start(({ socket, line }) => {
      if (first !== undefined && line.includes('first')) return first
      this.sockets.push(socket)
      return undefined
    })
  }
}

for (const workers of [1, 3]) {
  test(`fifty clients of one missing response are one request: ${workers} workers`, async () => {
    const held = new Held()
    await using peer = await held.peer
    const conf = cachedConf(peer, LOCK).replace('worker_processes 1', `worker_processes ${workers}`)
    await using server = await startViaduct(conf)
    const answers = FIFTY.map(() => outcome(server, '/a'))
    await peer.until(() => held.sockets.length > 0)
    held.sockets[0]!.write(reply('x'))
    const found = await Promise.all(answers)
    assert.deepEqual([...new Set(found)].sort(), ['HIT x', 'MISS x'])
    assert.equal(peer.requests.length, 1)
  })
}

test('fifty clients of one expired response are one request', async () => {
  const held = new Held()
  await using peer = await held.peer
  await using server = await startViaduct(cachedConf(peer, LOCK))
  const first = ask(server, '/a')
  await peer.until(() => held.sockets.length > 0)
  held.sockets[0]!.write(reply('old', [EXPIRED]))
  await first
  const answers = FIFTY.map(() => outcome(server, '/a'))
  await peer.until(() => held.sockets.length > 1)
  held.sockets[1]!.write(reply('new'))
  assert.deepEqual([...new Set(await Promise.all(answers))].sort(), ['EXPIRED new', 'HIT new'])
  assert.equal(peer.requests.length, 2)
})

test('who waits gets the body while it comes', async () => {
  const held = new Held()
  await using peer = await held.peer
  await using server = await startViaduct(cachedConf(peer, LOCK))
  using fetcher = await server.connect()
  fetcher.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until(() => held.sockets.length > 0)
  using follower = await server.connect()
  follower.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
  held.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
  await fetcher.until(/abc$/)
  assert.match(await follower.until(/abc$/), /Content-Length: 6\r\n[\s\S]*X-Cache: HIT/)
  held.sockets[0]!.write('def')
  await Promise.all([fetcher.until(/abcdef$/), follower.until(/abcdef$/)])
  assert.equal(peer.requests.length, 1)
})

test('a fetch that breaks off breaks off who follows it, and nothing is kept', async () => {
  const held = new Held()
  await using peer = await held.peer
  await using server = await startViaduct(cachedConf(peer, LOCK))
  const fetcher = ask(server, '/a')
  await peer.until(() => held.sockets.length > 0)
  using follower = await server.connect()
  follower.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
  held.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
  await follower.until(/abc$/)
  held.sockets[0]!.destroy()
  assert.match(await fetcher, /abc$/)
  assert.match(await follower.rest(), /abc$/)
  const again = outcome(server, '/a')
  await peer.until(() => held.sockets.length > 1)
  held.sockets[1]!.write(reply('whole'))
  assert.equal(await again, 'MISS whole')
})

test('an answer that may not be kept lets all who wait go at once, and the next need not wait', async () => {
  const held = new Held()
  await using peer = await held.peer
  await using server = await startViaduct(cachedConf(peer, LOCK))
  const answers = FIFTY.slice(0, 5).map(() => outcome(server, '/a'))
  await peer.until(() => held.sockets.length > 0)
  held.sockets[0]!.write(reply('one', ['Cache-Control: private']))
  // Nobody has answered these yet: they are all under way together.
  await peer.until(() => held.sockets.length === 5)
  for (const socket of held.sockets.slice(1)) socket.write(reply('own', ['Cache-Control: private']))
  assert.deepEqual((await Promise.all(answers)).sort(), ['MISS one', ...FIFTY.slice(0, 4).map(() => 'MISS own')].sort())
  const more = FIFTY.slice(0, 2).map(() => outcome(server, '/a'))
  await peer.until(() => held.sockets.length === 7)
  for (const socket of held.sockets.slice(5)) socket.write(reply('own', ['Cache-Control: private']))
  assert.deepEqual(await Promise.all(more), ['MISS own', 'MISS own'])
})

test('whose patience ends asks for himself, and what he gets is not kept', async () => {
  const held = new Held()
  await using peer = await held.peer
  await using server = await startViaduct(cachedConf(peer, `${LOCK}`.replace('lock_timeout 60s', 'lock_timeout 50ms')))
  const first = outcome(server, '/a')
  await peer.until(() => held.sockets.length > 0)
  const second = outcome(server, '/a')
  await peer.until(() => held.sockets.length > 1)
  held.sockets[1]!.write(reply('second'))
  assert.equal(await second, 'MISS second')
  held.sockets[0]!.write(reply('first'))
  assert.equal(await first, 'MISS first')
  assert.equal(await outcome(server, '/a'), 'HIT first')
  await server.logged(/\[info\].* cache lock timeout/)
})

test('another one fetches when the first has left before its answer came, which is kept all the same', async () => {
  const held = new Held()
  await using peer = await held.peer
  await using server = await startViaduct(cachedConf(peer, LOCK))
  using gone = await server.connect()
  gone.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until(() => held.sockets.length > 0)
  const waiting = outcome(server, '/a')
  gone.close()
  held.sockets[0]!.write(reply('x'))
  assert.equal(await waiting, 'HIT x')
  assert.equal(peer.requests.length, 1)
})
