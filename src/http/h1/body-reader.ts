/** Cuts one HTTP/1 request body out of the byte stream, by its length or its chunks, and hands it to the request. */
import type { Request } from '../request/request.ts'
import { ChunkedDecoder, type ChunkSink, MALFORMED } from './chunked.ts'

/** Returned by `read` for a body whose chunks are malformed. */
export const BAD_BODY = -1

/** One connection's reader; `begin` makes it ready for the next request. */
export class BodyReader implements ChunkSink {
  readonly #r: Request
  #decoder: ChunkedDecoder | undefined
  /** Bytes that are still to come, or -1 while chunks come. */
  #remaining = 0
  /** Somebody takes the body, if only to drop it. */
  wanted = false
  /** The client has ended its side, and nothing more comes: true for the connection from then on. */
  cut = false

  constructor(r: Request) {
    this.#r = r
  }

  /** Begins with a request: `length` in bytes, or chunks. */
  begin(length: number, chunked: boolean): void {
    this.#decoder = undefined
    this.#remaining = chunked ? -1 : Math.max(0, length)
    this.wanted = false
  }

  /** True when the last byte has been read. */
  get done(): boolean {
    return this.#remaining === 0
  }

  /** Gives up on the rest. */
  stop(): void {
    this.#remaining = 0
  }

  /** Reads from `buffer[at, end)`; returns where it stopped, or BAD_BODY. */
  read(buffer: Buffer, at: number, end: number): number {
    const r = this.#r
    let stop: number
    if (this.#remaining < 0) {
      this.#decoder ??= new ChunkedDecoder()
      stop = this.#decoder.decode(buffer, at, end, this)
      if (stop === MALFORMED) return BAD_BODY
      if (this.#decoder.finished) this.#remaining = 0
    } else {
      stop = Math.min(end, at + this.#remaining)
      this.#remaining -= stop - at
      r.requestBody!.onBytes(buffer, at, stop)
    }
    // What nobody wants does not count, as in nginx.
    if (!r.requestBody!.discarded) r.requestLength += stop - at
    return stop
  }

  onBody(input: Uint8Array, start: number, end: number): void {
    this.#r.requestBody!.onBytes(input, start, end)
  }

  onTrailer(input: Uint8Array, start: number, end: number): void {
    this.#r.requestBody!.trailers += (input as Buffer).latin1Slice(start, end)
  }
}
