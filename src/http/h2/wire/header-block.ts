/**
 * The block of fields of one HEADERS frame and the CONTINUATION frames behind it, until it is whole. What is kept is
 * bounded, and so is the number of frames (CVE-2024-27316 and its like).
 */
import { NO_BYTES } from '../../../lib/bytes.ts'

/** Far more than a block within the limits needs. */
const CONTINUATIONS_MAX = 64

/** One connection's block; there is at most one at a time. */
export class HeaderBlock {
  /** The stream whose block is not whole yet; 0 when there is none. */
  stream = 0
  /** The flags of its HEADERS frame. */
  flags = 0
  bytes: Buffer = NO_BYTES
  size = 0
  #frames = 0

  /** Begins with the fragment of a HEADERS frame. */
  begin(stream: number, flags: number, buffer: Buffer, start: number, end: number): void {
    this.stream = stream
    this.flags = flags
    this.size = this.#frames = 0
    this.#append(buffer, start, end)
  }

  /** Adds the fragment of a CONTINUATION frame; false: there are too many, or too many bytes. */
  add(buffer: Buffer, start: number, end: number, sizeMax: number): boolean {
    if (++this.#frames > CONTINUATIONS_MAX || this.size + end - start > sizeMax) return false
    this.#append(buffer, start, end)
    return true
  }

  /** The block is whole, or not wanted any more. */
  end(): void {
    this.stream = 0
    this.bytes = NO_BYTES
    this.size = 0
  }

  #append(buffer: Buffer, start: number, end: number): void {
    const size = this.size + end - start
    if (this.bytes.length < size) {
      const larger = Buffer.allocUnsafe(Math.max(size, this.bytes.length * 2))
      this.bytes.copy(larger, 0, 0, this.size)
      this.bytes = larger
    }
    buffer.copy(this.bytes, this.size, start, end)
    this.size = size
  }
}
