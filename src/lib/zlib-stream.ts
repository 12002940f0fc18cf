/**
 * Compresses and decompresses at once and in pieces, which Node's API offers only asynchronously (a stream that works in
 * other threads, with a queue of its own). So this drives the binding behind `zlib.createGunzip` and its kin directly, as
 * `zlib` itself does for its synchronous calls; the test of this file guards that against changes in Node.
 */
import { constants, createBrotliCompress, createGunzip, createZstdCompress } from 'node:zlib'

/** The part of Node's binding that is used; what `writeSync` leaves over stands in `_writeState`. */
interface Engine {
  readonly _handle: {
    onerror: (message: string, errno: number, code: string) => void
    writeSync(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputSize: number,
      output: Uint8Array,
      outputAt: number,
      outputSize: number,
    ): void
    close(): void
  }
  /** Room left in the output, then input not used. */
  readonly _writeState: Uint32Array
}

/** How much of what was put in is to come out: as much as is ready, all of it, all of it and the end of the body. */
export const GO_ON = 0
export const FLUSH_ALL = 1
export const END = 2

/** One body being compressed or decompressed. */
export class ZlibStream {
  readonly #engine: Engine
  /** The engine's own numbers for GO_ON, FLUSH_ALL, END. */
  readonly #operations: readonly number[]
  #closed = false
  /** What is wrong with the input, or empty. */
  error = ''
  /** Bytes that the last `write` used of its input. */
  used = 0
  /** More output may follow without further input. */
  more = false

  private constructor(engine: unknown, operations: readonly number[]) {
    this.#engine = engine as Engine // Node's object; the test of this file shows that it has these.
    this.#operations = operations
    this.#engine._handle.onerror = (message) => {
      this.error = message
    }
  }

  static gunzip(): ZlibStream {
    return new ZlibStream(createGunzip(), [constants.Z_SYNC_FLUSH, constants.Z_SYNC_FLUSH, constants.Z_FINISH])
  }

  /** `params`: numbers of `zlib.constants.BROTLI_PARAM_*` and their values. */
  static brotli(params: Readonly<Record<number, number>>): ZlibStream {
    const { BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH } = constants
    const operations = [BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH]
    return new ZlibStream(createBrotliCompress({ params }), operations)
  }

  /** `params`: numbers of `zlib.constants.ZSTD_c_*` and their values. */
  static zstd(params: Readonly<Record<number, number>>): ZlibStream {
    const operations = [constants.ZSTD_e_continue, constants.ZSTD_e_flush, constants.ZSTD_e_end]
    return new ZlibStream(createZstdCompress({ params }), operations)
  }

  /**
   * Works on `input` into `output`; returns how many bytes stand there. Call again while `more`, with the input not used.
   * `operation`: GO_ON, FLUSH_ALL or END.
   */
  write(input: Uint8Array, output: Uint8Array, operation = GO_ON): number {
    if (this.#closed || this.error !== '') return 0
    const state = this.#engine._writeState
    const flush = this.#operations[operation]!
    this.#engine._handle.writeSync(flush, input, 0, input.length, output, 0, output.length)
    this.used = input.length - state[1]!
    this.more = state[0] === 0
    return this.error === '' ? output.length - state[0]! : 0
  }

  /** Frees the memory; may be called again. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#engine._handle.close()
  }
}
