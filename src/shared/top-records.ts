/**
 * What comes most often of very many: addresses of pages, clients, errors. Counts fade by half each minute, so that they
 * tell of the last minutes. Memory is bounded: a new text takes the place of the one that counts least among those not
 * seen for longest, and begins with its count, so that what comes often is found even so (Space-Saving).
 *
 *   key: kind + text   0 faded count   1 faded milliseconds   integer: the minute that both are of
 */
import { type Handle, NO_RECORD, Table } from './table.ts'
import type { Zone } from './zone.ts'

/** Bytes of the table. */
export const TOP_SIZE: number = 1 << 20
const RECORDS_MAX = 4096
const LOOKED_AT = 8
const TEXT_MAX = 200
const MINUTE_MS = 60_000
const COUNT = 0
const TIME = 1

/** One text. */
export interface TopEntry {
  readonly text: string
  /** How often in the last minutes, faded. */
  readonly count: number
  /** How long on average. */
  readonly ms: number
}

/** The counts of one zone. */
export class TopRecords {
  readonly #table: Table

  constructor(zone: Zone) {
    this.#table = new Table(zone)
  }

  /** Counts a text of a kind, which is one letter. */
  count(kind: string, text: string, ms: number, nowMs: number): void {
    const table = this.#table
    const key = kind + text.slice(0, TEXT_MAX)
    const minute = Math.floor(nowMs / MINUTE_MS) | 0
    table.enter()
    let record = table.find(key)
    if (record === NO_RECORD) record = this.#insert(key, minute)
    else table.touch(record)
    if (record !== NO_RECORD) {
      const fade = this.#fade(record, minute)
      table.setFloat(record, COUNT, table.float(record, COUNT) * fade + 1)
      table.setFloat(record, TIME, table.float(record, TIME) * fade + ms)
      table.setInteger(record, minute)
    }
    table.leave()
  }

  #fade(record: Handle, minute: number): number {
    return 0.5 ** Math.min(Math.max(0, minute - this.#table.integer(record)), 60)
  }

  #insert(key: string, minute: number): Handle {
    const table = this.#table
    let inherited = 0
    if (table.count >= RECORDS_MAX) inherited = this.#evict(minute)
    let record = table.insert(key)
    if (record === NO_RECORD) {
      inherited = this.#evict(minute)
      record = table.insert(key)
    }
    if (record === NO_RECORD) return NO_RECORD
    table.setFloat(record, COUNT, inherited)
    table.setInteger(record, minute)
    return record
  }

  /** Removes the one that counts least of those used longest ago; returns its count. */
  #evict(minute: number): number {
    const table = this.#table
    let least = NO_RECORD
    let count = Number.POSITIVE_INFINITY
    let record = table.oldest()
    for (let n = 0; n < LOOKED_AT && record !== NO_RECORD; n++, record = table.newer(record)) {
      const faded = table.float(record, COUNT) * this.#fade(record, minute)
      if (faded >= count) continue
      least = record
      count = faded
    }
    if (least === NO_RECORD) return 0
    table.remove(least)
    return count
  }

  /** Those of a kind that count most. */
  top(kind: string, most: number, nowMs: number): readonly TopEntry[] {
    const table = this.#table
    const minute = Math.floor(nowMs / MINUTE_MS) | 0
    const found: TopEntry[] = []
    table.enter()
    for (let record = table.oldest(); record !== NO_RECORD; record = table.newer(record)) {
      const key = table.keyOf(record)
      if (!key.startsWith(kind)) continue
      const fade = this.#fade(record, minute)
      const count = table.float(record, COUNT) * fade
      if (count < 0.5) continue
      found.push({ text: key.slice(1), count, ms: (table.float(record, TIME) * fade) / count })
    }
    table.leave()
    return found.toSorted((a, b) => b.count - a.count).slice(0, most)
  }
}
