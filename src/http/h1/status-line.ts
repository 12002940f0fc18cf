/**
 * Reads the status line of a back end's answer (ngx_http_parse_status_line). Stricter than nginx where that would let an
 * answer pass for a success that is none: a status has three digits in a row, and none is below 100.
 */
import { DONE, NEED_MORE } from '../message/request-errors.ts'
import { CR, LF, SPACE } from '../message/tokens.ts'

/** The bytes are no status line. */
export const NOT_A_STATUS_LINE = 2

const PROTOCOL = 0
const MAJOR_FIRST = 1
const MAJOR = 2
const MINOR_FIRST = 3
const MINOR = 4
const STATUS = 5
const AFTER_STATUS = 6
const REASON = 7
const LINE_LF = 8

const HTTP = [0x48, 0x54, 0x54, 0x50, 0x2f]
const DIGITS_MAX = 999

/** One status line; `reset()` makes it ready for the next. */
export class StatusLine {
  /** The next position to read; after DONE the start of the field lines. */
  at = 0
  major = 0
  minor = 0
  status = 0
  /** Status code and reason phrase as they were sent: `404 Not Found`. */
  textStart = 0
  textEnd = 0
  #state = PROTOCOL
  #count = 0

  /** Forgets the line. */
  reset(): void {
    this.at = this.major = this.minor = this.status = this.textStart = this.textEnd = this.#count = 0
    this.#state = PROTOCOL
  }

  /** Reads on from where it stopped; `base` is the head's first byte in `buffer`. */
  parse(buffer: Uint8Array, base: number, end: number): number {
    let at = base + this.at
    let code = NEED_MORE
    if (this.at === 0 && this.#quick(buffer, base, end)) at += 12
    while (at < end && code === NEED_MORE) {
      if (this.#state === REASON) {
        while (at < end && buffer[at] !== CR && buffer[at] !== LF) at++
        if (at === end) break
      }
      code = this.#byte(buffer[at]!, at - base)
      at++
    }
    this.at = at - base
    return code
  }

  /** Takes `HTTP/1.x NNN` in one step when all of it is there; anything else goes byte by byte. */
  #quick(buffer: Uint8Array, base: number, end: number): boolean {
    if (end - base < 12 || buffer[base + 5] !== 0x31 || buffer[base + 6] !== 0x2e || buffer[base + 8] !== SPACE)
      return false
    for (let i = 0; i < HTTP.length; i++) if (buffer[base + i] !== HTTP[i]) return false
    const minor = buffer[base + 7]! - 0x30
    const hundreds = buffer[base + 9]! - 0x30
    const tens = buffer[base + 10]! - 0x30
    const units = buffer[base + 11]! - 0x30
    if (minor < 0 || minor > 9 || hundreds < 0 || hundreds > 9 || tens < 0 || tens > 9 || units < 0 || units > 9)
      return false
    this.major = 1
    this.minor = minor
    // What is no status is left to the way byte by byte.
    if (hundreds === 0) return false
    this.status = hundreds * 100 + tens * 10 + units
    this.textStart = 9
    this.#state = AFTER_STATUS
    return true
  }

  #byte(byte: number, at: number): number {
    const digit = byte - 0x30
    const isDigit = digit >= 0 && digit <= 9
    switch (this.#state) {
      case PROTOCOL:
        if (byte !== HTTP[this.#count]) return NOT_A_STATUS_LINE
        return ++this.#count < HTTP.length ? NEED_MORE : this.#to(MAJOR_FIRST)
      case MAJOR_FIRST:
        if (!isDigit || digit === 0) return NOT_A_STATUS_LINE
        this.major = digit
        return this.#to(MAJOR)
      case MAJOR:
        if (byte === 0x2e) return this.#to(MINOR_FIRST)
        this.major = this.major * 10 + digit
        return isDigit && this.major <= DIGITS_MAX ? NEED_MORE : NOT_A_STATUS_LINE
      case MINOR_FIRST:
        this.minor = digit
        return isDigit ? this.#to(MINOR) : NOT_A_STATUS_LINE
      case MINOR:
        if (byte === SPACE) {
          this.#count = 0
          return this.#to(STATUS)
        }
        this.minor = this.minor * 10 + digit
        return isDigit && this.minor <= DIGITS_MAX ? NEED_MORE : NOT_A_STATUS_LINE
      case STATUS:
        return this.#status(byte, digit, at)
      case AFTER_STATUS:
        // IIS may send 403.1 and the like.
        if (byte === SPACE || byte === 0x2e) return this.#to(REASON)
        return this.#lineEnd(byte, at)
      case REASON:
        return this.#lineEnd(byte, at)
      default:
        return byte === LF ? DONE : NOT_A_STATUS_LINE
    }
  }

  #status(byte: number, digit: number, at: number): number {
    if (byte === SPACE && this.#count === 0) return NEED_MORE
    if (digit < 0 || digit > 9 || (digit === 0 && this.#count === 0)) return NOT_A_STATUS_LINE
    this.status = this.status * 10 + digit
    if (++this.#count < 3) return NEED_MORE
    this.textStart = at - 2
    return this.#to(AFTER_STATUS)
  }

  #lineEnd(byte: number, at: number): number {
    if (byte !== CR && byte !== LF) return NOT_A_STATUS_LINE
    this.textEnd = at
    return byte === LF ? DONE : this.#to(LINE_LF)
  }

  #to(state: number): number {
    this.#state = state
    return NEED_MORE
  }
}
