/** What is kept of servers and numbers over time: the last states, checks and samples, and no more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NumberHistory, numberHistorySize } from '../../src/shared/number-history.ts'
import { GroupPeerCounts, peerCountsSize } from '../../src/upstream/peer-counts.ts'

test('states are noted when they are new, and the last eight are kept, also over a reset', () => {
  const counts = GroupPeerCounts.attach('u', new SharedArrayBuffer(peerCountsSize(65536)), undefined)!.take('a')!
  assert.deepEqual(counts.story(), { states: [], checks: [] })
  for (const [at, state] of [
    [10, 1],
    [11, 1],
    [12, 3],
    [13, 3],
  ]) {
    counts.noteState(at!, state!)
  }
  const seen = [
    { atMs: 10, state: 1 },
    { atMs: 12, state: 3 },
  ]
  assert.deepEqual(counts.story().states, seen)
  counts.reset()
  assert.deepEqual(counts.story().states, seen)
  for (let n = 0; n < 20; n++) counts.noteState(100 + n, 1 + (n % 2))
  assert.deepEqual(
    counts.story().states.map(({ atMs }) => atMs),
    [112, 113, 114, 115, 116, 117, 118, 119],
  )
})

test('the last sixty checks are kept in order', () => {
  const counts = GroupPeerCounts.attach('u', new SharedArrayBuffer(peerCountsSize(65536)), undefined)!.take('a')!
  const all: boolean[] = []
  for (let n = 0; n < 150; n++) {
    const passed = (n * n) % 7 < 3
    counts.checked(passed)
    all.push(passed)
    assert.deepEqual(counts.story().checks, all.slice(-60), `${n}`)
  }
})

test('samples come back in order, the oldest go', () => {
  const shape = { samples: 5, fields: 2 }
  const buffer = new SharedArrayBuffer(Math.max(32768, numberHistorySize(5, 2)))
  const history = NumberHistory.attach('h', buffer, shape)!
  assert.equal(history.all.length, 0)
  for (let n = 1; n <= 12; n++) {
    history.add(n, [n * 10])
    const expected = Array.from({ length: 12 }, (_, i) => i + 1).filter((i) => i <= n && i > n - 5 + 1)
    assert.deepEqual(
      history.all.map(([at, first]) => [at, first]),
      expected.map((i) => [i, i * 10]),
    )
    assert.ok(history.all.every((row) => Number.isNaN(row[2])))
  }
  assert.deepEqual(NumberHistory.attach('h', buffer, shape)!.all.length, 4, 'another thread sees the same')
})
