/** The header table: lookups over fields of the text and fields made as strings, joining, hiding, growth. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashName, numberOf } from '../../src/http/message/field-names.ts'
import { HeaderTable } from '../../src/http/message/header-table.ts'

/** A table over `Name: value\r\n` lines, entered as a parser would. */
function tableOf(text: string): HeaderTable {
  const table = new HeaderTable()
  let start = 0
  for (const line of text.split('\r\n').slice(0, -1)) {
    const colon = line.indexOf(': ')
    const end = start + line.length
    const name = line.slice(0, colon)
    const hash = hashName(name)
    table.add(hash, start, start + colon, start + colon + 2, end, end + 2, true, numberOf(hash, name))
    start = end + 2
  }
  table.text = text
  return table
}

const ACCEPT = hashName('accept')

test('finds fields without regard to case, in order', () => {
  const table = tableOf('Accept: a\r\nHost: h\r\nACCEPT: b\r\n')
  assert.equal(table.find(ACCEPT, 'accept'), 0)
  assert.equal(table.find(ACCEPT, 'accept', 1), 2)
  assert.equal(table.find(ACCEPT, 'accept', 3), -1)
  assert.equal(table.valueOf(hashName('HOST'), 'host'), 'h')
  assert.equal(table.valueOf(hashName('none'), 'none'), undefined)
  assert.deepEqual([table.name(2), table.lowerName(2), table.value(2)], ['ACCEPT', 'accept', 'b'])
})

test('compares names, not only hashes', () => {
  const table = tableOf('hq5t: x\r\n')
  assert.equal(hashName('hq5t'), hashName('host'))
  assert.equal(table.find(hashName('host'), 'host'), -1)
})

test('folds letters only', () => {
  const table = tableOf('A[: 1\r\nA{: 2\r\nA\xc4: 3\r\n')
  assert.equal(table.valueOf(hashName('a{'), 'a{'), '2')
  assert.equal(table.lowerName(2), 'a\xc4')
})

test('joins repeated fields', () => {
  const table = tableOf('Accept: a\r\nHost: h\r\naccept: b\r\n')
  table.addString('ACCEPT', 'c')
  assert.equal(table.joined(ACCEPT, 'accept', ', '), 'a, b, c')
  assert.equal(table.joined(hashName('host'), 'host', ', '), 'h')
  assert.equal(table.joined(hashName('none'), 'none', ', '), undefined)
})

test('holds fields that are not in the text', () => {
  const table = tableOf('A: b\r\n')
  const index = table.addString('X-Made', 'by us')
  assert.equal(index, 1)
  assert.equal(table.count, 2)
  assert.deepEqual([table.name(1), table.value(1), table.lowerName(1)], ['X-Made', 'by us', 'x-made'])
  assert.equal(table.find(hashName('x-made'), 'x-made'), 1)
  assert.equal(table.canonical(1), false)
  assert.equal(table.canonical(0), true)
  assert.ok(table.lineStart(1) < 0)
  assert.equal(table.valueIs(1, 'by us'), true)
  assert.equal(table.valueIs(0, 'b'), true)
  assert.equal(table.valueIs(0, 'c'), false)
})

test('replaces a value', () => {
  const table = tableOf('A: b\r\nC: d\r\n')
  table.setValue(0, 'longer')
  assert.deepEqual([table.name(0), table.value(0), table.value(1)], ['A', 'longer', 'd'])
  assert.equal(table.canonical(0), false)
})

test('hides what is removed but keeps its place', () => {
  const table = tableOf('Accept: a\r\nHost: h\r\nAccept: b\r\n')
  table.remove(0)
  assert.equal(table.find(ACCEPT, 'accept'), 2)
  assert.deepEqual([table.hidden(0), table.hidden(2), table.canonical(0), table.count], [true, false, false, 3])
  table.removeAll(ACCEPT, 'accept')
  assert.equal(table.find(ACCEPT, 'accept'), -1)
  assert.equal(table.findVariable('accept'), -1)
  assert.equal(table.valueOf(hashName('host'), 'host'), 'h')
})

test('finds what a variable means, with - and _ alike', () => {
  const table = tableOf('X-One: 1\r\nx_one: 2\r\nX-Two: 3\r\n')
  table.addString('X-ONE', '4')
  assert.equal(table.findVariable('x_one'), 0)
  assert.equal(table.findVariable('x_one', 1), 1)
  assert.equal(table.findVariable('x_one', 2), 3)
  assert.equal(table.findVariable('x-one'), -1)
  assert.equal(table.findVariable('x_on'), -1)
})

test('tells adjacent lines, so that they can be copied as one', () => {
  const text = 'A: 1\r\nB: 2\r\nC: 3\r\n'
  const table = tableOf(text)
  assert.equal(table.lineEnd(0), table.lineStart(1))
  assert.equal(text.slice(table.lineStart(1), table.lineEnd(2)), 'B: 2\r\nC: 3\r\n')
})

test('grows, and is empty after reset', () => {
  const table = new HeaderTable()
  for (let i = 0; i < 100; i++) table.addString(`n${i}`, `v${i}`)
  assert.equal(table.valueOf(hashName('n99'), 'n99'), 'v99')
  table.remove(0)
  table.reset()
  assert.equal(table.count, 0)
  assert.equal(table.find(hashName('n99'), 'n99'), -1)
  table.addString('n0', 'again')
  assert.equal(table.hidden(0), false)
  assert.equal(table.value(0), 'again')
})
