/** Names of fields by number: without regard to case, apart although their hashes are the same, in any quantity. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FieldRoles, hashName, numberAt, numberOf } from '../../src/http/message/field-names.ts'

function numberIn(text: string, name: string): number {
  const from = text.indexOf(name)
  return numberAt(hashName(name), Buffer.from(text, 'latin1'), from, from + name.length)
}

test('a name has a number however it is written, and one that nobody asked for has none', () => {
  const roles = new FieldRoles([
    ['x-one', 1],
    ['x-two', 2],
  ])
  for (const written of ['x-one', 'X-One', 'X-ONE']) {
    assert.equal(roles.of(numberIn(`.${written}: 1`, written)), 1)
    assert.equal(roles.of(numberOf(hashName(written), written)), 1)
  }
  assert.equal(roles.ofName('x-two'), 2)
  for (const other of ['x-three', 'x-on', 'x-onee', '']) {
    assert.equal(numberIn(`.${other}:`, other), 0)
    assert.equal(numberOf(hashName(other), other), 0)
    assert.equal(roles.ofName(other), 0)
  }
})

test('names whose hashes are the same are told apart', () => {
  assert.equal(hashName('b_'), hashName('a~'))
  const roles = new FieldRoles([['b_', 1]])
  assert.equal(numberIn('a~: 1', 'a~'), 0)
  assert.equal(numberOf(hashName('a~'), 'a~'), 0)
  roles.set('a~', 2)
  assert.deepEqual([roles.of(numberIn('B_: 1', 'B_')), roles.of(numberIn('A~: 1', 'A~'))], [1, 2])
})

test('a name that got its number later has no role in a set that was made before', () => {
  const before = new FieldRoles([['x-before', 1]])
  const many = Array.from({ length: 2000 }, (_, i) => `x-many-${i}`)
  const roles = new FieldRoles(many.map((name, i) => [name, (i % 255) + 1]))
  for (const [i, name] of many.entries()) {
    assert.equal(roles.of(numberIn(`${name}: 1`, name)), (i % 255) + 1)
    assert.equal(before.ofName(name), 0)
  }
  assert.equal(before.ofName('x-before'), 1)
})
