/**
 * Pairs of a key and a value in a zone, the same for all threads at once. A pair is two records of one table: the key's
 * leads to the value's, whose "key" is the value's text behind a number that only this pair has.
 *
 *   'k' + index text    0 when it expires (Infinity: never)   1 number   integer: the value's record
 *   'v' + number + original key, its length before it + value
 *
 * The index text is the key itself, or for ranges of addresses their bytes. For look-ups by the longest key that fits,
 * the lengths that occur stand as bits in words of the zone that the table leaves free.
 */
import { parseIp, unmapIp } from '../lib/ip.ts'
import { loadOnce } from './load-once.ts'
import { type Handle, KEY_SIZE_MAX, NO_RECORD, Table } from './table.ts'
import type { Zone } from './zone.ts'

/** How keys are matched. */
export type KeyvalType = 'string' | 'ip' | 'prefix'

/** What tells such zones from others. */
export const KEYVAL_KIND = 'keyval'
const LOADED_AT = 18
const NUMBER_AT = 19
const LENGTHS_AT = 20
const LENGTH_WORDS = 12
const LENGTH_MAX = LENGTH_WORDS * 32 - 1
const NUMBER_SIZE = 8
const SIZE_SIZE = 4
const NUMBER_MAX = 0x7ffffffe
const EXPIRES = 0
const NUMBER = 1
/** Lengths of IPv6 ranges stand behind those of IPv4. */
const IPV6_LENGTHS = 64

/** A pair, as it is listed. */
export interface Pair {
  readonly key: string
  readonly value: string
  /** In milliseconds since the epoch; Infinity: never. */
  readonly expiresMs: number
}

/** What became of a change. */
export type PairOutcome = 'done' | 'exists' | 'missing' | 'full' | 'invalid'

/** The pairs of one zone as one thread sees them; texts are binary. */
export class KeyvalRecords {
  readonly #zone: Zone
  readonly #table: Table
  readonly #type: KeyvalType

  constructor(zone: Zone, type: KeyvalType) {
    this.#zone = zone
    this.#table = new Table(zone)
    this.#type = type
  }

  /** Calls `load` in the first thread that asks, for zones that begin with something; the others wait until it is done. */
  loadOnce(load: () => void): void {
    loadOnce(this.#zone.words, LOADED_AT, load)
  }

  /** The value that a text has, by the rules of the zone's type. */
  find(text: string, nowMs: number): string | undefined {
    this.#table.enter()
    const record = this.#match(text, nowMs)
    const value = record === NO_RECORD ? undefined : this.#pairOf(record).value
    this.#table.leave()
    return value
  }

  /** The pair of exactly this key. */
  pair(key: string, nowMs: number): Pair | undefined {
    const index = this.#indexOf(key)
    if (index === undefined) return undefined
    this.#table.enter()
    const record = this.#alive(this.#table.find(index), nowMs)
    const pair = record === NO_RECORD ? undefined : this.#pairOf(record)
    this.#table.leave()
    return pair
  }

  /** Adds a pair. */
  add(pair: Pair, nowMs: number): PairOutcome {
    const index = this.#indexOf(pair.key)
    if (index === undefined) return 'invalid'
    this.#table.enter()
    const known = this.#alive(this.#table.find(index), nowMs)
    const outcome = known === NO_RECORD ? this.#insert(index, pair, nowMs) : 'exists'
    this.#table.leave()
    return outcome
  }

  /** Gives a pair another value, another end, or both. */
  change(key: string, change: { readonly value?: string; readonly expiresMs?: number }, nowMs: number): PairOutcome {
    const index = this.#indexOf(key)
    if (index === undefined) return 'missing'
    this.#table.enter()
    const record = this.#alive(this.#table.find(index), nowMs)
    let outcome: PairOutcome = record === NO_RECORD ? 'missing' : 'done'
    if (record !== NO_RECORD) {
      const before = this.#pairOf(record)
      this.#remove(record)
      outcome = this.#insert(index, { ...before, ...change }, nowMs)
      // There was room for what was there.
      if (outcome === 'full') this.#insert(index, before, nowMs)
    }
    this.#table.leave()
    return outcome
  }

  /** Removes a pair. */
  remove(key: string, nowMs: number): PairOutcome {
    const index = this.#indexOf(key)
    if (index === undefined) return 'missing'
    this.#table.enter()
    const record = this.#alive(this.#table.find(index), nowMs)
    if (record !== NO_RECORD) this.#remove(record)
    this.#table.leave()
    return record === NO_RECORD ? 'missing' : 'done'
  }

  /** Removes all pairs. */
  clear(): void {
    const table = this.#table
    table.enter()
    for (let record = table.oldest(); record !== NO_RECORD; record = table.oldest()) table.remove(record)
    this.#zone.words.fill(0, LENGTHS_AT, LENGTHS_AT + LENGTH_WORDS)
    table.leave()
  }

  /** All pairs, the oldest first. */
  all(nowMs: number): readonly Pair[] {
    const pairs: Pair[] = []
    this.#table.enter()
    this.#expire(nowMs)
    for (const record of this.#keyRecords()) pairs.push(this.#pairOf(record))
    this.#table.leave()
    return pairs
  }

  *#keyRecords(): Generator<Handle> {
    const table = this.#table
    for (let record = table.oldest(); record !== NO_RECORD; record = table.newer(record)) {
      if (table.float(record, NUMBER) !== 0) yield record
    }
  }

  // ---- records; all within the lock ------------------------------------------------------------

  #insert(index: string, pair: Pair, nowMs: number): PairOutcome {
    if (this.#write(index, pair)) return 'done'
    this.#expire(nowMs)
    return this.#write(index, pair) ? 'done' : 'full'
  }

  #write(index: string, { key, value, expiresMs }: Pair): boolean {
    const table = this.#table
    const size = key.length.toString(16).padStart(SIZE_SIZE, '0')
    if (index.length >= KEY_SIZE_MAX || value.length + key.length + NUMBER_SIZE + SIZE_SIZE >= KEY_SIZE_MAX)
      return false
    const record = table.insert(index)
    if (record === NO_RECORD) return false
    const { words } = this.#zone
    const number = (words[NUMBER_AT]! % NUMBER_MAX) + 1
    words[NUMBER_AT] = number
    const held = table.insert(`v${numberText(number)}${size}${key}${value}`)
    if (held === NO_RECORD) {
      table.remove(record)
      return false
    }
    table.setInteger(record, held)
    table.setFloat(record, EXPIRES, expiresMs)
    table.setFloat(record, NUMBER, number)
    this.#noteLength(index)
    return true
  }

