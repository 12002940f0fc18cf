/**
 * What is counted of the servers of a group, for those who show it: one block of numbers for each server, in a zone of
 * the group that all threads share. A block is found by what it is for, so that it outlives reloads. Whoever writes holds
 * the lock of the group, as for the server's row.
 *
 *   zone header | blocks in use | labels | { key hash | key hash | users | - | numbers } x BLOCKS
 */
import { crc32 } from '../lib/crc32.ts'
import { fnv1a } from '../lib/fnv1a.ts'
import { LABEL_SLOTS, LabelSlots, NO_SLOT } from '../shared/label-slots.ts'
import type { Lock } from '../shared/lock.ts'
import { addTime, HISTOGRAM_FIELDS, readHistogram, type TimeHistogram } from '../shared/time-histogram.ts'
import { ZONE_HEADER_WORDS, ZONE_SIZE_MIN, Zone } from '../shared/zone.ts'
import { PEER_TLS_FIELDS, type PeerTlsField, type PeerTlsNumbers, peerTlsNumbers } from './tls-counts.ts'

const KIND = 'upstream counts'
const BLOCKS = ZONE_HEADER_WORDS
const LABELS = ZONE_HEADER_WORDS + 1
const FIRST = Math.ceil((LABELS + LABEL_SLOTS) / 16) * 16
const HEAD = 4
const USERS = 2

const REQUESTS = 0
const SENT = 1
const RECEIVED = 2
const FAILS = 3
const UNAVAIL = 4
const SELECTED = 5
/** Wall clock of the beginning of the last time that it was not used for, and of its end (Infinity: it lasts). */
const DOWN_START = 6
const DOWN_END = 7
/** Milliseconds of those before. */
const DOWNTIME = 8
const HEADER_MS = 9
const RESPONSE_MS = 10
const CLASSES = 10
const TIMES = 16
const TLS = TIMES + HISTOGRAM_FIELDS
const STATUS_MAX = 999

const CODES = TLS + PEER_TLS_FIELDS.length
/** What a reset leaves: how many states were noted, and the last of them as pairs of a moment and a number ... */
const STORY = CODES + LABEL_SLOTS
const STATES_MAX = 8
/** ... then how many checks are known, and what came of them as bits, the newest last, in two numbers. */
const CHECKS = STORY + 1 + 2 * STATES_MAX
const CHECK_BITS = 30
const CHECK_MASK = 2 ** CHECK_BITS - 1
const FIELDS = CHECKS + 3
const BLOCK_WORDS = HEAD + FIELDS * 2
/** How much of a new time counts for the average. */
const AVERAGE_OF = 8

const BLOCKS_MIN = 64
const BLOCKS_MAX = 4096
/** What a server needs of the zone that holds its state. */
const ROW_BYTES = 128

/** Bytes for the counts of a group whose state is in a zone of `zoneSize`. */
export function peerCountsSize(zoneSize: number): number {
  const blocks = Math.min(BLOCKS_MAX, Math.max(BLOCKS_MIN, Math.ceil(zoneSize / ROW_BYTES)))
  return Math.max(ZONE_SIZE_MIN, Math.ceil(((FIRST + blocks * BLOCK_WORDS) * 4) / 64) * 64)
}

/** What an attempt with a server came to; times are -1 when the moment never came. */
export interface AttemptNumbers {
  readonly status: number
  /** Negative: there was no connection. */
  readonly connectMs: number
  readonly headerMs: number
  readonly responseMs: number
  readonly bytesSent: number
  readonly bytesReceived: number
}

/** What was counted of a server. */
export interface PeerNumbers {
  readonly requests: number
  readonly sent: number
  readonly received: number
  readonly fails: number
  readonly unavail: number
  /** Wall clock of the last request; 0: there was none. */
  readonly selectedMs: number
  /** In all, with what is under way. */
  readonly downtimeMs: number
  /** When it was last found unfit; 0: never. */
  readonly downStartMs: number
  readonly headerMs: number
  readonly responseMs: number
  readonly classes: readonly number[]
  readonly codes: ReadonlyMap<number, number>
  readonly times: TimeHistogram
  readonly tls: PeerTlsNumbers
}

/** A state that a server was seen in, and since when. */
interface StateSeen {
  readonly atMs: number
  readonly state: number
}

/** What is known of a server's last states and health checks, the newest last; true is a check that passed. */
interface PeerStory {
  readonly states: readonly StateSeen[]
  readonly checks: readonly boolean[]
}

