/**
 * A wire that speaks TLS: Node's TLS engine laid over the bare handle, and the engine is a stream handle like the one
 * below it. What differs from a plain wire, on both sides of a connection:
 *
 *   writing   the engine takes one write at a time; what comes meanwhile waits here
 *   reading   the engine hands over all that it has decrypted even when it is told to stop; the rest waits here
 *   closing   the peer is told (close_notify), and nobody waits for its answer, as in nginx
 *   its end   the engine tells of the same word of the peer and of the end of its socket alike, and of the second only without
 *             the first: whether the handle below is still read tells, which is looked at now and then
 *
 *   TlsClientWire  to a back end   (tls-client-wire.ts)
 *   TlsServer  from a client   (tls-server-wire.ts)
 */
import type { SslContext } from '../sys/ssl-context.ts'
import { HandleWire, type StreamHandle } from './handle-wire.ts'
import { cancelTimer, setTimer, Timer } from './timer-wheel.ts'
import { TLS_UNREAD_MAX, tlsUnread } from './tls-unread.ts'
import { type PeerCertificate, sslErrorText } from './tls-wire-verify.ts'
import { readBuffer } from './wire.ts'

const UV_EOF = -4095
const UV_EALREADY = -114
/** When to look whether the socket of a peer has ended that may wait for an answer: soon, later by and by, in milliseconds. */
const LOOK_FIRST_MS = 10
const LOOK_EVERY_MS = 500

/** A context for either engine of TLS. */
export interface SecureContextHandle {
  /** Node's own object, inside of what `createSecureContext` returns. */
  readonly context: unknown
  /** OpenSSL's own, for TLS on the ring. */
  readonly ssl: SslContext
}

/** Node's engine as far as it is used here. */
export interface TlsHandle extends StreamHandle {
  onhandshakestart: (() => void) | undefined
  onhandshakedone: (this: TlsHandle) => void
  onclienthello: () => void
  onerror: (this: TlsHandle, error: Error) => void
  onnewsession: (this: TlsHandle, id: Buffer, session: Buffer) => void
  onkeylog: (this: TlsHandle, line: Buffer) => void
  _parent: Below
  setVerifyMode(request: boolean, reject: boolean): void
  enableSessionCallbacks(): void
  enableKeylogCallback(): void
  endParser(): void
  newSessionDone(): void
  loadSession(session: Buffer): void
  setServername(name: string): void
  setSession(session: Buffer): void
  setALPNProtocols(protocols: Buffer): void
  setOCSPResponse(response: Buffer): void
  setMaxSendFragment(size: number): boolean
  receive(bytes: Buffer): void
  isSessionReused(): boolean
  getSession(): Buffer | undefined
  getProtocol(): string
  getCipher(): { readonly name: string } | undefined
  getSharedSigalgs(): readonly string[]
  getALPNNegotiatedProtocol(): string | false
  getCertificate(): { readonly raw: Buffer } | undefined
  verifyError(): (Error & { code?: string }) | null | undefined
  getPeerCertificate(withIssuers: boolean): PeerCertificate | undefined
  start(): void
  destroySSL(): void
}

interface TlsBinding {
  wrap(handle: StreamHandle, context: unknown, isServer: boolean, hasActiveWrites: boolean): TlsHandle
}

const tlsBinding = (process as unknown as { binding(name: string): unknown }).binding('tls_wrap') as TlsBinding

/** One TLS connection. */
export abstract class TlsWire extends HandleWire {
  protected readonly tls: TlsHandle
  /** The handshake is over, and the peer has proved what it had to. */
  protected open = false
  rosterPlace = -1
  /** The engine is freed: it cannot be asked any more. */
  #gone = false
  /** The peer sends nothing more. */
  #ended = false
  /** It has said so, and its socket has not ended. */
  #mayListen = false
  /** `bytesWritten` when it sent its last byte; -1 while some of that was on its way. */
  #writtenAtEnd = 0
  /** What had been read of its socket then. */
  #readAtEnd = 0
  /** When to look whether its socket has ended. */
  #look: Timer | undefined
  /** Waits for the write under way. */
  #queue: (string | Buffer)[] = []
  #queuedBytes = 0
  #endQueued = false
  #paused = false
  /** Arrived while reading was stopped. */
  #held: Buffer[] = NOTHING_HELD
  #endHeld = false

  constructor(below: StreamHandle, context: SecureContextHandle, isServer: boolean) {
    const tls = secure(below, context, isServer)
    super(tls)
    this.tls = tls
  }

