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

/** A request that waits; it has entered at `queuedMs`. */
export interface Waiter {
  queuedMs: number
  /** Tries to get a server; false: there is none yet, and the request goes on waiting. */
  onTurn(): boolean
  /** It has waited for too long, and is out of the queue. */
  onQueueTimeout(): void
}

/** The queue of one group. */
export class RequestQueue implements TimerOwner, Later {
  readonly max: number
  readonly #timeoutMs: number
  readonly #waiters = new Set<Waiter>()
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
    return this.#waiters.size
  }

  /** Puts a request behind the others; false when the queue is full. */
  enter(waiter: Waiter): boolean {
    if (this.#waiters.size >= this.max) {
      this.overflows++
      this.gauges?.overflow()
      return false
    }
    waiter.queuedMs = clock.monotonic
    this.#waiters.add(waiter)
    this.gauges?.queued(1)
    if (!this.#timer.active) setTimer(this.#timer, LOOK_MS)
    return true
  }

  /** The request no longer wants to wait. */
  leave(waiter: Waiter): void {
    if (this.#waiters.delete(waiter)) this.gauges?.queued(-1)
    if (this.#waiters.size === 0) cancelTimer(this.#timer)
  }

  /** A server may be free: looks when the event at hand has been dealt with. */
  wake(): void {
    if (this.#waiters.size === 0 || this.#looking) return
    this.#looking = true
    postpone(this)
  }

  runLater(): void {
    this.#looking = false
    this.#look()
  }

  onTimeout(): void {
    this.#look()
    for (const waiter of this.#waiters) {
      if (clock.monotonic - waiter.queuedMs < this.#timeoutMs) break
      this.leave(waiter)
      waiter.onQueueTimeout()
    }
    if (this.#waiters.size > 0) setTimer(this.#timer, LOOK_MS)
  }

  /** What the first cannot get, the others cannot either. */
  #look(): void {
    for (const waiter of this.#waiters) {
      if (!waiter.onTurn()) return
      this.leave(waiter)
    }
  }
}
