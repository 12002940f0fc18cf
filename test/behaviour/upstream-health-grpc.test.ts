/** `health_check type=grpc`: the servers of a group are asked by grpc.health.v1. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { H2Peer, headFrames, type PeerStream } from '../harness/h2-peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const CHECK = '/grpc.health.v1.Health/Check'

function conf(port: number, check: string, location = ''): string {
  return `http { upstream u { zone u 64k; server 127.0.0.1:${port}; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { grpc_pass grpc://u; grpc_set_header X-Const 7; ${location} health_check interval=20ms ${check}; } } }`
}

/** Answers a check with a status of the call, and of the service. */
function tell(stream: PeerStream, status: number, serving: number): void {
  stream.head([['content-type', 'application/grpc']])
  if (status === 0) stream.data(`\0\0\0\0\x02\x08${String.fromCharCode(serving)}`)
  stream.trailers([['grpc-status', String(status)]])
}

async function status(server: Server): Promise<number> {
  return (await fetch(server.url('/'))).status
}

test('a server that does not serve gets no requests until it does', async () => {
  let serving = 2
  await using peer = await H2Peer.start((stream) => {
    if (stream.path === CHECK) tell(stream, 0, serving)
    else stream.reply('ok')
  })
  await using server = await startViaduct(conf(peer.port, 'type=grpc grpc_service=my.Service'))
  await server.until('the server is out', async () => (await status(server)) === 502)
  const check = peer.streams.find(({ path }) => path === CHECK)!
  assert.equal(check.body, '\0\0\0\0\x0c\x0a\x0amy.Service')
  assert.deepEqual(
    [':method', ':authority', 'content-type', 'te', 'x-const'].map((name) => check.fields.get(name)),
    ['POST', 'u', 'application/grpc', 'trailers', '7'],
  )
  serving = 1
  await server.until('the server is back', async () => (await status(server)) === 200)
})

test('a server without the service may be well by its status', async () => {
  let code = 12
  await using peer = await H2Peer.start((stream) => {
    if (stream.path !== CHECK) stream.reply('ok')
    else
      stream.send(
        headFrames(
          stream.id,
          [
            [':status', '200'],
            ['grpc-status', String(code)],
          ],
          true,
        ),
      )
  })
  await using server = await startViaduct(conf(peer.port, 'mandatory type=grpc grpc_status=12'))
  await server.until('the server is in', async () => (await status(server)) === 200)
  code = 14
  await server.until('the server is out', async () => (await status(server)) === 502)
})

test('what is no answer fails the check', async () => {
  let answer: (stream: PeerStream) => void = (stream) => tell(stream, 0, 1)
  await using peer = await H2Peer.start((stream) => (stream.path === CHECK ? answer(stream) : stream.reply('ok')))
  await using server = await startViaduct(conf(peer.port, 'type=grpc', 'grpc_read_timeout 100ms;'))
  for (const wrong of [
    (stream: PeerStream) => stream.reset(2),
    (stream: PeerStream) => stream.connection.socket.destroy(),
    (stream: PeerStream) => stream.send(headFrames(stream.id, [[':status', '404']], true)),
    (stream: PeerStream) => stream.connection.goAway(0, 0),
    () => {},
  ]) {
    answer = wrong
    await server.until('the server is out', async () => (await status(server)) === 502)
    answer = (stream) => tell(stream, 0, 1)
    await server.until('the server is back', async () => (await status(server)) === 200)
  }
})

for (const [why, check, message] of [
  ['a uri', 'type=grpc uri=/x', /"type=grpc" is not compatible with "uri" and "match" parameters/],
  ['another type', 'type=tcp', /invalid type "tcp"/],
  ['a service without the type', 'grpc_service=x', /"grpc_service" and "grpc_status" parameters require "type=grpc"/],
  ['no type', '', /"health_check" requires "type=grpc", as its location has "grpc_pass"/],
] as const) {
  test(`refused: ${why}`, async () => {
    await assert.rejects(startViaduct(conf(1, check)), message)
  })
}

test('refused: in a location without grpc_pass', async () => {
  const text = `http { upstream u { zone u 64k; server 127.0.0.1:1; } server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://u; health_check type=grpc; } } }`
  await assert.rejects(startViaduct(text), /"health_check" with "type=grpc" requires a location with "grpc_pass"/)
})

test('where proxy_http_version is 2, checks are made by HTTP/2', async () => {
  let body = 'all fine'
  await using peer = await H2Peer.start((stream) => stream.reply(stream.path === '/health?x' ? body : 'ok'))
  await using server = await startViaduct(`http {
    match fine { status 200; header content-length; body ~ fine; }
    upstream u { zone u 64k; server 127.0.0.1:${peer.port}; }
    server { listen 127.0.0.1:%%PORT_0%%; proxy_http_version 2;
      location / { proxy_pass http://u; proxy_set_header Host back.test; proxy_set_header X-Const 7;
        proxy_set_header Connection close; health_check interval=20ms uri=/health?x match=fine mandatory; } } }`)
  await server.until('the server is in', async () => (await status(server)) === 200)
  const check = peer.streams.find(({ path }) => path === '/health?x')!
  assert.deepEqual([...check.fields].toSorted(), [
    [':authority', 'back.test'],
    [':method', 'GET'],
    [':path', '/health?x'],
    [':scheme', 'http'],
    ['x-const', '7'],
  ])
  body = 'all bad'
  await server.until('the server is out', async () => (await status(server)) === 502)
})
