/**
 * What RFC 9113 and RFC 7541 ask of a server, one case per line: what a client sends behind preface and settings, and
 * how it must be answered. The sections are those of the RFCs; the selection is that of the usual conformance suites.
 */
import {
  ACK,
  COMPRESSION_ERROR,
  CONTINUATION,
  DATA,
  ENABLE_PUSH,
  END_HEADERS,
  END_STREAM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  GOAWAY,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  MAX_FRAME_SIZE,
  PADDED,
  PING,
  PRIORITY,
  PRIORITY_FLAG,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  REFUSED_STREAM,
  RST_STREAM,
  SETTINGS,
  STREAM_CLOSED,
  settingsFrame,
  WINDOW_MAX,
  WINDOW_UPDATE,
} from '../../src/http/h2/wire/frames.ts'
import { blockOf, type H2Client, requestFields, u32Text } from '../harness/h2-client.ts'
import {
  answered,
  type Case,
  connection,
  fine,
  GET,
  OPEN,
  type Outcome,
  once,
  POST,
  status,
  stream,
  WHOLE,
} from './http2-case.ts'

/** Starting, frames in general, streams. */
const GENERAL: readonly Case[] = [
  { section: '3.4', name: 'preface and settings', send: () => {}, outcome: fine() },
  {
    section: '3.4',
    name: 'an invalid preface',
    silent: true,
    send: (c) => c.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\rX'),
    outcome: { kind: 'connection', codes: [] },
  },
  { section: '4.1', name: 'a frame of unknown type', send: once(0xfa, 0, 0, 'what'), outcome: fine() },
  { section: '4.1', name: 'undefined flags', send: once(PING, 0x16, 0, '12345678'), outcome: fine() },
  {
    section: '4.1',
    name: 'the reserved bit of a stream number',
    send: (c) => c.frame(PING, 0, 0x80000000, '12345678'),
    outcome: fine(),
  },
  {
    section: '4.2',
    name: 'DATA of 16384 bytes',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.data(1, 'x'.repeat(16384), true)
    },
    outcome: status(200),
  },
  {
    section: '4.3',
    name: 'a malformed block',
    send: once(HEADERS, WHOLE, 1, '\x14\xff\xff\xff\xff\xff\x0f'),
    outcome: connection(COMPRESSION_ERROR),
  },
  {
    section: '4.3',
    name: 'PRIORITY inside of a block',
    send: (c) => {
      c.frame(HEADERS, END_STREAM, 1, GET)
      c.frame(PRIORITY, 0, 1, '\0\0\0\0\xff')
    },
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '4.3',
    name: 'HEADERS of another stream inside of a block',
    send: (c) => {
      c.frame(HEADERS, END_STREAM, 1, GET)
      c.frame(HEADERS, WHOLE, 3, GET)
    },
    outcome: connection(PROTOCOL_ERROR),
  },
  { section: '5.1', name: 'idle: DATA', send: (c) => c.data(1, 'x', true), outcome: connection(PROTOCOL_ERROR) },
  {
    section: '5.1',
    name: 'idle: RST_STREAM',
    send: once(RST_STREAM, 0, 1, u32Text(8)),
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '5.1',
    name: 'idle: WINDOW_UPDATE',
    send: once(WINDOW_UPDATE, 0, 1, u32Text(100)),
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '5.1',
    name: 'idle: CONTINUATION',
    send: once(CONTINUATION, END_HEADERS, 1, GET),
    outcome: connection(PROTOCOL_ERROR),
  },
  { section: '5.1', name: 'idle: PRIORITY', send: once(PRIORITY, 0, 1, '\0\0\0\0\xff'), outcome: fine() },
  ...afterHalfClose(),
  ...afterClose(),
  { section: '5.1.1', name: 'an even stream', send: once(HEADERS, WHOLE, 2, GET), outcome: connection(PROTOCOL_ERROR) },
  {
    section: '5.1.1',
    name: 'a stream smaller than the last',
    send: (c) => {
      c.frame(HEADERS, WHOLE, 5, GET)
      c.frame(HEADERS, WHOLE, 3, GET)
    },
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '5.3.1',
    name: 'HEADERS that depend on themselves',
    send: once(HEADERS, WHOLE | PRIORITY_FLAG, 1, `${u32Text(1)}\x10${GET}`),
    outcome: stream(PROTOCOL_ERROR),
  },
  {
    section: '5.3.1',
    name: 'PRIORITY that depends on itself',
    send: once(PRIORITY, 0, 1, `${u32Text(1)}\x10`),
    outcome: stream(PROTOCOL_ERROR),
  },
  {
    section: '5.5',
    name: 'an unknown frame inside of a block',
    send: (c) => {
      c.frame(HEADERS, END_STREAM, 1, GET)
      c.frame(0xfa, 0, 0, 'what')
    },
    outcome: connection(PROTOCOL_ERROR),
  },
]

