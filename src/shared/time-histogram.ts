/**
 * How long things took, in buckets that are the same everywhere, so that histograms can be added to each other: those of
 * NGINX Plus, and two finer ones at the beginning. A histogram is a run of numbers in a row: the sum of all times, then one count per bucket.
 */

/** Upper bounds in milliseconds; what is longer is in a last bucket. */
export const TIME_BOUNDS: readonly number[] = [
  1, 2, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000,
]
/** Numbers that a histogram takes. */
export const HISTOGRAM_FIELDS: number = TIME_BOUNDS.length + 2
const LONG = TIME_BOUNDS.length

/** Adds a time to the histogram that begins at `at` of a row. */
export function addTime(row: Float64Array, at: number, ms: number): void {
  row[at]! += ms
  let bucket = 0
  while (bucket < LONG && ms > TIME_BOUNDS[bucket]!) bucket++
  row[at + 1 + bucket]!++
}

/** A histogram that was read. */
export interface TimeHistogram {
  readonly sumMs: number
  /** One for each bound, and one for what is longer. */
  readonly counts: readonly number[]
}

/** Reads one, a number at a time. */
export function readHistogram(read: (field: number) => number, at: number): TimeHistogram {
  return { sumMs: read(at), counts: Array.from({ length: LONG + 1 }, (_, n) => read(at + 1 + n)) }
}

/** Several as one. */
export function sumOfHistograms(all: readonly TimeHistogram[]): TimeHistogram {
  const counts = Array.from({ length: LONG + 1 }, (_, n) => all.reduce((sum, one) => sum + one.counts[n]!, 0))
  return { sumMs: all.reduce((sum, { sumMs }) => sum + sumMs, 0), counts }
}

/** How many times there are in all. */
export function countOf({ counts }: TimeHistogram): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/** The time in milliseconds that a part of all times, from 0 to 1, does not exceed; between two bounds it is guessed. */
export function quantileOf(histogram: TimeHistogram, part: number): number {
  const { counts } = histogram
  const wanted = countOf(histogram) * part
  if (wanted === 0) return 0
  let before = 0
  for (let n = 0; n < LONG; n++) {
    const count = counts[n]!
    if (before + count >= wanted) {
      const from = n === 0 ? 0 : TIME_BOUNDS[n - 1]!
      return from + ((TIME_BOUNDS[n]! - from) * (wanted - before)) / count
    }
    before += count
  }
  return TIME_BOUNDS[LONG - 1]!
}
