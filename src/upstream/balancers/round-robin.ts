/**
 * Smooth weighted round robin (ngx_http_upstream_get_peer): weights 5,1,1 give a a b a c a a. Every server gains with
 * every choice, so with a thousand of them the walk is most of the work: where it can, it reads bare numbers.
 */

import type { Peer } from '../peer.ts'
import { CHANGES, CURRENT, EFFECTIVE, FAILS, HEALTH } from '../peer-row.ts'
import type { Balancer } from './balancer.ts'
import { choose, gain, type Tried, totalWeight, usable } from './common.ts'

export class RoundRobin implements Balancer {
  readonly #peers: readonly Peer[]
  readonly #total: number
  /** Set when failures and checks alone decide who may be used, and the rows of all stand side by side. */
  readonly #columns: Columns | undefined

  constructor(peers: readonly Peer[]) {
    this.#peers = peers
    this.#total = totalWeight(peers)
    this.#columns = sideBySide(peers) ? new Columns(peers, this.#total) : undefined
  }

  pick(_key: string, tried: Tried, nowS: number): Peer | undefined {
    const columns = this.#columns
    if (columns === undefined || tried !== undefined) return this.#pickAny(tried, nowS)
    const best = columns.turn(nowS)
    return best < 0 ? undefined : choose(this.#peers[best]!, nowS)
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

function sideBySide(peers: readonly Peer[]): boolean {
  const [first] = peers
  if (first === undefined) return false
  return peers.every(
    ({ cells, row, options }, i) =>
      cells === first.cells && row === first.row + i && !options.down && !options.drain && options.maxConns === 0,
  )
}

/** The turns of peers whose numbers stand side by side. */
class Columns {
  readonly #peers: readonly Peer[]
  readonly #total: number
  readonly #weights: Int32Array
  readonly #cells: Int32Array
  readonly #changes: number
  readonly #fails: number
  readonly #health: number
  readonly #effective: number
  readonly #current: number
  /** The number of changes at which every peer could be used and had its whole weight; -1: not found so yet. */
  #calmAt = -1

  constructor(peers: readonly Peer[], total: number) {
    const { cells, row, stride } = peers[0]!
    this.#peers = peers
    this.#total = total
    this.#weights = Int32Array.from(peers, ({ options }) => options.weight)
    this.#cells = cells
    this.#changes = CHANGES * stride
    this.#fails = FAILS * stride + row
    this.#health = HEALTH * stride + row
    this.#effective = EFFECTIVE * stride + row
    this.#current = CURRENT * stride + row
  }

  /** Whose turn it is; -1 when nobody can be used. */
  turn(nowS: number): number {
    const changes = this.#cells[this.#changes]! & 0x7fffffff
    if (changes === this.#calmAt) return this.#turnOfAll()
    this.#calmAt = this.#calm() ? changes : -1
    return this.#calmAt < 0 ? this.#turnOfUsable(nowS) : this.#turnOfAll()
  }

  #calm(): boolean {
    const cells = this.#cells
    const weights = this.#weights
    for (let i = 0; i < weights.length; i++) {
      if ((cells[this.#fails + i]! | cells[this.#health + i]!) !== 0) return false
      if (cells[this.#effective + i] !== weights[i]) return false
    }
    return true
  }

  #turnOfAll(): number {
    const cells = this.#cells
    const count = this.#weights.length
    const weight = this.#effective
    const current = this.#current
    let best = 0
    let most = cells[current]! + cells[weight]!
    for (let i = 0; i < count; i++) {
      const value = cells[current + i]! + cells[weight + i]!
      cells[current + i] = value
      if (value <= most) continue
      best = i
      most = value
    }
    cells[current + best] = most - this.#total
    return best
  }

  #turnOfUsable(nowS: number): number {
    const cells = this.#cells
    const weights = this.#weights
    const [fails, health, effective, current] = [this.#fails, this.#health, this.#effective, this.#current]
    let best = -1
    let most = 0
    let total = 0
    for (let i = 0; i < weights.length; i++) {
      if ((cells[fails + i]! | cells[health + i]!) !== 0 && !this.#peers[i]!.available(nowS)) continue
      const weight = cells[effective + i]!
      const value = cells[current + i]! + weight
      cells[current + i] = value
      if (weight < weights[i]!) cells[effective + i] = weight + 1
      total += weight
      if (best >= 0 && value <= most) continue
      best = i
      most = value
    }
    if (best >= 0) cells[current + best] = most - total
    return best
  }
}
