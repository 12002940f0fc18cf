/**
 * What stands where in a row, and how a request is counted in it.
 *
 *   requests in out | 1xx-5xx | cache | sums of times, last | buckets: how many, bounds, two counts for each | two queues | statuses
 *
 * Queues have the last times with the moment of each, from which averages are made when somebody asks.
 */
import type { Attempt } from '../../../http/request/attempts.ts'
import type { Request } from '../../../http/request/request.ts'
import { VTS_CACHE_STATUSES } from '../../../http/status/vts-names.ts'
import { clock } from '../../../lib/clock.ts'
import { LABEL_SLOTS, type LabelSlots, NO_SLOT } from '../../../shared/label-slots.ts'

/** Kinds of rows by the beginnings of their keys, with the module's names for them; parts of keys have this between them. */
export const SEPARATOR = '\x1f'
export const SERVER = `NO${SEPARATOR}`
export const FILTER = `FG${SEPARATOR}`
export const ALONE = `UA${SEPARATOR}`
export const GROUP = `UG${SEPARATOR}`

/** Most buckets of a histogram. */
export const BUCKETS_MAX = 32
const QUEUE_LENGTH = 64

const REQUESTS = 0
const IN = 1
const OUT = 2
const CLASSES = 2
const CACHE = 8
const REQUEST_MS = 16
const RESPONSE_MS = 17
/** When the row was last counted in, in milliseconds since the epoch. */
const LAST = 18
const BUCKETS = 19
const BOUNDS = 20
const REQUEST_BUCKETS = BOUNDS + BUCKETS_MAX
const RESPONSE_BUCKETS = REQUEST_BUCKETS + BUCKETS_MAX
/** How many times were put into a queue, then pairs of a moment and a time, written in turn. */
const REQUEST_QUEUE = RESPONSE_BUCKETS + BUCKETS_MAX
const RESPONSE_QUEUE = REQUEST_QUEUE + 1 + 2 * QUEUE_LENGTH
/** Statuses that are not told apart, then one number for each that is. */
const CODES = RESPONSE_QUEUE + 1 + 2 * QUEUE_LENGTH

/** Numbers that a limit may be put on. */
export const MEMBERS: ReadonlyMap<string, number> = new Map([
  ['request', REQUESTS],
  ['in', IN],
  ['out', OUT],
  ...[1, 2, 3, 4, 5].map((n) => [`${n}xx`, CLASSES + n] as const),
  ...VTS_CACHE_STATUSES.map((status, n) => [`cache_${status}`, CACHE + n] as const),
])

/** Statuses that are counted one by one: these, all (as many as there are places), or none. */
export type StatusCodes = readonly number[] | 'all' | undefined

/** Numbers of a row. */
export function fieldsFor(codes: StatusCodes): number {
  if (codes === undefined) return CODES
  return CODES + 1 + (codes === 'all' ? LABEL_SLOTS : codes.length)
}

/** How rows are counted in and read. */
export interface Counted {
  readonly codes: StatusCodes
  readonly labels: LabelSlots
}

/** What of a location decides how its requests are counted. */
export interface CountingRules {
  /** Bounds of histograms in milliseconds, for rows that are made here. */
  readonly boundsMs: readonly number[]
  /** Classes of statuses that are not counted, as bits from 1 on. */
  readonly ignored: number
}

/** Counts a request in the row of its server or filter. */
export function countRequest(row: Float64Array, r: Request, rules: CountingRules, counted: Counted): void {
  const { status } = r.out
  if (!countBasics(row, r.requestLength, r.bytesSent, status, rules)) return
  countCode(row, status, counted)
  const cache = VTS_CACHE_STATUSES.indexOf(r.conversation?.caching?.statusText?.toLowerCase() as 'hit')
  if (cache >= 0) row[CACHE + cache]!++
  const ms = clock.monotonic - r.startMonotonic
  row[REQUEST_MS]! += ms
  enqueue(row, REQUEST_QUEUE, ms)
  addTime(row, REQUEST_BUCKETS, ms)
}

