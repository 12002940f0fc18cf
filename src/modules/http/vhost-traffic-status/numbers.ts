/** What stands where in a row, and how a request is counted in it. */
import type { Attempt } from '../../../http/request/attempts.ts'
import type { Request } from '../../../http/request/request.ts'
import { clock } from '../../../lib/clock.ts'

/** Kinds of rows by the beginnings of their keys, with the module's names for them; parts of keys have this between them. */
export const SEPARATOR = '\x1f'
export const SERVER = `NO${SEPARATOR}`
export const FILTER = `FG${SEPARATOR}`
export const ALONE = `UA${SEPARATOR}`
export const GROUP = `UG${SEPARATOR}`

const REQUESTS = 0
const IN = 1
const OUT = 2
const CLASSES = 2
const CACHE = 8
const REQUEST_MS = 16
const RESPONSE_MS = 17
const REQUEST_AVERAGE = 18
const RESPONSE_AVERAGE = 19
const REQUEST_BUCKETS = 20
const RESPONSE_BUCKETS = 36
/** Most buckets of a histogram. */
export const BUCKETS_MAX = 16
/** How much of a new time counts for an average. */
const AVERAGE_OF = 8

/** Statuses of the cache in the module's order. */
export const CACHE_STATUSES = [
  'miss',
  'bypass',
  'expired',
  'stale',
  'updating',
  'revalidated',
  'hit',
  'scarce',
] as const

/** Numbers that a limit may be put on. */
export const MEMBERS: ReadonlyMap<string, number> = new Map([
  ['request', REQUESTS],
  ['in', IN],
  ['out', OUT],
  ...[1, 2, 3, 4, 5].map((n) => [`${n}xx`, CLASSES + n] as const),
  ...CACHE_STATUSES.map((status, n) => [`cache_${status}`, CACHE + n] as const),
])

/** Counts a request in the row of its server or filter. */
export function countRequest(row: Float64Array, r: Request, boundsMs: readonly number[]): void {
  countBasics(row, r.requestLength, r.bytesSent, r.out.status)
  const cache = CACHE_STATUSES.indexOf(r.conversation?.caching?.statusText?.toLowerCase() as 'hit')
  if (cache >= 0) row[CACHE + cache]!++
  const ms = clock.monotonic - r.startMonotonic
  row[REQUEST_MS]! += ms
  row[REQUEST_AVERAGE] = averaged(row, REQUEST_AVERAGE, ms)
  addTime(row, REQUEST_BUCKETS, ms, boundsMs)
}

/** Counts an attempt in the row of a back end; `requestMs` is what the whole request took. */
export function countAttempt(
  row: Float64Array,
  attempt: Attempt,
  requestMs: number,
  boundsMs: readonly number[],
): void {
  countBasics(row, attempt.bytesSent, attempt.bytesReceived, attempt.status)
  row[REQUEST_MS]! += requestMs
  row[REQUEST_AVERAGE] = averaged(row, REQUEST_AVERAGE, requestMs)
  addTime(row, REQUEST_BUCKETS, requestMs, boundsMs)
  const ms = Math.max(0, attempt.responseMs)
  row[RESPONSE_MS]! += ms
  row[RESPONSE_AVERAGE] = averaged(row, RESPONSE_AVERAGE, ms)
  addTime(row, RESPONSE_BUCKETS, ms, boundsMs)
}

function countBasics(row: Float64Array, received: number, sent: number, status: number): void {
  row[REQUESTS]!++
  row[IN]! += received
  row[OUT]! += sent
  if (status >= 100 && status < 600) row[CLASSES + ((status / 100) | 0)]!++
}

function averaged(row: Float64Array, field: number, ms: number): number {
  return row[REQUESTS] === 1 ? ms : row[field]! + (ms - row[field]!) / AVERAGE_OF
}

/** As in the module a time counts in every bucket that it fits in. */
function addTime(row: Float64Array, at: number, ms: number, boundsMs: readonly number[]): void {
  for (let n = 0; n < boundsMs.length; n++) if (ms <= boundsMs[n]!) row[at + n]!++
}

/** A row that was read. */
export interface Traffic {
  readonly requests: number
  readonly received: number
  readonly sent: number
  readonly classes: readonly number[]
  readonly cache: readonly number[]
  readonly requestMs: number
  readonly requestAverageMs: number
  readonly requestBuckets: readonly number[]
  readonly responseMs: number
  readonly responseAverageMs: number
  readonly responseBuckets: readonly number[]
}

/** Reads a row. */
export function trafficOf(row: Float64Array, buckets: number): Traffic {
  const run = (at: number, count: number): number[] => [...row.subarray(at, at + count)]
  return {
    requests: row[REQUESTS]!,
    received: row[IN]!,
    sent: row[OUT]!,
    classes: run(CLASSES + 1, 5),
    cache: run(CACHE, CACHE_STATUSES.length),
    requestMs: row[REQUEST_MS]!,
    requestAverageMs: Math.round(row[REQUEST_AVERAGE]!),
    requestBuckets: run(REQUEST_BUCKETS, buckets),
    responseMs: row[RESPONSE_MS]!,
    responseAverageMs: Math.round(row[RESPONSE_AVERAGE]!),
    responseBuckets: run(RESPONSE_BUCKETS, buckets),
  }
}

/** All rows together. */
export function sumOf(rows: readonly Float64Array[], size: number): Float64Array {
  const sum = new Float64Array(size)
  for (const row of rows) for (let n = 0; n < size; n++) sum[n] = sum[n]! + row[n]!
  const weight = Math.max(1, sum[REQUESTS]!)
  const average = (field: number): number => rows.reduce((ms, row) => ms + row[field]! * row[REQUESTS]!, 0) / weight
  sum[REQUEST_AVERAGE] = average(REQUEST_AVERAGE)
  sum[RESPONSE_AVERAGE] = average(RESPONSE_AVERAGE)
  return sum
}
