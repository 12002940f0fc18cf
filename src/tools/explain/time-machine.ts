/** Lets time pass at once, for who waits for a time-out of a configuration. */
import { clock, SYSTEM_TIME } from '../../lib/clock.ts'
import { cancelTimer, setTimer, Timer } from '../../net/timer-wheel.ts'

/** The clock of this process, which may be ahead of the machine's. */
export class TimeMachine {
  #aheadMs = 0
  readonly #wakeUp = new Timer({ onTimeout: () => {} })

  constructor() {
    clock.setSource({
      wall: () => SYSTEM_TIME.wall() + this.#aheadMs,
      monotonic: () => SYSTEM_TIME.monotonic() + this.#aheadMs,
      offsetMinutes: SYSTEM_TIME.offsetMinutes,
    })
  }

  /** Has `ms` pass once everything has been done that is to be done now. */
  pass(ms: number): void {
    setImmediate(() =>
      setImmediate(() => {
        // The wheel sleeps until its next time-out by the machine's clock: an earlier one wakes it.
        setTimer(this.#wakeUp, 0)
        this.#aheadMs += ms
      }),
    )
  }

  /** The machine's own time holds again. */
  stop(): void {
    cancelTimer(this.#wakeUp)
    clock.setSource(SYSTEM_TIME)
  }
}
