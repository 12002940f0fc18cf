/**
 * What happens to the back end when the client leaves: `proxy_ignore_client_abort`, and bodies that are cut while they are
 * streamed, for which there is 400 as in nginx (ngx_http_read_unbuffered_request_body).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CANCEL, rstStream } from '../../src/http/h2/wire/frames.ts'
import { H2Client } from '../harness/h2-client.ts'
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

const BEGINNING = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nbegin'
const STREAMED = 'proxy_request_buffering off;'
const IGNORED = `${STREAMED} proxy_ignore_client_abort on;`

/** Begins requests whose heads come alone; what they send more is never cut by the harness. */
const silent = (): Promise<Peer> => Peer.start(() => undefined)

for (const more of [STREAMED, IGNORED]) {
  test(`a streamed body is cut: ${more}`, async () => {
    await using peer = await silent()
    await using server = await startViaduct(conf(peer, more))
    using client = await server.connect()
    client.write(BEGINNING)
    await peer.until(() => peer.received[0]?.endsWith('begin') === true)
    client.socket.end()
    await client.rest()
    await server.until('it is logged', () => server.accessLog() === '400 -\n')
    await peer.until(() => peer.sockets[0]!.readableEnded || peer.sockets[0]!.destroyed)
  })

  test(`the same over HTTP/2: ${more}`, async () => {
    await using peer = await silent()
    await using server = await startViaduct(conf(peer, more).replace('server {', 'server { http2 on;'))
    await using client = await H2Client.connect(server.port())
    client.request(1, { method: 'POST', fields: [['content-length', '10']], body: 'begin', open: true })
    await peer.until(() => peer.received[0]?.endsWith('begin') === true)
    client.write(rstStream(1, CANCEL))
    await server.until('it is logged', () => server.accessLog() === '400 -\n')
    await peer.until(() => peer.sockets[0]!.readableEnded || peer.sockets[0]!.destroyed)
  })
}

/** One request at a time is let through; the others wait. */
const queued = (
  peer: Peer,
  more: string,
): string => `http { access_log %%DIR%%/access.log all; log_format all '$uri $status';
  upstream one { zone one 64k; server 127.0.0.1:${peer.port} max_conns=1; queue 10; }
  server { listen 127.0.0.1:%%PORT_0%%; http2 on; location / { proxy_pass http://one; ${more} } } }`

test('who leaves a streamed body before a back end is asked has not waited', async () => {
  await using peer = await silent()
  await using server = await startViaduct(queued(peer, STREAMED))
  using first = await server.connect()
  first.write(REQUEST)
  await peer.until(() => peer.requests.length === 1)
  using client = await server.connect()
  client.write(BEGINNING.replace('/', '/later'))
  // Who has been answered on another connection has been served behind it. An end may belong to the beginning for two turns of the
  // event loop, in each of which the ring is looked at up to four times: once to let somebody in, once to read.
  for (let n = 0; n < 12; n++) assert.match(await server.raw('GET /%00 HTTP/1.0\r\n\r\n'), / 400 /)
  client.socket.end()
  await client.rest()
  await server.until('it is logged', () => server.accessLog().includes('/later 499\n'))
})

for (const http2 of [false, true]) {
  const how = http2 ? 'HTTP/2' : 'HTTP/1'
  test(`${how}: where leaving is ignored, the cut shows when the body is wanted`, async () => {
    await using peer = await silent()
    await using server = await startViaduct(queued(peer, IGNORED))
    using first = await server.connect()
    first.write(REQUEST)
    await peer.until(() => peer.requests.length === 1)
    using client = await server.connect()
    await using streams = await H2Client.connect(server.port())
    if (http2) {
      streams.request(1, {
        method: 'POST',
        path: '/later',
        fields: [['content-length', '10']],
        body: 'begin',
        open: true,
      })
      await streams.settled()
      streams.write(rstStream(1, CANCEL))
      await streams.settled()
    } else {
      client.write(BEGINNING.replace('/', '/later'))
      assert.match(await server.raw('GET /%00 HTTP/1.0\r\n\r\n'), / 400 /)
      client.socket.end()
    }
    peer.sockets[0]!.write(reply('first'))
    await first.until(/first$/)
    await server.until('it is logged', () => server.accessLog().includes('/later 400\n'))
  })
}
