/** What a group has now, over all workers: idle connections and requests that wait; and how many found the queue full. */
import { Tally, tallySize } from '../shared/tally.ts'

const IDLE = 0
const QUEUED = 1
const OVERFLOWS = 2
const SHAPE = { fields: 3, gauges: 2 }

/** Bytes for one group. */
export const GROUP_GAUGES_SIZE: number = tallySize(SHAPE.fields)

/** The numbers of one group as one thread sees them. */
export class GroupGauges {
  readonly #tally: Tally

  private constructor(tally: Tally) {
    this.#tally = tally
  }

  /** The numbers in a buffer of `GROUP_GAUGES_SIZE`. */
  static attach(name: string, buffer: SharedArrayBuffer): GroupGauges | undefined {
    const tally = Tally.attach(name, buffer, SHAPE)
    return tally === undefined ? undefined : new GroupGauges(tally)
  }

  /** So many more connections are idle. */
  idle(change: number): void {
    this.#tally.row[IDLE]! += change
  }

  /** So many more requests wait. */
  queued(change: number): void {
    this.#tally.row[QUEUED]! += change
  }

  /** A request found the queue full. */
  overflow(): void {
    this.#tally.row[OVERFLOWS]!++
  }

  get idleCount(): number {
    return Math.max(0, this.#tally.sum(IDLE))
  }

  get queuedCount(): number {
    return Math.max(0, this.#tally.sum(QUEUED))
  }

  get overflows(): number {
    return this.#tally.sum(OVERFLOWS)
  }
}
