/** grpc_pass: what is sent and passed on, both ways at once, to clients of HTTP/2 and HTTP/1.1, with TLS and without. */
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { H2Client } from '../harness/h2-client.ts'
import { H2Peer, headFrames, type PeerStream } from '../harness/h2-peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const certificates = new Certificates()
after(() => certificates.remove())

const CALL = [
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
] as const

function start(port: number, location = '', more = ''): Promise<Server> {
  return startViaduct(`http { upstream group { server 127.0.0.1:${port}; keepalive 4; } ${more}
    server { listen 127.0.0.1:%%PORT_0%%; http2 on; location / { grpc_pass grpc://group; ${location} } } }`)
}

function answer(stream: PeerStream, message = 'message'): void {
  stream.head([['content-type', 'application/grpc']])
  stream.data(message)
  stream.trailers([
    ['grpc-status', '0'],
    ['grpc-message', 'fine'],
  ])
}

test('the call and its answer', async () => {
  await using peer = await H2Peer.start((stream) => answer(stream, `got ${stream.body}`))
  await using server = await start(peer.port, 'grpc_set_header X-Real-IP $remote_addr; grpc_set_header Accept "";')
  await using client = await H2Client.connect(server.port())
  client.request(1, {
    method: 'POST',
    path: '/a.B/C?d',
    fields: [...CALL, ['accept', '*/*'], ['x-mine', '1']],
    body: 'call',
  })
  const { status, headers, body, trailers } = await client.response(1)
  assert.deepEqual([status, headers['content-type'], body], [200, 'application/grpc', 'got call'])
  assert.deepEqual(trailers, { 'grpc-status': '0', 'grpc-message': 'fine' })
  assert.deepEqual(Object.fromEntries(peer.streams[0]!.fields), {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': '/a.B/C?d',
    ':authority': 'group',
    'content-type': 'application/grpc',
    te: 'trailers',
    'x-mine': '1',
    'x-real-ip': '127.0.0.1',
  })
})

test('each side hears the other while it goes on itself', async () => {
  await using peer = await H2Peer.start((stream) => stream.trailers([['grpc-status', '0']]))
  peer.onHead = (stream) => stream.head([['content-type', 'application/grpc']])
  peer.onData = (stream) => stream.data(stream.body.slice(-1).toUpperCase())
  await using server = await start(peer.port)
  await using client = await H2Client.connect(server.port())
  client.request(1, { method: 'POST', path: '/', fields: CALL, open: true })
  for (const [letter, heard] of [
    ['a', 'A'],
    ['b', 'AB'],
    ['c', 'ABC'],
  ] as const) {
    client.data(1, letter)
    await client.waitFor(() => client.soFar(1).body === heard)
  }
  client.data(1, '', true)
  const { trailers } = await client.response(1)
  assert.deepEqual(trailers, { 'grpc-status': '0' })
})

test('an error without a message stands in the head, and the stream ends there', async () => {
  await using peer = await H2Peer.start((stream) =>
    stream.head(
      [
        ['content-type', 'application/grpc'],
        ['grpc-status', '5'],
      ],
      true,
    ),
  )
  await using server = await start(peer.port)
  await using client = await H2Client.connect(server.port())
  client.request(1, { method: 'POST', path: '/', fields: CALL, body: 'call' })
  const { headers, body, trailers } = await client.response(1)
  assert.deepEqual([headers['grpc-status'], body, trailers], ['5', '', undefined])
})

test('a client of HTTP/1.1 gets trailers in chunks', async () => {
  await using peer = await H2Peer.start((stream) => answer(stream))
  await using server = await start(peer.port)
  const text = await server.raw(
    'POST / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close, TE\r\nContent-Length: 4\r\n\r\ncall',
  )
  assert.match(text, /\r\n7\r\nmessage\r\n0\r\ngrpc-status: 0\r\ngrpc-message: fine\r\n\r\n$/)
  assert.equal(peer.streams[0]!.fields.get('content-length'), '4')
  assert.equal(peer.streams[0]!.fields.get('te'), 'trailers')
})

