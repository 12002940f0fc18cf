/**
 * Mutated messages against the wire parsers, from a fixed seed: nothing may throw, answers must not depend on where the
 * bytes are cut, positions must stay inside the text, and what is accepted must satisfy the rules that make it safe.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChunkedDecoder, type ChunkSink, MALFORMED } from '../../src/http/h1/chunked.ts'
import { RequestParser } from '../../src/http/h1/request-parser.ts'
import { ResponseParser } from '../../src/http/h1/response-parser.ts'
import { REQUEST_LIMITS, type RequestLimits } from '../../src/http/message/head-limits.ts'
import { CONNECT } from '../../src/http/message/method.ts'
import { DONE } from '../../src/http/message/request-errors.ts'
import { escapeUri, normalizeUri, unescapeUri } from '../../src/http/message/uri.ts'
import { Dice } from '../harness/dice.ts'

const ROUNDS = 40_000

const REQUESTS = [
  'GET /a/b?c=d HTTP/1.1\r\nHost: example.com:80\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n',
  'POST http://h.example/x HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n',
  'PUT /%41/../b HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\nX_y: z\r\n\r\n',
  'CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n\r\n',
  'GET / HTTP/1.0\nCookie:  a=b; c=d  \n\n',
  'GET /\r\n',
]
const RESPONSES = [
  'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello',
  'HTTP/1.0 404 Not Found\nTransfer-Encoding: chunked\nX_y: z\n\n',
  'HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
]
const BODIES = ['5\r\nhello\r\n0\r\n\r\n', 'a;x=y\r\n0123456789\r\n1\r\n!\r\n00\r\nT: v\r\n\r\nrest']
const TARGETS = ['/a/../b//c/%2e%2e/d?e#f', '/%41%00/..', '?x', '/.../.%2f/']
const PIECES = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\0',
  '\t',
  ' ',
  ':',
  '%',
  '/',
  '..',
  '?',
  '#',
  '\x7f',
  '\xff',
  '0',
  '-',
  ',',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Host: x\r\n',
  'HTTP/1.1',
  ';',
  '[',
  '99999999999999999999',
]

function mutate(text: string, dice: Dice): string {
  let mutated = text
  for (let i = dice.below(4); i >= 0; i--) {
    const at = dice.below(mutated.length + 1)
    const piece = dice.below(3) === 0 ? String.fromCharCode(dice.below(256)) : dice.of(PIECES)
    mutated = mutated.slice(0, at) + (dice.below(3) === 0 ? '' : piece) + mutated.slice(at + dice.below(3))
  }
  return mutated
}

function cutsOf(length: number, dice: Dice): number[] {
  return [dice.below(length + 1), dice.below(length + 1), dice.below(length + 1), length].sort((a, b) => a - b)
}

test('the request parser', () => {
  const dice = new Dice(1)
  const tight: RequestLimits = { ...REQUEST_LIMITS, firstBufferSize: 48, bufferSize: 64, bufferCount: 2, countMax: 3 }
  const parser = new RequestParser()
  for (let round = 0; round < ROUNDS; round++) {
    const text = mutate(dice.of(REQUESTS), dice)
    const bytes = Buffer.from(text, 'latin1')
    parser.limits = dice.below(4) === 0 ? tight : REQUEST_LIMITS
    parser.reset()
    const whole = parser.parse(bytes, 0, bytes.length)
    const summary = whole === DONE ? requestSummary(parser) : ''
    if (whole === DONE) checkRequest(parser, text)
    else if (whole !== 0) assert.ok(parser.logMessage().startsWith('client sent '))
    parser.reset()
    let code = 0
    for (const end of cutsOf(bytes.length, dice)) if (code === 0) code = parser.parse(bytes, 0, end)
    assert.equal(code, whole, JSON.stringify(text))
    if (code === DONE) assert.equal(requestSummary(parser), summary, JSON.stringify(text))
  }
})

function requestSummary(parser: RequestParser): string {
  const { facts, headers } = parser
  const fields = Array.from({ length: headers.count }, (_, i) => [headers.name(i), headers.value(i)])
  const { host, port, contentLength, chunked, connection } = facts
  const { method, target, version, headLength } = parser
  return JSON.stringify([method, target, version, headLength, host, port, contentLength, chunked, connection, fields])
}

function checkRequest(parser: RequestParser, text: string): void {
  const { headers, facts } = parser
  assert.equal(headers.text, text.slice(0, parser.headLength))
  assert.ok(text.slice(0, parser.headLength).endsWith('\n'))
  assert.ok(!(facts.chunked && facts.contentLength >= 0))
  assert.ok(!/\r(?!\n)|[\0]/.test(headers.text.trimStart()), 'a bare CR or NUL was taken')
  if (parser.version > 1000) assert.ok(facts.hostIndex >= 0)
  const split = { uri: '', args: '' }
  const slow = { uri: '', args: '' }
  const ok = parser.splitTarget(true, split)
  assert.equal(ok, normalizeUri(parser.target, true, slow))
  if (ok) assert.deepEqual(split, slow)
  if (parser.line.method !== CONNECT) assert.match(parser.target, /^[/?][^ \r\n]*$/)
  for (let i = 0; i < headers.count; i++) {
    assert.match(headers.name(i), /^[^\s:\0]+$/)
    assert.ok(!/^ | $|[\r\n\0]/.test(headers.value(i)))
    if (headers.canonical(i)) {
      const line = headers.text.slice(headers.lineStart(i), headers.lineEnd(i))
      assert.equal(line, `${headers.name(i)}: ${headers.value(i)}\r\n`)
    }
  }
}

test('the response parser', () => {
  const dice = new Dice(2)
  const parser = new ResponseParser()
  for (let round = 0; round < ROUNDS; round++) {
    const text = mutate(dice.of(RESPONSES), dice)
    const bytes = Buffer.from(text, 'latin1')
    const sizeMax = dice.below(3) === 0 ? dice.below(80) + 1 : 4096
    parser.reset(sizeMax)
    const whole = parser.parse(bytes, 0, bytes.length)
    if (whole === DONE) {
      assert.ok(parser.headLength <= sizeMax)
      assert.ok(!(parser.chunked && parser.contentLength >= 0))
    } else if (whole !== 0) {
      assert.ok(parser.logMessage().startsWith('upstream sent '))
    }
    parser.reset(sizeMax)
    let code = 0
    for (const end of cutsOf(bytes.length, dice)) if (code === 0) code = parser.parse(bytes, 0, end)
    assert.equal(code, whole, JSON.stringify(text))
  }
})

test('the chunked decoder', () => {
  const dice = new Dice(3)
  const decoder = new ChunkedDecoder()
  let body = ''
  const sink: ChunkSink = {
    onBody: (input, start, end) => void (body += Buffer.from(input.subarray(start, end)).toString('latin1')),
  }
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = Buffer.from(mutate(dice.of(BODIES), dice), 'latin1')
    decoder.reset()
    body = ''
    const whole = decoder.decode(bytes, 0, bytes.length, sink)
    const finished = decoder.finished
    const wholeBody = body
    assert.equal(decoder.bytesTotal, body.length)
    decoder.reset()
    body = ''
    let at = 0
    for (const end of cutsOf(bytes.length, dice)) {
      if (at === MALFORMED || decoder.finished) break
      at = decoder.decode(bytes, at, end, sink)
    }
    assert.deepEqual(
      [at, decoder.finished, body],
      [whole, finished, wholeBody],
      JSON.stringify(bytes.toString('latin1')),
    )
  }
})

test('targets and escapes', () => {
  const dice = new Dice(4)
  const parts = { uri: '', args: '' }
  const again = { uri: '', args: '' }
  for (let round = 0; round < ROUNDS; round++) {
    const target = mutate(dice.of(TARGETS), dice)
    assert.equal(unescapeUri(escapeUri(target, 'uri-component')), target)
    // The request parser lets no NUL through.
    if (!target.startsWith('/') || target.includes('\0') || !normalizeUri(target, true, parts)) continue
    assert.ok(parts.uri.startsWith('/'))
    assert.ok(!/\0|\/\.\.?(\/|$)|\/\//.test(parts.uri), parts.uri)
    // A normalized path, escaped again, normalizes to itself.
    assert.equal(normalizeUri(escapeUri(parts.uri, 'uri'), true, again), true)
    assert.equal(again.uri, parts.uri)
  }
})