  #pairOf(record: Handle): Pair {
    const table = this.#table
    const held = table.integer(record) as Handle
    const text = table.keyOf(held).slice(1 + NUMBER_SIZE)
    const keySize = Number.parseInt(text.slice(0, SIZE_SIZE), 16)
    const key = text.slice(SIZE_SIZE, SIZE_SIZE + keySize)
    return { key, value: text.slice(SIZE_SIZE + keySize), expiresMs: table.float(record, EXPIRES) }
  }

  /** The record, unless it has expired or its value was lost with a thread: then it goes. */
  #alive(record: Handle, nowMs: number): Handle {
    if (record === NO_RECORD) return NO_RECORD
    const table = this.#table
    if (table.float(record, EXPIRES) > nowMs && this.#holds(record)) return record
    this.#remove(record)
    return NO_RECORD
  }

  #holds(record: Handle): boolean {
    const table = this.#table
    const number = numberText(table.float(record, NUMBER))
    const held = table.integer(record) as Handle
    return held !== NO_RECORD && table.keyOf(held).startsWith(`v${number}`)
  }

  #remove(record: Handle): void {
    const table = this.#table
    if (this.#holds(record)) table.remove(table.integer(record) as Handle)
    table.remove(record)
  }

  #expire(nowMs: number): void {
    for (const record of [...this.#keyRecords()]) this.#alive(record, nowMs)
  }

  // ---- keys ------------------------------------------------------------------------------------

  /** What a key is found by; undefined: it is no key of this type. */
  #indexOf(key: string): string | undefined {
    if (this.#type !== 'ip') return `k${key}`
    const slash = key.indexOf('/')
    const bytes = parseIp(slash < 0 ? key : key.slice(0, slash))
    if (bytes === undefined || (slash >= 0 && !/^\/\d{1,3}$/.test(key.slice(slash)))) return undefined
    const bits = slash < 0 ? bytes.length * 8 : Number(key.slice(slash + 1))
    return bits > bytes.length * 8 ? undefined : rangeIndex(bytes, bits)
  }

  #match(text: string, nowMs: number): Handle {
    if (this.#type === 'string') return this.#alive(this.#table.find(`k${text}`), nowMs)
    return this.#type === 'ip' ? this.#matchIp(text, nowMs) : this.#matchPrefix(text, nowMs)
  }

  /** The narrowest range that has the address, or the range that is asked for. */
  #matchIp(text: string, nowMs: number): Handle {
    const slash = text.indexOf('/')
    const parsed = parseIp(slash < 0 ? text : text.slice(0, slash))
    if (parsed === undefined) return NO_RECORD
    const bytes = unmapIp(parsed)
    const most = slash < 0 ? bytes.length * 8 : Math.min(Number(text.slice(slash + 1)) || 0, bytes.length * 8)
    const base = bytes.length === 4 ? 0 : IPV6_LENGTHS
    for (let bits = most; bits >= 0; bits--) {
      if (!this.#hasLength(base + bits)) continue
      const record = this.#alive(this.#table.find(rangeIndex(bytes, bits)), nowMs)
      if (record !== NO_RECORD) return record
    }
    return NO_RECORD
  }

  /** The longest key that the text begins with. */
  #matchPrefix(text: string, nowMs: number): Handle {
    for (let length = text.length; length >= 0; length--) {
      if (!this.#hasLength(Math.min(length, LENGTH_MAX))) continue
      const record = this.#alive(this.#table.find(`k${text.slice(0, length)}`), nowMs)
      if (record !== NO_RECORD) return record
    }
    return NO_RECORD
  }

  #noteLength(index: string): void {
    const length = this.#type === 'ip' ? rangeLength(index) : Math.min(index.length - 1, LENGTH_MAX)
    this.#zone.words[LENGTHS_AT + (length >> 5)]! |= 1 << (length & 31)
  }

  #hasLength(length: number): boolean {
    return (this.#zone.words[LENGTHS_AT + (length >> 5)]! & (1 << (length & 31))) !== 0
  }
}

function numberText(number: number): string {
  return number.toString(16).padStart(NUMBER_SIZE, '0')
}

/** `k`, how many bits, then the bytes with all others cleared. */
function rangeIndex(bytes: string, bits: number): string {
  let network = ''
  for (let i = 0; i < bytes.length; i++) {
    const left = Math.max(0, Math.min(8, bits - i * 8))
    network += String.fromCharCode(bytes.charCodeAt(i) & (0xff << (8 - left)) & 0xff)
  }
  return `k${String.fromCharCode(bits)}${network}`
}

function rangeLength(index: string): number {
  return index.charCodeAt(1) + (index.length - 2 === 4 ? 0 : IPV6_LENGTHS)
}