test('a chunked call that came whole has a length, one that goes on has none', async () => {
  await using peer = await H2Peer.start((stream) => answer(stream, stream.body))
  await using server = await start(peer.port)
  const head = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n'
  assert.match(await server.raw(`${head}4\r\ncall\r\n0\r\n\r\n`), /\r\ncall\r\n0\r\n/)
  using late = await server.connect()
  late.write(`${head}4\r\ncall\r\n`)
  await peer.until(() => peer.streams[1]?.body === 'call')
  late.write('0\r\n\r\n')
  assert.match(await late.rest(), /\r\ncall\r\n0\r\n/)
  assert.deepEqual(
    peer.streams.map(({ fields }) => fields.get('content-length')),
    ['4', undefined],
  )
})

test('te goes on only if the client says that it takes trailers', async () => {
  await using peer = await H2Peer.start((stream) => answer(stream))
  await using server = await start(peer.port)
  await server.raw('GET / HTTP/1.1\r\nHost: x\r\nTE: deflate\r\nConnection: close\r\n\r\n')
  assert.equal(peer.streams[0]!.fields.has('te'), false)
})

test('fields of the answer: hidden, passed, with an effect of their own', async () => {
  const fields = [
    ['server', 'grpc'],
    ['x-hidden', '1'],
    ['x-accel-buffering', 'yes'],
    ['x-accel-redirect', '/elsewhere'],
  ] as const
  await using peer = await H2Peer.start((stream) => stream.reply('plain', fields))
  await using server = await start(
    peer.port,
    'grpc_hide_header X-Hidden; grpc_pass_header Server; grpc_ignore_headers X-Accel-Redirect;',
  )
  const response = await fetch(server.url('/'))
  assert.equal(await response.text(), 'plain')
  assert.equal(response.headers.get('server'), 'grpc')
  for (const name of ['x-hidden', 'x-accel-buffering', 'x-accel-redirect'])
    assert.equal(response.headers.get(name), null)
})

test('grpc_intercept_errors and grpc_next_upstream', async () => {
  await using bad = await H2Peer.start((stream) => stream.send(headFrames(stream.id, [[':status', '503']], true)))
  await using good = await H2Peer.start((stream) => stream.reply('good'))
  await using server = await startViaduct(`http {
    upstream both { server 127.0.0.1:${bad.port}; server 127.0.0.1:${good.port} backup; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location /next { grpc_pass both; grpc_next_upstream http_503; }
      location /page { grpc_pass 127.0.0.1:${bad.port}; grpc_intercept_errors on; error_page 503 =200 /ours; }
      location /ours { return 200 ours; }
      location / { grpc_pass 127.0.0.1:${bad.port}; } } }`)
  assert.equal(await (await fetch(server.url('/next'))).text(), 'good')
  assert.equal(await (await fetch(server.url('/page'))).text(), 'ours')
  assert.equal((await fetch(server.url('/'))).status, 503)
})

test('grpcs, verified, by name and by variables', async () => {
  const pair = certificates.make('grpc.test')
  const alpns: unknown[] = []
  const back = http2.createSecureServer({ ...pair, ALPNProtocols: ['h2'] })
  back.on('session', (session) => alpns.push(session.alpnProtocol))
  back.on('stream', (stream, fields) => {
    stream.respond({ ':status': 200, 'x-scheme': fields[':scheme'] })
    stream.end(String(fields[':authority']))
  })
  await new Promise<void>((resolve) => back.listen(0, '127.0.0.1', resolve))
  const { port } = back.address() as { port: number }
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%%; set $where grpcs://127.0.0.1:${port};
      grpc_ssl_verify on; grpc_ssl_trusted_certificate ca.pem; grpc_ssl_name grpc.test; grpc_ssl_server_name on;
      location /fixed { grpc_pass grpcs://127.0.0.1:${port}; }
      location /variable { grpc_pass $where; grpc_set_header Host named; }
      location /wrong { grpc_pass grpcs://127.0.0.1:${port}; grpc_ssl_name wrong.test; } } }`,
    { files: { 'ca.pem': pair.cert } },
  )
  for (const [path, body] of [
    ['/fixed', `127.0.0.1:${port}`],
    ['/variable', 'named'],
  ] as const) {
    const response = await fetch(server.url(path))
    assert.deepEqual([await response.text(), response.headers.get('x-scheme')], [body, 'https'])
  }
  assert.equal((await fetch(server.url('/wrong'))).status, 502)
  assert.deepEqual(new Set(alpns), new Set(['h2']))
  back.close()
})
