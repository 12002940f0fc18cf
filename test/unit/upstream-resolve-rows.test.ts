/** Rows of servers that come and go: found by key, kept while used, reused when not, refused when the zone is full. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZONE_SIZE_MIN, Zone } from '../../src/shared/zone.ts'
import { sharedState } from '../../src/upstream/group-state.ts'
import { Peer } from '../../src/upstream/peer.ts'
import { PEER_DEFAULTS } from '../../src/upstream/registry.ts'
import { ChangingRows } from '../../src/upstream/resolve-rows.ts'

const address = { name: '127.0.0.1:80', host: '127.0.0.1', port: 80, path: '' }

function peerOf(rows: ChangingRows, key: string): Peer {
  const state = rows.take(key)
  assert.ok(state !== undefined)
  return new Peer(address, PEER_DEFAULTS, key, state, 0)
}

test('the same key is the same row, for every thread', () => {
  const zone = Zone.create('z', ZONE_SIZE_MIN, 'upstream')
  const [here, there] = [new ChangingRows(zone, 'u'), new ChangingRows(zone, 'u')]
  const a = peerOf(here, 'a')
  a.fails = 3
  assert.equal(peerOf(there, 'a').fails, 3)
  assert.equal(peerOf(there, 'b').fails, 0)
  assert.equal(peerOf(new ChangingRows(zone, 'v'), 'a').fails, 0)
  assert.equal(peerOf(there, 'b').effectiveWeight, 1)
})

test('a row without users is remembered until its place is needed', () => {
  const zone = Zone.create('z', ZONE_SIZE_MIN, 'upstream')
  const rows = new ChangingRows(zone, 'u')
  peerOf(rows, 'a').fails = 3
  rows.give('a')
  assert.equal(peerOf(rows, 'a').fails, 3)
  rows.give('a')
  for (let i = 0; i < 16; i++) peerOf(rows, `n${i}`)
  assert.equal(peerOf(rows, 'a').fails, 0)
})

test('a row whose connections are still open is not given to another server', () => {
  const zone = Zone.create('z', ZONE_SIZE_MIN, 'upstream')
  const rows = new ChangingRows(zone, 'u')
  const a = peerOf(rows, 'a')
  a.conns = 1
  rows.give('a')
  for (let i = 0; i < 100; i++) peerOf(rows, `n${i}`).conns = 7
  assert.equal(a.conns, 1)
})

test('a full zone refuses, and the fixed servers of a group keep their rows', () => {
  const zone = Zone.create('z', ZONE_SIZE_MIN, 'upstream')
  const fixed = sharedState(zone, 'u', [{ address, options: PEER_DEFAULTS }])
  assert.ok(fixed !== undefined)
  const peer = new Peer(address, PEER_DEFAULTS, '', fixed, 0)
  peer.fails = 9
  const rows = new ChangingRows(zone, 'u')
  let count = 0
  while (rows.take(`k${count}`) !== undefined) count++
  assert.ok(count > 100 && count < 1000, String(count))
  assert.equal(peer.fails, 9)
  rows.give('k5')
  assert.ok(rows.take('other') !== undefined)
})
