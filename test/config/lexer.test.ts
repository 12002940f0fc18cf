/** Bytes, positions and limits that golden files cannot show. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lexer } from '../../src/config/lexer.ts'
import { parse } from '../../src/config/parser.ts'
import { COMMAND_LINE, type Statement } from '../../src/config/source.ts'
import { toBinary } from '../../src/lib/bytes.ts'
import { decodeText } from '../../src/lib/text.ts'

function statements(text: string): readonly string[][] {
  return parse(text, 'f').map((s) => (s.fault === undefined ? [s.name, ...s.args].map((w) => w.text) : [s.fault]))
}

function fault(text: string): string {
  const s = firstFault(parse(text, 'f'))
  return s ? `${s.fault} at ${s.end.line}:${s.end.column}` : 'none'
}

function firstFault(statements: readonly Statement[]): Statement | undefined {
  for (const s of statements) {
    const found = s.fault === undefined ? firstFault(s.block ?? []) : s
    if (found) return found
  }
  return undefined
}

test('CRLF separates words and lines', () => {
  const found = parse('a b\r\n;\r\nc\r\nd;\r\n', 'f')
  assert.deepEqual(statements('a b\r\n;\r\nc\r\nd;\r\n'), [
    ['a', 'b'],
    ['c', 'd'],
  ])
  assert.deepEqual(
    found.map((s) => [s.name.line, s.end.line]),
    [
      [1, 2],
      [3, 4],
    ],
  )
})

test('positions are those of the first character, in characters', () => {
  const [s] = parse('\n  "é" éé x ;', 'f')
  assert.deepEqual([s!.name.line, s!.name.column], [2, 3])
  assert.deepEqual(
    s!.args.map((w) => w.column),
    [7, 10],
  )
  assert.deepEqual([s!.end.line, s!.end.column], [2, 12])
  assert.equal(s!.end.from, s!.name)
})

test('a block knows where it opens and closes', () => {
  const [s] = parse('a\n{\nb;\n}', 'f')
  assert.equal(s!.end.line, 2)
  assert.equal(s!.close!.line, 4)
  assert.equal(s!.block![0]!.name.text, 'b')
})

test('a text may end in a comment or in blanks without a line end', () => {
  assert.deepEqual(statements('a;\n# end'), [['a']])
  assert.deepEqual(statements('a; \t'), [['a']])
  assert.deepEqual(statements('a #;'), [['unexpected end of file, expecting ";" or "}"']])
})

test('an escape or a quote may not be cut off by the end', () => {
  const message = 'unexpected end of file, expecting ";" or "}"'
  for (const text of ['a\\', '\\', '"', "'a", '"a\\', 'a "b"', 'a $', 'a ${']) {
    assert.equal(parse(text, 'f').at(-1)!.fault, message, text)
  }
})

test('a byte order mark is part of the first word, as for nginx', () => {
  assert.deepEqual(statements(decodeText(Buffer.from('\ufeffuser a;'))), [['\ufeffuser', 'a']])
})

test('bytes that are not UTF-8 survive', () => {
  const bytes = Buffer.from('a "\xff\xc3\xa9\xe2\x82\xf0\x9f\x98\x80\xed\xa0\x80\xc0\x80";', 'latin1')
  const [s] = parse(decodeText(bytes), 'f')
  assert.equal(toBinary(s!.args[0]!.text), bytes.toString('latin1').slice(3, -2))
  assert.ok(s!.args[0]!.text.includes('é') && s!.args[0]!.text.includes('\u{1f600}'))
})

test('a token must fit into 4096 bytes when the file goes on', () => {
  const y = (n: number) => 'y'.repeat(n)
  assert.equal(fault(`${y(4095)};`), 'none')
  assert.equal(fault(`${y(4096)};`), 'too long parameter "yyyyyyyyyy..." started at 1:1')
  assert.equal(fault(`\n${y(4095)} x;`), 'too long parameter "yyyyyyyyyy..." started at 2:1')
  assert.equal(fault(`${y(4094)} x;`), 'none')
  assert.equal(fault(`a "${y(4094)}";`), 'none')
  assert.equal(fault(`a "${y(4095)}";`), `too long parameter "yyyyyyyyyy..." started at 1:4`)
  assert.equal(fault(`a\n"${y(4096)}";`), 'too long parameter, probably missing terminating """ character at 2:2')
  assert.equal(fault(`a '${y(5000)}`), `too long parameter, probably missing terminating "'" character at 1:4`)
  assert.equal(fault(`a ${'é'.repeat(2048)};`).slice(0, 18), 'too long parameter')
  assert.equal(fault(`a ${'é'.repeat(2047)};`), 'none')
  assert.equal(fault(`#${y(4095)}\na;`), `too long parameter "#yyyyyyyyy..." started at 1:1`)
  assert.equal(fault(`#${y(4094)}\na;`), 'none')
  assert.equal(fault(' '.repeat(9000) + 'a;'), 'none')
})

test('text of -g has no such limit', () => {
  assert.equal(parse(`a ${'y'.repeat(9000)};`, COMMAND_LINE, { parameter: true })[0]!.args[0]!.text.length, 9000)
})

test('blocks may not nest without end', () => {
  assert.equal(fault('a{'.repeat(100000)).replace(/ at .*/, ''), 'too many nested blocks')
  assert.equal(fault('a{'.repeat(100) + '}'.repeat(100)), 'none')
})

test('the lexer reports the end once', () => {
  const lexer = new Lexer('a;}', 'f')
  assert.deepEqual([lexer.next().kind, lexer.next().kind, lexer.next().kind], ['simple', 'close', 'eof'])
})
