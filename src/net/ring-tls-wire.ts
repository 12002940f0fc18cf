/**
 * TLS on an io_uring: OpenSSL's own engine between the ring and the owner of the wire (docs/adr/0030). It is a plain wire
 * until `begin`. What differs from one:
 *
 *   reading   what one completion brings is decrypted at once, into the thread's one buffer; when the owner pauses in
 *             between, the rest waits here as it came
 *   writing   the little that an event writes becomes a record, which leaves together with what OpenSSL has to say by itself:
 *             tickets, answers to key updates, the word that ends the connection. Much is encrypted piece by piece when the
 *             kernel takes it, files among it, and given to it while it is at hand (plain-output.ts): what a peer does
 *             not take is not encrypted. The order of records is that in which they are made, so behind what waits
 *             everything waits, but what OpenSSL says
 *   closing   the peer is told (close_notify), and nobody waits for its answer, as in nginx
 *   its end   the same word of the peer is told from the end of its socket, which is waited for: what it sends in between is
 *             not for anybody
 *
 *   RingTlsServerWire  from a client   (ring-tls-server-wire.ts)
 *   RingTlsClientWire  to a back end   (ring-tls-client-wire.ts)
 */
import { NO_BYTES } from '../lib/bytes.ts'
import { clock } from '../lib/clock.ts'
import { addressOf } from '../sys/openssl.ts'
import { plainText, RECORD_SIZE, SSL_ENDED, SSL_NOT_EARLY, SSL_WANTS_MORE, type Ssl } from '../sys/ssl.ts'
import { cork } from './flush.ts'
import { sizeOf } from './pieces.ts'
import { type FileReader, PlainOutput } from './plain-output.ts'
import { RingWire } from './ring-wire.ts'
import type { RecordSizes } from './tls-server.ts'
import { TLS_UNREAD_MAX } from './tls-unread.ts'
import { type FilePiece, readBuffer } from './wire.ts'
import type { WireFailure } from './wire-failure.ts'

const READ_MAX = readBuffer.length - RECORD_SIZE
/** What is read and encrypted at a time: it stays in the processor's cache meanwhile. */
const AT_ONCE = plainText.length
/** So much of a connection's output is encrypted in one turn, which takes a tenth of a millisecond. */
const TURN = 2 * AT_ONCE
/** What encrypting costs, beside having the kernel move as much from a file. */
const COST = 4
const NOTHING_MADE: Buffer[] = []
const LARGE_RECORDS: RecordSizes = { largest: RECORD_SIZE, growing: undefined }

let readBufferAt = 0

