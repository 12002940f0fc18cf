/** gRPC: back ends that answer over HTTP/2 in every way, written frame by frame. */
import {
  CONTINUATION,
  DATA,
  ENABLE_PUSH,
  END_HEADERS,
  END_STREAM,
  frameHead,
  GOAWAY,
  goAway,
  HEADER_TABLE_SIZE,
  HEADERS,
  headersFrames,
  INITIAL_WINDOW_SIZE,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_SIZE,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  PRIORITY_FLAG,
  PUSH_PROMISE,
  RST_STREAM,
  rstStream,
  SETTINGS,
  SETTINGS_ACK,
  settingsFrame,
  WINDOW_UPDATE,
  windowUpdate,
} from '../../../../src/http/h2/wire/frames.ts'
import { encodeField } from '../../../../src/http/h2/wire/hpack-encoder.ts'
import { type Answer, ask, type Case, type Group } from '../case.ts'
import { HERE } from '../gateways.ts'

type Fields = readonly (readonly [string, string])[]

const START = settingsFrame([]) + SETTINGS_ACK
const block = (fields: Fields): string => fields.map(([name, value]) => encodeField(name, value)).join('')
const TYPE: Fields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
]
/** A literal field that nothing has looked at. */
const rawField = (name: string, value: string): string =>
  `\0${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`
const frame = (type: number, flags: number, payload: string, stream = 1): string =>
  frameHead(payload.length, type, flags, stream) + payload
const headOf = (fields: Fields, flags = 0, stream = 1): string => headersFrames(stream, block(fields), flags, 16384)
const head = (...fields: Fields): string => headOf([...TYPE, ...fields])
const data = (text: string, flags = 0, stream = 1): string => frame(DATA, flags, text, stream)
const trailers = (...fields: Fields): string => headOf([['grpc-status', '0'], ...fields], END_STREAM)
const OK = head() + data('ok') + trailers()
const bytes = (...list: number[]): string => String.fromCharCode(...list)
const closing = (...send: string[]): Answer => ({ send, after: 'close' })
const long = (size: number): string => 'a long line of text, '.repeat(size / 21 + 1).slice(0, size)