/** The client has ended the stream, whose response is not over. */
function afterHalfClose(): Case[] {
  const begin = (c: H2Client) => c.frame(HEADERS, WHOLE, 1, blockOf(requestFields({ path: '/big' })))
  const then = (name: string, send: (c: H2Client) => void, outcome: Outcome): Case => ({
    section: '5.1',
    name: `half-closed: ${name}`,
    send: (c) => {
      begin(c)
      send(c)
    },
    outcome,
  })
  return [
    then('DATA', (c) => c.data(1, 'x', true), stream(STREAM_CLOSED)),
    then('HEADERS', once(HEADERS, WHOLE, 1, GET), stream(STREAM_CLOSED)),
    then('CONTINUATION', once(CONTINUATION, END_HEADERS, 1, GET), connection(STREAM_CLOSED, PROTOCOL_ERROR)),
    then('WINDOW_UPDATE', once(WINDOW_UPDATE, 0, 1, u32Text(100)), fine()),
    then('PRIORITY', once(PRIORITY, 0, 1, '\0\0\0\0\xff'), fine()),
    then('RST_STREAM', once(RST_STREAM, 0, 1, u32Text(8)), fine()),
  ]
}

/** Both sides have ended the stream, or the client has reset it. */
function afterClose(): Case[] {
  const cases: Case[] = []
  const ends: readonly (readonly [string, (c: H2Client) => void | Promise<void>])[] = [
    ['closed', (c) => answered(c)],
    [
      'reset',
      (c) => {
        c.frame(HEADERS, OPEN, 1, POST)
        c.frame(RST_STREAM, 0, 1, u32Text(8))
      },
    ],
  ]
  for (const [name, end] of ends) {
    const then = (what: string, send: (c: H2Client) => void, outcome: Outcome) =>
      cases.push({
        section: '5.1',
        name: `${name}: ${what}`,
        send: async (c) => {
          await end(c)
          send(c)
        },
        outcome,
      })
    then('DATA', (c) => c.data(1, 'x', true), connection(STREAM_CLOSED))
    then('HEADERS', once(HEADERS, WHOLE, 1, GET), connection(STREAM_CLOSED))
    then('CONTINUATION', once(CONTINUATION, END_HEADERS, 1, GET), connection(STREAM_CLOSED, PROTOCOL_ERROR))
    then('PRIORITY', once(PRIORITY, 0, 1, '\0\0\0\0\xff'), fine())
    then('WINDOW_UPDATE', once(WINDOW_UPDATE, 0, 1, u32Text(1)), fine())
    then('RST_STREAM', once(RST_STREAM, 0, 1, u32Text(8)), fine())
  }
  return cases
}

