/** Clients that make the server answer and never read: what waits for them has a limit, and those who read reach none. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import {
  DATA,
  END_HEADERS,
  frameHead,
  HEADERS,
  PING,
  settingsFrame,
  WINDOW_UPDATE,
} from '../../src/http/h2/wire/frames.ts'
import { blockOf, H2Client, requestFields } from '../harness/h2-client.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
error_log error.log info;
http {
  client_max_body_size 0; lingering_timeout 100ms; lingering_time 100ms;
  server {
    listen 127.0.0.1:%%PORT_0%%; http2 on;
    location /sink { proxy_pass http://127.0.0.1:1; }
  }
}`

const SINK = blockOf(requestFields({ method: 'POST', path: '/sink' }))
const OPEN = frameHead(SINK.length, HEADERS, END_HEADERS, 1) + SINK
const ping = `${frameHead(8, PING, 0, 0)}12345678`
const small = `${frameHead(64, DATA, 0, 1)}${'x'.repeat(64)}`
const POURED_MAX = 400e6
const UNREAD = /client does not read what it makes us answer while processing HTTP\/2 connection/

/** Writes `piece` again and again and reads no more, until the server is rid of the client; bytes that were written. */
async function pour(server: Server, piece: string): Promise<number> {
  const client = await H2Client.connect(server.port())
  const { socket } = client
  client.write(OPEN)
  await client.waitFor((frame) => frame.type === WINDOW_UPDATE && frame.stream === 1)
  socket.pause()
  const bytes = Buffer.from(piece.repeat(Math.ceil(65536 / piece.length)), 'latin1')
  let sent = 0
  const more = (): void => {
    while (!socket.destroyed && sent < POURED_MAX) {
      sent += bytes.length
      if (!socket.write(bytes)) return
    }
  }
  socket.on('drain', more)
  more()
  await server.logged(UNREAD)
  socket.destroy()
  return sent
}

test('a PING for each small DATA, from a client that does not read', async () => {
  await using server = await startViaduct(CONF)
  assert.ok((await pour(server, small + ping)) < POURED_MAX)
})

test('the same from a client that reads is no flood', async () => {
  await using server = await startViaduct(CONF)
  await using client = await H2Client.connect(server.port())
  client.write(OPEN)
  await client.waitFor((frame) => frame.type === WINDOW_UPDATE && frame.stream === 1)
  const acknowledged = () => client.frames.filter((frame) => frame.type === PING).length
  for (let round = 1; round <= 40; round++) {
    client.write((small + ping).repeat(1000))
    while (acknowledged() < round * 1000) await client.settled()
  }
  assert.ok(!client.ended)
  assert.doesNotMatch(server.errorLog(), UNREAD)
})

test('a back end that does not read', async () => {
  const backEnd = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.pause()
      socket.write(Buffer.from(`${settingsFrame([])}${frameHead(1, HEADERS, END_HEADERS, 1)}\x88`, 'latin1'))
      const bytes = Buffer.from((small + ping).repeat(700), 'latin1')
      const more = (): void => {
        while (!socket.destroyed && socket.bytesWritten < POURED_MAX) if (!socket.write(bytes)) return
      }
      socket.on('drain', more)
      more()
    })
  })
  await new Promise<void>((resolve) => backEnd.listen(0, '127.0.0.1', resolve))
  const { port } = backEnd.address() as net.AddressInfo
  await using server = await startViaduct(`
    error_log error.log info;
    http {
      server {
        listen 127.0.0.1:%%PORT_0%%; proxy_buffering off;
        location / { proxy_http_version 2; proxy_pass http://127.0.0.1:${port}; }
      }
    }`)
  using client = await server.connect()
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  client.socket.on('data', () => {
    client.received = ''
  })
  try {
    await server.logged(/upstream does not read what it makes us answer/)
  } finally {
    backEnd.close()
  }
})
