/**
 * Which entries have which tags: each tag of an entry stands in a bucket, by its hash, in a list that both ends lead out of.
 * Tags are known by 32 bits of their text: one of another text with the same bits may be purged with them, which is a miss
 * more and nothing worse.
 */
import { crc32 } from '../../lib/crc32.ts'
import * as at from './layout.ts'
import type { CacheMemory } from './memory.ts'

/** Most tags that are known of one entry. */
const TAGS_MAX = 64
/** Stands for more of them. */
const EVERY_TAG = 1

/** What a tag is known by; neither 0 nor EVERY_TAG. */
export function tagHash(tag: string): number {
  return crc32(tag) | 2
}

/**
 * Gives an entry these tags, by their hashes, in place of those that it has. With too many, or without room for them, it is
 * purged with every tag: that is a miss more, and never a response that stays.
 */
export function setTags(memory: CacheMemory, entry: number, hashes: readonly number[]): void {
  clearTags(memory, entry)
  if (hashes.length <= TAGS_MAX && putTags(memory, entry, hashes)) return
  clearTags(memory, entry)
  memory.words[entry + at.FIRST_TAGS] = EVERY_TAG
  memory.chainTag(entry + at.FIRST_TAGS)
}

function putTags(memory: CacheMemory, entry: number, hashes: readonly number[]): boolean {
  const { words } = memory
  let place = entry + at.FIRST_TAGS
  let left = at.FIRST_TAGS_MAX
  for (let i = 0; i < hashes.length; i++) {
    if (hashes.indexOf(hashes[i]!) !== i) continue
    if (left === 0) {
      const cell = memory.take()
      if (cell === 0) return false
      words[cell + at.TAGS_OWNER] = entry
      words[cell + at.NEXT] = words[entry + at.MORE_TAGS]!
      words[cell + at.KIND] = at.TAGS
      words[entry + at.MORE_TAGS] = cell
      place = cell + at.MORE_TAGS_AT
      left = at.MORE_TAGS_MAX
    }
    words[place] = hashes[i]!
    memory.chainTag(place)
    place += at.TAG_WORDS
    left--
  }
  return true
}

/** Takes all tags from an entry. */
export function clearTags(memory: CacheMemory, entry: number): void {
  const { words } = memory
  unchainTags(memory, entry + at.FIRST_TAGS, at.FIRST_TAGS_MAX)
  let cell = words[entry + at.MORE_TAGS]!
  words[entry + at.MORE_TAGS] = 0
  while (cell !== 0) {
    const next = words[cell + at.NEXT]!
    unchainTags(memory, cell + at.MORE_TAGS_AT, at.MORE_TAGS_MAX)
    memory.give(cell)
    cell = next
  }
}

function unchainTags(memory: CacheMemory, from: number, count: number): void {
  const { words } = memory
  for (let tag = from; tag < from + count * at.TAG_WORDS; tag += at.TAG_WORDS) {
    const hash = words[tag]!
    if (hash === 0) continue
    const next = words[tag + 1]!
    const before = words[tag + 2]!
    words[before === 0 ? memory.tagBuckets + (hash & memory.tagMask) : before + 1] = next
    if (next !== 0) words[next + 2] = before
    words[tag] = 0
  }
}

/** The hashes of an entry's tags. */
export function tagsOf(memory: CacheMemory, entry: number): number[] {
  const hashes: number[] = []
  collect(memory, entry + at.FIRST_TAGS, at.FIRST_TAGS_MAX, hashes)
  for (let cell = memory.words[entry + at.MORE_TAGS]!; cell !== 0; cell = memory.words[cell + at.NEXT]!) {
    collect(memory, cell + at.MORE_TAGS_AT, at.MORE_TAGS_MAX, hashes)
  }
  return hashes
}

function collect(memory: CacheMemory, from: number, count: number, into: number[]): void {
  for (let tag = from; tag < from + count * at.TAG_WORDS; tag += at.TAG_WORDS) {
    const hash = memory.words[tag]!
    if (hash !== 0) into.push(hash)
  }
}

/** The entries that have a tag, at most `max`, which purge `purge` has not met yet. */
export function taggedEntries(memory: CacheMemory, hash: number, purge: number, max: number): number[] {
  const found: number[] = []
  collectTagged(memory, hash, purge, max, found)
  collectTagged(memory, EVERY_TAG, purge, max, found)
  return found
}

function collectTagged(memory: CacheMemory, hash: number, purge: number, max: number, found: number[]): void {
  const { words } = memory
  let tag = words[memory.tagBuckets + (hash & memory.tagMask)]!
  for (; tag !== 0 && found.length < max; tag = words[tag + 1]!) {
    if (words[tag] !== hash) continue
    const owner = ownerOf(memory, tag)
    if (words[owner + at.PURGED]! < purge) found.push(owner)
  }
}

function ownerOf({ words }: CacheMemory, tag: number): number {
  const first = words[at.CELLS_AT]!
  const cell = tag - ((tag - first) % at.CELL_WORDS)
  return words[cell + at.KIND] === at.TAGS ? words[cell + at.TAGS_OWNER]! : cell
}
