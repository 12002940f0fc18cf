/**
 * Rows of servers that come and go with the answers of DNS: found by what they are for, so that all workers, and the
 * configurations before and after a reload, count in the same one. They live in the group's zone in chunks:
 *
 *   next chunk | { key hash | key hash | users | - | row } x 16
 *
 * A row without users keeps its state until another server needs the place, so a server that returns is remembered.
 */
import { crc32 } from '../lib/crc32.ts'
import { fnv1a } from '../lib/fnv1a.ts'
import type { Zone } from '../shared/zone.ts'
import { chunksOf, type GroupState, takeWords } from './group-state.ts'
import { PEER_ROW } from './peer-row.ts'

const ROWS = 16
const KEY = 4
const ROW = KEY + PEER_ROW
const CHUNK = 1 + ROWS * ROW
const USERS = 2
/** Where a row counts its connections: a request that began before its server went away may still be under way. */
const CONNS = KEY

/** Hands out rows; each `take` that succeeds is followed by one `give`. */
export class ChangingRows {
  readonly #zone: Zone
  readonly #group: string

  constructor(zone: Zone, group: string) {
    this.#zone = zone
    this.#group = group
  }

  /** The row for a key; undefined when the zone is full. */
  take(key: string): GroupState | undefined {
    const { words, lock, id: zoneId } = this.#zone
    const [a, b] = hashes(key)
    lock.enter()
    let at = this.#find(a, b)
    const fresh = at === 0
    if (fresh) {
      at = this.#free()
      if (at > 0) {
        words.fill(0, at, at + ROW)
        words[at] = a
        words[at + 1] = b
      }
    }
    if (at > 0) words[at + USERS] = words[at + USERS]! + 1
    lock.leave()
    if (at === 0) return undefined
    return { cells: words.subarray(at + KEY, at + ROW), stride: 1, lock, fresh, shared: { zoneId, at: at + KEY } }
  }

  /** A server is no longer used here. */
  give(key: string): void {
    const { words, lock } = this.#zone
    const [a, b] = hashes(key)
    lock.enter()
    const at = this.#find(a, b)
    if (at > 0 && words[at + USERS]! > 0) words[at + USERS] = words[at + USERS]! - 1
    lock.leave()
  }

  #find(a: number, b: number): number {
    const { words } = this.#zone
    const head = chunksOf(this.#zone, this.#group)
    for (let chunk = head < 0 ? 0 : words[head]!; chunk > 0; chunk = words[chunk]!) {
      for (let at = chunk + 1; at < chunk + CHUNK; at += ROW) if (words[at] === a && words[at + 1] === b) return at
    }
    return 0
  }

  /** A place that was never used, else one that nobody uses now, else one in a new chunk. */
  #free(): number {
    const { words } = this.#zone
    const head = chunksOf(this.#zone, this.#group)
    if (head < 0) return 0
    let unused = 0
    for (let chunk = words[head]!; chunk > 0; chunk = words[chunk]!) {
      for (let at = chunk + 1; at < chunk + CHUNK; at += ROW) {
        if (words[at + USERS] !== 0 || words[at + CONNS] !== 0) continue
        if (words[at] === 0 && words[at + 1] === 0) return at
        unused = at
      }
    }
    if (unused > 0) return unused
    const chunk = takeWords(this.#zone, CHUNK)
    if (chunk === 0) return 0
    words.fill(0, chunk, chunk + CHUNK)
    words[chunk] = words[head]!
    words[head] = chunk
    return chunk + 1
  }
}

/** Two numbers that no two servers of a group share by accident. */
function hashes(key: string): readonly [number, number] {
  return [crc32(key) | 0, fnv1a(key)]
}
