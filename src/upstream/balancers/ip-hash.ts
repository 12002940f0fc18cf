/**
 * The same server for the same client network: /24 of IPv4, all of IPv6 (ngx_http_upstream_get_ip_hash_peer). A server
 * that cannot be used gives its clients to the next one that the hash names.
 */

import type { Peer } from '../peer.ts'
import type { Balancer } from './balancer.ts'
import { choose, peerAt, TRIES_MAX, type Tried, totalWeight, usable } from './common.ts'
import { RoundRobin } from './round-robin.ts'

const SEED = 89
const FACTOR = 113
const MODULUS = 6271
const IPV4_BYTES = 3

/** Takes the client's binary address as key. */
export class IpHash implements Balancer {
  readonly #peers: readonly Peer[]
  readonly #total: number
  readonly #fallback: RoundRobin

  constructor(peers: readonly Peer[]) {
    this.#peers = peers
    this.#total = totalWeight(peers)
    this.#fallback = new RoundRobin(peers)
  }

  pick(key: string, tried: Tried, nowS: number): Peer | undefined {
    if (this.#peers.length < 2) return this.#fallback.pick(key, tried, nowS)
    const length = key.length === 4 ? IPV4_BYTES : key.length
    let hash = SEED
    for (let attempt = 0; attempt <= TRIES_MAX; attempt++) {
      for (let i = 0; i < length; i++) hash = (hash * FACTOR + key.charCodeAt(i)) % MODULUS
      const peer = peerAt(this.#peers, hash % this.#total)
      if (usable(peer, tried, nowS)) return choose(peer, nowS)
    }
    return this.#fallback.pick(key, tried, nowS)
  }
}
