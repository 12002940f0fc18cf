/**
 * Responses that are being stored, while they are: where the temporary file is open, how far it has grown, what it has
 * reserved. Other threads read it meanwhile through a descriptor of their own; they are followers, and counted.
 */
import { letGo } from '../holdings.ts'
import { BELL_BIT, ring } from './bells.ts'
import type { Entry } from './entries.ts'
import { type CacheIndex, HELD_FLIGHT, HELD_FOLLOWING, HELD_LOCK, HELD_USE } from './index.ts'
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

  /** Begins one with bytes that are reserved already; 0: the zone has no room. Who waits for the entry may follow it. */
  begin(entry: Entry, fd: number, bodyStart: number, expected: number, reserved: number): Flight {
    const { memory, words } = this.#index
    memory.enter()
    const flight = memory.take()
    let mask = 0
    if (flight !== 0) {
      words[flight + at.FLIGHT_ENTRY] = entry
      words[flight + at.FLIGHT_FD] = fd
      words[flight + at.FLIGHT_BODY_START] = bodyStart
      words[flight + at.FLIGHT_OWNED] = 1
      memory.setFloat(flight + at.EXPECTED, expected)
      memory.setFloat(flight + at.FLIGHT_RESERVED, reserved)
      words[flight + at.KIND] = at.FLIGHT
      words[at.FLIGHT_COUNT] = words[at.FLIGHT_COUNT]! + 1
      words[entry + at.OWN_FLIGHT] = flight
      mask = this.#index.wakeUp(entry)
    }
    memory.leave()
    ring(words, mask)
    return flight
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

  /** More was reserved for it, to be given back when it ends, or its thread. */
  addReserved(flight: Flight, bytes: number): void {
    const { memory } = this.#index
    memory.setFloat(flight + at.FLIGHT_RESERVED, memory.float(flight + at.FLIGHT_RESERVED) + bytes)
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
    words[flight + at.FLIGHT_OWNED] = 0
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

  /** Becomes a follower of what is being stored under an entry; 0: nothing is. */
  follow(entry: Entry): Flight {
    const { memory, words } = this.#index
    memory.enter()
    const flight = words[entry + at.OWN_FLIGHT]!
    if (flight !== 0) words[flight + at.FOLLOWERS] = words[flight + at.FOLLOWERS]! + 1
    memory.leave()
    return flight
  }

  /** True while the descriptor of the flight is surely open. */
  isOwned(flight: Flight): boolean {
    const { memory, words } = this.#index
    memory.enter()
    const owned = words[flight + at.FLIGHT_OWNED] === 1
    memory.leave()
    return owned
  }

  unfollow(flight: Flight, holding: number): void {
    letGo(holding)
    const { memory, words } = this.#index
    memory.enter()
    words[flight + at.FOLLOWERS] = words[flight + at.FOLLOWERS]! - 1
    if (words[flight + at.FOLLOWERS]! <= 0 && words[flight + at.FLIGHT_OWNED] === 0) this.#give(flight)
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

  /** Gives back what a dead thread held: the cell and what of it, added. */
  giveBack(holding: number): void {
    const { words } = this.#index
    const cell = holding - ((holding - words[at.CELLS_AT]!) % at.CELL_WORDS)
    switch (holding - cell) {
      case HELD_USE:
        if (words[cell + at.KIND] === at.ENTRY && words[cell + at.USERS]! > 0) this.#index.release(cell, -1, true)
        break
      case HELD_LOCK:
        if (words[cell + at.KIND] === at.ENTRY) this.#index.unlock(cell, words[cell + at.LOCK]!)
        break
      case HELD_FLIGHT:
        if (words[cell + at.KIND] === at.FLIGHT && words[cell + at.FLIGHT_OWNED] === 1) this.end(cell, BROKEN)
        break
      case HELD_FOLLOWING:
        if (words[cell + at.KIND] === at.FLIGHT && words[cell + at.FOLLOWERS]! > 0) this.unfollow(cell, -1)
    }
  }
}
