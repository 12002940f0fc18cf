/** Compression and decompression of bodies that pass: in pieces, flushed, faster than the client takes them. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import { constants, gzipSync } from 'node:zlib'
import { Client, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  gzip on;
  gzip_types text/plain;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_http_version 1.1; proxy_buffering off; }
    location /plain/ { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_http_version 1.1; gzip off; gunzip on; proxy_max_temp_file_size 0; }
  }
}`
const LINES = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `line ${(i * 7919) % 65_537}\n`).join(''))

async function start(answer: RequestListener) {
  const server = await startViaduct(CONF)
  const backEnd = createServer(answer)
  await new Promise<void>((resolve) => backEnd.listen(server.port(1), '127.0.0.1', resolve))
  return {
    server,
    async [Symbol.asyncDispose]() {
      backEnd.closeAllConnections()
      backEnd.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

const request = (target: string, fields: string) => `GET ${target} HTTP/1.0\r\nHost: h\r\n${fields}\r\n\r\n`

/** The body of a whole HTTP/1.0 answer. */
function bodyOf(answer: string): Buffer {
  return Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1')
}

test('a long body is compressed in pieces', async () => {
  await using at = await start((_, res) => {
    res.setHeader('Content-Type', 'text/plain')
    res.end(LINES)
  })
  const response = await fetch(at.server.url('/'), { headers: { 'accept-encoding': 'gzip' } })
  assert.equal(response.headers.get('content-encoding'), 'gzip')
  assert.ok(Buffer.from(await response.arrayBuffer()).equals(LINES))
})

test('what a back end sends and waits after comes through at once', async () => {
  let out: ServerResponse | undefined
  await using at = await start((_, res) => {
    res.setHeader('Content-Type', 'text/plain')
    res.write('first ')
    out = res
  })
  const response = await fetch(at.server.url('/'), { headers: { 'accept-encoding': 'gzip' } })
  const reader = response.body!.getReader()
  const decoder = new TextDecoder()
  assert.equal(decoder.decode((await reader.read()).value), 'first ')
  out!.end('second')
  assert.equal(decoder.decode((await reader.read()).value), 'second')
})

test('a small compressed body that is huge inside waits for its client', async () => {
  const size = 200_000_000
  const packed = gzipSync(Buffer.alloc(size))
  await using at = await start((_, res) => {
    res.setHeader('Content-Encoding', 'gzip')
    res.end(packed)
  })
  const client = await Client.connect(at.server.port())
  client.socket.removeAllListeners('data')
  let received = 0
  const end = new Promise<void>((resolve) => client.socket.once('end', resolve))
  client.write(request('/plain/x', 'X: y'))
  client.socket.on('data', (text: string) => {
    received += text.length
  })
  await end
  client.close()
  assert.ok(received > size, `${received} bytes`)
})

test('gunzip gives back what was compressed', async () => {
  const packed = gzipSync(LINES, { level: constants.Z_BEST_SPEED })
  await using at = await start((_, res) => {
    res.setHeader('Content-Encoding', 'gzip')
    for (let i = 0; i < packed.length; i += 10_000) res.write(packed.subarray(i, i + 10_000))
    res.end()
  })
  const client = await Client.connect(at.server.port())
  client.write(request('/plain/x', 'X: y'))
  const body = bodyOf(await client.rest())
  const sum = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex')
  assert.equal(sum(body), sum(LINES))
})
