/** What a thread had counted in zones is counted back when it has died. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnRecords } from '../../src/shared/conn-records.ts'
import { releaseThread } from '../../src/shared/dead-thread.ts'
import { forgetHeld, HOLDINGS_SIZE, NOT_NOTED, noteHoldingsIn } from '../../src/shared/holdings.ts'
import { Table } from '../../src/shared/table.ts'
import { ZONE_SIZE_MIN, Zone } from '../../src/shared/zone.ts'
import { sharedState } from '../../src/upstream/group-state.ts'
import { Peer } from '../../src/upstream/peer.ts'
import { PEER_DEFAULTS, peerAddress } from '../../src/upstream/registry.ts'

const THREAD = 77

/** Numbers that look random and are the same every time. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

test('counts of limit_conn that a thread held go, those of others stay', () => {
  const random = numbers(11)
  for (let round = 0; round < 30; round++) {
    const zones = [0, 1].map(() => Zone.create('z', ZONE_SIZE_MIN, 'limit_conn'))
    const records = zones.map((zone) => new ConnRecords(zone))
    // What others hold: nobody notes it here.
    noteHoldingsIn(new SharedArrayBuffer(0))
    for (const one of records) for (let key = 0; key < 5; key++) one.acquire(`k${key}`, 1000)
    const holdings = new SharedArrayBuffer(HOLDINGS_SIZE)
    noteHoldingsIn(holdings)
    const open: [ConnRecords, ReturnType<ConnRecords['acquire']>, number][] = []
    for (let step = 0; step < 200; step++) {
      if (random(5) < 3) {
        const one = records[random(2)]!
        open.push([one, one.acquire(`k${random(9)}`, 1000), one.note])
      } else {
        const [held] = open.splice(random(Math.max(1, open.length)), 1)
        held?.[0].release(held[1], held[2])
      }
    }
    assert.ok(open.length > 0)
    const buffers = zones.map(({ buffer }) => buffer)
    releaseThread(buffers, { threadId: THREAD, holdings })
    for (const one of records) {
      for (let key = 0; key < 9; key++) assert.equal(one.count(`k${key}`), key < 5 ? 1 : 0)
    }
    for (const zone of zones) assert.equal(new Table(zone).count, 5)
  }
})

test('connections that a thread had with the servers of a shared group go', () => {
  const zone = Zone.create('z', ZONE_SIZE_MIN, 'upstream')
  const given = [1, 2, 3].map((i) => ({ address: peerAddress('127.0.0.1', i), options: PEER_DEFAULTS }))
  const state = sharedState(zone, 'group', given)!
  const peers = given.map(({ address, options }, i) => new Peer(address, options, address.name, state, i))
  noteHoldingsIn(new SharedArrayBuffer(0))
  assert.equal(peers[1]!.join(), NOT_NOTED)
  const holdings = new SharedArrayBuffer(HOLDINGS_SIZE)
  noteHoldingsIn(holdings)
  const notes = peers.map((peer) => peer.join())
  peers[1]!.join()
  peers[0]!.leave(notes[0]!)
  assert.deepEqual(
    peers.map(({ conns }) => conns),
    [0, 3, 1],
  )
  for (const time of ['once', 'twice']) {
    releaseThread([zone.buffer], { threadId: THREAD, holdings })
    forgetHeld(holdings)
    assert.deepEqual(
      peers.map(({ conns }) => conns),
      [0, 1, 0],
      time,
    )
  }
})
