/**
 * Cuts a byte stream into HTTP/2 frames (RFC 9113, section 4). A frame that lies whole in the buffer is handed over where
 * it lies; DATA passes in parts as it arrives, however long its frame is; other frames that come in pieces are joined,
 * up to a limit. Nothing is kept of frames that nobody knows.
 *
 *   HEAD -> WHOLE -> HEAD          a frame whose payload is needed at once
 *      \--> PADDING -> PAYLOAD --> SKIPPED -> HEAD      DATA
 *      \--> SKIPPED -> HEAD        unknown types
 */
import { NO_BYTES } from '../../../lib/bytes.ts'
import {
  CONTINUATION,
  DATA,
  ENHANCE_YOUR_CALM,
  FRAME_HEAD_SIZE,
  FRAME_SIZE_ERROR,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PRIORITY,
  PROTOCOL_ERROR,
  RST_STREAM,
  u24,
  u31,
  WINDOW_UPDATE,
} from './frames.ts'

/** What is wrong with a frame, and the code that tells the peer. */
export type FrameProblem =
  /** Longer than the peer was told that frames may be. */
  | { readonly kind: 'too long'; readonly code: number; readonly size: number }
  /** Longer than is kept of its type. */
  | { readonly kind: 'too long to keep'; readonly code: number; readonly type: number }
  /** Not of the one length that its type has. */
  | { readonly kind: 'impossible length'; readonly code: number; readonly type: number; readonly size: number }
  /** DATA that has no room for the length of its padding. */
  | { readonly kind: 'no padding length'; readonly code: number }
  /** DATA with more padding than payload. */
  | { readonly kind: 'padding'; readonly code: number; readonly size: number; readonly padding: number }

/** The problem in the words that ngx_http_v2_module has for clients; goes on after "client ". */
export function frameProblemText(problem: FrameProblem): string {
  switch (problem.kind) {
    case 'too long':
      return `sent frame with too large length ${problem.size}`
    case 'too long to keep':
      return `sent too large ${NAMES[problem.type]} frame`
    case 'impossible length':
      return `sent ${NAMES[problem.type]} frame with incorrect length ${problem.size}`
    case 'no padding length':
      return 'sent padded DATA frame with incorrect length: 0'
    case 'padding':
      return `sent padded DATA frame with incorrect length: ${problem.size}, padding: ${problem.padding}`
  }
}

/** Receives frames in order. Buffers are borrowed until the call returns; false stops the reader for good. */
export interface FrameOwner {
  /** A DATA frame begins; `size` counts against the windows, padding included. Its payload follows with `onData`. */
  onDataHead(stream: number, flags: number, size: number): boolean
  /** A part of that frame's payload without padding; with `last` the payload ends (it may be empty). */
  onData(buffer: Buffer, start: number, end: number, last: boolean): boolean
  /** A frame other than DATA begins, and its length is one that its type may have; `onFrame` follows. */
  onFrameHead?(type: number, flags: number, stream: number, size: number): boolean
  /** A whole frame other than DATA; its payload is `buffer[start, end)`, empty for types that are not known. */
  onFrame(type: number, flags: number, stream: number, buffer: Buffer, start: number, end: number): boolean
  /** The stream of frames is broken. */
  onFrameError(problem: FrameProblem): void
}

const HEAD = 0
const WHOLE = 1
const PADDING = 2
const PAYLOAD = 3
const SKIPPED = 4
const STOPPED = 5

/** Types that have one length only. */
const LENGTHS: readonly number[] = lengths()
const NAMES = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
]

/** The reader of one connection. */
export class FrameReader {
  readonly #owner: FrameOwner
  readonly #frameMax: number
  readonly #wholeMax: number
  #state = HEAD
  #type = 0
  #flags = 0
  #stream = 0
  /** Bytes of the state's piece that are still to come. */
  #left = 0
  #padding = 0
  /** A head or a payload that comes in pieces; empty otherwise. */
  #kept: Buffer = NO_BYTES
  #keptSize = 0

  /** `frameMax` is the SETTINGS_MAX_FRAME_SIZE that the peer was told, `wholeMax` what is kept of a frame other than DATA. */
  constructor(owner: FrameOwner, frameMax: number, wholeMax: number) {
    this.#owner = owner
    this.#frameMax = frameMax
    this.#wholeMax = wholeMax
  }

  /** A frame has begun and not ended. */
  get incomplete(): boolean {
    return this.#state !== HEAD || this.#keptSize > 0
  }

  /** The stream of a HEADERS frame that has begun and not ended; 0 when there is none. */
  get headersStream(): number {
    return this.#state === WHOLE && this.#type === HEADERS ? this.#stream : 0
  }

  /** Reads `buffer[start, end)` to its end; false when the reader has stopped. */
  read(buffer: Buffer, start: number, end: number): boolean {
    let at = start
    while (at < end) {
      switch (this.#state) {
        case HEAD:
          at = this.#head(buffer, at, end)
          break
        case WHOLE:
          at = this.#whole(buffer, at, end)
          break
        case PADDING:
          this.#unpad(buffer[at++]!)
          break
        case PAYLOAD:
          at = this.#payload(buffer, at, end)
          break
        case SKIPPED:
          at = this.#skip(at, end)
          break
        default:
          return false
      }
    }
    return this.#state !== STOPPED
  }

