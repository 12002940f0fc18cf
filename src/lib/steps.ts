/**
 * Work in steps: a generator that yields where others may have their turn. What must be done at once finishes it; who
 * serves meanwhile does a few milliseconds of it between events.
 */
import { setImmediate } from 'node:timers'

/** Work with an outcome. */
export type Steps<T> = Generator<undefined, T, undefined>

/** As long as this others may wait. */
const TURN_MS = 3

/** Does all of it now. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/**
 * Does it in turns with what else happens in this thread. `stopped` is asked before each turn; then `finally` blocks run
 * and `done` is not called.
 */
export function inTurns<T>(steps: Steps<T>, stopped: () => boolean, done: (value: T) => void): void {
  setImmediate(() => {
    if (stopped()) {
      // The value would be what `next` returns, and nobody asks.
      steps.return(undefined as never)
      return
    }
    const until = performance.now() + TURN_MS
    do {
      const step = steps.next()
      if (step.done === true) return done(step.value)
    } while (performance.now() < until)
    inTurns(steps, stopped, done)
  })
}
