/**
 * The cells of a keys zone: taking and giving back, finding entries by key, the exact order of use, and putting all of it
 * in order after a thread has died inside. Everything is called between `enter` and `leave`.
 */
import type { Zone } from '../zone.ts'
import * as at from './layout.ts'

/** What a zone of a cache is made as (`Zone.attach`). */
export const CACHE_ZONE_KIND = 'http_cache'

/** After so many entries who waits for the lock is told that its owner lives. */
const BEAT_EVERY = 65536

/** The 16 bytes of an MD5 as four words, little-endian as in memory. */
export interface KeyWords {
  readonly k0: number
  readonly k1: number
  readonly k2: number
  readonly k3: number
}

/** One keys zone as one thread sees it. */
export class CacheMemory {
  readonly zone: Zone
  readonly words: Int32Array
  /** The same memory; index is that of the first word halved. */
  readonly floats: Float64Array
  readonly bytes: Uint8Array
  readonly #mask: number
  readonly tagMask: number

  /** Lays out a blank zone, or uses what is there. */
  constructor(zone: Zone) {
    this.zone = zone
    this.words = zone.words
    this.floats = new Float64Array(zone.buffer, 0, zone.size / 8)
    this.bytes = new Uint8Array(zone.buffer, 0, zone.size)
    this.#layOut()
    this.#mask = this.words[at.BUCKET_MASK]!
    this.tagMask = this.words[at.TAG_MASK]!
  }

  /** Takes the zone's lock, and puts in order what a dead thread left. */
  enter(): void {
    if (!this.zone.lock.enter()) return
    this.#rebuild()
    this.zone.lock.repaired()
  }

  leave(): void {
    this.zone.lock.leave()
  }

  /** Cells in all. */
  get cellCount(): number {
    return (this.words[at.CELLS_END]! - this.words[at.CELLS_AT]!) / at.CELL_WORDS
  }

  /** Cells that were ever used; there is nothing behind them. */
  get usedCellCount(): number {
    return (this.words[at.FRESH]! - this.words[at.CELLS_AT]!) / at.CELL_WORDS
  }

  /** Takes a free cell, all zero but for its kind, which the caller writes; 0: there is none. */
  take(): number {
    const { words } = this
    let cell = words[at.FREE]!
    if (cell !== 0) {
      words[at.FREE] = words[cell + at.NEXT]!
      words.fill(0, cell, cell + at.CELL_WORDS)
    } else {
      cell = words[at.FRESH]!
      if (cell === words[at.CELLS_END]) return 0
      words[at.FRESH] = cell + at.CELL_WORDS
    }
    words[at.FREE_COUNT] = words[at.FREE_COUNT]! - 1
    return cell
  }

  give(cell: number): void {
    const { words } = this
    words[cell + at.KIND] = at.FREE_CELL
    words[cell + at.NEXT] = words[at.FREE]!
    words[at.FREE] = cell
    words[at.FREE_COUNT] = words[at.FREE_COUNT]! + 1
  }

  /** The entry of a key, 0 when there is none. MD5 is as good as any hash: its first word chooses the bucket. */
  find({ k0, k1, k2, k3 }: KeyWords): number {
    const { words } = this
    let cell = words[at.BUCKETS_AT + (k0 & this.#mask)]!
    for (; cell !== 0; cell = words[cell + at.NEXT]!) {
      const key = cell + at.KEY
      if (words[key] === k0 && words[key + 1] === k1 && words[key + 2] === k2 && words[key + 3] === k3) break
    }
    return cell
  }

  /** Adds the entry of a key that is not there, as the newest or the oldest; 0: no room. */
  insert({ k0, k1, k2, k3 }: KeyWords, oldest = false): number {
    const { words } = this
    const cell = this.take()
    if (cell === 0) return 0
    const key = cell + at.KEY
    words[key] = k0
    words[key + 1] = k1
    words[key + 2] = k2
    words[key + 3] = k3
    this.#chain(cell)
    if (oldest) this.#listOldest(cell)
    else this.#list(cell)
    words[at.ENTRY_COUNT] = words[at.ENTRY_COUNT]! + 1
    words[cell + at.KIND] = at.ENTRY
    return cell
  }

  /** Takes an entry out and frees its cell; tags, variants and flights were cut off before. */
  remove(entry: number): void {
    const { words } = this
    words[entry + at.KIND] = at.FREE_CELL
    words[entry + at.GENERATION] = 0
    this.#unchain(entry)
    this.#unlist(entry)
    words[at.ENTRY_COUNT] = words[at.ENTRY_COUNT]! - 1
    this.give(entry)
  }

  /** Makes an entry the newest. */
  touch(entry: number): void {
    if (this.words[at.NEWEST] === entry) return
    this.#unlist(entry)
    this.#list(entry)
  }

  float(index: number): number {
    return this.floats[index >> 1]!
  }

  setFloat(index: number, value: number): void {
    this.floats[index >> 1] = value
  }

  #chain(entry: number): void {
    const { words } = this
    const bucket = at.BUCKETS_AT + (words[entry + at.KEY]! & this.#mask)
    words[entry + at.NEXT] = words[bucket]!
    words[bucket] = entry
  }

  #unchain(entry: number): void {
    const { words } = this
    let link = at.BUCKETS_AT + (words[entry + at.KEY]! & this.#mask)
    while (words[link] !== entry) link = words[link]! + at.NEXT
    words[link] = words[entry + at.NEXT]!
  }

  #list(entry: number): void {
    this.#listAt(entry, at.NEWEST, at.OLDEST, at.NEWER, at.OLDER)
  }

  #listOldest(entry: number): void {
    this.#listAt(entry, at.OLDEST, at.NEWEST, at.OLDER, at.NEWER)
  }

