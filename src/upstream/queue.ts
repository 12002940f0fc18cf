/**
 * `queue`: requests that no server can take wait here in order, and the first goes when a server is free. Each worker
 * has its own queue. What happens in this worker is heard of at once; what other workers, time-outs and health checks
 * change is found by looking now and then.
 */
import { clock } from '../lib/clock.ts'
import { type Later, postpone } from '../net/flush.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../net/timer-wheel.ts'
import type { GroupGauges } from './group-gauges.ts'

const LOOK_MS = 50

/** A request that waits; it has entered at `queuedMs`. Its neighbours are the queue's. */
export interface Waiter {
  queuedMs: number
  queuedBefore: Waiter | undefined
  queuedAfter: Waiter | undefined
  /** Tries to get a server; false: there is none yet, and the request goes on waiting. */
  onTurn(): boolean
  /** It has waited for too long, and is out of the queue. */
  onQueueTimeout(): void
}

/** The queue of one group: those who wait, each with its neighbours, so that everybody can leave at once. */
export class RequestQueue implements TimerOwner, Later {
  readonly max: number
  readonly #timeoutMs: number
  #first: Waiter | undefined
  #last: Waiter | undefined
  #size = 0
  readonly #timer = new Timer(this)
  #looking = false
  /** Requests that found the queue full. */
  overflows = 0
  /** Where those who wait are counted for all workers together. */
  gauges: GroupGauges | undefined

  constructor(max: number, timeoutMs: number) {
    this.max = max
    this.#timeoutMs = timeoutMs
  }

  get size(): number {
    return this.#size
  }

  /** Puts a request behind the others; false when the queue is full. */
  enter(waiter: Waiter): boolean {
    if (this.#size >= this.max) {
      this.overflows++
      this.gauges?.overflow()
      return false
    }
    waiter.queuedMs = clock.monotonic
    waiter.queuedBefore = this.#last
    if (this.#last === undefined) this.#first = waiter
    else this.#last.queuedAfter = waiter
    this.#last = waiter
    this.#size++
    this.gauges?.queued(1)
    if (!this.#timer.active) setTimer(this.#timer, LOOK_MS)
    return true
  }

  /** The request no longer wants to wait; idempotent. */
  leave(waiter: Waiter): void {
    const { queuedBefore: before, queuedAfter: after } = waiter
    if (before === undefined && this.#first !== waiter) return
    if (before === undefined) this.#first = after
    else before.queuedAfter = after
    if (after === undefined) this.#last = before
    else after.queuedBefore = before
    waiter.queuedBefore = waiter.queuedAfter = undefined
    this.gauges?.queued(-1)
    if (--this.#size === 0) cancelTimer(this.#timer)
  }

  /** A server may be free: looks when the event at hand has been dealt with. */
  wake(): void {
    if (this.#size === 0 || this.#looking) return
    this.#looking = true
    postpone(this)
  }

  runLater(): void {
    this.#looking = false
    this.#look()
  }

  onTimeout(): void {
    this.#look()
    for (let first = this.#first; first !== undefined; first = this.#first) {
      if (clock.monotonic - first.queuedMs < this.#timeoutMs) break
      this.leave(first)
      first.onQueueTimeout()
    }
    if (this.#size > 0) setTimer(this.#timer, LOOK_MS)
  }

  /** What the first cannot get, the others cannot either. */
  #look(): void {
    for (let first = this.#first; first?.onTurn() === true; first = this.#first) this.leave(first)
  }
}
