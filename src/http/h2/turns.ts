/**
 * Streams of one connection that wait for something, in the order in which they asked (intrusive, circular):
 *
 *   list <-> stream <-> stream        a stream stands in one list at most
 */

/** What can stand in a list; the fields are the list's. */
export interface Waiting {
  waitsIn: TurnList<never> | undefined
  before: Waiting
  after: Waiting
}

/** One list of waiting `T`. */
export class TurnList<T extends Waiting> {
  count = 0
  readonly #ring: Waiting = sentinel()

  /** Puts an entry at the end, from wherever it stands. */
  add(entry: T): void {
    leaveList(entry)
    const ring = this.#ring
    entry.waitsIn = this as unknown as TurnList<never>
    entry.before = ring.before
    entry.after = ring
    ring.before.after = entry
    ring.before = entry
    this.count++
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
  const ring: Partial<Waiting> = { waitsIn: undefined }
  ring.before = ring as Waiting
  ring.after = ring as Waiting
  return ring as Waiting
}
