/**
 * Responses that are being stored, while they are: where the temporary file is open, how far it has grown, what it has
 * reserved. Other threads read it meanwhile through a descriptor of their own; they are followers, and counted.
 */
import { threadId } from 'node:worker_threads'
import { letGo, NOT_NOTED } from '../holdings.ts'
import { BELL_BIT, ring } from './bells.ts'
import type { Entry } from './entries.ts'
import { type CacheIndex, HELD_FOLLOWING, HELD_LOCK } from './index.ts'
import * as at from './layout.ts'

/** One response that is being stored; 0 is none. */
export type Flight = number

/** How it stands: bytes come, all are there, it failed. */
export const GROWING = 0
export const WHOLE = 1
export const BROKEN = 2

/** The flights of one index as one thread sees them. */
export class Flights {
  readonly #index: CacheIndex

  constructor(index: CacheIndex) {
    this.#index = index
  }

  /** Begins one for an entry, with nothing reserved and nothing to read; 0: the zone has no room. */
  open(entry: Entry): Flight {
    const { memory, words } = this.#index
    memory.enter()
    const flight = memory.take()
    if (flight !== 0) {
      words[flight + at.FLIGHT_ENTRY] = entry
      words[flight + at.FLIGHT_OWNER] = threadId + 1
      words[flight + at.KIND] = at.FLIGHT
      words[at.FLIGHT_COUNT] = words[at.FLIGHT_COUNT]! + 1
    }
    memory.leave()
    return flight
  }

  /** Reserves bytes for it; false: with them the cache would be larger than `max`. */
  reserve(flight: Flight, bytes: number, max: number): boolean {
    const { memory } = this.#index
    memory.enter()
    const reserved = memory.float(at.RESERVED) + bytes
    const fits = memory.float(at.SIZE) + reserved <= max
    if (fits) {
      memory.setFloat(at.RESERVED, reserved)
      memory.setFloat(flight + at.FLIGHT_RESERVED, memory.float(flight + at.FLIGHT_RESERVED) + bytes)
    }
    memory.leave()
    return fits
  }

  /** All that stands before the body is in a file: who waits for the entry may follow. */
  begin(flight: Flight, fd: number, bodyStart: number, expected: number): void {
    const { memory, words } = this.#index
    memory.enter()
    const entry = words[flight + at.FLIGHT_ENTRY]!
    words[flight + at.FLIGHT_FD] = fd
    words[flight + at.FLIGHT_BODY_START] = bodyStart
    memory.setFloat(flight + at.EXPECTED, expected)
    words[entry + at.OWN_FLIGHT] = flight
    const mask = this.#index.wakeUp(entry)
    memory.leave()
    ring(words, mask)
  }

  /** So many bytes of the body are in the file. */
  grow(flight: Flight, written: number): void {
    const { memory, words } = this.#index
    memory.setFloat(flight + at.WRITTEN, written)
    this.#tell(words, flight)
  }

