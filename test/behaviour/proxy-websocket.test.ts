/** Tunnels after 101: bytes both ways, early bytes, back-pressure, ends and time-outs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Client, type Server, startViaduct } from '../harness/server.ts'
import { standstill } from '../harness/wait.ts'

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\nX-A: 1\r\n\r\n'
const UPGRADE = 'GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n'
const LARGE = 'abcdefgh'.repeat(500_000)

const conf = (peer: Peer, more = '') => `http { access_log %%DIR%%/access.log all;
  log_format all '$status $bytes_sent $body_bytes_sent $upstream_status $upstream_bytes_received';
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server { listen 127.0.0.1:%%PORT_0%%; location / {
    proxy_pass http://127.0.0.1:${peer.port}; proxy_http_version 1.1; ${more}
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; } } }`

async function upgraded(server: Server): Promise<Client> {
  const client = await server.connect()
  client.write(UPGRADE)
  await client.until(/\r\n\r\n/)
  return client
}

test('the switch and bytes both ways', async (t) => {
  await using peer = await Peer.start(() => SWITCH)
  await using server = await startViaduct(conf(peer))
  using client = await upgraded(server)
  await t.test('the request has the fields of an upgrade', () => {
    assert.equal(peer.request.field('upgrade'), 'echo')
    assert.equal(peer.request.field('connection'), 'upgrade')
  })
  await t.test('the answer is 101 with Upgrade and Connection', () => {
    assert.match(client.received, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
    assert.match(client.received, /\r\nUpgrade: echo\r\n/)
    assert.match(client.received, /\r\nConnection: upgrade\r\n/)
    assert.match(client.received, /\r\nX-A: 1\r\n/)
  })
  await t.test('bytes pass at once', async () => {
    client.write('\x00to')
    await peer.until(() => peer.received[0]!.endsWith('\x00to'))
    peer.sockets[0]!.write('\xfffrom', 'latin1')
    await client.until(/\xfffrom$/)
  })
  await t.test('megabytes pass in order, both ways at once', async () => {
    client.write(LARGE)
    peer.sockets[0]!.write(LARGE)
    await client.until(/gh$/)
    await peer.until(() => peer.received[0]!.length > LARGE.length)
    await server.until('all is there', () => client.received.endsWith(LARGE) && peer.received[0]!.endsWith(LARGE))
  })
})

test('bytes behind the 101 and behind the request are not lost', async () => {
  await using peer = await Peer.start(() => `${SWITCH}early from server`)
  await using server = await startViaduct(conf(peer))
  using client = await server.connect()
  client.write(`${UPGRADE}early from client`)
  await client.until(/early from server$/)
  await peer.until(() => peer.received[0]!.endsWith('early from client'))
})

test('an end of either side ends both, after the last bytes', async (t) => {
  await using peer = await Peer.start(() => SWITCH)
  await using server = await startViaduct(conf(peer))
  await t.test('back end', async () => {
    const client = await upgraded(server)
    peer.sockets.at(-1)!.end('bye')
    assert.ok((await client.rest()).endsWith('bye'))
  })
  await t.test('client', async () => {
    const client = await upgraded(server)
    client.socket.end('bye')
    await peer.until(() => peer.received.at(-1)!.endsWith('bye') && peer.sockets.at(-1)!.readableEnded)
    await client.rest()
  })
  await t.test('back end, with a reset', async () => {
    const client = await upgraded(server)
    peer.sockets.at(-1)!.resetAndDestroy()
    await client.rest()
  })
  await t.test('client, with a reset', async () => {
    const client = await upgraded(server)
    client.socket.resetAndDestroy()
    await peer.until(() => peer.sockets.at(-1)!.destroyed)
  })
  await server.until('all are logged', () => server.accessLog().split('\n').length === 5)
  assert.match(server.accessLog(), /^101 \d+ 3 101 \d+$/m)
})

test('with proxy_half_close a back end that has ended still receives', async () => {
  await using peer = await Peer.start(() => SWITCH)
  await using server = await startViaduct(conf(peer, 'proxy_half_close on;'))
  const client = await upgraded(server)
  client.socket.allowHalfOpen = true
  peer.sockets.at(-1)!.end('bye')
  await client.until(/bye$/)
  client.socket.end('late')
  await peer.until(() => peer.received.at(-1)!.endsWith('late') && peer.sockets.at(-1)!.readableEnded)
  await server.until('it is logged', () => server.accessLog() !== '')
})

test('a client that does not read makes the back end wait', async () => {
  await using peer = await Peer.start(() => SWITCH)
  await using server = await startViaduct(conf(peer))
  using client = await upgraded(server)
  client.socket.pause()
  const back = peer.sockets[0]!
  for (let i = 0; i < 10; i++) back.write(LARGE)
  await standstill(() => back.writableLength)
  assert.ok(back.writableLength > 0)
  client.socket.resume()
  await server.until('all arrives', () => client.received.length > 10 * LARGE.length)
})

test('a back end that does not read makes the client wait', async () => {
  await using peer = await Peer.start(() => SWITCH)
  await using server = await startViaduct(conf(peer))
  using client = await upgraded(server)
  peer.sockets[0]!.pause()
  for (let i = 0; i < 10; i++) client.write(LARGE)
  await standstill(() => client.socket.writableLength)
  assert.ok(client.socket.writableLength > 0)
  peer.sockets[0]!.resume()
  await server.until('all arrives', () => peer.received[0]!.length > 10 * LARGE.length)
})

test('silence ends a tunnel after proxy_read_timeout, talk of either side does not', async () => {
  await using peer = await Peer.start(() => SWITCH)
  await using server = await startViaduct(conf(peer, 'proxy_read_timeout 1s;'))
  using client = await upgraded(server)
  const start = performance.now()
  for (let i = 1; performance.now() - start < 1500; i++) {
    client.write('x')
    await peer.until(() => peer.received[0]!.endsWith('x'.repeat(i)))
  }
  await client.rest()
  assert.ok(performance.now() - start > 2400)
})

test('an upgrade that is refused is an ordinary response', async () => {
  await using peer = await Peer.start(() => reply('no', [], '426 Upgrade Required'))
  await using server = await startViaduct(conf(peer))
  using client = await server.connect()
  client.write(UPGRADE)
  assert.match(await client.until(/no$/), /^HTTP\/1\.1 426 /)
  assert.doesNotMatch(client.received, /Connection: upgrade/i)
})

test('101 that nobody asked for is no tunnel', async () => {
  await using peer = await Peer.start(() => SWITCH)
  await using server = await startViaduct(
    conf(
      peer,
      `} location /plain {
    proxy_pass http://127.0.0.1:${peer.port}; } location /rest { proxy_pass http://127.0.0.1:${peer.port};`,
    ),
  )
  assert.match(
    await server.raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    /^HTTP\/1\.1 502 .*\r\n\r\n$/s,
  )
  await server.logged(/upstream sent unexpected status "101" while reading response header from upstream/)
  // The client asked, and the back end was not told.
  using client = await server.connect()
  client.write(UPGRADE.replace('/chat', '/plain'))
  await client.until(/^HTTP\/1\.1 502 /)
})
