/** Where sessions of clients are kept that have no tickets: in the worker, or shared by all (ngx_ssl_session_cache). */
import { clock } from '../lib/clock.ts'
import { Lru } from '../lib/lru.ts'
import type { SessionStore } from '../net/tls-server.ts'
import type { SessionRecords } from '../shared/session-records.ts'

/** Keeps sessions and finds them by their ids. */
export interface SessionCache extends SessionStore {
  /** The session of an id (one byte per char). */
  find(id: string): Buffer | undefined
  remove(id: string): void
}

/** Sessions of one worker. */
export class BuiltinSessions implements SessionCache {
  readonly #sessions: Lru<string, { readonly session: Buffer; readonly ends: number }>
  readonly #timeoutS: number

  constructor(count: number, timeoutS: number) {
    this.#sessions = new Lru(count)
    this.#timeoutS = timeoutS
  }

  add(id: Buffer, session: Buffer): void {
    this.#sessions.set(id.latin1Slice(), { session, ends: clock.seconds + this.#timeoutS })
  }

  find(id: string): Buffer | undefined {
    const found = this.#sessions.get(id)
    return found !== undefined && found.ends > clock.seconds ? found.session : undefined
  }

  remove(id: string): void {
    this.#sessions.delete(id)
  }
}

/** Sessions in a zone; with `near`, also in the worker, which is asked first. */
export class SharedSessions implements SessionCache {
  readonly #records: SessionRecords
  readonly #timeoutS: number
  readonly #near: SessionCache | undefined

  constructor(records: SessionRecords, timeoutS: number, near: SessionCache | undefined) {
    this.#records = records
    this.#timeoutS = timeoutS
    this.#near = near
  }

  add(id: Buffer, session: Buffer): void {
    const now = clock.seconds
    this.#records.add(id.latin1Slice(), session.latin1Slice(), now, now + this.#timeoutS)
    this.#near?.add(id, session)
  }

  find(id: string): Buffer | undefined {
    const near = this.#near?.find(id)
    if (near !== undefined) return near
    const found = this.#records.find(id, clock.seconds)
    return found === undefined ? undefined : Buffer.from(found, 'latin1')
  }

  remove(id: string): void {
    this.#near?.remove(id)
    this.#records.remove(id)
  }
}