/** What follows the back end's SETTINGS; the connection is closed behind it. */
const ANSWERS: Readonly<Record<string, string | Answer>> = {
  plain: OK,
  'in parts': { send: [START, head(), data('o'), data('k'), trailers()] },
  'byte by byte': { send: Array.from(START + OK) },
  'trailers only': headOf([...TYPE, ['grpc-status', '5'], ['grpc-message', 'not found']], END_STREAM),
  'head and end': headOf(TYPE, END_STREAM),
  'data and end': head() + data('ok', END_STREAM),
  'empty data and end': head() + data('ok') + data('', END_STREAM),
  'empty data between': head() + data('') + data('ok') + trailers(),
  'trailers at once': head() + trailers(['x', 'y']),
  'many trailers': head() + data('ok') + trailers(['grpc-message', 'a b'], ['x', '1'], ['x', '2'], ['t', 'tt']),
  'trailers with a pseudo-field': head() + data('ok') + trailers([':status', '200']),
  'trailers without an end': head() + data('ok') + headOf([['grpc-status', '0']]),
  'trailers with a name in upper case': head() + data('ok') + headersFrames(1, rawField('X', 'y'), END_STREAM, 16384),
  'trailers with a length': head() + data('ok') + trailers(['content-length', '5']),
  'trailers with connection': head() + data('ok') + trailers(['connection', 'close'], ['te', 'x']),
  'data behind the end': OK + data('more'),
  'head behind the end': OK + headOf(TYPE),
  'no end': head() + data('ok'),
  'no end, sized': head(['content-length', '2']) + data('ok'),
  'sized of 0 and no end': head(['content-length', '0']),
  'head alone': head(),
  'nothing but settings': '',
  'nothing at all': { send: '', after: 'close' },
  'no settings': { send: OK },
  'not HTTP/2': closing('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'),
  reset: { send: START, after: 'reset' },
  'reset within': { send: START + head() + data('o'), after: 'reset' },
  ...Object.fromEntries(
    [0, 1, 2, 5, 7, 8, 11, 13, 14, 99].flatMap((code) => [
      [`RST_STREAM ${code} at once`, rstStream(1, code)],
      [`RST_STREAM ${code} behind the head`, head() + rstStream(1, code)],
      [`RST_STREAM ${code} in the body`, head() + data('o') + rstStream(1, code)],
      [`RST_STREAM ${code} behind the end`, OK + rstStream(1, code)],
    ]),
  ),
  'RST_STREAM of another': head() + rstStream(3, 8) + data('ok') + trailers(),
  'RST_STREAM of an even one': head() + rstStream(2, 8) + data('ok') + trailers(),
  'RST_STREAM of none': head() + rstStream(0, 8) + data('ok') + trailers(),
  'RST_STREAM short': head() + frame(RST_STREAM, 0, '\0\0') + data('ok') + trailers(),
  'RST_STREAM later': closing(START + head() + data('o'), rstStream(1, 2)),
  ...Object.fromEntries(
    [0, 1, 2, 11].flatMap((code) => [
      [`GOAWAY ${code} at once`, goAway(0, code) + OK],
      [`GOAWAY ${code} at once, taken`, goAway(1, code) + OK],
      [`GOAWAY ${code} in the body, taken`, head() + goAway(1, code) + data('ok') + trailers()],
      [`GOAWAY ${code} in the body`, head() + data('o') + goAway(0, code) + data('k') + trailers()],
      [`GOAWAY ${code} behind the end`, OK + goAway(1, code)],
      [`GOAWAY ${code} alone`, goAway(0, code)],
    ]),
  ),
  'GOAWAY of the last stream': goAway(0x7fffffff, 0) + OK,
  'GOAWAY with words': frame(GOAWAY, 0, '\0\0\0\x01\0\0\0\0words', 0) + OK,
  'GOAWAY short': frame(GOAWAY, 0, '\0\0\0\x01', 0) + OK,
  'GOAWAY on a stream': frame(GOAWAY, 0, '\0\0\0\x01\0\0\0\0', 1) + OK,
  'SETTINGS twice': settingsFrame([]) + OK,
  'SETTINGS of all':
    settingsFrame([
      [HEADER_TABLE_SIZE, 0],
      [ENABLE_PUSH, 1],
      [MAX_CONCURRENT_STREAMS, 0],
      [INITIAL_WINDOW_SIZE, 0],
      [MAX_FRAME_SIZE, 16384],
      [6, 1],
      [0x99, 5],
    ]) + OK,
  'SETTINGS of a window too large': settingsFrame([[INITIAL_WINDOW_SIZE, 0x80000000]]) + OK,
  'SETTINGS of a frame too small': settingsFrame([[MAX_FRAME_SIZE, 100]]) + OK,
  'SETTINGS of push 2': settingsFrame([[ENABLE_PUSH, 2]]) + OK,
  'SETTINGS cut': frame(SETTINGS, 0, '\0\x01\0\0', 0) + OK,
  'SETTINGS on a stream': frame(SETTINGS, 0, '', 1) + OK,
  'SETTINGS ack with content': frame(SETTINGS, 1, '\0\x01\0\0\0\0', 0) + OK,
  'SETTINGS in the body': head() + settingsFrame([[INITIAL_WINDOW_SIZE, 100]]) + data('ok') + trailers(),
  'SETTINGS ack twice': SETTINGS_ACK + OK,
  PING: frame(PING, 0, '12345678', 0) + OK,
  'PING ack': frame(PING, 1, '12345678', 0) + OK,
  'PING short': frame(PING, 0, '1234', 0) + OK,
  'PING on a stream': frame(PING, 0, '12345678', 1) + OK,
  'PING in the body': head() + data('o') + frame(PING, 0, '12345678', 0) + data('k') + trailers(),
  PRIORITY: frame(PRIORITY, 0, '\0\0\0\0\x10') + OK,
  'PRIORITY in the body': head() + data('o') + frame(PRIORITY, 0, '\0\0\0\0\x10') + data('k') + trailers(),
  'PRIORITY short': frame(PRIORITY, 0, '\0\0\0') + OK,
  'PRIORITY of a head':
    frame(HEADERS, END_HEADERS | PRIORITY_FLAG, `\0\0\0\0\x10${block(TYPE)}`) + data('ok') + trailers(),
  'PRIORITY of a head, short': frame(HEADERS, END_HEADERS | PRIORITY_FLAG, '\0\0') + data('ok') + trailers(),
  'padded head': frame(HEADERS, END_HEADERS | PADDED, `\x04${block(TYPE)}PPPP`) + data('ok') + trailers(),
  'padded head, all': frame(HEADERS, END_HEADERS | PADDED, '\x04PPPP') + data('ok') + trailers(),
  'padded head too long': frame(HEADERS, END_HEADERS | PADDED, `\xff${block(TYPE)}`) + data('ok') + trailers(),
  'padded head, empty': frame(HEADERS, END_HEADERS | PADDED, '') + OK,
  'padded data': head() + frame(DATA, PADDED, '\x04okPPPP') + trailers(),
  'padded data, all': head() + frame(DATA, PADDED, '\x04PPPP') + data('ok') + trailers(),
  'padded data with the end': head() + frame(DATA, PADDED | END_STREAM, '\x04okPPPP'),
  'padded data too long': head() + frame(DATA, PADDED, '\x09ok') + trailers(),
  'padded data, empty': head() + frame(DATA, PADDED, '') + trailers(),
  CONTINUATION:
    frame(HEADERS, 0, block(TYPE).slice(0, 3)) +
    frame(CONTINUATION, END_HEADERS, block(TYPE).slice(3)) +
    data('ok') +
    trailers(),
  'CONTINUATION in many':
    frame(HEADERS, 0, '') +
    Array.from(block(TYPE), (byte) => frame(CONTINUATION, 0, byte)).join('') +
    frame(CONTINUATION, END_HEADERS, '') +
    data('ok') +
    trailers(),
  'CONTINUATION of trailers':
    head() +
    data('ok') +
    frame(HEADERS, END_STREAM, block([['grpc-status', '0']]).slice(0, 3)) +
    frame(CONTINUATION, END_HEADERS, block([['grpc-status', '0']]).slice(3)),
  'CONTINUATION with an end': frame(HEADERS, END_STREAM, block(TYPE)) + frame(CONTINUATION, END_HEADERS, ''),
  'CONTINUATION alone': frame(CONTINUATION, END_HEADERS, block(TYPE)) + data('ok') + trailers(),
  'CONTINUATION of another':
    frame(HEADERS, 0, block(TYPE)) + frame(CONTINUATION, END_HEADERS, '', 3) + data('ok') + trailers(),
  'CONTINUATION missing': frame(HEADERS, 0, block(TYPE)) + data('ok') + trailers(),
  'CONTINUATION missing, PING': frame(HEADERS, 0, block(TYPE)) + frame(PING, 0, '12345678', 0),
  PUSH_PROMISE: frame(PUSH_PROMISE, END_HEADERS, `\0\0\0\x02${block(TYPE)}`) + OK,
  'frame unknown': frame(0x99, 0, 'words') + OK,
  'frame unknown of none': frame(0x99, 0xff, 'words', 0) + OK,
  'frame too large': head() + frame(DATA, 0, long(16385)) + trailers(),
  'data before the head': data('ok') + OK,
  'data of another': head() + data('no', 0, 3) + data('ok') + trailers(),
  'data of none': head() + data('no', 0, 0) + data('ok') + trailers(),
  'head of another': headOf(TYPE, 0, 3) + OK,
  'head of an even one': headOf(TYPE, 0, 2) + OK,
  'head of none': headOf(TYPE, 0, 0) + OK,
  'head twice': head() + head() + data('ok') + trailers(),
  'WINDOW_UPDATE of 0': windowUpdate(0, 0) + OK,
  'WINDOW_UPDATE of 0 on the stream': windowUpdate(1, 0) + OK,
  'WINDOW_UPDATE too large': windowUpdate(0, 0x7fffffff) + OK,
  'WINDOW_UPDATE too large on the stream': windowUpdate(1, 0x7fffffff) + OK,
  'WINDOW_UPDATE of another': windowUpdate(3, 5) + OK,
  'WINDOW_UPDATE short': frame(WINDOW_UPDATE, 0, '\0\0', 0) + OK,
  large: head() + Array.from({ length: 12 }, (_, n) => data(long(5000 + n))).join('') + trailers(),
  'index of the dynamic table': frame(HEADERS, END_HEADERS, `\x88\xbe`) + data('ok') + trailers(),
  'index 0': frame(HEADERS, END_HEADERS, '\x80') + data('ok') + trailers(),
  'table size update': frame(HEADERS, END_HEADERS, `\x20${block(TYPE)}`) + data('ok') + trailers(),
  'table size too large': frame(HEADERS, END_HEADERS, `\x3f\xff\xff\x7f${block(TYPE)}`) + data('ok') + trailers(),
  'added to the table': frame(HEADERS, END_HEADERS, `\x88\x40\x01x\x01y\xbe`) + data('ok') + trailers(),
  'block cut': frame(HEADERS, END_HEADERS, '\x88\x40\x09x') + data('ok') + trailers(),
  'block empty': frame(HEADERS, END_HEADERS, '') + data('ok') + trailers(),
  'integer too long': frame(HEADERS, END_HEADERS, '\xff\xff\xff\xff\xff\xff\xff\x7f') + data('ok') + trailers(),
  huffman: frame(HEADERS, END_HEADERS, `\x88\0\x01x${bytes(0x83, 0x1c, 0x64, 0x9f)}`) + data('ok') + trailers(),
  'huffman bad': frame(HEADERS, END_HEADERS, `\x88\0\x01x${bytes(0x81, 0x00)}`) + data('ok') + trailers(),
  ...Object.fromEntries(
    [
      '200',
      '201',
      '204',
      '206',
      '299',
      '301',
      '304',
      '400',
      '401',
      '403',
      '404',
      '429',
      '500',
      '502',
      '503',
      '504',
      '599',
      '600',
      '999',
      '100',
      '101',
      '103',
      '099',
      '20',
      '2000',
      '20x',
      '',
      '+20',
    ].map((status) => [
      `status ${JSON.stringify(status)}`,
      headOf([
        [':status', status],
        ['content-type', 'application/grpc'],
        ['x', 'y'],
      ]) +
        data('ok') +
        trailers(),
    ]),
  ),
  'status missing': headOf([['x', 'y']]) + data('ok') + trailers(),
  'status twice':
    headOf([
      [':status', '200'],
      [':status', '404'],
    ]) +
    data('ok') +
    trailers(),
  'status behind a field':
    headOf([
      ['x', 'y'],
      [':status', '200'],
    ]) +
    data('ok') +
    trailers(),
  'pseudo-field of a request':
    headOf([
      [':status', '200'],
      [':path', '/'],
    ]) +
    data('ok') +
    trailers(),
  'pseudo-field unknown':
    headOf([
      [':status', '200'],
      [':x', '/'],
    ]) +
    data('ok') +
    trailers(),
  'interim and final': headOf([[':status', '100']]) + OK,
  'interim 103 and final':
    headOf([
      [':status', '103'],
      ['link', 'x'],
    ]) + OK,
  'interim with an end': headOf([[':status', '100']], END_STREAM),
  'length right': head(['content-length', '2']) + data('ok') + trailers(),
  'length more': head(['content-length', '5']) + data('ok') + trailers(),
  'length less': head(['content-length', '1']) + data('ok') + trailers(),
  'length more, no trailers': head(['content-length', '5']) + data('ok', END_STREAM),
  'length and trailers only': headOf([...TYPE, ['content-length', '5']], END_STREAM),
  'length 0': head(['content-length', '0']) + trailers(),
  'length 0 and data': head(['content-length', '0']) + data('ok') + trailers(),
  'length twice': head(['content-length', '2'], ['content-length', '2']) + data('ok') + trailers(),
  'length two': head(['content-length', '2'], ['content-length', '3']) + data('ok') + trailers(),
  'length bad': head(['content-length', 'x']) + data('ok') + trailers(),
  'length negative': head(['content-length', '-1']) + data('ok') + trailers(),
  'length empty': head(['content-length', '']) + data('ok') + trailers(),
  'length of 204': headOf(
    [
      [':status', '204'],
      ['content-length', '2'],
    ],
    END_STREAM,
  ),
  'length of 304': headOf(
    [
      [':status', '304'],
      ['content-length', '2'],
    ],
    END_STREAM,
  ),
  'name in upper case': frame(HEADERS, END_HEADERS, block(TYPE) + rawField('X', 'y')) + data('ok') + trailers(),
  'name empty': frame(HEADERS, END_HEADERS, block(TYPE) + rawField('', 'y')) + data('ok') + trailers(),
  'name with a space': frame(HEADERS, END_HEADERS, block(TYPE) + rawField('x y', 'z')) + data('ok') + trailers(),
  'name with a colon': frame(HEADERS, END_HEADERS, block(TYPE) + rawField('x:y', 'z')) + data('ok') + trailers(),
  'name with an underscore': head(['x_y', 'z']) + data('ok') + trailers(),
  'name with bytes': frame(HEADERS, END_HEADERS, block(TYPE) + rawField('x\xe4', 'z')) + data('ok') + trailers(),
  'name with NUL': frame(HEADERS, END_HEADERS, block(TYPE) + rawField('x\0', 'z')) + data('ok') + trailers(),
  'value with NUL': frame(HEADERS, END_HEADERS, block(TYPE) + rawField('x', 'a\0b')) + data('ok') + trailers(),
  'value with LF': frame(HEADERS, END_HEADERS, block(TYPE) + rawField('x', 'a\nb')) + data('ok') + trailers(),
  'value with CR': frame(HEADERS, END_HEADERS, block(TYPE) + rawField('x', 'a\rb')) + data('ok') + trailers(),
  'value with spaces': frame(HEADERS, END_HEADERS, block(TYPE) + rawField('x', ' a ')) + data('ok') + trailers(),
  'value with bytes': head(['x', '\xe4\x7f']) + data('ok') + trailers(),
  'value empty': head(['x', '']) + data('ok') + trailers(),
  'connection fields':
    head(
      ['connection', 'close'],
      ['keep-alive', 'x'],
      ['transfer-encoding', 'chunked'],
      ['upgrade', 'y'],
      ['te', 'z'],
    ) +
    data('ok') +
    trailers(),
  'fields twice':
    head(
      ['x', '1'],
      ['x', '2'],
      ['set-cookie', 'a=b'],
      ['set-cookie', 'c=d'],
      ['server', 's'],
      ['date', 'd'],
      ['content-type', 'text/html'],
    ) +
    data('ok') +
    trailers(),
  'x-accel fields':
    head(['x-accel-redirect', '/inner'], ['x-accel-buffering', 'no'], ['x-accel-limit-rate', '100000']) +
    data('ok') +
    trailers(),
  'location and refresh': head(['location', '/x'], ['refresh', '3; url=/y']) + data('ok') + trailers(),
  'no type': headOf([[':status', '200']]) + data('ok') + trailers(),
  'head large': head(['x', 'x'.repeat(3000)]) + data('ok') + trailers(),
  'head too large': head(['x', 'x'.repeat(6000)]) + data('ok') + trailers(),
  'head of many fields':
    head(...Array.from({ length: 100 }, (_, n): [string, string] => [`x${n}`, 'y'])) + data('ok') + trailers(),
  'head far too large': head(['x', 'x'.repeat(40000)]) + data('ok') + trailers(),
  'trailers large': head() + data('ok') + trailers(['x', 'x'.repeat(3000)]),
  'trailers too large': head() + data('ok') + trailers(['x', 'x'.repeat(6000)]),
  'frame head cut': head() + data('ok').slice(0, 5),
  'frame cut': head() + data('okay').slice(0, -2),
  'settings cut': closing(START.slice(0, 5)),
}

