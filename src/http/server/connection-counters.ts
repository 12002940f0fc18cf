/**
 * How many connections and requests there are and were, for `stub_status` and the API. Each worker writes a row of its
 * own, so that nothing is locked; rows of all workers stand in one shared buffer, and who asks adds them up.
 *
 *   row:  - waiting reading writing accepted handled requests active owner | accepted handled requests at the last reset
 *         (64-bit floats, 128 bytes apart)
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
/** What the counts were when somebody reset them; `stub_status` does not know of that. */
const ACCEPTED_BEFORE = 9
const HANDLED_BEFORE = 10
const REQUESTS_BEFORE = 11

const ROW = 16
const WORKERS_MAX = 256
/** The size of the shared buffer. */
export const COUNTERS_SIZE = WORKERS_MAX * ROW * Float64Array.BYTES_PER_ELEMENT

/** The counts of one worker. */
export interface WorkerConnections {
  readonly accepted: number
  readonly dropped: number
  readonly active: number
  readonly idle: number
  readonly requests: number
  readonly current: number
}

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

  /** The counts of one worker since the last reset. */
  of(workerId: number): WorkerConnections {
    const at = this.#rows === this.#row ? 0 : (workerId % WORKERS_MAX) * ROW
    const rows = this.#rows
    return connectionsFrom((field) => rows[at + field]!)
  }

  /** The same of all workers together. */
  get sinceReset(): WorkerConnections {
    return connectionsFrom((field) => this.#sum(field))
  }

  /** Begins to count connections from zero, of one worker or of all. */
  resetConnections(workerId?: number): void {
    this.#reset(workerId, ACCEPTED, ACCEPTED_BEFORE)
    this.#reset(workerId, HANDLED, HANDLED_BEFORE)
  }

  /** Begins to count requests from zero, of one worker or of all. */
  resetRequests(workerId?: number): void {
    this.#reset(workerId, REQUESTS, REQUESTS_BEFORE)
  }

  #reset(workerId: number | undefined, field: number, before: number): void {
    const rows = this.#rows
    for (let at = 0; at < rows.length; at += ROW) {
      if (workerId === undefined || at === workerId * ROW) rows[at + before] = rows[at + field]!
    }
  }

  #sum(field: number): number {
    let sum = 0
    for (let at = field; at < this.#rows.length; at += ROW) sum += this.#rows[at]!
    return sum
  }
}

function connectionsFrom(value: (field: number) => number): WorkerConnections {
  const accepted = value(ACCEPTED) - value(ACCEPTED_BEFORE)
  return {
    accepted,
    dropped: accepted - value(HANDLED) + value(HANDLED_BEFORE),
    active: value(ACTIVE) - value(WAITING),
    idle: value(WAITING),
    requests: value(REQUESTS) - value(REQUESTS_BEFORE),
    current: value(WRITING),
  }
}

/** The counts of this thread. */
export const connectionCounters: ConnectionCounters = new ConnectionCounters()
