/**
 * TLS on an io_uring: OpenSSL's own engine between the ring and the owner of the wire (docs/adr/0030). It is a plain wire
 * until `begin`. What differs from one:
 *
 *   reading   what one completion brings is decrypted at once, into the thread's one buffer; when the owner pauses in
 *             between, the rest waits here as it came
 *   writing   what an event writes becomes records, which leave together with what OpenSSL has to say by itself: tickets,
 *             answers to key updates, the word that ends the connection
 *   closing   the peer is told (close_notify), and nobody waits for its answer, as in nginx
 *
 *   RingTlsServerWire  from a client   (ring-tls-server-wire.ts)
 *   RingTlsClientWire  to a back end   (ring-tls-client-wire.ts)
 */
import { NO_BYTES } from '../lib/bytes.ts'
import { clock } from '../lib/clock.ts'
import { soon } from '../lib/soon.ts'
import { addressOf } from '../sys/openssl.ts'
import {
  holdSealed,
  lastingPiece,
  plainText,
  RECORD_SIZE,
  releaseSealed,
  SSL_ENDED,
  SSL_NOT_EARLY,
  SSL_WANTS_MORE,
  type Ssl,
} from '../sys/ssl.ts'
import { cork } from './flush.ts'
import { RingWire } from './ring-wire.ts'
import type { RecordSizes } from './tls-server.ts'
import { TLS_UNREAD_MAX } from './tls-unread.ts'
import { type FilePiece, readBuffer } from './wire.ts'
import type { WireFailure } from './wire-failure.ts'

const READ_MAX = readBuffer.length - RECORD_SIZE
const NOTHING_MADE: Buffer[] = []
const LARGE_RECORDS: RecordSizes = { largest: RECORD_SIZE, growing: undefined }

let readBufferAt = 0

/** One TLS connection. */
export abstract class RingTlsWire extends RingWire {
  /** The engine; undefined before `begin`. */
  protected ssl: Ssl | undefined
  /** The handshake is over, and the peer has proved what it had to. */
  protected open = false
  /** How large records are that are sent. */
  protected recordSizes: RecordSizes = LARGE_RECORDS
  /** Records since the connection was silent, and when the last one was made. */
  #records = 0
  #recordMs = 0
  /** The peer sends nothing more. */
  #ended = false
  /** It has been told that we do not, either, or need not be. */
  #shut = false
  /** The wire is closed as soon as it is flushed. */
  #closing = false
  /** Came while reading was stopped. */
  #held: Buffer = NO_BYTES
  /** The same, of what came before the end of the handshake: at most what clients are allowed. */
  #early: Buffer = NO_BYTES
  /** Records that have not been handed over. */
  #made: Buffer[] = NOTHING_MADE
  #madeBytes = 0
  /** There are such, or they are with the ring. */
  #holds = false
  #isHandingOver = false
  /** What cannot be encrypted yet. */
  #waiting: Buffer[] = NOTHING_MADE
  #waitingBytes = 0
  /** What OpenSSL said by itself since the kernel has last taken everything. */
  #owed = 0

  /** The engine is done with the handshake; whoever finds nothing wrong sets `open`. */
  protected abstract onHandshakeDone(): void

  /** From now on TLS is spoken. */
  protected begin(ssl: Ssl): void {
    if (readBufferAt === 0) readBufferAt = addressOf(readBuffer)
    this.ssl = ssl
  }

  /** Closes because of what the peer did. */
  protected refuse(problem: string): void {
    this.fail({ kind: 'tls', problem })
  }

  // ---- input ---------------------------------------------------------------------------------

