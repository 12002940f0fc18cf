/** Smooth weighted round robin (ngx_http_upstream_get_peer): weights 5,1,1 give a a b a c a a. */
import type { Balancer } from '../group.ts'
import type { Peer } from '../peer.ts'
import { choose, gain, type Tried, totalWeight, usable } from './common.ts'

export class RoundRobin implements Balancer {
  readonly #peers: readonly Peer[]
  readonly #total: number

  constructor(peers: readonly Peer[]) {
    this.#peers = peers
    this.#total = totalWeight(peers)
  }

  pick(_key: string, tried: Tried, nowS: number): Peer | undefined {
    const peers = this.#peers
    let best: Peer | undefined
    let total = 0
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[i]!
      if (!usable(peer, tried, nowS)) continue
      total += gain(peer)
      if (best === undefined || peer.currentWeight > best.currentWeight) best = peer
    }
    if (best === undefined) return undefined
    best.currentWeight -= total
    return choose(best, nowS)
  }

  /** A bound request counts as this server's turn, but it cannot save up more than one round of the others' turns. */
  onBound(bound: Peer, tried: Tried, nowS: number): void {
    if (bound.currentWeight <= bound.options.weight - this.#total) return
    let total = 0
    for (const peer of this.#peers) if (usable(peer, tried, nowS)) total += gain(peer)
    bound.currentWeight -= total
  }
}
