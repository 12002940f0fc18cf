/** Connections to back ends that are kept: when they are used again, when not, and what happens to dead ones. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const conf = (peer: Peer, keepalive = 'keepalive 4;', more = '') => `http { access_log %%DIR%%/access.log all;
  log_format all '$status|$upstream_addr|$upstream_connect_time';
  upstream group { server 127.0.0.1:${peer.port}; ${keepalive} }
  server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://group; ${more} } location /turn { return 200; } } }`

async function ask(server: Server, target = '/'): Promise<string> {
  return server.raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
}

test('connections are kept by default', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer, ''))
  for (let i = 0; i < 5; i++) await ask(server)
  assert.equal(peer.sockets.length, 1)
})

test('without a group none is kept', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:${peer.port}; } } }`)
  for (let i = 0; i < 5; i++) await ask(server)
  assert.equal(peer.sockets.length, 5)
})

test('keepalive 0 turns it off', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer, 'keepalive 0;'))
  for (let i = 0; i < 3; i++) await ask(server)
  assert.equal(peer.sockets.length, 3)
})

test('keepalive is the most that are idle', async () => {
  const waiting: (() => void)[] = []
  await using peer = await Peer.start(({ socket }) => {
    waiting.push(() => socket.write(reply('ok')))
    return undefined
  })
  await using server = await startViaduct(conf(peer, 'keepalive 2;'))
  const answers = Array.from({ length: 5 }, () => ask(server))
  await peer.until(() => waiting.length === 5)
  for (const go of waiting.splice(0)) go()
  await Promise.all(answers)
  await peer.until(() => peer.sockets.filter((socket) => socket.destroyed).length === 3)
})

test('keepalive_requests is the most that one serves', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer, 'keepalive 4; keepalive_requests 2;'))
  for (let i = 0; i < 6; i++) await ask(server)
  assert.deepEqual(
    peer.requests.map(({ connection }) => connection),
    [0, 0, 1, 1, 2, 2],
  )
})

test('keepalive_time is the longest that one serves', async () => {
  await using peer = await Peer.start(({ line, socket }) => {
    if (line.includes('/first')) setTimeout(() => socket.write(reply('ok')), 60)
    return line.includes('/first') ? undefined : reply('ok')
  })
  await using server = await startViaduct(conf(peer, 'keepalive 4; keepalive_time 50ms;'))
  await ask(server, '/first')
  await ask(server)
  assert.equal(peer.sockets.length, 2)
})

test('keepalive_timeout ends idle ones', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer, 'keepalive 4; keepalive_timeout 50ms;'))
  await ask(server)
  await peer.until(() => peer.sockets[0]!.readableEnded)
})

/** Responses after which a connection must not be used again. */
const FINAL: Readonly<Record<string, string>> = {
  'Connection: close': reply('ok', ['Connection: close']),
  'HTTP/1.0 without keep-alive': reply('ok').replace('HTTP/1.1', 'HTTP/1.0'),
  'more than was promised': `${reply('ok')}more`,
  'more after the last chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore',
  'a response nobody asked for': reply('ok') + reply('evil'),
}

for (const [name, text] of Object.entries(FINAL)) {
  test(`not used again: ${name}`, async () => {
    await using peer = await Peer.start(() => text)
    await using server = await startViaduct(conf(peer))
    for (let i = 0; i < 2; i++) assert.match(await ask(server), /(ok|2\r\nok\r\n0\r\n\r\n)$/)
    assert.equal(peer.sockets.length, 2)
  })
}

test('HTTP/1.0 with keep-alive is used again', async () => {
  const text = reply('ok', ['Connection: keep-alive']).replace('HTTP/1.1', 'HTTP/1.0')
  await using peer = await Peer.start(() => text)
  await using server = await startViaduct(conf(peer))
  for (let i = 0; i < 2; i++) await ask(server)
  assert.equal(peer.sockets.length, 1)
})