  /** Reads no more. */
  stop(): void {
    this.#state = STOPPED
    this.#kept = NO_BYTES
  }

  #head(buffer: Buffer, at: number, end: number): number {
    if (this.#keptSize === 0 && end - at >= FRAME_HEAD_SIZE) {
      this.#begin(buffer, at)
      return at + FRAME_HEAD_SIZE
    }
    const after = this.#keep(buffer, at, end, FRAME_HEAD_SIZE)
    if (this.#keptSize === FRAME_HEAD_SIZE) {
      const head = this.#kept
      this.#drop()
      this.#begin(head, 0)
    }
    return after
  }

  #whole(buffer: Buffer, at: number, end: number): number {
    const size = this.#left
    if (this.#keptSize === 0 && end - at >= size) {
      this.#frame(buffer, at, at + size)
      return at + size
    }
    const after = this.#keep(buffer, at, end, size)
    if (this.#keptSize === size) {
      const payload = this.#kept
      this.#drop()
      this.#frame(payload, 0, size)
    }
    return after
  }

  /** Copies up to `size` bytes in all; returns where it stopped. */
  #keep(buffer: Buffer, at: number, end: number, size: number): number {
    if (this.#keptSize === 0) this.#kept = Buffer.allocUnsafe(size)
    const count = Math.min(end - at, size - this.#keptSize)
    buffer.copy(this.#kept, this.#keptSize, at, at + count)
    this.#keptSize += count
    return at + count
  }

  #drop(): void {
    this.#kept = NO_BYTES
    this.#keptSize = 0
  }

  /** Nine bytes say what comes. */
  #begin(buffer: Buffer, at: number): void {
    const size = u24(buffer, at)
    const type = buffer[at + 3]!
    this.#type = type
    this.#flags = buffer[at + 4]!
    this.#stream = u31(buffer, at + 5)
    this.#left = size
    if (size > this.#frameMax) return this.#fail({ kind: 'too long', code: FRAME_SIZE_ERROR, size })
    if (type === DATA) return this.#data(size)
    const known = type <= CONTINUATION
    if (known && !this.#mayBe(type, size)) return
    if (this.#owner.onFrameHead?.(type, this.#flags, this.#stream, size) === false) return this.stop()
    if (!known) return this.#unknown()
    this.#state = WHOLE
    if (size === 0) this.#frame(NO_BYTES, 0, 0)
  }

  /** False: no frame of that type is that long, or none that is kept. */
  #mayBe(type: number, size: number): boolean {
    const length = LENGTHS[type]!
    if (type === GOAWAY ? size < length : length !== 0 && size !== length) {
      this.#fail({ kind: 'impossible length', code: FRAME_SIZE_ERROR, type, size })
      return false
    }
    if (size <= this.#wholeMax) return true
    this.#fail({ kind: 'too long to keep', code: ENHANCE_YOUR_CALM, type })
    return false
  }

  #unknown(): void {
    this.#state = this.#left === 0 ? HEAD : SKIPPED
    if (!this.#owner.onFrame(this.#type, this.#flags, this.#stream, NO_BYTES, 0, 0)) this.stop()
  }

  #frame(buffer: Buffer, start: number, end: number): void {
    this.#state = HEAD
    if (!this.#owner.onFrame(this.#type, this.#flags, this.#stream, buffer, start, end)) this.stop()
  }

  #data(size: number): void {
    this.#padding = 0
    const padded = (this.#flags & PADDED) !== 0
    if (padded && size === 0) {
      return this.#fail({ kind: 'no padding length', code: FRAME_SIZE_ERROR })
    }
    this.#state = padded ? PADDING : PAYLOAD
    if (!this.#owner.onDataHead(this.#stream, this.#flags, size)) return this.stop()
    if (size === 0) this.#payload(NO_BYTES, 0, 0)
  }

  #unpad(padding: number): void {
    const size = this.#left
    if (padding >= size) {
      return this.#fail({ kind: 'padding', code: PROTOCOL_ERROR, size, padding })
    }
    this.#padding = padding
    this.#left = size - 1 - padding
    this.#state = PAYLOAD
    if (this.#left === 0) this.#payload(NO_BYTES, 0, 0)
  }

  #payload(buffer: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.#left)
    this.#left -= stop - at
    const last = this.#left === 0
    if (last) {
      this.#left = this.#padding
      this.#state = this.#padding === 0 ? HEAD : SKIPPED
    }
    if (!this.#owner.onData(buffer, at, stop, last)) this.stop()
    return stop
  }

  #skip(at: number, end: number): number {
    const stop = Math.min(end, at + this.#left)
    this.#left -= stop - at
    if (this.#left === 0) this.#state = HEAD
    return stop
  }

  #fail(problem: FrameProblem): void {
    this.stop()
    this.#owner.onFrameError(problem)
  }
}

/** Payload lengths by type; 0: any. GOAWAY may be longer. */
function lengths(): number[] {
  const list = new Array<number>(CONTINUATION + 1).fill(0)
  list[PRIORITY] = 5
  list[RST_STREAM] = 4
  list[PING] = 8
  list[GOAWAY] = 8
  list[WINDOW_UPDATE] = 4
  return list
}