  /** The engine is done with the handshake. */
  abstract onHandshakeDone(): void
  /** The engine made a session. */
  abstract onSession(id: Buffer, session: Buffer): void
  /** A line of secrets in NSS's format. */
  abstract onKeyLog(line: string): void

  /** The engine, or the peer by an alert, gave up. */
  onError(error: Error): void {
    const doing = this.open ? 'SSL_read()' : 'SSL_do_handshake()'
    this.open = false
    this.refuse(`${doing} failed (SSL: ${sslErrorText(error)})`)
  }

  /** Closes because of what the peer did. */
  protected refuse(problem: string): void {
    this.fail({ kind: 'tls', problem })
  }

  /** The engine was freed. */
  onGone(): void {
    this.#gone = true
    tlsUnread.delete(this)
  }

  /** False when the engine is freed. */
  protected get alive(): boolean {
    return !this.#gone
  }

  // ---- output --------------------------------------------------------------------------------

  protected override send(text: string, pieces: readonly (string | Buffer)[] | undefined): void {
    if (super.kernelBytes === 0) return super.send(text, pieces)
    if (pieces === undefined) this.#enqueue(text)
    else for (const piece of pieces) this.#enqueue(piece)
  }

  #enqueue(piece: string | Buffer): void {
    this.#queue.push(piece)
    this.#queuedBytes += piece.length
  }

  override onWritten(bytes: number, status: number): void {
    const next = this.#queue
    const alive = status === 0 && !this.dead && super.kernelBytes === bytes
    if (alive && next.length > 0) {
      this.#queue = []
      this.#queuedBytes = 0
      // The next write is begun before the last one is accounted for, so that nobody takes the wire for empty.
      super.onWritten(bytes - 1, status)
      this.#sendNext(next)
      super.onWritten(1, status)
    } else super.onWritten(bytes, status)
    if (this.#endQueued && super.kernelBytes === 0 && !this.dead) this.sendEnd()
  }

  #sendNext(pieces: readonly (string | Buffer)[]): void {
    super.send('', pieces)
  }

  protected override sendEnd(): void {
    this.#endQueued = super.kernelBytes > 0
    if (!this.#endQueued) super.sendEnd()
  }

  protected override get kernelBytes(): number {
    return super.kernelBytes + this.#queuedBytes
  }

  /** The queue of the engine are bytes that the handle below has not written, which has one for what it is at. */
  protected override get untaken(): number {
    return this.#gone ? 0 : this.tls.writeQueueSize + this.tls._parent.writeQueueSize
  }

  /** What the engine holds back that nobody here wrote; see tls-unread.ts. */
  get unread(): number {
    return this.#gone || this.kernelBytes > 0 ? 0 : this.tls.writeQueueSize
  }

  onUnread(): void {
    this.refuse('SSL_read() failed (SSL: too many key updates)')
  }

  protected override get backedUp(): boolean {
    return super.backedUp || this.#queuedBytes > 0
  }

  protected override closeNow(): void {
    if (this.dead) return
    if (this.#look !== undefined) cancelTimer(this.#look)
    if (this.open && super.kernelBytes === 0 && this.#isTold()) super.sendEnd()
    super.closeNow()
  }

  /** It is told that the connection ends: whoever has ended only when something came for it since. */
  #isTold(): boolean {
    return !this.#ended || (this.#mayListen && this.bytesWritten !== this.#writtenAtEnd)
  }

  // ---- input ---------------------------------------------------------------------------------

  override onRead(result: number): void {
    if (this.dead || this.#ended) return
    if (result > 0 && (this.#paused || this.#held.length > 0)) {
      if (this.#held === NOTHING_HELD) this.#held = []
      this.#held.push(Buffer.from(readBuffer.subarray(0, result)))
    } else if (result === UV_EOF && (this.#paused || this.#held.length > 0)) this.#endHeld = true
    else if (result === UV_EOF) this.#end()
    else super.onRead(result)
  }

  /** Nothing more comes, or not even the socket is there any more. */
  #end(): void {
    this.#ended = true
    this.#writtenAtEnd = this.pendingBytes > 0 ? -1 : this.bytesWritten
    this.#mayListen = this.open && this.#isRead()
    this.#readAtEnd = this.tls._parent.bytesRead
    if (!this.#mayListen) this.pause()
    this.ended()
    if (this.#mayListen && !this.dead) this.#lookLater()
  }

  #lookLater(): void {
    this.#look ??= new Timer(this)
    this.#look.purpose = Math.min(2 * this.#look.purpose || LOOK_FIRST_MS, LOOK_EVERY_MS)
    setTimer(this.#look, this.#look.purpose)
  }

  /** The handle below was read until now: libuv stops that at the end. */
  #isRead(): boolean {
    return this.tls._parent.readStart() === UV_EALREADY
  }

  override onTimeout(timer: Timer): void {
    if (timer !== this.#look) return super.onTimeout(timer)
    if (this.dead) return
    if (this.#paused || this.#isRead()) {
      // Who says much behind its last word is not read any more: what becomes of its socket shows when it is written.
      if (this.tls._parent.bytesRead - this.#readAtEnd > TLS_UNREAD_MAX) this.pause()
      return this.#lookLater()
    }
    this.#mayListen = false
    this.gone()
  }

  override get mayListen(): boolean {
    return this.#mayListen
  }

  override get intact(): boolean {
    return super.intact && this.open && !this.#ended && this.#held.length === 0 && !this.#endHeld && !this.#endQueued
  }

  override pause(): void {
    this.#paused = true
    super.pause()
  }

  override resume(): void {
    this.#paused = false
    super.resume()
    // The engine does not see to that any more once it has told of the end.
    if (this.#mayListen || this.#endHeld) this.tls._parent.readStart()
    // Not from within the call: whoever resumes is in the middle of something.
    if (this.#held.length > 0 || this.#endHeld) setImmediate(() => this.#release())
  }

  #release(): void {
    while (this.#held.length > 0) {
      if (this.#paused || this.dead) return
      const bytes = this.#held.shift()!
      bytes.copy(readBuffer)
      super.onRead(bytes.length)
    }
    if (!this.#endHeld || this.#paused || this.dead) return
    this.#endHeld = false
    this.#end()
  }
}

/** Most wires never hold anything back. */
const NOTHING_HELD: Buffer[] = []

let prepared = false

/**
 * What the engine calls is found on the prototype, once for all: setting it on each costs time and memory. Node's own
 * sockets set theirs on each engine, which hides these.
 */
function prepare(tls: TlsHandle): void {
  prepared = true
  Object.assign(Object.getPrototypeOf(tls), { onhandshakedone, onerror, onnewsession, onkeylog, onclienthello: ignore })
}

function ignore(): void {}

/** Lays the engine over a handle. */
function secure(below: StreamHandle, { context }: SecureContextHandle, isServer: boolean): TlsHandle {
  const tls = tlsBinding.wrap(below, context, isServer, false)
  if (!prepared) prepare(tls)
  tls._parent = below as Below // It is one of Node's.
  tls.close = close
  tls.reset = reset
  tls._parent.over = tls
  return tls
}

/** Closing goes to the handle below; the engine goes when that is done. */
function close(this: TlsHandle, done?: () => void): void {
  const below = this._parent
  below.close(() => free(this, below, done))
}

/** `reset_timedout_connection`: the peer is not told in the way of TLS, but by the kernel. */
function reset(this: TlsHandle, done?: () => void): number {
  const below = this._parent
  if (below.reset === undefined) return -1
  return below.reset(() => free(this, below, done))
}

/** The handle below is gone. */
function free(tls: TlsHandle, below: Below, done: (() => void) | undefined): void {
  below.over = undefined
  // Whoever hears of the end may still ask what was agreed on.
  done?.()
  wireOf(tls).onGone()
  // Without this the engine's own end touches memory of the handle that is gone.
  tls.destroySSL()
}

/** The handle below lives as long as the system knows it, and with it what is laid over it. */
type Below = StreamHandle & {
  over?: TlsHandle | undefined
  /** All that was read of its socket. */
  readonly bytesRead: number
}

function wireOf(handle: TlsHandle): TlsWire {
  return handle.wire as TlsWire // `secure` makes these handles for TlsWire alone.
}

function onhandshakedone(this: TlsHandle): void {
  const wire = wireOf(this)
  tlsUnread.add(wire)
  wire.onHandshakeDone()
}

function onerror(this: TlsHandle, error: Error): void {
  wireOf(this).onError(error)
}

function onnewsession(this: TlsHandle, id: Buffer, session: Buffer): void {
  wireOf(this).onSession(id, session)
}

function onkeylog(this: TlsHandle, line: Buffer): void {
  wireOf(this).onKeyLog(line.toString('latin1'))
}
