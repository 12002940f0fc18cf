/** The server with the fewest connections for its weight (ngx_http_upstream_get_least_conn_peer). */

import type { Peer } from '../peer.ts'
import type { Balancer } from './balancer.ts'
import { cheapest, type Tried } from './common.ts'

export class LeastConn implements Balancer {
  readonly #peers: readonly Peer[]

  constructor(peers: readonly Peer[]) {
    this.#peers = peers
  }

  pick(_key: string, tried: Tried, nowS: number): Peer | undefined {
    return cheapest(this.#peers, tried, nowS, connections)
  }
}

function connections(peer: Peer): number {
  return peer.conns
}
