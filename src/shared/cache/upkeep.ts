/**
 * The index as the keeper sees it, which looks after the files: what it finds on disk, what is to be deleted, and the
 * records of a snapshot. It goes over the cells in parts, so that no part holds the lock for long.
 */
import { Entries } from './entries.ts'
import type { CacheIndex } from './index.ts'
import * as at from './layout.ts'
import type { CacheMemory, KeyWords } from './memory.ts'
import { addRule, dropRules, listRules, type PurgeRule } from './rules.ts'
import { setTags, tagsOf } from './tags.ts'

/** Cells that are looked at with the lock taken once. */
const PART = 2048

/** One stored object, as a snapshot or the disk tells of it. */
export interface StoredRecord {
  readonly key: KeyWords
  /** The key that it is a variant of. */
  readonly main: KeyWords | undefined
  readonly inactiveAt: number
  readonly validUntil: number
  readonly blocks: number
  readonly bodyStart: number
  readonly uses: number
  /** It has expired by a purge, whatever its file says. */
  readonly expired: boolean
  /** It was not held against all rules of purging. */
  readonly suspect: boolean
  readonly tags: readonly number[]
}

/** A key with what is stored under it. */
export interface Suspect extends KeyWords {
  readonly entry: number
  readonly generation: number
  readonly purge: number
}

/** What the keeper asks of an index. */
export class Upkeep {
  readonly #memory: CacheMemory
  readonly #entries: Entries
  readonly #index: CacheIndex

  constructor(index: CacheIndex) {
    this.#index = index
    this.#memory = index.memory
    this.#entries = new Entries(index.memory)
  }

  /** Bytes of the files, and those that are reserved. */
  get size(): number {
    return this.#memory.float(at.SIZE)
  }

  get reserved(): number {
    return this.#memory.float(at.RESERVED)
  }

  get entryCount(): number {
    return this.#memory.words[at.ENTRY_COUNT]!
  }

  get cellCount(): number {
    return this.#memory.cellCount
  }

  get freeCells(): number {
    return this.#memory.words[at.FREE_COUNT]!
  }

  /** Seconds when the entry that was not used for longest becomes inactive; 0: there is none. */
  get firstInactiveAt(): number {
    const { words } = this.#memory
    this.#memory.enter()
    const oldest = words[at.OLDEST]!
    const inactiveAt = oldest === 0 ? 0 : words[oldest + at.INACTIVE_AT]! >>> 0
    this.#memory.leave()
    return inactiveAt
  }

  get doomedCount(): number {
    return this.#memory.words[at.DOOMED_COUNT]!
  }

  get ruleCount(): number {
    return this.#memory.words[at.RULE_COUNT]!
  }

  /** Changes with whatever is stored or purged. */
  get changes(): number {
    const { words } = this.#memory
    return (words[at.LAST_GENERATION]! + words[at.LAST_PURGE]!) | 0
  }

  /** One of COLD, BEING_LOADED, LOADED. */
  get loading(): number {
    return this.#memory.words[at.LOADING]!
  }

  set loading(state: number) {
    this.#memory.words[at.LOADING] = state
  }

  /** True when this key has an object that was not only remembered by a snapshot. */
  knows(key: KeyWords): boolean {
    const { words } = this.#memory
    this.#memory.enter()
    const entry = this.#memory.find(key)
    const known = entry !== 0 && (words[entry + at.STATE]! & (at.EXISTS | at.UNSEEN)) === at.EXISTS
    this.#memory.leave()
    return known
  }

  /** A file that a snapshot remembers is there. False: it remembers none, or one of another size. */
  seen(key: KeyWords, blocks: number): boolean {
    const { words } = this.#memory
    this.#memory.enter()
    const entry = this.#memory.find(key)
    const same = entry !== 0 && this.#entries.exists(entry) && words[entry + at.BLOCKS] === blocks
    if (same) words[entry + at.STATE] = words[entry + at.STATE]! & ~at.UNSEEN
    this.#memory.leave()
    return same
  }

  /**
   * Adds an object that the index does not know, or knows by a snapshot only, as the oldest. `unseen`: a snapshot tells of it,
   * and the file has still to be found. It was held against all purges up to `purge`. False: there is no room.
   */
  add(record: StoredRecord, unseen: boolean, purge: number): boolean {
    this.#memory.enter()
    const added = this.#add(record, unseen, purge)
    this.#memory.leave()
    return added
  }

  #add(record: StoredRecord, unseen: boolean, purge: number): boolean {
    const { words } = this.#memory
    const known = this.#memory.find(record.key)
    if (known !== 0 && this.#entries.exists(known) && (words[known + at.STATE]! & at.UNSEEN) === 0) return true
    const entry = known === 0 ? this.#memory.insert(record.key, true) : known
    if (entry === 0) return false
    if (known === 0) words[entry + at.INACTIVE_AT] = record.inactiveAt
    if (known === 0) words[entry + at.USES] = record.uses
    if ((words[entry + at.STATE]! & at.DOOMED) !== 0) return true
    this.#entries.addSize(entry, record.blocks)
    words[entry + at.BODY_START] = record.bodyStart
    words[entry + at.VALID_UNTIL] = record.validUntil
    const state = at.EXISTS | (unseen ? at.UNSEEN : 0) | (record.expired ? at.EXPIRED : 0)
    words[entry + at.STATE] = (words[entry + at.STATE]! & at.UPDATING) | state
    words[entry + at.PURGE] = purge
    words[entry + at.GENERATION] = this.#entries.nextGeneration()
    setTags(this.#memory, entry, record.tags)
    if (record.main !== undefined) this.#link(entry, record.main)
    return true
  }

  #link(entry: number, key: KeyWords): void {
    const { words } = this.#memory
    if (words[entry + at.MAIN] !== 0) return
    const found = this.#memory.find(key)
    const main = found === 0 ? this.#memory.insert(key, true) : found
    if (main === 0 || main === entry) return
    if (found === 0) words[main + at.INACTIVE_AT] = words[entry + at.INACTIVE_AT]!
    this.#entries.link(entry, main)
  }

