/** WebSocket over HTTP/2 (RFC 8441): an extended CONNECT reaches a back end of HTTP/1.1 as an upgrade. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import { test } from 'node:test'
import { WebSocketServer } from 'ws'
import {
  DATA,
  ENABLE_CONNECT_PROTOCOL,
  END_STREAM,
  PING,
  RST_STREAM,
  SETTINGS,
  u16,
  u32,
} from '../../src/http/h2/wire/frames.ts'
import { H2Client } from '../harness/h2-client.ts'
import { startViaduct } from '../harness/server.ts'

const CONF = `http {
  log_format h2 '$request|$status|$bytes_sent';
  access_log access.log h2;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    location /ws {
      proxy_pass http://127.0.0.1:%%PORT_1%%;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
    location /plain { return 200 "no socket"; }
    location /none { return 404; }
  }
}`

const CONNECT: readonly (readonly [string, string])[] = [
  [':method', 'CONNECT'],
  [':protocol', 'websocket'],
  [':scheme', 'http'],
  [':path', '/ws/chat?x=1'],
  [':authority', 'localhost'],
  ['sec-websocket-version', '13'],
]

/** A frame of WebSocket from a client, with a mask of zeros. */
function message(text: string, opcode = 1): string {
  const size = text.length
  const head = size < 126 ? String.fromCharCode(0x80 | size) : `\xfe${String.fromCharCode(size >> 8, size & 0xff)}`
  return `${String.fromCharCode(0x80 | opcode)}${head}\0\0\0\0${text}`
}

