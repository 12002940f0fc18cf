/**
 * The cached clock, as nginx has it: whoever enters from the event loop calls `update()`, everything below reads fields.
 * Formatted times are built when somebody asks and kept for the rest of their second.
 */
import { formatHttpDate } from './http-date.ts'

/** Where time comes from; tests give their own. */
export interface TimeSource {
  /** Milliseconds since the epoch. */
  wall(): number
  /** Milliseconds that never go back, counted from the same moment in every thread of the process. */
  monotonic(): number
  /** Minutes that local time is ahead of UTC at a moment. */
  offsetMinutes(wallMs: number): number
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** The machine's own time. */
export const SYSTEM_TIME: TimeSource = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  offsetMinutes: (wallMs) => -new Date(wallMs).getTimezoneOffset(),
}

/** A clock that stands still until `update`. */
export class Clock {
  /** Wall clock in whole milliseconds at the last `update()`. */
  now = 0
  /** Wall clock in whole seconds at the last `update()`. */
  seconds = 0
  /** Monotonic whole milliseconds at the last `update()`: for timers and durations. */
  monotonic = 0
  /** An event is being dealt with, which has read the time. Between events nobody has. */
  inEvent = false
  #source: TimeSource
  #localSecond = -1
  #local = new Date(0)
  #offset = 0
  #logTimeSecond = -1
  #logTime = ''
  #isoTimeSecond = -1
  #isoTime = ''
  #errorTimeSecond = -1
  #errorTime = ''
  #syslogTimeSecond = -1
  #syslogTime = ''
  #httpDateSecond = -1
  #httpDate = ''

  constructor(source: TimeSource = SYSTEM_TIME) {
    this.#source = source
    this.update()
  }

  /** Reads the time unless an event has: for what may run at any moment. */
  catchUp(): void {
    if (!this.inEvent) this.update()
  }

  /** Reads the time; cheap enough for once per event. */
  update(): void {
    this.now = Math.floor(this.#source.wall())
    this.monotonic = Math.floor(this.#source.monotonic())
    this.seconds = Math.floor(this.now / 1000)
  }

  /** Replaces the source (tests) and forgets everything cached. */
  setSource(source: TimeSource): void {
    this.#source = source
    this.#localSecond = this.#logTimeSecond = this.#isoTimeSecond = this.#errorTimeSecond = -1
    this.#syslogTimeSecond = this.#httpDateSecond = -1
    this.update()
  }

  /** `$time_local`: `20/Nov/2026:04:27:41 +0000`. */
  get logTime(): string {
    if (this.#logTimeSecond !== this.seconds) {
      const d = this.#localDate()
      this.#logTimeSecond = this.seconds
      this.#logTime =
        `${pad(d.getUTCDate())}/${MONTHS[d.getUTCMonth()]!}/${d.getUTCFullYear()}:` +
        `${timeOfDay(d)} ${zone(this.#offset, '')}`
    }
    return this.#logTime
  }

  /** `$time_iso8601`: `2026-11-20T04:27:41+00:00`. */
  get isoTime(): string {
    if (this.#isoTimeSecond !== this.seconds) {
      const d = this.#localDate()
      this.#isoTimeSecond = this.seconds
      this.#isoTime = `${date(d, '-')}T${timeOfDay(d)}${zone(this.#offset, ':')}`
    }
    return this.#isoTime
  }

  /** Time of an error-log line: `2026/11/20 04:27:41`. */
  get errorTime(): string {
    if (this.#errorTimeSecond !== this.seconds) {
      const d = this.#localDate()
      this.#errorTimeSecond = this.seconds
      this.#errorTime = `${date(d, '/')} ${timeOfDay(d)}`
    }
    return this.#errorTime
  }

  /** Time of a syslog line (RFC 3164): `Nov  2 04:27:41`. */
  get syslogTime(): string {
    if (this.#syslogTimeSecond !== this.seconds) {
      const d = this.#localDate()
      this.#syslogTimeSecond = this.seconds
      this.#syslogTime = `${MONTHS[d.getUTCMonth()]!} ${String(d.getUTCDate()).padStart(2)} ${timeOfDay(d)}`
    }
    return this.#syslogTime
  }

  /** The `Date` header: `Fri, 20 Nov 2026 04:27:41 GMT`. */
  get httpDate(): string {
    if (this.#httpDateSecond !== this.seconds) {
      this.#httpDateSecond = this.seconds
      this.#httpDate = formatHttpDate(this.seconds)
    }
    return this.#httpDate
  }

  /** A date whose UTC fields read as local time, so that one set of getters serves every zone. */
  #localDate(): Date {
    if (this.#localSecond !== this.seconds) {
      this.#localSecond = this.seconds
      this.#offset = this.#source.offsetMinutes(this.now)
      this.#local = new Date((this.seconds + this.#offset * 60) * 1000)
    }
    return this.#local
  }
}

/** The clock of this thread. */
export const clock = new Clock()

function date(d: Date, separator: string): string {
  return d.getUTCFullYear() + separator + pad(d.getUTCMonth() + 1) + separator + pad(d.getUTCDate())
}

function timeOfDay(d: Date): string {
  return `${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}:${pad(d.getUTCSeconds())}`
}

function zone(offsetMinutes: number, separator: string): string {
  const minutes = Math.abs(offsetMinutes)
  return (offsetMinutes < 0 ? '-' : '+') + pad(Math.floor(minutes / 60)) + separator + pad(minutes % 60)
}

function pad(value: number): string {
  return value < 10 ? '0' + value : String(value)
}