  /** Cells come in parts from 0 on; true: this was the last. */
  isLast(part: number): boolean {
    return (part + 1) * PART >= this.#memory.usedCellCount
  }

  /** The keys of a part whose files are to be deleted; `deleted` follows for each. */
  doomedIn(part: number): Suspect[] {
    return this.#collect(part, at.DOOMED, at.DOOMED, Number.POSITIVE_INFINITY)
  }

  /** The objects of a part that were not held against all purges up to `purge`. */
  suspectsIn(part: number, purge: number): Suspect[] {
    return this.#collect(part, at.EXISTS, at.EXISTS, purge)
  }

  #collect(part: number, mask: number, state: number, purge: number): Suspect[] {
    const { words } = this.#memory
    const found: Suspect[] = []
    this.#memory.enter()
    const [from, to] = this.#range(part)
    for (let cell = from; cell < to; cell += at.CELL_WORDS) {
      if (words[cell + at.KIND] !== at.ENTRY || (words[cell + at.STATE]! & mask) !== state) continue
      if (words[cell + at.PURGE]! >= purge) continue
      const key = this.#index.keyOf(cell)
      found.push({ ...key, entry: cell, generation: words[cell + at.GENERATION]!, purge: words[cell + at.PURGE]! })
    }
    this.#memory.leave()
    return found
  }

  #range(part: number): [number, number] {
    const { words } = this.#memory
    const from = words[at.CELLS_AT]! + part * PART * at.CELL_WORDS
    return [from, Math.min(words[at.FRESH]!, from + PART * at.CELL_WORDS)]
  }

  /** The file of a doomed key is deleted. */
  deleted(key: KeyWords): void {
    const { words } = this.#memory
    this.#memory.enter()
    const entry = this.#memory.find(key)
    if (entry !== 0 && (words[entry + at.STATE]! & at.DOOMED) !== 0) {
      words[entry + at.STATE] = words[entry + at.STATE]! & ~at.DOOMED
      words[at.DOOMED_COUNT] = words[at.DOOMED_COUNT]! - 1
      this.#entries.dropUnknown(entry)
    }
    this.#memory.leave()
  }

  /** All files were looked at: what a snapshot remembered in this part and nobody has found is forgotten. */
  forgetUnseen(part: number): void {
    const { words } = this.#memory
    this.#memory.enter()
    const [from, to] = this.#range(part)
    for (let cell = from; cell < to; cell += at.CELL_WORDS) {
      if (words[cell + at.KIND] !== at.ENTRY || (words[cell + at.STATE]! & at.UNSEEN) === 0) continue
      this.#entries.empty(cell)
      words[cell + at.STATE] = words[cell + at.STATE]! & ~at.UNSEEN
      this.#entries.dropUnknown(cell)
    }
    this.#memory.leave()
  }

  /** The objects of a part, for a snapshot. */
  recordsIn(part: number): StoredRecord[] {
    const { words } = this.#memory
    const records: StoredRecord[] = []
    this.#memory.enter()
    const [from, to] = this.#range(part)
    for (let cell = from; cell < to; cell += at.CELL_WORDS) {
      if (words[cell + at.KIND] !== at.ENTRY || !this.#entries.exists(cell)) continue
      const main = words[cell + at.MAIN]!
      records.push({
        key: this.#index.keyOf(cell),
        main: main === 0 ? undefined : this.#index.keyOf(main),
        inactiveAt: words[cell + at.INACTIVE_AT]! >>> 0,
        validUntil: words[cell + at.VALID_UNTIL]! >>> 0,
        blocks: words[cell + at.BLOCKS]! >>> 0,
        bodyStart: words[cell + at.BODY_START]!,
        uses: words[cell + at.USES]! & at.USES_MAX,
        expired: (words[cell + at.STATE]! & at.EXPIRED) !== 0,
        suspect: words[at.RULE_COUNT]! > 0 && words[cell + at.PURGE]! < words[at.LAST_RULE]!,
        tags: tagsOf(this.#memory, cell),
      })
    }
    this.#memory.leave()
    return records
  }

  /** The rules that are not carried out yet. */
  get rules(): PurgeRule[] {
    this.#memory.enter()
    const rules = listRules(this.#memory)
    this.#memory.leave()
    return rules
  }

  /** Goes on with rules of a snapshot; returns the number of the last purge. */
  restoreRules(rules: readonly PurgeRule[]): number {
    this.#memory.enter()
    for (const { type, text } of rules) addRule(this.#memory, type, text)
    const last = this.#memory.words[at.LAST_PURGE]!
    this.#memory.leave()
    return rules.length === 0 ? 0 : last
  }

  /** All entries were held against the rules up to this purge. */
  dropRules(purge: number): void {
    this.#memory.enter()
    dropRules(this.#memory, purge)
    this.#memory.leave()
  }
}