/** One TLS connection. */
export abstract class RingTlsWire extends RingWire implements FileReader {
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
  /** It has said so, and its socket has not ended. */
  #mayListen = false
  /** What it sends all the same, in bytes. */
  #ignored = 0
  /** `bytesWritten` when it sent its last byte; -1 while some of that was on its way. */
  #writtenAtEnd = 0
  /** It has been told that we do not, either, or need not be. */
  #shut = false
  /** The wire is closed as soon as it is flushed. */
  #closing = false
  /** It is about to be closed: what the kernel does not get now, it never gets. */
  #hurries = false
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
  /** What is not encrypted yet, if there is any. */
  #plain: PlainOutput | undefined
  /** Nothing can be encrypted before the peer has said more: it has begun another handshake. */
  #awaitsPeer = false
  /** The kernel has said that there is room. */
  #hasWaited = false
  /** What is written goes together with the file that follows. */
  #precedesFile = false
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
    if (this.dead) return
    if (this.#ended) return this.#ignore(size)
    if (this.#early.length > 0) this.#releaseEarly()
    if (this.#held.length > 0) this.#giveHeld(ssl)
    if (size > 0) ssl.give(buffer, size)
    this.work(ssl)
  }

  /** Who says much behind its last word is not read any more: what becomes of its socket shows when it is written. */
  #ignore(size: number): void {
    this.#ignored += size
    if (this.#ignored > TLS_UNREAD_MAX) this.pause()
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
    if (this.open && !this.dead) return ssl.unused > 0 || this.#awaitsPeer
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
    if (this.#awaitsPeer && !this.dead) {
      this.#awaitsPeer = false
      this.attendLater()
    }
    if (size > 0) super.receivedIn(readBuffer, size)
    if (result !== SSL_WANTS_MORE) this.#over(problem)
  }

  /** Nothing more comes: the peer has ended properly, or something is wrong. */
  #over(problem: string): void {
    if (problem !== '') return this.refuse(problem)
    if (this.dead || this.#ended) return
    this.#mayListen = true
    this.ended()
  }

  /** Nothing more comes, or not even its socket is there any more. */
  protected override ended(): void {
    if (this.#ended) return this.#left()
    this.#ended = true
    this.#writtenAtEnd = this.pendingBytes > 0 ? -1 : this.bytesWritten
    super.ended()
  }

  #left(): void {
    if (!this.#mayListen) return
    this.#mayListen = false
    this.gone()
  }

  override get mayListen(): boolean {
    return this.#mayListen
  }

  /** It is told that the connection ends: who does not read is not, and who has ended only when something came for it since. */
  #isTold(): boolean {
    if (this.isStuck) return false
    return !this.#ended || (this.#mayListen && this.bytesWritten !== this.#writtenAtEnd)
  }

  override resume(): void {
    super.resume()
    if (this.isHolding) this.attendLater()
  }

  /** Goes on with what came while reading was stopped: it is older than all that the ring has. */
  override attend(): void {
    if (this.isHolding && this.reading) this.receivedIn(readBuffer, 0)
    super.attend()
  }

  protected override get isHolding(): boolean {
    return this.#held.length > 0 || this.#early.length > 0
  }

  override get intact(): boolean {
    if (this.ssl === undefined) return super.intact
    return super.intact && this.open && !this.#ended && !this.#shut && !this.isHolding
  }

  // ---- output --------------------------------------------------------------------------------

  protected override send(text: string, pieces: readonly (string | Buffer)[] | undefined): void {
    const { ssl } = this
    if (ssl === undefined) return super.send(text, pieces)
    const size = pieces === undefined ? text.length : sizeOf(pieces)
    if (this.#plain === undefined && size < RECORD_SIZE && !this.#precedesFile) {
      if (pieces === undefined) plainText.latin1Write(text, 0, size)
      else copyAll(pieces)
      return this.#writeLittle(ssl, size)
    }
    const plain = this.#waiting()
    if (pieces === undefined) plain.push(text)
    else for (let i = 0; i < pieces.length; i++) plain.push(pieces[i]!)
    if (!this.#precedesFile && plain.size === size && this.hasMore) this.makeMore()
  }

  #waiting(): PlainOutput {
    this.#plain ??= new PlainOutput()
    return this.#plain
  }

  /** Makes records of what stands in `plainText`, which leave with those of other wires. */
  #writeLittle(ssl: Ssl, size: number): void {
    const written = this.#write(ssl, size, false)
    if (written < size && !this.dead) this.#waiting().push(Buffer.from(plainText.subarray(written, size)))
    this.#collect(ssl)
  }

  /** Makes records of what stands in `plainText`; returns how much of it they hold. No record is short when more `follows`. */
  #write(ssl: Ssl, size: number, follows: boolean): number {
    let at = 0
    while (at < size) {
      const max = this.#isPlain() ? size : this.#recordSize()
      if (follows && at > 0 && size - at < max) break
      const part = Math.min(size - at, max)
      const result = ssl.writePlain(at, part)
      if (result <= 0) {
        this.#notWritten(ssl, result)
        break
      }
      at += part
      this.#records++
    }
    return at
  }

