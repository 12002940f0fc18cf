/** Smooth weighted round robin (ngx_http_upstream_get_peer): weights 5,1,1 give a a b a c a a. */
import type { Balancer } from '../group.ts'
import type { Peer } from '../peer.ts'

export class RoundRobin implements Balancer {
  readonly #peers: readonly Peer[]

  constructor(peers: readonly Peer[]) {
    this.#peers = peers
  }

  pick(_key: string, tried: ReadonlySet<Peer> | undefined, nowS: number): Peer | undefined {
    const peers = this.#peers
    let best: Peer | undefined
    let total = 0
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[i]!
      if (tried?.has(peer) === true || !peer.available(nowS)) continue
      const effective = peer.effectiveWeight
      const current = peer.currentWeight + effective
      peer.currentWeight = current
      total += effective
      if (effective < peer.options.weight) peer.effectiveWeight = effective + 1
      if (best === undefined || current > best.currentWeight) best = peer
    }
    if (best === undefined) return undefined
    best.currentWeight -= total
    if (nowS - best.checked > best.options.failTimeoutS) best.checked = nowS
    return best
  }
}
