/** Round robin over bare numbers chooses exactly as the plain algorithm does, whatever happens to the servers meanwhile. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { clock, SYSTEM_TIME } from '../../src/lib/clock.ts'
import { NULL_LOG } from '../../src/log/error-log.ts'
import type { Balancer } from '../../src/upstream/balancers/balancer.ts'
import { RoundRobin } from '../../src/upstream/balancers/round-robin.ts'
import { FAILED, GOOD, type Outcome, PeerGroup, Selection } from '../../src/upstream/group.ts'
import { privateState } from '../../src/upstream/group-state.ts'
import { Peer } from '../../src/upstream/peer.ts'
import { HEALTHY, type PeerOptions, UNHEALTHY } from '../../src/upstream/peer-row.ts'
import { PEER_DEFAULTS, peerAddress } from '../../src/upstream/registry.ts'

let nowMs = 1_000_000
const attempt = { status: 200, connectMs: 0, headerMs: 1, responseMs: 1, bytesSent: 0, bytesReceived: 0 }
const context = { connection: 0, debugConnection: false, describe: () => '' }

before(() => clock.setSource({ wall: () => nowMs, monotonic: () => nowMs, offsetMinutes: () => 0 }))
after(() => clock.setSource(SYSTEM_TIME))

/** ngx_http_upstream_get_peer, word for word. */
class Plain implements Balancer {
  readonly #peers: readonly Peer[]

  constructor(peers: readonly Peer[]) {
    this.#peers = peers
  }

  pick(_key: string, tried: ReadonlySet<Peer> | undefined, nowS: number): Peer | undefined {
    let best: Peer | undefined
    let total = 0
    for (const peer of this.#peers) {
      if (tried?.has(peer) === true || !peer.available(nowS)) continue
      peer.currentWeight += peer.effectiveWeight
      total += peer.effectiveWeight
      if (peer.effectiveWeight < peer.options.weight) peer.effectiveWeight++
      if (best === undefined || peer.currentWeight > best.currentWeight) best = peer
    }
    if (best === undefined) return undefined
    best.currentWeight -= total
    if (nowS - best.checked > best.options.failTimeoutS) best.checked = nowS
    return best
  }
}

/** Numbers that look random and are the same every time. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

/** Two groups of the same servers; what `workers` says is how many balancers share the rows of the first. */
class Pair {
  readonly #groups: readonly (readonly PeerGroup[])[]
  #open: [Selection, Selection][] = []

  constructor(options: readonly Partial<PeerOptions>[], primaries: number, workers: number) {
    const peersOf = (): Peer[] => {
      const state = privateState(options.length)
      return options.map((given, i) => {
        const address = peerAddress('127.0.0.1', 1000 + i)
        return new Peer(address, { ...PEER_DEFAULTS, ...given }, address.name, state, i)
      })
    }
    this.#groups = [
      (peers: readonly Peer[]) => new RoundRobin(peers),
      (peers: readonly Peer[]) => new Plain(peers),
    ].map((make) => {
      const peers = peersOf()
      const group = () => new PeerGroup('u', peers.slice(0, primaries), peers.slice(primaries), make, undefined)
      return Array.from({ length: workers }, group)
    })
  }

  /** A request begins; both groups must choose alike. */
  begin(worker: number): void {
    const selections = this.#groups.map((workers) => {
      const selection = new Selection()
      selection.begin(workers[worker]!, 0)
      return selection
    }) as [Selection, Selection]
    if (this.#next(selections)) this.#open.push(selections)
  }

  #next([ours, plain]: [Selection, Selection]): boolean {
    const expected = plain.next('')?.address.name
    assert.equal(ours.next('')?.address.name, expected)
    return expected !== undefined
  }

  /** One of the open requests is over; one that failed goes on to the next server. */
  end(which: number, outcome: Outcome): void {
    const [selections] = this.#open.splice(which % Math.max(1, this.#open.length), 1)
    if (selections === undefined) return
    for (const selection of selections) selection.done(outcome, attempt, NULL_LOG, context)
    if (outcome !== FAILED || selections[0].triesLeft === 0) return
    if (this.#next(selections)) this.#open.push(selections)
  }

  setHealth(which: number, health: number): void {
    for (const [group] of this.#groups) {
      const peers = [...group!.peers, ...group!.backups]
      peers[which % peers.length]!.health = health
    }
  }

  /** Many choices in a row, all answered well: the group comes to rest. */
  rest(count: number): void {
    for (let i = 0; i < count; i++) {
      this.begin(0)
      this.end(this.#open.length - 1, GOOD)
    }
  }
}

function optionsOf(random: (below: number) => number): Partial<PeerOptions> {
  return {
    weight: 1 + (random(3) === 0 ? random(7) : 0),
    maxFails: random(4),
    failTimeoutS: 1 + random(5),
  }
}

for (const kind of ['plain', 'backups', 'down', 'max_conns', 'workers']) {
  test(`the plain algorithm and ours choose alike: ${kind}`, () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = numbers(seed * 7919)
      const count = 2 + random(12)
      const options = Array.from({ length: count }, () => optionsOf(random))
      if (kind === 'down') options[random(count)] = { down: true }
      if (kind === 'max_conns') for (const one of options) Object.assign(one, { maxConns: random(4) })
      const pair = new Pair(options, kind === 'backups' ? 1 + random(count - 1) : count, kind === 'workers' ? 3 : 1)
      for (let step = 0; step < 400; step++) act(pair, random, kind === 'workers' ? 3 : 1)
    }
  })
}

function act(pair: Pair, random: (below: number) => number, workers: number): void {
  const what = random(20)
  if (what < 9) pair.begin(random(workers))
  else if (what < 14) pair.end(random(100), GOOD)
  else if (what < 16) pair.end(random(100), FAILED)
  else if (what === 16) pair.setHealth(random(100), random(2) === 0 ? UNHEALTHY : HEALTHY)
  else if (what === 17) pair.rest(random(40))
  else {
    nowMs += random(3000)
    clock.update()
  }
}