/** Counts an attempt in the row of a back end; `requestMs` is what the whole request took. */
export function countAttempt(row: Float64Array, attempt: Attempt, requestMs: number, rules: CountingRules): void {
  if (!countBasics(row, attempt.bytesSent, attempt.bytesReceived, attempt.status, rules)) return
  row[REQUEST_MS]! += requestMs
  enqueue(row, REQUEST_QUEUE, requestMs)
  addTime(row, REQUEST_BUCKETS, requestMs)
  const ms = Math.max(0, attempt.responseMs)
  row[RESPONSE_MS]! += ms
  enqueue(row, RESPONSE_QUEUE, ms)
  addTime(row, RESPONSE_BUCKETS, ms)
}

/** False when the status is not to be counted. */
function countBasics(row: Float64Array, received: number, sent: number, status: number, rules: CountingRules): boolean {
  // A row that is not counted in is in use all the same.
  row[LAST] = clock.now
  const known = status >= 100 && status < 600
  const group = known ? (status / 100) | 0 : 0
  if ((rules.ignored & (1 << group)) !== 0) return false
  if (row[REQUESTS] === 0) setBounds(row, rules.boundsMs)
  row[REQUESTS]!++
  row[IN]! += received
  row[OUT]! += sent
  if (known) row[CLASSES + group]!++
  return true
}

function setBounds(row: Float64Array, boundsMs: readonly number[]): void {
  row[BUCKETS] = boundsMs.length
  for (let n = 0; n < boundsMs.length; n++) row[BOUNDS + n] = boundsMs[n]!
}

function countCode(row: Float64Array, status: number, { codes, labels }: Counted): void {
  if (codes === undefined) return
  if (status < 100 || status > 599) return
  // The first place is everybody else's.
  const place = codes === 'all' ? labels.slotOf(status) : codes.indexOf(status)
  row[CODES + 1 + (place === NO_SLOT ? -1 : place)]!++
}

function enqueue(row: Float64Array, at: number, ms: number): void {
  const place = at + 1 + 2 * (row[at]! % QUEUE_LENGTH)
  row[place] = clock.now
  row[place + 1] = ms
  row[at]!++
}

/** As in the module a time counts in every bucket that it fits in. */
function addTime(row: Float64Array, at: number, ms: number): void {
  const count = row[BUCKETS]!
  for (let n = 0; n < count; n++) if (ms <= row[BOUNDS + n]!) row[at + n]!++
}

/** How averages are made of the last times: of how long ago they may be, and whether newer ones weigh more. */
export interface Averaging {
  /** 0: however old. */
  readonly periodMs: number
  readonly weighted: boolean
}

/** The last times, the oldest first, with the moments when they were counted. */
export interface LastTimes {
  readonly times: readonly number[]
  readonly msecs: readonly number[]
}

/** What a page tells of times. */
export interface Times {
  readonly sumMs: number
  readonly averageMs: number
  readonly last: LastTimes
  readonly buckets: readonly number[]
}

/** A row that was read. */
export interface Traffic {
  readonly requests: number
  readonly received: number
  readonly sent: number
  readonly lastMs: number
  readonly classes: readonly number[]
  readonly cache: readonly number[]
  readonly boundsMs: readonly number[]
  readonly request: Times
  readonly response: Times
  /** By status, and the rest as `other`; undefined where that is not counted. */
  readonly codes: Readonly<Record<string, number>> | undefined
}

/** Reads a row. */
export function trafficOf(row: Float64Array, averaging: Averaging, counted: Counted | undefined): Traffic {
  const run = (at: number, count: number): number[] => [...row.subarray(at, at + count)]
  const buckets = row[BUCKETS]!
  return {
    requests: row[REQUESTS]!,
    received: row[IN]!,
    sent: row[OUT]!,
    lastMs: row[LAST]!,
    classes: run(CLASSES + 1, 5),
    cache: run(CACHE, VTS_CACHE_STATUSES.length),
    boundsMs: run(BOUNDS, buckets),
    request: timesOf(row, REQUEST_MS, REQUEST_QUEUE, averaging, run(REQUEST_BUCKETS, buckets)),
    response: timesOf(row, RESPONSE_MS, RESPONSE_QUEUE, averaging, run(RESPONSE_BUCKETS, buckets)),
    codes: counted === undefined ? undefined : codesOf(row, counted),
  }
}

function timesOf(
  row: Float64Array,
  sum: number,
  queue: number,
  averaging: Averaging,
  buckets: readonly number[],
): Times {
  const last = lastTimes(row, queue)
  return { sumMs: row[sum]!, averageMs: averageOf(last, averaging), last, buckets }
}

