/**
 * A wire on an io_uring: the kernel receives into buffers of the ring until it is told to stop, and what an event sends is
 * handed over together with that of all other wires.
 *
 *   reading   one operation brings small pieces until it is cancelled, without a call. That is for peers that say a little
 *             at a time: a piece that is full shows that this one has much to say, and one that comes while the wire is paused
 *             that it is not wanted. Then bytes are drawn by a call, when there are some and the owner wants them, many at
 *             once, in turn with those of other wires, until they are few again. What has come in the meantime is kept here.
 *   writing   a send is done or has failed when it has been submitted; what the kernel did not take is kept here, and sent
 *             when the socket is writable. One send at a time is under way, or they would overtake each other.
 *   closing   behind the last bytes together with them, if the kernel takes all; what is under way is cancelled, and the slot is
 *             given back when all of it has completed
 */
import { getSystemErrorName } from 'node:util'
import { hostIn, portIn } from '../sys/socket-address.ts'
import type { StreamHandle } from './handle-wire.ts'
import { behind, cut, sizeOf } from './pieces.ts'
import { ASKED, MORE, type Ring, type RingUser } from './ring.ts'
import { StreamWire } from './stream-wire.ts'
import { type FilePiece, readBuffer } from './wire.ts'
import type { SystemCall, WireFailure } from './wire-failure.ts'

/** What a peer has to take before its producers go on, in bytes. */
const BACKED_UP_BYTES = 65536
/** What is kept is joined to pieces of this size when it is sent. */
const JOINED_MAX = 262144

/** A peer that says no more than this at a time is one that says little. */
const FEW_BYTES = 4096

const EAGAIN = -11
const ENOBUFS = -105
const ECANCELED = -125
const EINTR = -4

const SHUT_WR = 1
const SOL_SOCKET = 1
const SO_KEEPALIVE = 9
const SO_LINGER = 13
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const TCP_KEEPIDLE = 4
/** On, and no time to linger. */
const LINGER_NOT: Uint8Array = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)

/** A part of a file, with what of it has been sent. */
class FilePart {
  readonly piece: FilePiece
  at: number
  length: number

  constructor(piece: FilePiece) {
    this.piece = piece
    this.at = piece.at
    this.length = piece.length
  }
}

type Piece = string | Buffer | FilePart

/** Most wires never keep anything. */
const NOTHING: Buffer[] = []
const NO_PIECES: Piece[] = []

/** Hears how connecting went: 0 or a negative errno. */
interface RingConnectOwner {
  onRingConnected(result: number): void
}

export class RingWire extends StreamWire implements RingUser {
  readonly #ring: Ring
  readonly #fd: number
  readonly #slot: number
  readonly #isInternet: boolean
  /** Operations that have not completed. */
  #operations = 0
  #reading = false
  #receiving = false
  #stopping = false
  /** Something has come: whoever has said one thing may say more. */
  #hasReceived = false
  /** Bytes are drawn by calls. */
  #drawing = false
  /** The ring looks whether there is something to be drawn. */
  #awaiting = false
  /** Arrived while reading was stopped; then the end, as a result of receiving. */
  #held: Buffer[] = NOTHING
  #heldEnd = 1
  #atEnd = false
  /** What is being sent belongs to somebody else, and is copied when it has to be kept. */
  #isBorrowing = false
  /** Handed to the ring and not submitted yet. */
  #queued = 0
  /** What the kernel has not taken, in order. */
  #rest: Piece[] = NO_PIECES
  #restBytes = 0
  /** The pieces of the send under way. */
  #sending: string | readonly (string | Buffer)[] = ''
  /** Nothing is sent: the socket is full, or the last send has failed. */
  #blocked = false
  /** The ring looks whether the socket is writable. */
  #polling = false
  #dead = false
  #ending = false
  #ended = false
  #closeWhenFlushed = false
  /** What is sent from now on is the last; how many milliseconds a peer has that does not take it. Else -1. */
  #lastMs = -1
  /** The last bytes are with the ring, and closing behind them. */
  #leaving = false
  #attending = false
  /** The slot is given back. */
  #left = false
  #connectOwner: RingConnectOwner | undefined
  #failure: WireFailure | undefined
  #peerHost: string | undefined
  #peerPort = 0

