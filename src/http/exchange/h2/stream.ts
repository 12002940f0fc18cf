/**
 * One request on an HTTP/2 connection, as a wire: what is written becomes DATA as far as the windows allow, what arrives
 * goes to the owner unless it has asked for a pause. A pause stops the peer by not opening its window; until it notices,
 * what comes is held here, at most a window's worth.
 */
import { NO_BYTES } from '../../../lib/bytes.ts'
import { clock } from '../../../lib/clock.ts'
import { type Later, postpone } from '../../../net/flush.ts'
import { NOBODY, Wire } from '../../../net/wire.ts'
import type { WireFailure } from '../../../net/wire-failure.ts'
import type { ConnectUser, PeerConnection } from '../../../upstream/pool.ts'
import {
  CANCEL,
  DATA,
  END_STREAM,
  FRAME_HEAD_SIZE,
  FRAME_SIZE_DEFAULT,
  frameHead,
  windowUpdate,
} from '../../h2/wire/frames.ts'
import type { FieldReceiver } from '../../h2/wire/hpack-decoder.ts'
import type { Link, MessageWire } from '../link.ts'

/** What the peer may send on a stream before it waits for the client: what is held at most for one that takes nothing. */
export const STREAM_WINDOW = 262144
/** Written and not sent: the producer waits. */
const QUEUED_BYTES_MAX = 65536
/** Shared by all streams that keep nothing; never written to. */
const NOTHING: (string | Buffer)[] = []
const NONE_HELD: Buffer[] = []

/** Understands what the peer sends on a stream: the head of a response, then maybe trailers. */
export interface StreamReader extends FieldReceiver {
  /** Largest head. */
  readonly headMax: number
  /** A header block of `size` bytes begins. */
  beginBlock(size: number): void
  /** It is over; `ends`: nothing follows. */
  endBlock(ends: boolean): void
  /** The stream has ended; all that came before was delivered, but for `size` bytes that come next. */
  onStreamEnd(size: number): void
  /** The stream cannot go on; `refused`: the peer has not worked on the request. */
  onFailure(problem: string, refused: boolean): void
}

/** The connection that a stream is on. */
export interface StreamSession {
  readonly connection: PeerConnection
  /** What may be sent on all streams together, and on each new one. */
  sendWindow: number
  readonly initialWindow: number
  /** Opens a stream by its header block, and gives it its number. */
  open(stream: H2Stream, block: string, last: boolean): void
  /** The stream goes on when there is room in the windows and on the wire. */
  block(stream: H2Stream): void
  /** The stream is over; `code` tells the peer why if it is not over for it, -1 says nothing. */
  leave(stream: H2Stream, code: number): void
  /** The connection is not there yet. */
  readonly opening: boolean
  /** No more streams on this connection. */
  retire(): void
}

/** One stream; it is not used again. */
export class H2Stream extends Wire implements Link, MessageWire, Later {
  readonly wire: Wire = this
  requests = 0
  user: ConnectUser | undefined
  /** Set before the head is sent. */
  reader: StreamReader | undefined
  readonly #session: StreamSession
  /** 0: not open yet. */
  id = 0
  openedMs = 0
  sendWindow = 0
  receiveWindow = STREAM_WINDOW
  /** The head of the final response, or of an interim one, has come. */
  headReceived = false
  /** The peer has sent its last frame. */
  remoteEnded = false
  /** The peer has reset the stream. */
  wasReset = false
  /** Made when something has to wait. */
  #queue: (string | Buffer)[] = NOTHING
  #queuedBytes = 0
  /** Bytes of the first piece that were sent. */
  #offset = 0
  #endAsked = false
  #endSent = false
  #over = false
  #drainAsked = false
  #postponed = false
  #paused = false
  #held: Buffer[] = NONE_HELD
  /** Came together with the end of the stream. */
  #last: Buffer = NO_BYTES
  #headHeld = false
  #endHeld = false
  /** Received and passed on, and not yet told to the peer. */
  #consumed = 0

  constructor(session: StreamSession) {
    super()
    this.#session = session
  }

  get opening(): boolean {
    return this.#session.opening
  }

  get doing(): string {
    return this.#session.connection.doing
  }