/** The types of frames. */
const FRAMES: readonly Case[] = [
  {
    section: '6.1',
    name: 'DATA',
    send: (c) => c.request(1, { method: 'POST', path: '/echo', body: 'x' }),
    outcome: status(200),
  },
  {
    section: '6.1',
    name: 'several DATA',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.data(1, 'x')
      c.data(1, 'y')
      c.data(1, '', true)
    },
    outcome: status(200),
  },
  {
    section: '6.1',
    name: 'padded DATA',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.frame(DATA, END_STREAM | PADDED, 1, '\x05x\0\0\0\0\0')
    },
    outcome: status(200),
  },
  { section: '6.1', name: 'DATA on stream 0', send: (c) => c.data(0, 'x', true), outcome: connection(PROTOCOL_ERROR) },
  {
    section: '6.1',
    name: 'more padding than payload in DATA',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.frame(DATA, END_STREAM | PADDED, 1, '\x06x\0\0')
    },
    outcome: connection(PROTOCOL_ERROR),
  },
  { section: '6.2', name: 'HEADERS', send: once(HEADERS, WHOLE, 1, GET), outcome: status(200) },
  {
    section: '6.2',
    name: 'padded HEADERS',
    send: once(HEADERS, WHOLE | PADDED, 1, `\x03${GET}\0\0\0`),
    outcome: status(200),
  },
  {
    section: '6.2',
    name: 'HEADERS with priority',
    send: once(HEADERS, WHOLE | PRIORITY_FLAG, 1, `\0\0\0\0\x10${GET}`),
    outcome: status(200),
  },
  {
    section: '6.2',
    name: 'HEADERS on stream 0',
    send: once(HEADERS, WHOLE, 0, GET),
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.2',
    name: 'more padding than payload in HEADERS',
    send: once(HEADERS, WHOLE | PADDED, 1, `\xff${GET}`),
    outcome: connection(PROTOCOL_ERROR),
  },
  ...['\0\0\0\0\0', '\0\0\0\0\xff', '\0\0\0\x05\x10', '\x80\0\0\x05\x10'].map(
    (payload, i): Case => ({
      section: '6.3',
      name: `PRIORITY ${i + 1}`,
      send: (c) => {
        c.frame(PRIORITY, 0, 1, payload)
        c.frame(HEADERS, WHOLE, 1, GET)
      },
      outcome: status(200),
    }),
  ),
  {
    section: '6.3',
    name: 'PRIORITY on stream 0',
    send: once(PRIORITY, 0, 0, '\0\0\0\0\x10'),
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.3',
    name: 'PRIORITY of another length',
    send: once(PRIORITY, 0, 1, '\0\0\0\0'),
    outcome: stream(FRAME_SIZE_ERROR),
  },
  {
    section: '6.4',
    name: 'RST_STREAM',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.frame(RST_STREAM, 0, 1, u32Text(8))
    },
    outcome: fine(),
  },
  {
    section: '6.4',
    name: 'RST_STREAM on stream 0',
    send: once(RST_STREAM, 0, 0, u32Text(8)),
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.4',
    name: 'RST_STREAM of another length',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.frame(RST_STREAM, 0, 1, '\0\0\0')
    },
    outcome: connection(FRAME_SIZE_ERROR),
  },
  { section: '6.5', name: 'SETTINGS', send: (c) => c.write(settingsFrame([[3, 100]])), outcome: fine() },
  {
    section: '6.5',
    name: 'an acknowledgement with payload',
    send: once(SETTINGS, ACK, 0, '\0\x03\0\0\0\x64'),
    outcome: connection(FRAME_SIZE_ERROR),
  },
  {
    section: '6.5',
    name: 'SETTINGS on a stream',
    send: once(SETTINGS, 0, 1, '\0\x03\0\0\0\x64'),
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.5',
    name: 'SETTINGS of a length that does not fit',
    send: once(SETTINGS, 0, 0, '\0\x03\0'),
    outcome: connection(FRAME_SIZE_ERROR),
  },
  {
    section: '6.5.2',
    name: 'ENABLE_PUSH 2',
    send: (c) => c.write(settingsFrame([[ENABLE_PUSH, 2]])),
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.5.2',
    name: 'too large an INITIAL_WINDOW_SIZE',
    send: (c) => c.write(settingsFrame([[INITIAL_WINDOW_SIZE, WINDOW_MAX + 1]])),
    outcome: connection(FLOW_CONTROL_ERROR),
  },
  {
    section: '6.5.2',
    name: 'too small a MAX_FRAME_SIZE',
    send: (c) => c.write(settingsFrame([[MAX_FRAME_SIZE, 16383]])),
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.5.2',
    name: 'too large a MAX_FRAME_SIZE',
    send: (c) => c.write(settingsFrame([[MAX_FRAME_SIZE, 16777216]])),
    outcome: connection(PROTOCOL_ERROR),
  },
  { section: '6.5.2', name: 'an unknown setting', send: (c) => c.write(settingsFrame([[0xff, 1]])), outcome: fine() },
  {
    section: '6.5.3',
    name: 'SETTINGS are acknowledged',
    send: async (c) => {
      c.write(settingsFrame([[3, 100]]))
      await c.waitFor((frame) => frame.type === SETTINGS && frame.flags === ACK)
    },
    outcome: fine(),
  },
  {
    section: '6.5.3',
    name: 'the last of several values holds',
    send: async (c) => {
      c.write(
        settingsFrame([
          [INITIAL_WINDOW_SIZE, 100],
          [INITIAL_WINDOW_SIZE, 1],
        ]),
      )
      c.frame(HEADERS, WHOLE, 1, GET)
      await c.waitFor((frame) => frame.type === DATA && frame.payload.length === 1)
    },
    outcome: fine(),
  },
  {
    section: '6.6',
    name: 'PUSH_PROMISE',
    send: once(PUSH_PROMISE, END_HEADERS, 1, u32Text(2) + GET),
    outcome: connection(PROTOCOL_ERROR),
  },
  { section: '6.7', name: 'PING', send: (c) => c.settled(), outcome: fine() },
  { section: '6.7', name: 'a PING that is an answer', send: once(PING, ACK, 0, '12345678'), outcome: fine() },
  { section: '6.7', name: 'PING on a stream', send: once(PING, 0, 1, '12345678'), outcome: connection(PROTOCOL_ERROR) },
  {
    section: '6.7',
    name: 'PING of another length',
    send: once(PING, 0, 0, '1234'),
    outcome: connection(FRAME_SIZE_ERROR),
  },
  { section: '6.8', name: 'GOAWAY', send: once(GOAWAY, 0, 0, u32Text(0) + u32Text(0)), outcome: fine() },
  {
    section: '6.8',
    name: 'GOAWAY on a stream',
    send: once(GOAWAY, 0, 1, u32Text(0) + u32Text(0)),
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.9',
    name: 'WINDOW_UPDATE of the connection',
    send: once(WINDOW_UPDATE, 0, 0, u32Text(1)),
    outcome: fine(),
  },
  {
    section: '6.9',
    name: 'WINDOW_UPDATE of a stream',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.frame(WINDOW_UPDATE, 0, 1, u32Text(1))
    },
    outcome: fine(),
  },
  {
    section: '6.9',
    name: 'WINDOW_UPDATE of 0 for the connection',
    send: once(WINDOW_UPDATE, 0, 0, u32Text(0)),
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.9',
    name: 'WINDOW_UPDATE of 0 for a stream',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.frame(WINDOW_UPDATE, 0, 1, u32Text(0))
    },
    outcome: stream(PROTOCOL_ERROR),
  },
  {
    section: '6.9',
    name: 'WINDOW_UPDATE of another length',
    send: once(WINDOW_UPDATE, 0, 0, '\0\0\x01'),
    outcome: connection(FRAME_SIZE_ERROR),
  },
  {
    section: '6.9.1',
    name: 'a window of one byte',
    send: async (c) => {
      c.write(settingsFrame([[INITIAL_WINDOW_SIZE, 1]]))
      c.frame(HEADERS, WHOLE, 1, GET)
      await c.waitFor((frame) => frame.type === DATA && frame.payload.length === 1)
    },
    outcome: fine(),
  },
  {
    section: '6.9.1',
    name: 'the window of the connection overflows',
    send: (c) => {
      c.frame(WINDOW_UPDATE, 0, 0, u32Text(WINDOW_MAX))
      c.frame(WINDOW_UPDATE, 0, 0, u32Text(WINDOW_MAX))
    },
    outcome: connection(FLOW_CONTROL_ERROR),
  },
  {
    section: '6.9.1',
    name: 'the window of a stream overflows',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.frame(WINDOW_UPDATE, 0, 1, u32Text(WINDOW_MAX))
    },
    outcome: stream(FLOW_CONTROL_ERROR),
  },
  {
    section: '6.9.1',
    name: 'more DATA than the window of a stream',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, blockOf(requestFields({ method: 'POST', path: '/hold' })))
      c.data(1, 'x'.repeat(65537))
    },
    outcome: stream(FLOW_CONTROL_ERROR),
  },
  {
    section: '6.9.2',
    name: 'the initial window changes after HEADERS',
    send: async (c) => {
      c.write(settingsFrame([[INITIAL_WINDOW_SIZE, 0]]))
      c.frame(HEADERS, WHOLE, 1, GET)
      c.write(settingsFrame([[INITIAL_WINDOW_SIZE, 1]]))
      await c.waitFor((frame) => frame.type === DATA && frame.payload.length === 1)
    },
    outcome: fine(),
  },
  {
    section: '6.9.2',
    name: 'a negative window is made up for first',
    send: async (c) => {
      c.write(settingsFrame([[INITIAL_WINDOW_SIZE, 3]]))
      c.frame(HEADERS, WHOLE, 1, GET)
      await c.waitFor((frame) => frame.type === DATA && frame.payload.length === 3)
      c.write(settingsFrame([[INITIAL_WINDOW_SIZE, 2]]))
      c.frame(WINDOW_UPDATE, 0, 1, u32Text(2))
      await c.waitFor((frame) => frame.type === DATA && frame.payload.length === 1)
    },
    outcome: fine(),
  },
  {
    section: '6.9.2',
    name: 'SETTINGS overflow the window of a stream',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.frame(WINDOW_UPDATE, 0, 1, u32Text(WINDOW_MAX - 65535))
      c.write(settingsFrame([[INITIAL_WINDOW_SIZE, 65536]]))
    },
    outcome: stream(FLOW_CONTROL_ERROR),
  },
  {
    section: '6.10',
    name: 'several CONTINUATION',
    send: (c) => {
      c.frame(HEADERS, END_STREAM, 1, GET.slice(0, 2))
      c.frame(CONTINUATION, 0, 1, GET.slice(2, 4))
      c.frame(CONTINUATION, END_HEADERS, 1, GET.slice(4))
    },
    outcome: status(200),
  },
  {
    section: '6.10',
    name: 'CONTINUATION interrupted by DATA',
    send: (c) => {
      c.frame(HEADERS, 0, 1, GET)
      c.data(1, 'x')
    },
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.10',
    name: 'CONTINUATION on stream 0',
    send: (c) => {
      c.frame(HEADERS, END_STREAM, 1, GET)
      c.frame(CONTINUATION, END_HEADERS, 0, '')
    },
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.10',
    name: 'CONTINUATION behind a whole block',
    send: (c) => {
      c.frame(HEADERS, WHOLE, 1, GET)
      c.frame(CONTINUATION, END_HEADERS, 1, GET)
    },
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.10',
    name: 'CONTINUATION behind CONTINUATION that ended the block',
    send: (c) => {
      c.frame(HEADERS, END_STREAM, 1, GET)
      c.frame(CONTINUATION, END_HEADERS, 1, '')
      c.frame(CONTINUATION, END_HEADERS, 1, '')
    },
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '6.10',
    name: 'CONTINUATION behind DATA',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.data(1, 'x')
      c.frame(CONTINUATION, END_HEADERS, 1, '')
    },
    outcome: connection(PROTOCOL_ERROR),
  },
  {
    section: '7',
    name: 'GOAWAY with an unknown code',
    send: once(GOAWAY, 0, 0, u32Text(0) + u32Text(0xff)),
    outcome: fine(),
  },
  {
    section: '7',
    name: 'RST_STREAM with an unknown code',
    send: (c) => {
      c.frame(HEADERS, OPEN, 1, POST)
      c.frame(RST_STREAM, 0, 1, u32Text(0xff))
    },
    outcome: fine(),
  },
]

/** Concurrency: one stream more than the server allows. */
const CONCURRENCY: readonly Case[] = [
  {
    section: '5.1.2',
    name: 'a stream too many',
    send: async (c) => {
      for (let id = 1; id <= 21; id += 2)
        c.frame(HEADERS, OPEN, id, blockOf(requestFields({ method: 'POST', path: '/hold' })))
      const code = await c.reset(21)
      if (code !== REFUSED_STREAM) throw new Error(`reset with ${code}`)
      for (let id = 1; id <= 19; id += 2) c.frame(RST_STREAM, 0, id, u32Text(8))
    },
    outcome: fine(),
  },
]

/** All cases. */
export const FRAME_CASES: readonly Case[] = [...GENERAL, ...FRAMES, ...CONCURRENCY]
