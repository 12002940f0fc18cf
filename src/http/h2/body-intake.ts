/**
 * The body of one HTTP/2 request on its way in: what comes before it is wanted is kept, up to the window that the client
 * was given; a body that is collected comes without a limit of its own, one that is streamed as fast as it is taken.
 */
import { NO_BYTES } from '../../lib/bytes.ts'
import type { Tunnel } from '../../upstream/tunnel.ts'
import type { Request } from '../request/request.ts'
import { WINDOW_MAX } from './wire/frames.ts'

const KEPT_FIRST = 4096

/** All is well. */
export const TAKEN = 0
/** More came than Content-Length says. */
export const TOO_LONG = 1
/** Less came than Content-Length says. */
export const TOO_SHORT = 2

/** One stream's body. */
export class BodyIntake {
  readonly #r: Request
  /** What the client may still send. */
  window = 0
  /** The client has sent its last byte. */
  ended = false
  /** Somebody takes the body now. */
  wanted = false
  /** Bytes that came, whether or not somebody took them. */
  received = 0
  /** What Content-Length says, or -1. */
  expected = -1
  /** What comes is dropped. */
  dropping = false
  /** Nobody wants the body: it is checked and counted, and the client is not let send more of it. */
  discarding = false
  /** Bytes were handed over, but not yet that these are all for now. */
  pauseDue = false
  /** Takes what comes, in place of the request's body. */
  tunnel: Tunnel | undefined
  #kept: Buffer = NO_BYTES
  #keptSize = 0
  /** The end was told. */
  #done = false

  constructor(r: Request) {
    this.#r = r
  }

  /** Begins with a request whose client may send `window` bytes. */
  begin(window: number, ended: boolean): void {
    this.window = window
    this.ended = ended
    this.wanted = this.dropping = this.discarding = this.pauseDue = this.#done = false
    this.received = 0
    this.expected = -1
    this.tunnel = undefined
    this.#drop()
  }

  /** All that will come has come, and was taken. */
  get done(): boolean {
    return this.ended && this.#keptSize === 0
  }

  /** Takes a part; `ended`: the client sends nothing behind it. Answers one of the constants above. */
  take(buffer: Buffer, start: number, end: number, ended: boolean): number {
    const r = this.#r
    const size = end - start
    this.received += size
    r.requestLength += size
    if (ended) this.ended = true
    if (this.dropping) return TAKEN
    const { expected } = this
    if (expected >= 0) {
      if (this.received > expected) return TOO_LONG
      if (ended && this.received < expected) return TOO_SHORT
    }
    if (!this.wanted) {
      if (size > 0) this.#keep(buffer, start, end)
      return TAKEN
    }
    if (size > 0) this.#give(buffer, start, end)
    if (ended) this.#tell()
    else this.pauseDue = true
    return TAKEN
  }

  #give(buffer: Buffer, start: number, end: number): void {
    if (this.tunnel !== undefined) this.tunnel.onClientBytes(buffer, start, end)
    else if (!this.#r.requestBody!.onBytes(buffer, start, end)) this.dropping = true
  }

  /** Hands over what was kept; the body is wanted from now on. */
  open(): void {
    this.wanted = true
    const kept = this.#kept
    const size = this.#keptSize
    this.#drop()
    if (size > 0) this.#give(kept, 0, size)
    this.#tell()
  }

  /** The bytes at hand are all delivered. */
  pause(): void {
    this.pauseDue = false
    this.#tell()
  }

  /** Nothing is taken until `open`. */
  close(): void {
    this.wanted = false
  }

  /** Wants nothing any more. */
  stop(): void {
    this.dropping = true
    this.pauseDue = false
    this.#drop()
  }

  /** After bytes were handed over: that was all, or all for now. */
  #tell(): void {
    if (this.#done || this.dropping || !this.wanted || this.#keptSize > 0) return
    if (this.ended) {
      this.#done = true
      this.wanted = false
      if (this.tunnel !== undefined) this.tunnel.onClientEnd()
      else this.#r.requestBody!.onEnd()
    } else if (this.tunnel === undefined) this.#r.requestBody!.onPause()
  }

  /** How many bytes more the client is to be allowed now; `streamWindow` is what one that is streamed may have on its way. */
  grant(streamWindow: number): number {
    if (!this.wanted || this.ended || this.dropping || this.discarding) return 0
    const streamed = this.tunnel !== undefined || this.#r.requestBody!.streaming
    const target = streamed ? streamWindow : WINDOW_MAX
    const low = target === WINDOW_MAX ? target / 4 : target / 2
    if (this.window >= low) return 0
    const more = target - this.window
    this.window = target
    return more
  }

  #keep(buffer: Buffer, start: number, end: number): void {
    const size = this.#keptSize + end - start
    if (this.#kept.length < size) {
      const larger = Buffer.allocUnsafe(Math.max(size, this.#kept.length * 2, KEPT_FIRST))
      this.#kept.copy(larger, 0, 0, this.#keptSize)
      this.#kept = larger
    }
    buffer.copy(this.#kept, this.#keptSize, start, end)
    this.#keptSize = size
  }

  #drop(): void {
    this.#kept = NO_BYTES
    this.#keptSize = 0
  }
}
