/** What only HTTP/2 can say: pseudo-fields, frames, streams. */
import {
  CANCEL,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frameHead,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  PRIORITY_FLAG,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  SETTINGS_ACK,
  settingsFrame,
  WINDOW_UPDATE,
} from '../../../../src/http/h2/wire/frames.ts'
import { encodeField } from '../../../../src/http/h2/wire/hpack-encoder.ts'
import type { Answer, Case, Group } from '../case.ts'

type Fields = readonly (readonly [string, string])[]

const frame = (type: number, flags: number, stream: number, payload = ''): string =>
  frameHead(payload.length, type, flags, stream) + payload
const block = (fields: Fields): string => fields.map(([name, value]) => encodeField(name, value)).join('')
const u32 = (value: number): string =>
  String.fromCharCode((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
const WHOLE = END_HEADERS | END_STREAM
const head = (fields: Fields, stream = 1, flags: number = WHOLE): string => frame(HEADERS, flags, stream, block(fields))
const data = (text: string, end = true, stream = 1): string => frame(DATA, end ? END_STREAM : 0, stream, text)

const START = PREFACE + settingsFrame([]) + SETTINGS_ACK

const pseudo = (path = '/vars', method = 'GET'): Fields => [
  [':method', method],
  [':scheme', 'http'],
  [':path', path],
  [':authority', 'h'],
]
const get = (path = '/vars', fields: Fields = [], stream = 1): string => head([...pseudo(path), ...fields], stream)
const post = (path: string, fields: Fields = [], stream = 1): string =>
  head([...pseudo(path, 'POST'), ...fields], stream, END_HEADERS)

const of = (...parts: readonly string[]): Case => ({ send: [START + parts[0]!, ...parts.slice(1)] })
const M = [':method', 'GET'] as const
const S = [':scheme', 'http'] as const
const P = [':path', '/vars'] as const
const A = [':authority', 'h'] as const

const heads: Readonly<Record<string, Fields>> = {
  plain: [M, S, P, A],
  'another order': [A, P, S, M],
  'no method': [S, P, A],
  'no scheme': [M, P, A],
  'no path': [M, S, A],
  'no authority': [M, S, P],
  'host alone': [M, S, P, ['host', 'h']],
  'host and authority': [M, S, P, A, ['host', 'h']],
  'host differs': [M, S, P, A, ['host', 'other']],
  'host differs in case': [M, S, P, A, ['host', 'H']],
  'host differs in port': [M, S, P, A, ['host', 'h:80']],
  'authority with port': [M, S, P, [':authority', 'h:8080']],
  'authority upper': [M, S, P, [':authority', 'OTHER']],
  'authority other': [M, S, P, [':authority', 'other']],
  'authority unknown': [M, S, P, [':authority', 'unknown.example']],
  'authority dot': [M, S, P, [':authority', 'other.']],
  'authority user': [M, S, P, [':authority', 'u@h']],
  'authority slash': [M, S, P, [':authority', 'h/x']],
  'authority space': [M, S, P, [':authority', 'h x']],
  'authority bad port': [M, S, P, [':authority', 'h:x']],
  'authority empty': [M, S, P, [':authority', '']],
  'authority empty and host': [M, S, P, [':authority', ''], ['host', 'h']],
  'authority ip6': [M, S, P, [':authority', '[::1]:80']],
  'authority twice': [M, S, P, A, A],
  'authority behind': [M, S, P, ['x', 'y'], A],
  'host twice': [M, S, P, ['host', 'h'], ['host', 'h']],
  'host empty': [M, S, P, ['host', '']],
  'host bad': [M, S, P, ['host', 'h/x']],
  'method twice': [M, M, S, P, A],
  'path twice': [M, S, P, P, A],
  'scheme twice': [M, S, S, P, A],
  'unknown pseudo': [M, S, P, A, [':x', 'y']],
  ':status': [M, S, P, A, [':status', '200']],
  ':protocol': [M, S, P, A, [':protocol', 'websocket']],
  'pseudo behind': [M, S, A, ['x', 'y'], P],
  'method empty': [[':method', ''], S, P, A],
  'method lower': [[':method', 'get'], S, P, A],
  'method odd': [[':method', 'GE-T_X'], S, P, A],
  'method space': [[':method', 'GE T'], S, P, A],
  'method star': [[':method', 'A*'], S, P, A],
  'method HEAD': [[':method', 'HEAD'], S, P, A],
  'method OPTIONS': [[':method', 'OPTIONS'], S, [':path', '*'], A],
  'method TRACE': [[':method', 'TRACE'], S, P, A],
  'method CONNECT': [
    [':method', 'CONNECT'],
    [':authority', 'h:80'],
  ],
  'method CONNECT with path': [[':method', 'CONNECT'], S, P, A],
  'method CONNECT protocol': [[':method', 'CONNECT'], S, P, A, [':protocol', 'websocket']],
  'method PRI': [[':method', 'PRI'], S, P, A],
  'method long': [[':method', 'M'.repeat(300)], S, P, A],
  'scheme https': [M, [':scheme', 'https'], P, A],
  'scheme upper': [M, [':scheme', 'HTTP'], P, A],
  'scheme ftp': [M, [':scheme', 'ftp'], P, A],
  'scheme empty': [M, [':scheme', ''], P, A],
  'scheme space': [M, [':scheme', 'ht tp'], P, A],
  'scheme digit': [M, [':scheme', '1http'], P, A],
  ...Object.fromEntries(
    [
      '',
      '*',
      'x',
      '/a b',
      '/a#f',
      '/%00',
      '/%zz',
      '/\xe9',
      '/vars?q=1&a',
      '/vars?',
      '//vars',
      '/./vars',
      '/../vars',
      '/x/../vars',
      'http://h/vars',
      '/%2fvars',
      '/vars%3fq',
      '/vars\t',
      '/vars\x7f',
      '/vars?a b',
      '/vars?#',
      '/"',
      `/${'x'.repeat(9000)}`,
      `/vars?${'x'.repeat(3000)}`,
    ].map((path) => [`path ${path.slice(0, 20)}${path.length > 20 ? path.length : ''}`, [M, S, [':path', path], A]]),
  ),
  ...Object.fromEntries(
    (
      [
        [['connection', 'close']],
        [['connection', 'keep-alive']],
        [['connection', '']],
        [['keep-alive', '1']],
        [['proxy-connection', 'close']],
        [['upgrade', 'websocket']],
        [['transfer-encoding', 'chunked']],
        [['transfer-encoding', 'identity']],
        [['http2-settings', 'AAAA']],
        [['te', 'trailers']],
        [['te', 'TRAILERS']],
        [['te', 'gzip']],
        [['te', 'trailers, gzip']],
        [['te', '']],
        [
          ['te', 'trailers'],
          ['te', 'trailers'],
        ],
        [['X-Upper', 'a']],
        [['x y', 'a']],
        [['x:y', 'a']],
        [['x_y', 'a']],
        [['x.y', 'a']],
        [['x@y', 'a']],
        [['\xe9', 'a']],
        [['', 'a']],
        [['x\x7f', 'a']],
        [['x\t', 'a']],
        [['x\0', 'a']],
        [['x', 'a\r']],
        [['x', 'a\nb']],
        [['x', 'a\0b']],
        [['x', ' a ']],
        [['x', '\ta']],
        [['x', 'a\x01b']],
        [['x', '\xff\x80']],
        [['x', '']],
        [
          ['x', 'a'],
          ['x', 'b'],
        ],
        [
          ['x', 'a, b'],
          ['x', ''],
        ],
        [
          ['cookie', 'a=1'],
          ['cookie', 'b=2'],
        ],
        [
          ['cookie', 'a=1; b=2'],
          ['x', 'y'],
          ['cookie', 'c=3'],
        ],
        [['cookie', '']],
        [
          ['cookie', ''],
          ['cookie', 'a=1'],
        ],
        [
          ['cookie', 'a=1'],
          ['cookie', ''],
        ],
        [
          ['cookie', 'a=1;'],
          ['cookie', ' b=2 '],
        ],
        [
          ['cookie', 'a=1'],
          ['cookie', 'a=2'],
        ],
        [['content-length', '0']],
        [['content-length', '5']],
        [['content-length', 'x']],
        [['content-length', '-1']],
        [['content-length', '']],
        [['content-length', '+1']],
        [
          ['content-length', '0'],
          ['content-length', '0'],
        ],
        [['content-length', '99999999999999999999']],
        [['expect', '100-continue']],
        [['expect', 'x']],
        [['expect', '']],
        [['if-modified-since', 'x']],
        [['range', 'bytes=0-1']],
        [['authorization', 'Basic dTpw']],
        [
          ['authorization', 'a'],
          ['authorization', 'b'],
        ],
        [
          ['user-agent', 'a'],
          ['user-agent', 'b'],
        ],
        [
          ['referer', 'a'],
          ['referer', 'b'],
        ],
        [
          ['content-type', 'a'],
          ['content-type', 'b'],
        ],
        [
          ['if-match', 'a'],
          ['if-match', 'b'],
        ],
        [
          ['x-forwarded-for', '1.1.1.1'],
          ['x-forwarded-for', '2.2.2.2'],
        ],
        [
          ['accept', 'a'],
          ['accept', 'b'],
        ],
        [['via', '1.1 p']],
        [['priority', 'u=1']],
        [['date', 'x']],
        [['trailer', 'x']],
        [['early-data', '1']],
        [['accept-encoding', 'gzip']],
        [['x', 'y'.repeat(5000)]],
        [['x', 'y'.repeat(9000)]],
        [['y'.repeat(5000), 'x']],
        [
          ['cookie', 'y'.repeat(5000)],
          ['cookie', 'z'.repeat(5000)],
        ],
      ] as readonly Fields[]
    ).map((fields) => [
      `fields ${fields.map(([name, value]) => `${name.slice(0, 30)}: ${value.slice(0, 30)}${value.length > 30 ? value.length : ''}`).join(', ')}`,
      [...pseudo(), ...fields],
    ]),
  ),
}

const headCases: Record<string, Case> = {}
for (const [name, fields] of Object.entries(heads)) {
  headCases[name] = of(head(fields))
  headCases[`${name} -> proxy`] = of(
    head(fields.map(([key, value]) => [key, key === ':path' ? value.replace('/vars', '/back/vars') : value])),
  )
}
for (const name of [
  'host differs',
  'authority unknown',
  'no path',
  'fields connection: close',
  'fields content-length: x',
  'path *',
  'method CONNECT',
  'scheme ftp',
  'fields x y: a',
]) {
  headCases[`${name}, and then another`] = of(head(heads[name]!), get('/vars', [], 3))
}

const PATHS = [
  '/vars',
  '/a.txt',
  '/back/x',
  '/stream/x',
  '/none',
  '/444',
  '/408',
  '/limit/x',
  '/limits/a.txt',
  '/nobody/x',
  '/wait/x',
  '/in-file/x',
  '/back2/x',
  '/auth/a.txt',
]
const bodies: Readonly<Record<string, (path: string) => readonly string[]>> = {
  length: (path) => [post(path, [['content-length', '6']]) + data('posted')],
  'no length': (path) => [post(path) + data('posted')],
  late: (path) => [post(path, [['content-length', '6']]), data('pos', false), data('ted')],
  'late no length': (path) => [post(path), data('pos', false), data('ted')],
  'empty data': (path) => [post(path) + data('')],
  'empty data late': (path) => [post(path), data('')],
  'empty data between': (path) => [post(path) + data('a', false) + data('', false) + data('b')],
  'length 0': (path) => [post(path, [['content-length', '0']]) + data('')],
  'length 0, ended': (path) => [head([...pseudo(path, 'POST'), ['content-length', '0']])],
  none: (path) => [head(pseudo(path, 'POST'))],
  'length 6, ended': (path) => [head([...pseudo(path, 'POST'), ['content-length', '6']])],
  'too short': (path) => [post(path, [['content-length', '9']]) + data('posted')],
  'too long': (path) => [post(path, [['content-length', '3']]) + data('posted')],
  'too short late': (path) => [post(path, [['content-length', '9']]), data('posted')],
  'too long late': (path) => [post(path, [['content-length', '3']]), data('posted')],
  'too long in parts': (path) => [post(path, [['content-length', '3']]) + data('pos', false), data('t')],
  padded: (path) => [post(path) + frame(DATA, END_STREAM | PADDED, 1, `\x03posted\0\0\0`)],
  'padded badly': (path) => [post(path) + frame(DATA, END_STREAM | PADDED, 1, `\x09posted`)],
  'behind the end': (path) => [post(path) + data('posted') + data('more')],
  reset: (path) => [post(path) + data('pos', false) + frame(RST_STREAM, 0, 1, u32(CANCEL))],
  'reset late': (path) => [post(path) + data('pos', false), frame(RST_STREAM, 0, 1, u32(CANCEL))],
  expect: (path) => [
    post(path, [
      ['expect', '100-continue'],
      ['content-length', '6'],
    ]),
    data('posted'),
  ],
  GET: (path) => [head(pseudo(path), 1, END_HEADERS) + data('posted')],
  HEAD: (path) => [head(pseudo(path, 'HEAD'), 1, END_HEADERS) + data('posted')],
  'PUT large': (path) => [
    head(pseudo(path, 'PUT'), 1, END_HEADERS) + data('x'.repeat(16000), false) + data('y'.repeat(16000)),
  ],
  'and another': (path) => [post(path) + data('posted') + get('/vars', [], 3), get('/vars', [], 5)],
}
const bodyCases: Record<string, Case> = {}
for (const path of PATHS)
  for (const [name, frames] of Object.entries(bodies)) bodyCases[`${path} ${name}`] = of(...frames(path))

const frames: Readonly<Record<string, Case>> = {
  ping: of(frame(PING, 0, 0, '12345678')),
  'ping short': of(frame(PING, 0, 0, '1234')),
  'ping on a stream': of(frame(PING, 0, 1, '12345678')),
  goaway: of(frame(GOAWAY, 0, 0, u32(0) + u32(0)), get()),
  'goaway and request': of(frame(GOAWAY, 0, 0, u32(0) + u32(0)) + get()),
  'unknown frame': of(frame(0x20, 0, 0, 'abc') + get()),
  'push promise': of(frame(PUSH_PROMISE, END_HEADERS, 1, u32(2)) + get()),
  priority: of(frame(PRIORITY, 0, 1, u32(0) + '\x10') + get()),
  'priority of itself': of(frame(PRIORITY, 0, 1, u32(1) + '\x10') + get()),
  'priority in head': of(frame(HEADERS, WHOLE | PRIORITY_FLAG, 1, `${u32(0)}\x10${block(pseudo())}`)),
  'priority of itself in head': of(frame(HEADERS, WHOLE | PRIORITY_FLAG, 1, `${u32(1)}\x10${block(pseudo())}`)),
  'padded head': of(frame(HEADERS, WHOLE | PADDED, 1, `\x02${block(pseudo())}\0\0`)),
  'padded head badly': of(frame(HEADERS, WHOLE | PADDED, 1, `\xff${block(pseudo())}`)),
  continuation: of(
    frame(HEADERS, END_STREAM, 1, block(pseudo().slice(0, 2))) +
      frame(CONTINUATION, END_HEADERS, 1, block(pseudo().slice(2))),
  ),
  'continuation late': of(
    frame(HEADERS, END_STREAM, 1, block(pseudo().slice(0, 2))),
    frame(CONTINUATION, END_HEADERS, 1, block(pseudo().slice(2))),
  ),
  'continuation in a field': of(
    frame(HEADERS, END_STREAM, 1, block(pseudo()).slice(0, 9)) +
      frame(CONTINUATION, END_HEADERS, 1, block(pseudo()).slice(9)),
  ),
  'continuation of another': of(
    frame(HEADERS, END_STREAM, 1, block(pseudo().slice(0, 2))) +
      frame(CONTINUATION, END_HEADERS, 3, block(pseudo().slice(2))),
  ),
  'ping between': of(frame(HEADERS, END_STREAM, 1, block(pseudo().slice(0, 2))) + frame(PING, 0, 0, '12345678')),
  'continuation alone': of(frame(CONTINUATION, END_HEADERS, 1, block(pseudo()))),
  'head empty': of(frame(HEADERS, WHOLE, 1)),
  'stream even': of(get('/vars', [], 2)),
  'stream 0': of(get('/vars', [], 0)),
  'stream again': of(get() + get()),
  'stream again late': of(get(), get()),
  'stream before': of(get('/vars', [], 5) + get('/vars', [], 3)),
  'stream gaps': of(get('/vars', [], 7) + get('/vars', [], 101)),
  'data idle': of(data('x', true, 5)),
  'data 0': of(data('x', true, 0)),
  'data closed': of(get(), data('x')),
  'rst idle': of(frame(RST_STREAM, 0, 5, u32(8)) + get('/vars', [], 7)),
  'rst 0': of(frame(RST_STREAM, 0, 0, u32(8))),
  'rst closed': of(get(), frame(RST_STREAM, 0, 1, u32(8)), get('/vars', [], 3)),
  'rst short': of(get() + frame(RST_STREAM, 0, 1, '12')),
  'window 0': of(frame(WINDOW_UPDATE, 0, 0, u32(0))),
  'window 0 on stream': of(post('/back/x') + frame(WINDOW_UPDATE, 0, 1, u32(0))),
  'window too large': of(frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff))),
  'window too large on stream': of(post('/back/x') + frame(WINDOW_UPDATE, 0, 1, u32(0x7fffffff)) + data('x')),
  'window idle': of(frame(WINDOW_UPDATE, 0, 9, u32(1)) + get()),
  'window short': of(frame(WINDOW_UPDATE, 0, 0, '12')),
  'settings short': of(frame(SETTINGS, 0, 0, '12')),
  'settings on stream': of(frame(SETTINGS, 0, 1)),
  'settings ack with payload': of(frame(SETTINGS, 1, 0, '123456')),
  'settings ack again': of(SETTINGS_ACK + SETTINGS_ACK + get()),
  'settings window too large': of(settingsFrame([[4, 0x80000000]])),
  'settings window 0': {
    send: [
      PREFACE + settingsFrame([[4, 0]]) + SETTINGS_ACK + get('/a.txt'),
      frame(WINDOW_UPDATE, 0, 1, u32(4)),
      settingsFrame([[4, 100]]),
    ],
  },
  'settings window 1': { send: [PREFACE + settingsFrame([[4, 1]]) + SETTINGS_ACK + get('/a.txt')] },
  'settings frame small': of(settingsFrame([[5, 100]])),
  'settings frame large': of(settingsFrame([[5, 0x1000000]])),
  'settings push 2': of(settingsFrame([[2, 2]]) + get()),
  'settings push 1': of(settingsFrame([[2, 1]]) + get()),
  'settings table 0': of(settingsFrame([[1, 0]]) + get()),
  'settings unknown': of(settingsFrame([[99, 1]]) + get()),
  'frame too large': of(frame(DATA, 0, 1, 'x'.repeat(16385))),
  'no settings': { send: PREFACE + get() },
  'bad preface': { send: 'PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n' },
  'preface in parts': { send: [PREFACE.slice(0, 5), PREFACE.slice(5) + settingsFrame([]) + SETTINGS_ACK + get()] },
  'index bad': of(frame(HEADERS, WHOLE, 1, '\xff\x7f')),
  'huffman bad': of(frame(HEADERS, WHOLE, 1, `${block(pseudo())}\x00\x81\xff\x01a`)),
  'table size': of(frame(HEADERS, WHOLE, 1, `\x20${block(pseudo())}`)),
  'table size behind': of(frame(HEADERS, WHOLE, 1, `${block(pseudo())}\x20`)),
  'table size large': of(frame(HEADERS, WHOLE, 1, `\x3f\xff\x7f${block(pseudo())}`)),
  'indexed fields': of(
    frame(HEADERS, WHOLE, 1, `${block(pseudo())}\x40\x01x\x01y`) + frame(HEADERS, WHOLE, 3, `${block(pseudo())}\xbe`),
  ),
  'many streams': of(Array.from({ length: 20 }, (_, n) => get('/a.txt', [], n * 2 + 1)).join('')),
  'too many streams': of(
    Array.from({ length: 6 }, (_, n) => post('/back/x', [], n * 2 + 1)).join('') + data('x', true, 1),
    Array.from({ length: 5 }, (_, n) => data('x', true, n * 2 + 3)).join(''),
  ),
  '444': of(get('/444'), get('/vars', [], 3)),
  '444 beside': of(get('/444') + get('/vars', [], 3)),
  '408': of(get('/408'), get('/vars', [], 3)),
  'self-dependency late': of(get(), frame(PRIORITY, 0, 1, u32(1) + '\x10')),
}