/** The counts of one server. */
export class PeerCounts {
  /** A number that no other server of the group has. */
  readonly index: number
  readonly #numbers: Float64Array
  readonly #labels: LabelSlots
  readonly #lock: Lock | undefined

  constructor(index: number, numbers: Float64Array, labels: LabelSlots, lock: Lock | undefined) {
    this.index = index
    this.#numbers = numbers
    this.#labels = labels
    this.#lock = lock
  }

  /** A request goes to it. */
  begin(nowMs: number): void {
    this.#numbers[REQUESTS]!++
    this.#numbers[SELECTED] = nowMs
  }

  /** An attempt is over. */
  end({ status, headerMs, responseMs, bytesSent, bytesReceived }: AttemptNumbers, failed: boolean): void {
    const numbers = this.#numbers
    numbers[SENT]! += bytesSent
    numbers[RECEIVED]! += bytesReceived
    if (failed) numbers[FAILS]!++
    if (headerMs < 0 || status < 100 || status > STATUS_MAX) return
    const first = numbers[HEADER_MS] === 0 && numbers[RESPONSE_MS] === 0
    numbers[HEADER_MS] = averaged(numbers[HEADER_MS]!, headerMs, first)
    numbers[RESPONSE_MS] = averaged(numbers[RESPONSE_MS]!, responseMs, first)
    if (status < 600) numbers[CLASSES + ((status / 100) | 0)]!++
    const slot = this.#labels.slotOf(status)
    if (slot !== NO_SLOT) numbers[CODES + slot]!++
    addTime(numbers, TIMES, responseMs)
  }

  /** Failures have made it unavailable until then. */
  disable(nowMs: number, untilMs: number): void {
    this.#numbers[UNAVAIL]!++
    this.down(nowMs, untilMs)
  }

  /** It gets no requests from now on, until `untilMs` or `up`. */
  down(nowMs: number, untilMs: number): void {
    const numbers = this.#numbers
    if (numbers[DOWN_END]! < nowMs) {
      numbers[DOWNTIME]! += numbers[DOWN_END]! - numbers[DOWN_START]!
      numbers[DOWN_START] = nowMs
    }
    numbers[DOWN_END] = Math.max(numbers[DOWN_END]!, untilMs)
  }

