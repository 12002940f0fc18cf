/**
 * The index of one cache, common to all threads: which keys there are, in the exact order of use, what is known of each,
 * and who is fetching it. Files are not its business: it says what is to be deleted, and is told what was stored.
 *
 * Users of an entry (requests) are counted: it stays while there are any. What a thread holds is noted (holdings.ts), so
 * that it can be given back when the thread dies.
 */
import { letGo, NOT_NOTED, noteHolding } from '../holdings.ts'
import type { Zone } from '../zone.ts'
import { BELL_BIT, KEEPER_BIT, ring } from './bells.ts'
import { clampSeconds, Entries, type Entry } from './entries.ts'
import * as at from './layout.ts'
import { CacheMemory, type KeyWords } from './memory.ts'
import { addRule, applyRules, RULE_KEY, RULE_NOTHING, RULE_PREFIX, RULE_SOFT, RULE_TAG } from './rules.ts'
import { setTags, taggedEntries, tagsOf } from './tags.ts'

/** A refresh without a lock's age that takes this long was forgotten. */
const REFRESH_MS_MAX = 3_600_000

/** What a holding is of: added to the cell that it is in. */
export const HELD_USE = 0
export const HELD_LOCK = 1
export const HELD_FOLLOWING = 2

/** `lock`: another one has it; the object is there by now. */
export const LOCK_TAKEN = 0
export const LOCK_POINTLESS = -1

/** The right to fetch what an entry is to have. */
export interface FetchLock {
  readonly number: number
  /** The note of it among the thread's holdings. */
  readonly note: number
}

/** Nobody's. */
export const NO_LOCK: FetchLock = { number: 0, note: NOT_NOTED }

/** Entries that a purge takes with the lock taken once. */
const PURGED_PER_STEP = 2048

/** What was stored under a key. */
export interface StoredFacts {
  /** Size of the file on disk in units of 512 bytes. */
  readonly blocks: number
  readonly bodyStart: number
  readonly validSec: number
  readonly tags: readonly number[]
}

/** The index of one zone as one thread sees it. */
export class CacheIndex {
  readonly memory: CacheMemory
  readonly words: Int32Array
  readonly #entries: Entries
  /** The event of the entry that `await` was called for last. */
  awaited = 0
  /** The note of what the last `acquire`, `lock` or `hold` counted. */
  held = NOT_NOTED
  /** The key of the entry that `evict` has removed. */
  readonly evicted = { k0: 0, k1: 0, k2: 0, k3: 0 }

  constructor(zone: Zone) {
    this.memory = new CacheMemory(zone)
    this.words = zone.words
    this.#entries = new Entries(this.memory)
  }

  /**
   * Finds or makes the entry of a key and counts a use and a user, noted in `held`; 0: the zone is full. `main`: the key it
   * is a variant of.
   */
  acquire(key: KeyWords, now: number, inactiveAt: number, main: Entry): Entry {
    const { memory, words } = this
    memory.enter()
    let entry = memory.find(key)
    if (entry === 0) entry = memory.insert(key)
    else {
      memory.touch(entry)
      if (this.errorOf(entry) !== 0 && words[entry + at.VALID_UNTIL]! >>> 0 < now) this.#entries.forget(entry)
      if (!this.passes(entry, now)) words[entry + at.STATE] = words[entry + at.STATE]! & ~at.PASS
    }
    if (entry !== 0) {
      if (this.usesOf(entry) < at.USES_MAX) words[entry + at.USES] = words[entry + at.USES]! + 1
      this.hold(entry, HELD_USE)
      words[entry + at.USERS] = words[entry + at.USERS]! + 1
      words[entry + at.INACTIVE_AT] = inactiveAt
      if (main !== 0 && words[entry + at.MAIN] === 0 && entry !== main) this.#entries.link(entry, main)
    }
    memory.leave()
    return entry
  }

  /** Notes in `held` what this thread counts next. */
  hold(cell: number, what: number): void {
    this.held = noteHolding(this.memory.zone.id, cell + what)
  }

  /** An object was answered from this thread's memory: its entry is the newest, unless it has been so in this second. */
  touch(entry: Entry, generation: number, inactiveAt: number): void {
    const { memory, words } = this
    if (words[entry + at.INACTIVE_AT] === (inactiveAt | 0)) return
    memory.enter()
    if (words[entry + at.GENERATION] === generation) {
      words[entry + at.INACTIVE_AT] = inactiveAt
      memory.touch(entry)
    }
    memory.leave()
  }

