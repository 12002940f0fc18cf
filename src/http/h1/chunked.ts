/**
 * Decodes a chunked message body (RFC 9112, section 7.1) from whatever pieces the socket delivers.
 *
 * Strict on purpose: a proxy that reads `\n` for `\r\n`, or a size that its backend reads differently, lets one request
 * hide inside another. Anything that the grammar does not allow is an error; like nginx it takes spaces before an extension.
 */
import { CR, HEX, LF } from '../message/tokens.ts'

/** Where decoded bytes go; the decoder never copies them. */
export interface ChunkSink {
  /** Receives body bytes; they are borrowed until the call returns. */
  onBody(input: Uint8Array, start: number, end: number): void
  /** Receives bytes of the trailer section, line ends included, as they arrive; without it they are dropped. */
  onTrailer?(input: Uint8Array, start: number, end: number): void
}

/** Returned by `decode` for a body that breaks the grammar or a limit. */
export const MALFORMED = -1

const SIZE_FIRST = 0
const SIZE = 1
const EXTENSION = 2
const SIZE_LF = 3
const DATA = 4
const DATA_CR = 5
const DATA_LF = 6
const TRAILER_START = 7
const TRAILER = 8
const TRAILER_LF = 9
const END_LF = 10
const FINISHED = 11

const SPACE = 0x20
const TAB = 0x09
const SEMICOLON = 0x3b

const SIZE_DIGITS_MAX = 16 // leading zeros included
const SIZE_MAX = 2 ** 52 // stays an exact integer
const OVERHEAD_BYTES_MAX = 16 * 1024 // extensions of one chunk, or the trailer section

/** One body's decoder; `reset()` makes it ready for the next body. */
export class ChunkedDecoder {
  /** The number of body bytes delivered so far. */
  bytesTotal = 0
  #state = SIZE_FIRST
  #remaining = 0
  #digits = 0
  #overhead = 0

  /** True once the last chunk and the trailer section have been read. */
  get finished(): boolean {
    return this.#state === FINISHED
  }

  /** The number of bytes of the current chunk that are still to come: a hint for the size of the next read. */
  get remaining(): number {
    return this.#remaining
  }

  /** Forgets the body. */
  reset(): void {
    this.bytesTotal = 0
    this.#state = SIZE_FIRST
    this.#remaining = 0
    this.#digits = 0
    this.#overhead = 0
  }

  /** Consumes `input[start, end)`; returns the first unconsumed index, or MALFORMED. */
  decode(input: Uint8Array, start: number, end: number, sink: ChunkSink): number {
    let at = start
    let trailer = -1
    while (at < end && this.#state !== FINISHED) {
      if (this.#state === DATA) {
        at = this.#data(input, at, end, sink)
        continue
      }
      if (trailer < 0 && this.#state >= TRAILER_START) trailer = at
      if (!this.#byte(input[at++]!)) return MALFORMED
    }
    // The blank line that ends the section belongs to it, so a reader of field lines sees where the section ends.
    if (trailer >= 0 && sink.onTrailer !== undefined) sink.onTrailer(input, trailer, at)
    return at
  }

  /** The only state with payload: hand over as much as there is, in one piece. */
  #data(input: Uint8Array, at: number, end: number, sink: ChunkSink): number {
    const stop = Math.min(end, at + this.#remaining)
    this.#remaining -= stop - at
    this.bytesTotal += stop - at
    if (this.#remaining === 0) this.#state = DATA_CR
    sink.onBody(input, at, stop)
    return stop
  }

  /** Every framing byte is one transition. */
  #byte(byte: number): boolean {
    switch (this.#state) {
      case SIZE_FIRST:
        this.#digits = this.#remaining = this.#overhead = 0
        return this.#digit(byte)
      case SIZE:
        if (byte === CR) return this.#to(SIZE_LF)
        if (byte === SEMICOLON || byte === SPACE || byte === TAB) return this.#to(EXTENSION)
        return this.#digit(byte)
      case EXTENSION:
        return byte === CR ? this.#to(SIZE_LF) : byte !== LF && this.#count()
      case SIZE_LF:
        return byte === LF && this.#to(this.#remaining === 0 ? TRAILER_START : DATA)
      case DATA_CR:
        return byte === CR && this.#to(DATA_LF)
      case DATA_LF:
        return byte === LF && this.#to(SIZE_FIRST)
      case TRAILER_START:
        return byte === CR ? this.#to(END_LF) : byte !== LF && this.#count() && this.#to(TRAILER)
      case TRAILER:
        return byte === CR ? this.#to(TRAILER_LF) : byte !== LF && this.#count()
      case TRAILER_LF:
        return byte === LF && this.#to(TRAILER_START)
      default:
        return byte === LF && this.#to(FINISHED)
    }
  }

  #digit(byte: number): boolean {
    const value = HEX[byte]!
    if (value < 0 || ++this.#digits > SIZE_DIGITS_MAX) return false
    this.#remaining = this.#remaining * 16 + value
    return this.#remaining <= SIZE_MAX && this.#to(SIZE)
  }

  #count(): boolean {
    return ++this.#overhead <= OVERHEAD_BYTES_MAX
  }

  #to(state: number): true {
    this.#state = state
    return true
  }
}
