/**
 * Sessions that are still under way, for `session_log`: all workers add to them. A session is two records of one table, as
 * in session-records.ts: one is found by the id, the other has the line to be written as its key. Both are touched by each
 * request, so the oldest record belongs to the session that was silent longest.
 *
 *     id (16 bytes)    float 0: last request, in seconds   float 1: bytes in all   integer: the line's record
 *     id + line                                                                    integer: the id's record
 */
import { type Handle, NO_RECORD, Table } from './table.ts'
import type { Zone } from './zone.ts'

const LAST = 0
const BYTES = 1
const ID_SIZE = 16

/** A session that is over. */
interface EndedSession {
  readonly line: string
  readonly bytes: number
}

/** The sessions of one zone; each thread has an object of its own. Ids and lines are binary strings. */
export class LogSessions {
  readonly #table: Table

  constructor(zone: Zone) {
    this.#table = new Table(zone)
  }

  /** Adds a request to a session; false when there is none that is alive. */
  extend(id: string, now: number, timeoutS: number, bytes: number): boolean {
    const table = this.#table
    table.enter()
    const record = table.find(id)
    const known = record !== NO_RECORD && table.float(record, LAST) + timeoutS > now
    if (known) {
      table.setFloat(record, LAST, now)
      table.setFloat(record, BYTES, table.float(record, BYTES) + bytes)
      const line = table.integer(record) as Handle
      if (line !== NO_RECORD) table.touch(line)
      table.touch(record)
    }
    table.leave()
    return known
  }

  /** Begins a session whose id nobody has; false when there is no room, or the old one must be taken first. */
  begin(id: string, line: string, now: number, bytes: number): boolean {
    const table = this.#table
    table.enter()
    const made = table.find(id) === NO_RECORD && this.#insert(id, line, now, bytes)
    table.leave()
    return made
  }

  #insert(id: string, line: string, now: number, bytes: number): boolean {
    const table = this.#table
    const body = table.insert(id + line)
    if (body === NO_RECORD) return false
    const head = table.insert(id)
    if (head === NO_RECORD) {
      table.remove(body)
      return false
    }
    table.setFloat(head, LAST, now)
    table.setFloat(head, BYTES, bytes)
    table.setInteger(body, head)
    table.setInteger(head, body)
    return true
  }

  /** Takes the session that was silent longest out, if that was before `before` (in seconds). */
  take(before: number): EndedSession | undefined {
    const table = this.#table
    table.enter()
    const ended = this.#remove(this.#head(table.oldest()), before)
    table.leave()
    return ended
  }

  /** Takes a session out by its id, if it was silent since `before`. */
  takeById(id: string, before: number): EndedSession | undefined {
    this.#table.enter()
    const ended = this.#remove(this.#table.find(id), before)
    this.#table.leave()
    return ended
  }

  /** The id's record, of either of both. A thread that died between two steps may have left one without the other. */
  #head(record: Handle): Handle {
    if (record === NO_RECORD || this.#table.keyOf(record).length === ID_SIZE) return record
    const head = this.#table.integer(record) as Handle
    if (head !== NO_RECORD) return head
    this.#table.remove(record)
    return NO_RECORD
  }

  #remove(head: Handle, before: number): EndedSession | undefined {
    const table = this.#table
    if (head === NO_RECORD || table.float(head, LAST) > before) return undefined
    const body = table.integer(head) as Handle
    const ended = { line: body === NO_RECORD ? '' : table.keyOf(body).slice(ID_SIZE), bytes: table.float(head, BYTES) }
    table.remove(head)
    if (body !== NO_RECORD) table.remove(body)
    return ended
  }
}
