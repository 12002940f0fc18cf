/**
 * How many connections and requests there are and were, for `stub_status` and the API. Each worker writes a row of its
 * own, so that nothing is locked; rows of all workers stand in one shared buffer, and who asks adds them up.
 *
 *   row:  - waiting reading writing accepted handled requests active owner      (64-bit floats, 128 bytes apart)
 */

/** Not counted as any of the three. */
export const NONE = 0
/** Open without a request. */
export const WAITING = 1
/** A part of a request head has come. */
export const READING = 2
/** A request is served. */
export const WRITING = 3
const ACCEPTED = 4
const HANDLED = 5
const REQUESTS = 6
const ACTIVE = 7
/** A number that tells whose row it is, so that a reload finds its own counts and a new thread makes its own. */
const OWNER = 8

const ROW = 16
const WORKERS_MAX = 256
/** The size of the shared buffer. */
export const COUNTERS_SIZE = WORKERS_MAX * ROW * Float64Array.BYTES_PER_ELEMENT

/** One worker's counts, and through them those of all. There is one object per thread. */
class ConnectionCounters {
  #row: Float64Array = new Float64Array(ROW)
  #rows: Float64Array = this.#row
  readonly #owner = Math.random()

  /** Counts in a shared buffer from now on. What was counted so far is taken along. */
  share(buffer: SharedArrayBuffer, workerId: number): void {
    const rows = new Float64Array(buffer)
    const start = (workerId % WORKERS_MAX) * ROW
    const row = rows.subarray(start, start + ROW)
    if (row[OWNER] !== this.#owner) {
      // What a thread before this one had open went with it; what it had served was served.
      for (const field of [WAITING, READING, WRITING, ACTIVE]) row[field] = this.#row[field]!
      for (const field of [ACCEPTED, HANDLED, REQUESTS]) row[field]! += this.#row[field]!
      row[OWNER] = this.#owner
    }
    this.#row = row
    this.#rows = rows
  }

  /** Counts a connection under another heading. */
  move(from: number, to: number): void {
    const row = this.#row
    row[from]!--
    row[to]!++
  }

  accept(): void {
    this.#row[ACCEPTED]!++
  }

  handle(): void {
    this.#row[HANDLED]!++
  }

  request(): void {
    this.#row[REQUESTS]!++
  }

  open(): void {
    this.#row[ACTIVE]!++
  }

  close(): void {
    this.#row[ACTIVE]!--
  }

  /** Open connections of this worker. */
  get own(): number {
    return this.#row[ACTIVE]!
  }

  /** Connections and requests of this worker under any heading: 0 when there are none. */
  get ownUnderWay(): number {
    const row = this.#row
    return Math.abs(row[ACTIVE]!) + Math.abs(row[WAITING]!) + Math.abs(row[READING]!) + Math.abs(row[WRITING]!)
  }

  /** Sums over all workers. */
  get accepted(): number {
    return this.#sum(ACCEPTED)
  }
  get handled(): number {
    return this.#sum(HANDLED)
  }
  get requests(): number {
    return this.#sum(REQUESTS)
  }
  get active(): number {
    return this.#sum(ACTIVE)
  }
  get waiting(): number {
    return this.#sum(WAITING)
  }
  get reading(): number {
    return this.#sum(READING)
  }
  get writing(): number {
    return this.#sum(WRITING)
  }

  #sum(field: number): number {
    let sum = 0
    for (let at = field; at < this.#rows.length; at += ROW) sum += this.#rows[at]!
    return sum
  }
}

/** The counts of this thread. */
export const connectionCounters: ConnectionCounters = new ConnectionCounters()