  #tell(words: Int32Array, flight: Flight): void {
    Atomics.add(words, flight + at.FLIGHT_EVENT, 1)
    if (Atomics.load(words, flight + at.FLIGHT_WAITING) !== 0)
      ring(words, Atomics.exchange(words, flight + at.FLIGHT_WAITING, 0))
  }

  followersOf(flight: Flight): number {
    return this.#index.words[flight + at.FOLLOWERS]!
  }

  /** It ends, whole or broken; called before its descriptor is closed. What it has reserved is given back. */
  end(flight: Flight, state: number): void {
    const { memory, words } = this.#index
    memory.enter()
    words[flight + at.FLIGHT_STATE] = state
    const entry = words[flight + at.FLIGHT_ENTRY]!
    if (words[entry + at.OWN_FLIGHT] === flight) words[entry + at.OWN_FLIGHT] = 0
    memory.setFloat(at.RESERVED, Math.max(0, memory.float(at.RESERVED) - memory.float(flight + at.FLIGHT_RESERVED)))
    memory.setFloat(flight + at.FLIGHT_RESERVED, 0)
    words[flight + at.FLIGHT_OWNER] = 0
    const followed = words[flight + at.FOLLOWERS] !== 0
    if (!followed) this.#give(flight)
    memory.leave()
    if (followed) this.#tell(words, flight)
  }

  #give(flight: Flight): void {
    const { memory, words } = this.#index
    words[at.FLIGHT_COUNT] = words[at.FLIGHT_COUNT]! - 1
    memory.give(flight)
  }

  /** Becomes a follower of what is being stored under an entry, noted in the index's `held`; 0: nothing is. */
  follow(entry: Entry): Flight {
    const { memory, words } = this.#index
    memory.enter()
    const flight = words[entry + at.OWN_FLIGHT]!
    if (flight !== 0) {
      this.#index.hold(flight, HELD_FOLLOWING)
      words[flight + at.FOLLOWERS] = words[flight + at.FOLLOWERS]! + 1
    }
    memory.leave()
    return flight
  }

  /** True while the descriptor of the flight is surely open. */
  isOwned(flight: Flight): boolean {
    const { memory, words } = this.#index
    memory.enter()
    const owned = words[flight + at.FLIGHT_OWNER] !== 0
    memory.leave()
    return owned
  }

  unfollow(flight: Flight, held: number): void {
    const { memory, words } = this.#index
    memory.enter()
    letGo(held)
    words[flight + at.FOLLOWERS] = words[flight + at.FOLLOWERS]! - 1
    if (words[flight + at.FOLLOWERS]! <= 0 && words[flight + at.FLIGHT_OWNER] === 0) this.#give(flight)
    memory.leave()
  }

  /** Asks to be rung at when there is news; to be called before the flight is looked at for the last time. */
  listen(flight: Flight): void {
    Atomics.or(this.#index.words, flight + at.FLIGHT_WAITING, BELL_BIT)
  }

  eventOf(flight: Flight): number {
    return Atomics.load(this.#index.words, flight + at.FLIGHT_EVENT)
  }

  stateOf(flight: Flight): number {
    return Atomics.load(this.#index.words, flight + at.FLIGHT_STATE)
  }

  fdOf(flight: Flight): number {
    return this.#index.words[flight + at.FLIGHT_FD]!
  }

  bodyStartOf(flight: Flight): number {
    return this.#index.words[flight + at.FLIGHT_BODY_START]!
  }

  writtenOf(flight: Flight): number {
    return this.#index.memory.float(flight + at.WRITTEN)
  }

  expectedOf(flight: Flight): number {
    return this.#index.memory.float(flight + at.EXPECTED)
  }

  /** Gives back what a dead thread held: entries and flights with what of them, added. */
  giveBack(holdings: readonly number[]): void {
    const { words } = this.#index
    for (const holding of holdings) {
      const cell = holding - ((holding - words[at.CELLS_AT]!) % at.CELL_WORDS)
      const kind = words[cell + at.KIND]
      const what = holding - cell
      if (what === HELD_FOLLOWING) {
        if (kind === at.FLIGHT && words[cell + at.FOLLOWERS]! > 0) this.unfollow(cell, NOT_NOTED)
      } else if (kind !== at.ENTRY) continue
      else if (what === HELD_LOCK) this.#index.unlock(cell, { number: words[cell + at.LOCK]!, note: NOT_NOTED })
      else if (words[cell + at.USERS]! > 0) this.#index.release(cell, NOT_NOTED, false)
    }
  }

  /** Ends what a dead thread was storing. */
  endOf(deadThreadId: number): void {
    const { words } = this.#index
    for (let cell = words[at.CELLS_AT]!; cell < words[at.FRESH]!; cell += at.CELL_WORDS) {
      const own = words[cell + at.KIND] === at.FLIGHT && words[cell + at.FLIGHT_OWNER] === deadThreadId + 1
      if (own) this.end(cell, BROKEN)
    }
  }
}
