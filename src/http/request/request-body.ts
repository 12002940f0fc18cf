/**
 * The request body on its way in. Three ways to use it:
 *
 * - buffered: collected in memory up to `client_body_buffer_size`, then in a temporary file; `then` runs when all is there;
 * - streamed: handed to a consumer piece by piece, with back-pressure (`proxy_request_buffering off`);
 * - discarded: read and dropped, so that the connection can be used again.
 *
 * The carrier delivers decoded bytes; limits are checked here, for every protocol.
 */

import { NO_BYTES } from '../../lib/bytes.ts'
import { soon } from '../../lib/soon.ts'
import { CRIT, ERROR, NOTICE, WARN } from '../../log/error-log.ts'
import { TempFile, tempFileProblem } from '../files/temp-file.ts'
import type { Request } from './request.ts'
import { type Verdict, WAIT } from './verdict.ts'

/** Takes a streamed body. Bytes are borrowed until `onBodyBytes` returns. */
export interface BodyConsumer {
  onBodyBytes(bytes: Uint8Array, start: number, end: number): void
  /** The bytes of one read have been delivered; more may come later. */
  onBodyPause(): void
  onBodyEnd(): void
}

/** Small bodies are many, and most of them come in one piece. */
const SMALLEST = 64

/** Bytes copied at once from file to file. */
const PIECE_SIZE = 65536

/** So many turns of the event loop may pass until a socket tells of its end behind bytes that came together with it. */
const FRESH_TURNS = 2

const BUFFERED = 0
const STREAMED = 1
const DISCARDED = 2

export class RequestBody {
  readonly #r: Request
  #mode = BUFFERED
  /** What is dropped counts against `client_max_body_size`. */
  #limited = false
  /** Bytes delivered so far; the length of the body when `complete`. */
  received = 0
  complete = false
  /** The body in memory, when there is no file. */
  memory: Buffer = NO_BYTES
  #used = 0
  file: TempFile | undefined
  #then: ((r: Request) => Verdict) | undefined
  #consumer: BodyConsumer | undefined
  /** It goes to a file with a name, however short it is. */
  #intoFile = false
  /** `collect` has not returned yet. */
  #starting = false
  /** The status that the body was refused with meanwhile. */
  #refusal = 0
  /** Turns of the event loop in which its beginning is all that the socket may have had. */
  freshTurns = 0
  /** Trailer lines of a chunked body, verbatim. */
  trailers = ''

  constructor(r: Request) {
    this.#r = r
  }

