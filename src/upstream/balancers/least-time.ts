/**
 * The server that is expected to be done first: its average time by the requests that it works on
 * (ngx_http_upstream_least_time_module). With `inflight`, requests that are not answered yet count too, so that a server
 * that hangs is noticed before it answers.
 */
import { clock } from '../../lib/clock.ts'
import type { Peer } from '../peer.ts'
import type { Balancer } from './balancer.ts'
import { choose, type Tried, takeTurn, usable } from './common.ts'

const WORST_MS = 5000
/** Times this close are equal. */
const CLUSTER_MS = 20

/** Chooses by expected time; `header` counts to the head of a response, else to its end. */
export class LeastTime implements Balancer {
  readonly #peers: readonly Peer[]
  readonly #header: boolean
  readonly #inflight: boolean
  /** Those with the shortest time found so far; the list is used again by the next choice. */
  readonly #soonest: Peer[] = []

  constructor(peers: readonly Peer[], header: boolean, inflight: boolean) {
    this.#peers = peers
    this.#header = header
    this.#inflight = inflight
  }

  pick(_key: string, tried: Tried, nowS: number): Peer | undefined {
    if (this.#inflight) for (const peer of this.#peers) updateInflight(peer)
    const soonest = this.#soonest
    soonest.length = 0
    let shortest = 0
    for (const peer of this.#peers) {
      if (!usable(peer, tried, nowS)) continue
      const time = eta(peer, this.#header, nowS)
      // Times per weight, compared without dividing.
      const difference = soonest.length === 0 ? -1 : time * soonest[0]!.options.weight - shortest * peer.options.weight
      if (difference > 0) continue
      if (difference < 0) {
        soonest.length = 0
        shortest = time
      }
      soonest.push(peer)
    }
    if (soonest.length === 0) return undefined
    const peer = choose(takeTurn(soonest), nowS)
    if (this.#inflight) begin(peer)
    return peer
  }

  onBound(peer: Peer): void {
    if (this.#inflight) begin(peer)
  }

  /** The head of a response is there. */
  onHead(peer: Peer, headerMs: number): void {
    if (!this.#inflight || !this.#header) return
    end(peer, headerMs)
    peer.headerMs = average(peer.headerMs, headerMs)
  }

  /** An attempt is over; times are -1 when the moment never came. */
  onDone(peer: Peer, good: boolean, headerMs: number, responseMs: number): void {
    const headCounted = this.#inflight && this.#header && headerMs >= 0
    if (this.#inflight && !headCounted) end(peer, responseMs)
    // Failed attempts are quick: counting them would prefer servers that fail.
    if (!good || headerMs < 0) return
    peer.responseMs = average(peer.responseMs, responseMs)
    if (!headCounted) peer.headerMs = average(peer.headerMs, headerMs)
  }
}

/** The expected time of one more request. */
export function eta(peer: Peer, header: boolean, nowS: number): number {
  let time = header ? peer.headerMs : peer.responseMs
  const idleS = nowS - peer.checked
  // A slow server gets a chance now and then: its time halves with each fail_timeout.
  if (idleS > peer.options.failTimeoutS) time >>= Math.min(30, Math.floor(idleS / (peer.options.failTimeoutS + 1)))
  if (peer.inflight > 0) time = Math.max(time, peer.inflightMs)
  time = time > WORST_MS ? WORST_MS : time + CLUSTER_MS - (time % CLUSTER_MS)
  return time * (1 + peer.conns)
}

function average(before: number, value: number): number {
  return before === 0 ? value : Math.floor(0.5 + value * 0.05 + before * 0.95)
}

function updateInflight(peer: Peer): void {
  if (peer.inflight === 0) return
  const time = peer.inflightSumMs / peer.inflight + (clock.monotonic - peer.inflightAtMs)
  peer.inflightMs = average(peer.inflightMs, Math.floor(time))
}

function begin(peer: Peer): void {
  if (peer.inflight > 0) peer.inflightSumMs += (clock.monotonic - peer.inflightAtMs) * peer.inflight
  peer.inflightAtMs = clock.monotonic
  peer.inflight++
}

function end(peer: Peer, lastMs: number): void {
  if (peer.inflight <= 0) return
  if (peer.inflight === 1) peer.inflightSumMs = 0
  else {
    peer.inflightSumMs += (clock.monotonic - peer.inflightAtMs) * peer.inflight - lastMs
    peer.inflightAtMs = clock.monotonic
  }
  peer.inflight--
}
