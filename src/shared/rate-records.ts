/**
 * The records of limit_req: a leaky bucket per key, exact to the millisecond and over all threads, with the arithmetic of
 * ngx_http_limit_req_module. Rates and excesses are in thousandths of a request.
 *
 * A request may pass several zones. Only the last one is charged at once; a record of an earlier zone is held (so that it
 * does not expire) until `account` charges it or `cancel` lets it go.
 */
import { type Handle, NO_RECORD, Table } from './table.ts'
import type { Zone } from './zone.ts'

/** Within the limit, and charged. */
export const RATE_OK = 0
/** Over the burst: to be rejected. */
export const RATE_BUSY = 1
/** Within the limit, and held: `account` or `cancel` must follow. */
export const RATE_AGAIN = 2
/** No room in the zone, even after pushing out the oldest record. */
export const RATE_ERROR = 3

const EXCESS = 0
const LAST = 1
const ONE_REQUEST = 1000
const IDLE_MS = 60_000
const EXPIRE_MAX = 3
/** The time of a record that was never charged: whatever it is compared with, its bucket is empty. */
const NEVER = -1e12

/** The buckets of one zone; each thread has an object of its own, which holds at most one record at a time. */
export class RateRecords {
  /** Thousandths of a request over the rate, after `lookup`. */
  excess = 0
  readonly #table: Table
  readonly rate: number
  #held: Handle = NO_RECORD

  /** `rate` is in thousandths of a request per second: `30r/m` is 500. */
  constructor(zone: Zone, rate: number) {
    this.#table = new Table(zone)
    this.rate = rate
  }

  /** Finds or makes the record of `key` and returns one of the constants above. `account` charges it at once. */
  lookup(key: string, now: number, burst: number, account: boolean): number {
    this.#table.enter()
    const result = this.#lookup(key, now, burst, account)
    this.#table.leave()
    return result
  }

  /** Charges the record that `lookup` holds, and returns its excess; -1 when none is held. */
  account(now: number): number {
    const record = this.#held
    if (record === NO_RECORD) return -1
    this.#held = NO_RECORD
    const table = this.#table
    table.enter()
    const ms = elapsed(now, table.float(record, LAST))
    const excess = this.#leak(table.float(record, EXCESS), ms)
    if (ms > 0) table.setFloat(record, LAST, now)
    table.setFloat(record, EXCESS, excess)
    table.setInteger(record, table.integer(record) - 1)
    table.leave()
    return excess
  }

  /** Lets the record go that `lookup` holds: the request was rejected by another zone. */
  cancel(): void {
    const record = this.#held
    if (record === NO_RECORD) return
    this.#held = NO_RECORD
    this.#table.enter()
    this.#table.setInteger(record, this.#table.integer(record) - 1)
    this.#table.leave()
  }

  /** Milliseconds that a request has to wait when `excess` is over `delay`. */
  delayMs(excess: number, delay: number): number {
    return excess <= delay ? 0 : Math.floor(((excess - delay) * 1000) / this.rate)
  }

  #lookup(key: string, now: number, burst: number, account: boolean): number {
    const table = this.#table
    const record = table.find(key)
    if (record === NO_RECORD) return this.#insert(key, now, account)
    table.touch(record)
    const ms = elapsed(now, table.float(record, LAST))
    const excess = this.#leak(table.float(record, EXCESS), ms)
    this.excess = excess
    if (excess > burst) return RATE_BUSY
    if (!account) return this.#hold(record)
    table.setFloat(record, EXCESS, excess)
    if (ms > 0) table.setFloat(record, LAST, now)
    return RATE_OK
  }

  #insert(key: string, now: number, account: boolean): number {
    const table = this.#table
    this.excess = 0
    this.#expire(now, false)
    let record = table.insert(key)
    if (record === NO_RECORD) {
      this.#expire(now, true)
      record = table.insert(key)
      if (record === NO_RECORD) return RATE_ERROR
    }
    table.setFloat(record, LAST, account ? now : NEVER)
    return account ? RATE_OK : this.#hold(record)
  }

  #hold(record: Handle): number {
    this.#table.setInteger(record, this.#table.integer(record) + 1)
    this.#held = record
    return RATE_AGAIN
  }

  #leak(excess: number, ms: number): number {
    return Math.max(0, excess - Math.floor((this.rate * ms) / 1000) + ONE_REQUEST)
  }

  /** Removes the one or two oldest records that have nothing to tell any more; with `force` also the oldest itself. */
  #expire(now: number, force: boolean): void {
    const table = this.#table
    for (let n = force ? 0 : 1; n < EXPIRE_MAX; n++) {
      const record = table.oldest()
      // Lookups move records to the front: if the oldest is held, looking further makes little sense.
      if (record === NO_RECORD || table.integer(record) !== 0) return
      if (n > 0) {
        const ms = Math.abs(now - table.float(record, LAST))
        if (ms < IDLE_MS) return
        if (table.float(record, EXCESS) - Math.floor((this.rate * ms) / 1000) > 0) return
      }
      table.remove(record)
    }
  }
}

/** Milliseconds since `last`, with nginx's care for clocks that differ a little or jumped back. */
function elapsed(now: number, last: number): number {
  const ms = now - last
  if (ms < -IDLE_MS) return 1
  return Math.max(0, ms)
}