  /** Something is wrong, or it has to wait. */
  #notWritten(ssl: Ssl, result: number): void {
    if (result === SSL_WANTS_MORE) this.#awaitsPeer = true
    else this.refuse(problemOf(ssl, result, 'SSL_write()'))
  }

  /** All records are as large as can be: OpenSSL may cut a piece to them by itself. */
  #isPlain(): boolean {
    return this.recordSizes.largest === RECORD_SIZE && this.recordSizes.growing === undefined
  }

  protected override get hasMore(): boolean {
    return this.#plain !== undefined && !this.#awaitsPeer
  }

  /** Encrypts what waits, as much of it as the kernel takes in a turn; it leaves when the event is over. */
  protected override makeMore(): void {
    const ssl = this.ssl!
    const plain = this.#plain!
    if (this.isFull) return
    const most = this.#hurries ? plain.size : this.#turn()
    if (most === 0) return
    const size = this.#encrypt(ssl, plain, most)
    this.ring.moved += COST * size
    this.#collect(ssl)
    if (this.dead || plain.size > 0) return
    this.#plain = undefined
    if (this.isEnding) this.#closeNotify(ssl)
  }

  /** How much may be encrypted in this turn; 0: it has not come yet. */
  #turn(): number {
    if (this.ring.hasMovedMuch) this.attendLater()
    else {
      const { room } = this
      // Rather much at once than little again and again. Some sockets never have more room than they are said to have then.
      if (room >= Math.min(this.#plain!.size, AT_ONCE) || this.#hasWaited) {
        this.#hasWaited = false
        return Math.min(TURN, Math.max(room - (room % RECORD_SIZE), RECORD_SIZE))
      }
      this.#hasWaited = true
      this.waitUntilWritable()
    }
    return 0
  }

  /** Encrypts what comes next, and returns how much of it. */
  #encrypt(ssl: Ssl, plain: PlainOutput, most: number): number {
    let size = 0
    while (size < most && plain.size > 0) {
      const max = Math.min(AT_ONCE, most - size)
      // No record is short because a turn is over.
      if (size > 0 && max < this.recordSizes.largest) break
      const whole = this.#isPlain() ? plain.whole(max) : undefined
      const count = whole === undefined ? plain.copy(plainText, max, this) : whole.length
      const written = whole === undefined ? this.#write(ssl, count, plain.size > count) : this.#writeWhole(ssl, whole)
      plain.skip(written)
      size += written
      if (written > 0) continue
      // What was there of the file leaves before.
      if (count === 0 && size === 0 && !this.isFull) this.#endEarly(plain)
      break
    }
    return size
  }

  /** Makes records of bytes where they lie, with one call for all; returns how many they are. */
  #writeWhole(ssl: Ssl, bytes: Buffer): number {
    const result = ssl.write(addressOf(bytes), bytes.length)
    if (result <= 0) this.#notWritten(ssl, result)
    return Math.max(0, result)
  }

  /** A file has become shorter: what was promised cannot be sent, and only closing tells the peer. */
  #endEarly(plain: PlainOutput): void {
    this.#shut = true
    plain.clear(true)
    this.closeNow()
  }

  /** A connection that begins, or was silent, sends small records, which a client can use as soon as one packet is there. */
  #recordSize(): number {
    const { largest, growing } = this.recordSizes
    if (growing === undefined) return largest
    const now = clock.monotonic
    if (now - this.#recordMs > growing.timeoutMs) this.#records = 0
    this.#recordMs = now
    if (this.#records > 2 * growing.threshold) return largest
    return this.#records > growing.threshold ? growing.high : growing.low
  }

  /** Takes what the engine has made: the next connection uses the same buffer. */
  #collect(ssl: Ssl): void {
    const piece = ssl.output.take()
    if (piece === undefined) return
    if (this.#made.length === 0) {
      this.#made = []
      cork(this)
      if (!this.#holds) ssl.output.hold()
      this.#holds = true
    }
    this.#made.push(piece)
    this.#madeBytes += piece.length
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
    this.ssl!.output.release()
  }

  override settled(): void {
    super.settled()
    this.#release()
  }

  protected override kept(piece: string | Buffer): string | Buffer {
    return typeof piece === 'string' || this.ssl === undefined ? piece : this.ssl.output.lasting(piece)
  }

  protected override get kernelBytes(): number {
    return super.kernelBytes + this.#madeBytes + (this.#plain?.size ?? 0)
  }

  protected override get restBytes(): number {
    return super.restBytes + (this.#plain?.size ?? 0)
  }

  /** Tells the peer that nothing more comes, if that can be told. */
  #closeNotify(ssl: Ssl): void {
    if (this.#shut || !this.open || this.dead || this.#plain !== undefined) return
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
    return this.ssl === undefined ? super.takesFiles : this.open
  }

  override writeFile(piece: FilePiece): void {
    if (this.ssl === undefined) return super.writeFile(piece)
    if (this.dead) return piece.done(0)
    this.bytesWritten += piece.length
    this.#precedesFile = true
    this.flushCorked()
    this.#precedesFile = false
    this.#waiting().push(piece)
    if (!this.isFull) this.attendLater()
  }

  readPart(piece: FilePiece, from: number, to: number, size: number): number {
    return this.readFile(piece.fd, this.ssl!.plainTextAt + to, size, piece.at + from)
  }

  // ---- the end -------------------------------------------------------------------------------

  override destroy(): void {
    this.#closing = this.#hurries = true
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
    if (this.ssl !== undefined && this.#isTold()) this.#closeNotify(this.ssl)
    this.#handOver()
    this.#held = this.#early = NO_BYTES
    super.closeNow()
    const plain = this.#plain
    this.#plain = undefined
    plain?.clear(false)
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

/** Puts pieces that fit together into `plainText`. */
function copyAll(pieces: readonly (string | Buffer)[]): void {
  for (let i = 0, at = 0; i < pieces.length; i++) {
    const piece = pieces[i]!
    if (typeof piece === 'string') plainText.latin1Write(piece, at, piece.length)
    else piece.copy(plainText, at)
    at += piece.length
  }
}
