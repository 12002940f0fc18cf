/**
 * The records of limit_conn: how many connections or requests each key has now, over all threads. A record lives while
 * its number is above zero, so nothing ever expires; what a thread that died had counted is counted back.
 */
import { assert } from '../lib/assert.ts'
import { letGo, noteHolding } from './holdings.ts'
import { type Handle, NO_RECORD, Table } from './table.ts'
import type { Zone } from './zone.ts'

/** Longest key that nginx counts. */
export const CONN_KEY_SIZE_MAX = 255

/** Counts in one zone; each thread has an object of its own. */
export class ConnRecords {
  /** After an `acquire` that failed: true when the zone was full, false when the key was at its limit. */
  full = false
  /** After an `acquire` that did not: the note of it, for `release`. */
  note = 0
  readonly #table: Table
  readonly #zoneId: number

  constructor(zone: Zone) {
    this.#table = new Table(zone)
    this.#zoneId = zone.id
  }

  /** Counts one more for `key` and returns what `release` wants, as `note` is; NO_RECORD when there may not be one more. */
  acquire(key: string, limit: number): Handle {
    const table = this.#table
    table.enter()
    let record = table.find(key)
    this.full = false
    if (record === NO_RECORD) {
      record = table.insert(key)
      this.full = record === NO_RECORD
    } else if (table.integer(record) >= limit) {
      record = NO_RECORD
    }
    if (record !== NO_RECORD) {
      const { words } = table
      const at = table.integerAt(record)
      this.note = noteHolding(this.#zoneId, record)
      words[at] = words[at]! + 1
    }
    table.leave()
    return record
  }

  /** Counts one less. Each result of `acquire` is released once, with its note. */
  release(record: Handle, note: number): void {
    assert(record !== NO_RECORD, 'only what was acquired is released')
    const table = this.#table
    table.enter()
    const { words } = table
    const at = table.integerAt(record)
    letGo(note)
    words[at] = words[at]! - 1
    if (words[at]! <= 0) table.remove(record)
    table.leave()
  }

  /** How many `key` has now. */
  count(key: string): number {
    const table = this.#table
    table.enter()
    const record = table.find(key)
    const count = record === NO_RECORD ? 0 : table.integer(record)
    table.leave()
    return count
  }
}
