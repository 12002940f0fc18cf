/** Large bodies, slow readers and WebSockets over TLS to the back end. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'
import { standstill } from '../harness/wait.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const own = certificates.make('localhost')
const SIZE = 10 * 1024 * 1024
const BODY = randomBytes(SIZE)
const DIGEST = digest(BODY)

function digest(bytes: Uint8Array | string): string {
  return createHash('sha1')
    .update(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    .digest('hex')
}

for (const buffering of ['on', 'off']) {
  test(`10 MB go up and down, buffering ${buffering}`, async () => {
    await using peer = await TlsPeer.start(own, ({ head, body }) =>
      head.startsWith('POST') ? reply(digest(body)) : reply(BODY.latin1Slice()),
    )
    await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
      client_max_body_size 20m; proxy_buffering ${buffering}; proxy_request_buffering ${buffering};
      location / { proxy_pass https://127.0.0.1:${peer.port}; }
    } }`)
    const up = await fetch(server.url('/'), { method: 'POST', body: BODY })
    assert.equal(await up.text(), DIGEST)
    const down = await fetch(server.url('/'))
    assert.equal(digest(new Uint8Array(await down.arrayBuffer())), DIGEST)
  })
}

test('a client that reads late holds up the back end, and gets all of it', async () => {
  const large = 'x'.repeat(64 * 1024 * 1024)
  await using peer = await TlsPeer.start(own, () => reply(large))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    proxy_max_temp_file_size 0;
    location / { proxy_pass https://127.0.0.1:${peer.port}; }
  } }`)
  const response = await fetch(server.url('/'))
  const [socket] = peer.sockets
  // Nothing moves any more when everybody's buffers are full.
  await standstill(() => socket!.bytesWritten)
  assert.ok(socket!.writableLength > 0)
  assert.equal((await response.arrayBuffer()).byteLength, large.length)
})

test('a paced response is complete', async () => {
  const text = BODY.subarray(0, 300_000).latin1Slice()
  await using peer = await TlsPeer.start(own, () => reply(text))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass https://127.0.0.1:${peer.port}; proxy_limit_rate 400k; }
  } }`)
  const response = await fetch(server.url('/'))
  assert.equal(digest(new Uint8Array(await response.arrayBuffer())), digest(text))
})

test('a response that ends with the connection', async () => {
  await using peer = await TlsPeer.start(own, ({ socket }) => {
    socket.end('HTTP/1.0 200 OK\r\n\r\nall of it')
    return undefined
  })
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass https://127.0.0.1:${peer.port}; }
  } }`)
  assert.equal(await (await fetch(server.url('/'))).text(), 'all of it')
})

test('a WebSocket passes both ways', async () => {
  await using peer = await TlsPeer.start(
    own,
    () => 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: test\r\nConnection: Upgrade\r\n\r\nhello',
  )
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / {
      proxy_pass https://127.0.0.1:${peer.port};
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }
  } }`)
  using client = await server.connect()
  client.write('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: test\r\nConnection: upgrade\r\n\r\n')
  await client.until(/hello$/)
  const [socket] = peer.sockets
  socket!.on('data', (bytes: Buffer) => socket!.write(bytes.latin1Slice().toUpperCase()))
  client.write('ping')
  await client.until(/PING$/)
  client.write('x'.repeat(200_000))
  while (!client.received.endsWith('ING' + 'X'.repeat(200_000))) await once(client.socket, 'data')
  socket!.end('bye')
  assert.ok((await client.rest()).endsWith('Xbye'))
})

test('with proxy_half_close the end of one side of a tunnel is passed on, the other goes on', async () => {
  const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: test\r\nConnection: Upgrade\r\n\r\n'
  await using peer = await TlsPeer.start({ ...own, allowHalfOpen: true }, () => upgrade)
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / {
      proxy_pass https://127.0.0.1:${peer.port};
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_half_close on;
    }
  } }`)
  using client = await server.connect()
  client.write('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: test\r\nConnection: upgrade\r\n\r\n')
  await client.until(/101/)
  const [socket] = peer.sockets
  let asked = ''
  socket!.on('data', (bytes: Buffer) => {
    asked += bytes.latin1Slice()
  })
  const ended = once(socket!, 'end')
  client.write('y'.repeat(300_000))
  client.socket.end()
  await ended
  assert.equal(asked.length, 300_000)
  socket!.end('late answer')
  assert.ok((await client.rest()).endsWith('late answer'))
})