test('bytes on an idle connection end it: they answer no request', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer))
  await ask(server)
  peer.sockets[0]!.write(reply('evil'))
  await peer.until(() => peer.sockets[0]!.readableEnded || peer.sockets[0]!.destroyed)
  assert.match(await ask(server), /\r\n\r\nok$/)
  assert.equal(peer.sockets.length, 2)
})

test('one that the back end closed meanwhile is not used', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer))
  await ask(server)
  peer.sockets[0]!.end()
  await peer.until(() => peer.sockets[0]!.destroyed)
  assert.match(await ask(server), /^HTTP\/1\.1 200 /)
  assert.equal(peer.sockets.length, 2)
})

test('one that dies under a request is replaced without a word', async (t) => {
  await using peer = await Peer.start(({ connection, line, socket }) => {
    if (connection > 0 || line.includes('/first')) return reply('ok')
    socket.resetAndDestroy()
    return undefined
  })
  await using server = await startViaduct(conf(peer))
  await ask(server, '/first')
  assert.match(await ask(server, '/second'), /^HTTP\/1\.1 200 /)
  await t.test('both attempts are logged', async () => {
    await server.until('it is logged', () => server.accessLog().split('\n').length === 3)
    const [, second] = server.accessLog().split('\n')
    assert.match(second!, new RegExp(`^200\\|127.0.0.1:${peer.port}, 127.0.0.1:${peer.port}\\|`))
  })
})

test('a POST on one that dies is not sent again', async () => {
  await using peer = await Peer.start(({ connection, line, socket }) => {
    if (connection > 0 || line.startsWith('GET')) return reply('ok')
    socket.resetAndDestroy()
    return undefined
  })
  await using server = await startViaduct(conf(peer))
  await ask(server)
  const post = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi'
  assert.match(await server.raw(post), /^HTTP\/1\.1 502 /)
  assert.equal(peer.requests.length, 2)
})

test('a request that was not sent whole leaves no connection behind', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer, undefined, 'proxy_request_buffering off;'))
  using client = await server.connect()
  client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf')
  await peer.until(() => peer.received[0]?.endsWith('half') === true)
  peer.sockets[0]!.write(reply('early'))
  await client.until(/early$/)
  await peer.until(() => peer.sockets[0]!.readableEnded || peer.sockets[0]!.destroyed)
})

test('Connection: close to the back end is no reason to keep it', async () => {
  await using peer = await Peer.start(({ field }) =>
    reply('ok', field('connection') === 'close' ? ['Connection: close'] : []),
  )
  await using server = await startViaduct(conf(peer, undefined, 'proxy_set_header Connection close;'))
  for (let i = 0; i < 2; i++) await ask(server)
  assert.equal(peer.sockets.length, 2)
})

/** What leaves a connection unread when its response ends. */
const UNREAD: Readonly<Record<string, readonly [directives: string, size: number]>> = {
  'a response kept back by the rate': ['proxy_limit_rate 1000;', 1500],
  'a response whose client was slow': ['proxy_buffering off;', 3_000_000],
  'a response that filled its buffers': ['proxy_max_temp_file_size 0;', 3_000_000],
}

for (const [what, [directives, size]] of Object.entries(UNREAD)) {
  for (const chunked of [false, true]) {
    test(`used again after ${what}${chunked ? ', in chunks' : ''}`, async () => {
      const body = 'x'.repeat(size)
      const inChunks = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      await using peer = await Peer.start(({ line }) =>
        line.includes('/next') ? reply('next') : chunked ? inChunks : reply(body),
      )
      await using server = await startViaduct(conf(peer, undefined, directives))
      const client = net.connect(server.port(), '127.0.0.1').setEncoding('latin1')
      client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
      let received = 0
      for await (const piece of client) received += (piece as string).length
      assert.ok(received > size)
      // The event loop has to have looked at the connection; before it does, a ring deals with four rounds, twice.
      for (let turn = 0; turn < 5; turn++) await ask(server, '/turn')
      assert.match(await ask(server, '/next'), /\r\n\r\nnext$/)
      assert.equal(peer.sockets.length, 1)
    })
  }
}
