/**
 * A hash table of small records in a zone, with a list from the newest to the oldest used.
 *
 *     | zone header | table header | buckets: first cell of each chain | cells of 64 bytes ... |
 *
 *     first cell of a record   0 next in chain  1 hash  2 key size  3 newer  4 older  5 more key
 *                              6-7 and 8-9 two float values   10 an integer value   11-15 the first 20 bytes of the key
 *     further cells            0 more key  2 always -1  3-15 52 bytes of the key
 *
 * A cell is named by the index of its first word, 0 meaning none; key size -1 marks a cell that begins no record. A key
 * size is written last when a record is made and first when it goes, so what a dying thread leaves half done can be told
 * from records, and `#repair` builds everything else anew from them.
 */
import { randomUint32 } from '../lib/random.ts'
import { ZONE_HEADER_WORDS, type Zone } from './zone.ts'

/** A record of a table: valid until it is removed, meaningless to any other table. 0 is no record. */
export type Handle = number & { readonly kind: 'record' }

/** What lookups return when there is nothing. */
export const NO_RECORD: Handle = 0 as Handle

const SEED = ZONE_HEADER_WORDS
const BUCKET_MASK = SEED + 1
const CELLS_AT = SEED + 2
const CELLS_END = SEED + 3
const FREE = SEED + 4
const FREE_COUNT = SEED + 5
const NEWEST = SEED + 6
const OLDEST = SEED + 7
const RECORD_COUNT = SEED + 8
const BUCKETS_AT = 32

const CELL_WORDS = 16
const NEXT = 0
const HASH = 1
const KEY_SIZE = 2
const NEWER = 3
const OLDER = 4
const MORE = 5
const FLOAT_VALUES = 6
const INTEGER_VALUE = 10
const KEY_AT_BYTES = 44
const KEY_SIZE_FIRST = 20
const MORE_AT_BYTES = 12
const KEY_SIZE_MORE = 52
const NOT_A_RECORD = -1
/** Longest key, as in nginx's limit_req. */
export const KEY_SIZE_MAX = 65535

/** The table of one zone as one thread sees it; threads exclude each other by `enter` and `leave`. */
export class Table {
  readonly #zone: Zone
  /** The memory of the zone. */
  readonly words: Int32Array
  readonly #floats: Float64Array
  readonly #bytes: Uint8Array
  readonly #seed: number
  readonly #bucketMask: number

  /** Lays out a fresh zone, or uses what is there. All other methods are called between `enter` and `leave`. */
  constructor(zone: Zone) {
    this.#zone = zone
    this.words = zone.words
    this.#floats = new Float64Array(zone.buffer, 0, zone.size / 8)
    this.#bytes = new Uint8Array(zone.buffer, 0, zone.size)
    this.#layOut()
    this.#seed = this.words[SEED]!
    this.#bucketMask = this.words[BUCKET_MASK]!
  }