  /** The bytes of a body that is in memory. */
  get bytes(): Buffer {
    return this.memory.subarray(0, this.#used)
  }

  /** Collects the whole body, then goes on with `then`. */
  collect(then: (r: Request) => Verdict): Verdict {
    const r = this.#r
    this.#then = then
    const { core } = r.location
    const bufferMax = core.client_body_buffer_size
    if (core.client_body_in_file_only !== 'off' || this.#intoFile) {
      if (!this.#spill()) return 500
    } else if (r.contentLength > 0 && this.#used === 0) {
      this.memory = Buffer.allocUnsafe(Math.min(r.contentLength, bufferMax))
    }
    // What came early is delivered at once: then there is nothing to wait for.
    this.#starting = true
    r.carrier.startBody(r)
    this.#starting = false
    if (this.#refusal !== 0) return this.#refusal
    if (!this.complete || this.#then !== then) return WAIT
    this.#then = undefined
    return then(this.#r)
  }

  /** Nothing more comes. A body of no bytes is one, and goes to a file where all do; returns false when that cannot be. */
  collectNothing(): boolean {
    const empty = !this.complete && this.#r.contentLength === 0
    this.complete = true
    return !empty || this.#r.location.core.client_body_in_file_only === 'off' || this.#spill()
  }

  /** The same with a file for all of it, which has a name and may be moved elsewhere: then `file.leave()` is due. */
  collectIntoFile(then: (r: Request) => Verdict): Verdict {
    this.#intoFile = true
    if (!this.complete) return this.collect(then)
    this.#starting = true
    const ready = this.file?.named === true || this.#spill()
    this.#starting = false
    return ready ? then(this.#r) : 500
  }

  /**
   * Takes what has come of a body that is to be streamed: one that is complete need not be. Returns 0 or a refusal. It stays
   * in memory, also for another location, which takes no more in this way.
   */
  takeFirst(): number {
    if (this.complete || this.received > 0 || this.#mode !== BUFFERED) return 0
    this.#starting = true
    const status = this.#r.carrier.takeBody(this.#r, false)
    this.#starting = false
    if (this.received > 0) this.#r.noBody()
    if (!this.complete) this.#startsFresh()
    return status === 0 ? this.#refusal : status
  }

  #startsFresh(): void {
    this.freshTurns = FRESH_TURNS
    if (fresh.length === 0) soon(age, undefined)
    fresh.push(this)
  }

  /**
   * The client's end came with the beginning of a body that is to be streamed. nginx reads a body until there is nothing
   * more before it asks a back end, so to it the body is cut, whereas one who leaves later has not waited.
   */
  get cutAtOnce(): boolean {
    return this.freshTurns > 0 && !this.complete && this.#mode === BUFFERED
  }

  /** Hands the body on as it comes. */
  stream(consumer: BodyConsumer): void {
    this.#mode = STREAMED
    this.#consumer = consumer
    if (this.#used > 0) {
      consumer.onBodyBytes(this.memory, 0, this.#used)
      consumer.onBodyPause()
      // It may have made no sense: then the request was answered, and the rest of its body is dropped.
      if (this.#mode !== STREAMED || this.#consumer !== consumer) return
    }
    this.#r.carrier.startBody(this.#r)
  }

  /** Drops what comes. */
  discard(): void {
    this.#mode = DISCARDED
    this.#limited = false
    this.#release()
  }

  /** Drops what has come and what comes; `limited`: no more of it than the location allows. See `Request.discardBody`. */
  drop(limited: boolean): number {
    this.discard()
    this.#limited = limited
    this.#starting = true
    const status = this.#r.carrier.takeBody(this.#r, true)
    this.#starting = false
    return status === 0 ? this.#refusal : status
  }

  /** What comes is dropped. */
  get discarded(): boolean {
    return this.#mode === DISCARDED
  }

  /** Another location answers: a body that is being passed on is spent, and the rest of it is dropped. */
  leave(): void {
    if (this.#mode !== STREAMED || this.complete) return
    this.discard()
    this.#r.contentLength = -1
    this.#r.chunked = false
  }

  /** The body was read to its end and is still there. */
  get whole(): boolean {
    return this.complete && this.#mode === BUFFERED
  }

  get streaming(): boolean {
    return this.#mode === STREAMED
  }

  /** All that was delivered so far is in memory. */
  get remembered(): boolean {
    return this.file === undefined && this.#used === this.received
  }

  /** The carrier delivers decoded bytes. Returns false when the body is refused: nothing more is wanted. */
  onBytes(bytes: Uint8Array, start: number, end: number): boolean {
    this.received += end - start
    if (this.#mode === DISCARDED && !this.#limited) return true
    const max = this.#r.location.core.client_max_body_size
    if (max > 0 && this.received > max) return this.#tooLarge()
    if (this.#mode === DISCARDED) return true
    if (this.#mode === BUFFERED) return this.#keep(bytes, start, end)
    this.#remember(bytes, start, end)
    this.#consumer?.onBodyBytes(bytes, start, end)
    return true
  }

  /** The carrier has delivered all it has for now. */
  onPause(): void {
    if (this.#mode === STREAMED) this.#consumer?.onBodyPause()
  }

  /** The carrier has delivered the last byte. */
  onEnd(): void {
    this.complete = true
    const then = this.#then
    if (this.#mode === STREAMED) this.#consumer?.onBodyEnd()
    else if (then !== undefined && this.#mode === BUFFERED && !this.#starting) {
      this.#then = undefined
      this.#r.resumeBy(then)
    }
  }

  /** The request is over: temporary files go. */
  release(): void {
    this.#consumer = undefined
    this.#then = undefined
    this.#release()
  }

  abort(): void {
    this.discard()
  }

  #release(): void {
    this.memory = NO_BYTES
    this.#used = 0
    if (this.file === undefined) return
    this.file.close()
    if (this.#r.location.core.client_body_in_file_only !== 'on') this.file.remove()
    this.file = undefined
  }

  #keep(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.file === undefined) {
      const size = this.#used + end - start
      if (size <= this.#r.location.core.client_body_buffer_size) {
        this.#grow(size)
        this.memory.set(bytes.subarray(start, end), this.#used)
        this.#used = size
        return true
      }
      if (!this.#spill()) return this.#refuse(500)
    }
    return this.#append(bytes, start, end)
  }

  /** A streamed body that fits into memory is what `$request_body` tells. */
  #remember(bytes: Uint8Array, start: number, end: number): void {
    const size = this.#used + end - start
    if (size !== this.received || size > this.#r.location.core.client_body_buffer_size) {
      this.memory = NO_BYTES
      this.#used = 0
      return
    }
    this.#grow(size)
    this.memory.set(bytes.subarray(start, end), this.#used)
    this.#used = size
  }

  #grow(size: number): void {
    if (this.memory.length >= size) return
    const limit = this.#r.location.core.client_body_buffer_size
    const larger = Buffer.allocUnsafe(Math.min(limit, Math.max(size, this.memory.length * 2, SMALLEST)))
    this.memory.copy(larger, 0, 0, this.#used)
    this.memory = larger
  }

  /** Moves from memory to a file. */
  #spill(): boolean {
    const { core } = this.#r.location
    const before = this.file
    const named = this.#intoFile || core.client_body_in_file_only !== 'off'
    // tidy: once per body that does not fit into memory
    try {
      this.file = TempFile.create(core.client_body_temp_path, named)
      if (before !== undefined) this.#copy(before, this.file)
    } catch (error) {
      this.#r.logError(CRIT, tempFileProblem(error, core.client_body_temp_path.path))
      return false
    } finally {
      if (before !== this.file) before?.close()
    }
    const kept = this.memory
    const used = this.#used
    this.memory = NO_BYTES
    this.#used = 0
    return used === 0 || this.#append(kept, 0, used)
  }

  /** Who read the body before had a file without a name made for it. */
  #copy(from: TempFile, to: TempFile): void {
    const piece = Buffer.allocUnsafe(Math.min(from.size, PIECE_SIZE))
    while (to.size < from.size) to.append(piece, 0, from.read(piece, to.size))
  }

  #append(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.file!.size === 0 && !this.#intoFile) {
      const level = this.#r.location.core.client_body_in_file_only === 'off' ? WARN : NOTICE
      this.#r.logError(level, `a client request body is buffered to a temporary file ${this.file!.path}`)
    }
    // tidy: a write to disk takes far longer
    try {
      this.file!.append(bytes, start, end)
      return true
    } catch (error) {
      this.#r.logError(CRIT, tempFileProblem(error, this.file!.path))
      return this.#refuse(500)
    }
  }

  #tooLarge(): boolean {
    this.#r.logError(ERROR, `client intended to send too large chunked body: ${this.received} bytes`)
    return this.#refuse(413)
  }

  #refuse(status: number): boolean {
    const r = this.#r
    const streamed = this.#mode === STREAMED
    const dropped = this.#mode === DISCARDED
    this.#then = undefined
    this.discard()
    r.keepAlive = false
    if (dropped && !this.#starting) r.discardedBodyFailed(status)
    else if (streamed) r.cancelContent(status)
    else if (this.#starting) this.#refusal = status
    else r.resume(status)
    return false
  }
}

/** Bodies whose turns are counted. */
let fresh: RequestBody[] = []

/** A turn of the event loop is over. */
function age(): void {
  fresh = fresh.filter(isFresh)
  if (fresh.length > 0) soon(age, undefined)
}

function isFresh(body: RequestBody): boolean {
  return --body.freshTurns > 0
}
