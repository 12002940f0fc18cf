/** Frames that break a rule are answered when their head has come, and what comes too late ends its stream alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_SIZE_ERROR,
  frameHead,
  GOAWAY,
  HEADERS,
  PING,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from '../../src/http/h2/wire/frames.ts'
import { blockOf, H2Client, requestFields } from '../harness/h2-client.ts'
import { Peer } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const GET = blockOf(requestFields())
const ACK = 1

/** Heads of frames whose payload never comes. */
const FAULTS: readonly (readonly [what: string, frames: string, code: number, logged: RegExp])[] = [
  ['PUSH_PROMISE', frameHead(100, PUSH_PROMISE, 0, 1), PROTOCOL_ERROR, /PUSH_PROMISE frame/],
  ['an even stream', frameHead(50, HEADERS, 0, 2), PROTOCOL_ERROR, /HEADERS frame with incorrect identifier 2/],
  ['no stream', frameHead(50, HEADERS, 0, 0), PROTOCOL_ERROR, /HEADERS frame with incorrect identifier 0/],
  ['a head too short', frameHead(3, HEADERS, 0x20, 1), FRAME_SIZE_ERROR, /HEADERS frame with incorrect length 3/],
  ['a long PING', frameHead(9, PING, 0, 0), FRAME_SIZE_ERROR, /PING frame with incorrect length 9/],
  ['a PING of a stream', frameHead(8, PING, 0, 1), PROTOCOL_ERROR, /PING frame with incorrect identifier/],
  ['SETTINGS of a stream', frameHead(6, SETTINGS, 0, 1), PROTOCOL_ERROR, /SETTINGS frame with incorrect identifier/],
  ['odd SETTINGS', frameHead(7, SETTINGS, 0, 0), FRAME_SIZE_ERROR, /SETTINGS frame with incorrect length 7/],
  ['an acknowledgement with settings', frameHead(6, SETTINGS, ACK, 0), FRAME_SIZE_ERROR, /ACK flag and nonzero/],
  ['PRIORITY of no stream', frameHead(5, PRIORITY, 0, 0), PROTOCOL_ERROR, /PRIORITY frame with incorrect identifier/],
  ['a reset of an idle stream', frameHead(4, RST_STREAM, 0, 9), PROTOCOL_ERROR, /RST_STREAM frame with incorrect/],
  ['GOAWAY of a stream', frameHead(8, GOAWAY, 0, 1), PROTOCOL_ERROR, /GOAWAY frame with incorrect identifier/],
  ['an idle window', frameHead(4, WINDOW_UPDATE, 0, 9), PROTOCOL_ERROR, /WINDOW_UPDATE frame for idle stream 9/],
  ['CONTINUATION of nothing', frameHead(9, CONTINUATION, 0, 1), PROTOCOL_ERROR, /unexpected CONTINUATION frame/],
  [
    'another frame within a head',
    `${frameHead(1, HEADERS, 0, 1)}\x82${frameHead(8, PING, 0, 0)}`,
    PROTOCOL_ERROR,
    /inappropriate frame/,
  ],
  [
    'another stream within a head',
    `${frameHead(1, HEADERS, 0, 1)}\x82${frameHead(8, CONTINUATION, 0, 3)}`,
    PROTOCOL_ERROR,
    /CONTINUATION frame with incorrect/,
  ],
]

test('a frame is judged by its head', async (t) => {
  await using server = await startViaduct(
    'http { lingering_timeout 100ms; server { listen 127.0.0.1:%%PORT_0%%; http2 on; } }',
  )
  for (const [what, frames, code, logged] of FAULTS) {
    await t.test(what, async () => {
      await using client = await H2Client.connect(server.port())
      client.write(frames)
      assert.equal((await client.goAway()).code, code)
      await server.logged(logged)
    })
  }
})

const LATE = (port: number) => `
http {
  log_format s '$status $request';
  server {
    listen 127.0.0.1:%%PORT_0%%; http2 on; access_log access.log s;
    client_header_timeout 200ms; client_body_timeout 200ms;
    location / { return 200 ok; }
    location /read { proxy_pass http://127.0.0.1:%%PORT_0%%/; }
    location /stream { proxy_request_buffering off; proxy_pass http://127.0.0.1:${port}; }
  }
}`

test('what comes too late ends its stream, and the connection serves on', async (t) => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(LATE(peer.port))
  const POST = blockOf(requestFields({ method: 'POST', path: '/read' }))
  const STREAM = blockOf(requestFields({ method: 'POST', path: '/stream' }))
  const half = (block: string) => block.slice(0, 3)
  const cases: readonly (readonly [what: string, begun: string, rest: string, logged: string])[] = [
    [
      'a HEADERS frame in parts',
      frameHead(GET.length, HEADERS, END_HEADERS | END_STREAM, 1) + half(GET),
      GET.slice(3),
      '408 -',
    ],
    [
      'a head in frames',
      frameHead(3, HEADERS, END_STREAM, 1) + half(GET),
      frameHead(GET.length - 3, CONTINUATION, END_HEADERS, 1) + GET.slice(3),
      '408 -',
    ],
    [
      'a body',
      frameHead(POST.length, HEADERS, END_HEADERS, 1) + POST,
      frameHead(1, DATA, END_STREAM, 1) + 'x',
      '408 POST /read HTTP/2.0',
    ],
    [
      'a streamed body',
      frameHead(STREAM.length, HEADERS, END_HEADERS, 1) + STREAM,
      frameHead(1, DATA, END_STREAM, 1) + 'x',
      '408 POST /stream HTTP/2.0',
    ],
    [
      'a DATA frame in parts',
      `${frameHead(POST.length, HEADERS, END_HEADERS, 1)}${POST}${frameHead(9, DATA, END_STREAM, 1)}abc`,
      'defghi',
      '408 POST /read HTTP/2.0',
    ],
  ]
  for (const [what, begun, rest, logged] of cases) {
    await t.test(what, async () => {
      const before = server.accessLog().length
      await using client = await H2Client.connect(server.port())
      client.write(begun)
      assert.equal((await client.response(1)).reset, PROTOCOL_ERROR)
      client.write(rest)
      client.request(3)
      assert.equal((await client.response(3)).body, 'ok')
      await server.until('the log', () => server.accessLog().slice(before).includes(`${logged}\n`))
    })
  }
})
