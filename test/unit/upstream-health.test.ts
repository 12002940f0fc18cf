/** The engine of health checks: counting, several checks of one server, servers that come and go. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorLog, INFO } from '../../src/log/error-log.ts'
import { RoundRobin } from '../../src/upstream/balancers/round-robin.ts'
import { PeerGroup } from '../../src/upstream/group.ts'
import { privateState } from '../../src/upstream/group-state.ts'
import { type CheckOptions, HealthChecks, type Probe, type ProbeOwner } from '../../src/upstream/health.ts'
import { Peer } from '../../src/upstream/peer.ts'
import { CHECKING, HEALTHY, UNHEALTHY } from '../../src/upstream/peer-row.ts'
import { PEER_DEFAULTS, peerAddress } from '../../src/upstream/registry.ts'

const OPTIONS: CheckOptions = {
  name: 'm',
  type: 'http',
  intervalMs: 1000,
  jitterMs: 0,
  fails: 2,
  passes: 3,
  port: 0,
  before: HEALTHY,
}

/** A probe that answers when the test says so. */
class Scripted implements Probe {
  readonly owner: ProbeOwner
  peer: Peer | undefined

  constructor(owner: ProbeOwner) {
    this.owner = owner
  }
  start(peer: Peer): void {
    this.peer = peer
  }
  stop(): void {
    this.peer = undefined
  }
}

function peersOf(...numbers: number[]): Peer[] {
  const state = privateState(numbers.length)
  return numbers.map(
    (n, i) => new Peer(peerAddress(`127.0.0.${n}`, 80), { ...PEER_DEFAULTS, slowStartMs: 60_000 }, '', state, i),
  )
}

class Bench {
  readonly lines: string[] = []
  readonly probes: Scripted[] = []
  readonly log = new ErrorLog([{ level: INFO, target: { writeLine: (_, line) => this.lines.push(line) } }])
  readonly checks = new HealthChecks()
  readonly group: PeerGroup

  constructor(peers: readonly Peer[]) {
    this.group = new PeerGroup('u', peers, [], (list) => new RoundRobin(list), undefined)
  }

  add(options: Partial<CheckOptions> = {}): void {
    const make = (owner: ProbeOwner): Probe => {
      const probe = new Scripted(owner)
      this.probes.push(probe)
      return probe
    }
    this.checks.add(this.group, { ...OPTIONS, ...options }, make, this.log)
  }

  answer(probe: number, ...results: boolean[]): void {
    for (const passed of results) this.probes[probe]!.owner.onResult(passed, 'asking', passed ? '' : 'it failed')
  }
}

test('a check changes its mind after so many results in a row, and says so once', () => {
  const [peer] = peersOf(1)
  const bench = new Bench([peer!])
  bench.add()
  bench.checks.start()
  bench.answer(0, false, true, false)
  assert.equal(peer!.health, HEALTHY)
  bench.answer(0, false)
  assert.equal(peer!.health, UNHEALTHY)
  bench.answer(0, false, true, true, false, true, true)
  assert.equal(peer!.health, UNHEALTHY)
  bench.answer(0, true)
  assert.equal(peer!.health, HEALTHY)
  assert.equal(peer!.warmth, 0, 'slow_start begins')
  assert.deepEqual([peer!.checks, peer!.checksFailed, peer!.unhealthyCount, peer!.lastPassed], [11, 5, 1, 1])
  const about = 'health check "m" of peer 127.0.0.1:80 in upstream "u"'
  const changes = bench.lines.filter((line) => / peer is /.test(line))
  assert.match(changes[0]!, new RegExp(`\\[warn\\] .* peer is unhealthy while asking, ${about}\\n$`))
  assert.match(changes[1]!, new RegExp(`\\[notice\\] .* peer is healthy while asking, ${about}\\n$`))
  assert.equal(changes.length, 2)
  assert.equal(bench.lines.filter((line) => /\[error\] .* it failed while asking, health/.test(line)).length, 4)
  bench.checks.stop()
})

test('the first result of a mandatory check decides', () => {
  const [good, bad] = peersOf(1, 2)
  const bench = new Bench([good!, bad!])
  bench.add({ before: CHECKING })
  assert.deepEqual([good!.health, bad!.health], [CHECKING, CHECKING])
  bench.checks.start()
  bench.answer(0, true)
  bench.answer(1, false)
  assert.deepEqual([good!.health, bad!.health], [HEALTHY, UNHEALTHY])
  bench.checks.stop()
})

test('a server is well when all checks say so', () => {
  const [peer] = peersOf(1)
  const bench = new Bench([peer!])
  bench.add({ fails: 1, passes: 1 })
  bench.add({ fails: 1, passes: 1 })
  bench.checks.start()
  bench.answer(0, false)
  bench.answer(1, true, false)
  bench.answer(0, true)
  assert.equal(peer!.health, UNHEALTHY)
  bench.answer(1, true)
  assert.equal(peer!.health, HEALTHY)
  bench.checks.stop()
})

test('a worker that takes over believes what the one before found', () => {
  const [peer] = peersOf(1)
  const first = new Bench([peer!])
  first.add({ before: CHECKING })
  first.checks.start()
  first.answer(0, false)
  const second = new Bench([peer!])
  second.add({ before: CHECKING })
  second.checks.start()
  assert.equal(peer!.health, UNHEALTHY)
  second.answer(0, true, true)
  assert.equal(peer!.health, UNHEALTHY)
  second.answer(0, true)
  assert.equal(peer!.health, HEALTHY)
  first.checks.stop()
  second.checks.stop()
})

test('servers that come are asked, those that go are not, those that stay keep their state in new rows', () => {
  const bench = new Bench(peersOf(1, 2))
  bench.add({ fails: 1, before: CHECKING })
  bench.checks.start()
  bench.answer(0, false)
  bench.answer(1, true)
  const [stays, comes] = peersOf(1, 3)
  bench.group.replace([stays!, comes!], [])
  assert.equal(stays!.health, UNHEALTHY)
  assert.equal(comes!.health, CHECKING)
  assert.equal(bench.probes.length, 3)
  const next = new Bench(peersOf(1, 3))
  next.add({ before: CHECKING })
  next.checks.inherit(bench.checks)
  assert.deepEqual(
    next.group.peers.map((peer) => peer.health),
    [UNHEALTHY, CHECKING],
  )
  bench.checks.stop()
})