const kept: Readonly<Record<string, Case>> = {
  one: of(get()),
  two: of(get() + get('/vars', [], 3)),
  three: of(get() + get('/vars', [], 3) + get('/vars', [], 5)),
  'three late': of(get(), get('/vars', [], 3), get('/vars', [], 5)),
  'one with a body': of(post('/back/x') + data('x'), get('/vars', [], 3), get('/vars', [], 5)),
  'refused ones': of(head(heads['no path']!), head(heads['no path']!, 3), head(heads['no path']!, 5)),
  'body late': of(post('/back/x') + post('/back/x', [], 3), data('x', true, 3), data('x', true, 1)),
}

const reply = (fields: readonly string[], body = 'ok', status = '200 OK'): Answer => ({
  send: [`HTTP/1.1 ${status}`, ...fields, `Content-Length: ${body.length}`, '', body].join('\r\n'),
})
const raw = (send: string, after?: 'close' | 'reset'): Answer => (after === undefined ? { send } : { send, after })
const answers: Readonly<Record<string, Answer>> = {
  plain: reply([]),
  upper: reply(['X-UPPER: a', 'x_under: b', 'X.Dot: c']),
  hop: reply([
    'Connection: keep-alive, x-hop',
    'Keep-Alive: timeout=1',
    'X-Hop: y',
    'Proxy-Connection: z',
    'Upgrade: h2c',
    'TE: trailers',
    'Trailer: x',
  ]),
  'proxy authenticate': reply(['Proxy-Authenticate: Basic'], '', '407 P'),
  cookies: reply(['Set-Cookie: a=1', 'Set-Cookie: b=2; Path=/']),
  'empty value': reply(['X-E:', 'X-S:   spaced  ']),
  'odd bytes': reply(['X-O: \xe9\x80', 'X-T: a\tb']),
  'refresh location': reply(['Location: http://127.0.0.1:%%PORT_6%%/x', 'Refresh: 1; url=/x'], '', '302 F'),
  'relative location': reply(['Location: /y'], '', '301 M'),
  'early hints': raw(
    'HTTP/1.1 103 Early\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  ),
  '100': raw('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
  '101': raw('HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', 'close'),
  '204': raw('HTTP/1.1 204 N\r\n\r\n'),
  '205': reply([], '', '205 R'),
  '304': raw('HTTP/1.1 304 N\r\nETag: "a"\r\n\r\n'),
  '999': reply([], 'ok', '999 N'),
  '600 no reason': reply([], 'ok', '600'),
  trailers: raw(
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: t\r\nX-U: u\r\n\r\n',
  ),
  'trailers behind nothing': raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: t\r\n\r\n'),
  chunked: raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
  closed: raw('HTTP/1.1 200 OK\r\n\r\nok', 'close'),
  'closed empty': raw('HTTP/1.1 200 OK\r\n\r\n', 'close'),
  cut: raw('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok', 'close'),
  'cut chunked': raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n', 'close'),
  reset: raw('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok', 'reset'),
  nothing: raw('', 'close'),
  'too much': raw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore'),
  'not http': raw('x\r\n\r\n', 'close'),
  'large field': reply([`X-L: ${'l'.repeat(3500)}`]),
  'many fields': reply(Array.from({ length: 60 }, (_, n) => `X-${n}: ${'v'.repeat(20)}`)),
  'large head': reply(Array.from({ length: 30 }, (_, n) => `X-${n}: ${'v'.repeat(100)}`)),
  large: reply([], 'z'.repeat(40000)),
  'large chunks': raw(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9c40\r\n${'z'.repeat(40000)}\r\n0\r\n\r\n`),
  accel: reply(['X-Accel-Redirect: /a.txt']),
  '500': reply([], 'oh', '500 I'),
  'server and date': reply(['Server: s', 'Date: Thu, 01 Jan 2015 00:00:01 GMT', 'X-Powered-By: p']),
  'two lengths': raw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'),
  'field status': reply([':status: 500', 'Status: 404']),
}
const answerCases: Record<string, Case> = {}
for (const [name, one] of Object.entries(answers)) {
  for (const path of ['/back/x', '/unbuffered/x', '/trail/x', '/hints/x', '/back2/x']) {
    answerCases[`${path} <- ${name}`] = { ...of(get(path)), answers: [one] }
    answerCases[`HEAD ${path} <- ${name}`] = { ...of(head(pseudo(path, 'HEAD'))), answers: [one] }
  }
}

const VARS =
  'm=$request_method r=$request u=$uri ru=$request_uri h=$host hh=$http_host p=$server_protocol s=$scheme n=$server_name c=$http_cookie te=$http_te x=$http_x cl=$content_length http2=$http2 ck=$cookie_a ff=$http_x_forwarded_for cn=$connection_requests rb=$request_body up=$http_upgrade co=$http_connection sp=$request_port ire=$is_request_port'

const http = `
server { listen 127.0.0.1:%%PORT_0%% default_server; http2 on; server_name h; root %%DIR%%/www; error_log %%DIR%%/error.log info; client_header_buffer_size 1k; large_client_header_buffers 4 8k; http2_max_concurrent_streams 100;
location /vars { return 200 "${VARS.replace(/ (?:sp|ire)=\S+/g, '')}\\n"; }
location / { } location /444 { return 444; } location /408 { return 408; }
location /back/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_set_header Host $http_host; proxy_set_header Cookie $http_cookie; }
location /back2/ { proxy_pass http://127.0.0.1:%%PORT_6%%/; proxy_intercept_errors on; error_page 500 502 /a.txt; add_header X-A a always; add_header x-b "$upstream_status" always; add_trailer T-T "$upstream_status"; }
location /stream/ { proxy_request_buffering off; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
location /unbuffered/ { proxy_buffering off; proxy_pass http://127.0.0.1:%%PORT_6%%/; } location /trail/ { proxy_pass_trailers on; proxy_set_header TE "trailers"; proxy_set_header Connection "TE"; proxy_pass http://127.0.0.1:%%PORT_6%%/; } location /hints/ { early_hints 1; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
location /limit/ { client_max_body_size 4; proxy_pass http://127.0.0.1:%%PORT_6%%/; } location /limits/ { client_max_body_size 4; alias %%DIR%%/www/; } location /nobody/ { proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
location /wait/ { proxy_set_header B "$request_body"; client_body_buffer_size 3; client_body_in_single_buffer on; proxy_pass http://127.0.0.1:%%PORT_6%%/; } location /in-file/ { client_body_in_file_only clean; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
location /auth/ { auth_request /back/auth; alias %%DIR%%/www/; }
}
server { listen 127.0.0.1:%%PORT_0%%; server_name other; location / { return 200 "other $host\\n"; } }`

const files = { 'www/a.txt': '0123456789', 'www/index.html': 'index' }

/** With other settings for all that speaks HTTP/2. */
const otherHttp = http.replaceAll(
  'http2 on;',
  'http2 on; http2_chunk_size 1k; http2_body_preread_size 40k; absolute_redirect off; underscores_in_headers on; ignore_invalid_headers off; merge_slashes off; lingering_close always; reset_timedout_connection on; server_name_in_redirect on; client_body_buffer_size 1k; error_page 404 405 408 /a.txt;',
)

const groups: readonly Group[] = [
  { name: 'http2: heads', http, files, cases: headCases },
  { name: 'http2: bodies', http, files, cases: bodyCases },
  { name: 'http2: frames', http, files, cases: frames },
  { name: 'http2: answers', http, files, cases: answerCases },
  {
    name: 'http2: concurrent',
    http: http.replaceAll('http2_max_concurrent_streams 100', 'http2_max_concurrent_streams 2'),
    files,
    cases: { 'too many streams': frames['too many streams']!, many: frames['many streams']! },
  },
  {
    name: 'http2: kept for 2',
    http: http.replaceAll('http2 on;', 'http2 on; keepalive_requests 2;'),
    files,
    cases: kept,
  },
  {
    name: 'http2: kept for no time',
    http: http.replaceAll('http2 on;', 'http2 on; keepalive_timeout 0;'),
    files,
    cases: kept,
  },
  {
    name: 'http2: kept by age',
    http: http.replaceAll('http2 on;', 'http2 on; keepalive_time 1ms;'),
    files,
    cases: kept,
  },
  { name: 'http2: chunk heads', http: otherHttp, files, cases: headCases },
  {
    name: 'http2: chunk bodies',
    http: otherHttp,
    files,
    cases: Object.fromEntries(Object.entries(bodyCases).filter((_, n) => n % 3 === 0)),
  },
]

/** What is asked over HTTP/2 only. */
export const http2Groups: readonly Group[] = groups.map((group) => ({ ...group, http2: true }))
