/** What becomes of counters over time: rates, quantiles of the last seconds, and series for charts. */
import type { Buckets, Times } from './types.ts'

/** An answer of the API and when it came. */
export interface Snapshot<T> {
  readonly atMs: number
  readonly data: T
}

/** Quantiles are those of so many milliseconds. */
const WINDOW_MS = 15_000
const SNAPSHOTS_MAX = 40
/** Answers that come faster replace the last: rates over less are noise. */
const APART_MIN_MS = 500

/** The last answers of one resource. */
export class Track<T> {
  #kept: Snapshot<T>[] = []

  get last(): Snapshot<T> | undefined {
    return this.#kept.at(-1)
  }

  get before(): Snapshot<T> | undefined {
    return this.#kept.at(-2)
  }

  /** The oldest one of the window, or the one before the last when answers are far apart. */
  get oldest(): Snapshot<T> | undefined {
    return this.#kept.length < 2 ? undefined : this.#kept[0]
  }

  add(atMs: number, data: T): void {
    const { last, before } = this
    if (last !== undefined && before !== undefined && atMs - last.atMs < APART_MIN_MS) this.#kept.pop()
    this.#kept.push({ atMs, data })
    while (this.#kept.length > SNAPSHOTS_MAX || (this.#kept.length > 2 && atMs - this.#kept[1]!.atMs >= WINDOW_MS)) {
      this.#kept.shift()
    }
  }

  /** Forgets what came before a gap, over which nothing can be said. */
  cut(): void {
    this.#kept = []
  }

  /** What a counter grows by in a second; undefined when that is not known, as when it began anew. */
  rate(pick: (data: T) => number | undefined): number | undefined {
    return rateBetween(this.before, this.last, pick)
  }
}

export function rateBetween<T>(
  before: Snapshot<T> | undefined,
  last: Snapshot<T> | undefined,
  pick: (data: T) => number | undefined,
): number | undefined {
  if (before === undefined || last === undefined) return undefined
  const [from, to] = [pick(before.data), pick(last.data)]
  const passed = last.atMs - before.atMs
  if (from === undefined || to === undefined || to < from || passed < APART_MIN_MS) return undefined
  return ((to - from) * 1000) / passed
}

/** Subtracts what there was before; everything when the counts began anew. */
export function since(times: Times, before: Times | undefined): Buckets {
  if (before === undefined || before.count > times.count) return times.buckets
  return times.buckets.map(([upTo, n], i) => [upTo, n - (before.buckets[i]?.[1] ?? 0)])
}

/** Adds counts of the same bounds. */
export function together(all: readonly Buckets[]): Buckets {
  const [first, ...others] = all
  return first?.map(([upTo, n], i) => [upTo, others.reduce((sum, one) => sum + (one[i]?.[1] ?? 0), n)]) ?? []
}

/** The value below which a share of all lies, taken as evenly spread within a bucket; undefined without any. */
export function quantile(buckets: Buckets, share: number): number | undefined {
  const total = buckets.reduce((sum, [, n]) => sum + n, 0)
  if (total <= 0) return undefined
  const wanted = total * share
  let below = 0
  let from = 0
  for (const [upTo, n] of buckets) {
    if (n > 0 && below + n >= wanted) return upTo === null ? from : from + ((upTo - from) * (wanted - below)) / n
    below += n
    from = upTo ?? from
  }
  return from
}

/** Values at equal places of the charts' time; null where nothing is known. */
export type Series = (number | null)[]

const POINTS_MAX = 600

/** All series of the charts; each moment adds one point to each. */
export class Chronicle {
  readonly times: number[] = []
  readonly #series = new Map<string, Series>()

  series(name: string): Series {
    const known = this.#series.get(name)
    if (known !== undefined) return known
    const made: Series = this.times.map(() => null)
    this.#series.set(name, made)
    return made
  }

  /** Adds a moment; what is not in `values` is unknown. */
  add(atMs: number, values: ReadonlyMap<string, number | undefined>): void {
    for (const name of values.keys()) this.series(name)
    this.times.push(atMs / 1000)
    for (const [name, series] of this.#series) series.push(values.get(name) ?? null)
    if (this.times.length <= POINTS_MAX) return
    this.times.shift()
    for (const series of this.#series.values()) series.shift()
  }
}