  protected override receivedIn(buffer: Buffer, size: number): void {
    const { ssl } = this
    if (ssl === undefined) return super.receivedIn(buffer, size)
    if (this.#ended || this.dead) return
    if (this.#early.length > 0) this.#releaseEarly()
    if (this.#held.length > 0) this.#giveHeld(ssl)
    if (size > 0) ssl.give(buffer, size)
    this.work(ssl)
  }

  #releaseEarly(): void {
    const early = this.#early
    this.#early = NO_BYTES
    super.receivedIn(early, early.length)
  }

  #giveHeld(ssl: Ssl): void {
    ssl.give(this.#held, this.#held.length)
    this.#held = NO_BYTES
  }

  /** Does what can be done with what came. */
  protected work(ssl: Ssl): void {
    if (ssl.mayBeEarly && !this.#readEarly(ssl)) return
    if (this.open || this.#handshake(ssl)) this.#readAll(ssl)
  }

  /** Reads what comes before the end of the handshake; true when there is nothing more of that, and the wire goes on. */
  #readEarly(ssl: Ssl): boolean {
    // Nobody wants it before there is an owner for it, who comes with the first piece.
    let size = 0
    let result = 1
    while (result > 0 && size <= READ_MAX) {
      result = ssl.readEarly(readBufferAt + size, readBuffer.length - size)
      if (result > 0) size += result
    }
    const problem = result < 0 && result !== SSL_NOT_EARLY ? problemOf(ssl, result, 'SSL_read_early_data()') : ''
    this.#collect(ssl)
    if (size > 0) {
      if (!this.open) this.onHandshakeDone()
      if (this.open && !this.dead && !this.reading) this.#early = Buffer.from(readBuffer.subarray(0, size))
      else if (this.open && !this.dead) super.receivedIn(readBuffer, size)
    }
    if (this.dead) {
      ssl.forget()
      return false
    }
    if (result === SSL_NOT_EARLY) return true
    if (result < 0) this.#over(problem)
    return false
  }

  /** Goes on with the handshake; true when it is over, and there is something to read. */
  #handshake(ssl: Ssl): boolean {
    const result = ssl.handshake()
    const problem = result < 0 ? problemOf(ssl, result, 'SSL_do_handshake()') : ''
    this.#collect(ssl)
    if (result < 0) this.#over(problem)
    if (result <= 0) return false
    this.onHandshakeDone()
    // A client that has nothing to say yet waits for the end of the handshake.
    if (this.open && !this.dead) return ssl.unused > 0 || this.#waiting.length > 0
    ssl.forget()
    return false
  }

  #readAll(ssl: Ssl): void {
    let size = 0
    let result = 1
    while (this.reading) {
      result = ssl.read(readBufferAt + size, readBuffer.length - size)
      if (result <= 0) break
      size += result
      // All of it was decrypted: asking once more would tell the same for more.
      if (ssl.unused === 0) {
        result = SSL_WANTS_MORE
        break
      }
      if (size <= READ_MAX) continue
      this.#collectOwed(ssl)
      super.receivedIn(readBuffer, size)
      size = 0
      if (this.dead || this.#ended) return ssl.forget()
    }
    if (result > 0) {
      this.#held = ssl.takeBack()
      return
    }
    const problem = result === SSL_WANTS_MORE ? '' : problemOf(ssl, result, 'SSL_read()')
    this.#collectOwed(ssl)
    if (this.#waiting.length > 0 && !this.dead) this.#writeWaiting()
    if (size > 0) super.receivedIn(readBuffer, size)
    if (result !== SSL_WANTS_MORE) this.#over(problem)
  }

  /** Nothing more comes: the peer has ended properly, or something is wrong. */
  #over(problem: string): void {
    if (problem !== '') return this.refuse(problem)
    if (this.dead) return
    this.pause()
    this.ended()
  }

  protected override ended(): void {
    if (this.#ended) return
    this.#ended = true
    super.ended()
  }

  override resume(): void {
    super.resume()
    // Not from within the call: whoever resumes is in the middle of something.
    if (this.#isHolding && this.reading) soon(release, this)
  }

  /** Goes on with what came while reading was stopped. */
  releaseHeld(): void {
    if (this.#isHolding && this.reading && !this.dead) this.received(0)
  }

  get #isHolding(): boolean {
    return this.#held.length > 0 || this.#early.length > 0
  }

  override get intact(): boolean {
    if (this.ssl === undefined) return super.intact
    return super.intact && this.open && !this.#ended && !this.#shut && !this.#isHolding
  }

  // ---- output --------------------------------------------------------------------------------

  protected override send(text: string, pieces: readonly (string | Buffer)[] | undefined): void {
    const { ssl } = this
    if (ssl === undefined) return super.send(text, pieces)
    let size = 0
    let max = this.#nextRecordSize()
    const count = pieces === undefined ? 1 : pieces.length
    for (let i = 0; i < count; i++) {
      const piece = pieces === undefined ? text : pieces[i]!
      for (let at = 0; at < piece.length; ) {
        if (size === 0 && typeof piece !== 'string' && piece.length - at >= RECORD_SIZE && this.#isPlain) {
          const whole = piece.length - at - ((piece.length - at) % RECORD_SIZE)
          this.#writeWhole(ssl, piece, at, whole)
          at += whole
          continue
        }
        const part = Math.min(piece.length - at, max - size)
        if (typeof piece === 'string') plainText.latin1Write(at === 0 ? piece : piece.slice(at), size, part)
        else piece.copy(plainText, size, at, at + part)
        at += part
        size += part
        if (size < max) continue
        this.#write(ssl, size)
        size = 0
        max = this.#nextRecordSize()
      }
    }
    if (size > 0) this.#write(ssl, size)
    this.#collect(ssl)
  }

  /** All records are as large as can be: OpenSSL may cut a piece to them by itself. */
  get #isPlain(): boolean {
    return this.recordSizes.largest === RECORD_SIZE && this.recordSizes.growing === undefined
  }

  /** Makes a record of what stands in `plainText`, or keeps it until the engine can. */
  #write(ssl: Ssl, size: number): void {
    const result = this.#waiting.length > 0 ? SSL_WANTS_MORE : ssl.writePlain(size)
    if (result <= 0) this.#written(ssl, result, plainText, 0, size)
  }

  /** Makes records of a part of a piece where it lies, with one call for all. */
  #writeWhole(ssl: Ssl, piece: Buffer, at: number, size: number): void {
    const result = this.#waiting.length > 0 ? SSL_WANTS_MORE : ssl.write(addressOf(piece) + at, size)
    if (result <= 0) this.#written(ssl, result, piece, at, size)
  }

  /** Nothing was written: something is wrong, or it has to wait. */
  #written(ssl: Ssl, result: number, bytes: Buffer, at: number, size: number): void {
    if (result !== SSL_WANTS_MORE) return this.refuse(problemOf(ssl, result, 'SSL_write()'))
    if (this.#waiting.length === 0) this.#waiting = []
    this.#waiting.push(Buffer.from(bytes.subarray(at, at + size)))
    this.#waitingBytes += size
  }

  /** The peer has said more: what waits for the end of another handshake is tried again. */
  #writeWaiting(): void {
    const waiting = this.#waiting
    this.#waiting = NOTHING_MADE
    this.#waitingBytes = 0
    this.send('', waiting)
  }

