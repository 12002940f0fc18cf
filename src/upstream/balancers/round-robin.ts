/** Smooth weighted round robin (ngx_http_upstream_get_peer): weights 5,1,1 give a a b a c a a. */
import type { Balancer } from '../group.ts'
import { CURRENT, EFFECTIVE, FAILS, HEALTH, type Peer } from '../peer.ts'
import { choose, gain, type Tried, totalWeight, usable } from './common.ts'

const NO_CELLS = new Int32Array(0)

export class RoundRobin implements Balancer {
  readonly #peers: readonly Peer[]
  readonly #total: number
  readonly #weights: Int32Array
  readonly #rows: Int32Array
  /** Failures and checks alone decide who may be used, and all numbers stand in one array. */
  readonly #plain: boolean

  constructor(peers: readonly Peer[]) {
    this.#peers = peers
    this.#total = totalWeight(peers)
    this.#weights = Int32Array.from(peers, ({ options }) => options.weight)
    this.#rows = Int32Array.from(peers, ({ row }) => row)
    this.#plain = peers.every(
      ({ options, cells }) => !options.down && !options.drain && options.maxConns === 0 && cells === peers[0]!.cells,
    )
  }

  pick(_key: string, tried: Tried, nowS: number): Peer | undefined {
    return this.#plain && tried === undefined ? this.#pickPlain(nowS) : this.#pickAny(tried, nowS)
  }

  /** The same choice over bare numbers: a group may have a thousand servers, and each of them gains. */
  #pickPlain(nowS: number): Peer | undefined {
    const peers = this.#peers
    const weights = this.#weights
    const rows = this.#rows
    const cells = peers[0]?.cells ?? NO_CELLS
    let best = -1
    let bestCurrent = 0
    let total = 0
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!
      if ((cells[row + FAILS]! | cells[row + HEALTH]!) !== 0 && !peers[i]!.available(nowS)) continue
      const effective = cells[row + EFFECTIVE]!
      const current = cells[row + CURRENT]! + effective
      cells[row + CURRENT] = current
      if (effective < weights[i]!) cells[row + EFFECTIVE] = effective + 1
      total += effective
      if (best >= 0 && current <= bestCurrent) continue
      best = i
      bestCurrent = current
    }
    if (best < 0) return undefined
    const peer = peers[best]!
    peer.currentWeight -= total
    return choose(peer, nowS)
  }

  #pickAny(tried: Tried, nowS: number): Peer | undefined {
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