function lastTimes(row: Float64Array, at: number): LastTimes {
  const written = row[at]!
  const [times, msecs]: [number[], number[]] = [[], []]
  for (let n = Math.max(0, written - QUEUE_LENGTH); n < written; n++) {
    const place = at + 1 + 2 * (n % QUEUE_LENGTH)
    times.push(row[place]!)
    msecs.push(row[place + 1]!)
  }
  return { times, msecs }
}

/** The arithmetic mean (AMM), or one in which the n-th oldest counts n times (WMA), in whole milliseconds. */
function averageOf({ times, msecs }: LastTimes, { periodMs, weighted }: Averaging): number {
  const after = periodMs === 0 ? 0 : clock.now - periodMs
  let [count, sum, weights] = [0, 0, 0]
  for (const [n, ms] of msecs.entries()) {
    if (times[n]! <= after) continue
    const weight = weighted ? ++count : 1
    weights += weight
    sum += ms * weight
  }
  return weights === 0 ? 0 : Math.floor(sum / weights)
}

/** What was counted by status; undefined where that is not. */
export function codesOf(row: Float64Array, { codes, labels }: Counted): Readonly<Record<string, number>> | undefined {
  if (codes === undefined) return undefined
  const found: Record<string, number> = { other: row[CODES]! }
  const list = codes === 'all' ? Array.from({ length: LABEL_SLOTS }, (_, n) => labels.labelAt(n)) : codes
  for (const [n, status] of list.entries()) {
    const count = row[CODES + 1 + n]!
    // Of all statuses only those are told that there were.
    if (codes !== 'all' || count > 0) found[status] = count
  }
  return found
}

/** What was counted by status, to be kept and put back whatever the places are then. */
export function putCodes(row: Float64Array, kept: Readonly<Record<string, number>>, { codes, labels }: Counted): void {
  if (codes === undefined) return
  for (const [status, count] of Object.entries(kept)) {
    const place = codes === 'all' && status !== 'other' ? labels.slotOf(Number(status)) : listPlace(codes, status)
    row[CODES + 1 + place]! += count
  }
}

function listPlace(codes: readonly number[] | 'all', status: string): number {
  return codes === 'all' ? NO_SLOT : codes.indexOf(Number(status))
}

/** The numbers of a row that are kept in a file: all but those by status. */
export const KEPT_FIELDS: number = CODES

/** All rows together; averages are made of the times of all. */
export function sumOf(rows: readonly Float64Array[], fields: number): Float64Array {
  const sum = new Float64Array(fields)
  const histogram = rows.find((row) => row[BUCKETS]! > 0)
  if (histogram !== undefined) sum.set(histogram.subarray(BUCKETS, REQUEST_BUCKETS), BUCKETS)
  for (const row of rows) {
    addRun(sum, row, 0, LAST)
    addRun(sum, row, CODES, fields)
    if (sameBounds(sum, row)) addRun(sum, row, REQUEST_BUCKETS, REQUEST_QUEUE)
    sum[LAST] = Math.max(sum[LAST]!, row[LAST]!)
  }
  putLast(sum, REQUEST_QUEUE, rows)
  putLast(sum, RESPONSE_QUEUE, rows)
  return sum
}

function addRun(sum: Float64Array, row: Float64Array, from: number, to: number): void {
  for (let n = from; n < to; n++) sum[n] = sum[n]! + row[n]!
}

function sameBounds(a: Float64Array, b: Float64Array): boolean {
  for (let n = BUCKETS; n < REQUEST_BUCKETS; n++) if (a[n] !== b[n]) return false
  return true
}

function putLast(sum: Float64Array, at: number, rows: readonly Float64Array[]): void {
  const pairs = rows.flatMap((row) => {
    const { times, msecs } = lastTimes(row, at)
    return times.map((time, n) => [time, msecs[n]!] as const)
  })
  const newest = pairs.toSorted(([a], [b]) => a - b).slice(-QUEUE_LENGTH)
  sum[at] = newest.length
  for (const [n, [time, ms]] of newest.entries()) {
    sum[at + 1 + 2 * n] = time
    sum[at + 2 + 2 * n] = ms
  }
}

/** Says that a row is in use. */
export function touch(row: Float64Array, nowMs: number): void {
  row[LAST] = nowMs
}

/** When a row was last counted in, in milliseconds since the epoch. */
export function lastOf(row: Float64Array): number {
  return row[LAST]!
}
