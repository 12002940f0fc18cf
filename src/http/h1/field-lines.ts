/**
 * Reads the field lines of a head (or of a trailer section) up to the blank line, in whatever pieces they arrive
 * (ngx_http_parse_header_line), and enters them into a HeaderTable. Every byte is looked at once, and nothing is
 * allocated. Lines may end in a bare LF; a bare CR, a folded line, a space before the colon and NUL are refused.
 */
import type { HeaderTable } from '../header-table.ts'
import { COLON, CR, FOLD, LF, NAME, SPACE, VALUE } from './tokens.ts'

/** The lines go on beyond the bytes given. */
export const LINES_MORE = 0
/** The blank line has been read. */
export const LINES_DONE = 1
/** A line is malformed: `errorStart` and `errorAt` say where. */
export const LINES_INVALID = 2
/** A line does not fit into the buffers that the limits allow. */
export const LINES_TOO_LONG = 3
/** There are more lines than `countMax`. */
export const LINES_TOO_MANY = 4

const LINE_START = 0
const IN_NAME = 1
const BEFORE_VALUE = 2
const IN_VALUE = 3
const LINE_LF = 4
const END_LF = 5
const IGNORED = 6

/** What the lines may be; set by the owner before the first byte. */
export interface LineRules {
  /** `underscores_in_headers`. */
  underscores: boolean
  /** `ignore_invalid_headers`: lines whose name is odd are left out; without it they are taken as they are. */
  dropInvalid: boolean
  /** A back end's head: control bytes in values are let through and a repeated status line is skipped, as nginx does. */
  upstream: boolean
  /** `max_headers`. */
  countMax: number
  /** The size of one large buffer: no line may be longer. */
  bufferSize: number
}

/** One section of field lines; `reset()` makes it ready for the next. */
export class FieldLines {
  /** The next position to read, counted from the head's start; after LINES_DONE the end of the head. */
  at = 0
  /** Where the line being read begins. */
  errorStart = 0
  /** The byte that made a line malformed. */
  errorAt = 0
  /** Start and end positions of the lines that `dropInvalid` left out, in pairs. */
  readonly dropped: number[] = []
  /** True while every line taken is exactly `Name: value\r\n`. */
  canonical = true
  #state = LINE_START
  #hash = 0
  #odd = false
  #nameEnd = 0
  #valueStart = 0
  #valueEnd = 0
  #bufferEnd = 0
  #buffersLeft = 0

  /** Starts a section at `at`; the current buffer ends at `bufferEnd` and `buffersLeft` large ones may follow. */
  reset(at: number, bufferEnd: number, buffersLeft: number): void {
    this.at = this.errorStart = this.errorAt = at
    if (this.dropped.length !== 0) this.dropped.length = 0
    this.canonical = true
    this.#state = LINE_START
    this.#hash = this.#nameEnd = this.#valueStart = this.#valueEnd = 0
    this.#odd = false
    this.#bufferEnd = bufferEnd
    this.#buffersLeft = buffersLeft
  }

