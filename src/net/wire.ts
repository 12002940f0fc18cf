/**
 * A wire is one byte-stream socket as the data plane sees it: bytes in as borrowed pieces of one buffer that all wires
 * of the thread share, bytes out corked until the event ends, text written as latin1 (one char = one byte, no Buffer).
 *
 * What is common stands here; the kinds differ in how Node's sockets are driven:
 *   StreamWire  clients and back ends                                   (stream-wire.ts)
 *     HandleWire  on Node's bare handle                                 (handle-wire.ts)
 *       TlsWire     with Node's TLS engine laid over it                 (tls-wire.ts)
 *     RingWire    on an io_uring                                        (ring-wire.ts)
 *       RingTlsWire  with OpenSSL itself                                (ring-tls-wire.ts)
 *   SocketWire  on a net.Socket: where speed does not matter            (socket-wire.ts)
 */
import { clock } from '../lib/clock.ts'
import { beginEvent, type Corked, cork, flushWires } from './flush.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from './timer-wheel.ts'
import type { WireFailure } from './wire-failure.ts'

const READ_BUFFER_SIZE = 65536
/** Below this size copying bytes into the outgoing text is cheaper than one more piece for the kernel. */
const INLINE_BYTES_MAX = 4096
/**
 * Larger ones leave at once where that is possible, and are not copied: V8 would collect all the while to give the memory of the
 * copies back. What is cut into frames of HTTP/2 is smaller, and leaves together.
 */
const BORROWED_MIN = 16384
/**
 * A producer that fills more than this in one event waits until other connections had their turn. What a peer that does not
 * read costs is this, too: with four times as much 500 of them made another client wait 0.4 to 0.7 s, now 0.1 to 0.2.
 */
const CORKED_BYTES_MAX = 65536

/** Receives what happens on a wire. Bytes are borrowed: they are overwritten when `onBytes` returns. */
export interface WireOwner {
  onBytes(buffer: Buffer, size: number): void
  /** The peer takes bytes again after `full`. */
  onDrain(): void
  /** The peer sent its last byte; the wire may still be written. */
  onEnd(): void
  /** Its socket has ended, too, which `onEnd` had left open (`Wire.mayListen`). */
  onGone?(): void
  /** The wire is gone, because of `failure` if it did not just end. Called exactly once. */
  onClose(failure: WireFailure | undefined): void
}

/** A part of an open file that the kernel sends by itself. */
export interface FilePiece {
  readonly fd: number
  readonly at: number
  readonly length: number
  /** Nobody needs the descriptor for it any more; `missing`: the file has become shorter by that. Called exactly once. */
  done(missing: number): void
}

/** An owner that nothing matters to: for wires that nobody uses any more. */
export const NOBODY: WireOwner = { onBytes() {}, onDrain() {}, onEnd() {}, onClose() {} }

/** Where every wire of this thread reads into. */
export const readBuffer: Buffer = Buffer.allocUnsafeSlow(READ_BUFFER_SIZE)

/** One connected (or connecting) stream socket. */
export abstract class Wire implements Corked, TimerOwner {
  owner: WireOwner = NOBODY
  /** Bytes handed to the kernel and still corked, in total. */
  bytesWritten = 0
  bytesRead = 0
  /** The owner has been told of the end. */
  closed = false
  #text = ''
  #pieces: (string | Buffer)[] | undefined
  #corked = false
  #ending = false
  /** Bytes corked as pieces; text counts by its length. */
  #pieceBytes = 0
  /** Somebody was told that the wire is full, or asked to hear when it is empty. */
  #drainWanted = false
  #closeTimer: Timer | undefined
  /** When the kernel has last taken a part of what it did not take at once (`clock.monotonic`); 0 where that is not known. */
  #takenMs = 0

  // ---- what the kinds do ---------------------------------------------------------------------

  /** Hands one text, or pieces in order, to the kernel. */
  protected abstract send(text: string, pieces: readonly (string | Buffer)[] | undefined): void
  /** Sends the end of the stream behind what was handed over. */
  protected abstract sendEnd(): void
  /** Closes the descriptor; `lost` must be called later. */
  protected abstract closeNow(): void
  /** Handed over, and not yet taken by the kernel. */
  protected abstract get kernelBytes(): number
  /** So much is waiting for the kernel that `drained` will be called. */
  protected abstract get backedUp(): boolean
  /** Closing has begun. */
  protected abstract get dead(): boolean
  /** Stops reading; the kernel's buffer then makes the peer wait. */
  abstract pause(): void
  abstract resume(): void
  abstract setNoDelay(): void
  /** Probes an idle peer after that many seconds (0: the system's default). */
  abstract setKeepAlive(idleSeconds: number): void
  /** Closes at once with a reset, as `reset_timedout_connection` asks. */
  abstract reset(): void
  abstract get remoteAddress(): string
  abstract get remotePort(): number
  abstract get localAddress(): string

  /**
   * The peer has said in TLS that it sends nothing more (close_notify), and its socket has not ended: it may wait for the rest
   * of what it has asked for.
   */
  get mayListen(): boolean {
    return false
  }

  // ---- events from the kinds -----------------------------------------------------------------

  protected received(size: number): void {
    clock.update()
    beginEvent()
    this.receivedIn(readBuffer, size)
    flushWires()
  }

  /** The same within an event. */
  protected receivedIn(buffer: Buffer, size: number): void {
    this.bytesRead += size
    this.owner.onBytes(buffer, size)
  }

  protected ended(): void {
    clock.update()
    beginEvent()
    this.owner.onEnd()
    flushWires()
  }

  protected gone(): void {
    clock.update()
    beginEvent()
    this.owner.onGone?.()
    flushWires()
  }

