/**
 * The server with the fewest requests under way (`fair` of ngx_http_upstream_fair_module): like least_conn, but among
 * servers that are equally busy it goes round in a circle, and weights may mean more than a share.
 *
 *   default            requests per weight
 *   weight_mode=idle   a server counts as idle until it has as many requests as its weight
 *   weight_mode=peak   a server never gets more requests than its weight
 */
import type { Peer } from '../peer.ts'
import type { Balancer } from './balancer.ts'
import { choose, type Tried, usable } from './common.ts'

/** What a weight means. */
export type FairWeight = 'share' | 'idle' | 'peak'

export class Fair implements Balancer {
  readonly #peers: readonly Peer[]
  readonly #weight: FairWeight
  readonly #circle: boolean
  /** Where the walk begins: behind the server that was chosen last. */
  #next = 0

  /** `circle` false is `no_rr`: among equals always the first of the list. */
  constructor(peers: readonly Peer[], weight: FairWeight, circle: boolean) {
    this.#peers = peers
    this.#weight = weight
    this.#circle = circle
  }

  pick(_key: string, tried: Tried, nowS: number): Peer | undefined {
    const peers = this.#peers
    let best: Peer | undefined
    let bestAt = 0
    for (let i = 0; i < peers.length; i++) {
      const at = (this.#next + i) % peers.length
      const peer = peers[at]!
      if (!usable(peer, tried, nowS) || (this.#weight === 'peak' && peer.conns >= peer.options.weight)) continue
      if (best !== undefined && this.#compare(peer, best) >= 0) continue
      best = peer
      bestAt = at
    }
    if (best === undefined) return undefined
    if (this.#circle) this.#next = (bestAt + 1) % peers.length
    return choose(best, nowS)
  }

  /** Below 0 when `a` is less busy. */
  #compare(a: Peer, b: Peer): number {
    if (this.#weight === 'peak') return a.conns - b.conns
    if (this.#weight === 'idle')
      return Math.max(0, a.conns - a.options.weight + 1) - Math.max(0, b.conns - b.options.weight + 1)
    return a.conns * b.options.weight - b.conns * a.options.weight
  }
}