  /** Puts an entry at one end of the order: `outward` leads out of the list there, `inward` along it. */
  #listAt(entry: number, end: number, otherEnd: number, outward: number, inward: number): void {
    const { words } = this
    const last = words[end]!
    words[entry + outward] = 0
    words[entry + inward] = last
    words[last === 0 ? otherEnd : last + outward] = entry
    words[end] = entry
  }

  #unlist(entry: number): void {
    const { words } = this
    const newer = words[entry + at.NEWER]!
    const older = words[entry + at.OLDER]!
    words[newer === 0 ? at.NEWEST : newer + at.OLDER] = older
    words[older === 0 ? at.OLDEST : older + at.NEWER] = newer
  }

  /** One bucket for one or two cells, and for tags a quarter of that. Whichever thread comes first does it. */
  #layOut(): void {
    const { words, zone } = this
    zone.lock.enter()
    if (words[at.CELLS_END] === 0) {
      let buckets = 64
      while (buckets * 4 * at.CELL_WORDS <= words.length) buckets *= 2
      const tags = buckets / 4
      const first = Math.ceil((at.BUCKETS_AT + buckets + tags) / at.CELL_WORDS) * at.CELL_WORDS
      const end = words.length - ((words.length - first) % at.CELL_WORDS)
      words[at.BUCKET_MASK] = buckets - 1
      words[at.TAG_MASK] = tags - 1
      words[at.CELLS_AT] = words[at.FRESH] = first
      words[at.FREE_COUNT] = (end - first) / at.CELL_WORDS
      // Last: a thread that dies before leaves a zone that is still to be laid out.
      words[at.CELLS_END] = end
    }
    zone.lock.leave()
  }

  /** Where the buckets of tags begin. */
  get tagBuckets(): number {
    return at.BUCKETS_AT + this.#mask + 1
  }

  /**
   * Builds chains, order, free list, tags and sums from the cells. The order of use comes from the second in which entries
   * become inactive; rules and flights stay as they are when they are whole.
   */
  #rebuild(): void {
    const { words } = this
    words.fill(0, at.BUCKETS_AT, this.tagBuckets + this.tagMask + 1)
    words[at.FREE] = words[at.FREE_COUNT] = words[at.NEWEST] = words[at.OLDEST] = words[at.ENTRY_COUNT] = 0
    words[at.DOOMED_COUNT] = words[at.FLIGHT_COUNT] = 0
    const entries: number[] = []
    let blocks = 0
    for (let cell = words[at.CELLS_AT]!; cell < words[at.FRESH]!; cell += at.CELL_WORDS) {
      if (words[cell + at.KIND] !== at.ENTRY) continue
      entries.push(cell)
      if (entries.length % BEAT_EVERY === 0) this.zone.lock.beat()
      // Who died between the size of an object and the object itself leaves the one without the other.
      if ((words[cell + at.STATE]! & at.EXISTS) === 0) words[cell + at.BLOCKS] = 0
      blocks += words[cell + at.BLOCKS]!
      if ((words[cell + at.STATE]! & at.DOOMED) !== 0) words[at.DOOMED_COUNT] = words[at.DOOMED_COUNT]! + 1
    }
    entries.sort((a, b) => (words[a + at.INACTIVE_AT]! >>> 0) - (words[b + at.INACTIVE_AT]! >>> 0))
    this.setFloat(at.SIZE, blocks * 512)
    this.zone.lock.beat()
    const kept = this.#keepCells(entries)
    this.zone.lock.beat()
    for (const entry of entries) {
      this.#chain(entry)
      this.#list(entry)
    }
    words[at.ENTRY_COUNT] = entries.length
    for (let cell = words[at.FRESH]! - at.CELL_WORDS; cell >= words[at.CELLS_AT]!; cell -= at.CELL_WORDS) {
      if (words[cell + at.KIND] !== at.ENTRY && !kept.has(cell)) this.give(cell)
    }
    words[at.FREE_COUNT] = words[at.FREE_COUNT]! + (words[at.CELLS_END]! - words[at.FRESH]!) / at.CELL_WORDS
  }

  /** Cells beside entries that are whole: tags of entries, rules and their texts, flights. Relations of entries are mended. */
  #keepCells(entries: readonly number[]): Set<number> {
    const { words } = this
    const kept = new Set<number>()
    let n = 0
    for (const entry of entries) {
      const main = words[entry + at.MAIN]!
      words[entry + at.VARIANT] = 0
      if (main !== 0 && words[main + at.KIND] !== at.ENTRY) words[entry + at.MAIN] = 0
      this.#keepTags(entry, kept)
      if (++n % BEAT_EVERY === 0) this.zone.lock.beat()
    }
    for (const entry of entries) {
      const main = words[entry + at.MAIN]!
      if (main === 0) continue
      words[entry + at.VARIANT] = words[main + at.VARIANT]!
      words[main + at.VARIANT] = entry
    }
    this.#keepRules(kept)
    this.#keepFlights(kept)
    return kept
  }

  #keepTags(entry: number, kept: Set<number>): void {
    const { words } = this
    this.#rechainTags(entry + at.FIRST_TAGS, at.FIRST_TAGS_MAX)
    let link = entry + at.MORE_TAGS
    for (let cell = words[link]!; cell !== 0; cell = words[cell + at.NEXT]!) {
      if (words[cell + at.KIND] !== at.TAGS || words[cell + at.TAGS_OWNER] !== entry || kept.has(cell)) {
        words[link] = 0
        return
      }
      kept.add(cell)
      this.#rechainTags(cell + at.MORE_TAGS_AT, at.MORE_TAGS_MAX)
      link = cell + at.NEXT
    }
  }

  #rechainTags(from: number, count: number): void {
    for (let tag = from; tag < from + count * at.TAG_WORDS; tag += at.TAG_WORDS) {
      if (this.words[tag] !== 0) this.chainTag(tag)
    }
  }

  /** Puts a tag whose hash is written into its bucket. */
  chainTag(tag: number): void {
    const { words } = this
    const bucket = this.tagBuckets + (words[tag]! & this.tagMask)
    const next = words[bucket]!
    words[tag + 1] = next
    words[tag + 2] = 0
    if (next !== 0) words[next + 2] = tag
    words[bucket] = tag
  }

  #keepRules(kept: Set<number>): void {
    const { words } = this
    let link = at.FIRST_RULE
    let count = 0
    for (let rule = words[link]!; rule !== 0; rule = words[link]!) {
      if (words[rule + at.KIND] !== at.RULE || kept.has(rule)) {
        words[link] = 0
        break
      }
      kept.add(rule)
      for (let text = words[rule + at.RULE_MORE]!; text !== 0; text = words[text + at.NEXT]!) kept.add(text)
      count++
      link = rule + at.NEXT
    }
    words[at.RULE_COUNT] = count
  }

  #keepFlights(kept: Set<number>): void {
    const { words } = this
    let reserved = 0
    for (let cell = words[at.CELLS_AT]!; cell < words[at.FRESH]!; cell += at.CELL_WORDS) {
      if (words[cell + at.KIND] !== at.FLIGHT) continue
      kept.add(cell)
      words[at.FLIGHT_COUNT] = words[at.FLIGHT_COUNT]! + 1
      reserved += this.float(cell + at.FLIGHT_RESERVED)
    }
    this.setFloat(at.RESERVED, reserved)
  }
}
