/**
 * Clients that make the server work for nothing. Each is cut off at a limit, with GOAWAY and a line in the log, and
 * before that costs no more than what it sends; a client that works reaches none of the limits.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  frameHead,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  PING,
  PRIORITY,
  PROTOCOL_ERROR,
  rstStream,
  SETTINGS,
  settingsFrame,
  WINDOW_MAX,
  windowUpdate,
} from '../../src/http/h2/wire/frames.ts'
import { encodeField } from '../../src/http/h2/wire/hpack-encoder.ts'
import { blockOf, H2Client, requestFields } from '../harness/h2-client.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
master_process off;
error_log error.log info;
http {
  keepalive_requests 1000000;
  lingering_timeout 100ms;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    root %%DIR%%;
    client_max_body_size 0;
    location = / { return 200 hello; }
    location /hold { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:%%PORT_0%%/never; }
    location /never { limit_rate 1; limit_rate_after 0; try_files /big.txt =404; }
    location /read { proxy_pass http://127.0.0.1:%%PORT_0%%/; }
  }
  server { listen 127.0.0.1:%%PORT_1%%; http2 on; send_timeout 100ms; root %%DIR%%; }
}`

const FILES = { 'big.txt': 'x'.repeat(3_000_000) }
const GET = blockOf(requestFields())
const HOLD = blockOf(requestFields({ method: 'POST', path: '/hold' }))
const held = (id: number) => frameHead(HOLD.length, HEADERS, END_HEADERS, id) + HOLD

/** Sends pieces until the server has had enough; fails when it never has. */
async function flood(server: Server, pieces: Iterable<string>, message: RegExp) {
  await using client = await H2Client.connect(server.prefix.port())
  for (const piece of pieces) {
    client.write(piece)
    if (client.ended) break
    await client.settled().catch(() => {})
    if (client.frames.some((frame) => frame.type === 7)) break
  }
  assert.equal((await client.goAway()).code, ENHANCE_YOUR_CALM)
  await client.closed()
  await server.until('the flood is logged', () => message.test(server.prefix.read('error.log')))
}

function* times(count: number, piece: (n: number) => string, perWrite = 100): Generator<string> {
  for (let n = 0; n < count; n += perWrite) {
    let text = ''
    for (let i = n; i < n + perWrite; i++) text += piece(i)
    yield text
  }
}

const id = (n: number) => 2 * n + 1

/** What is sent, in pieces, and what the log says of it. */
const FLOODS: readonly { readonly name: string; readonly pieces: () => Iterable<string>; readonly message: RegExp }[] =
  [
    {
      name: 'streams that are reset at once (CVE-2023-44487)',
      pieces: () => times(2000, (n) => held(id(n)) + rstStream(id(n), 8), 20),
      message: /client sent too many RST_STREAM frames/,
    },
    {
      name: 'streams that the server is made to reset (CVE-2025-8671)',
      pieces: () => times(2000, (n) => held(id(n)) + windowUpdate(id(n), WINDOW_MAX), 20),
      message: /client caused too many stream resets/,
    },
    {
      name: 'streams beyond the limit',
      pieces: () => times(2000, (n) => held(id(n)), 200),
      message: /client sent too many refused streams/,
    },
    {
      name: 'a block in very many frames (CVE-2024-27316)',
      pieces: () => [`${frameHead(1, HEADERS, END_STREAM, 1)}\x82${frameHead(0, CONTINUATION, 0, 1).repeat(200)}`],
      message: /too many or too large CONTINUATION/,
    },
    {
      name: 'a block that never ends',
      pieces: () => [
        frameHead(GET.length, HEADERS, END_STREAM, 1) +
          GET +
          (frameHead(16000, CONTINUATION, 0, 1) + encodeField('x-y', 'z').repeat(4000).slice(0, 16000)).repeat(5),
      ],
      message: /too many or too large CONTINUATION/,
    },
    { name: 'SETTINGS', pieces: () => times(5000, () => settingsFrame([])), message: /too many SETTINGS frames/ },
    {
      name: 'acknowledgements',
      pieces: () => times(5000, () => frameHead(0, SETTINGS, 1, 0)),
      message: /too many SETTINGS frames/,
    },
    {
      name: 'PING',
      pieces: () => times(5000, () => `${frameHead(8, PING, 0, 0)}12345678`),
      message: /too many PING frames/,
    },
    {
      name: 'PRIORITY',
      pieces: () => times(5000, (n) => `${frameHead(5, PRIORITY, 0, id(n))}\0\0\0\0\x10`),
      message: /too many PRIORITY frames/,
    },
    { name: 'WINDOW_UPDATE', pieces: () => times(5000, () => windowUpdate(0, 1)), message: /too many WINDOW_UPDATE/ },
    { name: 'unknown frames', pieces: () => times(5000, () => frameHead(0, 99, 0, 0)), message: /too many unknown/ },
    {
      name: 'empty DATA',
      pieces: () => times(5000, (n) => (n === 0 ? held(1) : '') + frameHead(0, DATA, 0, 1)),
      message: /too many empty DATA frames/,
    },
    {
      name: 'DATA that is all padding',
      pieces: () => times(5000, (n) => `${n === 0 ? held(1) : ''}${frameHead(2, DATA, 8, 1)}\x01\0`),
      message: /too many empty DATA frames/,
    },
    {
      name: 'DATA on streams that are over',
      pieces: () => [postTo('/', 1), ...times(5000, () => `${frameHead(1, DATA, 0, 1)}x`)],
      message: /too many DATA frames/,
    },
    {
      name: 'a block that decodes to far more than it is',
      pieces: () => [frameOf(`${GET}\x40\x01x\x7f\x81\x1e${'y'.repeat(4000)}${'\xbe'.repeat(4000)}`)],
      message: /client sent too large header/,
    },
    {
      name: 'a field that is too large',
      pieces: () => [frameOf(GET + encodeField('x-large', '~'.repeat(9000)))],
      message: /client sent too large header field/,
    },
  ]

