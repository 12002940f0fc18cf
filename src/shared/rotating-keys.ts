/**
 * Secret keys that all threads have in common and that are replaced as time goes (ngx_ssl_rotate_ticket_keys): the
 * current one is used for new things, the previous one for old things as long as they last, the next one is known ahead
 * so that threads which look at different times agree.
 *
 *     | zone header |  current  previous  next |      each: a float, when what was made with it has ended; then its bytes
 */
import { randomFillSync } from 'node:crypto'
import { ZONE_HEADER_WORDS, type Zone } from './zone.ts'

/** Bytes of one key. */
const KEY_SIZE = 48
const FIRST_AT = Math.ceil(ZONE_HEADER_WORDS / 16) * 64
const SLOT_SIZE = 64
const KEY_AT = 8

const CURRENT = 0
const PREVIOUS = 1
const NEXT = 2

/** The keys as one thread sees them. */
export class RotatingKeys {
  readonly #zone: Zone
  readonly #bytes: Uint8Array
  readonly #ends: Float64Array
  #current: Buffer = Buffer.alloc(KEY_SIZE)
  #previous: Buffer | undefined
  #currentEnds = 0
  #previousEnds = 0

  constructor(zone: Zone) {
    this.#zone = zone
    this.#bytes = new Uint8Array(zone.buffer)
    this.#ends = new Float64Array(zone.buffer)
  }

  /** The key for new things; valid until the next call of `rotate`. */
  get current(): Buffer {
    return this.#current
  }

  /** The key before it, while it may still be needed. */
  get previous(): Buffer | undefined {
    return this.#previous
  }

  /** Looks whether it is time for another key; `lastS` is how long things last that are made now. */
  rotate(now: number, lastS: number): void {
    const ends = now + lastS
    // What this thread knows is good enough: another one may be ahead, but then the previous key is this one's current.
    if (this.#currentEnds >= ends && this.#previousEnds >= now) return
    this.#zone.lock.enter()
    if (this.#end(CURRENT) === 0) {
      this.#make(CURRENT)
      this.#copy(CURRENT, NEXT)
    }
    if (this.#end(PREVIOUS) < now) {
      this.#copy(CURRENT, PREVIOUS)
      this.#copy(NEXT, CURRENT)
      this.#make(NEXT)
    }
    if (this.#end(CURRENT) < ends) this.#setEnd(CURRENT, ends)
    // The key before the first one is the first one.
    if (this.#end(PREVIOUS) === 0) this.#setEnd(PREVIOUS, ends)
    this.#take()
    this.#zone.lock.leave()
  }

  #take(): void {
    this.#currentEnds = this.#end(CURRENT)
    this.#previousEnds = this.#end(PREVIOUS)
    this.#current = Buffer.from(this.#key(CURRENT))
    this.#previous = Buffer.from(this.#key(PREVIOUS))
  }

  #make(slot: number): void {
    randomFillSync(this.#key(slot))
    this.#setEnd(slot, 0)
  }

  #copy(from: number, to: number): void {
    this.#key(to).set(this.#key(from))
    this.#setEnd(to, this.#end(from))
  }

  #key(slot: number): Uint8Array {
    const at = FIRST_AT + slot * SLOT_SIZE + KEY_AT
    return this.#bytes.subarray(at, at + KEY_SIZE)
  }

  #end(slot: number): number {
    return this.#ends[(FIRST_AT + slot * SLOT_SIZE) / 8]!
  }

  #setEnd(slot: number, ends: number): void {
    this.#ends[(FIRST_AT + slot * SLOT_SIZE) / 8] = ends
  }
}