async function start(onSocket: (socket: import('ws').WebSocket, request: http.IncomingMessage) => void) {
  const server = await startViaduct(CONF)
  const backend = http.createServer()
  const sockets = new WebSocketServer({ server: backend })
  sockets.on('connection', onSocket)
  await once(backend.listen(server.prefix.port(1), '127.0.0.1'), 'listening')
  return {
    server,
    port: server.prefix.port(),
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate()
      backend.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

test('the server says that it has it', async () => {
  await using run = await start(() => {})
  await using client = await H2Client.connect(run.port)
  const { payload } = client.frames.find((frame) => frame.type === SETTINGS)!
  const settings = new Map<number, number>()
  for (let at = 0; at < payload.length; at += 6) settings.set(u16(payload, at), u32(payload, at + 2))
  assert.equal(settings.get(ENABLE_CONNECT_PROTOCOL), 1)
})

test('messages pass both ways until one side closes', async () => {
  const asked: http.IncomingMessage[] = []
  await using run = await start((socket, request) => {
    asked.push(request)
    socket.on('message', (data) => socket.send(`echo ${data}`))
  })
  await using client = await H2Client.connect(run.port)
  client.request(1, { raw: CONNECT, open: true })
  await client.waitFor((frame) => frame.stream === 1 && frame.fields.length > 0)
  const { status, headers } = client.soFar(1)
  assert.equal(status, 200)
  assert.equal(headers.upgrade, undefined)
  assert.equal(headers.connection, undefined)
  assert.equal(headers['sec-websocket-accept'], undefined)
  assert.equal(asked[0]!.method, 'GET')
  assert.equal(asked[0]!.url, '/ws/chat?x=1')
  assert.equal(asked[0]!.headers.upgrade, 'websocket')

  client.data(1, message('one'))
  await client.waitFor((frame) => frame.payload.toString('latin1').includes('echo one'))
  const long = 'z'.repeat(60000)
  client.data(1, message(long))
  await client.waitFor(() => client.soFar(1).body.length > 60000)
  assert.ok(client.soFar(1).body.includes(`echo ${long}`))

  client.data(1, message('\x03\xe8', 8))
  await client.waitFor((frame) => frame.stream === 1 && (frame.flags & END_STREAM) !== 0 && frame.type === 0)
})

test('a PING for each message is no flood', async () => {
  await using run = await start((socket) => socket.on('message', (data) => socket.send(data)))
  await using client = await H2Client.connect(run.port)
  client.request(1, { raw: CONNECT, open: true })
  await client.waitFor((frame) => frame.stream === 1 && frame.fields.length > 0)
  let echoed = 0
  for (let sent = 0; sent < 4000; ) {
    client.data(1, message(`n${++sent}`))
    await client.waitFor((frame) => frame.type === DATA && frame.payload.toString('latin1').includes(`n${sent}`))
    echoed += client.frames.filter((frame) => frame.type === DATA).length
    client.frames.length = 0
    client.frame(PING, 0, 0, '12345678')
  }
  assert.equal(echoed, 4000)
  await client.settled()
})

test('a back end that leaves ends the stream', async () => {
  await using run = await start((socket) => socket.terminate())
  await using client = await H2Client.connect(run.port)
  client.request(1, { raw: CONNECT, open: true })
  await client.waitFor((f) => f.stream === 1 && (f.type === RST_STREAM || (f.flags & END_STREAM) !== 0))
})

test('a client that resets the stream is gone for the back end', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  await using run = await start((socket) => socket.on('close', () => resolve()))
  await using client = await H2Client.connect(run.port)
  client.request(1, { raw: CONNECT, open: true })
  await client.waitFor((frame) => frame.stream === 1)
  client.frame(RST_STREAM, 0, 1, '\0\0\0\x08')
  await promise
})

test('a client that takes nothing makes the back end wait', async () => {
  const bytes = Buffer.alloc(65536, 'q')
  let sent = 0
  await using run = await start((socket) => {
    const pump = () => {
      if (sent >= 40) return
      sent++
      socket.send(bytes, pump)
    }
    pump()
  })
  await using client = await H2Client.connect(run.port, { greedy: false })
  client.request(1, { raw: CONNECT, open: true })
  await client.waitFor(() => client.soFar(1).body.length === 65535)
  await client.settled()
  assert.equal(client.soFar(1).body.length, 65535)
  client.frame(8, 0, 0, '\x7f\0\0\0')
  client.frame(8, 0, 1, '\x7f\0\0\0')
  await client.waitFor(() => client.soFar(1).body.length > 40 * 65536)
})

test('what is no WebSocket is refused', async (t) => {
  await using run = await start(() => {})
  await using client = await H2Client.connect(run.port)
  let id = -1
  const ask = async (changes: Record<string, string | undefined>, open = true) => {
    id += 2
    const raw = CONNECT.filter(([name]) => !(name in changes) || changes[name] !== undefined).map(
      ([name, value]) => [name, changes[name] ?? value] as const,
    )
    client.request(id, { raw, open })
    return (await client.response(id)).status
  }
  const cases: readonly [string, Record<string, string | undefined>, number, boolean?][] = [
    ['a location that answers 200 by itself', { ':path': '/plain' }, 501],
    ['a location that answers 404', { ':path': '/none' }, 404],
    ['another protocol', { ':protocol': 'connect-udp' }, 501],
    ['another method', { ':method': 'GET' }, 400],
    ['a CONNECT without a protocol', { ':protocol': undefined }, 405],
    ['a CONNECT without a path', { ':protocol': undefined, ':path': undefined, ':scheme': undefined }, 400],
    ['a stream that is closed already', {}, 400, false],
  ]
  for (const [name, changes, status, open] of cases) {
    await t.test(name, async () => assert.equal(await ask(changes, open), status))
  }
})

test('a back end that refuses the upgrade is passed on', async () => {
  await using server = await startViaduct(CONF)
  const backend = net.createServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'))
  })
  await once(backend.listen(server.prefix.port(1), '127.0.0.1'), 'listening')
  await using client = await H2Client.connect(server.prefix.port())
  client.request(1, { raw: CONNECT, open: true })
  const { status, body } = await client.response(1)
  assert.deepEqual([status, body], [403, 'no'])
  backend.close()
})

test('node:http2 as a client', async () => {
  await using run = await start((socket) => socket.on('message', (data) => socket.send(`echo ${data}`)))
  const session = http2.connect(`http://127.0.0.1:${run.port}`)
  await once(session, 'remoteSettings')
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': '/ws',
    ':authority': 'localhost',
    'sec-websocket-version': '13',
  })
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  assert.equal(headers[':status'], 200)
  stream.write(Buffer.from(message('hi'), 'latin1'))
  const [bytes] = (await once(stream, 'data')) as [Buffer]
  assert.equal(bytes.toString('latin1', 2), 'echo hi')
  stream.destroy()
  session.destroy()
})
