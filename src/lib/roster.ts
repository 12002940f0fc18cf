/**
 * Who is there at the moment, in no order, for many who come and go: an array in which each knows its place, and the last
 * one moves to where another leaves.
 *
 * A `Set` would keep everybody's memory for long: whenever V8 has made it a new table, the old one still points to that,
 * and once a table has grown old, all that follow it, with all that was ever in them, live until the next collection of old
 * objects. Young objects that should have been free for nothing are then copied twice, which takes tens of milliseconds.
 */
import { assert } from './assert.ts'

/** Somebody who may stand in one roster. */
export interface RosterMember {
  /** The roster's: the place in it, -1 while it is in none. */
  rosterPlace: number
}

/** The members; adding, finding and removing take the same time, whatever their number. */
export class Roster<T extends RosterMember> {
  readonly #members: T[] = []

  get count(): number {
    return this.#members.length
  }

  /** Puts in somebody who is in no roster. */
  add(member: T): void {
    assert(member.rosterPlace < 0, 'who is put into a roster is in none')
    member.rosterPlace = this.#members.length
    this.#members.push(member)
  }

  /** Takes somebody out; false when it was not in this roster. */
  delete(member: T): boolean {
    const place = member.rosterPlace
    if (place < 0 || this.#members[place] !== member) return false
    const last = this.#members.pop()!
    if (last !== member) {
      this.#members[place] = last
      last.rosterPlace = place
    }
    member.rosterPlace = -1
    return true
  }

  /** Those who are there now, in a list of its own: they may leave while one goes through it. */
  all(): T[] {
    return this.#members.slice()
  }
}
