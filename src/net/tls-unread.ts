/**
 * What TLS itself owes a client that does not read: to each key update that asks for one (RFC 8446, section 4.6.3), the
 * engine answers on its own, and nobody is told. The answers wait in its memory, which nothing else bounds on a
 * connection that may be silent for a day. So engines are looked at now and then.
 */
import { Roster, type RosterMember } from '../lib/roster.ts'
import { setTimer, Timer, type TimerOwner } from './timer-wheel.ts'

/** How much an engine may hold back that we did not write, in bytes: thousands of answers. */
export const TLS_UNREAD_MAX = 64 * 1024
/** Key updates cost the client and us more time than memory: half a megabyte a second is the most that was seen. */
const LOOK_EVERY_MS = 10_000

/** A connection as far as it is looked at. */
export interface TlsUnread extends RosterMember {
  /** Bytes that the engine has made of its own accord, and the client has not taken. */
  readonly unread: number
  /** It is too much. */
  onUnread(): void
}

/** The connections of a thread. */
export class TlsUnreadWatch implements TimerOwner {
  readonly #watched = new Roster<TlsUnread>()
  readonly #timer = new Timer(this)

  /** Idempotent: an engine may say twice that its handshake is done. */
  add(connection: TlsUnread): void {
    if (connection.rosterPlace < 0) this.#watched.add(connection)
    if (!this.#timer.active) setTimer(this.#timer, LOOK_EVERY_MS)
  }

  delete(connection: TlsUnread): void {
    this.#watched.delete(connection)
  }

  onTimeout(timer: Timer): void {
    for (const connection of this.#watched.all()) if (connection.unread > TLS_UNREAD_MAX) connection.onUnread()
    if (this.#watched.count > 0) setTimer(timer, LOOK_EVERY_MS)
  }
}

/** All of this thread. */
export const tlsUnread = new TlsUnreadWatch()
