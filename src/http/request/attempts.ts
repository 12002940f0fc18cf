/** What the attempts of a request came to: the `$upstream_*` variables, joined as nginx joins them. */
import { secondsText } from '../../lib/seconds.ts'

/** One attempt with one peer. Times are milliseconds, -1 when the moment never came. */
export class Attempt {
  address = ''
  /** The name of the server as it was configured. */
  server = ''
  status = 0
  /** Time in the queue of the group; -1: there was no need to wait. */
  queueMs = -1
  connectMs = -1
  headerMs = -1
  responseMs = -1
  bytesReceived = 0
  bytesSent = 0
  /** What was sent on the connection before. */
  sentBefore = 0
  responseLength = 0
  startMs = 0
  /** After an internal redirect a new series begins: joined by a colon, not a comma. */
  newSeries = false

  reset(address: string, startMs: number, newSeries: boolean): void {
    this.address = address
    this.server = ''
    this.status = 0
    this.queueMs = this.connectMs = this.headerMs = this.responseMs = -1
    this.bytesReceived = this.bytesSent = this.sentBefore = this.responseLength = 0
    this.startMs = startMs
    this.newSeries = newSeries
  }
}

/** All attempts of one request in order; its objects are reused. */
export class Attempts {
  readonly #all: Attempt[] = []
  #count = 0

  reset(): void {
    this.#count = 0
  }

  get count(): number {
    return this.#count
  }

  /** The one under way, or the last. */
  get last(): Attempt | undefined {
    return this.#count === 0 ? undefined : this.#all[this.#count - 1]
  }

  /** One of them, from 0 on. */
  at(index: number): Attempt {
    return this.#all[index]!
  }

  add(address: string, startMs: number, newSeries: boolean): Attempt {
    let attempt = this.#all[this.#count]
    if (attempt === undefined) {
      attempt = new Attempt()
      this.#all.push(attempt)
    }
    this.#count++
    attempt.reset(address, startMs, newSeries)
    return attempt
  }

  /** Joins one value per attempt: `a, b : c`. Undefined when nothing was attempted. */
  join(value: (attempt: Attempt) => string): string | undefined {
    if (this.#count === 0) return undefined
    let text = value(this.#all[0]!)
    for (let i = 1; i < this.#count; i++) {
      const attempt = this.#all[i]!
      text += (attempt.newSeries ? ' : ' : ', ') + value(attempt)
    }
    return text
  }
}

/** Seconds with milliseconds, or `-`. */
export function timeText(ms: number): string {
  return ms < 0 ? '-' : secondsText(ms)
}
