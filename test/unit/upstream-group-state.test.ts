/** Rows of groups in a zone: found again while the servers are the same, and room for others as often as they change. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZONE_SIZE_MIN, Zone } from '../../src/shared/zone.ts'
import { type GroupState, sharedState, zoneFill } from '../../src/upstream/group-state.ts'
import { PEER_DEFAULTS } from '../../src/upstream/registry.ts'

function rows(zone: Zone, group: string, count: number, host = '127.0.0.1'): GroupState | undefined {
  const addresses = Array.from({ length: count }, (_, i) => ({ name: `${host}:${i}`, host, port: i, path: '' }))
  return sharedState(
    zone,
    group,
    addresses.map((address) => ({ address, options: PEER_DEFAULTS })),
  )
}

/** Marks the rows as those of this group; two groups with rows in common would find each other's mark. */
function mark(state: GroupState | undefined, value: number): Int32Array {
  assert.ok(state !== undefined)
  return state.cells.fill(value)
}

test('a group that grows with every reload has room, beside others', () => {
  const zone = Zone.create('z', ZONE_SIZE_MIN * 2, 'upstream')
  const other = mark(rows(zone, 'other', 20), 7)
  let before = mark(rows(zone, 'u', 10), 1)
  for (let count = 11; count < 200; count++) {
    const now = mark(rows(zone, 'u', count), count)
    assert.ok(before.every((value) => value === before[0]))
    before = now
  }
  // And when it shrinks and grows again.
  for (let n = 0; n < 100; n++) mark(rows(zone, 'u', n % 2 === 0 ? 190 : 200, `127.0.1.${n}`), n)
  assert.ok(other.every((value) => value === 7))
  assert.equal(rows(zone, 'other', 20)?.fresh, false)
  assert.ok(zoneFill(zone) < zone.size)
})

test('several groups take turns in growing, until there is no room at all', () => {
  const zone = Zone.create('z', ZONE_SIZE_MIN * 2, 'upstream')
  const current = new Map<string, Int32Array>()
  let count = 5
  for (; count < 1000; count++) {
    const group = `g${count % 4}`
    const state = rows(zone, group, count)
    if (state === undefined) break
    current.set(group, mark(state, count))
    for (const cells of current.values()) assert.ok(cells.every((value) => value === cells[0]))
  }
  // Four groups with two regions of rows each.
  assert.ok(count > 60 && count < 200, String(count))
})

test('a large zone is for many groups', () => {
  const zone = Zone.create('z', 1024 * 1024, 'upstream')
  const all = Array.from({ length: 500 }, (_, i) => mark(rows(zone, `g${i}`, 2), i))
  assert.ok(all.every((cells, i) => cells.every((value) => value === i)))
  assert.equal(rows(zone, 'g499', 2)?.fresh, false)
})