  /** A connection that begins, or was silent, sends small records, which a client can use as soon as one packet is there. */
  #nextRecordSize(): number {
    const { largest, growing } = this.recordSizes
    if (growing === undefined) return largest
    const now = clock.monotonic
    if (now - this.#recordMs > growing.timeoutMs) this.#records = 0
    this.#recordMs = now
    const sent = this.#records++
    if (sent > 2 * growing.threshold) return largest
    return sent > growing.threshold ? growing.high : growing.low
  }

  /** Takes what the engine has made: the next connection uses the same buffer. */
  #collect(ssl: Ssl): void {
    for (let piece = ssl.take(); piece !== undefined; piece = ssl.isEmptied ? undefined : ssl.take()) {
      if (this.#made.length === 0) {
        this.#made = []
        cork(this)
        if (!this.#holds) holdSealed()
        this.#holds = true
      }
      this.#made.push(piece)
      this.#madeBytes += piece.length
    }
  }

  /** The same of what it said by itself: a peer that makes it say things and takes none of them is not waited for. */
  #collectOwed(ssl: Ssl): void {
    if (this.kernelBytes === 0) this.#owed = 0
    const before = this.#madeBytes
    this.#collect(ssl)
    this.#owed += this.#madeBytes - before
    if (this.#owed > TLS_UNREAD_MAX) this.refuse('SSL_read() failed (SSL: too many key updates)')
  }

