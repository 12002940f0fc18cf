/**
 * Named 64-bit counters that all threads add to without a lock. Finding or making one by name takes the zone's lock, so
 * that is done when the configuration loads; a counter keeps its value over reloads, under its name.
 */
import { assert } from '../lib/assert.ts'
import { NO_RECORD, Table } from './table.ts'
import type { Zone } from './zone.ts'

const TWO_32 = 4294967296
const STEP_MAX = TWO_32 - 1

/** One counter; made by `Counters.get`. */
export class Counter {
  readonly #words: Int32Array
  readonly #low: number

  constructor(words: Int32Array, low: number) {
    this.#words = words
    this.#low = low
  }

  /** Adds a whole number of magnitude below 2^32, which may be negative. */
  add(amount: number): void {
    const before = Atomics.add(this.#words, this.#low, amount | 0) >>> 0
    const after = before + amount
    if (after >= TWO_32) Atomics.add(this.#words, this.#low + 1, 1)
    else if (after < 0) Atomics.sub(this.#words, this.#low + 1, 1)
  }

  /** Takes away what there is. */
  reset(): void {
    for (let left = this.value; left > 0; left -= STEP_MAX) this.add(-Math.min(left, STEP_MAX))
  }

  /** The value; exact when nobody is adding, and otherwise off by 2^32 for the moment of a carry at worst. */
  get value(): number {
    for (;;) {
      const high = Atomics.load(this.#words, this.#low + 1)
      const low = Atomics.load(this.#words, this.#low) >>> 0
      if (high === Atomics.load(this.#words, this.#low + 1)) return high * TWO_32 + low
    }
  }
}

/** The counters of one zone. */
export class Counters {
  readonly #zone: Zone
  readonly #table: Table

  constructor(zone: Zone) {
    this.#zone = zone
    this.#table = new Table(zone)
  }

  /** Returns the counter of that name, making it at zero; undefined when the zone is full. Control plane only. */
  get(name: string): Counter | undefined {
    assert(name !== '', 'a counter has a name')
    this.#table.enter()
    let record = this.#table.find(name)
    if (record === NO_RECORD) record = this.#table.insert(name)
    this.#table.leave()
    return record === NO_RECORD ? undefined : new Counter(this.#zone.words, this.#table.atomicsAt(record))
  }

  /** Names of all counters, the oldest first. */
  names(): readonly string[] {
    const names: string[] = []
    this.#table.enter()
    for (let record = this.#table.oldest(); record !== NO_RECORD; record = this.#table.newer(record)) {
      names.push(this.#table.keyOf(record))
    }
    this.#table.leave()
    return names
  }
}
