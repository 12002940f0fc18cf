/** fastcgi_keep_conn: connections are used again, and never keep a server from those who wait for it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { test } from 'node:test'
import { answer, END_OF_REQUEST, FastcgiPeer, record, STDOUT } from '../harness/fastcgi-peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const conf = (port: number, location = '', more = '') => `${more} http {
  upstream app { server 127.0.0.1:${port}; keepalive 8; }
  server { listen 127.0.0.1:%%PORT_0%%; location / { fastcgi_pass app; fastcgi_keep_conn on; ${location} } } }`

/** Asks on a connection of its own. */
async function get(server: Server, path = '/'): Promise<string> {
  const request = http.get(server.url(path), { agent: false })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  return (await response.toArray()).join('')
}

test('answers of all kinds leave the connection for others', async () => {
  const answers: Record<string, string> = {
    '/length': answer('Content-Length: 2\r\n\r\nok'),
    '/none': answer('A: b\r\n\r\nok'),
    '/padded': record(STDOUT, 'A: b\r\n\r\nok', 7) + record(STDOUT, '', 200) + END_OF_REQUEST,
    '/empty': answer('Content-Length: 0\r\n\r\n'),
  }
  await using peer = await FastcgiPeer.start(({ params }) => answers[params.get('URI')!]!)
  await using server = await startViaduct(conf(peer.port, 'fastcgi_param URI $uri;'))
  for (let round = 0; round < 2; round++) {
    for (const path of Object.keys(answers)) {
      const text = await (await fetch(server.url(path))).text()
      assert.equal(text, path === '/empty' ? '' : 'ok', path)
    }
  }
  assert.equal(peer.sockets.length, 1)
})

test('answers whose body nobody wants leave it too, when they have come with their head', async () => {
  const answers: Record<string, string> = {
    '/': answer('Content-Length: 2\r\n\r\n'),
    '/same': answer('Status: 304\r\nETag: "a"\r\n\r\n'),
    '/error': answer('Status: 503\r\n\r\nthis is shown to nobody'),
  }
  await using peer = await FastcgiPeer.start(({ params }) => answers[params.get('URI')!]!)
  const location = 'fastcgi_param URI $uri; fastcgi_intercept_errors on; error_page 503 /busy.html;'
  await using server = await startViaduct(
    conf(peer.port, location).replace('} } }', '} location /busy { return 200 busy; } } }'),
  )
  for (let round = 0; round < 2; round++) {
    assert.equal((await fetch(server.url('/'), { method: 'HEAD' })).headers.get('content-length'), '2')
    assert.equal((await fetch(server.url('/same'))).status, 304)
    assert.equal(await (await fetch(server.url('/error'))).text(), 'busy')
  }
  assert.equal(peer.sockets.length, 1)
})

test('what stands behind the end of an answer costs the connection and nothing else', async () => {
  await using peer = await FastcgiPeer.start(() => `${answer('A: b\r\n\r\nok')}\x01\x06`)
  await using server = await startViaduct(conf(peer.port))
  for (let i = 0; i < 3; i++) assert.equal(await get(server), 'ok')
  assert.equal(peer.sockets.length, 3)
  assert.doesNotMatch(server.errorLog(), /\[(warn|error)\]/)
})

test('a server that has closed the connection meanwhile is asked again', async () => {
  await using peer = await FastcgiPeer.start()
  await using server = await startViaduct(conf(peer.port))
  assert.equal(await get(server), 'ok')
  const [first] = peer.sockets
  first!.removeAllListeners('data').once('data', () => first!.resetAndDestroy())
  assert.equal(await get(server), 'ok')
  assert.equal(peer.sockets.length, 2)
})

test('a connection that ends without END_REQUEST has not answered in full', async () => {
  await using peer = await FastcgiPeer.start(
    ({ socket }) => void socket.end(record(STDOUT, 'A: b\r\n\r\nok'), 'latin1'),
  )
  await using server = await startViaduct(conf(peer.port))
  await assert.rejects(get(server))
  assert.match(server.errorLog(), /upstream prematurely closed connection while reading upstream/)
})

test('a server with one process serves all threads in turn', async () => {
  await using peer = await FastcgiPeer.start()
  peer.children = 1
  await using server = await startViaduct(conf(peer.port, 'fastcgi_read_timeout 5s;', 'worker_processes 4;'))
  for (let i = 0; i < 30; i++) assert.equal(await get(server), 'ok', `request ${i}`)
  assert.ok(peer.sockets.length > 1, 'more than one thread was asked')
  await Promise.all(Array.from({ length: 30 }, async () => assert.equal(await get(server), 'ok')))
  assert.doesNotMatch(server.errorLog(), /timed out/)
})
