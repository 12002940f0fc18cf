/**
 * The requests of this thread that wait for what others fetch, and those that read a file while it grows. One bell is for
 * all of them: when it rings, each entry that is waited for is looked at, which costs a read.
 */
import { clock } from '../../lib/clock.ts'
import { Roster, type RosterMember } from '../../lib/roster.ts'
import { beginEvent, flushWires } from '../../net/flush.ts'
import { Bell } from '../../shared/cache/bells.ts'
import type { Entry } from '../../shared/cache/entries.ts'
import type { Flight, Flights } from '../../shared/cache/flights.ts'
import type { CacheIndex } from '../../shared/cache/index.ts'
import type { GrowingBody, Growth } from './growing-body.ts'

/** One who waits for an entry. */
export interface EntryWaiter {
  /** There may be news of the entry; true: it goes on waiting. */
  onNews(): boolean
}

interface Watched {
  event: number
  readonly waiters: EntryWaiter[]
}

/** Follows one flight: the numbers of a body that grows in another request. */
export class Following implements Growth, RosterMember {
  rosterPlace = -1
  readonly #flights: Flights
  readonly flight: Flight
  body: GrowingBody | undefined = undefined
  seen = -1
  holding = -1

  constructor(flights: Flights, flight: Flight) {
    this.#flights = flights
    this.flight = flight
  }

  get written(): number {
    return this.#flights.writtenOf(this.flight)
  }

  get expected(): number {
    return this.#flights.expectedOf(this.flight)
  }

  get state(): number {
    return this.#flights.stateOf(this.flight)
  }

  /** There is news that its listener was not told of. */
  get news(): boolean {
    const event = this.#flights.eventOf(this.flight)
    if (event === this.seen) return false
    this.seen = event
    return true
  }

  /** Asks to be told once more. */
  listen(): void {
    this.#flights.listen(this.flight)
  }
}

/** All who wait in this thread for one cache. */
export class WaitingRoom {
  readonly #index: CacheIndex
  readonly #bell: Bell
  readonly #watched = new Map<Entry, Watched>()
  readonly #followings = new Roster<Following>()

  constructor(index: CacheIndex) {
    this.#index = index
    this.#bell = new Bell(index.words, () => this.#rung())
  }

  /** Number of requests that wait for an entry. */
  get count(): number {
    let count = 0
    for (const { waiters } of this.#watched.values()) count += waiters.length
    return count
  }

  /** To be called before it is found out whether there is something to wait for. */
  listen(): void {
    this.#bell.listen()
  }

  /** Waits for news of an entry after the event that was seen. */
  add(entry: Entry, event: number, waiter: EntryWaiter): void {
    const watched = this.#watched.get(entry)
    if (watched === undefined) this.#watched.set(entry, { event, waiters: [waiter] })
    else watched.waiters.push(waiter)
  }

  remove(entry: Entry, waiter: EntryWaiter): void {
    const watched = this.#watched.get(entry)
    const at = watched?.waiters.indexOf(waiter) ?? -1
    if (at < 0) return
    watched!.waiters.splice(at, 1)
    if (watched!.waiters.length === 0) this.#watched.delete(entry)
  }

  follow(following: Following): void {
    this.#followings.add(following)
    this.#bell.listen()
    following.listen()
  }

  unfollow(following: Following): void {
    this.#followings.delete(following)
  }

  #rung(): boolean {
    clock.update()
    beginEvent()
    for (const [entry, watched] of this.#watched) {
      if (this.#index.eventOf(entry) !== watched.event) this.#tell(entry, watched)
    }
    for (const following of this.#followings.all()) {
      following.listen()
      if (following.news) following.body?.listener?.onGrowth()
    }
    flushWires()
    return this.#watched.size > 0 || this.#followings.count > 0
  }

  #tell(entry: Entry, watched: Watched): void {
    this.#watched.delete(entry)
    const { waiters } = watched
    for (const waiter of waiters) {
      if (waiter.onNews()) this.add(entry, this.#index.eventOf(entry), waiter)
    }
    // The map's old tables may hold this for long (lib/roster.ts).
    waiters.length = 0
  }
}
