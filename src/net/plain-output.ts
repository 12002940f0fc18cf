/**
 * Output of a wire that is not encrypted yet, in order: texts, bytes, and parts of files, which are read when it is their turn.
 * Little pieces are copied together for it; where whole records lie in one piece, they are encrypted where they are.
 */
import { RECORD_SIZE } from '../sys/ssl.ts'
import type { FilePiece } from './wire.ts'

/** From so many whole records on a piece is worth that the one before it is encrypted by itself. */
const MANY = 2 * RECORD_SIZE

type Piece = string | Buffer | FilePiece

/** Reads a part of a file to an offset in the place that is filled; 0: the file ends before, less: it cannot be read. */
export interface FileReader {
  readPart(piece: FilePiece, from: number, to: number, size: number): number
}

/** What waits on one wire. */
export class PlainOutput {
  /** In bytes. */
  size = 0
  readonly #pieces: Piece[] = []
  /** What is gone of the first piece. */
  #gone = 0

  /** Appends a piece; bytes must not change before they are gone. */
  push(piece: Piece): void {
    if (piece.length > 0) this.#pieces.push(piece)
    this.size += piece.length
  }

  /** The whole records that come next in one piece of memory, at most `max` bytes; undefined: there are none. */
  whole(max: number): Buffer | undefined {
    const first = this.#pieces[0]
    if (!(first instanceof Uint8Array)) return undefined
    const size = Math.min(first.length - this.#gone, max)
    if (size < RECORD_SIZE) return undefined
    return first.subarray(this.#gone, this.#gone + size - (size % RECORD_SIZE))
  }

  /**
   * Copies what comes next to the beginning of `into`, at most `max` bytes, and not what `whole` gives when a record is full.
   * Returns how many; 0: the file that comes next has ended before its time or cannot be read.
   */
  copy(into: Buffer, max: number, reader: FileReader): number {
    let size = 0
    for (let i = 0; i < this.#pieces.length && size < max; i++) {
      const piece = this.#pieces[i]!
      const from = i === 0 ? this.#gone : 0
      let part = Math.min(piece.length - from, max - size)
      if (typeof piece === 'string') into.latin1Write(cut(piece, from, part), size, part)
      else if (piece instanceof Uint8Array) {
        if (size > 0 && piece.length - from - toFull(size) >= MANY) part = Math.min(part, toFull(size))
        piece.copy(into, size, from, from + part)
      } else {
        const count = reader.readPart(piece, from, size, part)
        if (count < part) return size + Math.max(0, count)
      }
      size += part
      if (from + part < piece.length) break
    }
    return size
  }

  /** So many bytes that came next are gone. */
  skip(size: number): void {
    this.size -= size
    let gone = this.#gone + size
    while (this.#pieces.length > 0 && gone >= this.#pieces[0]!.length) {
      const piece = this.#pieces.shift()!
      gone -= piece.length
      if (isFile(piece)) piece.done(0)
    }
    this.#gone = gone
  }

  /** Nothing of it is needed any more; `isShort`: the file that comes next has ended before its time. */
  clear(isShort: boolean): void {
    const pieces = this.#pieces.splice(0)
    const missing = isShort ? pieces[0]!.length - this.#gone : 0
    this.size = this.#gone = 0
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i]!
      if (isFile(piece)) piece.done(i === 0 ? missing : 0)
    }
  }
}

/** What is missing to whole records. */
function toFull(size: number): number {
  return (RECORD_SIZE - (size % RECORD_SIZE)) % RECORD_SIZE
}

function isFile(piece: Piece): piece is FilePiece {
  return typeof piece !== 'string' && !(piece instanceof Uint8Array)
}

function cut(text: string, from: number, size: number): string {
  return size === text.length ? text : text.slice(from, from + size)
}