/** Those behind which the back end closes its connection; nobody else's does. */
const CLOSING = /no end|nothing but|head alone|cut|not HTTP|trailers without/
const answerOf = (name: string, answer: string | Answer): Answer => {
  if (typeof answer !== 'string') return answer
  return CLOSING.test(name) ? closing(START + answer) : { send: START + answer }
}
const GRPC = ['TE: trailers', 'Content-Type: application/grpc']

const conf = (inner: string): string => `grpc_read_timeout 300ms; grpc_buffer_size 4k; proxy_temp_path %%DIR%%/body;
upstream two { server 127.0.0.1:%%PORT_6%% max_fails=0; server 127.0.0.1:%%PORT_7%% max_fails=0; }
upstream kept { server 127.0.0.1:%%PORT_6%%; keepalive 4; }
server { listen 127.0.0.1:%%PORT_0%% http2; root %%DIR%%/www; server_name h; ${inner} }`

const NEXT = ['error', 'timeout', 'invalid_header', 'http_500', 'http_503', 'http_404', 'off', 'error non_idempotent']
const NEXT_ANSWERS: Readonly<Record<string, Answer>> = {
  nothing: closing(''),
  'settings alone': closing(START),
  silence: { send: START },
  'RST_STREAM 7': closing(START + rstStream(1, 7)),
  'RST_STREAM 2': closing(START + rstStream(1, 2)),
  'GOAWAY 0': closing(START + goAway(0, 0)),
  'not HTTP/2': closing('HTTP/1.1 400 B\r\n\r\n'),
  'bad head': closing(START + headOf([['x', 'y']])),
  '500': closing(START + headOf([[':status', '500']], END_STREAM)),
  '503': { send: START + headOf([[':status', '503']]) + data('no', END_STREAM) },
  '404': closing(START + headOf([[':status', '404']], END_STREAM)),
  'body cut': closing(START + head() + data('o')),
}

