/**
 * What becomes of handshakes with servers of groups, over all groups: the numbers of each server are among its counts
 * (peer-counts.ts), which only servers of groups with a `zone` have.
 */
import { Tally, tallySize } from '../shared/tally.ts'

/** What is counted of handshakes with servers, in NGINX Plus's words. */
export const PEER_TLS_FIELDS = [
  'handshakes',
  'handshakes_failed',
  'session_reuses',
  'no_common_protocol',
  'handshake_timeout',
  'peer_rejected_cert',
  'expired_cert',
  'revoked_cert',
  'hostname_mismatch',
  'other',
] as const
/** One of them. */
export type PeerTlsField = (typeof PEER_TLS_FIELDS)[number]
/** All of them at a moment. */
export type PeerTlsNumbers = Readonly<Record<PeerTlsField, number>>

const SHAPE = { fields: PEER_TLS_FIELDS.length, gauges: 0 }

/** Bytes for them. */
export const PEER_TLS_TOTALS_SIZE: number = tallySize(SHAPE.fields)

/** Reads each of the numbers. */
export function peerTlsNumbers(value: (place: number) => number): PeerTlsNumbers {
  return Object.fromEntries(PEER_TLS_FIELDS.map((name, n) => [name, value(n)])) as PeerTlsNumbers // one for each name
}

/** The sums over all servers as one thread sees them. */
export class PeerTlsTotals {
  readonly #tally: Tally

  private constructor(tally: Tally) {
    this.#tally = tally
  }

  /** The sums in a buffer of `PEER_TLS_TOTALS_SIZE`. */
  static attach(name: string, buffer: SharedArrayBuffer): PeerTlsTotals | undefined {
    const tally = Tally.attach(name, buffer, SHAPE)
    return tally === undefined ? undefined : new PeerTlsTotals(tally)
  }

  count(field: PeerTlsField): void {
    this.#tally.row[PEER_TLS_FIELDS.indexOf(field)]!++
  }

  read(): PeerTlsNumbers {
    return peerTlsNumbers((place) => this.#tally.sum(place))
  }

  reset(): void {
    this.#tally.reset()
  }
}

/** Those of this thread; undefined where nothing shows them. */
let totals: PeerTlsTotals | undefined

/** Counts there from now on. */
export function sumPeerTlsIn(sums: PeerTlsTotals | undefined): void {
  totals = sums
}

/** The sums; undefined where nothing shows them. */
export function peerTlsTotals(): PeerTlsTotals | undefined {
  return totals
}
