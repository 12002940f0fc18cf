/** How deep values may be made of values. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bounded } from '../../src/value/cycles.ts'

test('what is made of itself is empty, and told once', () => {
  let told = 0
  const value: (r: number) => string = bounded(
    (r: number) => `a${value(r)}${value(r)}`,
    () => told++,
  )
  assert.match(value(0), /^a+$/)
  assert.equal(told, 1)
})

test('what throws leaves no depth behind', () => {
  const thrower = bounded(
    (): string => {
      throw new Error('no value')
    },
    () => assert.fail('not deep'),
  )
  for (let i = 0; i < 1000; i++) assert.throws(() => thrower(0), /no value/)
  const plain = bounded(
    () => 'value',
    () => assert.fail('not deep'),
  )
  assert.equal(plain(0), 'value')
})
