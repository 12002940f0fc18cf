/** V8 takes code from a cache only where the same flags hold: what threads import before they have a configuration sets none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cachedDataVersionTag } from 'node:v8'

test('flags are as they were until a pattern is compiled', async () => {
  const before = cachedDataVersionTag()
  await import('../../src/modules/index.ts')
  await import('../../src/process/worker-seat.ts')
  assert.equal(cachedDataVersionTag(), before)
  const { compilePattern } = await import('../../src/value/regex.ts')
  compilePattern('a+', { caseless: false }, assert.fail)
  assert.notEqual(cachedDataVersionTag(), before)
})
