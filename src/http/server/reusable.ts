/**
 * The client connections of this thread that may be closed without loss, in the order in which they became so: they wait
 * for a request, or linger. When `worker_connections` are nearly used up, the oldest go to make room
 * (ngx_reusable_connection, ngx_drain_connections).
 *
 *   list <-> oldest <-> ... <-> newest <-> list        circular; a connection that is not in it has no neighbours
 */
import { assert } from '../../lib/assert.ts'
import { clock } from '../../lib/clock.ts'
import { type ErrorLog, WARN } from '../../log/error-log.ts'

/** What stands in the list; the neighbours are the list's. */
export interface Reusable {
  reusableBefore: Reusable | undefined
  reusableAfter: Reusable | undefined
  /** Makes room: closes at once, or begins to leave and is closed when it is asked again. */
  reuse(): void
}

/** At most so many are closed for one that comes, and never more than an eighth of them. */
const CLOSED_AT_ONCE_MAX = 32
/** Connections are closed when no more than this part of all is left. */
const PART_KEPT_FREE = 16

class ReusableConnections {
  count = 0
  readonly #list: Reusable = { reusableBefore: undefined, reusableAfter: undefined, reuse() {} }
  #loggedSecond = -1

  constructor() {
    this.#list.reusableBefore = this.#list.reusableAfter = this.#list
  }

  /** Puts a connection behind all others; one that is in the list stays where it is. */
  add(connection: Reusable): void {
    if (connection.reusableAfter !== undefined) return
    const list = this.#list
    const last = list.reusableBefore!
    connection.reusableBefore = last
    connection.reusableAfter = list
    last.reusableAfter = connection
    list.reusableBefore = connection
    this.count++
  }

  /** Takes a connection out; idempotent. */
  remove(connection: Reusable): void {
    const { reusableBefore: before, reusableAfter: after } = connection
    if (before === undefined || after === undefined) return
    before.reusableAfter = after
    after.reusableBefore = before
    connection.reusableBefore = connection.reusableAfter = undefined
    this.count--
    assert(this.count >= 0, 'what is taken out was put in')
  }

  /** Makes room when no more than a few of `max` connections are left; `open` tells how many there are. */
  drain(max: number, open: () => number, log: ErrorLog): void {
    if (this.count === 0 || max - open() > Math.floor(max / PART_KEPT_FREE)) return
    if (this.#loggedSecond !== clock.seconds) {
      this.#loggedSecond = clock.seconds
      log.write(WARN, `${max} worker_connections are not enough, reusing connections`)
    }
    const list = this.#list
    let oldest: Reusable = list
    for (let n = Math.max(1, Math.min(CLOSED_AT_ONCE_MAX, Math.floor(this.count / 8))); n > 0 && this.count > 0; n--) {
      oldest = list.reusableAfter!
      oldest.reuse()
    }
    // One that says goodbye first is still there.
    if (open() >= max && oldest.reusableAfter !== undefined) oldest.reuse()
  }
}

/** Those of this thread. */
export const reusableConnections: ReusableConnections = new ReusableConnections()
