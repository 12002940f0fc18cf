/** What happens to the back end when the client leaves: `proxy_ignore_client_abort`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const conf = (
  peer: Peer,
  more = '',
) => `http { access_log %%DIR%%/access.log all; log_format all '$status $upstream_status';
  server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://127.0.0.1:${peer.port}; ${more} } } }`

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

test('the back end is left at once, and 499 is logged', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(conf(peer))
  using client = await server.connect()
  client.write(REQUEST)
  await peer.until(() => peer.requests.length === 1)
  client.close()
  await peer.until(() => peer.sockets[0]!.readableEnded || peer.sockets[0]!.destroyed)
  await server.until('it is logged', () => server.accessLog() === '499 -\n')
})

test('a client that only ends its side counts as gone', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(conf(peer))
  using client = await server.connect()
  client.write(REQUEST)
  await peer.until(() => peer.requests.length === 1)
  client.socket.end()
  await client.rest()
  await server.until('it is logged', () => server.accessLog() === '499 -\n')
})

test('proxy_ignore_client_abort hears the back end out', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(conf(peer, 'proxy_ignore_client_abort on;'))
  using client = await server.connect()
  client.write(REQUEST)
  await peer.until(() => peer.requests.length === 1)
  client.socket.end()
  peer.sockets[0]!.write(reply('heard'))
  assert.match(await client.rest(), /heard$/)
  await server.until('it is logged', () => server.accessLog() === '200 200\n')
})

test('during the response the back end is left too', async () => {
  await using peer = await Peer.start(() => 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin')
  await using server = await startViaduct(conf(peer))
  using client = await server.connect()
  client.write(REQUEST)
  await client.until(/begin$/)
  client.close()
  await peer.until(() => peer.sockets[0]!.readableEnded || peer.sockets[0]!.destroyed)
  await server.until('it is logged', () => /^(200|499) 200\n$/.test(server.accessLog()))
})
