/**
 * Bytes behind a complete response: they belong to no request, so the connection that they came on must not carry
 * another one. Whatever the response is made of, whoever it was for, and whenever they come.
 */
import assert from 'node:assert/strict'
import net from 'node:net'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { dataFrame, H2Peer, headFrames } from '../harness/h2-peer.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'

const certificates = new Certificates()
after(() => certificates.remove())

const HEADS: Readonly<Record<string, string>> = {
  '304': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 80\r\n\r\n',
  '204': 'HTTP/1.1 204 No Content\r\n\r\n',
  empty: reply(''),
  body: reply('body'),
  chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  '404': reply('', [], '404 Not Found'),
  redirect: reply('', ['X-Accel-Redirect: /inside']),
  redirected: reply('body', ['X-Accel-Redirect: /inside']),
  head: 'HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\n',
}
/** What is asked for, with which method, and the response that bytes stand behind. */
const REQUESTS: readonly (readonly [target: string, method: string])[] = [
  ['/304', 'GET'],
  ['/204', 'GET'],
  ['/empty', 'GET'],
  ['/body', 'GET'],
  ['/chunked', 'GET'],
  ['/404', 'GET'],
  ['/caught/404', 'GET'],
  ['/redirect', 'GET'],
  ['/redirected', 'GET'],
  ['/head', 'HEAD'],
  ['/asked', 'GET'],
]

const conf = (scheme: string, port: number, more = ''): string => `http {
  upstream back { server 127.0.0.1:${port}; keepalive 4; }
  ${more}
  server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass ${scheme}://back; }
    location /caught/ { proxy_intercept_errors on; error_page 404 = @none; proxy_pass ${scheme}://back/; }
    location @none { return 200 none; }
    location /inside { internal; return 200 inside; }
    location = /asked { auth_request /question; proxy_pass ${scheme}://back/next; }
    location = /question { internal; proxy_pass ${scheme}://back/204; } } }`

const nameOf = (target: string): string => target.slice(target.lastIndexOf('/') + 1)

async function ask(server: Server, target: string, method = 'GET'): Promise<string> {
  return server.raw(`${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
}

async function checkAll(server: Server): Promise<void> {
  for (const [target, method] of REQUESTS) {
    await ask(server, target, method)
    assert.match(await ask(server, '/next'), /\r\n\r\nright$/, `after ${method} ${target}`)
  }
}

for (const buffering of ['on', 'off']) {
  test(`at once, proxy_buffering ${buffering}`, async () => {
    await using peer = await Peer.start(({ line }) => {
      const name = nameOf(line.split(' ')[1]!)
      return name === 'next' ? reply('right') : HEADS[name]! + reply('wrong')
    })
    await using server = await startViaduct(conf('http', peer.port, `proxy_buffering ${buffering};`))
    await checkAll(server)
    await server.logged(/\[warn\].*upstream sent more data than specified in "Content-Length" header while reading/)
    await server.logged(/\[warn\].*upstream sent data after final chunk while reading upstream/)
  })
}

test('at once, over TLS', async () => {
  const pair = certificates.make('back')
  await using peer = await TlsPeer.start({ key: pair.key, cert: pair.cert }, ({ head }) => {
    const name = nameOf(head.split(' ')[1]!)
    return name === 'next' ? reply('right') : HEADS[name]! + reply('wrong')
  })
  await using server = await startViaduct(conf('https', peer.port))
  await checkAll(server)
})

test('kept back by the rate', async () => {
  await using peer = await Peer.start(({ line }) =>
    line.includes('/next') ? reply('right') : reply('x'.repeat(1500)) + reply('wrong'),
  )
  await using server = await startViaduct(conf('http', peer.port, 'proxy_limit_rate 1000;'))
  assert.match(await ask(server, '/'), /x{1500}$/)
  assert.match(await ask(server, '/next'), /\r\n\r\nright$/)
  assert.equal(peer.sockets.length, 2)
})

test('late, while the connection is not read because the client is slow', async () => {
  const size = 8_000_000
  await using peer = await Peer.start(({ line, socket }) => {
    if (line.includes('/next')) return reply('right')
    const text = 'x'.repeat(size)
    socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${text}\r\n0\r\n\r\n`)
    socket.write(reply('wrong'))
    return undefined
  })
  await using server = await startViaduct(conf('http', peer.port, 'proxy_buffering off;'))
  const slow = net.connect(server.port(), '127.0.0.1')
  slow.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  let received = 0
  for await (const piece of slow) received += (piece as Buffer).length
  assert.ok(received > size)
  assert.match(await ask(server, '/next'), /\r\n\r\nright$/)
})

test('to a health check that keeps its connection', async () => {
  await using peer = await Peer.start(({ line }) =>
    line.includes('/health')
      ? `${reply('', [], '204 No Content')}HTTP/1.1 500 wrong\r\nContent-Length: 0\r\n\r\n`
      : reply('ok'),
  )
  await using server = await startViaduct(`http {
    upstream u { zone u 64k; server 127.0.0.1:${peer.port}; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { proxy_pass http://u; health_check interval=20ms uri=/health keepalive_time=1m; } } }`)
  await peer.until(() => peer.requests.length > 3)
  assert.doesNotMatch(server.errorLog(), /unhealthy/)
})

/** What an HTTP/2 back end may not send on a stream that has ended. */
const BEHIND_STREAM: Readonly<Record<string, (id: number) => string>> = {
  data: (id) => dataFrame(id, 'wrong', true),
  'empty data': (id) => dataFrame(id, '', true),
  'a head': (id) => headFrames(id, [[':status', '200']], true),
}

for (const [what, frames] of Object.entries(BEHIND_STREAM)) {
  test(`HTTP/2: ${what} behind the end of a stream ends the connection`, async () => {
    await using peer = await H2Peer.start()
    await using server = await startViaduct(conf('http', peer.port, 'proxy_http_version 2;'))
    assert.match(await ask(server, '/'), /\r\n\r\nok$/)
    const [stream] = peer.streams
    stream!.send(frames(stream!.id))
    await peer.until(() => peer.connections[0]!.closed)
    assert.match(await ask(server, '/'), /\r\n\r\nok$/)
    assert.equal(peer.connections.length, 2)
  })
}

test('HTTP/2: what comes for a request that was given up ends nothing', async () => {
  await using peer = await H2Peer.start((stream) => {
    if (stream.path === '/slow') stream.head()
    else stream.reply('ok')
  })
  await using server = await startViaduct(conf('http', peer.port, 'proxy_http_version 2;'))
  const client = await server.connect()
  client.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until(/200 OK/)
  client.close()
  await peer.until(() => peer.streams[0]?.resetWith === 8)
  peer.streams[0]!.data('late', true)
  assert.match(await ask(server, '/'), /\r\n\r\nok$/)
  assert.equal(peer.connections.length, 1)
})
