/** What several balancers share: walking by weight, and choosing the cheapest with round robin among equals. */
import type { Peer } from '../peer.ts'

/** Attempts of a hash or random balancer to hit a server that can be used, before round robin decides. */
export const TRIES_MAX = 20

/** The peers that a request has tried. */
export type Tried = ReadonlySet<Peer> | undefined

/** Tells whether a request may be sent to the peer: it was not tried, and nothing is known against it. */
export function usable(peer: Peer, tried: Tried, nowS: number): boolean {
  return tried?.has(peer) !== true && peer.available(nowS)
}

/** The sum of all weights. */
export function totalWeight(peers: readonly Peer[]): number {
  let total = 0
  for (const peer of peers) total += peer.options.weight
  return total
}

/** The peer that stands at `position` when each is as long as its weight. */
export function peerAt(peers: readonly Peer[], position: number): Peer {
  let left = position
  for (const peer of peers) {
    left -= peer.options.weight
    if (left < 0) return peer
  }
  return peers[peers.length - 1]!
}

/** A peer was chosen: its `fail_timeout` window begins anew when the last one is over. */
export function choose(peer: Peer, nowS: number): Peer {
  if (nowS - peer.checked > peer.options.failTimeoutS) peer.checked = nowS
  return peer
}

/** The peer with the lowest cost per weight; among equals smooth round robin decides. */
export function cheapest(
  peers: readonly Peer[],
  tried: Tried,
  nowS: number,
  cost: (peer: Peer) => number,
): Peer | undefined {
  let best: Peer | undefined
  let bestCost = 0
  let many = false
  for (const peer of peers) {
    if (!usable(peer, tried, nowS)) continue
    const price = cost(peer)
    const difference = best === undefined ? -1 : price * best.options.weight - bestCost * peer.options.weight
    if (difference < 0) {
      best = peer
      bestCost = price
      many = false
    } else if (difference === 0) many = true
  }
  if (best === undefined) return undefined
  return choose(many ? amongEquals(peers, best, bestCost, tried, nowS, cost) : best, nowS)
}

function amongEquals(
  peers: readonly Peer[],
  first: Peer,
  firstCost: number,
  tried: Tried,
  nowS: number,
  cost: (peer: Peer) => number,
): Peer {
  let best = first
  let total = 0
  for (let i = peers.indexOf(first); i < peers.length; i++) {
    const peer = peers[i]!
    if (!usable(peer, tried, nowS)) continue
    if (cost(peer) * first.options.weight !== firstCost * peer.options.weight) continue
    total += gain(peer)
    if (peer.currentWeight > best.currentWeight) best = peer
  }
  best.currentWeight -= total
  return best
}

/** One step of smooth round robin for a peer; returns what it gained. */
export function gain(peer: Peer): number {
  const effective = peer.effectiveWeight
  peer.currentWeight += effective
  if (effective < peer.options.weight) peer.effectiveWeight = effective + 1
  return effective
}
