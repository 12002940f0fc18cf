/** HTTP/2 clients that leave, take back a request, or send too much of one: what the back end and the log see of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CANCEL, END_STREAM, NO_ERROR, rstStream } from '../../src/http/h2/wire/frames.ts'
import { H2Client } from '../harness/h2-client.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const conf = (port: number) => `http {
  log_format h2 '$request_uri|$status|$request_completion';
  access_log access.log h2;
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    max_headers 10;
    location / { proxy_pass http://127.0.0.1:${port}; }
    location /on { proxy_ignore_client_abort on; proxy_pass http://127.0.0.1:${port}; }
    location /streamed { proxy_request_buffering off; proxy_pass http://127.0.0.1:${port}; }
    location /first { return 200; }
  }
}`

test('a request that is taken back', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(conf(peer.port))
  await using client = await H2Client.connect(server.prefix.port())
  client.request(1, { path: '/back' })
  await peer.until(() => peer.requests.length === 1)
  client.write(rstStream(1, CANCEL))
  await peer.until(() => peer.sockets[0]!.closed)
  await server.until('it is logged', () => server.prefix.read('access.log').includes('/back|499|'))
})

test('an upload that is broken off is a bad request where it is passed on as it comes', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(conf(peer.port))
  await using client = await H2Client.connect(server.prefix.port())
  const log = () => server.prefix.read('access.log')
  for (const [id, path] of [
    [1, '/streamed'],
    [3, '/back'],
  ] as const) {
    client.request(id, { method: 'POST', path, open: true })
    client.data(id, 'x'.repeat(1000))
    await client.settled()
    client.write(rstStream(id, CANCEL))
  }
  await server.until('both are logged', () => log().includes('/streamed|400|') && log().includes('/back|499|'))
})

test('a request that goes on without its client', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(conf(peer.port))
  await using client = await H2Client.connect(server.prefix.port())
  client.request(1, { path: '/on' })
  await peer.until(() => peer.requests.length === 1)
  client.write(rstStream(1, CANCEL))
  await client.settled()
  peer.sockets[0]!.write(reply('x'.repeat(500_000)))
  await server.until('it is logged', () => server.prefix.read('access.log').includes('/on|200|OK'))
  assert.equal(client.soFar(1).status, 0)
  client.request(3, { path: '/first' })
  assert.equal((await client.response(3)).status, 200)
})

test('a connection that is lost', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(conf(peer.port))
  const client = await H2Client.connect(server.prefix.port())
  for (const id of [1, 3, 5]) client.request(id, { path: `/lost${id}` })
  await peer.until(() => peer.requests.length === 3)
  client.close()
  await server.until('all are logged', () => {
    const log = server.prefix.read('access.log')
    return [1, 3, 5].every((id) => log.includes(`/lost${id}|499|`))
  })
})

test('a response while the body still comes', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(conf(peer.port))
  await using client = await H2Client.connect(server.prefix.port())
  client.request(1, { method: 'POST', path: '/first', open: true })
  client.data(1, 'x'.repeat(1000))
  const { status } = await client.response(1)
  assert.equal(status, 200)
  assert.equal(await client.reset(1), NO_ERROR)
  // What is on its way then is no mistake.
  client.data(1, 'y'.repeat(1000), true)
  client.request(3, { path: '/first' })
  assert.equal((await client.response(3)).status, 200)
})

test('more fields than are allowed', async () => {
  await using peer = await Peer.start(() => reply('ok'))
  await using server = await startViaduct(conf(peer.port))
  await using client = await H2Client.connect(server.prefix.port())
  const fields = (count: number) => Array.from({ length: count }, (_, i) => [`x-${i}`, 'y'] as const)
  client.request(1, { fields: fields(10) })
  assert.equal((await client.response(1)).status, 200)
  client.request(3, { fields: fields(11) })
  const { status, body } = await client.response(3)
  assert.equal(status, 400)
  assert.match(body, /Request Header Or Cookie Too Large/)
  assert.ok(client.frames.some((frame) => frame.stream === 3 && (frame.flags & END_STREAM) !== 0))
})

test('a reload keeps connections', async () => {
  await using peer = await Peer.start(() => reply('ok'))
  await using server = await startViaduct(conf(peer.port))
  await using client = await H2Client.connect(server.prefix.port())
  client.request(1)
  await client.response(1)
  await server.reload(conf(peer.port).replace('return 200', 'return 201'))
  client.request(3, { path: '/first' })
  assert.equal((await client.response(3)).status, 201)
})
