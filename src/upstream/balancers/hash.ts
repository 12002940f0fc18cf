/** The same server for the same key; compatible with Cache::Memcached (ngx_http_upstream_get_hash_peer). */
import { crc32 } from '../../lib/crc32.ts'
import type { Peer } from '../peer.ts'
import type { Balancer } from './balancer.ts'
import { choose, peerAt, TRIES_MAX, type Tried, totalWeight, usable } from './common.ts'
import { RoundRobin } from './round-robin.ts'

export class Hash implements Balancer {
  readonly #peers: readonly Peer[]
  readonly #total: number
  readonly #fallback: RoundRobin

  constructor(peers: readonly Peer[]) {
    this.#peers = peers
    this.#total = totalWeight(peers)
    this.#fallback = new RoundRobin(peers)
  }

  pick(key: string, tried: Tried, nowS: number): Peer | undefined {
    if (this.#peers.length < 2 || key === '') return this.#fallback.pick(key, tried, nowS)
    let hash = 0
    for (let rehash = 0; rehash <= TRIES_MAX; rehash++) {
      // The number of the attempt is put before the key, but not at first.
      hash += (crc32(rehash === 0 ? key : rehash + key) >>> 16) & 0x7fff
      const peer = peerAt(this.#peers, hash % this.#total)
      if (usable(peer, tried, nowS)) return choose(peer, nowS)
    }
    return this.#fallback.pick(key, tried, nowS)
  }
}
