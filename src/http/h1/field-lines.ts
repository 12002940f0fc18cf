/**
 * Reads the field lines of a head (or of a trailer section) up to the blank line, in whatever pieces they arrive
 * (ngx_http_parse_header_line), and enters them into a HeaderTable. Every byte is looked at once, and nothing is
 * allocated. Lines may end in a bare LF; a bare CR, a folded line, a space before the colon and NUL are refused.
 */
import { numberAt } from '../message/field-names.ts'
import type { LineRules } from '../message/head-limits.ts'
import type { HeaderTable } from '../message/header-table.ts'
import { COLON, CR, FOLD, LF, NAME, SPACE, VALUE } from '../message/tokens.ts'

/** The lines go on beyond the bytes given. */
export const LINES_MORE = 0

const LINE_START = 0
const IN_NAME = 1
const BEFORE_VALUE = 2
const IN_VALUE = 3
const LINE_LF = 4
const END_LF = 5
const IGNORED = 6

// From here on a state is also what `parse` returns.
/** The blank line has been read. */
export const LINES_DONE = 7
/** A line is malformed: `errorStart` and `errorAt` say where. */
export const LINES_INVALID = 8
/** A line does not fit into the buffers that the limits allow. */
export const LINES_TOO_LONG = 9
/** There are more lines than `countMax`. */
export const LINES_TOO_MANY = 10

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
    while (at < end && state < LINES_DONE) {
      if (state === LINE_START) {
        hash = 0
        state = this.#first(buffer[at]!, at - base)
        if (state !== IN_NAME) {
          at++
          continue
        }
      }
      if (state === IN_NAME) {
        let lower = 0
        while (at < end && (lower = NAME[buffer[at]!]!) !== 0) {
          hash = (Math.imul(hash, 31) + lower) | 0
          at++
        }
        if (at === end) break
        const byte = buffer[at]!
        state = byte === COLON ? BEFORE_VALUE : this.#oddName(buffer, base, at, rules)
        if (state === IN_NAME) hash = (Math.imul(hash, 31) + FOLD[byte]!) | 0
        else if (state === BEFORE_VALUE) this.#nameEnd = at - base
        if (byte !== LF) at++
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
        state = this.#valueStop(buffer[at]!, at - base, rules)
        if (buffer[at] !== LF) at++
      }
      if (at === end) break
      if (state === LINE_LF || state === END_LF) {
        if (buffer[at] !== LF) state = this.#refuse(at - base)
        else if (state === END_LF) state = LINES_DONE
        else state = this.#line(buffer, base, at + 1 - base, hash, table, rules)
        at++
      } else if (state === IGNORED && buffer[at++] === LF) {
        state = LINE_START
      }
    }
    this.at = at - base
    this.#state = state
    this.#hash = hash
    if (state >= LINES_DONE) return state
    const fits = state === LINE_START || this.at <= this.#bufferEnd || this.#nextBuffer(this.at, rules)
    return fits ? LINES_MORE : LINES_TOO_LONG
  }

  /** Where the lines end that are complete. */
  get understood(): number {
    return this.#state === LINE_START ? this.at : this.errorStart
  }

  /** Where the text of the head ends: after an error with the offending byte, for the log. */
  get textEnd(): number {
    return this.#state === LINES_INVALID ? this.errorAt + 1 : this.at
  }

  /** The first byte of a line. */
  #first(byte: number, at: number): number {
    this.errorStart = at
    this.#odd = false
    if (byte === CR) return END_LF
    if (byte === LF) return LINES_DONE
    return byte === COLON ? this.#refuse(at) : IN_NAME
  }

  /** A byte that is not part of an ordinary name, nor the colon after it. */
  #oddName(buffer: Uint8Array, base: number, at: number, rules: LineRules): number {
    const byte = buffer[at]!
    if (rules.upstream) {
      if (byte === 0x2f && this.#repeatsStatusLine(buffer, base, at)) return IGNORED
      if (byte === CR || byte === LF) {
        // A back end's line without a colon is a name with an empty value.
        this.#nameEnd = this.#valueStart = this.#valueEnd = at - base
        return LINE_LF
      }
    }
    if (byte <= SPACE || byte === 0x7f) return this.#refuse(at - base)
    if (byte !== 0x5f || !rules.underscores) this.#odd = true
    return IN_NAME
  }

  /** A byte that ends a value or must not stand in it. */
  #valueStop(byte: number, at: number, rules: LineRules): number {
    this.#valueEnd = at
    if (byte === CR || byte === LF) return LINE_LF
    return rules.upstream && byte !== 0 ? IN_VALUE : this.#refuse(at)
  }

  #refuse(at: number): number {
    this.errorAt = at
    return LINES_INVALID
  }

  /** A line is complete: trims its value and enters it. */
  #line(buffer: Uint8Array, base: number, lineEnd: number, hash: number, table: HeaderTable, rules: LineRules): number {
    if (lineEnd > this.#bufferEnd && !this.#nextBuffer(lineEnd, rules)) return LINES_TOO_LONG
    const vs = this.#valueStart
    let ve = this.#valueEnd
    while (ve > vs && buffer[base + ve - 1] === SPACE) ve--
    if (this.#odd && rules.dropInvalid) {
      this.dropped.push(this.errorStart, ve)
      return LINE_START
    }
    if (table.count >= rules.countMax) return LINES_TOO_MANY
    const canonical = lineEnd - ve === 2 && ve === this.#valueEnd && vs - this.#nameEnd === 2
    if (!canonical) this.canonical = false
    const number = numberAt(hash, buffer, base + this.errorStart, base + this.#nameEnd)
    table.add(hash, this.errorStart, this.#nameEnd, vs, ve, lineEnd, canonical, number)
    return LINE_START
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
