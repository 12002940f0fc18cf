/** A body that is compressed piece by piece by one of zlib's encoders, and what such an encoder makes of a whole body. */
import { brotliCompress, brotliCompressSync, constants, zstdCompress, zstdCompressSync } from 'node:zlib'
import { assert } from './assert.ts'
import { END, FLUSH_ALL, GO_ON, ZlibStream } from './zlib-stream.ts'

/** A body that grows. */
export interface Pieces {
  /** Compresses the next bytes; with `flush` all of it comes out, `last` ends the body. What comes back belongs to the caller. */
  next(bytes: Buffer, flush: boolean, last: boolean): Buffer
  /** Nothing more will come; may be called again. */
  close(): void
}

const OUTPUT_SIZE = 65536
const output = Buffer.allocUnsafeSlow(OUTPUT_SIZE)

/** Pieces of an encoder that keeps a state. */
class CodedPieces implements Pieces {
  readonly #stream: ZlibStream

  constructor(stream: ZlibStream) {
    this.#stream = stream
  }

  next(bytes: Buffer, flush: boolean, last: boolean): Buffer {
    const operation = last ? END : flush ? FLUSH_ALL : GO_ON
    const parts: Buffer[] = []
    let input = bytes
    do {
      const size = this.#stream.write(input, output, operation)
      input = input.subarray(this.#stream.used)
      assert(this.#stream.error === '', 'an encoder takes any bytes')
      if (size > 0) parts.push(Buffer.from(output.subarray(0, size)))
    } while (input.length > 0 || this.#stream.more)
    if (last) this.close()
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  close(): void {
    this.#stream.close()
  }
}

const BROTLI_WINDOW_BITS_MIN = 10

/** Brotli of a whole body; a window larger than that is of no use. */
export function brotliWhole(bytes: Uint8Array, quality: number, windowBits: number): Buffer {
  return brotliCompressSync(bytes, { params: fittingParams(bytes, quality, windowBits) })
}

/** The same in another thread; nothing comes when it fails. */
export function brotliLater(
  bytes: Uint8Array,
  quality: number,
  windowBits: number,
  done: (packed: Buffer) => void,
): void {
  brotliCompress(bytes, { params: fittingParams(bytes, quality, windowBits) }, (error, packed) => {
    if (error === null) done(packed)
  })
}

function fittingParams(bytes: Uint8Array, quality: number, windowBits: number): Record<number, number> {
  let fitting = BROTLI_WINDOW_BITS_MIN
  while (fitting < windowBits && bytes.length > 1 << fitting) fitting++
  return { ...brotliParams(quality, fitting), [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length }
}

/** Brotli of a body that comes in pieces. */
export function brotliPieces(quality: number, windowBits: number): Pieces {
  return new CodedPieces(ZlibStream.brotli(brotliParams(quality, windowBits)))
}

function brotliParams(quality: number, windowBits: number): Record<number, number> {
  return { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_LGWIN]: windowBits }
}

/** Clients need not have more memory for a response than this (RFC 9659); high levels would use more. */
const ZSTD_WINDOW_BITS_MAX = 23
/** From this level on zstd chooses windows that large. */
const ZSTD_LEVEL_LARGE = 20
/** Node takes the parameter -1 for one that is not set. */
const NOT_SET = -1

/** Zstandard of a whole body. */
export function zstdWhole(bytes: Uint8Array, level: number): Buffer {
  // The encoder fits its tables to the size, which it is told, by itself.
  return zstdCompressSync(bytes, { params: zstdParams(level), pledgedSrcSize: bytes.length })
}

/** The same in another thread; nothing comes when it fails. */
export function zstdLater(bytes: Uint8Array, level: number, done: (packed: Buffer) => void): void {
  zstdCompress(bytes, { params: zstdParams(level), pledgedSrcSize: bytes.length }, (error, packed) => {
    if (error === null) done(packed)
  })
}

/** Zstandard of a body that comes in pieces. */
export function zstdPieces(level: number): Pieces {
  return new CodedPieces(ZlibStream.zstd(zstdParams(level)))
}

function zstdParams(level: number): Record<number, number> {
  const params = { [constants.ZSTD_c_compressionLevel]: level === NOT_SET ? NOT_SET - 1 : level }
  if (level >= ZSTD_LEVEL_LARGE) params[constants.ZSTD_c_windowLog] = ZSTD_WINDOW_BITS_MAX
  return params
}