  /** Takes over a descriptor; `isInternet`: of the internet, and not a unix socket. */
  constructor(ring: Ring, fd: number, isInternet: boolean) {
    super()
    this.#ring = ring
    this.#fd = fd
    this.#isInternet = isInternet
    this.#slot = ring.enter(this)
    ring.own(fd)
  }

  /** Begins to connect; the owner hears of it once, unless the wire is closed first. */
  connect(address: Uint8Array, owner: RingConnectOwner): void {
    this.#connectOwner = owner
    this.#operations++
    this.#ring.connect(this.#slot, this.#fd, address)
  }

  override release(): StreamHandle {
    throw new Error('assertion failed: TLS is laid over handles')
  }

  // ---- completions ---------------------------------------------------------------------------

  completed(operation: number, result: number, flags: number, input: Buffer | undefined): void {
    if (operation === ASKED.RECEIVE) this.#received(result, flags, input)
    else if (operation === ASKED.SEND) this.#sendFailed(result)
    else {
      this.#operations--
      if (operation === ASKED.WRITABLE) this.#onWritable(result)
      else if (operation === ASKED.READABLE) this.#onReadable()
      else if (operation === ASKED.CONNECT) this.#onConnected(result)
    }
    if (this.#dead) this.#leaveIfDone()
  }

  #received(result: number, flags: number, input: Buffer | undefined): void {
    if ((flags & MORE) === 0) {
      this.#operations--
      this.#receiving = false
      this.#stopping = false
    }
    if (this.#dead) return
    this.#hasReceived = true
    if (result > 0) {
      if (!this.#reading || this.#held.length > 0) this.#hold(input!, result)
      else {
        if (result === input!.length) this.#beginDrawing()
        this.receivedIn(input!, result)
      }
    } else if (result === ENOBUFS) this.#drawing = true
    else if (result !== ECANCELED && result !== EAGAIN && result !== EINTR) {
      if (this.#reading && this.#held.length === 0) return this.#end(result)
      this.#heldEnd = result
    }
    this.#readOn()
  }

  /** Arrived while nobody wants it: no more of it. */
  #hold(input: Buffer, size: number): void {
    if (this.#held === NOTHING) this.#held = []
    this.#held.push(Buffer.from(input.subarray(0, size)))
    this.#beginDrawing()
  }

  #end(result: number): void {
    if (this.isHolding) {
      this.#heldEnd = result
      return this.attendLater()
    }
    this.#reading = false
    if (result < 0) return this.#fail('recv', result)
    this.#atEnd = true
    this.ended()
  }

  /** The owner has not got all that was received before. */
  protected get isHolding(): boolean {
    return false
  }

  #receive(): void {
    this.#receiving = true
    this.#operations++
    if (this.#hasReceived) this.#ring.receive(this.#slot, this.#fd)
    else this.#ring.receiveOnce(this.#slot, this.#fd)
  }

  #beginDrawing(): void {
    this.#drawing = true
    if (!this.#receiving || this.#stopping) return
    this.#stopping = true
    this.#ring.cancel(this.#slot, ASKED.RECEIVE)
  }

  /** Sees to it that more is read if it is wanted. The owner is not called from here, which may be in the middle of something. */
  #readOn(): void {
    if (!this.#reading || this.#receiving || this.#awaiting || this.#dead) return
    if (this.#drawing || this.#held.length > 0 || this.#heldEnd <= 0) this.attendLater()
    else this.#receive()
  }

  /** Draws what is there, as much as others can wait for. */
  #draw(): void {
    const result = this.#ring.calls.receive(this.#fd, readBuffer)
    if (result === EAGAIN || result === EINTR) this.#awaitInput()
    else if (result <= 0) this.#end(result)
    else {
      this.#drawing = result >= FEW_BYTES
      this.receivedIn(readBuffer, result)
      // More is there, or will be soon; in either case it is not this wire's turn.
      if (result < readBuffer.length && this.#drawing && this.#reading && !this.#dead) this.#awaitInput()
      else this.#readOn()
    }
  }

  #awaitInput(): void {
    this.#awaiting = true
    this.#operations++
    this.#ring.whenReadable(this.#slot, this.#fd)
  }

  #onReadable(): void {
    this.#awaiting = false
    this.#readOn()
  }

  #onConnected(result: number): void {
    const owner = this.#connectOwner
    this.#connectOwner = undefined
    if (!this.#dead) owner?.onRingConnected(result)
  }

  // ---- output --------------------------------------------------------------------------------

  protected send(text: string, pieces: readonly (string | Buffer)[] | undefined): void {
    if (this.#queued > 0) this.#ring.submit()
    if (this.#restBytes > 0) {
      if (pieces === undefined) this.#keep(text)
      else for (let i = 0; i < pieces.length; i++) this.#keep(this.kept(pieces[i]!))
    } else {
      const size = pieces === undefined ? text.length : sizeOf(pieces)
      if (size > this.#ring.sendMax) this.#sendMuch(pieces ?? [text], size)
      else {
        this.#queued = size
        this.#sending = pieces ?? text
        const ring = this.#ring
        if (this.#lastMs >= 0) this.#leave()
        if (this.hasMore) ring.moreFollows = true
        if (pieces === undefined) ring.sendText(this, this.#slot, this.#fd, text)
        else ring.sendPieces(this, this.#slot, this.#fd, pieces, size)
        ring.closeFollows = ring.moreFollows = false
      }
    }
  }

  override closeAfterFlush(timeoutMs: number): void {
    if (this.leavesAtOnce) this.#lastMs = timeoutMs
    super.closeAfterFlush(timeoutMs)
  }

  protected override closeWithin(timeoutMs: number): void {
    if (!this.#leaving) super.closeWithin(timeoutMs)
  }

  /** What is sent next is the last, and the descriptor is closed with it. */
  #leave(): void {
    this.#leaving = true
    this.#reading = false
    this.#cancelInput()
    this.#ring.disown(this.#fd)
    this.#ring.closeFollows = true
  }

  /** The kernel did not take all, and has not closed the descriptor. */
  #stay(): void {
    this.#leaving = false
    if (this.#dead) return this.#ring.closeDescriptor(this.#fd)
    this.#ring.own(this.#fd)
    super.closeWithin(this.#lastMs)
  }

  #sendMuch(pieces: readonly (string | Buffer)[], size: number): void {
    this.#rest = pieces.map((piece) => this.kept(piece))
    this.#restBytes = size
    this.#sendRest()
  }

  #keep(piece: Piece): void {
    if (this.#rest === NO_PIECES) this.#rest = []
    this.#rest.push(piece)
    this.#restBytes += piece.length
  }

  override get takesFiles(): boolean {
    return true
  }

  override writeFile(piece: FilePiece): void {
    if (this.#dead || this.#failure !== undefined) return piece.done(0)
    this.bytesWritten += piece.length
    this.#ring.moreFollows = true
    this.flushCorked()
    this.#ring.moreFollows = false
    this.#keep(new FilePart(piece))
    if (this.#queued === 0 && !this.#blocked) this.attendLater()
  }

  /** Has the kernel send as much of a file as the socket takes. */
  #sendFile(part: FilePart): void {
    const result = this.#ring.calls.sendFile(this.#fd, part.piece.fd, part.at, part.length)
    if (result === EAGAIN || result === EINTR) return this.waitUntilWritable()
    if (result < 0) return this.#failLater('sendfile', result)
    this.#ring.moved += result
    this.noteTaken()
    part.at += result
    part.length -= result
    this.#restBytes -= result
    if (result === 0 || part.length === 0) {
      this.#rest.shift()
      this.#restBytes -= part.length
      part.piece.done(part.length)
      // What was promised cannot be sent: only closing tells the peer.
      if (result === 0) return this.closeNow()
    }
    if (!this.#dead) this.attendLater()
  }

  // ---- output that is made when the kernel takes it (ring-tls-wire.ts) -----------------------

  /** There is such output. */
  protected get hasMore(): boolean {
    return false
  }

  /** Makes some of it; called when the kernel has taken all that was sent. */
  protected makeMore(): void {}

  protected get ring(): Ring {
    return this.#ring
  }

  /** How many bytes the kernel takes now. */
  protected get room(): number {
    return this.#ring.calls.sendRoom(this.#fd)
  }

  /** Reads a part of a file to an address; 0 is the end of the file, and below 0 it has failed, and the wire with it. */
  protected readFile(fd: number, to: number, size: number, at: number): number {
    const count = this.#ring.calls.readFile(fd, to, size, at)
    if (count < 0) this.#failLater('pread', count)
    return count
  }

  /** The kernel takes nothing now: what is sent is kept. */
  protected get isFull(): boolean {
    return this.#blocked || this.#restBytes > 0
  }

  /** Sends as much of what is kept as goes at once. */
  #sendRest(): void {
    const rest = this.#rest
    if (rest[0] instanceof FilePart) return this.#sendFile(rest[0])
    const max = Math.min(JOINED_MAX, this.#ring.sendMax)
    const pieces: (string | Buffer)[] = []
    let size = 0
    while (rest.length > 0 && size < max) {
      const piece = rest[0]!
      if (piece instanceof FilePart) break
      const part = piece.length <= max - size ? piece : cut(piece, 0, max - size)
      if (part === piece) rest.shift()
      else rest[0] = cut(piece, part.length, piece.length)
      pieces.push(part)
      size += part.length
    }
    this.#restBytes -= size
    this.#sending = pieces
    this.#queued = size
    this.#ring.sendPieces(this, this.#slot, this.#fd, pieces, size)
  }

  /** The kernel took a part of the send, or nothing. */
  #sendFailed(result: number): void {
    if (this.#leaving) this.#stay()
    if (result < 0 && result !== EAGAIN && result !== EINTR) {
      if (!this.#dead) this.#failLater('writev', result)
      return
    }
    if (this.#dead) return
    if (result > 0) this.noteTaken()
    const sending = typeof this.#sending === 'string' ? [this.#sending] : this.#sending
    const left = behind(sending, Math.max(0, result)).map((piece) => this.kept(piece))
    this.#rest = this.#restBytes > 0 ? [...left, ...this.#rest] : left
    this.#restBytes += this.#queued - Math.max(0, result)
    this.#queued = 0
    this.waitUntilWritable()
  }

  /** Goes on when a third of the socket's buffer is free. */
  protected waitUntilWritable(): void {
    this.#blocked = true
    this.#polling = true
    this.#ring.blocked++
    this.#operations++
    this.#ring.whenWritable(this.#slot, this.#fd)
  }

  /** Errors of a write are told like those of the peer: not from within the call. */
  #failLater(call: SystemCall, errno: number): void {
    this.#failure ??= { kind: 'system', call, errno: getSystemErrorName(errno), on: '' }
    this.#blocked = true
    this.attendLater()
  }

  #onWritable(result: number): void {
    this.#polling = false
    this.#ring.blocked--
    this.#blocked = false
    if (this.#dead || result === ECANCELED) return
    // What is wrong with the socket, the next send says.
    if (this.#restBytes > 0) this.#sendRest()
    else this.attendLater()
  }

  get isPatient(): boolean {
    return !this.#dead && !this.#goesOn()
  }

  /** Something is to be done when all is with the kernel. */
  #goesOn(): boolean {
    return this.#restBytes > 0 || this.hasMore || this.#ending || this.#closeWhenFlushed || this.drainAsked
  }

  settled(): void {
    this.#sending = ''
    this.#queued = 0
    if (this.#leaving && !this.#dead) this.#die()
    this.#leaving = false
    if (this.#dead) return this.#leaveIfDone()
    if (this.#blocked) return
    if (this.restBytes > 0) this.noteTaken()
    if (this.#goesOn()) this.attendLater()
  }

  protected attendLater(): void {
    if (this.#attending) return
    this.#attending = true
    this.#ring.attendTo(this)
  }

  attend(): void {
    this.#attending = false
    if (this.#dead) {
      if (!this.closed) this.lost(this.#failure)
      this.#leaveIfDone()
    } else if (this.#failure !== undefined) this.closeNow()
    else {
      this.#read()
      if (!this.#dead && !this.#blocked && this.#queued === 0) this.#goOn()
    }
  }

  /** The kernel has taken what was submitted. */
  #goOn(): void {
    if (this.#restBytes > 0) return this.#sendRest()
    if (this.hasMore) this.makeMore()
    if (this.#dead || this.kernelBytes > 0) return
    if (this.#ending && !this.#ended) this.#shutDown()
    if (this.#closeWhenFlushed) this.closeNow()
    else this.drained()
  }

  protected sendEnd(): void {
    if (this.#ending) return
    this.#ending = true
    if (this.kernelBytes === 0) this.#shutDown()
  }

  #shutDown(): void {
    this.#ended = true
    this.#ring.calls.shutdown(this.#fd, SHUT_WR)
  }

  // ---- input ---------------------------------------------------------------------------------

  /** Gives the owner what is kept, or what there is. */
  #read(): void {
    if (this.#held.length > 0) this.#releaseHeld()
    if (!this.#reading || this.#dead || this.#receiving || this.#awaiting) return
    if (this.#heldEnd <= 0) {
      const result = this.#heldEnd
      this.#heldEnd = 1
      this.#end(result)
    } else if (this.#drawing) this.#draw()
  }

  #releaseHeld(): void {
    const held = this.#held
    while (this.#reading && !this.#dead && held.length > 0) {
      const bytes = held.shift()!
      this.receivedIn(bytes, bytes.length)
    }
    if (held.length === 0) this.#held = NOTHING
  }

  pause(): void {
    this.#reading = false
  }

  resume(): void {
    if (this.#reading || this.#dead || this.#atEnd) return
    this.#reading = true
    this.#readOn()
  }

  get reading(): boolean {
    return this.#reading
  }

  get intact(): boolean {
    return !this.#dead && !this.#atEnd && !this.#ending && this.#held.length === 0 && this.#heldEnd > 0
  }

  // ---- the end -------------------------------------------------------------------------------

  fail(failure: WireFailure): void {
    if (this.#dead) return
    this.#failure ??= failure
    this.closeNow()
  }

  #fail(call: SystemCall, errno: number): void {
    this.fail({ kind: 'system', call, errno: getSystemErrorName(errno), on: '' })
  }

  protected closeNow(): void {
    if (this.#dead) return
    if (!this.#leaving) {
      this.#cancelInput()
      if (this.#polling) this.#ring.cancel(this.#slot, ASKED.WRITABLE)
      if (this.#connectOwner !== undefined) this.#ring.cancel(this.#slot, ASKED.CONNECT)
      this.#ring.disown(this.#fd)
      this.#ring.closeDescriptor(this.#fd)
    }
    this.#die()
  }

  #cancelInput(): void {
    if (this.#receiving && !this.#stopping) this.#ring.cancel(this.#slot, ASKED.RECEIVE)
    if (this.#awaiting) this.#ring.cancel(this.#slot, ASKED.READABLE)
    this.#stopping = true
  }

  /** The descriptor is not used any more. */
  #die(): void {
    this.#dead = true
    this.#reading = false
    this.#held = NOTHING
    const rest = this.#rest
    this.#rest = NO_PIECES
    this.#restBytes = 0
    for (let i = 0; i < rest.length; i++) {
      const piece = rest[i]!
      if (piece instanceof FilePart) piece.piece.done(0)
    }
    this.attendLater()
  }

  /** Nobody asks for anything under the slot any more. */
  #leaveIfDone(): void {
    if (this.#operations === 0 && this.#queued === 0 && this.closed && !this.#attending && !this.#left) {
      this.#left = true
      this.#ring.leave(this.#slot)
    }
  }

  protected closeWhenFlushed(): void {
    this.#closeWhenFlushed = true
    this.pause()
  }

  protected get kernelBytes(): number {
    return this.#queued + this.#restBytes
  }

  /** What is kept of a piece that was not sent, longer than until it is settled. */
  protected kept(piece: string | Buffer): string | Buffer {
    return this.#isBorrowing && typeof piece !== 'string' ? Buffer.from(piece) : piece
  }

  protected override get sendsAtOnce(): boolean {
    return this.#restBytes === 0 && !this.#blocked
  }

  protected override flushBorrowed(): void {
    this.#isBorrowing = true
    this.flush()
    this.#ring.submit()
    this.#isBorrowing = false
  }

  /** The end of the stream was asked for. */
  protected get isEnding(): boolean {
    return this.#ending
  }

  /** Closing may go with the last bytes: the peer has said all that it had to say. */
  protected get leavesAtOnce(): boolean {
    return true
  }

  /** What was sent last is not settled. */
  protected get isQueued(): boolean {
    return this.#queued > 0
  }

  /** The peer has not taken all that the kernel was given. */
  protected get isStuck(): boolean {
    return this.restBytes > 0
  }

  /** What the kernel has not taken, and what was not handed to it because of that. */
  protected get restBytes(): number {
    return this.#restBytes
  }

  protected get backedUp(): boolean {
    return this.restBytes >= BACKED_UP_BYTES
  }

  protected get dead(): boolean {
    return this.#dead
  }

  reset(): void {
    if (this.#dead) return
    this.#ring.calls.setOption(this.#fd, SOL_SOCKET, SO_LINGER, LINGER_NOT)
    this.closeNow()
  }

  // ---- the socket ----------------------------------------------------------------------------

  setNoDelay(): void {
    if (!this.#dead && this.#isInternet) this.#ring.calls.turnOn(this.#fd, IPPROTO_TCP, TCP_NODELAY)
  }

  setKeepAlive(idleSeconds: number): void {
    const { calls } = this.#ring
    if (this.#dead || !this.#isInternet) return
    calls.turnOn(this.#fd, SOL_SOCKET, SO_KEEPALIVE)
    if (idleSeconds > 0) calls.setOption(this.#fd, IPPROTO_TCP, TCP_KEEPIDLE, int(idleSeconds))
  }

  get remoteAddress(): string {
    if (this.#peerHost === undefined) this.#askPeer()
    return this.#peerHost!
  }

  get remotePort(): number {
    if (this.#peerHost === undefined) this.#askPeer()
    return this.#peerPort
  }

  #askPeer(): void {
    this.#peerHost = ''
    if (this.#dead || !this.#isInternet) return
    const { calls } = this.#ring
    if (calls.peerName(this.#fd) !== 0) return
    this.#peerHost = hostIn(calls.name)
    this.#peerPort = portIn(calls.name)
  }

  get localAddress(): string {
    if (this.#dead || !this.#isInternet) return ''
    const { calls } = this.#ring
    return calls.socketName(this.#fd) === 0 ? hostIn(calls.name) : ''
  }
}

function int(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer)
}
