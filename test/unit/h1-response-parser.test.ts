/** The response parser: results, errors with nginx's words, the size limit, and independence of how the bytes arrive. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as response from '../../src/http/h1/response-parser.ts'
import { DONE, NEED_MORE } from '../../src/http/message/request-errors.ts'
import { atEveryCut, feed } from './h1-cuts.ts'

const parser = new response.ResponseParser()

function read(pieces: readonly Buffer[], sizeMax: number) {
  parser.reset(sizeMax)
  const code = feed(pieces, (buffer, start, end) => parser.parse(buffer, start, end))
  const fields: string[] = []
  if (code !== DONE) return { code, message: code === NEED_MORE ? '' : parser.logMessage() }
  for (let i = 0; i < parser.headers.count; i++) fields.push(`${parser.headers.name(i)}=${parser.headers.value(i)}`)
  const { statusText, version, headLength, contentLength, chunked, close, keepAlive } = parser
  return { code, statusText, version, headLength, contentLength, chunked, close, keepAlive, fields }
}

function parse(text: string, sizeMax = 4096) {
  return atEveryCut(text, (pieces) => read(pieces, sizeMax))
}

test('reads an ordinary answer and leaves the body alone', () => {
  const head = 'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\n'
  assert.deepEqual(parse(`${head}body`), {
    code: DONE,
    statusText: '200 OK',
    version: 1001,
    headLength: head.length,
    contentLength: 4,
    chunked: false,
    close: false,
    keepAlive: true,
    fields: ['Server=x', 'Content-Length=4', 'Connection=keep-alive'],
  })
  assert.equal(parser.status, 200)
})

const statusLines: [line: string, status: number, text: string][] = [
  ['HTTP/1.0 404 Not Found\r\n', 404, '404 Not Found'],
  ['HTTP/1.1 200\r\n', 200, '200'],
  ['HTTP/1.1 200 \r\n', 200, '200 '],
  ['HTTP/1.1  200 OK\n', 200, '200 OK'],
  ['HTTP/1.1 403.1 Forbidden\r\n', 403, '403.1 Forbidden'],
  ['HTTP/1.1 200 \xfc \x07 :\r\n', 200, '200 \xfc \x07 :'],
  ['HTTP/2.0 200 OK\r\n', 200, '200 OK'],
  ['HTTP/1.1 101 Switching Protocols\r\n', 101, '101 Switching Protocols'],
]
for (const [line, status, text] of statusLines) {
  test(`takes the status line ${JSON.stringify(line)}`, () => {
    const seen = parse(`${line}\r\n`)
    assert.equal(seen.code, DONE)
    assert.equal(seen.statusText, text)
    assert.equal(parser.status, status)
  })
}

for (const line of [
  'hello',
  'HTTX',
  'HTTP/0.9 200',
  'HTTP/1 200',
  'HTTP/1.1\r\n',
  'HTTP/1.1 2x0',
  'HTTP/1.1 2000 ',
  'HTTP/1.1 000 Nothing',
  'HTTP/1.1 099 Nothing',
  'HTTP/1.1 2 00 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 200 OK\rX',
]) {
  test(`tells ${JSON.stringify(line)} from a status line`, () => {
    assert.deepEqual(parse(line), {
      code: response.NO_STATUS_LINE,
      message: 'upstream sent no valid HTTP/1.0 header',
    })
  })
}

test('is lenient where nginx is: bare LF, odd names, a repeated status line, control bytes, no colon', () => {
  const seen = parse('HTTP/1.1 200 OK\nX_y@: a\nHTTP/1.1 200 OK\r\nA: b\x07c\nalone\nalone2\r\nB:d\n\n')
  assert.deepEqual(seen.fields, ['X_y@=a', 'A=b\x07c', 'alone=', 'alone2=', 'B=d'])
})

test('takes framing, and closes after HTTP/1.0', () => {
  assert.equal(parse('HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\n').chunked, true)
  assert.equal(parse('HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\n\r\n').close, true)
  const old = parse('HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nUpgrade: a\r\n\r\n')
  assert.deepEqual([old.close, old.keepAlive, parser.upgradeIndex], [true, true, 1])
  const both = parse('HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n')
  assert.deepEqual([both.close, both.keepAlive], [true, false])
})

test('reads an interim response as a head of its own and keeps its fields out of the framing', () => {
  const first = 'HTTP/1.1 103 \r\nContent-Length: x\r\nLink: </a>\r\n\r\n'
  const buffer = Buffer.from(`${first}HTTP/1.1 200 OK\r\n\r\n`)
  parser.reset(4096)
  assert.equal(parser.parse(buffer, 0, buffer.length), DONE)
  assert.deepEqual([parser.status, parser.headLength], [103, first.length])
  parser.reset(4096)
  assert.equal(parser.parse(buffer, first.length, buffer.length), DONE)
  assert.equal(parser.status, 200)
})

const HEAD = 'HTTP/1.1 200 OK\r\n'
const refused: [text: string, code: number, message: string][] = [
  [`${HEAD} a: b\r\n\r\n`, response.BAD_FIELD, 'upstream sent invalid header: "\\x20..."'],
  [`${HEAD}:b\r\n\r\n`, response.BAD_FIELD, 'upstream sent invalid header: "\\x3a..."'],
  [`${HEAD}a b: c\r\n\r\n`, response.BAD_FIELD, 'upstream sent invalid header: "a\\x20..."'],
  [`${HEAD}a: b\0c\r\n\r\n`, response.BAD_FIELD, 'upstream sent invalid header: "a: ...\\x00..."'],
  [`${HEAD}a: b\rc\r\n\r\n`, response.BAD_FIELD, 'upstream sent invalid header: "a: ...\\x63..."'],
  [
    `${HEAD}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`,
    response.REPEATED_FRAMING,
    'upstream sent duplicate header line: "Content-Length: 1", previous value: "Content-Length: 1"',
  ],
  [
    `${HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
    response.REPEATED_FRAMING,
    'upstream sent duplicate header line: "Transfer-Encoding: chunked", previous value: "Transfer-Encoding: chunked"',
  ],
  [
    `${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    response.LENGTH_WITH_CODING,
    'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time',
  ],
  [
    `${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n`,
    response.LENGTH_WITH_CODING,
    'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time',
  ],
  [
    `${HEAD}Content-Length: 1\r\nTransfer-Encoding: identity\r\n\r\n`,
    response.LENGTH_WITH_CODING,
    'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time',
  ],
  [
    `${HEAD}Content-Length: -1\r\n\r\n`,
    response.BAD_LENGTH,
    'upstream sent invalid "Content-Length" header: "Content-Length: -1"',
  ],
  [
    `${HEAD}Content-Length:\r\n\r\n`,
    response.BAD_LENGTH,
    'upstream sent invalid "Content-Length" header: "Content-Length: "',
  ],
  [
    `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n`,
    response.BAD_CODING,
    'upstream sent unknown "Transfer-Encoding": "gzip, chunked"',
  ],
  ['HTTP/1.0 103 x\r\nA: b\r\n\r\n', response.HINTS_IN_HTTP10, 'upstream sent HTTP/1.0 response with early hints'],
]
for (const [text, code, message] of refused) {
  test(`refuses ${JSON.stringify(text.slice(HEAD.length))}`, () => assert.deepEqual(parse(text), { code, message }))
}

test('limits the head to the given size', () => {
  const head = `${HEAD}A: b\r\n\r\n`
  assert.equal(parse(head, head.length).code, DONE)
  for (const size of [head.length - 1, head.length - 2, head.length - 3, 20, 10, 1]) {
    const seen = parse(head, size)
    assert.deepEqual(seen, { code: response.HEAD_TOO_BIG, message: 'upstream sent too big header' })
  }
  assert.equal(parse('HTTP/1.1 200 ', 100).code, NEED_MORE)
})
