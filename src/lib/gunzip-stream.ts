/**
 * Decompresses gzip at once and in pieces, which Node's API offers only asynchronously (a stream that works in other
 * threads, with a queue of its own). So this drives the binding behind `zlib.createGunzip` directly, as `zlib` itself
 * does for its synchronous calls; the test of this file guards that against changes in Node.
 */
import { constants, createGunzip } from 'node:zlib'

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

/** One gzip body being decompressed. */
export class GunzipStream {
  readonly #engine = createGunzip() as unknown as Engine
  #closed = false
  /** What is wrong with the input, or empty. */
  error = ''
  /** Bytes that the last `write` used of its input. */
  used = 0
  /** More output may follow without further input. */
  more = false

  constructor() {
    this.#engine._handle.onerror = (message) => {
      this.error = message
    }
  }

  /** Decompresses into `output`; returns how many bytes stand there. Call again while `more`, with the input not used. */
  write(input: Uint8Array, output: Uint8Array): number {
    if (this.#closed || this.error !== '') return 0
    const state = this.#engine._writeState
    const flush = constants.Z_SYNC_FLUSH
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
