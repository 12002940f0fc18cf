/**
 * 200 MB up, with the request buffered and not, and 200 MB down to a reader that stops and goes: every byte arrives, and
 * the engine's memory stays far below what passes through it.
 */
import assert from 'node:assert/strict'
import { createHash, type Hash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'
import { after, before, test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'
import { standstill } from '../harness/wait.ts'
import { engineOf, MemoryWatch } from './processes.ts'

const SIZE = 200 * 1024 * 1024
const PIECE = Buffer.alloc(
  256 * 1024,
  Uint8Array.from({ length: 251 }, (_, i) => i),
)
/**
 * How far the engine may grow over the whole file, in which more than a gigabyte passes. Its buffers are some hundred KB;
 * a worker's young heap may fill 64 MB before it is collected, whatever passes through.
 */
const GROWTH_MAX = 128 * 1024 * 1024
/** The kernel may hold 36 MB on each of the two connections; the rest is the temporary file of 8 MB, and buffers. */
const UNREAD_MAX = 96 * 1024 * 1024
/** The slow reader stops this often, and each time until the back end cannot write either. */
const PAUSES = 8

const running = new AsyncDisposableStack()
let server: Server
let watch: MemoryWatch
/** Bytes of the download that the back end could write so far. */
let written = 0
/** The first byte of an upload reached the back end. */
let onUpload = (): void => {}

before(async () => {
  const backEnd = http.createServer((request, response) => {
    if (request.method === 'GET') return writeAll(response)
    request.once('data', () => onUpload())
    void hashOf(request).then((answer) => response.end(JSON.stringify(answer)))
  })
  await once(backEnd.listen(0, '127.0.0.1'), 'listening')
  running.defer(() => {
    backEnd.closeAllConnections()
    backEnd.close()
  })
  const { port } = backEnd.address() as net.AddressInfo
  server = running.use(
    await startViaduct(`worker_processes 1;
      http {
        client_max_body_size 300m;
        client_body_temp_path %%DIR%%/body; proxy_temp_path %%DIR%%/proxy;
        proxy_http_version 1.1; proxy_set_header Connection "";
        server {
          listen 127.0.0.1:%%PORT_0%%;
          location /buffered { proxy_pass http://127.0.0.1:${port}; }
          location /streamed { proxy_pass http://127.0.0.1:${port}; proxy_request_buffering off; }
          location /small-file { proxy_pass http://127.0.0.1:${port}; proxy_max_temp_file_size 8m; }
          location /no-file { proxy_pass http://127.0.0.1:${port}; proxy_max_temp_file_size 0; }
          location /unbuffered { proxy_pass http://127.0.0.1:${port}; proxy_buffering off; }
        }
      }`),
  )
  // What a worker needs once is not growth.
  await upload('/buffered', 16 * 1024 * 1024)
  await upload('/streamed', 16 * 1024 * 1024)
  watch = running.use(new MemoryWatch(engineOf(server)))
})
after(() => running.disposeAsync())

function writeAll(response: http.ServerResponse): void {
  response.writeHead(200, { 'Content-Length': SIZE })
  written = 0
  const more = (): void => {
    while (written < SIZE) {
      written += PIECE.length
      if (!response.write(PIECE)) return
    }
    response.end()
  }
  response.on('drain', more)
  more()
}

interface Arrived {
  readonly size: number
  readonly sha256: string
}

async function hashOf(stream: AsyncIterable<Buffer>, hash: Hash = createHash('sha256')): Promise<Arrived> {
  let size = 0
  for await (const piece of stream) {
    hash.update(piece)
    size += piece.length
  }
  return { size, sha256: hash.digest('hex') }
}

function expected(size: number): Arrived {
  const hash = createHash('sha256')
  for (let at = 0; at < size; at += PIECE.length) hash.update(PIECE)
  return { size, sha256: hash.digest('hex') }
}

/** Uploads with a Content-Length, or in chunks; with `halfWay`, waits for it when half of the body is sent. */
async function upload(target: string, size: number, chunked = false, halfWay?: Promise<void>): Promise<Arrived> {
  const headers = chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': size }
  const request = http.request(server.url(target), { method: 'POST', headers, agent: false })
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>
  for (let at = 0; at < size; at += PIECE.length) {
    if (at === size / 2) await halfWay
    if (!request.write(PIECE)) await once(request, 'drain')
  }
  request.end()
  const [response] = await answered
  let text = ''
  for await (const piece of response) text += piece
  return JSON.parse(text) as Arrived
}

function assertBounded(t: { diagnostic(text: string): void }): void {
  const growth = watch.growth()
  t.diagnostic(`the engine has grown by ${(growth / 1024 / 1024).toFixed(1)} MB`)
  assert.ok(growth < GROWTH_MAX, `${growth} bytes`)
}

for (const target of ['/buffered', '/streamed']) {
  for (const chunked of [false, true]) {
    test(`an upload of 200 MB to ${target}, ${chunked ? 'in chunks' : 'with a length'}`, async (t) => {
      assert.deepEqual(await upload(target, SIZE, chunked), expected(SIZE))
      assertBounded(t)
    })
  }
}

test('a streamed upload is at the back end before the client has sent half of it', async () => {
  const arrived = new Promise<void>((resolve) => {
    onUpload = resolve
  })
  const size = 4 * 1024 * 1024
  assert.deepEqual(await upload('/streamed', size, false, arrived), expected(size))
})

/** Reads all; stops every now and then until the back end is blocked as well. */
async function readSlowly(target: string): Promise<Arrived & { readonly unreadMax: number }> {
  const request = http.request(server.url(target), { agent: false }).end()
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  const hash = createHash('sha256')
  let size = 0
  let unreadMax = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    hash.update(piece)
    const before = Math.floor((size * PAUSES) / SIZE)
    size += piece.length
    if (Math.floor((size * PAUSES) / SIZE) === before) continue
    await standstill(() => written)
    unreadMax = Math.max(unreadMax, written - size)
  }
  return { size, sha256: hash.digest('hex'), unreadMax }
}

for (const target of ['/small-file', '/no-file', '/unbuffered']) {
  test(`a download of 200 MB from ${target} by a reader that stops holds the back end`, async (t) => {
    const { unreadMax, ...arrived } = await readSlowly(target)
    assert.deepEqual(arrived, expected(SIZE))
    t.diagnostic(`at most ${(unreadMax / 1024 / 1024).toFixed(1)} MB were written and not read`)
    assert.ok(unreadMax < UNREAD_MAX, `${unreadMax} bytes`)
    assertBounded(t)
  })
}

test('with a temporary file the back end is done long before the reader', async (t) => {
  const request = http.request(server.url('/buffered'), { agent: false }).end()
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  await server.until('the back end wrote all', () => written >= SIZE)
  assertBounded(t)
  assert.deepEqual(await hashOf(response), expected(SIZE))
  assertBounded(t)
})
