/**
 * What is counted of the requests of a `status_zone`, in memory that all workers share (ngx_http_status_module of NGINX
 * Plus). A request is counted when it is over, by the status that the log has; one under way is in a gauge.
 *
 *   row:  processing | discarded received sent last | 1xx 2xx 3xx 4xx 5xx | histogram of times | TLS | one for each status that occurs
 */
import { clock } from '../../lib/clock.ts'
import { LABEL_SLOTS, NO_SLOT } from '../../shared/label-slots.ts'
import { Tally, type TallyShape, tallySize } from '../../shared/tally.ts'
import { addTime, HISTOGRAM_FIELDS, readHistogram, type TimeHistogram } from '../../shared/time-histogram.ts'
import type { Request } from '../request/request.ts'

const PROCESSING = 0
const DISCARDED = 1
const RECEIVED = 2
const SENT = 3
const LAST = 4
/** Behind it stand the classes of statuses, from 1xx on. */
const CLASSES = 4
const TIMES = 10
/** What TLS came to; see TLS_FIELDS. */
const TLS = TIMES + HISTOGRAM_FIELDS

/** What is counted of handshakes with clients, in NGINX Plus's words, in the order of the row. */
export const TLS_FIELDS = [
  'handshakes',
  'handshakes_failed',
  'session_reuses',
  'no_common_protocol',
  'no_common_cipher',
  'handshake_timeout',
  'peer_rejected_cert',
  'no_cert',
  'expired_cert',
  'revoked_cert',
  'hostname_mismatch',
  'other',
] as const
/** One of them. */
export type TlsField = (typeof TLS_FIELDS)[number]

const CODES = TLS + TLS_FIELDS.length
const CODE_MIN = 100
const CODE_MAX = 599
const SHAPE: TallyShape = { fields: CODES + LABEL_SLOTS, gauges: 1, labelMax: CODE_MAX }

/** Bytes of one zone. */
export const ZONE_COUNTS_SIZE: number = tallySize(SHAPE.fields)

/** The counts of one zone at a moment. */
export interface ZoneNumbers {
  readonly processing: number
  readonly discarded: number
  readonly received: number
  readonly sent: number
  /** When the last request was counted, in milliseconds since the epoch; 0: none was. */
  readonly lastMs: number
  /** 1xx to 5xx. */
  readonly classes: readonly number[]
  /** By status, those that there were. */
  readonly codes: ReadonlyMap<number, number>
  readonly times: TimeHistogram
  readonly tls: Readonly<Record<TlsField, number>>
}

/** A part of them. */
export type ZoneSums = Pick<ZoneNumbers, 'received' | 'sent' | 'classes' | 'times'>

/** The counts of one zone as one thread sees them. */
export class ZoneCounts {
  readonly #tally: Tally
  readonly #row: Float64Array

  private constructor(tally: Tally) {
    this.#tally = tally
    this.#row = tally.row
  }

  /** The counts in a buffer of `ZONE_COUNTS_SIZE`. */
  static attach(name: string, buffer: SharedArrayBuffer): ZoneCounts | undefined {
    const tally = Tally.attach(name, buffer, SHAPE)
    return tally === undefined ? undefined : new ZoneCounts(tally)
  }

  /** A request has begun; `end` follows. */
  begin(): void {
    this.#row[PROCESSING]!++
  }

  end(): void {
    this.#row[PROCESSING]!--
  }

  /** A request is over. */
  count(r: Request): void {
    const row = this.#row
    const status = r.errorStatus !== 0 && !r.headSent ? r.errorStatus : r.out.status
    row[RECEIVED]! += r.requestLength
    row[SENT]! += r.bytesSent
    row[LAST] = clock.now
    if (!r.headSent || status < CODE_MIN || status > CODE_MAX) {
      row[DISCARDED]!++
      return
    }
    row[CLASSES + ((status / 100) | 0)]!++
    const slot = this.#tally.labels.slotOf(status)
    if (slot !== NO_SLOT) row[CODES + slot]!++
    addTime(row, TIMES, clock.monotonic - r.startMonotonic)
  }

  /** A handshake came to something; `field` is its place in TLS_FIELDS. */
  countTls(field: number): void {
    this.#row[TLS + field]!++
  }

  /** What is worth remembering each second: it must cost little where there are many zones. */
  sums(): ZoneSums {
    const tally = this.#tally
    return {
      received: tally.sum(RECEIVED),
      sent: tally.sum(SENT),
      classes: [1, 2, 3, 4, 5].map((n) => tally.sum(CLASSES + n)),
      times: readHistogram((field) => tally.sum(field), TIMES),
    }
  }

  read(): ZoneNumbers {
    const tally = this.#tally
    const sum = (field: number): number => tally.sum(field)
    const codes: [number, number][] = []
    for (let slot = 0; slot < LABEL_SLOTS; slot++) {
      const count = tally.sum(CODES + slot)
      if (count > 0) codes.push([tally.labels.labelAt(slot), count])
    }
    const tls = TLS_FIELDS.map((name, n) => [name, tally.sum(TLS + n)])
    return {
      processing: Math.max(0, tally.sum(PROCESSING)),
      discarded: tally.sum(DISCARDED),
      received: tally.sum(RECEIVED),
      sent: tally.sum(SENT),
      lastMs: tally.greatest(LAST),
      classes: [1, 2, 3, 4, 5].map((n) => tally.sum(CLASSES + n)),
      codes: new Map(codes.toSorted(([a], [b]) => a - b)),
      times: readHistogram(sum, TIMES),
      tls: Object.fromEntries(tls) as Record<TlsField, number>, // one entry for each of the names
    }
  }

  reset(): void {
    this.#tally.reset()
  }
}
