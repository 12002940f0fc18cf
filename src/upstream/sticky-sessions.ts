/**
 * The sessions of `sticky learn`: which server each session id was served by, over all threads. A session that is not
 * used for the time-out is forgotten; when the zone is full, the one used longest ago is.
 *
 * Two kinds of records share one table. A session's key is the MD5 of its id, its integer the handle of the record of
 * its server, whose key is `=` and the server's id. Servers' records stay: there are few, and their time is without end.
 */
import { hash } from 'node:crypto'
import { clock } from '../lib/clock.ts'
import { type Handle, NO_RECORD, Table } from '../shared/table.ts'
import type { Zone } from '../shared/zone.ts'

const LAST = 0
/** Sessions that a new one looks at to see whether they have expired. */
const EXPIRE_MAX = 3
/** What tells a server's record from a session's. */
const SERVER = -1

/** `learn`: the session was there, or need not be made. */
export const LEARNED = 0
/** `learn`: another session had to go to make room. */
export const PUSHED_OUT = 1
/** `learn`: there is no room even so. */
export const NO_ROOM = 2
type Learned = typeof LEARNED | typeof PUSHED_OUT | typeof NO_ROOM

/** The sessions of one zone as one thread sees them. */
export class StickySessions {
  readonly #table: Table
  readonly #timeoutMs: number
  #result: Learned = LEARNED

  constructor(zone: Zone, timeoutMs: number) {
    this.#table = new Table(zone)
    this.#timeoutMs = timeoutMs
  }

  /** The id of the server that serves a session; empty when the session is not known. */
  serverOf(id: string): string {
    const table = this.#table
    table.enter()
    const record = this.#alive(table.find(keyOf(id)))
    const sid = record === NO_RECORD ? '' : table.keyOf(table.integer(record) as Handle).slice(1)
    table.leave()
    return sid
  }

  /** Notes who serves a session; a session that is not known is made if `create` says so. */
  learn(id: string, sid: string, create: boolean): Learned {
    const table = this.#table
    const key = keyOf(id)
    table.enter()
    this.#result = LEARNED
    let record = this.#alive(table.find(key))
    if (record !== NO_RECORD || create) {
      const server = this.#server(sid)
      if (record !== NO_RECORD) table.touch(record)
      else {
        this.#expire()
        record = this.#insert(key)
      }
      if (record !== NO_RECORD && server !== NO_RECORD) {
        table.setInteger(record, server)
        table.setFloat(record, LAST, clock.monotonic)
      } else if (record !== NO_RECORD) table.remove(record)
    }
    table.leave()
    return this.#result
  }

  /** A new record, for which the session used longest ago goes when there is no room. */
  #insert(key: string): Handle {
    const table = this.#table
    const record = table.insert(key)
    if (record !== NO_RECORD) return record
    const oldest = this.#oldest()
    if (oldest !== NO_RECORD) {
      table.remove(oldest)
      const second = table.insert(key)
      if (second !== NO_RECORD) {
        this.#result = PUSHED_OUT
        return second
      }
    }
    this.#result = NO_ROOM
    return NO_RECORD
  }

  #server(sid: string): Handle {
    const table = this.#table
    const key = `=${sid}`
    let record = table.find(key)
    if (record !== NO_RECORD) return record
    record = this.#insert(key)
    if (record !== NO_RECORD) table.setInteger(record, SERVER)
    return record
  }

  /** The record, unless its session has expired: then it goes. */
  #alive(record: Handle): Handle {
    if (record === NO_RECORD || !this.#expired(record)) return record
    this.#table.remove(record)
    return NO_RECORD
  }

  #expired(record: Handle): boolean {
    return clock.monotonic - this.#table.float(record, LAST) >= this.#timeoutMs
  }

  #expire(): void {
    const table = this.#table
    for (let n = 0; n < EXPIRE_MAX; n++) {
      const record = this.#oldest()
      if (record === NO_RECORD || !this.#expired(record)) return
      table.remove(record)
    }
  }

  /** The session used longest ago; servers on the way are put in front. */
  #oldest(): Handle {
    const table = this.#table
    for (let left = table.count; left > 0; left--) {
      const record = table.oldest()
      if (table.integer(record) !== SERVER) return record
      table.touch(record)
    }
    return NO_RECORD
  }
}

/** 16 bytes for ids of any length. */
function keyOf(id: string): string {
  return hash('md5', id, 'binary')
}
