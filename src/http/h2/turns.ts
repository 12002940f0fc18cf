/**
 * Streams of one connection that wait for something, by rank and share and then in the order in which they asked
 * (intrusive, circular):
 *
 *   list <-> stream <-> stream        a stream stands in one list at most
 */

/** What can stand in a list; the fields are the list's. */
export interface Waiting {
  waitsIn: TurnList<never> | undefined
  before: Waiting
  after: Waiting
  /** Smaller ranks stand first, and of equal ones the larger share (priorities.ts). */
  rank: number
  share: number
}

/** One list of waiting `T`. */
export class TurnList<T extends Waiting> {
  count = 0
  readonly #ring: Waiting = sentinel()

  /** Puts an entry behind all that do not come after it, from wherever it stands. */
  add(entry: T): void {
    leaveList(entry)
    const ring = this.#ring
    let last = ring.before
    while (last !== ring && isAfter(last, entry)) last = last.before
    entry.waitsIn = this as unknown as TurnList<never>
    entry.before = last
    entry.after = last.after
    last.after.before = entry
    last.after = entry
    this.count++
  }

  has(entry: T): boolean {
    return (entry.waitsIn as unknown) === this
  }

  /** Takes the first away. */
  take(): T | undefined {
    if (this.count === 0) return undefined
    const entry = this.#ring.after
    leaveList(entry)
    // Only `add` puts something beside the sentinel.
    return entry as T
  }
}

function isAfter(one: Waiting, other: Waiting): boolean {
  return one.rank > other.rank || (one.rank === other.rank && one.share < other.share)
}

/** Leaves the list that the entry stands in, if any. */
export function leaveList(entry: Waiting): void {
  const { waitsIn, before, after } = entry
  if (waitsIn === undefined) return
  waitsIn.count--
  entry.waitsIn = undefined
  before.after = after
  after.before = before
  entry.before = entry
  entry.after = entry
}

function sentinel(): Waiting {
  const ring: Partial<Waiting> = { waitsIn: undefined, rank: 0, share: 0 }
  ring.before = ring as Waiting
  ring.after = ring as Waiting
  return ring as Waiting
}