  /** Takes the zone's lock, and puts in order what a dead thread left. */
  enter(): void {
    if (!this.#zone.lock.enter()) return
    this.#repair()
    this.#zone.lock.repaired()
  }

  leave(): void {
    this.#zone.lock.leave()
  }

  /** Number of records. */
  get count(): number {
    return this.words[RECORD_COUNT]!
  }

  /** Cells in use and in all. */
  get cells(): { readonly used: number; readonly total: number } {
    const total = (this.words[CELLS_END]! - this.words[CELLS_AT]!) / CELL_WORDS
    return { used: total - this.words[FREE_COUNT]!, total }
  }

  /** Returns the record of a key (a binary string), leaving the order as it is. */
  find(key: string): Handle {
    const words = this.words
    const hash = this.#hash(key)
    let cell = words[BUCKETS_AT + (hash & this.#bucketMask)]!
    while (cell !== 0) {
      if (words[cell + HASH] === hash && words[cell + KEY_SIZE] === key.length && this.#sameKey(cell, key)) break
      cell = words[cell + NEXT]!
    }
    return cell as Handle
  }

  /** Adds a record with zero values as the newest; NO_RECORD when there is no room. The key must not be there yet. */
  insert(key: string): Handle {
    const words = this.words
    const need = cellsFor(key.length)
    if (key.length > KEY_SIZE_MAX || need > words[FREE_COUNT]!) return NO_RECORD
    const cell = this.#take()
    words[cell + HASH] = this.#hash(key)
    words[cell + MORE] = 0
    this.#floats.fill(0, (cell + FLOAT_VALUES) >> 1, (cell + INTEGER_VALUE) >> 1)
    words[cell + INTEGER_VALUE] = 0
    this.#writeKey(cell, key)
    this.#link(cell)
    words[RECORD_COUNT] = words[RECORD_COUNT]! + 1
    words[cell + KEY_SIZE] = key.length
    return cell as Handle
  }

  /** Removes a record; its handle is dead afterwards. */
  remove(record: Handle): void {
    const words = this.words
    words[record + KEY_SIZE] = NOT_A_RECORD
    this.#unchain(record)
    this.#unlist(record)
    words[RECORD_COUNT] = words[RECORD_COUNT]! - 1
    for (let cell = words[record + MORE]!; cell !== 0; ) {
      const next = words[cell + NEXT]!
      this.#give(cell)
      cell = next
    }
    this.#give(record)
  }

  /** Makes a record the newest. */
  touch(record: Handle): void {
    if (this.words[NEWEST] === record) return
    this.#unlist(record)
    this.#list(record)
  }

  /** The record used longest ago. */
  oldest(): Handle {
    return this.words[OLDEST]! as Handle
  }

  /** The record used next after this one; NO_RECORD after the newest. */
  newer(record: Handle): Handle {
    return this.words[record + NEWER]! as Handle
  }

  /** Reads float value 0 or 1. */
  float(record: Handle, slot: 0 | 1): number {
    return this.#floats[((record + FLOAT_VALUES) >> 1) + slot]!
  }

  setFloat(record: Handle, slot: 0 | 1, value: number): void {
    this.#floats[((record + FLOAT_VALUES) >> 1) + slot] = value
  }

  /** Reads the integer value. */
  integer(record: Handle): number {
    return this.words[record + INTEGER_VALUE]!
  }

  /** Where it is in `words`. */
  integerAt(record: Handle): number {
    return record + INTEGER_VALUE
  }

  setInteger(record: Handle, value: number): void {
    this.words[record + INTEGER_VALUE] = value
  }

  /** Index of the two words behind float value 0, for atomic counters that live there instead. */
  atomicsAt(record: Handle): number {
    return record + FLOAT_VALUES
  }

  /** The key of a record, for listings. */
  keyOf(record: Handle): string {
    const size = this.words[record + KEY_SIZE]!
    let key = this.#text(record * 4 + KEY_AT_BYTES, Math.min(size, KEY_SIZE_FIRST))
    for (let cell = this.words[record + MORE]!; cell !== 0; cell = this.words[cell + NEXT]!) {
      key += this.#text(cell * 4 + MORE_AT_BYTES, Math.min(size - key.length, KEY_SIZE_MORE))
    }
    return key
  }

  #text(at: number, size: number): string {
    let text = ''
    for (let i = at; i < at + size; i++) text += String.fromCharCode(this.#bytes[i]!)
    return text
  }

  /** Seeded, because a client that chooses keys must not be able to make one long chain of them. */
  #hash(key: string): number {
    let hash = this.#seed
    for (let i = 0; i < key.length; i++) {
      hash = Math.imul(hash ^ key.charCodeAt(i), 0x5bd1e995)
      hash ^= hash >>> 15
    }
    return hash
  }

  #sameKey(record: number, key: string): boolean {
    const bytes = this.#bytes
    let at = record * 4 + KEY_AT_BYTES
    let stop = at + KEY_SIZE_FIRST
    let cell = this.words[record + MORE]!
    for (let i = 0; i < key.length; i++) {
      if (at === stop) {
        at = cell * 4 + MORE_AT_BYTES
        stop = at + KEY_SIZE_MORE
        cell = this.words[cell + NEXT]!
      }
      if (bytes[at++] !== key.charCodeAt(i)) return false
    }
    return true
  }

  #writeKey(record: number, key: string): void {
    const words = this.words
    let at = record * 4 + KEY_AT_BYTES
    let stop = at + KEY_SIZE_FIRST
    let link = record + MORE
    for (let i = 0; i < key.length; i++) {
      if (at === stop) {
        const cell = this.#take()
        words[link] = cell
        link = cell + NEXT
        words[link] = 0
        at = cell * 4 + MORE_AT_BYTES
        stop = at + KEY_SIZE_MORE
      }
      this.#bytes[at++] = key.charCodeAt(i)
    }
  }

  #link(cell: number): void {
    const words = this.words
    const bucket = BUCKETS_AT + (words[cell + HASH]! & this.#bucketMask)
    words[cell + NEXT] = words[bucket]!
    words[bucket] = cell
    this.#list(cell)
  }

  #unchain(record: number): void {
    const words = this.words
    let at = BUCKETS_AT + (words[record + HASH]! & this.#bucketMask)
    while (words[at] !== record) at = words[at]! + NEXT
    words[at] = words[record + NEXT]!
  }

  #list(record: number): void {
    const words = this.words
    const newest = words[NEWEST]!
    words[record + NEWER] = 0
    words[record + OLDER] = newest
    words[newest === 0 ? OLDEST : newest + NEWER] = record
    words[NEWEST] = record
  }

