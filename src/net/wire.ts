/**
 * A wire is one byte-stream socket as the data plane sees it: bytes in as borrowed pieces of one shared buffer, bytes
 * out corked until the event ends. The only file that knows how Node's sockets are driven at full speed:
 *
 * - accepted sockets are built again around their handle with `onread`, which reads every socket of the thread into one
 *   buffer instead of allocating one per read;
 * - text is written as latin1 (one char = one byte), which needs no Buffer.
 */
import net from 'node:net'
import { clock } from '../lib/clock.ts'
import { beginEvent, type Corked, cork, flushWires } from './flush.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from './timer-wheel.ts'

const READ_BUFFER_SIZE = 65536
/** Below this size copying bytes into the outgoing text is cheaper than one more piece for the kernel. */
const INLINE_BYTES_MAX = 4096
/** A producer that fills more than this in one event waits until other connections had their turn. */
const CORKED_BYTES_MAX = 262144

/** Receives what happens on a wire. Bytes are borrowed: they are overwritten when `onBytes` returns. */
export interface WireOwner {
  onBytes(buffer: Buffer, size: number): void
  /** The peer takes bytes again after `full`. */
  onDrain(): void
  /** The peer sent its last byte; the wire may still be written. */
  onEnd(): void
  /** The wire is gone, with the errno name if that was an error. Called exactly once. */
  onClose(error: string | undefined): void
}

const NOBODY: WireOwner = { onBytes() {}, onDrain() {}, onEnd() {}, onClose() {} }

const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_SIZE)

/** Node's handle, as far as it is used here. */
interface Handle {
  close(): void
}

/** One connected (or connecting) stream socket. */
export class Wire implements Corked, TimerOwner {
  owner: WireOwner = NOBODY
  readonly socket: net.Socket
  /** Bytes handed to the socket and still corked, in total. */
  bytesWritten = 0
  bytesRead = 0
  closed = false
  #text = ''
  #pieces: (string | Buffer)[] | undefined
  #corked = false
  #ending = false
  /** Bytes corked as pieces; text counts by its length. */
  #pieceBytes = 0
  #saidFull = false
  #error: string | undefined

  constructor(handle: Handle | undefined, options: net.SocketConstructorOpts = {}) {
    this.socket = new net.Socket({
      ...options,
      ...(handle === undefined ? {} : { handle }),
      allowHalfOpen: true,
      onread: { buffer: readBuffer, callback: (size: number) => this.#onread(size) },
    } as net.SocketConstructorOpts)
    this.socket.on('drain', () => this.#ondrain())
    this.socket.on('end', () => {
      clock.update()
      beginEvent()
      this.owner.onEnd()
      flushWires()
    })
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error.code ?? 'EIO'
    })
    this.socket.on('close', () => this.#onclose())
  }

  /** True when more output only makes memory grow: stop until `onDrain`. */
  get full(): boolean {
    if (this.socket.writableNeedDrain) return true
    if (this.#pieceBytes + this.#text.length < CORKED_BYTES_MAX) return false
    this.#saidFull = true
    return true
  }

  /** Bytes that the kernel has not taken yet. */
  get pendingBytes(): number {
    return this.socket.writableLength + this.#text.length + this.#pieceBytes
  }

  #onread(size: number): boolean {
    this.bytesRead += size
    clock.update()
    beginEvent()
    this.owner.onBytes(readBuffer, size)
    flushWires()
    return true
  }

  #onclose(): void {
    if (this.closed) return
    this.closed = true
    clock.update()
    beginEvent()
    const owner = this.owner
    this.owner = NOBODY
    owner.onClose(this.#error)
    flushWires()
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
    this.#pieces.push(stable ? buffer : Buffer.from(bytes))
  }

  #cork(): void {
    this.#corked = true
    cork(this)
  }

  /** Hands what is queued to the kernel; the event's end calls it. */
  flush(): void {
    this.#corked = false
    const text = this.#text
    this.#text = ''
    const { socket } = this
    if (socket.destroyed) {
      this.#pieces = undefined
      return
    }
    if (this.#pieces === undefined) {
      if (text !== '') socket.write(text, 'latin1')
    } else {
      const pieces = this.#pieces
      this.#pieces = undefined
      this.#pieceBytes = 0
      if (text !== '') pieces.push(text)
      socket.cork()
      for (const piece of pieces) {
        if (typeof piece === 'string') socket.write(piece, 'latin1')
        else socket.write(piece)
      }
      socket.uncork()
    }
    if (this.#ending) {
      this.#ending = false
      socket.end()
    }
    if (!this.#saidFull) return
    this.#saidFull = false
    // Node emits `drain` only for what it called full itself.
    if (!socket.writableNeedDrain) setImmediate(() => this.#ondrain())
  }

  #ondrain(): void {
    if (this.closed) return
    clock.update()
    beginEvent()
    this.owner.onDrain()
    flushWires()
  }

  /** Stops reading; the kernel's buffer then makes the peer wait. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Sends what is queued and then the end of the stream; reading goes on. */
  end(): void {
    this.#ending = true
    if (!this.#corked) this.#cork()
  }

  /** Closes when the kernel has taken all output, or after `timeoutMs`; what the peer still sends is not read. */
  closeAfterFlush(timeoutMs: number): void {
    this.owner = NOBODY
    if (this.#corked) this.flush()
    if (this.socket.writableLength === 0) {
      this.socket.destroy()
      return
    }
    // A peer that never reads must not keep the descriptor.
    const timer = new Timer(this)
    setTimer(timer, timeoutMs)
    this.socket.end(() => {
      cancelTimer(timer)
      this.socket.destroy()
    })
    this.socket.once('close', () => cancelTimer(timer))
  }

  onTimeout(): void {
    this.socket.destroy()
  }

  /** Probes an idle peer after that many seconds (0: the system's default). */
  setKeepAlive(idleSeconds: number): void {
    this.socket.setKeepAlive(true, idleSeconds * 1000)
  }

  setNoDelay(): void {
    this.socket.setNoDelay(true)
  }

  /** Closes at once. Output that the kernel has not taken is lost. */
  destroy(): void {
    if (this.#corked && !this.closed) this.flush()
    this.socket.destroy()
  }

  /** Closes at once with a reset, as `reset_timedout_connection` asks. */
  reset(): void {
    this.socket.resetAndDestroy()
  }
}
