/** A way to choose among the peers of a group. */
import type { Peer } from '../peer.ts'

/** An algorithm over one set of peers. */
export interface Balancer {
  /** The peer for a request, not one of those tried; undefined when none is available. */
  pick(key: string, tried: ReadonlySet<Peer> | undefined, nowS: number): Peer | undefined
  /** A request was bound to `peer`, which can be used: counts that, as `pick` does. */
  onBound?(peer: Peer, tried: ReadonlySet<Peer> | undefined, nowS: number): void
  /** The head of a response is there. */
  onHead?(peer: Peer, headerMs: number): void
  /** An attempt is over; times are -1 when the moment never came. */
  onDone?(peer: Peer, good: boolean, headerMs: number, responseMs: number): void
}

/** Made per set of peers (primaries, backups). */
export type BalancerFactory = (peers: readonly Peer[]) => Balancer
