/**
 * `slow_start`: a server that has recovered gets its share of requests little by little. Wraps any balancer: a server
 * that is still warming up is left out of a choice as often as it is cold. With a hash method keys come over one by one
 * and stay, because then it is the key that decides; else it is chance.
 */
import { crc32 } from '../lib/crc32.ts'
import type { Balancer, BalancerFactory } from './balancers/balancer.ts'
import type { Peer } from './peer.ts'

const TWO_32 = 4294967296

/** Makes balancers that obey `slow_start`; where no server has it, those of `make` as they are. */
export function slowStarting(make: BalancerFactory, random: () => number = Math.random): BalancerFactory {
  return (peers) => {
    const slow = peers.filter((peer) => peer.options.slowStartMs > 0)
    return slow.length === 0 ? make(peers) : new SlowStart(make(peers), slow, random)
  }
}

class SlowStart implements Balancer {
  readonly #inner: Balancer
  /** Those of the servers that have a `slow_start`. */
  readonly #slow: readonly Peer[]
  readonly #random: () => number

  constructor(inner: Balancer, slow: readonly Peer[], random: () => number) {
    this.#inner = inner
    this.#slow = slow
    this.#random = random
  }

  pick(key: string, tried: ReadonlySet<Peer> | undefined, nowS: number): Peer | undefined {
    let left: Set<Peer> | undefined
    for (const peer of this.#slow) {
      const { warmth } = peer
      if (warmth === 1 || this.#lot(key, peer) < warmth) continue
      left ??= new Set(tried)
      left.add(peer)
    }
    if (left === undefined) return this.#inner.pick(key, tried, nowS)
    // A cold server is better than none.
    return this.#inner.pick(key, left, nowS) ?? this.#inner.pick(key, tried, nowS)
  }

  /** From 0 to 1. */
  #lot(key: string, peer: Peer): number {
    return key === '' ? this.#random() : crc32(key + peer.sid) / TWO_32
  }

  onBound(peer: Peer, tried: ReadonlySet<Peer> | undefined, nowS: number): void {
    this.#inner.onBound?.(peer, tried, nowS)
  }

  onHead(peer: Peer, headerMs: number): void {
    this.#inner.onHead?.(peer, headerMs)
  }

  onDone(peer: Peer, good: boolean, headerMs: number, responseMs: number): void {
    this.#inner.onDone?.(peer, good, headerMs, responseMs)
  }
}
