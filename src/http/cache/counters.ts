/** What is counted of a cache, in its keys zone: common to all threads, kept over reloads. */

import { COUNTERS } from '../../shared/cache/layout.ts'
import { Counter } from '../../shared/counter.ts'

/** How a response relates to the cache (`$upstream_cache_status`), in nginx's numbers. */
export const STATUS_MISS = 1
export const STATUS_BYPASS = 2
export const STATUS_EXPIRED = 3
export const STATUS_STALE = 4
export const STATUS_UPDATING = 5
export const STATUS_REVALIDATED = 6
export const STATUS_HIT = 7
export const STATUS_SCARCE = 8

/** Bytes of responses stand behind the statuses. */
const BYTES = 9
/** What the store counts. */
export const STORED = 18
export const REFUSED_SIZE = 19
export const REFUSED_ZONE = 20
export const REFUSED_DISK = 21
export const EVICTED = 22
export const EXPIRED_FILES = 23
export const PURGED = 24
export const HEALED = 25
export const LOCK_WAITS = 26
export const LOCK_TIMEOUTS = 27
export const FOLLOWED = 28
export const UNCACHEABLE = 29
/** Responses that were written, and their bytes, by the first three statuses. */
const WRITTEN = 30
const WRITTEN_BYTES = 33
const COUNTERS_MAX = 40

/** The counters of one zone. */
export class CacheCounters {
  readonly #counters: readonly Counter[]

  constructor(words: Int32Array) {
    this.#counters = Array.from({ length: COUNTERS_MAX }, (_, n) => new Counter(words, COUNTERS + n * 2))
  }

  /** Counts a response with its STATUS and the bytes of its body. */
  count(status: number, bytes: number): void {
    this.#counters[status]!.add(1)
    if (bytes > 0) this.#counters[status + BYTES]!.add(bytes)
  }

  /** Counts a response that was written to the cache. */
  countWritten(status: number, bytes: number): void {
    if (status > STATUS_EXPIRED) return
    this.#counters[WRITTEN + status]!.add(1)
    if (bytes > 0) this.#counters[WRITTEN_BYTES + status]!.add(bytes)
  }

  /** What was written with a STATUS: responses and bytes. */
  written(status: number): { readonly responses: number; readonly bytes: number } {
    return { responses: this.value(WRITTEN + status), bytes: this.value(WRITTEN_BYTES + status) }
  }

  /** Counts from zero. */
  reset(): void {
    for (const counter of this.#counters) counter.reset()
  }

  add(counter: number, amount: number): void {
    this.#counters[counter]!.add(amount)
  }

  value(counter: number): number {
    return this.#counters[counter]!.value
  }

  /** Bytes of the responses with a STATUS. */
  bytes(status: number): number {
    return this.#counters[status + BYTES]!.value
  }
}
