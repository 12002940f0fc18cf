/**
 * What the parts of the index have in common: entries with their objects, variants and sizes. Everything is called between
 * `enter` and `leave`.
 */
import * as at from './layout.ts'
import type { CacheMemory } from './memory.ts'
import { clearTags } from './tags.ts'

/** One key in the index; valid while it is used. 0 is none. */
export type Entry = number

/** Most variants of one key. */
const VARIANTS_MAX = 100

/** The entries of one zone. */
export class Entries {
  readonly memory: CacheMemory
  readonly words: Int32Array

  constructor(memory: CacheMemory) {
    this.memory = memory
    this.words = memory.words
  }

  exists(entry: Entry): boolean {
    return (this.words[entry + at.STATE]! & at.EXISTS) !== 0
  }

  /** The status that is remembered instead of an object, or 0. */
  errorOf(entry: Entry): number {
    return this.words[entry + at.STATE]! >>> at.ERROR_SHIFT
  }

  /** The cap of variants is kept by dooming the one that was not used for longest. */
  link(entry: Entry, main: Entry): void {
    const { words } = this
    let count = 0
    let oldest = 0
    for (let variant = words[main + at.VARIANT]!; variant !== 0; variant = words[variant + at.VARIANT]!) {
      count++
      if (words[variant + at.USERS] !== 0 || !this.exists(variant)) continue
      if (oldest === 0 || words[variant + at.INACTIVE_AT]! >>> 0 < words[oldest + at.INACTIVE_AT]! >>> 0)
        oldest = variant
    }
    if (count >= VARIANTS_MAX && oldest !== 0) {
      this.unlink(oldest)
      this.doom(oldest)
    }
    words[entry + at.MAIN] = main
    words[entry + at.VARIANT] = words[main + at.VARIANT]!
    words[main + at.VARIANT] = entry
  }

  /** Takes a variant from its main entry. */
  unlink(entry: Entry): void {
    const { words } = this
    const main = words[entry + at.MAIN]!
    if (main === 0) return
    let link = main + at.VARIANT
    while (words[link] !== entry && words[link] !== 0) link = words[link]! + at.VARIANT
    words[link] = words[entry + at.VARIANT]!
    words[entry + at.MAIN] = words[entry + at.VARIANT] = 0
  }

  /** Without the main entry nothing leads to its variants: they go with it. */
  orphan(main: Entry): void {
    const { words } = this
    while (words[main + at.VARIANT] !== 0) {
      const variant = words[main + at.VARIANT]!
      this.unlink(variant)
      if (this.exists(variant)) this.doom(variant)
    }
  }

  /** Nothing is stored any more; the file is for the keeper to delete. */
  doom(entry: Entry): void {
    const { words } = this
    this.empty(entry)
    words[entry + at.STATE] = words[entry + at.STATE]! | at.DOOMED
    words[at.DOOMED_COUNT] = words[at.DOOMED_COUNT]! + 1
  }

  /** The entry goes with all that hangs on it. */
  remove(entry: Entry): void {
    const { words } = this
    this.addSize(entry, 0)
    if ((words[entry + at.STATE]! & at.DOOMED) !== 0) words[at.DOOMED_COUNT] = words[at.DOOMED_COUNT]! - 1
    if (words[entry + at.MAIN] === 0) this.orphan(entry)
    this.unlink(entry)
    clearTags(this.memory, entry)
    this.memory.remove(entry)
  }

  /** Removes an entry that nobody uses and nothing is known of. */
  dropUnknown(entry: Entry): void {
    const { words } = this
    if (words[entry + at.USERS] !== 0 || (words[entry + at.MAIN] === 0 && words[entry + at.VARIANT] !== 0)) return
    const known = at.EXISTS | at.DOOMED | at.PASS
    if ((words[entry + at.STATE]! & known) === 0 && this.errorOf(entry) === 0) this.remove(entry)
  }

  /** Forgets what is remembered instead of an object. */
  forget(entry: Entry): void {
    this.words[entry + at.STATE] = this.words[entry + at.STATE]! & 0xffff & ~at.PASS
  }

  /** Nothing is stored any more. */
  empty(entry: Entry): void {
    const { words } = this
    this.addSize(entry, 0)
    clearTags(this.memory, entry)
    words[entry + at.STATE] = words[entry + at.STATE]! & ~(at.EXISTS | at.EXPIRED)
    words[entry + at.GENERATION] = words[entry + at.BODY_START] = 0
  }

  /** The file of an entry has another size. */
  addSize(entry: Entry, blocks: number): void {
    const { memory, words } = this
    memory.setFloat(at.SIZE, memory.float(at.SIZE) + (blocks - words[entry + at.BLOCKS]!) * 512)
    words[entry + at.BLOCKS] = blocks
  }

  nextGeneration(): number {
    const { words } = this
    words[at.LAST_GENERATION] = (words[at.LAST_GENERATION]! + 1) | 0 || 1
    return words[at.LAST_GENERATION]!
  }

  /** The object has expired, whatever its file says. */
  expire(entry: Entry, now: number): void {
    const { words } = this
    words[entry + at.STATE] = words[entry + at.STATE]! | at.EXPIRED
    words[entry + at.VALID_UNTIL] = Math.min(words[entry + at.VALID_UNTIL]! >>> 0, now - 1)
    words[entry + at.GENERATION] = this.nextGeneration()
  }
}

/** The index knows times up to the year 2106. */
export function clampSeconds(seconds: number): number {
  return Math.min(Math.max(0, seconds), 0xffffffff)
}
