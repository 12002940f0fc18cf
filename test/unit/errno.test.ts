/** Failures of the system in nginx's words, whatever they are. */
import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { test } from 'node:test'
import { errnoText } from '../../src/lib/errno.ts'

test('every error of the system has its words', () => {
  for (const [code, number] of Object.entries(constants.errno)) {
    assert.match(errnoText(code), new RegExp(`^\\(${number}: [A-Z][a-z].*\\)$`), code)
  }
})

test('an exception says the same', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  assert.equal(errnoText(full), '(28: No space left on device)')
  assert.equal(errnoText(new Error('something else')), '(something else)')
})
