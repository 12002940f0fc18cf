/** HTTP/2 to back ends: connections that requests share, retries that are safe, and what the windows let through. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { settingsFrame } from '../../src/http/h2/wire/frames.ts'
import { dataFrame, H2Peer, headFrames, type PeerStream } from '../harness/h2-peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const MAX_CONCURRENT_STREAMS = 3
const INITIAL_WINDOW_SIZE = 4
const NO_ERROR = 0
const CANCEL = 8
const REFUSED_STREAM = 7

function start(peer: H2Peer, location = '', upstream = 'keepalive 8;'): Promise<Server> {
  return startViaduct(`http { client_max_body_size 0;
    upstream group { server 127.0.0.1:${peer.port}; ${upstream} }
    server { listen 127.0.0.1:%%PORT_0%%; proxy_http_version 2;
      location / { proxy_pass http://group; ${location} }
      location /alone/ { proxy_pass http://127.0.0.1:${peer.port}; } } }`)
}

async function get(server: Server, path = '/'): Promise<string> {
  const response = await fetch(server.url(path))
  return `${response.status} ${await response.text()}`
}

test('requests share a connection, one after another and at once', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  assert.equal(await get(server), '200 ok')
  assert.equal(await get(server), '200 ok')
  peer.onRequest = () => {
    if (peer.streams.length < 7) return
    for (const stream of peer.streams.slice(2).toReversed()) stream.reply(stream.path)
  }
  const paths = ['/a', '/b', '/c', '/d', '/e']
  const answers = await Promise.all(paths.map((path) => get(server, path)))
  assert.deepEqual(
    answers,
    paths.map((path) => `200 ${path}`),
  )
  assert.equal(peer.connections.length, 1)
  assert.deepEqual(
    peer.streams.map(({ id }) => id),
    [1, 3, 5, 7, 9, 11, 13],
  )
})

test('the back end says how many at once; the others get another connection', async () => {
  const held: PeerStream[] = []
  await using peer = await H2Peer.start((stream) => {
    if (stream.path !== '/held') stream.reply('ok')
    else if (held.push(stream) === 3) for (const one of held) one.reply('released')
  })
  await using server = await start(peer)
  assert.equal(await get(server), '200 ok')
  peer.connections[0]!.settings([[MAX_CONCURRENT_STREAMS, 2]])
  await peer.until(() => peer.connections[0]!.frames.filter(({ type, flags }) => type === 4 && flags === 1).length > 1)
  const answers = await Promise.all([get(server, '/held'), get(server, '/held'), get(server, '/held')])
  assert.deepEqual(answers, ['200 released', '200 released', '200 released'])
  assert.deepEqual(held.map(({ connection }) => connection.number).toSorted(), [0, 0, 1])
})

test('without keepalive each request has a connection of its own', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  assert.equal(await get(server, '/alone/'), '200 ok')
  await peer.until(() => peer.connections[0]!.closed)
  assert.equal(await get(server, '/alone/'), '200 ok')
  assert.equal(peer.connections.length, 2)
})

test('keepalive_requests counts streams', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer, '', 'keepalive 8; keepalive_requests 2;')
  for (let i = 0; i < 5; i++) assert.equal(await get(server), '200 ok')
  assert.deepEqual(
    peer.streams.map(({ connection }) => connection.number),
    [0, 0, 1, 1, 2],
  )
})

test('the request has no fields of a connection, and its secrets are not to be indexed', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer, 'proxy_set_header Connection upgrade; proxy_set_header X-Set set;')
  const fields =
    'Keep-Alive: 1\r\nUpgrade: x\r\nTE: gzip\r\nX-Mixed: Case\r\nAuthorization: secret\r\nHTTP2-Settings: x\r\n'
  await server.raw(`GET /p?q HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${fields}\r\n`)
  assert.deepEqual([...peer.streams[0]!.fields].toSorted(), [
    [':authority', 'group'],
    [':method', 'GET'],
    [':path', '/p?q'],
    [':scheme', 'http'],
    ['authorization', 'secret'],
    ['x-mixed', 'Case'],
    ['x-set', 'set'],
  ])
  const head = peer.connections[0]!.frames.find(({ type }) => type === 1)!
  assert.ok(head.payload.latin1Slice().includes('\x1f\x08'), 'authorization by its index, never indexed')
})

test('a back end that goes away has its new requests sent elsewhere, of whatever method', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  assert.equal(await get(server), '200 ok')
  peer.onHead = ({ connection, id }) => {
    if (connection.number === 0) connection.goAway(id - 2, NO_ERROR)
  }
  const response = await fetch(server.url('/'), { method: 'POST', body: 'once' })
  assert.equal(`${response.status} ${await response.text()}`, '200 ok')
  assert.deepEqual(
    peer.streams.map(({ connection, body }) => [connection.number, body]),
    [
      [0, ''],
      [0, 'once'],
      [1, 'once'],
    ],
  )
  await peer.until(() => peer.connections[0]!.closed)
  assert.doesNotMatch(server.errorLog(), /\[error\]/)
})

test('a stream that was accepted before the back end goes away is answered', async () => {
  await using peer = await H2Peer.start((stream) => {
    stream.connection.goAway(stream.id, NO_ERROR)
    stream.reply('last words')
  })
  await using server = await start(peer)
  assert.equal(await get(server), '200 last words')
  await peer.until(() => peer.connections[0]!.closed)
  assert.equal(await get(server), '200 last words')
  assert.equal(peer.connections.length, 2)
})

test('a refused stream is sent again over a connection that served before, not for ever', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  assert.equal(await get(server), '200 ok')
  peer.onRequest = (stream) => stream.reset(REFUSED_STREAM)
  assert.match(await get(server), /^502 /)
  await server.logged(/\[error\] .* upstream rejected request with error 7 while reading response header from upstream/)
  assert.equal(peer.streams.length, 5)
})

test('requests that come while a connection is being opened wait for it', async () => {
  const held: PeerStream[] = []
  await using peer = await H2Peer.start((stream) => {
    held.push(stream)
    if (held.length === 20) for (const one of held) one.reply(one.path)
  })
  await using server = await start(peer)
  const paths = Array.from({ length: 20 }, (_, i) => `/${i}`)
  assert.deepEqual(
    await Promise.all(paths.map((path) => get(server, path))),
    paths.map((path) => `200 ${path}`),
  )
  assert.equal(peer.connections.length, 1)
})

test('a back end that allows few at once gets connections for the others', async () => {
  const held: PeerStream[] = []
  await using peer = await H2Peer.start((stream) => {
    const { connection } = stream
    if (held.filter((one) => one.connection === connection).length === 4) return stream.reset(REFUSED_STREAM)
    held.push(stream)
    if (held.length === 20) for (const one of held) one.reply(one.path)
  })
  peer.greeting = settingsFrame([[MAX_CONCURRENT_STREAMS, 4]])
  await using server = await start(peer)
  const paths = Array.from({ length: 20 }, (_, i) => `/${i}`)
  assert.deepEqual(
    await Promise.all(paths.map((path) => get(server, path))),
    paths.map((path) => `200 ${path}`),
  )
  assert.equal(peer.connections.length, 5)
})

test('a connection that cannot be opened fails all that wait for it', async () => {
  await using peer = await H2Peer.start()
  await using server = await startViaduct(`http { upstream group { server 127.0.0.1:%%PORT_1%%; }
    server { listen 127.0.0.1:%%PORT_0%%; proxy_http_version 2; location / { proxy_pass http://group; } } }`)
  const answers = await Promise.all([get(server), get(server), get(server)])
  for (const answer of answers) assert.match(answer, /^502 /)
  assert.equal(server.errorLog().match(/connect\(\) failed \(111: Connection refused\)/g)?.length, 3)
  assert.equal(peer.connections.length, 0)
})

test('a stream that breaks off cuts its client off, and the others go on', async () => {
  const held: PeerStream[] = []
  await using peer = await H2Peer.start((stream) => {
    if (held.push(stream) < 2) return
    const [broken, sound] = held
    broken!.head([['content-length', '10']])
    broken!.data('half')
    broken!.reset(2)
    sound!.reply('whole')
  })
  await using server = await start(peer)
  const broken = server.raw('GET /broken HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until(() => held.length === 1)
  assert.equal(await get(server, '/sound'), '200 whole')
  assert.match(await broken, /Content-Length: 10\r\n.*\r\n\r\n(?:half)?$/s)
  await server.logged(/upstream rejected request with error 2 while reading upstream/)
})

test('a connection that dies takes its streams with it; what may be sent again is', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  assert.equal(await get(server), '200 ok')
  peer.onRequest = (stream) => {
    if (stream.connection.number > 0) stream.reply('again')
    else if (peer.streams.length === 4) stream.connection.socket.destroy()
  }
  const posted = fetch(server.url('/'), { method: 'POST' })
  await peer.until(() => peer.streams.length === 2)
  const answers = await Promise.all([get(server), get(server)])
  assert.deepEqual(answers, ['200 again', '200 again'])
  assert.equal((await posted).status, 502)
})

test('a client that leaves resets its stream alone', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  assert.equal(await get(server), '200 ok')
  peer.onRequest = ({ path, ...stream }) => void (path === '/hang' || peer.streams.at(-1)!.reply(String(stream.id)))
  const client = await server.connect()
  client.write('GET /hang HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until(() => peer.streams.length === 2)
  client.close()
  await peer.until(() => peer.streams[1]!.resetWith === CANCEL)
  // Meanwhile the back end was asked whether it is still there.
  await server.until('the connection is used again', async () => {
    assert.match(await get(server), /^200 /)
    return peer.streams.at(-1)?.connection.number === 0
  })
})

test('a connection that let a request time out takes no more', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer, 'proxy_read_timeout 300ms;')
  assert.equal(await get(server), '200 ok')
  peer.onRequest = (stream) => {
    if (stream.connection.number > 0) stream.reply('other')
  }
  assert.match(await get(server), /^504 /)
  assert.equal(await get(server), '200 other')
  await peer.until(() => peer.connections[0]!.closed)
})

test('a connection that was silent until the client left is not asked before it gave a sign', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  assert.equal(await get(server), '200 ok')
  peer.answersPings = false
  peer.onRequest = (stream) => {
    if (stream.connection.number > 0) stream.reply('other')
  }
  const client = await server.connect()
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until(() => peer.streams.length === 2)
  client.close()
  await peer.until(() => peer.streams[1]!.resetWith === CANCEL)
  assert.equal(await get(server), '200 other')
})

test('a request body waits for the windows, which may become negative', async () => {
  const body = 'x'.repeat(100_000)
  await using peer = await H2Peer.start((stream) => stream.reply(String(stream.body.length)))
  peer.opensWindows = false
  await using server = await start(peer)
  peer.onHead = ({ connection }) => connection.settings([[INITIAL_WINDOW_SIZE, 10]])
  const response = fetch(server.url('/'), { method: 'POST', body })
  await peer.until(() => peer.connections[0]?.frames.some(({ type, flags }) => type === 4 && flags === 1) === true)
  const [stream] = peer.streams
  const before = stream!.body.length
  assert.ok(before <= 65535)
  const { connection } = stream!
  connection.window(0, 1_000_000)
  // What is owed is paid first.
  const owed = Math.max(0, before - 10)
  if (owed > 0) connection.window(1, owed)
  connection.window(1, 5)
  await peer.until(() => stream!.body.length === Math.max(before, 10) + 5)
  connection.settings([[INITIAL_WINDOW_SIZE, 20_000]])
  await peer.until(() => stream!.body.length >= 20_000)
  connection.window(1, 100_000)
  assert.equal(await (await response).text(), '100000')
})

test('a back end that never opens its window costs its time-out', async () => {
  await using peer = await H2Peer.start()
  peer.opensWindows = false
  await using server = await start(
    peer,
    'proxy_send_timeout 300ms; proxy_read_timeout 300ms; proxy_request_buffering off;',
  )
  const response = await fetch(server.url('/'), { method: 'POST', body: 'x'.repeat(1_000_000) })
  assert.equal(response.status, 504)
  await server.logged(/upstream timed out \(110: Connection timed out\) while sending request to upstream/)
  assert.ok(peer.streams[0]!.body.length <= 65535)
})

test('a client that takes nothing stops its stream, not the connection', async () => {
  let sent = 0
  await using peer = await H2Peer.start()
  await using server = await start(peer, 'proxy_buffering off;')
  const piece = 'y'.repeat(16384)
  let window = 262144
  const fill = (stream: PeerStream): void => {
    for (; window - sent >= piece.length; sent += piece.length) stream.data(piece)
  }
  peer.onRequest = (stream) => {
    if (stream.path !== '/slow') return stream.reply('ok')
    stream.head()
    fill(stream)
  }
  const client = net.connect(server.port(), '127.0.0.1')
  client.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  client.pause()
  await peer.until(() => peer.streams.length === 1)
  // The peer sends all that it may until it may no more.
  let before = -1
  while (before !== sent) {
    before = sent
    for (let i = 0; i < 20; i++) assert.equal(await get(server, '/fast'), '200 ok')
    const [stream] = peer.streams
    window = 262144
    for (const { type, stream: id, payload } of stream!.connection.frames) {
      if (type === 8 && id === stream!.id) window += payload.readUInt32BE()
    }
    fill(stream!)
  }
  assert.equal(peer.connections.length, 1)
  assert.ok(sent < 16_000_000, `${sent}`)
  // One frame more than the window allows costs the connection.
  peer.streams[0]!.data(piece)
  await server.logged(/upstream violated stream flow control, received 16384 data frame with window \d+ while/)
  client.destroy()
})

test('continued, padded and prioritised heads, early hints, padded data, trailers', async () => {
  await using peer = await H2Peer.start((stream) => {
    const { id } = stream
    stream.send(
      headFrames(id, [
        [':status', '103'],
        ['link', '</a>'],
      ]),
    )
    stream.send(
      headFrames(
        id,
        [
          [':status', '200'],
          ['x-long', 'z'.repeat(2000)],
        ],
        false,
        7,
      ),
    )
    stream.send('\0\0\x0b\0\x08\0\0\0' + String.fromCharCode(id) + '\x05hello\0\0\0\0\0')
    stream.trailers([['x-sum', '5']])
  })
  await using server = await start(peer, 'proxy_pass_trailers on; early_hints 1;')
  const answer = await server.raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  assert.match(answer, /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a>\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  assert.match(answer, /\r\nx-long: z{2000}\r\n/)
  assert.match(answer, /\r\n5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n$/)
})

test('trailers are variables, also where they are not passed on', async () => {
  await using peer = await H2Peer.start((stream) => {
    stream.head()
    stream.data('body')
    stream.trailers([['x-sum', '7']])
  })
  await using server = await start(peer, 'add_trailer X-All "$upstream_trailer_x_sum";')
  const answer = await server.raw('GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n')
  assert.match(answer, /\r\n4\r\nbody\r\n0\r\nX-All: 7\r\n\r\n$/)
})

test('what comes while nobody asks: a PING is answered, a GOAWAY is obeyed', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  assert.equal(await get(server), '200 ok')
  const [connection] = peer.connections
  connection!.send('\0\0\x08\x06\0\0\0\0\0PINGPONG')
  await peer.until(() =>
    connection!.frames.some(({ type, payload }) => type === 6 && payload.latin1Slice() === 'PINGPONG'),
  )
  connection!.goAway(1, NO_ERROR)
  await peer.until(() => connection!.closed)
  assert.equal(await get(server), '200 ok')
  assert.equal(peer.connections.length, 2)
  assert.doesNotMatch(server.errorLog(), /\[error\]/)
})

test('a long head to the back end is continued', async () => {
  await using peer = await H2Peer.start()
  await using server = await start(peer, 'proxy_set_header X-Long $http_x_long$http_x_long$http_x_long;')
  const value = '\x7f'.replace('\x7f', '~').repeat(7000)
  await server.raw(`GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: ${value}\r\n\r\n`)
  assert.equal(peer.streams[0]!.fields.get('x-long'), value.repeat(3))
  assert.deepEqual(
    peer.connections[0]!.frames.filter(({ type }) => type === 1 || type === 9).map(({ type, flags }) => [type, flags]),
    [
      [1, 1],
      [9, 4],
    ],
  )
})

test('bytes that came before the end are passed on in order', async () => {
  await using peer = await H2Peer.start((stream) => {
    stream.head()
    for (let i = 0; i < 500; i++) stream.send(dataFrame(stream.id, `${i},`))
    stream.data('end', true)
  })
  await using server = await start(peer)
  const expected = Array.from({ length: 500 }, (_, i) => `${i},`).join('')
  assert.equal(await get(server), `200 ${expected}end`)
})

test('a reload keeps idle connections, and lets those that serve end', async () => {
  const held: PeerStream[] = []
  await using peer = await H2Peer.start(
    (stream) => void (stream.path === '/held' ? held.push(stream) : stream.reply('ok')),
  )
  await using server = await start(peer)
  assert.equal(await get(server), '200 ok')
  await server.reload()
  assert.equal(await get(server), '200 ok')
  assert.equal(peer.connections.length, 1)
  const answer = get(server, '/held')
  await peer.until(() => held.length === 1)
  await server.reload()
  held[0]!.reply('late')
  assert.equal(await answer, '200 late')
  assert.equal(await get(server), '200 ok')
})

/** Nobody knows how long the body is that HEAD did not ask for, or that a 304 stands for, until the back end says it. */
for (const pass of ['proxy_http_version 2; proxy_pass http', 'grpc_pass grpc']) {
  test(`a length that was not said is not made up: ${pass}`, async () => {
    await using peer = await H2Peer.start((stream) => {
      const { path } = stream
      const fields: [string, string][] = path.includes('said') ? [['content-length', '7']] : []
      const status = path.includes('304') ? '304' : path.includes('204') ? '204' : '200'
      const late = path.includes('late')
      stream.send(headFrames(stream.id, [[':status', status], ...fields], !late))
      if (late) stream.data('', true)
    })
    await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
      location / { ${pass}://127.0.0.1:${peer.port}; } } }`)
    const length = async (method: string, path: string): Promise<string | undefined> => {
      const answer = await server.raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      assert.match(answer, /^HTTP\/1\.1 (200|204|304) /)
      assert.doesNotMatch(answer, method === 'HEAD' || path !== '/' ? /^Transfer-Encoding/m : /^$/)
      return /^content-length: (.*)\r$/im.exec(answer)?.[1]
    }
    for (const late of ['', '-late']) {
      assert.equal(await length('HEAD', `/page${late}`), undefined)
      assert.equal(await length('GET', `/304${late}`), undefined)
      assert.equal(await length('HEAD', `/304${late}`), undefined)
      assert.equal(await length('GET', `/204${late}`), undefined)
    }
    assert.equal(await length('HEAD', '/said'), '7')
    assert.equal(await length('GET', '/304-said'), '7')
    assert.equal(await length('GET', '/'), '0')
  })
}
