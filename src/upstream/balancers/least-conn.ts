/** The server with the fewest connections for its weight (ngx_http_upstream_get_least_conn_peer). */

import type { Peer } from '../peer.ts'
import type { Balancer } from './balancer.ts'
import { choose, type Tried, takeTurn, usable } from './common.ts'

export class LeastConn implements Balancer {
  readonly #peers: readonly Peer[]
  /** Those with the lowest load found so far; the list is used again by the next choice. */
  readonly #least: Peer[] = []

  constructor(peers: readonly Peer[]) {
    this.#peers = peers
  }

  pick(_key: string, tried: Tried, nowS: number): Peer | undefined {
    const least = this.#least
    least.length = 0
    for (const peer of this.#peers) {
      if (!usable(peer, tried, nowS)) continue
      const difference = least.length === 0 ? 0 : compareLoad(peer, least[0]!)
      if (difference > 0) continue
      if (difference < 0) least.length = 0
      least.push(peer)
    }
    return least.length === 0 ? undefined : choose(takeTurn(least), nowS)
  }
}

/** Connections per weight, compared without dividing; below 0 when `a` has the lower load. */
function compareLoad(a: Peer, b: Peer): number {
  return a.conns * b.options.weight - b.conns * a.options.weight
}
