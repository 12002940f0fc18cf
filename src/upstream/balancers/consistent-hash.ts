/**
 * Ketama: each server has 160 points per weight on a ring of CRC-32 values, and a key belongs to the next point. Adding
 * or removing a server moves only its own share. Compatible with Cache::Memcached::Fast (ngx_http_upstream_get_chash_peer).
 */
import { crc32 } from '../../lib/crc32.ts'
import type { Peer } from '../peer.ts'
import type { Balancer } from './balancer.ts'
import { choose, gain, TRIES_MAX, type Tried, usable } from './common.ts'
import { RoundRobin } from './round-robin.ts'

const POINTS_PER_WEIGHT = 160

interface Point {
  readonly hash: number
  readonly server: string
}

export class ConsistentHash implements Balancer {
  readonly #peers: readonly Peer[]
  readonly #points: readonly Point[]
  readonly #fallback: RoundRobin

  constructor(peers: readonly Peer[]) {
    this.#peers = peers
    this.#points = makePoints(peers)
    this.#fallback = new RoundRobin(peers)
  }

  pick(key: string, tried: Tried, nowS: number): Peer | undefined {
    if (this.#peers.length < 2 || key === '') return this.#fallback.pick(key, tried, nowS)
    let at = this.#find(crc32(key))
    for (let attempt = 0; attempt <= TRIES_MAX; attempt++, at++) {
      const peer = this.#ofServer(this.#points[at % this.#points.length]!.server, tried, nowS)
      if (peer !== undefined) return choose(peer, nowS)
    }
    return this.#fallback.pick(key, tried, nowS)
  }

  /** The first point that is not before `hash`; behind the last one comes the first. */
  #find(hash: number): number {
    let low = 0
    let high = this.#points.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#points[middle]!.hash < hash) low = middle + 1
      else high = middle
    }
    return low
  }

  /** A server name may have several addresses: round robin among them. */
  #ofServer(server: string, tried: Tried, nowS: number): Peer | undefined {
    let best: Peer | undefined
    let total = 0
    for (const peer of this.#peers) {
      if (peer.server !== server || !usable(peer, tried, nowS)) continue
      total += gain(peer)
      if (best === undefined || peer.currentWeight > best.currentWeight) best = peer
    }
    if (best !== undefined) best.currentWeight -= total
    return best
  }
}

function makePoints(peers: readonly Peer[]): Point[] {
  const points: Point[] = []
  for (const { server, options } of peers) {
    const [host, port] = splitServer(server)
    const base = crc32(`${host}\0${port}`)
    let previous = 0
    for (let i = 0; i < options.weight * POINTS_PER_WEIGHT; i++) {
      previous = crc32(littleEndian(previous), base)
      points.push({ hash: previous, server })
    }
  }
  points.sort((a, b) => a.hash - b.hash)
  return points.filter((point, i) => i === 0 || point.hash !== points[i - 1]!.hash)
}

function splitServer(server: string): readonly [string, string] {
  if (/^unix:/i.test(server)) return [server.slice(5), '']
  const match = /^(.*):(\d*)$/s.exec(server)
  return match === null ? [server, ''] : [match[1]!, match[2]!]
}

function littleEndian(value: number): string {
  return String.fromCharCode(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24)
}
