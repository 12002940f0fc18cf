/**
 * Reads the request line of an HTTP/1 message in whatever pieces it arrives (ngx_http_parse_request_line): leading
 * empty lines, method, target in origin, absolute or authority form, version. It notes on the way what is known
 * about the target. Positions count from the start of the head. As in nginx, `*` is not a target.
 */
import { CONNECT, GET, METHODS, UNKNOWN } from '../message/method.ts'
import {
  DONE,
  INVALID_09_METHOD,
  INVALID_METHOD,
  INVALID_REQUEST,
  INVALID_VERSION,
  NEED_MORE,
} from '../message/request-errors.ts'
import { CR, HOST, isAlnum, isAlpha, LF, METHOD, PATH, SPACE, TARGET } from '../message/tokens.ts'

const START = 0
const IN_METHOD = 1
const BEFORE_TARGET = 2
const SCHEME = 3
const SCHEME_SLASH = 4
const SCHEME_SLASHES = 5
const BEFORE_AUTHORITY = 6
const HOST_START = 7
const IN_HOST = 8
const HOST_END = 9
const LITERAL = 10
const PORT_START = 11
const PORT = 12
const SEGMENT = 13
const IN_PATH = 14
const IN_TARGET = 15
const AFTER_TARGET = 16
const PROTOCOL = 17
const MAJOR_FIRST = 18
const MAJOR = 19
const MINOR_FIRST = 20
const MINOR = 21
const AFTER_VERSION = 22
const LINE_LF = 23

const HTTP = [0x48, 0x54, 0x54, 0x50, 0x2f]
const LITERAL_BYTES = ":-._~!$&'()*+,;="

/** One request line; `reset()` makes it ready for the next. */
export class RequestLine {
  /** Where the request line begins: leading empty lines come before it. */
  start = 0
  /** Where the line's text ends (its line end comes after). */
  end = 0
  /** The next position to read; after DONE the start of the field lines. */
  at = 0
  methodEnd = 0
  /** The method's bit (see method.ts). */
  method = UNKNOWN
  /** -1 unless the target is absolute; `schemeEnd` stands on the `:`. */
  schemeStart = -1
  schemeEnd = -1
  /** -1 unless the target has an authority; host and port as they were sent. */
  hostStart = -1
  hostEnd = -1
  targetStart = 0
  targetEnd = 0
  /** The position after the target's `?`, or -1; not to be trusted when `complex`. */
  argsStart = -1
  /** The path must go through `normalizeUri`: it has escapes, dots, double slashes, a fragment or no path at all. */
  complex = false
  major = 0
  minor = 0
  #state = START
  #matched = 0

  /** Forgets the line. */
  reset(): void {
    this.start = this.end = this.at = this.methodEnd = 0
    this.method = UNKNOWN
    this.schemeStart = this.schemeEnd = this.hostStart = this.hostEnd = this.argsStart = -1
    this.targetStart = this.targetEnd = 0
    this.complex = false
    this.major = this.minor = this.#matched = 0
    this.#state = START
  }

  /** True while nothing but empty lines has been read. */
  get empty(): boolean {
    return this.#state === START
  }

  /** Reads on from where it stopped; `base` is the head's first byte in `buffer`. Returns NEED_MORE, DONE or an error. */
  parse(buffer: Uint8Array, base: number, end: number): number {
    let at = base + this.at
    let code = NEED_MORE
    while (at < end && code === NEED_MORE) {
      const state = this.#state
      if (state === IN_METHOD) {
        while (at < end && METHOD[buffer[at]!] === 1) at++
      } else if (state === IN_PATH) {
        while (at < end && PATH[buffer[at]!] === 1) at++
      } else if (state === IN_TARGET) {
        while (at < end && TARGET[buffer[at]!] === 1) at++
      }
      if (at === end) break
      const byte = buffer[at]!
      if (state === AFTER_TARGET && this.#quickVersion(buffer, at, end)) {
        at += 9
        code = this.#finish(at - 1 - base)
      } else if (state <= BEFORE_TARGET) code = this.#method(buffer, base, at - base, byte)
      else if (state < SEGMENT) code = this.#authority(at - base, byte)
      else if (state < AFTER_TARGET) code = this.#target(at - base, byte)
      else code = this.#version(at - base, byte)
      at++
    }
    this.at = at - base
    return code
  }

