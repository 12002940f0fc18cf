/** Responses that are kept although their client leaves, is slow, or wanted no body. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RST_STREAM } from '../../src/http/h2/wire/frames.ts'
import { ask, cachedConf, outcome } from '../harness/cached.ts'
import { H2Client } from '../harness/h2-client.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

// Who comes early waits, and does not ask once more.
const KEEP = 'proxy_cache_valid 1m; proxy_cache_lock on;'
const BIG = 'x'.repeat(5_000_000)

test('a client that leaves in the middle', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(cachedConf(peer, KEEP))
  using client = await server.connect()
  client.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until(() => peer.requests.length === 1)
  const { socket } = peer.requests[0]!
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
  await client.until(/abc$/)
  client.socket.resetAndDestroy()
  socket.write('def')
  await server.until(
    'kept',
    async () => peer.requests.length === 1 && (await outcome(server, '/a', ['Cache: x'])) === 'HIT abcdef',
  )
})

test('and one that leaves before an answer that is not to be kept', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(cachedConf(peer, `${KEEP} access_log %%DIR%%/requests.log;`))
  using client = await server.connect()
  client.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until(() => peer.requests.length === 1)
  client.close()
  await server.logged(/client prematurely closed connection(?!, so upstream)/)
  const { socket } = peer.requests[0]!
  socket.write('HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 6\r\n\r\nabc')
  // The server lets go of it.
  await peer.until(() => socket.destroyed || socket.readableEnded)
  await server.until('logged', () => / 499 /.test(server.prefix.read('requests.log')))
})

test('HEAD is answered at once, and the body kept', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(cachedConf(peer, KEEP))
  using client = await server.connect()
  client.write('HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until(() => peer.requests.length === 1)
  const { socket } = peer.requests[0]!
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
  await client.until(/Content-Length: 6\r\n[\s\S]*\r\n\r\n$/)
  socket.write('def')
  await server.until('kept', async () => (await outcome(server, '/a')) === 'HIT abcdef')
})

test('its log tells of the whole response, though the next request of the connection has been answered', async () => {
  const FORMAT =
    "log_format f '$request_method $status $upstream_status $upstream_response_length $upstream_response_time';"
  for (const method of ['HEAD', 'GET']) {
    await using peer = await Peer.start(({ line }) => (line.startsWith('GET /b') ? reply('b') : undefined))
    const conf = cachedConf(peer, `${KEEP} access_log %%DIR%%/requests.log f;`, FORMAT)
    await using server = await startViaduct(conf)
    using client = await server.connect()
    client.write(`${method} /a HTTP/1.1\r\nHost: x\r\nIf-None-Match: "t"\r\n\r\n`)
    await peer.until(() => peer.requests.length === 1)
    const { socket } = peer.requests[0]!
    socket.write('HTTP/1.1 200 OK\r\nETag: "t"\r\nContent-Length: 6\r\n\r\nabc')
    await client.until(/^ETag: "t"\r\n[\s\S]*\r\n\r\n$/im)
    client.write('GET /b HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.until(/\r\n\r\nb$/)
    await server.until('the second is logged', () => server.prefix.read('requests.log') !== '')
    assert.match(server.prefix.read('requests.log'), /^GET 200 200 1 \d\.\d{3}\n$/)
    socket.write('def')
    await server.until('the first is', () => server.prefix.read('requests.log').split('\n').length > 2)
    const line = new RegExp(`^${method} 304 200 6 \\d\\.\\d{3}$`)
    assert.match(server.prefix.read('requests.log').split('\n')[1]!, line)
  }
})

test('a slow client holds nobody up', async () => {
  await using peer = await Peer.start(() => reply(BIG))
  await using server = await startViaduct(cachedConf(peer, `${KEEP} proxy_buffers 3 4k; proxy_max_temp_file_size 0;`))
  using slow = await server.connect()
  slow.socket.pause()
  slow.write('GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  // The whole response is in the cache before the slow client has read any of it.
  await peer.until(() => peer.requests.length === 1)
  assert.equal((await outcome(server, '/a')).length, 'HIT '.length + BIG.length)
  assert.equal(peer.requests.length, 1)
  slow.socket.resume()
  assert.equal((await slow.rest()).split('\r\n\r\n')[1]?.length, BIG.length)
})

test('over HTTP/2: hits, ranges, and streams that are reset', async () => {
  await using peer = await Peer.start(() => reply('0123456789', ['Accept-Ranges: bytes']))
  const conf = cachedConf(peer, KEEP).replace('server {', 'server { http2 on;')
  await using server = await startViaduct(conf)
  await ask(server, '/a')
  await using client = await H2Client.connect(server.port())
  client.request(1, { path: '/a' })
  assert.equal((await client.response(1)).body, '0123456789')
  client.request(3, { path: '/a', fields: [['range', 'bytes=1-2']] })
  const part = await client.response(3)
  assert.deepEqual([part.status, part.body], [206, '12'])
  assert.equal(peer.requests.length, 1)
})

for (const how of ['resets its stream', 'closes its connection']) {
  test(`over HTTP/2, a client that ${how} in the middle`, async () => {
    await using peer = await Peer.start(() => undefined)
    await using server = await startViaduct(cachedConf(peer, KEEP).replace('server {', 'server { http2 on;'))
    await using client = await H2Client.connect(server.port())
    client.request(1, { path: '/a' })
    await peer.until(() => peer.requests.length === 1)
    const { socket } = peer.requests[0]!
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
    await server.until('the first bytes', () => client.soFar(1).body === 'abc')
    if (how.startsWith('resets')) client.frame(RST_STREAM, 0, 1, '\0\0\0\x08')
    else client.close()
    await client.settled().catch(() => {})
    socket.write('def')
    await server.until('kept', async () => (await outcome(server, '/a')) === 'HIT abcdef')
    assert.equal(peer.requests.length, 1)
  })
}
