/** grpc_web: browsers' form of gRPC, binary and as base64, translated both ways. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { H2Peer, type PeerStream } from '../harness/h2-peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const MESSAGE = '\0\0\0\0\x05hello'
const TRAILERS = 'grpc-status:0\r\ngrpc-message:all: fine\r\n'
const TRAILER_MESSAGE = `\x80\0\0\0${String.fromCharCode(TRAILERS.length)}${TRAILERS}`

function start(peer: H2Peer, web = 'on'): Promise<Server> {
  return startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { grpc_web ${web}; grpc_pass grpc://127.0.0.1:${peer.port}; } } }`)
}

/** Answers in two pieces. */
function answer(stream: PeerStream): void {
  stream.head([['content-type', 'application/grpc']])
  stream.data(MESSAGE.slice(0, 4))
  stream.data(MESSAGE.slice(4))
  stream.trailers([
    ['grpc-status', '0'],
    ['grpc-message', 'all: fine'],
  ])
}

async function call(
  server: Server,
  type: string,
  body: string,
  fields: Record<string, string> = {},
): Promise<Response> {
  const headers = { 'Content-Type': type, 'X-Grpc-Web': '1', ...fields }
  return fetch(server.url('/a.B/C'), { method: 'POST', headers, body: Buffer.from(body, 'latin1') })
}

async function bytes(response: Response): Promise<string> {
  return Buffer.from(await response.arrayBuffer()).toString('latin1')
}

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64')

test('messages pass as they are, and the trailers become one', async () => {
  await using peer = await H2Peer.start(answer)
  await using server = await start(peer)
  const response = await call(server, 'application/grpc-web+proto', MESSAGE)
  assert.equal(response.headers.get('content-type'), 'application/grpc-web+proto')
  assert.equal(await bytes(response), MESSAGE + TRAILER_MESSAGE)
  const { fields, body } = peer.streams[0]!
  assert.equal(body, MESSAGE)
  assert.deepEqual(
    ['content-type', 'te', 'content-length', 'x-grpc-web'].map((name) => fields.get(name)),
    ['application/grpc+proto', 'trailers', undefined, '1'],
  )
})

test('the text form is base64 both ways, in pieces', async () => {
  await using peer = await H2Peer.start(answer)
  await using server = await start(peer)
  for (const body of [base64(MESSAGE), base64(MESSAGE.slice(0, 4)) + base64(MESSAGE.slice(4))]) {
    const response = await call(server, 'application/grpc-web-text', body)
    assert.equal(response.headers.get('content-type'), 'application/grpc-web-text+proto')
    const text = await bytes(response)
    const decoded = (text.match(/[^=]+=*/g) ?? [])
      .map((piece) => Buffer.from(piece, 'base64').toString('latin1'))
      .join('')
    assert.equal(decoded, MESSAGE + TRAILER_MESSAGE)
    assert.equal(peer.streams.at(-1)!.body, MESSAGE)
  }
})

test('a text body may be cut anywhere', async () => {
  await using peer = await H2Peer.start(answer)
  await using server = await start(peer)
  const body = base64(MESSAGE)
  for (let cut = 1; cut < body.length; cut++) {
    const client = await server.connect()
    client.write(
      `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/grpc-web-text\r\nContent-Length: ${body.length}\r\n\r\n` +
        body.slice(0, cut),
    )
    await peer.until(() => peer.streams.length === cut)
    client.write(body.slice(cut))
    assert.match(await client.rest(), /^HTTP\/1\.1 200 /)
    assert.equal(peer.streams.at(-1)!.body, MESSAGE)
  }
})

test('what is no base64 is refused', async () => {
  await using peer = await H2Peer.start(answer)
  await using server = await start(peer)
  for (const body of ['????', 'AAA=AAA=A===', '=AAA']) {
    assert.equal((await call(server, 'application/grpc-web-text', body)).status, 400, body)
  }
})

test('who has begun with what is no base64 is not waited for', async () => {
  await using peer = await H2Peer.start(answer)
  await using server =
    await startViaduct(`http { client_body_timeout 1h; lingering_timeout 50ms; server { listen 127.0.0.1:%%PORT_0%%;
      location /status { stub_status; }
      location / { grpc_web on; grpc_pass grpc://127.0.0.1:${peer.port}; } } }`)
  // It hears of the end, and says nothing to that.
  const client = net.connect({ port: server.port(), allowHalfOpen: true })
  client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc-web-text\r\nContent-Length: 8\r\n\r\n????')
  await once(client.resume(), 'end')
  const status = 'GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
  await server.until('it is gone', async () => (await server.raw(status)).includes('Active connections: 1 '))
  client.destroy()
})

test('accept decides the form of the answer', async () => {
  await using peer = await H2Peer.start(answer)
  await using server = await start(peer)
  const response = await call(server, 'application/grpc-web', MESSAGE, { Accept: 'application/grpc-web-text' })
  assert.equal(response.headers.get('content-type'), 'application/grpc-web-text+proto')
  assert.ok((await bytes(response)).startsWith(base64(MESSAGE.slice(0, 4))))
})

test('a status in the head stays there', async () => {
  await using peer = await H2Peer.start((stream) => {
    stream.head(
      [
        ['content-type', 'application/grpc+json'],
        ['grpc-status', '5'],
      ],
      true,
    )
  })
  await using server = await start(peer)
  const response = await call(server, 'application/grpc-web+json', MESSAGE)
  assert.equal(response.headers.get('grpc-status'), '5')
  assert.equal(response.headers.get('content-type'), 'application/grpc-web+json')
  assert.equal(await bytes(response), '')
})

test('without the directive, and for gRPC proper, nothing is translated', async () => {
  await using peer = await H2Peer.start(answer)
  await using off = await start(peer, 'off')
  assert.equal((await call(off, 'application/grpc-web', MESSAGE)).headers.get('content-type'), 'application/grpc')
  assert.equal(peer.streams[0]!.fields.get('content-type'), 'application/grpc-web')
  await using on = await start(peer)
  const response = await call(on, 'application/grpc', MESSAGE)
  assert.equal(response.headers.get('content-type'), 'application/grpc')
  assert.equal(await bytes(response), MESSAGE)
})