  #method(buffer: Uint8Array, base: number, at: number, byte: number): number {
    if (this.#state === START) {
      if (byte === CR || byte === LF) return NEED_MORE
      this.start = at
      this.#state = IN_METHOD
      return METHOD[byte] === 1 ? NEED_MORE : INVALID_METHOD
    }
    if (this.#state === IN_METHOD) {
      if (byte !== SPACE) return INVALID_METHOD
      this.methodEnd = at
      this.method = methodAt(buffer, base + this.start, base + at)
      this.#state = this.method === CONNECT ? BEFORE_AUTHORITY : BEFORE_TARGET
      return NEED_MORE
    }
    if (byte === 0x2f) {
      this.targetStart = at
      this.#state = SEGMENT
    } else if (isAlpha(byte)) {
      this.schemeStart = at
      this.#state = SCHEME
    } else if (byte !== SPACE) {
      return INVALID_REQUEST
    }
    return NEED_MORE
  }

  /** Scheme, host and port of an absolute target, or the authority that CONNECT takes. */
  #authority(at: number, byte: number): number {
    switch (this.#state) {
      case SCHEME:
        if (byte === 0x3a) {
          this.schemeEnd = at
          return this.#to(SCHEME_SLASH)
        }
        return isAlnum(byte) || byte === 0x2b || byte === 0x2d || byte === 0x2e ? NEED_MORE : INVALID_REQUEST
      case SCHEME_SLASH:
        return byte === 0x2f ? this.#to(SCHEME_SLASHES) : INVALID_REQUEST
      case SCHEME_SLASHES:
        return byte === 0x2f ? this.#to(HOST_START) : INVALID_REQUEST
      case LITERAL:
        if (byte === 0x5d) return this.#to(HOST_END)
        return isAlnum(byte) || LITERAL_BYTES.includes(String.fromCharCode(byte)) ? NEED_MORE : INVALID_REQUEST
      case PORT_START:
      case PORT:
        return this.#port(at, byte)
      case BEFORE_AUTHORITY:
      case HOST_START:
        if (byte === SPACE && this.#state === BEFORE_AUTHORITY) return NEED_MORE
        this.hostStart = at
        if (byte === 0x5b) return this.#to(LITERAL)
        this.#state = IN_HOST
        break
    }
    if (this.#state === IN_HOST && HOST[byte] === 1) return NEED_MORE
    if (byte === 0x3a) return this.#to(PORT_START)
    return this.method === CONNECT ? INVALID_REQUEST : this.#authorityEnd(at, byte)
  }

  #port(at: number, byte: number): number {
    const first = this.#state === PORT_START
    this.#state = PORT
    if (byte >= 0x30 && byte <= 0x39) return NEED_MORE
    if (this.method !== CONNECT) return this.#authorityEnd(at, byte)
    if (first || byte !== SPACE) return INVALID_REQUEST
    this.hostEnd = at
    return this.#to(AFTER_TARGET)
  }

  #authorityEnd(at: number, byte: number): number {
    this.hostEnd = at
    this.targetStart = at
    if (byte === 0x2f) return this.#to(SEGMENT)
    if (byte === 0x3f) {
      this.argsStart = at + 1
      this.complex = true
      return this.#to(IN_TARGET)
    }
    if (byte !== SPACE) return INVALID_REQUEST
    // No path means "/": the first slash of "://" stands for it.
    this.targetStart = this.schemeEnd + 1
    this.targetEnd = this.schemeEnd + 2
    return this.#to(AFTER_TARGET)
  }

  /** A byte of the target that its table sets apart. */
  #target(at: number, byte: number): number {
    if (byte === SPACE || byte === CR || byte === LF) {
      this.targetEnd = at
      this.#state = AFTER_TARGET
      return byte === SPACE ? NEED_MORE : this.#version(at, byte)
    }
    if (byte < SPACE || byte === 0x7f) return INVALID_REQUEST
    if (this.#state === IN_TARGET) {
      if (byte === 0x23) this.complex = true
      return NEED_MORE
    }
    if (byte === 0x3f) {
      this.argsStart = at + 1
      return this.#to(IN_TARGET)
    }
    if (byte === 0x25 || byte === 0x23 || (this.#state === SEGMENT && (byte === 0x2e || byte === 0x2f))) {
      this.complex = true
      return this.#to(IN_TARGET)
    }
    return this.#to(byte === 0x2f ? SEGMENT : IN_PATH)
  }

  #quickVersion(buffer: Uint8Array, at: number, end: number): boolean {
    if (end - at < 10 || buffer[at] !== 0x48 || buffer[at + 8] !== CR || buffer[at + 9] !== LF) return false
    for (let i = 1; i < HTTP.length; i++) if (buffer[at + i] !== HTTP[i]) return false
    const minor = buffer[at + 7]! - 0x30
    if (buffer[at + 5] !== 0x31 || buffer[at + 6] !== 0x2e || minor < 0 || minor > 9) return false
    this.major = 1
    this.minor = minor
    return true
  }

  #version(at: number, byte: number): number {
    switch (this.#state) {
      case AFTER_TARGET:
        if (byte === SPACE) return NEED_MORE
        if (byte === CR || byte === LF) {
          this.minor = 9
          return this.#lineEnd(at, byte)
        }
        this.#matched = 1
        return byte === HTTP[0] ? this.#to(PROTOCOL) : INVALID_REQUEST
      case PROTOCOL:
        if (byte !== HTTP[this.#matched]) return INVALID_REQUEST
        if (++this.#matched < HTTP.length) return NEED_MORE
        return this.#to(MAJOR_FIRST)
      case MAJOR_FIRST:
        if (byte < 0x31 || byte > 0x39) return INVALID_REQUEST
        this.major = byte - 0x30
        return this.major > 1 ? INVALID_VERSION : this.#to(MAJOR)
      case MAJOR:
        if (byte === 0x2e) return this.#to(MINOR_FIRST)
        return byte < 0x30 || byte > 0x39 ? INVALID_REQUEST : INVALID_VERSION
      case MINOR_FIRST:
        if (byte < 0x30 || byte > 0x39) return INVALID_REQUEST
        this.minor = byte - 0x30
        return this.#to(MINOR)
      case MINOR:
        if (byte < 0x30 || byte > 0x39) return this.#lineEnd(at, byte)
        this.minor = this.minor * 10 + byte - 0x30
        return this.minor > 999 ? INVALID_REQUEST : NEED_MORE
      case LINE_LF:
        return byte === LF ? this.#finish(this.end) : INVALID_REQUEST
      default:
        return this.#lineEnd(at, byte)
    }
  }

  #lineEnd(at: number, byte: number): number {
    if (byte === SPACE) return this.#to(AFTER_VERSION)
    if (byte === LF) return this.#finish(at)
    if (byte !== CR) return INVALID_REQUEST
    this.end = at
    return this.#to(LINE_LF)
  }

  #finish(end: number): number {
    this.end = end
    if (this.major === 0 && this.method !== GET) return INVALID_09_METHOD
    return DONE
  }

  #to(state: number): number {
    this.#state = state
    return NEED_MORE
  }
}

const CANDIDATES: readonly { readonly bytes: Uint8Array; readonly bit: number }[][] = byLength()

function byLength(): { bytes: Uint8Array; bit: number }[][] {
  const lists: { bytes: Uint8Array; bit: number }[][] = Array.from({ length: 10 }, () => [])
  for (const [name, bit] of METHODS) lists[name.length]!.push({ bytes: Buffer.from(name, 'latin1'), bit })
  return lists
}

/** Finds the bit of the method in `buffer[start, end)`. */
function methodAt(buffer: Uint8Array, start: number, end: number): number {
  const list = CANDIDATES[end - start]
  if (list === undefined) return UNKNOWN
  for (let i = 0; i < list.length; i++) {
    const { bytes, bit } = list[i]!
    let matched = 0
    while (matched < bytes.length && bytes[matched] === buffer[start + matched]) matched++
    if (matched === bytes.length) return bit
  }
  return UNKNOWN
}
