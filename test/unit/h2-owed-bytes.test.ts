/** What a peer makes us say: only what it leaves untaken counts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OwedBytes } from '../../src/http/h2/wire/owed-bytes.ts'
import type { Wire } from '../../src/net/wire.ts'

const LIMIT = 262144

/** As much of a wire as is looked at. */
function wireOf(facts: { bytesWritten: number; pendingBytes: number }): Wire {
  return facts as unknown as Wire
}

test('a peer that takes nothing reaches the limit', () => {
  const owed = new OwedBytes()
  const facts = { bytesWritten: 0, pendingBytes: 0 }
  let count = 0
  while (!owed.excessive && count < 1e6) {
    facts.bytesWritten += 17
    facts.pendingBytes += 17
    owed.add(wireOf(facts), 17)
    count++
  }
  assert.ok(count * 17 > LIMIT && count * 17 < LIMIT + 100)
})

test('one that always has as much on its way does not', () => {
  const owed = new OwedBytes()
  const facts = { bytesWritten: 0, pendingBytes: 60000 }
  for (let count = 0; count < 1e5; count++) {
    facts.bytesWritten += 1000
    owed.add(wireOf(facts), 17)
    assert.ok(!owed.excessive)
  }
})

test('one that reads late is forgiven when it has', () => {
  const owed = new OwedBytes()
  const facts = { bytesWritten: 0, pendingBytes: 0 }
  for (let round = 0; round < 5; round++) {
    for (let count = 0; count < 7000; count++) {
      facts.bytesWritten += 17
      facts.pendingBytes += 17
      owed.add(wireOf(facts), 17)
    }
    assert.ok(!owed.excessive)
    facts.pendingBytes = 0
    owed.add(wireOf(facts), 17)
  }
})
