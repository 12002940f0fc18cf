/**
 * What a client may make the server do for nothing: streams that it has reset (CVE-2023-44487) or makes the server reset
 * (CVE-2025-8671), and frames that bring no payload: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty DATA, unknown types.
 * Each kind has an allowance that grows again with time, and that of frames with useful work too, so that no client that
 * works reaches its end. nginx bounds the same things by counting bytes and, per connection, requests.
 */
import { clock } from '../../lib/clock.ts'

/** Resets at once, and per second over time: nghttp2's numbers. */
const RESETS_MAX = 1000
const RESETS_PER_SECOND = 33
/** Frames without payload at once, and per second over time. */
const IDLE_FRAMES_MAX = 2000
const IDLE_FRAMES_PER_SECOND = 100
/** What a new request earns in such frames. */
const EARNED_BY_REQUEST = 20
/** What a frame with payload earns: clients such as gRPC's answer each with PING and WINDOW_UPDATE. */
const EARNED_BY_DATA = 4
/** Payload bytes, either way, that earn one such frame. */
const BYTES_PER_IDLE_FRAME = 1024

/** One connection's counts. */
export class FloodGuard {
  #resets = RESETS_MAX
  #frames = IDLE_FRAMES_MAX
  #sinceMs = clock.monotonic
  #bytes = 0

  /** A stream was reset before its time; false: too often. */
  reset(): boolean {
    if (this.#resets < 1) this.#refill()
    return --this.#resets >= 0
  }

  /** A frame without payload came; false: there were too many. */
  idleFrame(): boolean {
    if (this.#frames < 1) this.#refill()
    return --this.#frames >= 0
  }

  /** A request came. */
  request(): void {
    this.#frames = Math.min(IDLE_FRAMES_MAX, this.#frames + EARNED_BY_REQUEST)
  }

  /** Payload went either way; `windowBound`: a window let no more of it through. */
  payload(bytes: number, windowBound: boolean): void {
    let earned = windowBound || bytes === 0 ? 0 : EARNED_BY_DATA
    this.#bytes += bytes
    if (this.#bytes >= BYTES_PER_IDLE_FRAME) {
      const pieces = Math.floor(this.#bytes / BYTES_PER_IDLE_FRAME)
      this.#bytes -= pieces * BYTES_PER_IDLE_FRAME
      earned += pieces
    }
    if (earned > 0) this.#frames = Math.min(IDLE_FRAMES_MAX, this.#frames + earned)
  }

  #refill(): void {
    const seconds = (clock.monotonic - this.#sinceMs) / 1000
    this.#sinceMs = clock.monotonic
    this.#resets = Math.min(RESETS_MAX, this.#resets + seconds * RESETS_PER_SECOND)
    this.#frames = Math.min(IDLE_FRAMES_MAX, this.#frames + seconds * IDLE_FRAMES_PER_SECOND)
  }
}