  /** Ends a use. An entry that nothing is known of goes, unless its uses are counted. */
  release(entry: Entry, held: number, countsUses: boolean): void {
    const { memory, words } = this
    memory.enter()
    letGo(held)
    words[entry + at.USERS] = words[entry + at.USERS]! - 1
    if (!countsUses) this.#entries.dropUnknown(entry)
    memory.leave()
  }

  exists(entry: Entry): boolean {
    return this.#entries.exists(entry)
  }

  /** What its file has is purged, and the file is still there. */
  isDoomed(entry: Entry): boolean {
    return (this.words[entry + at.STATE]! & at.DOOMED) !== 0
  }

  /** The status that is remembered instead of an object, or 0. */
  errorOf(entry: Entry): number {
    return this.#entries.errorOf(entry)
  }

  /** Answers of this key were not cacheable a short while ago: nobody need wait for another's. */
  passes(entry: Entry, now: number): boolean {
    const { words } = this
    if ((words[entry + at.STATE]! & at.PASS) === 0) return false
    return (((words[entry + at.USES]! >>> at.PASS_SHIFT) - now) & at.PASS_MASK) <= at.PASS_MASK >> 1
  }

  usesOf(entry: Entry): number {
    return this.words[entry + at.USES]! & at.USES_MAX
  }

  /** Changes with whatever is stored under the key, or purged; 0: nothing is stored. */
  generationOf(entry: Entry): number {
    return this.words[entry + at.GENERATION]!
  }

  bodyStartOf(entry: Entry): number {
    return this.words[entry + at.BODY_START]!
  }

  /** The last purge that was begun. */
  get lastPurge(): number {
    return this.words[at.LAST_PURGE]!
  }

  /** The last rule of purging: what was read before has to be held against it. */
  get lastRule(): number {
    return this.words[at.LAST_RULE]!
  }

  /** Files may be there that no entry knows. */
  get cold(): boolean {
    return this.words[at.LOADING] !== at.LOADED
  }

  // ------------------------------------------------------------------------------------------------ fetching

  /**
   * Becomes the one who fetches: the number of the lock, which holds for `ageMs` (0: for very long) and is noted in `held`.
   * `stale`: there is an object, to be refreshed.
   */
  lock(entry: Entry, nowMs: number, ageMs: number, stale: boolean): number {
    const { memory, words } = this
    memory.enter()
    let lock = LOCK_TAKEN
    if (!stale && this.exists(entry)) lock = LOCK_POINTLESS
    else if (!this.#locked(entry, nowMs)) {
      words[at.LAST_LOCK] = (words[at.LAST_LOCK]! + 1) & 0x7fffffff || 1
      lock = words[at.LAST_LOCK]!
      this.hold(entry, HELD_LOCK)
      words[entry + at.LOCK] = lock
      words[entry + at.LOCK_UNTIL] = (nowMs + (ageMs === 0 ? REFRESH_MS_MAX : ageMs)) | 0
      words[entry + at.STATE] = words[entry + at.STATE]! | at.UPDATING
    }
    memory.leave()
    return lock
  }

