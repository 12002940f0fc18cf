/**
 * Compresses a body piece by piece, at once and without a stream: each piece is deflated by itself up to a byte
 * boundary, with the last 32 KiB before it as dictionary, so the pieces make one valid gzip member. Between pieces
 * nothing is held but that dictionary (a zlib stream holds 256 KiB).
 */
import { constants, crc32, deflateRawSync, gzipSync } from 'node:zlib'
import type { Pieces } from './coded-pieces.ts'

const WINDOW_SIZE = 32768
/** Magic, deflate, no flags, no time, no hints, Unix. */
const HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
/** An empty last block. */
const LAST_BLOCK = Buffer.from([3, 0])
const WINDOW_BITS_MAX = 15
/** What zlib wants of its window beyond the data (MIN_LOOKAHEAD). */
const LOOKAHEAD = 262

/** Compresses a whole body at once. */
export function gzipWhole(bytes: Uint8Array, level: number, windowBits = WINDOW_BITS_MAX): Buffer {
  let fitting = windowBits
  let memLevel = 8
  // A small body needs no large tables, and clearing them is most of its cost.
  while (fitting > 9 && bytes.length < (1 << (fitting - 1)) - LOOKAHEAD) {
    fitting--
    if (memLevel > 1) memLevel--
  }
  return gzipSync(bytes, { level, windowBits: fitting, memLevel })
}

/** One gzip member that grows. */
export class GzipPieces implements Pieces {
  readonly #level: number
  #crc = 0
  #size = 0
  #window: Buffer | undefined

  constructor(level: number) {
    this.#level = level
  }

  next(bytes: Buffer, _flush: boolean, last: boolean): Buffer {
    const parts: Buffer[] = []
    if (this.#window === undefined) parts.push(HEAD)
    if (bytes.length > 0) parts.push(this.#deflate(bytes))
    if (last) parts.push(LAST_BLOCK, this.#tail())
    return Buffer.concat(parts)
  }

  close(): void {}

  #deflate(bytes: Buffer): Buffer {
    const before = this.#window
    const options = { level: this.#level, finishFlush: constants.Z_SYNC_FLUSH }
    const deflated = deflateRawSync(bytes, before?.length ? { ...options, dictionary: before } : options)
    this.#crc = crc32(bytes, this.#crc)
    this.#size = (this.#size + bytes.length) % 2 ** 32
    const joined = bytes.length >= WINDOW_SIZE || !before?.length ? bytes : Buffer.concat([before, bytes])
    this.#window = Buffer.from(joined.subarray(-WINDOW_SIZE))
    return deflated
  }

  #tail(): Buffer {
    const tail = Buffer.alloc(8)
    tail.writeUInt32LE(this.#crc, 0)
    tail.writeUInt32LE(this.#size, 4)
    return tail
  }
}
