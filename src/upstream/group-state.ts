/**
 * Where the state of a group's peers lives: in private memory, or in a shared zone, where all workers and the trees of
 * successive configurations find it by the group's name.
 *
 *   zone words | groups | free at | pieces given back: how many, { at | size } ... | then per group:
 *   name hash | signature | current | a at | a size | b at | b size | first chunk of rows that come and go (resolve-rows.ts)
 *
 * The signature tells which peers the rows belong to. When it changes, the group moves to its other region, so that
 * requests which began under the old configuration still count in the old rows. A region that has become too small is given
 * back; what was is handed out again only when nothing else is left, since requests of long ago may still count there.
 */
import { crc32 } from '../lib/crc32.ts'
import type { Lock } from '../shared/lock.ts'
import { ZONE_HEADER_WORDS, type Zone } from '../shared/zone.ts'
import { PEER_ROW, type PeerAddress, type PeerOptions } from './peer-row.ts'

const GROUPS = ZONE_HEADER_WORDS
const FREE_AT = ZONE_HEADER_WORDS + 1
const PIECES = ZONE_HEADER_WORDS + 2
const FIRST_PIECE = ZONE_HEADER_WORDS + 3
/** What is given back beyond that is lost. */
const PIECES_MAX = 32
const FIRST_ENTRY = FIRST_PIECE + 2 * PIECES_MAX
const ENTRY = 8
const CHUNKS = 7
const GROUPS_MIN = 32
/** Of a large zone so much may be entries of groups that share it. */
const ENTRIES_SHARE = 32

/** The rows of a group's peers. */
export interface GroupState {
  readonly cells: Int32Array
  /** How many rows there are: a row's next number stands so much further on. */
  readonly stride: number
  /** Guards every change when the rows are shared. */
  readonly lock: Lock | undefined
  /** The rows are blank: weights must be written. */
  readonly fresh: boolean
  /** Rows that are shared: the zone, and where in its words they begin. */
  readonly shared?: { readonly zoneId: number; readonly at: number }
}

/** Rows of one worker alone. */
export function privateState(count: number): GroupState {
  return { cells: new Int32Array(count * PEER_ROW), stride: count, lock: undefined, fresh: true }
}

/** Rows in a zone; undefined when they do not fit. */
export function sharedState(
  zone: Zone,
  group: string,
  peers: readonly { readonly address: PeerAddress; readonly options: PeerOptions }[],
): GroupState | undefined {
  const signature = crc32(JSON.stringify(peers.map(({ address, options }) => [address.name, options]))) | 0
  zone.lock.enter()
  const state = locate(zone, crc32(group) | 0, signature, peers.length * PEER_ROW)
  zone.lock.leave()
  return state
}

/** The word of a group that leads to its chunks of changing rows, or -1; to be called with the zone locked. */
export function chunksOf(zone: Zone, group: string): number {
  if (zone.words[FREE_AT] === 0) zone.words[FREE_AT] = firstFree(zone.words)
  const entry = findEntry(zone.words, crc32(group) | 0)
  return entry < 0 ? -1 : entry + CHUNKS
}

/** Takes memory of a zone for good, with the zone locked: where it begins, or 0 when there is none left. */
export function takeWords({ words }: Zone, size: number): number {
  const at = words[FREE_AT]!
  if (at + size > words.length) return takePiece(words, size)
  words[FREE_AT] = at + size
  return at
}

/** The smallest piece that will do; what is left of it stays. */
function takePiece(words: Int32Array, size: number): number {
  let best = 0
  for (let piece = FIRST_PIECE; piece < endOfPieces(words); piece += 2) {
    const found = words[piece + 1]!
    if (found >= size && (best === 0 || found < words[best + 1]!)) best = piece
  }
  if (best === 0) return 0
  const at = words[best]!
  words[best] = at + size
  words[best + 1] = words[best + 1]! - size
  if (words[best + 1] === 0) removePiece(words, best)
  return at
}

/** Pieces that touch become one, and what is last belongs to the rest that was never used. */
function giveWords(words: Int32Array, from: number, count: number): void {
  let at = from
  let size = count
  for (let piece = FIRST_PIECE; piece < endOfPieces(words); ) {
    const [other = 0, otherSize = 0] = words.subarray(piece, piece + 2)
    if (other + otherSize !== at && at + size !== other) {
      piece += 2
      continue
    }
    at = Math.min(at, other)
    size += otherSize
    removePiece(words, piece)
    piece = FIRST_PIECE
  }
  if (at + size === words[FREE_AT]) words[FREE_AT] = at
  else if (words[PIECES]! < PIECES_MAX) {
    words[endOfPieces(words)] = at
    words[endOfPieces(words) + 1] = size
    words[PIECES] = words[PIECES]! + 1
  }
}

function removePiece(words: Int32Array, piece: number): void {
  words[PIECES] = words[PIECES]! - 1
  words.copyWithin(piece, endOfPieces(words), endOfPieces(words) + 2)
}

function endOfPieces(words: Int32Array): number {
  return FIRST_PIECE + 2 * words[PIECES]!
}

function groupsMax(words: Int32Array): number {
  return Math.max(GROUPS_MIN, Math.floor(words.length / ENTRIES_SHARE / ENTRY))
}

function firstFree(words: Int32Array): number {
  return FIRST_ENTRY + ENTRY * groupsMax(words)
}

/** Bytes of a zone that are handed out. */
export function zoneFill({ words }: Zone): number {
  const pieces = words.subarray(FIRST_PIECE, endOfPieces(words)).filter((_, i) => i % 2 === 1)
  return (Math.max(firstFree(words), words[FREE_AT]!) - pieces.reduce((sum, size) => sum + size, 0)) * 4
}

function locate(zone: Zone, name: number, signature: number, size: number): GroupState | undefined {
  const { words } = zone
  if (words[FREE_AT] === 0) words[FREE_AT] = firstFree(words)
  const entry = findEntry(words, name)
  if (entry < 0) return undefined
  const current = words[entry + 2]!
  if (words[entry + 1] === signature && words[entry + 4 + current * 2]! > 0) {
    return stateAt(zone, words[entry + 3 + current * 2]!, size, false)
  }
  const other = 1 - current
  if (words[entry + 4 + other * 2]! < size && !renew(zone, entry + 3 + other * 2, size)) return undefined
  words[entry + 1] = signature
  words[entry + 2] = other
  const at = words[entry + 3 + other * 2]!
  words.fill(0, at, at + size)
  return stateAt(zone, at, size, true)
}

function findEntry(words: Int32Array, name: number): number {
  const count = words[GROUPS]!
  for (let i = 0; i < count; i++) if (words[FIRST_ENTRY + i * ENTRY] === name) return FIRST_ENTRY + i * ENTRY
  if (count === groupsMax(words)) return -1
  words[GROUPS] = count + 1
  const entry = FIRST_ENTRY + count * ENTRY
  words[entry] = name
  return entry
}

function renew(zone: Zone, region: number, size: number): boolean {
  const { words } = zone
  if (words[region + 1]! > 0) giveWords(words, words[region]!, words[region + 1]!)
  const at = takeWords(zone, size)
  words[region] = at
  words[region + 1] = at === 0 ? 0 : size
  return at !== 0
}

function stateAt(zone: Zone, at: number, size: number, fresh: boolean): GroupState {
  return {
    cells: zone.words.subarray(at, at + size),
    stride: size / PEER_ROW,
    lock: zone.lock,
    fresh,
    shared: { zoneId: zone.id, at },
  }
}
