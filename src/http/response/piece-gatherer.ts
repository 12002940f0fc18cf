/**
 * What a filter makes of one buffer leaves as one buffer: a chunk of HTTP/1, a frame of HTTP/2, a system call of TLS (nginx
 * passes on a chain of buffers instead). A single piece goes on as it is, without a copy.
 */
import { NO_BYTES } from '../../lib/bytes.ts'
import { type BodySink, STABLE } from '../message/body.ts'

/** Pass on what is gathered when it has become so much: what replaces a text may be much longer. */
export const GATHERED_MAX = 65536
const CAPACITY_FIRST = 4096
const COPY_LOOP_MAX = 24

/** The pieces of one filter. Between `add` and `pass` the bytes added must stay as they are. */
export class PieceGatherer {
  readonly #next: BodySink
  /** A first piece that nothing followed yet. */
  #piece: Uint8Array = NO_BYTES
  #kind = 0
  #buffer: Buffer = NO_BYTES
  /** How much of `#buffer` is filled. */
  #filled = 0

  constructor(next: BodySink) {
    this.#next = next
  }

  /** Bytes that wait for `pass`. */
  get size(): number {
    return this.#filled + this.#piece.length
  }

  /** Adds a part of `bytes`; `kind`: whether they are STABLE or LENT. */
  add(bytes: Uint8Array, start: number, end: number, kind: number): void {
    if (end === start) return
    if (this.size === 0) {
      this.#piece = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)
      this.#kind = kind
      return
    }
    this.#reserve(end - start)
    const buffer = this.#buffer
    let at = this.#filled
    this.#filled += end - start
    // Short pieces are many, and a call into the engine costs more than to copy them.
    if (end - start > COPY_LOOP_MAX) buffer.set(bytes.subarray(start, end), at)
    else for (let i = start; i < end; i++) buffer[at++] = bytes[i]!
  }

  /** Adds a binary string. */
  addText(text: string): void {
    if (text === '') return
    this.#reserve(text.length)
    this.#filled += this.#buffer.latin1Write(text, this.#filled)
  }

  /** Makes room for so many bytes behind those that are there. */
  #reserve(count: number): void {
    const piece = this.#piece
    const needed = this.#filled + piece.length + count
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2, CAPACITY_FIRST))
      this.#buffer.copy(larger, 0, 0, this.#filled)
      this.#buffer = larger
    }
    if (piece.length === 0) return
    this.#buffer.set(piece, this.#filled)
    this.#filled += piece.length
    this.#piece = NO_BYTES
  }

  /** Passes all on with `flags` (LAST, FLUSH); false when the receiver is full. Without bytes and flags nothing happens. */
  pass(flags: number): boolean {
    const piece = this.#piece
    if (piece.length > 0) {
      this.#piece = NO_BYTES
      return this.#next.write(piece, flags | this.#kind)
    }
    if (this.#filled === 0) return flags === 0 || this.#next.write(NO_BYTES, flags)
    const bytes = this.#buffer.subarray(0, this.#filled)
    // The buffer is given away.
    this.#buffer = NO_BYTES
    this.#filled = 0
    return this.#next.write(bytes, flags | STABLE)
  }

  /** Forgets what was not passed on. */
  drop(): void {
    this.#piece = this.#buffer = NO_BYTES
    this.#filled = 0
  }
}
