/**
 * A mutex for the threads of one process, in four words of shared memory:
 *
 *     word 0  owner: 0 when free, else the thread's number + 1, and a bit while others sleep
 *     word 1  1 after an owner died inside
 *     word 2  acquisitions, to tell a dead owner
 *     word 3  free
 *
 * Those that sleep are not counted, as one of them may die: who wakes and enters takes it that there are more.
 * Critical sections take well under a microsecond, so waiting begins by spinning. A thread can be terminated anywhere, so
 * whoever learns of its end calls `release`; should nobody, an owner that does nothing for a second loses the lock. In
 * both cases the next to enter is told that the data may be half changed.
 */
import { threadId } from 'node:worker_threads'
import { assert } from '../lib/assert.ts'

/** Words that a lock occupies. */
export const LOCK_WORDS = 4

const ABANDONED = 1
const ACQUISITIONS = 2

const FREE = 0
const RECOVERING = -1
/** Beside the owner: whoever leaves must wake somebody. */
const SLEEPERS = 1 << 30
const SPINS = 200
const WAIT_MS = 50
/** So many idle waits in a row, and not one long one: a process that was stopped and continued must not look dead. */
const IDLE_WAITS_MAX = 20

/** The lock of one zone as one thread sees it. */
export class Lock {
  readonly #words: Int32Array
  readonly #at: number
  readonly #me: number

  /** Uses `LOCK_WORDS` words of shared memory from `at` on; `owner` differs from this thread's only in tests. */
  constructor(words: Int32Array, at: number, owner: number = threadId) {
    this.#words = words
    this.#at = at
    this.#me = owner + 1
  }

  /** Takes the lock. True means that an owner died: repair the data and call `repaired`. Not reentrant. */
  enter(): boolean {
    const words = this.#words
    const at = this.#at
    if (Atomics.compareExchange(words, at, FREE, this.#me) !== FREE) this.#contend()
    words[at + ACQUISITIONS] = (words[at + ACQUISITIONS]! + 1) | 0
    return words[at + ABANDONED] !== 0
  }

  /** Gives the lock back. */
  leave(): void {
    const words = this.#words
    const at = this.#at
    const me = this.#me
    if (Atomics.compareExchange(words, at, me, FREE) === me) return
    // Somebody sleeps, or it was taken away from us.
    if (Atomics.compareExchange(words, at, me | SLEEPERS, FREE) === (me | SLEEPERS)) Atomics.notify(words, at, 1)
  }

  /** Says, inside, that the owner lives: for what takes longer than usual. */
  beat(): void {
    const words = this.#words
    words[this.#at + ACQUISITIONS] = (words[this.#at + ACQUISITIONS]! + 1) | 0
  }

  /** Says, inside, that the data is whole again. */
  repaired(): void {
    this.#words[this.#at + ABANDONED] = 0
  }

  /** Frees the lock if the thread with this number holds it; to be called when that thread has ended. */
  release(deadThreadId: number): void {
    const words = this.#words
    const at = this.#at
    const dead = deadThreadId + 1
    if (
      Atomics.compareExchange(words, at, dead, RECOVERING) !== dead &&
      Atomics.compareExchange(words, at, dead | SLEEPERS, RECOVERING) !== (dead | SLEEPERS)
    )
      return
    Atomics.store(words, at + ABANDONED, 1)
    Atomics.store(words, at, FREE)
    Atomics.notify(words, at)
  }

  #contend(): void {
    const words = this.#words
    const at = this.#at
    assert((Atomics.load(words, at) & ~SLEEPERS) !== this.#me, 'a lock is not entered twice')
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.load(words, at) === FREE && Atomics.compareExchange(words, at, FREE, this.#me) === FREE) return
    }
    let idle = 0
    while (Atomics.compareExchange(words, at, FREE, this.#me | SLEEPERS) !== FREE) {
      idle = this.#wait() ? 0 : idle + 1
      if (idle === IDLE_WAITS_MAX && this.#takeOver()) return
    }
  }

  /** Sleeps until the lock is given back; false when nothing happened for a while. */
  #wait(): boolean {
    const words = this.#words
    const at = this.#at
    const owner = Atomics.load(words, at)
    if (owner === FREE) return true
    const before = Atomics.load(words, at + ACQUISITIONS)
    const marked = owner | SLEEPERS
    if (marked !== owner && Atomics.compareExchange(words, at, owner, marked) !== owner) return true
    const outcome = Atomics.wait(words, at, marked, WAIT_MS)
    return outcome !== 'timed-out' || Atomics.load(words, at + ACQUISITIONS) !== before
  }

  #takeOver(): boolean {
    const owner = Atomics.load(this.#words, this.#at)
    if (owner === FREE || Atomics.compareExchange(this.#words, this.#at, owner, this.#me | SLEEPERS) !== owner)
      return false
    Atomics.store(this.#words, this.#at + ABANDONED, 1)
    return true
  }
}
