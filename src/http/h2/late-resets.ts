/**
 * RST_STREAM with NO_ERROR after a response that did not wait for its request's end (RFC 9113, section 8.1). It leaves a
 * little later than the response: curl 7 takes a stream whose response and reset arrive together for one that failed.
 */
import { setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import { NO_ERROR, rstStream } from './wire/frames.ts'

/** Where they are sent, as long as it can be written to. */
interface Host {
  answer(frames: string): void
  readonly lost: boolean
}

/** Those of one connection. */
export class LateResets implements TimerOwner {
  readonly #host: Host
  readonly #timer = new Timer(this)
  readonly #streams: number[] = []

  constructor(host: Host) {
    this.#host = host
  }

  add(stream: number): void {
    this.#streams.push(stream)
    setTimer(this.#timer, 1)
  }

  onTimeout(): void {
    const host = this.#host
    if (!host.lost) for (let i = 0; i < this.#streams.length; i++) host.answer(rstStream(this.#streams[i]!, NO_ERROR))
    this.#streams.length = 0
  }
}