const call = (path: string, body = 'abc', fields: readonly string[] = GRPC): string =>
  `POST ${path} HTTP/1.1\r\nHost: h\r\n${fields.map((field) => `${field}\r\n`).join('')}Content-Length: ${body.length}\r\n\r\n${body}`
const streamed = (path: string, ...chunks: string[]): string =>
  `POST ${path} HTTP/1.1\r\nHost: h\r\n${GRPC.join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`
const CLIENT = PREFACE + settingsFrame([[INITIAL_WINDOW_SIZE, 0x7fffffff]]) + windowUpdate(0, 0x3fffffff)
const clientHead = (path: string, flags = 0, more: Fields = []): string =>
  headOf(
    [[':method', 'POST'], [':scheme', 'http'], [':path', path], [':authority', 'h'], ['te', 'trailers'], ...more],
    flags,
  )
const requestAnswers = [{ send: START + OK }]

const requests: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    [
      '/b/S/M',
      '/b/a%20b?c=d',
      '/b//x/../y',
      '/b/%e4',
      '/s/S/M',
      '/s/h',
      '/group',
      '/var/x',
      '/varbad',
      '/dead',
      '/none',
    ].flatMap((path): [string, Case][] => [
      [`call ${path}`, { send: call(path), answers: requestAnswers }],
      [`streamed ${path}`, { send: streamed(path, 'ab', 'c'), answers: requestAnswers }],
      [`empty ${path}`, { send: call(path, ''), answers: requestAnswers }],
      [`GET ${path}`, { send: ask(path), answers: requestAnswers }],
      [`HEAD ${path}`, { send: ask(path, [], 'HEAD'), answers: [{ send: START + headOf(TYPE, END_STREAM) }] }],
    ]),
  ),
  ...Object.fromEntries(
    [
      ['grpc-timeout: 100m'],
      ['grpc-encoding: gzip', 'grpc-accept-encoding: gzip'],
      ['TE: trailers'],
      ['TE: gzip'],
      ['TE: trailers, deflate'],
      ['x-bin: AAA='],
      ['A: a', 'A: b'],
      ['Cookie: a=b', 'Cookie: c=d'],
      ['Authorization: x'],
      ['User-Agent: grpc'],
      ['X_Y: a'],
      ['X:'],
      ['Content-Type: a'],
      ['Accept-Encoding: gzip'],
      ['Connection: x', 'X: y'],
      ['Host: other'],
      ['Range: bytes=0-1'],
      [`Long: ${'x'.repeat(3000)}`],
    ].flatMap((fields) =>
      ['/b/S/M', '/s/x'].map((path): [string, Case] => [
        `${path} ${fields.join(', ').slice(0, 30)}`,
        { send: call(path, 'x', fields), answers: requestAnswers },
      ]),
    ),
  ),
  large: { send: call('/b/x', long(60000)), answers: requestAnswers },
  'large answered early': {
    send: call('/b/x', long(65000)),
    answers: [{ send: START + OK, early: true, after: 'close' }],
  },
  'large answered early, and reset': {
    send: call('/b/x', long(65000)),
    answers: [{ send: START + OK + rstStream(1, 0), early: true, after: 'close' }],
  },
  'large refused early': {
    send: call('/b/x', long(65000)),
    answers: [{ send: START + rstStream(1, 8), early: true, after: 'close' }],
  },
  'answered early': {
    send: [CLIENT + clientHead('/b/x') + data('a'), data('b', END_STREAM)],
    answers: [{ send: START + head() + data('ok'), early: true }],
  },
  'body never': {
    send: CLIENT + clientHead('/b/x') + data('a'),
    answers: [{ send: START + OK, early: true, after: 'close' }],
  },
  'body cut by a reset': {
    send: CLIENT + clientHead('/b/x') + data('a') + rstStream(1, 8),
    answers: requestAnswers,
  },
  'reset at once': { send: CLIENT + clientHead('/b/x', END_STREAM) + rstStream(1, 8), answers: requestAnswers },
  'with trailers': {
    send: CLIENT + clientHead('/b/x') + data('a') + headOf([['x', 'y']], END_STREAM),
    answers: requestAnswers,
  },
  'of a length that is more': {
    send: CLIENT + clientHead('/b/x', 0, [['content-length', '5']]) + data('ab', END_STREAM),
    answers: requestAnswers,
  },
  'of a length that is less': {
    send: CLIENT + clientHead('/b/x', 0, [['content-length', '1']]) + data('ab', END_STREAM),
    answers: requestAnswers,
  },
  padded: {
    send: CLIENT + clientHead('/b/x') + frame(DATA, PADDED | END_STREAM, '\x04abPPPP'),
    answers: requestAnswers,
  },
}