  /** It may be used again. */
  up(nowMs: number): void {
    if (this.#numbers[DOWN_END]! > nowMs) this.#numbers[DOWN_END] = nowMs
  }

  /** It was seen in this state (a number other than 0); only what is new is noted. One thread does this. */
  noteState(nowMs: number, state: number): void {
    const numbers = this.#numbers
    const count = numbers[STORY]!
    if (count > 0 && numbers[statePlace(count - 1) + 1] === state) return
    numbers[statePlace(count)] = nowMs
    numbers[statePlace(count) + 1] = state
    numbers[STORY] = count + 1
  }

  /** A health check passed or failed. One thread does this. */
  checked(passed: boolean): void {
    const numbers = this.#numbers
    const newest = numbers[CHECKS + 1]!
    numbers[CHECKS] = Math.min(2 * CHECK_BITS, numbers[CHECKS]! + 1)
    numbers[CHECKS + 2] = ((numbers[CHECKS + 2]! << 1) | (newest >> (CHECK_BITS - 1))) & CHECK_MASK
    numbers[CHECKS + 1] = ((newest << 1) | (passed ? 1 : 0)) & CHECK_MASK
  }

  /** The last states and checks. */
  story(): PeerStory {
    const numbers = this.#numbers
    const count = numbers[STORY]!
    const states: StateSeen[] = []
    for (let n = Math.max(0, count - STATES_MAX); n < count; n++) {
      states.push({ atMs: numbers[statePlace(n)]!, state: numbers[statePlace(n) + 1]! })
    }
    const checks: boolean[] = []
    for (let n = numbers[CHECKS]! - 1; n >= 0; n--) {
      const bits = numbers[n < CHECK_BITS ? CHECKS + 1 : CHECKS + 2]!
      checks.push(((bits >> (n % CHECK_BITS)) & 1) === 1)
    }
    return { states, checks }
  }

  /** A handshake came to something; takes the lock. */
  countTls(field: PeerTlsField): void {
    this.#lock?.enter()
    this.#numbers[TLS + PEER_TLS_FIELDS.indexOf(field)]!++
    this.#lock?.leave()
  }

  read(nowMs: number): PeerNumbers {
    const numbers = this.#numbers
    const value = (field: number): number => numbers[field]!
    const codes: [number, number][] = []
    for (let slot = 0; slot < LABEL_SLOTS; slot++) {
      if (value(CODES + slot) > 0) codes.push([this.#labels.labelAt(slot), value(CODES + slot)])
    }
    return {
      requests: value(REQUESTS),
      sent: value(SENT),
      received: value(RECEIVED),
      fails: value(FAILS),
      unavail: value(UNAVAIL),
      selectedMs: value(SELECTED),
      downtimeMs: value(DOWNTIME) + Math.min(value(DOWN_END), nowMs) - value(DOWN_START),
      downStartMs: value(DOWN_START),
      headerMs: value(HEADER_MS),
      responseMs: value(RESPONSE_MS),
      classes: [1, 2, 3, 4, 5].map((n) => value(CLASSES + n)),
      codes: new Map(codes.toSorted(([a], [b]) => a - b)),
      times: readHistogram(value, TIMES),
      tls: peerTlsNumbers((place) => value(TLS + place)),
    }
  }

  /** Counts from zero; takes the lock. */
  reset(): void {
    const numbers = this.#numbers
    this.#lock?.enter()
    const [start, end] = [numbers[DOWN_START]!, numbers[DOWN_END]!]
    numbers.fill(0, 0, STORY)
    numbers[DOWN_START] = start
    numbers[DOWN_END] = end
    this.#lock?.leave()
  }
}

function statePlace(n: number): number {
  return STORY + 1 + 2 * (n % STATES_MAX)
}

function averaged(average: number, value: number, first: boolean): number {
  return first ? value : average + (value - average) / AVERAGE_OF
}

/** The counts of one group. Each `take` that succeeds is followed by one `give`. */
export class GroupPeerCounts {
  readonly #zone: Zone
  readonly #labels: LabelSlots
  readonly #lock: Lock | undefined
  readonly #blocksMax: number

  private constructor(zone: Zone, lock: Lock | undefined) {
    this.#zone = zone
    this.#labels = new LabelSlots(zone.words, LABELS, STATUS_MAX)
    this.#lock = lock
    this.#blocksMax = Math.floor((zone.words.length - FIRST) / BLOCK_WORDS)
  }

  /** The counts in a buffer of `peerCountsSize`; `lock` is that of the group. */
  static attach(name: string, buffer: SharedArrayBuffer, lock: Lock | undefined): GroupPeerCounts | undefined {
    const zone = Zone.attach(name, buffer, KIND)
    return zone === undefined ? undefined : new GroupPeerCounts(zone, lock)
  }

  /** The counts for a key; undefined when there is no room. */
  take(key: string): PeerCounts | undefined {
    const { words, lock } = this.#zone
    const [a, b] = hashesOf(key)
    lock.enter()
    let block = this.#find(a, b)
    if (block < 0) block = this.#make(a, b)
    if (block >= 0) words[placeOf(block) + USERS]!++
    lock.leave()
    if (block < 0) return undefined
    const at = (placeOf(block) + HEAD) * 4
    return new PeerCounts(block, new Float64Array(this.#zone.buffer, at, FIELDS), this.#labels, this.#lock)
  }

  /** They are no longer used here; they stay until another server needs the place. */
  give(key: string): void {
    const { words, lock } = this.#zone
    const [a, b] = hashesOf(key)
    lock.enter()
    const block = this.#find(a, b)
    if (block >= 0 && words[placeOf(block) + USERS]! > 0) words[placeOf(block) + USERS]!--
    lock.leave()
  }

  #find(a: number, b: number): number {
    const { words } = this.#zone
    for (let block = 0; block < words[BLOCKS]!; block++) {
      const at = placeOf(block)
      if (words[at] === a && words[at + 1] === b) return block
    }
    return -1
  }

  #make(a: number, b: number): number {
    const { words } = this.#zone
    let block = words[BLOCKS]!
    if (block < this.#blocksMax) words[BLOCKS] = block + 1
    else {
      block = 0
      while (block < this.#blocksMax && words[placeOf(block) + USERS]! > 0) block++
      if (block === this.#blocksMax) return -1
    }
    const at = placeOf(block)
    words.fill(0, at, at + BLOCK_WORDS)
    words[at] = a
    words[at + 1] = b
    return block
  }
}

function placeOf(block: number): number {
  return FIRST + block * BLOCK_WORDS
}

function hashesOf(key: string): readonly [number, number] {
  return [crc32(key) | 0, fnv1a(key)]
}
