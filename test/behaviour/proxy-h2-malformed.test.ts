/** What an HTTP/2 back end must not send: each is logged in nginx's words and answered with 502, and nothing leaks out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frameHead, settingsFrame, windowUpdate } from '../../src/http/h2/wire/frames.ts'
import { dataFrame, H2Peer, headFrames } from '../harness/h2-peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const OK = [':status', '200'] as const
const u32Text = (value: number): string => String.fromCharCode(value >>> 24, 0, 0, value & 0xff)
const frame = (type: number, payload: string, flags = 0, id = 0): string =>
  frameHead(payload.length, type, flags, id) + payload
const head = (...fields: (readonly [string, string])[]): string => headFrames(1, fields, true)

const BEFORE_THE_HEAD: readonly (readonly [why: string, frames: string, logged: RegExp])[] = [
  ['no frames at all', 'HTTP/1.1 200 OK\r\n\r\n', /upstream sent too large http2 frame: 4740180 /],
  ['a body without a head', dataFrame(1, 'x', true), /upstream sent unexpected http2 frame: 0 /],
  ['a continuation of nothing', frame(9, 'x', 4, 1), /upstream sent unexpected http2 frame: 9 /],
  [
    'a frame inside of a head',
    frame(1, '\x88', 0, 1) + frame(6, '12345678'),
    /upstream sent unexpected http2 frame: 6 /,
  ],
  ['a stream that nobody opened', headFrames(3, [OK], true), /upstream sent frame for unknown stream 3 /],
  ['a stream that only a server opens', headFrames(2, [OK], true), /upstream sent frame for unknown stream 2 /],
  ['data for a stream that nobody opened', dataFrame(5, 'x'), /upstream sent data frame for unknown stream 5 /],
  ['a push', frame(5, '\0\0\0\x02\x88', 4, 1), /upstream sent unexpected push promise frame /],
  ['padding longer than the frame', frame(1, '\x05\x88', 4 | 8, 1), /http2 frame with too long padding: 5 in frame 1 /],
  ['a frame too short for its padding', frame(1, '', 4 | 8, 1), /headers frame with invalid length: 0 /],
  ['no status', head(['a', 'b']), /upstream sent no :status header /],
  ['two statuses', head(OK, OK), /upstream sent duplicate :status header /],
  ['a status of letters', head([':status', '2x0']), /upstream sent invalid :status "2x0" /],
  ['a status that is too long', head([':status', '2000']), /upstream sent invalid :status "2000" /],
  ['switching protocols', head([':status', '101']), /upstream sent unexpected :status "101" /],
  ['another pseudo-header', head([':path', '/'], OK), /upstream sent invalid header ":path: \.\.\." /],
  ['an upper-case name', head(OK, ['A', 'b']), /upstream sent invalid header: "A: \.\.\." /],
  ['a name with a colon', head(OK, ['a:b', 'c']), /upstream sent invalid header: "a:b: \.\.\." /],
  ['a name with a line end', head(OK, ['a\r\nb', 'c']), /upstream sent invalid header: "a\?\?b: \.\.\." /],
  ['a value with a line end', head(OK, ['a', 'b\r\nSet-Cookie: x']), /upstream sent invalid header: "a: \.\.\." /],
  ['a value with a zero', head(OK, ['a', 'b\0']), /upstream sent invalid header: "a: \.\.\." /],
  ['a head that is too large', head(OK, ['a', 'b'.repeat(5000)]), /upstream sent too large http2 header /],
  [
    'two lengths',
    head(OK, ['content-length', '1'], ['content-length', '1']),
    /duplicate header line: "content-length: 1", previous value: "content-length: 1" /,
  ],
  [
    'a length of letters',
    head(OK, ['content-length', 'x']),
    /upstream sent invalid "Content-Length" header: "content-length: x" /,
  ],
  ['a length without a body', head(OK, ['content-length', '3']), /upstream prematurely closed stream /],
  ['an interim head and no other', headFrames(1, [[':status', '103']], true), /upstream prematurely closed stream /],
  [
    'interim heads for ever',
    headFrames(1, [[':status', '100']]).repeat(101),
    /upstream sent too many interim responses /,
  ],
  ['a broken header block', frame(1, '\x88\xff\xff\xff\xff\xff\xff', 5, 1), /invalid header: too large integer /],
  ['a table larger than was allowed', frame(1, '\x3f\xe2\x1f\x88', 5, 1), /too large dynamic table size update /],
  ['a table resized within a head', frame(1, '\x88\x20', 5, 1), /dynamic table size update inside of a header block /],
  ['an index of nothing', frame(1, '\x88\xbf', 5, 1), /invalid header: invalid table index 63 /],
  ['settings of a stream', frame(4, '', 0, 1), /settings frame with non-zero stream id: 1 /],
  ['settings of no size', frame(4, '12345'), /settings frame with invalid length: 5 /],
  ['settings in an acknowledgement', frame(4, '123456', 1), /settings frame with ack flag and non-zero length: 6 /],
  [
    'too large a window',
    settingsFrame([[4, 0x80000000]]),
    /settings frame with too large initial window size: 2147483648 /,
  ],
  ['a ping of a stream', frame(6, '12345678', 0, 1), /ping frame with non-zero stream id: 1 /],
  ['an answer to no ping', frame(6, '12345678', 1), /ping frame with ack flag /],
  ['a ping of no size', frame(6, '1234'), /upstream sent ping frame with invalid length: 4 /],
  ['a window of zero', windowUpdate(0, 0), /upstream sent zero window update /],
  ['too large a window update', windowUpdate(0, 0x7fffffff), /upstream sent too large window update /],
  ['too large a window update of a stream', windowUpdate(1, 0x7fffffff), /upstream sent too large window update /],
  ['a reset', frame(3, u32Text(8), 0, 1), /upstream rejected request with error 8 /],
  ['a goodbye with an error', frame(7, u32Text(0) + u32Text(2)), /upstream sent goaway with error 2 /],
  ['too many pings', frame(6, '12345678').repeat(1001), /upstream sent too many ping frames /],
  ['too many settings', settingsFrame([]).repeat(1001), /upstream sent too many settings frames /],
  [
    'a head that never ends',
    frame(1, '\x88', 0, 1) + frame(9, 'x'.repeat(16000), 0, 1).repeat(3),
    /too large http2 header /,
  ],
  ['empty continuations', frame(1, '\x88', 0, 1) + frame(9, '', 0, 1).repeat(1002), /too large http2 header /],
]

const opened = (more: string, ...fields: (readonly [string, string])[]): string => headFrames(1, [OK, ...fields]) + more

const BEHIND_THE_HEAD: readonly (readonly [why: string, frames: string, logged: RegExp])[] = [
  [
    'more than was promised',
    opened(dataFrame(1, 'xyz'), ['content-length', '2']),
    /larger than indicated content length /,
  ],
  [
    'less than was promised',
    opened(dataFrame(1, 'x', true), ['content-length', '2']),
    /upstream prematurely closed stream /,
  ],
  [
    'padding longer than the data',
    opened(frame(0, '\x09abc', 8, 1)),
    /http2 frame with too long padding: 9 in frame 3 /,
  ],
  ['trailers that do not end', opened(headFrames(1, [['a', 'b']])), /upstream sent trailer without end stream flag /],
  ['a status in trailers', opened(headFrames(1, [OK], true)), /upstream sent invalid trailer ":status: 200" /],
  [
    'a line end in trailers',
    opened(headFrames(1, [['a', 'b\nc']], true)),
    /upstream sent invalid header: "a: \.\.\." /,
  ],
  ['data behind the end', opened(dataFrame(1, 'x', true) + dataFrame(1, 'y')), /frame for closed stream 1 /],
  ['a reset', opened(frame(3, u32Text(2), 0, 1)), /upstream rejected request with error 2 /],
  [
    'a reset behind the end',
    opened(dataFrame(1, 'x', true) + frame(3, u32Text(8), 0, 1)),
    /rejected request with error 8 /,
  ],
]

/** What nine bytes say: the payload never comes. */
const BY_THE_HEAD: readonly (readonly [why: string, head: string, logged: RegExp])[] = [
  ['a push', frameHead(100, 5, 4, 1), /upstream sent unexpected push promise frame /],
  ['a ping of no size', frameHead(9, 6, 0, 0), /upstream sent ping frame with invalid length: 9 /],
  ['a ping of a stream', frameHead(8, 6, 0, 1), /ping frame with non-zero stream id: 1 /],
  ['an answer to no ping', frameHead(8, 6, 1, 0), /ping frame with ack flag /],
  ['settings of no size', frameHead(5, 4, 0, 0), /settings frame with invalid length: 5 /],
  ['settings of a stream', frameHead(6, 4, 0, 1), /settings frame with non-zero stream id: 1 /],
  ['settings in an acknowledgement', frameHead(6, 4, 1, 0), /settings frame with ack flag and non-zero length: 6 /],
  ['a goodbye of a stream', frameHead(8, 7, 0, 1), /goaway frame with non-zero stream id: 1 /],
  ['a goodbye that is too short', frameHead(7, 7, 0, 0), /goaway frame with invalid length: 7 /],
  ['a head of nobody', frameHead(10, 1, 4, 3), /upstream sent frame for unknown stream 3 /],
  ['a head of a stream that only a server opens', frameHead(10, 1, 4, 2), /upstream sent frame for unknown stream 2 /],
  [
    'a head too short for its padding and priority',
    frameHead(5, 1, 4 | 8 | 32, 1),
    /headers frame with invalid length: 5 /,
  ],
  ['data of nobody', frameHead(10, 0, 0, 3), /upstream sent data frame for unknown stream 3 /],
  ['data before the head', frameHead(10, 0, 0, 1), /upstream sent unexpected http2 frame: 0 /],
  ['a continuation of nothing', frameHead(10, 9, 4, 1), /upstream sent unexpected http2 frame: 9 /],
  ['something within a head', frame(1, '\x88', 0, 1) + frameHead(10, 77, 0, 1), /unexpected http2 frame: 77 /],
  ['a reset of nobody', frameHead(4, 3, 0, 3), /upstream sent frame for unknown stream 3 /],
  ['a reset of the connection', frameHead(4, 3, 0, 0), /upstream sent frame for unknown stream 0 /],
  ['a reset of no size', frameHead(5, 3, 0, 1), /rst stream frame with invalid length: 5 /],
  ['a window of nobody', frameHead(4, 8, 0, 3), /upstream sent frame for unknown stream 3 /],
  ['a window of no size', frameHead(5, 8, 0, 1), /window update frame with invalid length: 5 /],
  ['a frame that is too long', frameHead(16385, 0, 0, 1), /upstream sent too large http2 frame: 16385 /],
]

