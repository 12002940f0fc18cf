/** The chunked decoder: bodies, trailers, limits, and independence of how the bytes arrive. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChunkedDecoder, type ChunkSink, MALFORMED } from '../../src/http/h1/chunked.ts'
import { FieldLines, LINES_DONE } from '../../src/http/h1/field-lines.ts'
import { REQUEST_LIMITS } from '../../src/http/message/head-limits.ts'
import { HeaderTable } from '../../src/http/message/header-table.ts'
import { atEveryCut } from './h1-cuts.ts'

const decoder = new ChunkedDecoder()

function decode(pieces: readonly Buffer[]) {
  const seen = { body: '', trailer: '', rest: '', ok: false, bytes: 0 }
  const sink: Required<ChunkSink> = {
    onBody: (input, start, end) => void (seen.body += Buffer.from(input.subarray(start, end)).toString('latin1')),
    onTrailer: (input, start, end) => void (seen.trailer += Buffer.from(input.subarray(start, end)).toString('latin1')),
  }
  decoder.reset()
  for (const piece of pieces) {
    const at = decoder.decode(piece, 0, piece.length, sink)
    // What came before the error depends on the cut; that there is one does not.
    if (at === MALFORMED) return { body: '', trailer: '', rest: '', ok: false, bytes: 0 }
    seen.rest += piece.subarray(at).toString('latin1')
  }
  seen.ok = decoder.finished
  seen.bytes = decoder.bytesTotal
  return seen
}

const sound: [wire: string, body: string, trailer: string, rest: string][] = [
  ['0\r\n\r\n', '', '\r\n', ''],
  ['5\r\nhello\r\n0\r\n\r\n', 'hello', '\r\n', ''],
  ['5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\nZ: \r\n\r\nGET /', 'hello world', 'X: y\r\nZ: \r\n\r\n', 'GET /'],
  ['00A\r\n0123456789\r\n000\r\n\r\n', '0123456789', '\r\n', ''],
  ['aB\r\n' + 'x'.repeat(0xab) + '\r\n0;last\r\n\r\n', 'x'.repeat(0xab), '\r\n', ''],
  ['1 \r\na\r\n1\t;b\r\nb\r\n0 \r\n\r\n', 'ab', '\r\n', ''],
  ['0000000000000001\r\na\r\n0\r\n\r\n', 'a', '\r\n', ''],
]
for (const [wire, body, trailer, rest] of sound) {
  test(`decodes ${JSON.stringify(wire.slice(0, 60))}`, () => {
    assert.deepEqual(atEveryCut(wire, decode), { body, trailer, rest, ok: true, bytes: body.length })
  })
}

const malformed = [
  '\r\n',
  ' 5\r\n',
  '0x5\r\n',
  '+5\r\n',
  '-1\r\n',
  'g\r\n',
  ';\r\n',
  '5\nhello\n0\n\n',
  '5\r\nhelloX\r\n',
  '5\r\nhello0\r\n\r\n',
  '5\r\nhello\n0\r\n\r\n',
  '5\r\nhello\r0\r\n\r\n',
  '5\r\nhell\r\n0\r\n\r\n',
  '10000000000001\r\n',
  'fffffffffffffff\r\n',
  'ffffffffffffffff\r\n',
  '00000000000000001\r\n',
  '0\r\nX: y\n\r\n',
  '0\r\n\n',
  '0\r\n\rX',
  '0\n\n',
  '5;\nhello',
  '5\r\rhello',
  '5;a\rb\r\nhello',
]
for (const wire of malformed) {
  test(`refuses ${JSON.stringify(wire)}`, () => assert.equal(atEveryCut(wire, decode).ok, false))
}

test('limits extensions and trailers', () => {
  const one = (wire: string) => decode([Buffer.from(wire)]).ok
  assert.equal(one(`1;${'a'.repeat(16000)}\r\nx\r\n0\r\n\r\n`), true)
  assert.equal(one(`1;${'a'.repeat(17000)}\r\nx\r\n0\r\n\r\n`), false)
  assert.equal(one(`0\r\n${'A: b\r\n'.repeat(2000)}\r\n`), true)
  assert.equal(one(`0\r\n${'A: b\r\n'.repeat(6000)}\r\n`), false)
})

test('takes a size of 2^52 and says how much is to come', () => {
  decoder.reset()
  const wire = Buffer.from('10000000000000\r\nab')
  assert.equal(decoder.decode(wire, 0, wire.length, { onBody: () => undefined }), wire.length)
  assert.equal(decoder.remaining, 2 ** 52 - 2)
  assert.equal(decoder.finished, false)
})

test('gives a trailer section that the field-line reader takes', () => {
  const table = new HeaderTable()
  let section = ''
  const sink: ChunkSink = {
    onBody: () => undefined,
    onTrailer: (input, start, end) => void (section += Buffer.from(input.subarray(start, end)).toString('latin1')),
  }
  decoder.reset()
  for (const byte of Buffer.from('1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n')) decoder.decode(Buffer.of(byte), 0, 1, sink)
  const lines = new FieldLines()
  lines.reset(0, 4096, 0)
  const bytes = Buffer.from(section, 'latin1')
  assert.equal(lines.parse(bytes, 0, bytes.length, table, REQUEST_LIMITS), LINES_DONE)
  table.text = section
  assert.deepEqual([table.count, table.value(0), table.name(1), table.value(1)], [2, 'b', 'C', 'd'])
})