  #locked(entry: Entry, nowMs: number): boolean {
    const { words } = this
    if ((words[entry + at.STATE]! & at.UPDATING) === 0) return false
    return ((words[entry + at.LOCK_UNTIL]! - nowMs) | 0) > 0
  }

  /** Milliseconds until the lock may be taken over. */
  lockLeftMs(entry: Entry, nowMs: number): number {
    return Math.max(0, (this.words[entry + at.LOCK_UNTIL]! - nowMs) | 0)
  }

  /** Gives a lock back, if it still holds; who waits is woken. */
  unlock(entry: Entry, lock: FetchLock): void {
    this.memory.enter()
    const mask = this.#unlock(entry, lock)
    this.memory.leave()
    ring(this.words, mask)
  }

  #unlock(entry: Entry, { number, note }: FetchLock): number {
    const { words } = this
    letGo(note)
    if (words[entry + at.LOCK] !== number || number === 0) return 0
    words[entry + at.LOCK] = 0
    words[entry + at.STATE] = words[entry + at.STATE]! & ~at.UPDATING
    return this.wakeUp(entry)
  }

  /** Between enter and leave: there is news; returns the threads to ring at. */
  wakeUp(entry: Entry): number {
    const { words } = this
    words[entry + at.EVENT] = (words[entry + at.EVENT]! + 1) | 0
    const mask = words[entry + at.WAITING]!
    words[entry + at.WAITING] = 0
    return mask
  }

  /**
   * Says that this thread waits for news of an entry that is being fetched, after the event `awaited`. False: it is not
   * (any more).
   */
  await(entry: Entry, nowMs: number): boolean {
    const { memory, words } = this
    memory.enter()
    const locked = this.#locked(entry, nowMs)
    if (locked) words[entry + at.WAITING] = words[entry + at.WAITING]! | BELL_BIT
    this.awaited = words[entry + at.EVENT]!
    memory.leave()
    return locked
  }

  /** What is being stored under an entry, for those who want to follow; 0: nothing. */
  flightOf(entry: Entry): number {
    return this.words[entry + at.OWN_FLIGHT]!
  }

  /** The last purge that the object of an entry was held against. */
  purgeOf(entry: Entry): number {
    return this.words[entry + at.PURGE]!
  }

  /** Rings at this thread's own bell: it has something to look at in a moment. */
  ringSelf(): void {
    ring(this.words, BELL_BIT)
  }

  /** What the rules after purge `since` say of a key; see rules.ts. */
  ruleFor(since: number, key: string, tags: readonly number[]): number {
    const { memory } = this
    memory.enter()
    const found = applyRules(memory, since, key, tags)
    memory.leave()
    return found
  }

  /** A number that changes when there is news of an entry. */
  eventOf(entry: Entry): number {
    return this.words[entry + at.EVENT]!
  }

  /**
   * The file of an object stands under its name. False: what it was fetched for was purged after purge `since`, so that it
   * has to go again.
   */
  stored(entry: Entry, key: string, facts: StoredFacts, since: number, lock: FetchLock): boolean {
    const { memory, words } = this
    memory.enter()
    if (words[at.LAST_PURGE] !== since && this.#purgedSince(entry, since, key, facts.tags)) {
      if (this.exists(entry)) this.#entries.empty(entry)
      const mask = this.#unlock(entry, lock)
      memory.leave()
      ring(words, mask)
      return false
    }
    if ((words[entry + at.STATE]! & at.DOOMED) !== 0) words[at.DOOMED_COUNT] = words[at.DOOMED_COUNT]! - 1
    this.#entries.addSize(entry, facts.blocks)
    words[entry + at.BODY_START] = facts.bodyStart
    words[entry + at.VALID_UNTIL] = clampSeconds(facts.validSec)
    words[entry + at.STATE] = (words[entry + at.STATE]! & at.UPDATING) | at.EXISTS
    words[entry + at.PURGE] = words[at.LAST_PURGE]!
    words[entry + at.GENERATION] = this.#entries.nextGeneration()
    setTags(memory, entry, facts.tags)
    const mask = lock === NO_LOCK ? this.wakeUp(entry) : this.#unlock(entry, lock)
    memory.leave()
    ring(words, mask)
    return true
  }

  /** A purge has taken the object of an entry, or made it expire, after purge `since`. */
  isPurged(entry: Entry, since: number, key: string): boolean {
    const { memory, words } = this
    if (words[at.LAST_PURGE] === since) return false
    memory.enter()
    const purged = this.#purgedSince(entry, since, key, tagsOf(memory, entry))
    memory.leave()
    return purged
  }

  #purgedSince(entry: Entry, since: number, key: string, tags: readonly number[]): boolean {
    const { memory, words } = this
    if (words[entry + at.PURGED]! > since) return true
    if (words[at.LAST_RULE]! > since && applyRules(memory, since, key, tags) !== RULE_NOTHING) return true
    if (tags.length === 0) return false
    let after = 0
    for (let n = 0; n < at.RECENT_TAGS_MAX; n++) {
      const recent = at.RECENT_TAGS + n * 2
      if (words[recent + 1]! <= since) continue
      after++
      if (tags.includes(words[recent]!)) return true
    }
    // More of them than are remembered.
    return after === at.RECENT_TAGS_MAX
  }

  /** The object of an entry has another time until which it is valid. */
  refreshed(entry: Entry, validSec: number, lock: FetchLock): void {
    const { memory, words } = this
    memory.enter()
    if (this.exists(entry)) {
      words[entry + at.VALID_UNTIL] = clampSeconds(validSec)
      words[entry + at.STATE] = words[entry + at.STATE]! & ~(at.EXPIRED | at.PASS)
      words[entry + at.GENERATION] = this.#entries.nextGeneration()
    }
    const mask = this.#unlock(entry, lock)
    memory.leave()
    ring(words, mask)
  }

  /** A file was found that the index did not know, or knew less of; returns its generation, 0 when it is known by now. */
  found(entry: Entry, { blocks, bodyStart, validSec, tags }: StoredFacts): number {
    const { memory, words } = this
    memory.enter()
    let generation = 0
    if (!this.exists(entry)) {
      this.#entries.addSize(entry, blocks)
      words[entry + at.BODY_START] = bodyStart
      words[entry + at.VALID_UNTIL] = clampSeconds(validSec)
      words[entry + at.STATE] = (words[entry + at.STATE]! & at.UPDATING) | at.EXISTS
      // It has still to be held against all purges.
      words[entry + at.PURGE] = 0
      generation = this.#entries.nextGeneration()
      words[entry + at.GENERATION] = generation
      setTags(memory, entry, tags)
    }
    memory.leave()
    return generation
  }

  /** The entry was held against all purges so far, and stays. */
  cleared(entry: Entry, generation: number, purge: number): void {
    const { memory, words } = this
    memory.enter()
    if (words[entry + at.GENERATION] === generation) words[entry + at.PURGE] = purge
    memory.leave()
  }

  /** The object of this generation expires, by a purge. */
  expire(entry: Entry, generation: number, purge: number, now: number): void {
    const { memory, words } = this
    memory.enter()
    if (words[entry + at.GENERATION] === generation) {
      words[entry + at.PURGE] = purge
      this.#entries.expire(entry, now)
    }
    memory.leave()
  }

  /** When the object of an entry has expired by a purge, whatever its file says; Infinity: it has not. */
  expiredAt(entry: Entry): number {
    const { words } = this
    return (words[entry + at.STATE]! & at.EXPIRED) === 0
      ? Number.POSITIVE_INFINITY
      : words[entry + at.VALID_UNTIL]! >>> 0
  }

  /** The file of this generation is gone or broken: nothing is stored any more. */
  missing(entry: Entry, generation: number): void {
    const { memory, words } = this
    memory.enter()
    if (this.exists(entry) && words[entry + at.GENERATION] === generation) {
      this.#entries.empty(entry)
      this.#entries.dropUnknown(entry)
    }
    memory.leave()
  }

  /** Remembers a failure until `validSec`. */
  remember(entry: Entry, status: number, validSec: number): void {
    const { memory, words } = this
    memory.enter()
    if (validSec > 0) words[entry + at.VALID_UNTIL] = clampSeconds(validSec)
    words[entry + at.STATE] = (words[entry + at.STATE]! & 0xffff) | (status << at.ERROR_SHIFT)
    memory.leave()
  }

  /** Answers are not cacheable: until then nobody waits for another's. Who waits now goes on at once. */
  pass(entry: Entry, untilSec: number, lock: FetchLock): void {
    const { memory, words } = this
    memory.enter()
    words[entry + at.STATE] = words[entry + at.STATE]! | at.PASS
    words[entry + at.USES] = this.usesOf(entry) | (untilSec << at.PASS_SHIFT)
    const mask = this.#unlock(entry, lock)
    memory.leave()
    ring(words, mask)
  }

  // ------------------------------------------------------------------------------------------------ room

  /**
   * Removes the oldest entry that nobody uses, with `onlyInactive` one that became inactive before `now`; its key is in
   * `evicted`. Returns whether it has a file to delete: 1 or 0; -1: there is none to remove.
   */
  evict(now: number, inactiveAt: number, onlyInactive: boolean): number {
    const { memory, words } = this
    memory.enter()
    let result = -1
    for (let left = words[at.ENTRY_COUNT]!; left > 0; left--) {
      const entry = words[at.OLDEST]!
      if (onlyInactive && words[entry + at.INACTIVE_AT]! >>> 0 > now) break
      if (words[entry + at.USERS]! === 0) {
        result = (words[entry + at.STATE]! & (at.EXISTS | at.DOOMED)) !== 0 ? 1 : 0
        this.#copyKey(entry, this.evicted)
        this.#entries.remove(entry)
        break
      }
      words[entry + at.INACTIVE_AT] = inactiveAt
      memory.touch(entry)
    }
    memory.leave()
    return result
  }

  #copyKey(entry: Entry, to: { k0: number; k1: number; k2: number; k3: number }): void {
    const { words } = this
    to.k0 = words[entry + at.KEY]!
    to.k1 = words[entry + at.KEY + 1]!
    to.k2 = words[entry + at.KEY + 2]!
    to.k3 = words[entry + at.KEY + 3]!
  }

  /** The key of an entry that is used, or that the caller has seen under the lock. */
  keyOf(entry: Entry): KeyWords {
    const key = { k0: 0, k1: 0, k2: 0, k3: 0 }
    this.#copyKey(entry, key)
    return key
  }

  // ------------------------------------------------------------------------------------------------ purging

  /**
   * Purges a key with its variants. Hard: nothing is stored under them any more, and the keys are appended to `files`, to be
   * deleted. Soft: they have expired, and the keys are appended for their files to say so too. Whoever fetches now will
   * not store what comes.
   */
  purgeKey(key: KeyWords, soft: boolean, now: number, files: KeyWords[]): void {
    const { memory, words } = this
    memory.enter()
    const purge = words[at.LAST_PURGE]! + 1
    words[at.LAST_PURGE] = purge
    let mask = 0
    const main = memory.find(key)
    if (main !== 0) {
      let variant = words[main + at.VARIANT]!
      while (variant !== 0) {
        const next = words[variant + at.VARIANT]!
        mask |= this.#purge(variant, purge, soft, now, files)
        variant = next
      }
      mask |= this.#purge(main, purge, soft, now, files)
    }
    memory.leave()
    ring(words, mask)
  }

  /** Without `files` what is purged is doomed: its file is for the keeper to delete. */
  #purge(entry: Entry, purge: number, soft: boolean, now: number, files: KeyWords[] | undefined): number {
    const { words } = this
    const state = words[entry + at.STATE]!
    words[entry + at.PURGE] = words[entry + at.PURGED] = purge
    if ((state & (at.EXISTS | at.DOOMED)) !== 0) files?.push(this.keyOf(entry))
    if (soft && (state & at.EXISTS) !== 0) {
      this.#entries.expire(entry, now)
      return 0
    }
    this.#entries.forget(entry)
    if ((state & at.EXISTS) !== 0) {
      if (files === undefined) this.#entries.doom(entry)
      else this.#entries.empty(entry)
    }
    words[entry + at.OWN_FLIGHT] = 0
    const mask = this.#unlock(entry, { number: words[entry + at.LOCK]!, note: NOT_NOTED })
    this.#entries.dropUnknown(entry)
    return mask
  }

  /** Purges what has a tag: how many entries. Hard: their files go soon. */
  purgeTag(hash: number, soft: boolean, now: number): number {
    const { memory, words } = this
    memory.enter()
    words[at.LAST_PURGE] = words[at.LAST_PURGE]! + 1
    const recent = at.RECENT_TAGS + (words[at.TAG_PURGES]! % at.RECENT_TAGS_MAX) * 2
    words[at.TAG_PURGES] = words[at.TAG_PURGES]! + 1
    words[recent] = hash
    words[recent + 1] = words[at.LAST_PURGE]!
    const purge = words[at.LAST_PURGE]!
    let count = 0
    for (;;) {
      const found = taggedEntries(memory, hash, purge, PURGED_PER_STEP)
      let mask = KEEPER_BIT
      for (let i = 0; i < found.length; i++) mask |= this.#purge(found[i]!, purge, soft, now, undefined)
      memory.leave()
      ring(words, mask)
      count += found.length
      if (found.length < PURGED_PER_STEP) return count
      memory.enter()
    }
  }

  /** Adds a rule of purging. False: too many are under way. */
  addRule(type: number, soft: boolean, text: string): boolean {
    this.memory.enter()
    const added = addRule(this.memory, soft ? type | RULE_SOFT : type, text)
    this.memory.leave()
    ring(this.words, KEEPER_BIT)
    return added
  }

  /** The rules that stand in for a purge while files are there that no entry knows. */
  ruleForKey(key: string, soft: boolean): void {
    if (this.cold) this.addRule(RULE_KEY, soft, key)
  }

  ruleForTag(hash: number, soft: boolean): void {
    if (this.cold) this.addRule(RULE_TAG, soft, String(hash))
  }

  /** Purges all keys that begin with a text. */
  purgePrefix(prefix: string, soft: boolean): boolean {
    return this.addRule(RULE_PREFIX, soft, prefix)
  }
}