  failureText(failure: WireFailure | undefined): string {
    return this.#session.connection.failureText(failure)
  }

  // ---- output --------------------------------------------------------------------------------

  sendHead(head: string, last: boolean): void {
    const session = this.#session
    this.sendWindow = session.initialWindow
    this.openedMs = clock.monotonic
    this.#endAsked = this.#endSent = last
    session.open(this, head, last)
    this.bytesWritten += head.length + FRAME_HEAD_SIZE
  }

  override end(): void {
    this.#endAsked = true
    super.end()
  }

  protected send(text: string, pieces: readonly (string | Buffer)[] | undefined): void {
    if (pieces === undefined) {
      if (this.#sendAtOnce(text)) return
      this.#enqueue(text)
    } else for (const piece of pieces) this.#enqueue(piece)
    this.pump()
  }

  /** Most of what is sent is small and goes in one frame; false: it has to be cut, or to wait. */
  #sendAtOnce(text: string): boolean {
    const session = this.#session
    const { wire } = session.connection
    const size = text.length
    if (this.#queue.length > 0 || size > FRAME_SIZE_DEFAULT || this.#over) return false
    if (size > this.sendWindow || size > session.sendWindow || wire.full) return false
    this.sendWindow -= size
    session.sendWindow -= size
    this.#endSent = this.#endAsked
    wire.write(frameHead(size, DATA, this.#endAsked ? END_STREAM : 0, this.id) + text)
    if (this.#drainAsked) this.#later()
    return true
  }

  #enqueue(piece: string | Buffer): void {
    if (this.#queue === NOTHING) this.#queue = []
    this.#queue.push(piece)
    this.#queuedBytes += piece.length
  }

  /** Sends what windows and wire let through. */
  pump(): void {
    const session = this.#session
    const { wire } = session.connection
    const queue = this.#queue
    while (queue.length > 0 && !this.#over) {
      const piece = queue[0]!
      const rest = piece.length - this.#offset
      const size = Math.min(rest, this.sendWindow, session.sendWindow, FRAME_SIZE_DEFAULT)
      if (size <= 0 || wire.full) {
        session.block(this)
        break
      }
      this.sendWindow -= size
      session.sendWindow -= size
      this.#queuedBytes -= size
      this.noteTaken()
      const start = this.#offset
      if (size === rest) {
        queue.shift()
        this.#offset = 0
      } else this.#offset += size
      const last = this.#endAsked && queue.length === 0
      if (last) this.#endSent = true
      const head = frameHead(size, DATA, last ? END_STREAM : 0, this.id)
      if (typeof piece === 'string')
        wire.write(head + (size === piece.length ? piece : piece.slice(start, start + size)))
      else {
        wire.write(head)
        wire.writeBytes(size === piece.length ? piece : piece.subarray(start, start + size), true)
      }
    }
    if (this.#drainAsked && !this.backedUp) this.#later()
  }

  protected sendEnd(): void {
    if (this.#endSent || this.#queue.length > 0 || this.#over) return
    this.#endSent = true
    this.#session.connection.wire.write(frameHead(0, DATA, END_STREAM, this.id))
  }

  override get full(): boolean {
    if (this.pendingBytes < QUEUED_BYTES_MAX) return false
    this.#drainAsked = true
    return true
  }

  override wantDrain(): void {
    this.#drainAsked = true
    if (!this.backedUp) this.#later()
  }

  protected get kernelBytes(): number {
    return this.#queuedBytes
  }

  protected get backedUp(): boolean {
    return this.#queuedBytes >= QUEUED_BYTES_MAX
  }

  // ---- input ---------------------------------------------------------------------------------

  /** A header block that is not the last of the stream is there. */
  deliverHead(): void {
    this.headReceived = true
    if (this.#paused) this.#headHeld = true
    else this.owner.onBytes(NO_BYTES, 0)
  }

  /** Bytes of the body; borrowed. */
  onData(buffer: Buffer, start: number, end: number): void {
    const size = end - start
    this.bytesRead += size
    if (this.#paused || this.#held.length > 0) {
      this.#hold(buffer.subarray(start, end))
      return
    }
    this.owner.onBytes(start === 0 ? buffer : buffer.subarray(start, end), size)
    this.credit(size)
  }

  #hold(bytes: Buffer): void {
    if (this.#held === NONE_HELD) this.#held = []
    this.#held.push(Buffer.from(bytes))
  }

  /** So many bytes were passed on, or were padding: the peer may send as many again. */
  credit(size: number): void {
    this.#consumed += size
    if (this.#consumed < STREAM_WINDOW / 2 || this.remoteEnded || this.#over) return
    this.#session.connection.wire.write(windowUpdate(this.id, this.#consumed))
    this.receiveWindow += this.#consumed
    this.#consumed = 0
  }

  /** Nothing follows these bytes, if there are any; borrowed until `deliverEnd`. */
  onLastData(buffer: Buffer, start: number, end: number): void {
    this.bytesRead += end - start
    this.#last = start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end)
  }

  /** Nothing follows what was received. */
  deliverEnd(): void {
    const last = this.#last
    this.#last = NO_BYTES
    if (this.#over) return
    if (this.#paused || this.#held.length > 0) {
      if (last.length > 0) this.#hold(last)
      this.#endHeld = true
      return
    }
    this.reader!.onStreamEnd(last.length)
    this.owner.onBytes(last, last.length)
  }

  /** The stream, or the connection, is broken. */
  fail(problem: string, refused: boolean): void {
    if (this.#over) return
    this.#drop()
    this.wasReset = true
    this.remoteEnded = true
    this.reader?.onFailure(problem, refused)
    this.owner.onBytes(NO_BYTES, 0)
  }

  /** The connection is gone. */
  lose(failure: WireFailure | undefined): void {
    if (this.#over) return
    // All is there; only the client has to take it.
    if (this.remoteEnded && (this.#held.length > 0 || this.#endHeld)) return
    this.#drop()
    this.#over = true
    this.closed = true
    const { owner } = this
    this.owner = NOBODY
    owner.onClose(failure)
  }

  #drop(): void {
    this.#held = NONE_HELD
    this.#last = NO_BYTES
    this.#headHeld = this.#endHeld = false
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    if (this.#held.length > 0 || this.#endHeld || this.#headHeld) this.#later()
  }

  /** Not from within the call: whoever asks is in the middle of something. */
  #later(): void {
    if (this.#postponed) return
    this.#postponed = true
    postpone(this)
  }

  runLater(): void {
    this.#postponed = false
    if (this.#over) return
    if (this.#drainAsked && !this.backedUp) {
      this.#drainAsked = false
      this.owner.onDrain()
    }
    if (this.#headHeld && !this.#paused) {
      this.#headHeld = false
      this.owner.onBytes(NO_BYTES, 0)
    }
    while (this.#held.length > 0 && !this.#paused && !this.#over) {
      const bytes = this.#held.shift()!
      this.owner.onBytes(bytes, bytes.length)
      this.credit(bytes.length)
    }
    if (!this.#endHeld || this.#paused || this.#over) return
    this.#endHeld = false
    this.deliverEnd()
  }

  // ---- the end -------------------------------------------------------------------------------

  retire(late: boolean): void {
    this.#session.connection.retire(late)
    this.#session.retire()
  }

  close(): void {
    this.owner = NOBODY
    this.user = undefined
    this.closeNow()
  }

  override destroy(): void {
    this.closeNow()
  }

  override closeAfterFlush(): void {
    this.flush()
    this.close()
  }

  protected closeNow(): void {
    if (this.#over) return
    this.#over = true
    this.closed = true
    this.#drop()
    this.#queue = NOTHING
    this.#queuedBytes = 0
    const complete = (this.remoteEnded && this.#endSent) || this.wasReset
    this.#session.leave(this, complete ? -1 : CANCEL)
  }

  protected closeWhenFlushed(): void {
    this.close()
  }

  protected get dead(): boolean {
    return this.#over
  }

  reset(): void {
    this.close()
  }

  // The socket is the session's.
  setNoDelay(): void {}
  setKeepAlive(): void {}

  get remoteAddress(): string {
    return this.#session.connection.wire.remoteAddress
  }

  get remotePort(): number {
    return this.#session.connection.wire.remotePort
  }

  get localAddress(): string {
    return this.#session.connection.wire.localAddress
  }
}
