/** What several balancers share: who may be used, walking by weight, turns among equals. */
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

/** The one whose turn it is among peers that are equally good, by smooth round robin; there is at least one. */
export function takeTurn(equals: readonly Peer[]): Peer {
  let best = equals[0]!
  if (equals.length === 1) return best
  let total = 0
  for (let i = 0; i < equals.length; i++) {
    const peer = equals[i]!
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
