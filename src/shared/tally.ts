/**
 * Numbers that all threads add to without a lock, and without losing any: each thread has a row of its own in shared
 * memory, and who asks adds the rows up. They keep their values over reloads, and over the death of a thread, whose
 * gauges go with it (see dead-thread.ts). What is reset stays where it is: a row of its own says what to subtract.
 *
 *   zone header | fields | gauges | rows in use | labels | thread number + 1 of each row (0: nobody's) | base row | rows ...
 *
 * A row has its gauges first. Rows begin at multiples of 128 bytes, so that threads do not slow each other down.
 */
import { threadId } from 'node:worker_threads'
import { assert } from '../lib/assert.ts'
import { LABEL_SLOTS, LabelSlots } from './label-slots.ts'
import { ZONE_HEADER_WORDS, ZONE_SIZE_MIN, Zone } from './zone.ts'

/** What tells such zones from others. */
export const TALLY_KIND = 'tally'
const FIELDS = ZONE_HEADER_WORDS
const GAUGES = ZONE_HEADER_WORDS + 1
const USED = ZONE_HEADER_WORDS + 2
const LABELS = ZONE_HEADER_WORDS + 3
const CLAIMS = LABELS + LABEL_SLOTS
/** More threads than this at the same time share the last row, and may lose counts. */
const ROWS_MAX = 128
const ALIGN_FLOATS = 16
const ROWS_AT_FLOATS = Math.ceil((CLAIMS + ROWS_MAX) / 2 / ALIGN_FLOATS) * ALIGN_FLOATS

/** Bytes of memory for a tally of so many fields. */
export function tallySize(fields: number): number {
  return Math.max(ZONE_SIZE_MIN, (ROWS_AT_FLOATS + strideOf(fields) * (ROWS_MAX + 1)) * Float64Array.BYTES_PER_ELEMENT)
}

function strideOf(fields: number): number {
  return Math.ceil(fields / ALIGN_FLOATS) * ALIGN_FLOATS
}

/** What the fields are: so many in all, of which the first ones are gauges; labels of places among them are up to a number. */
export interface TallyShape {
  readonly fields: number
  readonly gauges: number
  readonly labelMax?: number
}

/** One set of numbers as one thread sees it. */
export class Tally {
  /** What this thread adds to; others read it. */
  readonly row: Float64Array
  /** Which of the fields counts what, where that is found out while serving. */
  readonly labels: LabelSlots
  readonly #zone: Zone
  readonly #floats: Float64Array
  readonly #stride: number
  readonly #gauges: number

  /** Uses memory of `tallySize`, blank or from before; undefined when it is something else. */
  static attach(name: string, buffer: SharedArrayBuffer, shape: TallyShape): Tally | undefined {
    const zone = Zone.attach(name, buffer, TALLY_KIND)
    if (zone === undefined) return undefined
    if (zone.words[FIELDS] !== 0 && zone.words[FIELDS] !== shape.fields) return undefined
    zone.words[FIELDS] = shape.fields
    zone.words[GAUGES] = shape.gauges
    return new Tally(zone, shape)
  }

  private constructor(zone: Zone, { fields, gauges, labelMax = 0 }: TallyShape) {
    this.#zone = zone
    this.labels = new LabelSlots(zone.words, LABELS, labelMax)
    this.#floats = new Float64Array(zone.buffer, 0, zone.buffer.byteLength >> 3)
    this.#stride = strideOf(fields)
    this.#gauges = gauges
    this.row = this.#rowAt(claim(zone, threadId + 1))
  }

  /** Row -1 is the base row. */
  #rowAt(index: number): Float64Array {
    const at = ROWS_AT_FLOATS + (index + 1) * this.#stride
    return this.#floats.subarray(at, at + this.#stride)
  }

  /** The sum over all threads since the last reset. */
  sum(field: number): number {
    const floats = this.#floats
    let at = ROWS_AT_FLOATS + field
    let sum = -floats[at]!
    for (let left = this.#zone.words[USED]!; left > 0; left--) {
      at += this.#stride
      sum += floats[at]!
    }
    return sum
  }

  /** The greatest of all threads' numbers, which a reset does not change. */
  greatest(field: number): number {
    let greatest = 0
    for (let i = 0; i < this.#zone.words[USED]!; i++) greatest = Math.max(greatest, this.#rowAt(i)[field]!)
    return greatest
  }

  /** Begins all sums but those of gauges at zero again. */
  reset(): void {
    const { lock } = this.#zone
    const base = this.#rowAt(-1)
    lock.enter()
    for (let field = this.#gauges; field < base.length; field++) base[field] = base[field]! + this.sum(field)
    lock.leave()
  }
}

/** The row of a thread, which may have one already. */
function claim({ words, lock }: Zone, owner: number): number {
  lock.enter()
  const used = words[USED]!
  let row = Math.min(used, ROWS_MAX - 1)
  for (let i = used - 1; i >= 0; i--) if (words[CLAIMS + i] === 0) row = i
  for (let i = 0; i < used; i++) if (words[CLAIMS + i] === owner) row = i
  words[CLAIMS + row] = owner
  words[USED] = Math.max(used, row + 1)
  lock.leave()
  return row
}

/** A thread is gone: what it had under way went with it, and its row is another one's. */
export function endTallyOf(zone: Zone, deadThreadId: number): void {
  const { words } = zone
  assert(zone.is(TALLY_KIND), 'the zone is a tally')
  const floats = new Float64Array(zone.buffer, 0, zone.buffer.byteLength >> 3)
  const stride = strideOf(words[FIELDS]!)
  zone.lock.enter()
  for (let i = 0; i < words[USED]!; i++) {
    if (words[CLAIMS + i] !== deadThreadId + 1) continue
    const at = ROWS_AT_FLOATS + (i + 1) * stride
    floats.fill(0, at, at + words[GAUGES]!)
    words[CLAIMS + i] = 0
  }
  zone.lock.leave()
}