  /** The kernel has taken everything. */
  protected drained(): void {
    if (!this.#drainWanted || this.closed) return
    this.#drainWanted = false
    clock.update()
    beginEvent()
    this.owner.onDrain()
    flushWires()
  }

  /** The descriptor is closed. */
  protected lost(failure: WireFailure | undefined): void {
    if (this.#closeTimer !== undefined) cancelTimer(this.#closeTimer)
    if (this.closed) return
    this.closed = true
    clock.update()
    beginEvent()
    const { owner } = this
    this.owner = NOBODY
    owner.onClose(failure)
    flushWires()
  }

  // ---- output --------------------------------------------------------------------------------

  /** True when more output only makes memory grow: stop until `onDrain`. */
  get full(): boolean {
    if (!this.backedUp && this.#pieceBytes + this.#text.length < CORKED_BYTES_MAX) return false
    this.#drainWanted = true
    return true
  }

  /** Asks for `onDrain` when the kernel has taken everything, full or not. */
  wantDrain(): void {
    this.#drainWanted = true
  }

  /** Nothing is on its way out, and nothing will be: neither bytes nor an end of the stream. */
  protected get still(): boolean {
    return this.pendingBytes === 0 && !this.#ending
  }

  /** Somebody waits for `onDrain`. */
  protected get drainAsked(): boolean {
    return this.#drainWanted
  }

  /** The kernel has taken a part of what it did not take at once. In whole milliseconds, which are kept without a box. */
  protected noteTaken(): void {
    this.#takenMs = Math.floor(clock.monotonic)
  }

  /** The peer takes output, if slowly: `timer`, which has fired, is armed for what is left of its time since then. */
  stillTakes(timer: Timer, timeoutMs: number): boolean {
    const left = this.#takenMs + timeoutMs - clock.monotonic
    if (left > 0) setTimer(timer, left)
    return left > 0
  }

  /** Whoever asked for `onDrain` does not wait for it any more. */
  protected forgetDrain(): void {
    this.#drainWanted = false
  }

  /** Bytes that the kernel has not taken yet. */
  get pendingBytes(): number {
    return this.kernelBytes + this.#text.length + this.#pieceBytes
  }

  /** Queues text, one byte per char. */
  write(text: string): void {
    if (!this.#corked) this.#cork()
    this.#text += text
    this.bytesWritten += text.length
  }

  /** Queues bytes; unless `stable` (they will never change), they are copied before this returns. */
  writeBytes(bytes: Uint8Array, stable: boolean): void {
    if (!this.#corked) this.#cork()
    const size = bytes.length
    this.bytesWritten += size
    const buffer = bytes as Buffer
    if (size <= INLINE_BYTES_MAX) {
      this.#text += buffer.latin1Slice(0, size)
      return
    }
    this.#pieces ??= []
    if (this.#text !== '') {
      this.#pieces.push(this.#text)
      this.#text = ''
    }
    this.#pieceBytes += size
    const isBorrowed = !stable && size > BORROWED_MIN && this.sendsAtOnce
    this.#pieces.push(stable || isBorrowed ? buffer : Buffer.from(bytes))
    if (isBorrowed) this.flushBorrowed()
  }

  /** What is flushed can be with the kernel at once. */
  protected get sendsAtOnce(): boolean {
    return false
  }

  /** Flushes, and copies what the kernel does not take at once. */
  protected flushBorrowed(): void {}

  /** It takes files by `writeFile`. */
  get takesFiles(): boolean {
    return false
  }

  /** Queues a part of a file. */
  writeFile(piece: FilePiece): void {
    piece.done(0)
  }

  /** Hands over what is corked now, because something else goes behind it. */
  protected flushCorked(): void {
    if (this.#corked) this.flush()
  }

  #cork(): void {
    this.#corked = true
    cork(this)
  }

  /** Hands what is queued to the kernel; the event's end calls it. */
  flush(): void {
    this.#corked = false
    const text = this.#text
    const pieces = this.#pieces
    this.#text = ''
    this.#pieces = undefined
    this.#pieceBytes = 0
    if (this.dead) return
    if (pieces !== undefined) {
      if (text !== '') pieces.push(text)
      this.send('', pieces)
    } else if (text !== '') this.send(text, undefined)
    if (this.#ending) {
      this.#ending = false
      this.sendEnd()
    }
    // The kernel took it all at once: whoever waits goes on when others had their turn.
    if (this.#drainWanted && !this.backedUp && this.kernelBytes === 0) setImmediate(() => this.drained())
  }

  /** Sends what is queued and then the end of the stream; reading goes on. */
  end(): void {
    this.#ending = true
    if (!this.#corked) this.#cork()
  }

  /** Closes at once. Output that the kernel has not taken is lost. */
  destroy(): void {
    if (this.#corked && !this.closed) this.flush()
    this.closeNow()
  }

  /** Closes when the kernel has taken all output, or none for `timeoutMs`; what the peer still sends is not read. */
  closeAfterFlush(timeoutMs: number): void {
    this.owner = NOBODY
    if (this.#corked) this.flush()
    if (this.kernelBytes === 0 || this.dead) this.closeNow()
    else this.closeWithin(timeoutMs)
  }

  /** Closes once the kernel has taken everything, or when the time is over. */
  protected closeWithin(timeoutMs: number): void {
    // A peer that never reads must not keep the descriptor.
    this.#closeTimer = new Timer(this)
    this.#closeTimer.purpose = timeoutMs
    setTimer(this.#closeTimer, timeoutMs)
    this.closeWhenFlushed()
  }

  /** Closes once `kernelBytes` is 0. */
  protected abstract closeWhenFlushed(): void

  onTimeout(timer: Timer): void {
    if (!this.stillTakes(timer, timer.purpose)) this.closeNow()
  }
}
