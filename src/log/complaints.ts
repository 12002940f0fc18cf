/** What goes wrong with each line of a log is told of now and then: where it is told may be in the same trouble. */
import { clock } from '../lib/clock.ts'

const EVERY_SECONDS = 60

/** The complaints of one log. */
export class Complaints {
  #lastSecond = Number.NEGATIVE_INFINITY

  /** True once a minute, for who is going to complain. */
  isDue(): boolean {
    if (clock.seconds - this.#lastSecond < EVERY_SECONDS) return false
    this.#lastSecond = clock.seconds
    return true
  }
}
