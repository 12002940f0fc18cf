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
} from '../../src/http/h2/frames.ts'
import { encodeField } from '../../src/http/h2/hpack-encoder.ts'
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
async function flood(server: Server, pieces: Iterable<string>, message: RegExp, code = ENHANCE_YOUR_CALM) {
  await using client = await H2Client.connect(server.prefix.port())
  for (const piece of pieces) {
    client.write(piece)
    if (client.ended) break
    await client.settled().catch(() => {})
    if (client.frames.some((frame) => frame.type === 7)) break
  }
  assert.equal((await client.goAway()).code, code)
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

test('floods', async (t) => {
  await using server = await startViaduct(CONF, { files: FILES })
  const id = (n: number) => 2 * n + 1

  await t.test('streams that are reset at once (CVE-2023-44487)', () =>
    flood(
      server,
      times(2000, (n) => held(id(n)) + rstStream(id(n), 8), 20),
      /client sent too many RST_STREAM frames/,
    ),
  )
  await t.test('streams that the server is made to reset (CVE-2025-8671)', () => {
    const piece = (n: number) => held(id(n)) + windowUpdate(id(n), WINDOW_MAX)
    return flood(server, times(2000, piece, 20), /client caused too many stream resets/)
  })
  await t.test('streams beyond the limit', () =>
    flood(
      server,
      times(2000, (n) => held(id(n)), 200),
      /client sent too many refused streams/,
    ),
  )
  await t.test('a block in very many frames', () => {
    const start = frameHead(1, HEADERS, END_STREAM, 1) + '\x82'
    return flood(server, [start + frameHead(0, CONTINUATION, 0, 1).repeat(200)], /too many or too large CONTINUATION/)
  })
  await t.test('a block that never ends', () => {
    const start = frameHead(GET.length, HEADERS, END_STREAM, 1) + GET
    const more = frameHead(16000, CONTINUATION, 0, 1) + encodeField('x-y', 'z').repeat(4000).slice(0, 16000)
    return flood(server, [start + more.repeat(5)], /too many or too large CONTINUATION/)
  })
  await t.test('SETTINGS', () =>
    flood(
      server,
      times(5000, () => settingsFrame([])),
      /too many SETTINGS frames/,
    ),
  )
  await t.test('acknowledgements', () => {
    return flood(
      server,
      times(5000, () => frameHead(0, SETTINGS, 1, 0)),
      /too many SETTINGS frames/,
    )
  })
  await t.test('PING', () =>
    flood(
      server,
      times(5000, () => `${frameHead(8, PING, 0, 0)}12345678`),
      /too many PING/,
    ),
  )
  await t.test('PRIORITY', () => {
    const piece = (n: number) => `${frameHead(5, PRIORITY, 0, id(n))}\0\0\0\0\x10`
    return flood(server, times(5000, piece), /too many PRIORITY frames/)
  })
  await t.test('WINDOW_UPDATE', () =>
    flood(
      server,
      times(5000, () => windowUpdate(0, 1)),
      /too many WINDOW_UPDATE/,
    ),
  )
  await t.test('unknown frames', () =>
    flood(
      server,
      times(5000, () => frameHead(0, 99, 0, 0)),
      /too many unknown/,
    ),
  )
  await t.test('empty DATA', () => {
    const piece = (n: number) => (n === 0 ? held(1) : '') + frameHead(0, DATA, 0, 1)
    return flood(server, times(5000, piece), /too many empty DATA frames/)
  })
  await t.test('DATA that is all padding', () => {
    const piece = (n: number) => `${n === 0 ? held(1) : ''}${frameHead(2, DATA, 8, 1)}\x01\0`
    return flood(server, times(5000, piece), /too many empty DATA frames/)
  })
  await t.test('DATA on streams that are over', () => {
    const late = () => `${frameHead(1, DATA, 0, 1)}x`
    return flood(server, [postTo('/', 1), ...times(5000, late)], /too many DATA frames/)
  })
  await t.test('a block that decodes to far more than it is', () => {
    const large = `\x40\x01x\x7f\x81\x1e${'y'.repeat(4000)}`
    return flood(server, [frameOf(GET + large + '\xbe'.repeat(4000))], /client sent too large header/)
  })
  await t.test('a field that is too large', () => {
    return flood(
      server,
      [frameOf(GET + encodeField('x-large', '~'.repeat(9000)))],
      /client sent too large header field/,
    )
  })
  await t.test('one byte of the window at a time', async () => {
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