/** What a second and a third call get on a connection that was kept. */
const kept: Readonly<Record<string, string>> = {
  plain: OK,
  'with GOAWAY': OK + goAway(1, 0),
  'with GOAWAY before': goAway(1, 0) + OK,
  'with RST_STREAM 0': OK + rstStream(1, 0),
  'with RST_STREAM 8': OK + rstStream(1, 8),
  'trailers only': headOf(TYPE, END_STREAM),
  'with a window of 0': settingsFrame([[INITIAL_WINDOW_SIZE, 0]]) + OK,
  'with one stream': settingsFrame([[MAX_CONCURRENT_STREAMS, 1]]) + OK,
  'with no stream': settingsFrame([[MAX_CONCURRENT_STREAMS, 0]]) + OK,
  'with PING behind': OK + frame(PING, 0, '12345678', 0),
  'with garbage behind': `${OK}xyz`,
  'status 404': headOf([[':status', '404']], END_STREAM),
  'length less': head(['content-length', '1']) + data('ok') + trailers(),
  broken: data('ok'),
}
const okOn = (stream: number): string =>
  headOf(TYPE, 0, stream) + data('ok', 0, stream) + headOf([['grpc-status', '0']], END_STREAM, stream)

/** What is asked about gRPC. */
export const grpcGroups: readonly Group[] = [
  {
    name: 'gateways: grpc answers',
    speech: 'http2',
    http2: true,
    files: { 'www/err.html': 'error page\n' },
    http: conf(`
      location /b/ { grpc_pass grpc://127.0.0.1:%%PORT_6%%; }
      location /i/ { grpc_intercept_errors on; error_page 400 401 404 500 502 503 504 = /grpc; grpc_pass 127.0.0.1:%%PORT_6%%; }
      location = /grpc { internal; default_type application/grpc; add_header grpc-status 14 always; add_header content-length 0 always; return 204; }
      location /e/ { error_page 502 504 = @back; grpc_hide_header x; grpc_pass_header server; grpc_ignore_headers X-Accel-Redirect; grpc_pass 127.0.0.1:%%PORT_6%%; }
      location @back { return 200 "back"; }
      location /inner { internal; return 200 "inner"; }`),
    cases: Object.fromEntries([
      ...Object.entries(ANSWERS).flatMap(([name, answer]) =>
        ['/b/', '/i/', '/e/'].map((place): [string, Case] => [
          `${place} <- ${name}`,
          { send: call(place), answers: [answerOf(name, answer)] },
        ]),
      ),
      ...Object.entries(ANSWERS)
        .filter(([name]) => /plain|trailers|length|status|no end|head and end/.test(name))
        .flatMap(([name, answer]): [string, Case][] => [
          [`HEAD /b/ <- ${name}`, { send: ask('/b/', [], 'HEAD'), answers: [answerOf(name, answer)] }],
          [`GET /b/ <- ${name}`, { send: ask('/b/'), answers: [answerOf(name, answer)] }],
        ]),
    ]),
  },
  {
    name: 'gateways: grpc requests',
    speech: 'http2',
    http2: true,
    http: conf(`
      location /b/ { grpc_pass 127.0.0.1:%%PORT_6%%; }
      location /s/ { grpc_set_header Host $host; grpc_set_header X-A $http_a; grpc_set_header B ""; grpc_set_header TE $http_te; grpc_set_header Connection x; rewrite ^/s/h$ /changed break; grpc_pass grpc://127.0.0.1:%%PORT_6%%; }
      location /group { grpc_pass two; }
      location /var/ { set $b 127.0.0.1:%%PORT_6%%; grpc_pass grpc://$b; }
      location /varbad { grpc_pass $arg_b; }
      location /dead { grpc_pass 127.0.0.1:%%PORT_8%%; }`),
    cases: requests,
  },
  {
    name: 'gateways: grpc next',
    speech: 'http2',
    http2: true,
    http: conf(
      NEXT.map((words, n) => `location /n${n} { grpc_next_upstream ${words}; grpc_pass two; }`).join('\n'),
    ).replace('300ms', '60ms'),
    cases: Object.fromEntries(
      NEXT.flatMap((_, n) =>
        Object.entries(NEXT_ANSWERS).flatMap(([what, answer]): [string, Case][] => [
          [`/n${n} <- ${what}`, { send: ask(`/n${n}`), answers: [answer, { send: START + OK }] }],
          [`/n${n} <- ${what} both`, { send: ask(`/n${n}`), answers: [answer] }],
          [`POST /n${n} <- ${what}`, { send: call(`/n${n}`), answers: [answer, { send: START + OK }] }],
        ]),
      ),
    ),
  },
  {
    name: 'gateways: grpc kept',
    speech: 'http2',
    http2: true,
    http: conf('location / { grpc_pass kept; }'),
    cases: Object.fromEntries(
      Object.entries(kept).map(([name, text]): [string, Case] => [
        name,
        {
          send: [call('/1'), call('/2'), call('/3')],
          answers: [{ send: START + text }, { send: [START + windowUpdate(HERE, 1000), okOn(HERE)], early: true }],
        },
      ]),
    ),
  },
]