function start(peer: H2Peer): Promise<Server> {
  return startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; proxy_http_version 2; proxy_read_timeout 2s;
    proxy_buffering off; location / { proxy_pass http://127.0.0.1:${peer.port}; } } }`)
}

test('before the head: 502', async (t) => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  for (const [why, frames, logged] of BEFORE_THE_HEAD) {
    await t.test(why, async () => {
      const before = server.errorLog().length
      peer.onRequest = (stream) => stream.send(frames)
      const response = await fetch(server.url('/'))
      assert.equal(response.status, 502)
      assert.equal(response.headers.get('set-cookie'), null)
      assert.match(server.errorLog().slice(before), logged)
      assert.match(server.errorLog().slice(before), / while reading response header from upstream, /)
      await peer.until(() => peer.connections.at(-1)!.closed)
    })
  }
})

test('by the head of a frame: 502 before its payload', async (t) => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  for (const [why, frames, logged] of BY_THE_HEAD) {
    await t.test(why, async () => {
      const before = server.errorLog().length
      peer.onRequest = (stream) => stream.send(frames)
      assert.equal((await fetch(server.url('/'))).status, 502)
      assert.match(server.errorLog().slice(before), logged)
      assert.doesNotMatch(server.errorLog().slice(before), /timed out/)
    })
  }
})

test('behind the head: the client is cut off', async (t) => {
  await using peer = await H2Peer.start()
  await using server = await start(peer)
  for (const [why, frames, logged] of BEHIND_THE_HEAD) {
    await t.test(why, async () => {
      const before = server.errorLog().length
      peer.onRequest = (stream) => stream.send(frames)
      await assert.rejects(async () => (await fetch(server.url('/'))).arrayBuffer())
      assert.match(server.errorLog().slice(before), logged)
      assert.match(server.errorLog().slice(before), / while reading upstream, /)
      await peer.until(() => peer.connections.at(-1)!.closed)
    })
  }
})

test('frames that nobody knows are no error', async () => {
  await using peer = await H2Peer.start((stream) => {
    stream.send(frame(0xfa, 'whatever', 0xff, stream.id) + frame(2, '\0\0\0\0\x10', 0, stream.id))
    stream.reply('ok')
  })
  await using server = await start(peer)
  assert.equal(await (await fetch(server.url('/'))).text(), 'ok')
})