test('floods', async (t) => {
  await using server = await startViaduct(CONF, { files: FILES })
  for (const { name, pieces, message } of FLOODS) await t.test(name, () => flood(server, pieces(), message))
})

test('a window that is opened one byte at a time', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  await using client = await H2Client.connect(server.prefix.port(), {
    settings: [[INITIAL_WINDOW_SIZE, 0]],
    greedy: false,
  })
  client.request(1, { path: '/big.txt' })
  for (let i = 0; i < 50 && !client.ended; i++) {
    client.write(windowUpdate(1, 1).repeat(100))
    await client.settled().catch(() => {})
  }
  assert.equal((await client.goAway()).code, ENHANCE_YOUR_CALM)
})

function postTo(path: string, stream: number): string {
  const block = blockOf(requestFields({ method: 'POST', path }))
  return frameHead(block.length, HEADERS, END_HEADERS, stream) + block
}

function frameOf(block: string): string {
  return frameHead(block.length, HEADERS, END_HEADERS | END_STREAM, 1) + block
}

test('a stream whose window is never opened is given up', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  await using client = await H2Client.connect(server.prefix.port(1), { settings: [[INITIAL_WINDOW_SIZE, 0]] })
  client.request(1, { path: '/big.txt' })
  assert.equal(await client.reset(1), PROTOCOL_ERROR)
})

test('streams that nobody reads hold little memory', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.child.pid}/status`, 'latin1'))![1])
  await using client = await H2Client.connect(server.prefix.port(), { settings: [[INITIAL_WINDOW_SIZE, 0]] })
  client.request(1)
  await client.settled()
  const before = rss()
  for (let n = 2; n < 120; n++) client.request(2 * n + 1, { path: n % 2 === 0 ? '/big.txt' : '/never' })
  await client.settled()
  assert.equal(client.frames.filter((frame) => frame.type === HEADERS).length, 119)
  // 118 responses of 3 MB each would be 354 MB.
  assert.ok(rss() - before < 40_000, `${rss() - before} kB more`)
})

test('a client that works reaches no limit', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  await using client = await H2Client.connect(server.prefix.port())
  for (let n = 0; n < 3000; n++) {
    client.request(2 * n + 1)
    client.frame(PING, 0, 0, '12345678')
    client.frame(PRIORITY, 0, 2 * n + 1, '\0\0\0\0\x10')
    if (n % 50 === 49) await client.response(2 * n + 1)
  }
  for (let n = 3000; n < 3010; n++) {
    client.request(2 * n + 1, { path: '/big.txt' })
    assert.equal((await client.response(2 * n + 1)).body.length, 3_000_000)
  }
  assert.ok(client.frames.filter((frame) => frame.type === DATA).length > 6000)
  client.request(9001, { method: 'POST', path: '/read', open: true })
  for (let i = 0; i < 3000; i++) client.data(9001, 'x')
  client.data(9001, 'y', true)
  assert.equal((await client.response(9001)).status, 200)
  assert.ok(client.frames.every((frame) => frame.type !== 7))
})