  override flush(): void {
    super.flush()
    if (this.ssl === undefined) return
    if (this.#closing) this.#closeNotify(this.ssl)
    this.#handOver()
  }

  #handOver(): void {
    if (this.#made.length === 0) return
    const made = this.#made
    this.#made = NOTHING_MADE
    this.#madeBytes = 0
    // What is with the ring already is settled by this, and these are not.
    this.#isHandingOver = true
    if (!this.dead) super.send('', made)
    this.#isHandingOver = false
    if (!this.isQueued) this.#release()
  }

  /** Nobody needs the pieces any more that were made. */
  #release(): void {
    if (!this.#holds || this.#isHandingOver || this.#made.length > 0) return
    this.#holds = false
    releaseSealed()
  }

  override settled(): void {
    super.settled()
    this.#release()
  }

  protected override kept(piece: string | Buffer): string | Buffer {
    return typeof piece === 'string' ? piece : lastingPiece(piece)
  }

  protected override get kernelBytes(): number {
    return super.kernelBytes + this.#madeBytes + this.#waitingBytes
  }

  /** Tells the peer that nothing more comes, if that can be told. */
  #closeNotify(ssl: Ssl): void {
    if (this.#shut || !this.open || this.dead) return
    this.#shut = true
    ssl.end()
    this.#collect(ssl)
  }

  protected override sendEnd(): void {
    if (this.ssl !== undefined) this.#closeNotify(this.ssl)
    this.#handOver()
    super.sendEnd()
  }

  protected override get sendsAtOnce(): boolean {
    return this.ssl === undefined && super.sendsAtOnce
  }

  override get takesFiles(): boolean {
    return this.ssl === undefined && super.takesFiles
  }

  override writeFile(piece: FilePiece): void {
    if (this.ssl === undefined) super.writeFile(piece)
    else piece.done(0)
  }

  // ---- the end -------------------------------------------------------------------------------

  override destroy(): void {
    this.#closing = true
    super.destroy()
  }

  /**
   * A client that ends its side right behind its request says so in a record (close_notify). Where that has not been received
   * when the descriptor is closed, the kernel resets the connection, and the client loses what it has not read.
   */
  protected override get leavesAtOnce(): boolean {
    return false
  }

  override closeAfterFlush(timeoutMs: number): void {
    this.#closing = true
    super.closeAfterFlush(timeoutMs)
  }

  override fail(failure: WireFailure): void {
    this.open = false
    super.fail(failure)
  }

  protected override closeNow(): void {
    if (this.dead) return
    // Who has ended hears no more, and who does not read would not, either.
    if (this.ssl !== undefined && !this.#ended && !this.isStuck) this.#closeNotify(this.ssl)
    this.#handOver()
    this.#held = this.#early = NO_BYTES
    super.closeNow()
  }

  /** `reset_timedout_connection`: the peer is not told in the way of TLS, but by the kernel. */
  override reset(): void {
    this.#shut = true
    super.reset()
  }

  protected override lost(failure: WireFailure | undefined): void {
    // Whoever hears of the end may still ask what was agreed on.
    super.lost(failure)
    if (this.ssl?.freed === false) this.ssl.free()
  }

  /** The engine can be asked. */
  protected get alive(): boolean {
    return this.ssl?.freed === false
  }
}

/** Why nothing more comes, as nginx says it; empty when the peer has ended. What it has sent besides is forgotten. */
function problemOf(ssl: Ssl, result: number, doing: string): string {
  if (result === SSL_ENDED) {
    ssl.forget()
    return ''
  }
  const problem = ssl.problem()
  return problem === '' ? `${doing} failed` : `${doing} failed (SSL: ${problem})`
}

function release(wire: RingTlsWire): void {
  wire.releaseHeld()
}
