/** The readers of FastCGI, uwsgi and SCGI answers: what they find does not depend on how the bytes arrive. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BODY_BROKEN, type Codec, HEAD_DONE, HEAD_INVALID, HEAD_MORE } from '../../src/http/exchange/codec.ts'
import { SCGI, UWSGI } from '../../src/http/exchange/codecs/cgi.ts'
import { FASTCGI } from '../../src/http/exchange/codecs/fastcgi.ts'
import { FastcgiParams, isKept, paramOf } from '../../src/http/exchange/codecs/fastcgi-record.ts'
import type { Request } from '../../src/http/request/request.ts'
import { answer, END_OF_REQUEST, record, STDERR, STDOUT } from '../harness/fastcgi-peer.ts'
import { atEveryCut } from './h1-cuts.ts'

/** What codecs ask of a request. */
function request(method = 'GET'): Request {
  const r = { method, facts: { upgradeIndex: -1 }, location: { get: () => [] }, logError() {} }
  return r as unknown as Request
}

/** Reads an answer in pieces, as an exchange does; the connection then ends. */
function read(codec: Codec, pieces: readonly Buffer[], sent: string, method = 'GET') {
  codec.begin(request(method), sent, 4096)
  let partial = Buffer.alloc(0)
  let body = ''
  let inBody = false
  let left = ''
  const receiver = {
    onBody: (bytes: Uint8Array, start: number, end: number) =>
      void (body += Buffer.from(bytes).toString('latin1', start, end)),
    onTrailer() {},
    onTrailerText() {},
  }
  const decode = (buffer: Buffer, start: number): boolean => {
    if (codec.bodyDone || start === buffer.length) {
      left += buffer.toString('latin1', start)
      return true
    }
    const at = codec.decodeBody(buffer, start, buffer.length, receiver)
    if (at === BODY_BROKEN) return false
    left += buffer.toString('latin1', at)
    return true
  }
  for (const piece of pieces) {
    // A copy: codecs move bytes within the buffer.
    const bytes = Buffer.from(piece)
    if (inBody) {
      if (!decode(bytes, 0)) return { broken: codec.problem, body }
      continue
    }
    const buffer = partial.length === 0 ? bytes : Buffer.concat([partial, bytes])
    const code = buffer.length === 0 ? HEAD_MORE : codec.parseHead(buffer, 0, buffer.length)
    if (code === HEAD_INVALID) return { invalid: codec.problem }
    if (code === HEAD_MORE && codec.takesHead !== true) partial = buffer
    if (code !== HEAD_DONE) continue
    inBody = true
    if (!decode(buffer, codec.headLength)) return { broken: codec.problem, body }
  }
  if (!inBody) return { unfinished: true }
  const complete = codec.bodyDone || codec.endsWithConnection
  return {
    status: codec.status,
    text: codec.statusText,
    length: codec.contentLength,
    body,
    complete,
    extra: left !== '',
  }
}

const KEPT = new FastcgiParams().finish(true)
const CLOSED = new FastcgiParams().finish(false)
const fastcgi = FASTCGI.newCodec()
const uwsgi = UWSGI.newCodec()

const cut = (text: string, sent = CLOSED, codec = fastcgi) => atEveryCut(text, (pieces) => read(codec, pieces, sent))

test('records in any order and size', () => {
  const text =
    record(STDERR, 'one') +
    record(STDOUT, 'Status: 404 Gone\r', 3) +
    record(STDERR, '') +
    record(STDOUT, '\nA: b\r\n\r\nab') +
    record(STDERR, 'two', 1) +
    record(STDOUT, 'cd', 9) +
    record(STDOUT, '') +
    END_OF_REQUEST
  const expected = { status: 404, text: '404 Gone', length: -1, body: 'abcd', complete: true, extra: false }
  assert.deepEqual(cut(text), expected)
  assert.deepEqual(cut(text, KEPT), expected)
})

test('lengths that hold, and that do not', () => {
  const head = 'Content-Length: 4\r\n\r\n'
  const whole = { status: 200, text: '200 OK', length: 4, body: 'abcd', complete: true, extra: false }
  assert.deepEqual(cut(answer(`${head}abcd`)), whole)
  assert.deepEqual(cut(answer(`${head}abcdef`)), { ...whole, extra: true })
  assert.deepEqual(cut(record(STDOUT, `${head}abcd`) + answer('ef')), { ...whole, extra: true })
  assert.deepEqual(cut(answer(`${head}ab`)), { broken: 'upstream prematurely closed FastCGI stdout', body: 'ab' })
  const ended = record(STDOUT, `${head}ab`) + END_OF_REQUEST
  assert.deepEqual(cut(ended), { broken: 'upstream prematurely closed FastCGI request', body: 'ab' })
})

