/** Work that is done in parts, with rests between them, for as long as there is some: so the settings of a cache want it. */
import { clearTimeout, setTimeout } from 'node:timers'
import { clock } from '../../../lib/clock.ts'
import type { Steps } from '../../../lib/steps.ts'
import type { Pace } from '../cache-path.ts'

/** What is to be done. */
export interface PacedWork {
  /** Begins a round; a step is about a file. */
  begin(): Steps<void>
  /** How much of it is done at a time. */
  pace(): Pace
  /** Milliseconds until the next round, after one; Infinity: there is none. */
  restMs(): number
}

/** Does the rounds of one kind of work. */
export class Paced {
  readonly #work: PacedWork
  #timer: NodeJS.Timeout | undefined
  #steps: Steps<void> | undefined
  #stopped = false

  constructor(work: PacedWork) {
    this.#work = work
  }

  /** A round, unless one is under way, begins after so long. */
  startIn(ms: number): void {
    if (this.#steps === undefined) this.#rest(ms)
  }

  /** Ends it for good, in the middle of a round if need be. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#steps?.return()
    this.#steps = undefined
  }

  #rest(ms: number): void {
    clearTimeout(this.#timer)
    if (this.#stopped || ms === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(() => this.#turn(), ms)
    // A process that does nothing else may end.
    this.#timer.unref()
  }

  #turn(): void {
    clock.update()
    this.#steps ??= this.#work.begin()
    const { files, thresholdMs, sleepMs } = this.#work.pace()
    const until = performance.now() + thresholdMs
    for (let n = 0; n < Math.max(1, files) && performance.now() <= until; n++) {
      if (this.#steps.next().done !== true) continue
      this.#steps = undefined
      this.#rest(this.#work.restMs())
      return
    }
    this.#rest(sleepMs)
  }
}
