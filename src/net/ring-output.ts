/**
 * The memory that a ring sends from. What is put here stays until the next submission, after which all of the place is free
 * again. Large pieces are not put here: the kernel is told where they lie, and whoever sends them keeps them alive.
 *
 *   text, small pieces    | bytes ... |
 *   with large pieces     | msghdr | iovec, iovec, iovec ... | bytes of what is between them ... |
 */
import type { Calls, Mapping } from '../sys/calls.ts'

/** From this size on finding out where a piece lies costs less than copying it. */
const DIRECT_MIN = 16384
/** Most such pieces of one send. */
const DIRECT_MAX = 64
/** Sizes of struct msghdr and struct iovec. */
const MSGHDR = 56
const IOVEC = 16
/** Of 64 bits. */
const HALF = 2 ** 32

/** A text is bytes, one char each. */
type Pieces = readonly (string | Buffer)[]

/** The memory of one ring. */
export class RingOutput {
  readonly size: number
  readonly #calls: Calls
  readonly #at: number
  readonly #address: number
  readonly #bytes: Buffer
  readonly #words: Uint32Array
  #to = 0

  /** A part of the ring's memory. */
  constructor(calls: Calls, memory: Mapping, at: number, size: number) {
    this.size = size
    this.#calls = calls
    this.#at = at
    this.#address = memory.address + at
    this.#bytes = Buffer.from(memory.bytes, at, size)
    this.#words = new Uint32Array(memory.bytes, at, size >> 2)
  }

  /** There is room for so many bytes more. */
  hasRoom(size: number): boolean {
    return this.#to + size + 8 <= this.size
  }

  /** All has been submitted. */
  reset(): void {
    this.#to = 0
  }

  // Each returns where in the ring's memory it has put something.

  text(text: string): number {
    const at = this.#to
    this.#bytes.latin1Write(text, at, text.length)
    this.#to = at + text.length
    return this.#at + at
  }

  pieces(pieces: Pieces): number {
    const at = this.#to
    for (let i = 0; i < pieces.length; i++) this.#copy(pieces[i]!)
    return this.#at + at
  }

  #copy(piece: string | Uint8Array): void {
    if (typeof piece === 'string') this.#bytes.latin1Write(piece, this.#to, piece.length)
    else this.#bytes.set(piece, this.#to)
    this.#to += piece.length
  }

  /** An address of a socket; the kernel reads it in words. */
  bytes(bytes: Uint8Array): number {
    this.#align()
    const at = this.#to
    this.#copy(bytes)
    return this.#at + at
  }

  /** A message of pieces that `direct` of are large. */
  message(pieces: Pieces, direct: number): number {
    this.#align()
    const start = this.#to
    this.#to = start + messageHead(direct)
    let count = 0
    let from = this.#to
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i]!
      if (!isDirect(piece)) this.#copy(piece)
      else {
        if (this.#to > from) this.#vector(start, count++, this.#address + from, this.#to - from)
        from = this.#to
        this.#vector(start, count++, this.#calls.addressOf(piece), piece.length)
      }
    }
    if (this.#to > from) this.#vector(start, count++, this.#address + from, this.#to - from)
    const words = this.#words
    const at = start >> 2
    words.fill(0, at, at + (MSGHDR >> 2))
    this.#putAddress(at + 4, this.#address + start + MSGHDR)
    words[at + 6] = count
    return this.#at + start
  }

  #vector(message: number, index: number, address: number, size: number): void {
    const at = (message + MSGHDR + index * IOVEC) >> 2
    this.#putAddress(at, address)
    this.#words[at + 2] = size
    this.#words[at + 3] = 0
  }

  #putAddress(at: number, address: number): void {
    this.#words[at] = address % HALF
    this.#words[at + 1] = Math.floor(address / HALF)
  }

  #align(): void {
    this.#to = (this.#to + 7) & ~7
  }
}

/** Counts pieces that are better not copied; 0: the others are too many. */
export function countDirect(pieces: Pieces): number {
  let count = 0
  for (let i = 0; i < pieces.length; i++) if (isDirect(pieces[i]!)) count++
  return count > DIRECT_MAX ? 0 : count
}

/** How much room a message takes. */
export function messageSize(pieces: Pieces, direct: number): number {
  let copied = 0
  for (let i = 0; i < pieces.length; i++) if (!isDirect(pieces[i]!)) copied += pieces[i]!.length
  return messageHead(direct) + copied
}

function messageHead(direct: number): number {
  return MSGHDR + IOVEC * (2 * direct + 1)
}

function isDirect(piece: string | Buffer): piece is Buffer {
  return typeof piece !== 'string' && piece.length >= DIRECT_MIN
}
