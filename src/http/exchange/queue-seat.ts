/** An exchange's place in the queue of its group, while no server can be had. */
import { clock } from '../../lib/clock.ts'
import type { RequestQueue, Waiter } from '../../upstream/queue.ts'
import type { Request } from '../request/request.ts'
import type { Verdict } from '../request/verdict.ts'
import type { PeerSearch } from './peer-search.ts'

/** Who waits. */
export interface SeatOwner {
  readonly r: Request
  /** Begins an attempt with a server; false when there is none. */
  usePeer(): boolean
  /** There will be none. */
  noPeer(why: string): Verdict
}

export class QueueSeat implements Waiter {
  readonly #owner: SeatOwner
  readonly #search: PeerSearch
  #queue: RequestQueue | undefined
  queuedMs = 0
  queuedBefore: Waiter | undefined = undefined
  queuedAfter: Waiter | undefined = undefined

  constructor(owner: SeatOwner, search: PeerSearch) {
    this.#owner = owner
    this.#search = search
  }

  /** Waits; false when the queue is full. */
  enter(queue: RequestQueue): boolean {
    if (!queue.enter(this)) return false
    this.#queue = queue
    this.#search.selection.waits()
    return true
  }

  /** Waits no more. */
  leave(): void {
    this.#queue?.leave(this)
  }

  /** Leaves the queue when a server can be had. */
  onTurn(): boolean {
    const waitedMs = clock.monotonic - this.queuedMs
    if (!this.#owner.usePeer()) {
      this.#search.selection.waits()
      return false
    }
    this.#search.attempt.queueMs = waitedMs
    return true
  }

  onQueueTimeout(): void {
    const waitedMs = clock.monotonic - this.queuedMs
    const { r } = this.#owner
    const verdict = this.#owner.noPeer('upstream queue timed out')
    this.#search.attempt.queueMs = waitedMs
    r.finish(verdict)
  }
}
