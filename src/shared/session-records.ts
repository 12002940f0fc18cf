/**
 * TLS sessions that all threads may resume. A session is two records of one table, because a record holds a key and
 * numbers only: one is found by the session's id, the other has the session itself as its key, and each knows the other.
 *
 *     id       float 0: when it ends   integer: the session's record
 *     session                          integer: the id's record
 */
import { type Handle, NO_RECORD, Table } from './table.ts'
import type { Zone } from './zone.ts'

const ENDS = 0
/** One addition drops that many of the oldest at most, unless there is no room. */
const EXPIRED_PER_STEP = 2
const PUSHED_OUT_MAX = 64

/** The sessions of one zone; each thread has an object of its own. Ids and sessions are binary strings. */
export class SessionRecords {
  readonly #table: Table

  constructor(zone: Zone) {
    this.#table = new Table(zone)
  }

  /** Keeps a session until `ends`, in seconds; the oldest make room. False: there is none for it. */
  add(id: string, session: string, now: number, ends: number): boolean {
    const table = this.#table
    table.enter()
    const known = table.find(id)
    if (known !== NO_RECORD) this.#drop(known)
    this.#expire(now)
    let added = this.#insert(id, session, ends)
    for (let n = 0; !added && n < PUSHED_OUT_MAX && table.oldest() !== NO_RECORD; n++) {
      this.#drop(table.oldest())
      added = this.#insert(id, session, ends)
    }
    table.leave()
    return added
  }

  /** The session of an id; undefined when there is none, or its time is over. */
  find(id: string, now: number): string | undefined {
    const table = this.#table
    table.enter()
    let session: string | undefined
    const record = table.find(id)
    if (record !== NO_RECORD && isId(id)) {
      if (table.float(record, ENDS) > now) session = table.keyOf(table.integer(record) as Handle)
      else this.#drop(record)
    }
    table.leave()
    return session === undefined ? undefined : session.slice(id.length)
  }

  remove(id: string): void {
    this.#table.enter()
    const record = this.#table.find(id)
    if (record !== NO_RECORD && isId(id)) this.#drop(record)
    this.#table.leave()
  }

  #insert(id: string, session: string, ends: number): boolean {
    const table = this.#table
    // Two sessions may look the same; with the id before it none does.
    const body = table.insert(id + session)
    if (body === NO_RECORD) return false
    const head = table.insert(id)
    if (head === NO_RECORD) {
      table.remove(body)
      return false
    }
    table.setInteger(body, head)
    table.setInteger(head, body)
    table.setFloat(head, ENDS, ends)
    table.setFloat(body, ENDS, ends)
    return true
  }

  /** A record goes with its other half. */
  #drop(record: Handle): void {
    const other = this.#table.integer(record) as Handle
    this.#table.remove(record)
    // A thread that died between two steps may have left one without the other.
    if (other !== NO_RECORD && this.#table.integer(other) === record) this.#table.remove(other)
  }

  #expire(now: number): void {
    const table = this.#table
    for (let n = 0; n < EXPIRED_PER_STEP; n++) {
      const record = table.oldest()
      if (record === NO_RECORD || table.float(record, ENDS) > now) return
      this.#drop(record)
    }
  }
}

/** Ids are short: nobody finds a session by sending one. */
function isId(id: string): boolean {
  return id.length > 0 && id.length <= 32
}
