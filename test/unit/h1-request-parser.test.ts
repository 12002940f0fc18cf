/** The request parser: results on sound heads, codes on others, limits, and independence of how the bytes arrive. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RequestParser } from '../../src/http/h1/request-parser.ts'
import { hashName } from '../../src/http/message/field-names.ts'
import { REQUEST_LIMITS, type RequestLimits } from '../../src/http/message/head-limits.ts'
import { CONNECT, methodBit, methodName, UNKNOWN } from '../../src/http/message/method.ts'
import * as errors from '../../src/http/message/request-errors.ts'
import { atEveryCut, feed } from './h1-cuts.ts'

interface Seen {
  code: number
  method: string
  target: string
  version: number
  host: string
  port: number
  fields: string[]
  length: number
  body: number
  chunked: boolean
  keepAlive: boolean
}

const parser = new RequestParser()

function read(pieces: readonly Buffer[], limits: RequestLimits = REQUEST_LIMITS): Seen {
  parser.limits = limits
  parser.reset()
  const code = feed(pieces, (buffer, start, end) => parser.parse(buffer, start, end))
  const { headers, facts } = parser
  const fields: string[] = []
  for (let i = 0; i < headers.count; i++) fields.push(`${headers.name(i)}=${headers.value(i)}`)
  if (code !== errors.DONE) fields.length = 0
  return {
    code,
    method: code === errors.DONE ? parser.method : '',
    target: code === errors.DONE ? parser.target : '',
    version: parser.version,
    host: facts.host,
    port: facts.port,
    fields,
    length: code === errors.DONE ? parser.headLength : 0,
    body: facts.contentLength,
    chunked: facts.chunked,
    keepAlive: parser.keepAlive,
  }
}

function parse(text: string, limits: RequestLimits = REQUEST_LIMITS): Seen {
  return atEveryCut(text, (pieces) => read(pieces, limits))
}

test('reads an ordinary request', () => {
  const head = 'GET /a?b HTTP/1.1\r\nHost: Example.COM:8080\r\nX-Long:   two words  \r\nEmpty:\r\n\r\n'
  const seen = parse(head + 'GET /next')
  assert.deepEqual(seen, {
    code: errors.DONE,
    method: 'GET',
    target: '/a?b',
    version: 1001,
    host: 'example.com',
    port: 8080,
    fields: ['Host=Example.COM:8080', 'X-Long=two words', 'Empty='],
    length: head.length,
    body: -1,
    chunked: false,
    keepAlive: true,
  })
  assert.equal(parser.requestLine, 'GET /a?b HTTP/1.1')
})

test('skips empty lines before the request and takes bare LF as line end', () => {
  const seen = parse('\r\n\n\r\nGET / HTTP/1.0\nConnection: Keep-Alive\nA: b\r\n\n')
  assert.equal(seen.code, errors.DONE)
  assert.deepEqual(seen.fields, ['Connection=Keep-Alive', 'A=b'])
  assert.equal(seen.keepAlive, true)
  assert.equal(parser.requestLine, 'GET / HTTP/1.0')
})

test('knows every method by its bit and keeps the text of others', () => {
  for (const name of [
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'DELETE',
    'MKCOL',
    'COPY',
    'MOVE',
    'OPTIONS',
    'PROPFIND',
    'PATCH',
  ]) {
    assert.equal(parse(`${name} / HTTP/1.0\r\n\r\n`).method, name)
    assert.equal(parser.line.method, methodBit(name))
    assert.equal(methodName(methodBit(name)), name)
  }
  for (const name of ['G', 'GETS', 'M-SEARCH', 'X_Y', 'POSU', 'VERYLONGMETHODNAME']) {
    assert.equal(parse(`${name} / HTTP/1.0\r\n\r\n`).method, name)
    assert.equal(parser.line.method, UNKNOWN)
  }
})

const targets: [target: string, path: string, complex: boolean, args: number, host: string][] = [
  ['/', '/', false, -1, ''],
  ['/a.b/c-d_e~f', '/a.b/c-d_e~f', false, -1, ''],
  ['/a/?x=/../%', '/a/?x=/../%', false, 4, ''],
  ['/a?b#c', '/a?b#c', true, 3, ''],
  ['/a/./b', '/a/./b', true, -1, ''],
  ['/a//b', '/a//b', true, -1, ''],
  ['/%61', '/%61', true, -1, ''],
  ['/a#b', '/a#b', true, -1, ''],
  ['/+a/+.', '/+a/+.', false, -1, ''],
  ['/\xe9', '/\xe9', false, -1, ''],
  ['http://Host.Example/p', '/p', false, -1, 'host.example'],
  ['HTTPS://h:81', '/', false, -1, 'h'],
  ['http://h?q', '?q', true, 10, 'h'],
  ['http://[::1]:80/', '/', false, -1, '[::1]'],
  ['a+b-c.d://h/', '/', false, -1, 'h'],
]
for (const [target, path, complex, args, host] of targets) {
  test(`takes the target ${target}`, () => {
    const seen = parse(`GET ${target} HTTP/1.0\r\n\r\n`)
    assert.equal(seen.code, errors.DONE)
    assert.equal(seen.target, path)
    assert.equal(seen.host, host)
    assert.equal(parser.line.complex, complex)
    if (!complex) assert.equal(parser.line.argsStart, args < 0 ? -1 : args + 4)
  })
}

test('takes host from an absolute target even when Host differs', () => {
  const seen = parse('GET http://one:1/ HTTP/1.1\r\nHost: two:2\r\n\r\n')
  assert.deepEqual([seen.code, seen.host, seen.port], [errors.DONE, 'one', 1])
})

test('takes an authority for CONNECT, which needs HTTP/1.1 and leave', () => {
  const seen = parse('CONNECT Example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n')
  assert.deepEqual([seen.code, seen.host, seen.port, seen.target], [errors.DONE, 'example.com', 443, '/'])
  assert.equal(parser.line.method, CONNECT)
  assert.equal(parser.checkConnect(true), errors.DONE)
  assert.equal(parser.checkConnect(false), errors.CONNECT_REFUSED)
  parse('CONNECT example.com:443 HTTP/1.0\r\n\r\n')
  assert.equal(parser.checkConnect(true), errors.CONNECT_REFUSED)
  parse('CONNECT h:1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n')
  assert.equal(parser.checkConnect(true), errors.CONNECT_WITH_BODY)
  parse('GET / HTTP/1.0\r\n\r\n')
  assert.equal(parser.checkConnect(false), errors.DONE)
})

test('takes an HTTP/0.9 request, whose head is its first line', () => {
  for (const line of ['GET /x\r\n', 'GET /x \n']) {
    const seen = parse(line)
    assert.deepEqual([seen.code, seen.version, seen.target, seen.length], [errors.DONE, 9, '/x', line.length])
    assert.equal(seen.keepAlive, false)
  }
})

test('takes later minor versions and spaces where nginx does', () => {
  const seen = parse('GET   /   HTTP/1.12  \r\nHost: h\r\n\r\n')
  assert.deepEqual([seen.code, seen.version, seen.target], [errors.DONE, 1012, '/'])
})

const refused: [line: string, code: number][] = [
  ['get / HTTP/1.1\r\n', errors.INVALID_METHOD],
  ['\x16\x03\x01', errors.INVALID_METHOD],
  ['GE\rT / HTTP/1.1\r\n', errors.INVALID_METHOD],
  ['GET\t/ HTTP/1.1\r\n', errors.INVALID_METHOD],
  ['GET * HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['OPTIONS * HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET a HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET http:/a HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET http://a_b/ HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET http://u@h/ HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET http://[::1/ HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET http:///a HTTP/1.0\r\n\r\n', errors.INVALID_TARGET_HOST],
  ['GET http://a..b/ HTTP/1.0\r\n\r\n', errors.INVALID_TARGET_HOST],
  ['GET http://a:99999/ HTTP/1.0\r\n\r\n', errors.INVALID_TARGET_HOST],
  ['GET /\x01 HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET /\x00 HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET /?\x7f HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET /a\tb HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET / X HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['GET / http/1.1\r\n', errors.INVALID_REQUEST],
  ['GET / HTTPS/1.1\r\n', errors.INVALID_REQUEST],
  ['GET / HTTP/0.9\r\n', errors.INVALID_REQUEST],
  ['GET / HTTP/1\r\n', errors.INVALID_REQUEST],
  ['GET / HTTP/1.\r\n', errors.INVALID_REQUEST],
  ['GET / HTTP/1.1 x\r\n', errors.INVALID_REQUEST],
  ['GET / HTTP/1.1\rX', errors.INVALID_REQUEST],
  ['GET / HTTP/1.1000\r\n', errors.INVALID_REQUEST],
  ['GET / HTTP/2.0\r\n', errors.INVALID_VERSION],
  ['GET / HTTP/11.0\r\n', errors.INVALID_VERSION],
  ['POST /\r\n', errors.INVALID_09_METHOD],
  ['CONNECT h HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['CONNECT h: HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['CONNECT h:1/ HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['CONNECT http://h:1 HTTP/1.1\r\n', errors.INVALID_REQUEST],
  ['CONNECT :1 HTTP/1.1\r\nHost: h\r\n\r\n', errors.INVALID_TARGET_HOST],
  ['TRACE / HTTP/1.0\r\n\r\n', errors.TRACE_REFUSED],
]
for (const [line, code] of refused) {
  test(`refuses ${JSON.stringify(line)}`, () => {
    assert.equal(parse(line).code, code)
    assert.notEqual(parser.logMessage(), '')
    assert.ok(errors.REQUEST_ERRORS[code]!.status >= 400)
  })
}

test('leaves out odd names, or keeps them, as configured', () => {
  const head = 'GET / HTTP/1.0\r\nx_y: 1\r\na.b: 2\r\n_z: 3\r\nok: 4\r\n\r\n'
  assert.deepEqual(parse(head).fields, ['ok=4'])
  assert.deepEqual(
    [0, 2, 4].map((i) => parser.headers.text.slice(parser.lines.dropped[i], parser.lines.dropped[i + 1])),
    ['x_y: 1', 'a.b: 2', '_z: 3'],
  )
  assert.deepEqual(parse(head, { ...REQUEST_LIMITS, underscores: true }).fields, ['x_y=1', '_z=3', 'ok=4'])
  assert.deepEqual(parse(head, { ...REQUEST_LIMITS, dropInvalid: false }).fields, ['x_y=1', 'a.b=2', '_z=3', 'ok=4'])
})

test('tells lines that can be copied from those that cannot', () => {
  parse('GET / HTTP/1.0\r\nA: 1\r\nB: 2\r\n\r\n')
  const { headers } = parser
  assert.equal(parser.lines.canonical, true)
  assert.equal(headers.lineEnd(0), headers.lineStart(1))
  assert.equal(headers.text.slice(headers.lineStart(0), headers.lineEnd(1)), 'A: 1\r\nB: 2\r\n')
  for (const line of ['A:1\r\n', 'A:  1\r\n', 'A: 1 \r\n', 'A: 1\n', 'A: 1 \n', 'A:\r\n']) {
    parse(`GET / HTTP/1.0\r\n${line}\r\n`)
    assert.equal(parser.lines.canonical, false, JSON.stringify(line))
    assert.equal(parser.headers.canonical(0), false)
  }
})

test('takes body length, expectation and connection from the fields', () => {
  const seen = parse(
    'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nExpect: 100-Continue\r\nConnection: x, Close\r\n\r\n',
  )
  assert.deepEqual([seen.code, seen.body, seen.chunked, seen.keepAlive], [errors.DONE, 12, false, false])
  assert.equal(parser.facts.expectContinue, true)
  const upgrade = parse('GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\nUpgrade: b\r\n\r\n')
  assert.deepEqual([upgrade.code, upgrade.keepAlive, parser.facts.upgradeIndex], [errors.DONE, true, 2])
  assert.equal(parse('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n').chunked, true)
})

test('takes once the fields that nginx takes once, and others as often as they come', () => {
  const unique = [
    'If-Modified-Since',
    'If-Unmodified-Since',
    'If-Match',
    'If-None-Match',
    'Content-Range',
    'If-Range',
    'Authorization',
    'Proxy-Authorization',
    'Expect',
    'Content-Length',
    'Transfer-Encoding',
  ]
  for (const name of unique) {
    assert.equal(parse(`GET / HTTP/1.0\r\n${name}: 1\r\n${name.toUpperCase()}: 1\r\n\r\n`).code, errors.DUPLICATE_FIELD)
  }
  for (const name of ['Accept', 'Cookie', 'Connection', 'Upgrade', 'Range', 'X-Forwarded-For']) {
    assert.equal(parse(`GET / HTTP/1.0\r\n${name}: 1\r\n${name}: 1\r\n\r\n`).code, errors.DONE)
  }
})

test('splits the target without a second scan', () => {
  const parts = { uri: '', args: '' }
  for (const [target, uri, args] of [
    ['/a', '/a', ''],
    ['/a?', '/a', ''],
    ['/a?b', '/a', 'b'],
    ['/%41//?b', '/A/', 'b'],
    ['http://h?b', '/', 'b'],
    ['http://h', '/', ''],
  ] as const) {
    parse(`GET ${target} HTTP/1.0\r\n\r\n`)
    assert.equal(parser.splitTarget(true, parts), true)
    assert.deepEqual(parts, { uri, args })
  }
  parse('GET /.. HTTP/1.0\r\n\r\n')
  assert.equal(parser.splitTarget(true, parts), false)
  parse('CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n')
  assert.equal(parser.splitTarget(true, parts), true)
  assert.deepEqual(parts, { uri: '/', args: '' })
})

test('forgets one request before the next', () => {
  parse('POST http://a:1/ HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\nConnection: close\r\nUpgrade: x\r\n\r\n')
  const seen = parse('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
  assert.deepEqual([seen.host, seen.port, seen.body, seen.keepAlive], ['', 0, -1, true])
  assert.equal(parser.facts.upgradeIndex, -1)
})

const small: RequestLimits = { ...REQUEST_LIMITS, firstBufferSize: 64, bufferSize: 128, bufferCount: 2, countMax: 5 }

test('limits the request line to one large buffer', () => {
  const line = (length: number): string => `GET /${'a'.repeat(length - 16)} HTTP/1.0\r\n`
  assert.equal(line(128).length, 128)
  assert.equal(parse(`${line(128)}\r\n`, small).code, errors.DONE)
  assert.equal(parse(`${line(129)}\r\n`, small).code, errors.URI_TOO_LONG)
  assert.equal(parse('GET /'.padEnd(200, 'a'), small).code, errors.URI_TOO_LONG)
  assert.equal(parse(`${'\r\n'.repeat(60)}GET / HTTP/1.0\r\n\r\n`, small).code, errors.DONE)
  assert.equal(parse('\r\n'.repeat(65), small).code, errors.INVALID_REQUEST)
  assert.equal(errors.REQUEST_ERRORS[errors.URI_TOO_LONG]!.status, 414)
})

test('limits a field line to one large buffer', () => {
  const field = (length: number): string => `A: ${'a'.repeat(length - 5)}\r\n`
  assert.equal(parse(`GET / HTTP/1.0\r\n${field(128)}\r\n`, small).code, errors.DONE)
  assert.equal(parse(`GET / HTTP/1.0\r\n${field(129)}\r\n`, small).code, errors.FIELD_TOO_LONG)
  assert.equal(parse(`GET / HTTP/1.0\r\nA: ${'a'.repeat(300)}`, small).code, errors.FIELD_TOO_LONG)
  assert.match(parser.logMessage(), /^client sent too long header line: "A: \.\.\./)
  assert.equal(parse(`GET / HTTP/1.0\r\n${'n'.repeat(300)}`, small).code, errors.FIELD_TOO_LONG)
  assert.equal(errors.REQUEST_ERRORS[errors.FIELD_TOO_LONG]!.status, 494)
})

test('limits the head to the number of large buffers', () => {
  const field = `A: ${'a'.repeat(95)}\r\n` // 100 bytes: one to a buffer
  assert.equal(parse(`GET / HTTP/1.0\r\n${field.repeat(2)}\r\n`, small).code, errors.DONE)
  assert.equal(parse(`GET / HTTP/1.0\r\n${field.repeat(3)}\r\n`, small).code, errors.FIELD_TOO_LONG)
  const long = `GET /${'a'.repeat(84)} HTTP/1.0\r\n` // takes the first large buffer
  assert.equal(parse(`${long}${field}\r\n`, small).code, errors.DONE)
  assert.equal(parse(`${long}${field.repeat(2)}\r\n`, small).code, errors.FIELD_TOO_LONG)
})

test('limits the number of lines, not counting those left out', () => {
  const lines = (count: number): string => `GET / HTTP/1.0\r\n${'a: b\r\n'.repeat(count)}\r\n`
  const limits = { ...small, firstBufferSize: 1024 }
  assert.equal(parse(lines(5), limits).code, errors.DONE)
  assert.equal(parse(lines(6), limits).code, errors.TOO_MANY_FIELDS)
  assert.equal(parse(`GET / HTTP/1.0\r\n${'a_b: c\r\n'.repeat(9)}\r\n`, limits).code, errors.DONE)
})

test('keeps more fields than the table has room for at first', () => {
  const lines = Array.from({ length: 300 }, (_, i) => `N${i}: ${i}\r\n`).join('')
  parser.limits = REQUEST_LIMITS
  const seen = read([Buffer.from(`GET / HTTP/1.0\r\n${lines}\r\n`)])
  assert.equal(seen.fields.length, 300)
  assert.equal(seen.fields[299], 'N299=299')
})

test('puts the detail into the log message', () => {
  read([Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')])
  assert.equal(parser.logMessage(), 'client sent duplicate host header: "Host: b", previous value: "Host: a"')
  read([Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n')])
  assert.equal(parser.logMessage(), 'client sent unknown "Transfer-Encoding": "gzip"')
  read([Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n')])
  assert.equal(
    parser.logMessage(),
    'client sent duplicate header line: "Transfer-Encoding: x", previous value: "Transfer-Encoding: chunked"',
  )
  read([Buffer.from('GET / HTTP/1.1\r\nfoo\x02: x\r\n\r\n')])
  assert.equal(parser.logMessage(), 'client sent invalid header line: "foo\\x02..."')
  assert.equal(parser.requestLine, 'GET / HTTP/1.1')
})

test('a name with the hash of a framing field is not that field', () => {
  for (const [name, other] of [
    ['content-length', 'cop6ent-length'],
    ['transfer-encoding', 'v4ansfer-encoding'],
    ['host', 'hq5t'],
  ] as const) {
    assert.equal(hashName(name), hashName(other))
    const seen = parse(`GET / HTTP/1.1\r\nHost: h\r\n${other}: 5\r\n\r\n`)
    assert.deepEqual([seen.code, seen.body, seen.host], [errors.DONE, -1, 'h'])
  }
})
