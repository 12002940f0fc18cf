/**
 * The numbers of nginx-module-vts: one row for each server, filter and back end, made when it is first counted. Two zones: a
 * table of keys, whose integers lead to rows in the other one. The lock of the table guards both.
 *
 *   rows zone:  header | rows made | first free row + 1 | rows of FIELDS numbers
 */
import { type Handle, NO_RECORD, Table } from './table.ts'
import { ZONE_HEADER_WORDS, ZONE_SIZE_MIN, type Zone } from './zone.ts'

const MADE = ZONE_HEADER_WORDS
const FREE = ZONE_HEADER_WORDS + 1
const FIRST_FLOAT = 16
/** Numbers of a row. */
export const TRAFFIC_FIELDS = 64

/** Bytes for rows of a table of so many. */
export function trafficRowsSize(tableSize: number): number {
  return Math.max(ZONE_SIZE_MIN, FIRST_FLOAT * 8 + Math.floor(tableSize / 512) * TRAFFIC_FIELDS * 8)
}

/** A key with its row, which is a copy. */
export interface TrafficRow {
  readonly key: string
  readonly numbers: Float64Array
}

/** The rows of one pair of zones. */
export class TrafficRecords {
  readonly #table: Table
  readonly #rows: Zone
  readonly #floats: Float64Array
  readonly #most: number

  constructor(keys: Zone, rows: Zone) {
    this.#table = new Table(keys)
    this.#rows = rows
    this.#floats = new Float64Array(rows.buffer)
    this.#most = Math.floor((this.#floats.length - FIRST_FLOAT) / TRAFFIC_FIELDS)
  }

  /** Takes the lock; `row` and `leave` follow. */
  enter(): void {
    this.#table.enter()
  }

  leave(): void {
    this.#table.leave()
  }

  /** The row of a key, made if need be; undefined when there is no room. It is to be written within the lock. */
  row(key: string): Float64Array | undefined {
    const table = this.#table
    let record = table.find(key)
    if (record === NO_RECORD) {
      const row = this.#takeRow()
      if (row < 0) return undefined
      record = table.insert(key)
      if (record === NO_RECORD) {
        this.#giveRow(row)
        return undefined
      }
      table.setInteger(record, row)
    } else table.touch(record)
    return this.#rowAt(table.integer(record))
  }

  /** The row of a key that there is, within the lock. */
  known(key: string): Float64Array | undefined {
    const record = this.#table.find(key)
    return record === NO_RECORD ? undefined : this.#rowAt(this.#table.integer(record))
  }

  /** Removes those used longest ago of the keys with this beginning until there are fewer than `most`; within the lock. */
  makeRoom(prefix: string, most: number): void {
    const all = this.#records(prefix)
    for (const record of all.slice(0, Math.max(0, all.length - most + 1))) this.#remove(record)
  }

  /** Copies of all rows whose keys begin so. */
  all(prefix: string): readonly TrafficRow[] {
    this.enter()
    const rows = this.#records(prefix).map((record) => ({
      key: this.#table.keyOf(record),
      numbers: this.#rowAt(this.#table.integer(record)).slice(),
    }))
    this.leave()
    return rows
  }

  /** Begins the rows whose keys begin so at zero, or removes them; returns how many. */
  forget(prefix: string, remove: boolean): number {
    this.enter()
    const records = this.#records(prefix)
    for (const record of records) {
      if (remove) this.#remove(record)
      else this.#rowAt(this.#table.integer(record)).fill(0)
    }
    this.leave()
    return records.length
  }

  /** How full the memory is. */
  get fill(): { readonly used: number; readonly total: number; readonly rows: number } {
    const { used, total } = this.#table.cells
    return { used: used * 64, total: total * 64, rows: this.#table.count }
  }

  /** The oldest first. */
  #records(prefix: string): Handle[] {
    const table = this.#table
    const found: Handle[] = []
    for (let record = table.oldest(); record !== NO_RECORD; record = table.newer(record)) {
      if (prefix === '' || table.keyOf(record).startsWith(prefix)) found.push(record)
    }
    return found
  }

  #remove(record: Handle): void {
    this.#giveRow(this.#table.integer(record))
    this.#table.remove(record)
  }

  #rowAt(row: number): Float64Array {
    const at = FIRST_FLOAT + row * TRAFFIC_FIELDS
    return this.#floats.subarray(at, at + TRAFFIC_FIELDS)
  }

  #takeRow(): number {
    const { words } = this.#rows
    const free = words[FREE]! - 1
    if (free >= 0) {
      words[FREE] = this.#rowAt(free)[0]!
      this.#rowAt(free).fill(0)
      return free
    }
    const made = words[MADE]!
    if (made >= this.#most) return -1
    words[MADE] = made + 1
    return made
  }

  #giveRow(row: number): void {
    const { words } = this.#rows
    this.#rowAt(row)[0] = words[FREE]!
    words[FREE] = row + 1
  }
}