  #unlist(record: number): void {
    const words = this.words
    const newer = words[record + NEWER]!
    const older = words[record + OLDER]!
    words[newer === 0 ? NEWEST : newer + OLDER] = older
    words[older === 0 ? OLDEST : older + NEWER] = newer
  }

  /** Takes a free cell; the caller has checked that there is one. */
  #take(): number {
    const words = this.words
    const cell = words[FREE]!
    words[FREE] = words[cell + NEXT]!
    words[FREE_COUNT] = words[FREE_COUNT]! - 1
    return cell
  }

  #give(cell: number): void {
    const words = this.words
    words[cell + KEY_SIZE] = NOT_A_RECORD
    words[cell + NEXT] = words[FREE]!
    words[FREE] = cell
    words[FREE_COUNT] = words[FREE_COUNT]! + 1
  }

  /** One bucket for two to four cells, then as many cells as fit. Whichever thread comes first does it. */
  #layOut(): void {
    const words = this.words
    this.#zone.lock.enter()
    if (words[BUCKET_MASK] === 0) {
      let buckets = 64
      while (buckets * CELL_WORDS * 4 <= words.length) buckets *= 2
      const first = Math.ceil((BUCKETS_AT + buckets) / CELL_WORDS) * CELL_WORDS
      words[SEED] = randomUint32() | 0
      words[CELLS_AT] = first
      words[CELLS_END] = words.length - ((words.length - first) % CELL_WORDS)
      for (let cell = first; cell < words[CELLS_END]!; cell += CELL_WORDS) words[cell + KEY_SIZE] = NOT_A_RECORD
      this.#rebuild(buckets - 1)
      // Last: a thread that dies before leaves a zone that is still to be laid out.
      words[BUCKET_MASK] = buckets - 1
    }
    this.#zone.lock.leave()
  }

  #repair(): void {
    this.#rebuild(this.#bucketMask)
  }

  /** Builds chains, list and free list from the cells that begin records. The order of use is lost. */
  #rebuild(mask: number): void {
    const words = this.words
    words.fill(0, BUCKETS_AT, BUCKETS_AT + mask + 1)
    words[FREE] = words[FREE_COUNT] = words[NEWEST] = words[OLDEST] = words[RECORD_COUNT] = 0
    const used = this.#relinkRecords(mask)
    for (let cell = words[CELLS_END]! - CELL_WORDS; cell >= words[CELLS_AT]!; cell -= CELL_WORDS) {
      if (!used.has(cell)) this.#give(cell)
    }
  }

  #relinkRecords(mask: number): Set<number> {
    const words = this.words
    const used = new Set<number>()
    for (let cell = words[CELLS_AT]!; cell < words[CELLS_END]!; cell += CELL_WORDS) {
      if (words[cell + KEY_SIZE]! < 0 || used.has(cell)) continue
      const bucket = BUCKETS_AT + (words[cell + HASH]! & mask)
      words[cell + NEXT] = words[bucket]!
      words[bucket] = cell
      this.#list(cell)
      words[RECORD_COUNT] = words[RECORD_COUNT]! + 1
      used.add(cell)
      for (let more = words[cell + MORE]!; more !== 0; more = words[more + NEXT]!) used.add(more)
    }
    return used
  }
}

function cellsFor(keySize: number): number {
  return keySize <= KEY_SIZE_FIRST ? 1 : 1 + Math.ceil((keySize - KEY_SIZE_FIRST) / KEY_SIZE_MORE)
}