  /** Reads on from where it stopped; `base` is the head's first byte in `buffer`. */
  parse(buffer: Uint8Array, base: number, end: number, table: HeaderTable, rules: LineRules): number {
    let at = base + this.at
    let state = this.#state
    let hash = this.#hash
    let code = LINES_MORE
    while (at < end) {
      if (state === LINE_START) {
        this.errorStart = at - base
        const first = buffer[at]!
        if (first === CR || first === LF) {
          at++
          state = END_LF
          if (first === LF) {
            code = LINES_DONE
            break
          }
          continue
        }
        if (first === COLON) {
          code = LINES_INVALID
          break
        }
        hash = 0
        this.#odd = false
        state = IN_NAME
      }
      if (state === IN_NAME) {
        let lower = 0
        while (at < end && (lower = NAME[buffer[at]!]!) !== 0) {
          hash = (Math.imul(hash, 31) + lower) | 0
          at++
        }
        if (at === end) break
        const byte = buffer[at]!
        if (byte === COLON) {
          this.#nameEnd = at++ - base
          state = BEFORE_VALUE
        } else if (byte === 0x2f && rules.upstream && this.#repeatsStatusLine(buffer, base, at)) {
          state = IGNORED
          continue
        } else if (rules.upstream && (byte === CR || byte === LF) && at - base > this.errorStart) {
          // A back end's line without a colon is a name with an empty value.
          this.#nameEnd = this.#valueStart = at - base
          state = IN_VALUE
        } else if (byte <= SPACE || byte === 0x7f) {
          code = LINES_INVALID
          break
        } else {
          if (byte !== 0x5f || !rules.underscores) this.#odd = true
          hash = (Math.imul(hash, 31) + FOLD[byte]!) | 0
          at++
          continue
        }
      }
      if (state === BEFORE_VALUE) {
        while (at < end && buffer[at] === SPACE) at++
        if (at === end) break
        this.#valueStart = at - base
        state = IN_VALUE
      }
      if (state === IN_VALUE) {
        while (at < end && VALUE[buffer[at]!] === 1) at++
        if (at === end) break
        const byte = buffer[at]!
        if (byte === CR) {
          this.#valueEnd = at++ - base
          state = LINE_LF
          if (at === end) break
        } else if (byte === LF) {
          this.#valueEnd = at - base
          state = LINE_LF
        } else if (rules.upstream && byte !== 0) {
          at++
          continue
        } else {
          code = LINES_INVALID
          break
        }
      }
      if (state === IGNORED) {
        while (at < end && buffer[at] !== LF) at++
        if (at === end) break
        at++
        state = LINE_START
        continue
      }
      if (buffer[at] !== LF) {
        code = LINES_INVALID
        break
      }
      at++
      if (state === END_LF) {
        code = LINES_DONE
        break
      }
      state = LINE_START
      code = this.#line(buffer, base, at - base, hash, table, rules)
      if (code !== LINES_MORE) break
    }
    if (code === LINES_INVALID) this.errorAt = at - base
    this.at = at - base
    this.#state = state
    this.#hash = hash
    if (code === LINES_MORE && state !== LINE_START && this.at > this.#bufferEnd && !this.#nextBuffer(this.at, rules)) {
      return LINES_TOO_LONG
    }
    return code
  }

  /** A line is complete: trims its value and enters it. */
  #line(buffer: Uint8Array, base: number, lineEnd: number, hash: number, table: HeaderTable, rules: LineRules): number {
    if (lineEnd > this.#bufferEnd && !this.#nextBuffer(lineEnd, rules)) return LINES_TOO_LONG
    const vs = this.#valueStart
    let ve = this.#valueEnd
    while (ve > vs && buffer[base + ve - 1] === SPACE) ve--
    if (this.#odd && rules.dropInvalid) {
      this.dropped.push(this.errorStart, ve)
      return LINES_MORE
    }
    if (table.count >= rules.countMax) return LINES_TOO_MANY
    const canonical = lineEnd - ve === 2 && ve === this.#valueEnd && vs - this.#nameEnd === 2
    if (!canonical) this.canonical = false
    table.add(hash, this.errorStart, this.#nameEnd, vs, ve, lineEnd, canonical)
    return LINES_MORE
  }

  /** A line that does not fit into the rest of a buffer begins anew in the next, as in ngx_http_alloc_large_header_buffer. */
  #nextBuffer(lineEnd: number, rules: LineRules): boolean {
    if (this.#buffersLeft-- <= 0 || lineEnd - this.errorStart > rules.bufferSize) return false
    this.#bufferEnd = this.errorStart + rules.bufferSize
    return true
  }

  #repeatsStatusLine(buffer: Uint8Array, base: number, at: number): boolean {
    const start = base + this.errorStart
    return (
      at - start === 4 &&
      buffer[start] === 0x48 &&
      buffer[start + 1] === 0x54 &&
      buffer[start + 2] === 0x54 &&
      buffer[start + 3] === 0x50
    )
  }
}
