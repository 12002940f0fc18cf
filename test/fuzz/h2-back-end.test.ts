/** Mutated answers of an HTTP/2 back end, from a fixed seed: every request is answered or cut off, and the server lives. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { windowUpdate } from '../../src/http/h2/wire/frames.ts'
import { dataFrame, H2Peer, headFrames } from '../harness/h2-peer.ts'
import { startViaduct } from '../harness/server.ts'

const ROUNDS = 400
const AT_ONCE = 20
/** Requests with a connection of their own do not suffer from each other. */
const PATHS = ['/', '/stream', '/alone', '/alone']
let state = 20261120

function below(limit: number): number {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
  return (state >>> 8) % limit
}

function answer(id: number): Buffer {
  const body = 'x'.repeat(below(400))
  const parts = [
    headFrames(id, [[':status', '103']], false),
    headFrames(
      id,
      [
        [':status', '200'],
        ['content-length', String(body.length)],
        ['a', 'b'],
      ],
      false,
      1 + below(3),
    ),
    dataFrame(id, body.slice(0, 100)),
    '\0\0\x08\x06\0\0\0\0\0PINGPONG',
    windowUpdate(id, 1 + below(1000)),
    dataFrame(id, body.slice(100), below(2) === 0),
    headFrames(id, [['t', 'railer']], true),
  ]
  if (below(3) === 0) parts.splice(below(parts.length), 1)
  if (below(3) === 0) parts.push(parts[below(parts.length)]!)
  const bytes = Buffer.from(parts.join(''), 'latin1')
  for (let n = below(4); n > 0; n--) bytes[below(bytes.length)] = below(3) === 0 ? below(10) : below(256)
  return below(4) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes
}

test('mutated answers', async () => {
  await using peer = await H2Peer.start(({ id, connection }) => {
    const bytes = answer(id)
    const cut = below(bytes.length + 1)
    connection.socket.write(bytes.subarray(0, cut))
    setImmediate(() => {
      connection.socket.write(bytes.subarray(cut))
      if (below(6) === 0) connection.socket.end()
    })
  })
  await using server = await startViaduct(`http { upstream group { server 127.0.0.1:${peer.port}; keepalive 4; }
    server { listen 127.0.0.1:%%PORT_0%%; proxy_http_version 2; proxy_read_timeout 150ms; proxy_pass_trailers on;
      location / { proxy_pass http://group; } location /stream { proxy_pass http://group; proxy_buffering off; }
      location /alone { proxy_pass http://127.0.0.1:${peer.port}; } } }`)
  let good = 0
  const ask = async (path: string): Promise<void> => {
    const text = await server.raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    // Nothing at all is no answer, but for a response that begins with its last bytes.
    assert.match(text, /^HTTP\/1\.1 (?:103|200|50[24]) |^$/)
    if (text.includes('HTTP/1.1 200')) good++
  }
  for (let round = 0; round < ROUNDS; round += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => ask(PATHS[i % PATHS.length]!)))
  }
  assert.ok(good > ROUNDS / 10, `${good} were good`)
  peer.onRequest = (stream) => stream.reply('alive')
  // The connections that were left in the middle of a frame have to go first.
  await server.until('alive', async () => (await (await fetch(server.url('/'))).text()) === 'alive')
})
