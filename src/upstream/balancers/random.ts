/**
 * A random server by weight, or the better of two (ngx_http_upstream_random_module): good where many balancers share
 * the same servers and none sees all connections.
 */

import type { Peer } from '../peer.ts'
import type { Balancer } from './balancer.ts'
import { choose, peerAt, TRIES_MAX, type Tried, totalWeight, usable } from './common.ts'
import { RoundRobin } from './round-robin.ts'

/** What the second of two servers must be better in; undefined: one is enough. */
export type Comparison = ((peer: Peer) => number) | undefined

export class Random implements Balancer {
  readonly #peers: readonly Peer[]
  readonly #total: number
  readonly #compare: Comparison
  readonly #fallback: RoundRobin

  constructor(peers: readonly Peer[], compare: Comparison) {
    this.#peers = peers
    this.#total = totalWeight(peers)
    this.#compare = compare
    this.#fallback = new RoundRobin(peers)
  }

  pick(key: string, tried: Tried, nowS: number): Peer | undefined {
    if (this.#peers.length < 2) return this.#fallback.pick(key, tried, nowS)
    let first: Peer | undefined
    for (let attempt = 0; attempt <= TRIES_MAX; attempt++) {
      const peer = peerAt(this.#peers, Math.floor(Math.random() * this.#total))
      if (peer === first || !usable(peer, tried, nowS)) continue
      if (this.#compare === undefined) return choose(peer, nowS)
      if (first !== undefined) return choose(this.#better(first, peer, this.#compare), nowS)
      first = peer
    }
    return this.#fallback.pick(key, tried, nowS)
  }

  #better(first: Peer, second: Peer, cost: (peer: Peer) => number): Peer {
    return cost(second) * first.options.weight > cost(first) * second.options.weight ? first : second
  }
}
