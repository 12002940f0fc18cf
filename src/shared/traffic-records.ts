/**
 * The numbers of nginx-module-vts: one row for each server, filter and back end, made when it is first counted. Two zones: a
 * table of keys, whose integers lead to rows in the other one. The lock of the table guards both; that of the rows zone keeps
 * threads apart that write the rows to a file.
 *
 *   rows zone:  header | rows made | first free row + 1 | loaded | labels | rows of numbers
 */
import { LABEL_SLOTS, LabelSlots } from './label-slots.ts'
import { loadOnce } from './load-once.ts'
import { type Handle, NO_RECORD, Table } from './table.ts'
import { ZONE_HEADER_WORDS, ZONE_SIZE_MIN, type Zone } from './zone.ts'

const MADE = ZONE_HEADER_WORDS
const FREE = ZONE_HEADER_WORDS + 1
const LOADED = ZONE_HEADER_WORDS + 2
const LABELS = ZONE_HEADER_WORDS + 3
const FIRST_FLOAT = Math.ceil((LABELS + LABEL_SLOTS) / 2)
const LABEL_MAX = 599

/** Bytes for rows of so many numbers, which belong to a table of so many bytes: about as many as that. */
export function trafficRowsSize(tableSize: number, fields: number): number {
  return Math.max(ZONE_SIZE_MIN, FIRST_FLOAT * 8 + Math.ceil(tableSize / (fields * 8)) * fields * 8)
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
  readonly #fields: number
  /** Places for statuses, for whoever keeps numbers by them. */
  readonly labels: LabelSlots

  /** `fields`: numbers of a row, the same for all who use the zones. */
  constructor(keys: Zone, rows: Zone, fields: number) {
    this.#table = new Table(keys)
    this.#rows = rows
    this.#fields = fields
    this.#floats = new Float64Array(rows.buffer)
    this.#most = Math.floor((this.#floats.length - FIRST_FLOAT) / fields)
    this.labels = new LabelSlots(rows.words, LABELS, LABEL_MAX)
  }

  /** Calls `load` in the first thread that asks; the others wait until it is done. */
  loadOnce(load: () => void): void {
    loadOnce(this.#rows.words, LOADED, load)
  }

  /** Runs without another thread that does the same. */
  alone(run: () => void): void {
    const { lock } = this.#rows
    lock.enter()
    run()
    lock.leave()
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

  /** Removes those used longest ago of the keys that are counted until there are fewer than `most`; within the lock. */
  makeRoom(counted: (key: string) => boolean, most: number): void {
    const all = this.#records(counted)
    for (const record of all.slice(0, Math.max(0, all.length - most + 1))) this.#remove(record)
  }

  /** Copies of all rows whose keys begin so. */
  all(prefix: string): readonly TrafficRow[] {
    this.enter()
    const rows = this.#records((key) => key.startsWith(prefix)).map((record) => ({
      key: this.#table.keyOf(record),
      numbers: this.#rowAt(this.#table.integer(record)).slice(),
    }))
    this.leave()
    return rows
  }

  /** Removes the rows that are meant, or begins them at zero; returns how many. */
  forget(meant: (key: string, row: Float64Array) => boolean, remove: boolean): number {
    this.enter()
    let count = 0
    for (const record of this.#records(() => true)) {
      const row = this.#rowAt(this.#table.integer(record))
      if (!meant(this.#table.keyOf(record), row)) continue
      count++
      if (remove) this.#remove(record)
      else row.fill(0)
    }
    this.leave()
    return count
  }

  /** How full the memory is. */
  get fill(): { readonly used: number; readonly total: number; readonly rows: number } {
    const { used, total } = this.#table.cells
    return { used: used * 64, total: total * 64, rows: this.#table.count }
  }

  /** The oldest first. */
  #records(wanted: (key: string) => boolean): Handle[] {
    const table = this.#table
    const found: Handle[] = []
    for (let record = table.oldest(); record !== NO_RECORD; record = table.newer(record)) {
      if (wanted(table.keyOf(record))) found.push(record)
    }
    return found
  }

  #remove(record: Handle): void {
    this.#giveRow(this.#table.integer(record))
    this.#table.remove(record)
  }

  #rowAt(row: number): Float64Array {
    const at = FIRST_FLOAT + row * this.#fields
    return this.#floats.subarray(at, at + this.#fields)
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
