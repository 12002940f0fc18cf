/** `auth_delay`: an answer that asks for credentials comes late, so that passwords cannot be tried in quick succession. */
import { INFO } from '../../log/error-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { Producer } from '../message/body.ts'
import type { Request } from '../request/request.ts'
import { type Verdict, WAIT } from '../request/verdict.ts'

/** Ends an access phase with 401 or 407, after the delay that the location asks for. */
export function challenge(r: Request, status: number): Verdict {
  const { auth_delay: delayMs } = r.location.core
  if (delayMs === 0) return status
  r.logError(INFO, 'delaying unauthorized request')
  r.producer = new Delay(r, status, delayMs)
  return WAIT
}

class Delay implements Producer, TimerOwner {
  readonly #r: Request
  readonly #status: number
  readonly #timer = new Timer(this)

  constructor(r: Request, status: number, delayMs: number) {
    this.#r = r
    this.#status = status
    setTimer(this.#timer, delayMs)
  }

  onTimeout(): void {
    this.#r.producer = undefined
    this.#r.resume(this.#status)
  }

  onDrain(): void {}

  onAbort(): void {
    cancelTimer(this.#timer)
  }
}