test('answers without an end', () => {
  const cutOff = record(STDOUT, 'A: b\r\n\r\nabcd', 0)
  const seen = { status: 200, text: '200 OK', length: -1, body: 'abcd', complete: true, extra: false }
  assert.deepEqual(cut(cutOff), seen)
  assert.deepEqual(cut(cutOff, KEPT), { ...seen, complete: false })
  assert.deepEqual(cut(cutOff.slice(0, -1)), { ...seen, body: 'abc', complete: false })
})

test('what is wrong', () => {
  const expected: [text: string, problem: string][] = [
    [answer('Status: 2x\r\n\r\n'), 'upstream sent invalid status "2x"'],
    [answer('Status: 099\r\n\r\n'), 'upstream sent invalid status "099"'],
    [answer('A\0: b\r\n\r\n'), 'upstream sent invalid header: "A\\x00..."'],
    [
      answer('Content-Length: 1\r\nContent-Length: 1\r\n\r\n'),
      'upstream sent duplicate header line: "Content-Length: 1", previous value: "Content-Length: 1"',
    ],
    ['\x01\x06\0\x01\0\0\0\0', 'upstream prematurely closed FastCGI stdout'],
    ['\x01\x03\0\x01\0\0\0\0', 'upstream sent unexpected FastCGI record: 3'],
    ['\0', 'upstream sent unsupported FastCGI protocol version: 0'],
  ]
  for (const [text, problem] of expected) assert.deepEqual(cut(text), { invalid: problem })
  assert.deepEqual(cut(`${record(STDOUT, '\n', 0)}\x01\x04`), {
    broken: 'upstream sent invalid FastCGI record type: 4',
    body: '',
  })
})

test('heads of CGI programs, with and without a status line', () => {
  const body = { length: -1, body: 'abc', complete: true, extra: false }
  for (const [head, status, text] of [
    ['HTTP/1.1 404 Gone\r\nStatus: 200\r\n\r\n', 404, '404 Gone'],
    ['HTTP/1.0 200\n\n', 200, '200'],
    ['Status: 500\r\n\r\n', 500, ''],
    ['Status: 500\x01Oops\r\n\r\n', 500, ''],
    ['Status: 500 O\x01ops\r\n\r\n', 500, ''],
    ['Status: 5000\r\n\r\n', 500, ''],
    ['HTTP: x\r\n\r\n', 200, '200 OK'],
    ['HTTP/1.1\r\n\r\n', 200, '200 OK'],
    ['Location: x\r\n\r\n', 302, '302 Moved Temporarily'],
  ] as const) {
    for (const codec of [uwsgi, SCGI.newCodec()]) {
      assert.deepEqual(cut(`${head}abc`, '', codec), { status, text, ...body }, head)
    }
  }
  const known = cut('Content-Length: 2\r\n\r\nabc', '', uwsgi)
  assert.deepEqual(known, { status: 200, text: '200 OK', length: 2, body: 'ab', complete: true, extra: true })
  assert.deepEqual(cut('Status: 101\r\n\r\n', '', uwsgi), { invalid: 'upstream sent unexpected status "101"' })
})

test('HEAD has no body, whatever the length says', () => {
  const text = answer('Content-Length: 10\r\n\r\n')
  assert.equal(read(fastcgi, [Buffer.from(text, 'latin1')], KEPT, 'HEAD').complete, true)
})

test('parameters are written so that they can be found again', () => {
  const params = new FastcgiParams()
  const long = 'x'.repeat(70_000)
  params.begin()
  for (const [name, value] of [
    ['A', ''],
    ['SHORT', 'value'],
    ['L'.repeat(200), 'x'.repeat(40_000)],
    ['LATER', 'y'.repeat(40_000)],
    ['SHORT', 'again'],
  ] as const) {
    params.add(name, value)
  }
  const sent = params.finish(true)
  assert.deepEqual([isKept(sent), params.tooBig, sent.length % 8], [true, 0, 0])
  assert.equal(paramOf(sent, 'SHORT'), 'again')
  assert.equal(paramOf(sent, 'A'), '')
  assert.equal(paramOf(sent, 'LATER')?.length, 40_000)
  assert.equal(paramOf(sent, 'L'.repeat(200))?.length, 40_000)
  assert.equal(paramOf(sent, 'NONE'), undefined)
  params.begin()
  params.add('LONG', long)
  assert.equal(params.tooBig, 4 + 70_000 + 1 + 4)
})
