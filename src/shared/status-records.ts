/** What was learned about certificates, for all threads: a number per certificate, as long as it holds. */
import { NO_RECORD, Table } from './table.ts'
import type { Zone } from './zone.ts'

const ENDS = 0
const EXPIRED_PER_STEP = 2
const PUSHED_OUT_MAX = 16

/** The statuses of one zone; each thread has an object of its own. */
export class StatusRecords {
  readonly #table: Table

  constructor(zone: Zone) {
    this.#table = new Table(zone)
  }

  /** The status of a key (a binary string); undefined when it is not known, or not any more. `now` is in seconds. */
  find(key: string, now: number): number | undefined {
    const table = this.#table
    table.enter()
    const record = table.find(key)
    let status: number | undefined
    if (record !== NO_RECORD && table.float(record, ENDS) > now) status = table.integer(record)
    table.leave()
    return status
  }

  /** Remembers a status until `ends`. */
  add(key: string, status: number, now: number, ends: number): void {
    const table = this.#table
    table.enter()
    for (let n = 0; n < EXPIRED_PER_STEP; n++) {
      const oldest = table.oldest()
      if (oldest === NO_RECORD || table.float(oldest, ENDS) > now) break
      table.remove(oldest)
    }
    let record = table.find(key)
    if (record === NO_RECORD) record = table.insert(key)
    for (let n = 0; record === NO_RECORD && n < PUSHED_OUT_MAX && table.oldest() !== NO_RECORD; n++) {
      table.remove(table.oldest())
      record = table.insert(key)
    }
    if (record !== NO_RECORD) {
      table.setFloat(record, ENDS, ends)
      table.setInteger(record, status)
    }
    table.leave()
  }
}
