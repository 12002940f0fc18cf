/**
 * Where the state of a group's peers lives: in private memory, or in a shared zone, where all workers and the trees of
 * successive configurations find it by the group's name.
 *
 *   zone words | groups | free at | then per group:
 *   name hash | signature | current | a at | a size | b at | b size | first chunk of rows that come and go (resolve-rows.ts)
 *
 * The signature tells which peers the rows belong to. When it changes, the group moves to its other region, so that
 * requests which began under the old configuration still count in the old rows.
 */
import { crc32 } from '../lib/crc32.ts'
import type { Lock } from '../shared/lock.ts'
import { ZONE_HEADER_WORDS, type Zone } from '../shared/zone.ts'
import { PEER_ROW, type PeerAddress, type PeerOptions } from './peer-row.ts'

const GROUPS = ZONE_HEADER_WORDS
const FREE_AT = ZONE_HEADER_WORDS + 1
const FIRST_ENTRY = ZONE_HEADER_WORDS + 2
const ENTRY = 8
const CHUNKS = 7
const GROUPS_MAX = 32
const FIRST_FREE = FIRST_ENTRY + ENTRY * GROUPS_MAX

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
  if (zone.words[FREE_AT] === 0) zone.words[FREE_AT] = FIRST_FREE
  const entry = findEntry(zone.words, crc32(group) | 0)
  return entry < 0 ? -1 : entry + CHUNKS
}

/** Takes memory of a zone for good, with the zone locked: where it begins, or 0 when there is none left. */
export function takeWords({ words }: Zone, size: number): number {
  const at = words[FREE_AT]!
  if (at + size > words.length) return 0
  words[FREE_AT] = at + size
  return at
}

/** Bytes of a zone that are handed out. */
export function zoneFill({ words }: Zone): number {
  return Math.max(FIRST_FREE, words[FREE_AT]!) * 4
}

function locate(zone: Zone, name: number, signature: number, size: number): GroupState | undefined {
  const { words } = zone
  if (words[FREE_AT] === 0) words[FREE_AT] = FIRST_FREE
  const entry = findEntry(words, name)
  if (entry < 0) return undefined
  const current = words[entry + 2]!
  if (words[entry + 1] === signature && words[entry + 4 + current * 2]! > 0) {
    return stateAt(zone, words[entry + 3 + current * 2]!, size, false)
  }
  const other = 1 - current
  if (words[entry + 4 + other * 2]! < size && !allocate(zone, entry + 3 + other * 2, size)) return undefined
  words[entry + 1] = signature
  words[entry + 2] = other
  const at = words[entry + 3 + other * 2]!
  words.fill(0, at, at + size)
  return stateAt(zone, at, size, true)
}

function findEntry(words: Int32Array, name: number): number {
  const count = words[GROUPS]!
  for (let i = 0; i < count; i++) if (words[FIRST_ENTRY + i * ENTRY] === name) return FIRST_ENTRY + i * ENTRY
  if (count === GROUPS_MAX) return -1
  words[GROUPS] = count + 1
  const entry = FIRST_ENTRY + count * ENTRY
  words[entry] = name
  return entry
}

function allocate(zone: Zone, region: number, size: number): boolean {
  const at = takeWords(zone, size)
  if (at === 0) return false
  const { words } = zone
  words[region] = at
  words[region + 1] = size
  return true
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
