/**
 * A wire that speaks TLS to a back end: Node's TLS engine laid over the bare handle, and the engine is a stream handle
 * like the one below it. What differs from a plain wire:
 *
 *   writing   the engine takes one write at a time; what comes meanwhile waits here
 *   reading   the engine hands over all that it has decrypted even when it is told to stop; the rest waits here
 *   closing   the peer is told (close_notify), and nobody waits for its answer, as in nginx
 */
import { HandleWire, type StreamHandle } from './handle-wire.ts'
import { certificateProblem, sslErrorText } from './tls-wire-verify.ts'
import { readBuffer } from './wire.ts'

const UV_EOF = -4095
/** Sessions that are remembered for one way of connecting. */
const SESSIONS_MAX = 1000

/** How TLS is spoken: shared by all connections that look alike. */
export interface TlsSettings {
  /** What `createSecureContext` made. */
  readonly secure: SecureContextHandle
  readonly verify: boolean
  /** Most certificates between the peer's own and the trusted one. */
  readonly depth: number
  /** Sessions by peer and name; undefined when none are to be used again. */
  readonly sessions: Map<string, Buffer> | undefined
  /** Gets the secrets in NSS's format, one line at a time. */
  readonly keyLog: ((line: string) => void) | undefined
}

/** How to connect to one name. */
export interface TlsTarget {
  /** Connections with equal keys may serve the same requests. */
  readonly key: string
  readonly settings: TlsSettings
  /** What the peer is told that it is called (SNI); empty: nothing. */
  readonly serverName: string
  /** What the peer's certificate must be made out to, when it is verified. */
  readonly name: string
}

/** Hears that the handshake is over and the peer has proved who it is. Failures close the wire. */
export interface HandshakeOwner {
  onHandshake(): void
}

/** Node's own context object, inside of what `createSecureContext` returns. */
export interface SecureContextHandle {
  readonly context: unknown
}

interface TlsHandle extends StreamHandle {
  onhandshakestart: () => void
  onhandshakedone: (this: TlsHandle) => void
  onerror: (this: TlsHandle, error: Error) => void
  onnewsession: (this: TlsHandle, id: Buffer, session: Buffer) => void
  onkeylog: (this: TlsHandle, line: Buffer) => void
  _parent: StreamHandle
  setVerifyMode(request: boolean, reject: boolean): void
  enableSessionCallbacks(): void
  enableKeylogCallback(): void
  setServername(name: string): void
  setSession(session: Buffer): void
  isSessionReused(): boolean
  verifyError(): Error | null | undefined
  getPeerCertificate(withIssuers: boolean): PeerCertificate | undefined
  start(): void
  destroySSL(): void
}

/** As far as Node's legacy object is used. */
export interface PeerCertificate {
  readonly raw: Buffer
  readonly issuerCertificate?: PeerCertificate
}

interface TlsBinding {
  wrap(handle: StreamHandle, context: unknown, isServer: boolean, hasActiveReads: boolean): TlsHandle
}

const tlsBinding = (process as unknown as { binding(name: string): unknown }).binding('tls_wrap') as TlsBinding

/** One TLS connection to a back end; the handle below connects first, then `handshake` is called. */
export class TlsWire extends HandleWire {
  readonly #tls: TlsHandle
  readonly #target: TlsTarget
  readonly #sessionKey: string
  #handshakeOwner: HandshakeOwner | undefined
  /** The peer has proved what it had to. */
  #open = false
  #ended = false
  /** TLS 1.2 hands the session over before the peer has proved anything. */
  #session: Buffer | undefined
  /** Waits for the write under way. */
  #queue: (string | Buffer)[] = []
  #queuedBytes = 0
  #endQueued = false
  #paused = false
  /** Arrived while reading was stopped. */
  #held: Buffer[] = []
  #endHeld = false

  /** `peerName` tells whose sessions may be used again. */
  constructor(below: StreamHandle, target: TlsTarget, peerName: string) {
    const tls = secure(below, target.settings.secure)
    super(tls)
    this.#tls = tls
    this.#target = target
    this.#sessionKey = `${peerName} ${target.serverName} ${target.settings.verify ? target.name : ''}`
  }

  /** Begins; the handle below is connected. */
  handshake(owner: HandshakeOwner): void {
    const { settings, serverName } = this.#target
    const tls = this.#tls
    this.#handshakeOwner = owner
    tls.onhandshakestart = ignore
    tls.onhandshakedone = onhandshakedone
    tls.onerror = onerror
    tls.onnewsession = onnewsession
    tls.onkeylog = onkeylog
    // Node reports what it finds and goes on: what that means is decided here.
    tls.setVerifyMode(true, false)
    if (settings.keyLog !== undefined) tls.enableKeylogCallback()
    if (settings.sessions !== undefined) {
      tls.enableSessionCallbacks()
      const session = settings.sessions.get(this.#sessionKey)
      if (session !== undefined) tls.setSession(session)
    }
    if (serverName !== '') tls.setServername(serverName)
    super.resume()
    tls.start()
  }

  /** The engine is done with the handshake. */
  onHandshakeDone(): void {
    const owner = this.#handshakeOwner
    if (owner === undefined || this.dead) return
    this.#handshakeOwner = undefined
    const { settings, name } = this.#target
    const tls = this.#tls
    if (settings.verify) {
      // A session is remembered for a name that has been proved, and it knows no certificates of its own.
      const again = tls.isSessionReused()
      const problem = certificateProblem(tls.verifyError(), again ? undefined : tls.getPeerCertificate(true), name, {
        depth: settings.depth,
        again,
      })
      if (problem !== '') return this.#refuse(problem)
    }
    this.#open = true
    if (this.#session !== undefined) this.onSession(this.#session)
    this.#session = undefined
    owner.onHandshake()
  }

  /** A session that led to this is not offered again. */
  #refuse(problem: string): void {
    this.#target.settings.sessions?.delete(this.#sessionKey)
    this.failWith(problem)
  }

  /** The engine, or the peer by an alert, gave up. */
  onError(error: Error): void {
    const doing = this.#open ? 'SSL_read()' : 'SSL_do_handshake()'
    this.#open = false
    this.#refuse(`${doing} failed (SSL: ${sslErrorText(error)})`)
  }

  onSession(session: Buffer): void {
    const { sessions } = this.#target.settings
    if (sessions === undefined || this.dead) return
    if (!this.#open) {
      this.#session = session
      return
    }
    if (sessions.size >= SESSIONS_MAX) sessions.delete(sessions.keys().next().value!)
    sessions.set(this.#sessionKey, session)
  }

  onKeyLog(line: string): void {
    this.#target.settings.keyLog?.(line)
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

  protected override get backedUp(): boolean {
    return super.backedUp || this.#queuedBytes > 0
  }

  protected override closeNow(): void {
    if (this.dead) return
    if (this.#open && super.kernelBytes === 0) super.sendEnd()
    super.closeNow()
  }

  // ---- input ---------------------------------------------------------------------------------

  override onRead(result: number): void {
    if (this.dead || this.#ended) return
    if (result > 0 && (this.#paused || this.#held.length > 0)) {
      this.#held.push(Buffer.from(readBuffer.subarray(0, result)))
    } else if (result === UV_EOF && (this.#paused || this.#held.length > 0)) this.#endHeld = true
    else {
      this.#ended = result === UV_EOF
      super.onRead(result)
    }
  }

  override pause(): void {
    this.#paused = true
    super.pause()
  }

  override resume(): void {
    this.#paused = false
    super.resume()
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
    this.#ended = true
    super.onRead(UV_EOF)
  }
}

/** Lays the engine over a handle. Closing goes to the handle below; the engine goes when that is done. */
function secure(below: StreamHandle, { context }: SecureContextHandle): TlsHandle {
  const tls = tlsBinding.wrap(below, context, false, false)
  tls._parent = below
  // The handle below lives as long as the system knows it, and with it what is laid over it.
  const kept = below as StreamHandle & { over?: TlsHandle | undefined }
  kept.over = tls
  tls.close = (done) =>
    below.close(() => {
      kept.over = undefined
      // Without this the engine's own end touches memory of the handle that is gone.
      tls.destroySSL()
      done?.()
    })
  return tls
}

function wireOf(handle: TlsHandle): TlsWire {
  return handle.wire as TlsWire // `secure` makes these handles for TlsWire alone.
}

function onhandshakedone(this: TlsHandle): void {
  wireOf(this).onHandshakeDone()
}

function onerror(this: TlsHandle, error: Error): void {
  wireOf(this).onError(error)
}

function onnewsession(this: TlsHandle, _id: Buffer, session: Buffer): void {
  wireOf(this).onSession(session)
}

function onkeylog(this: TlsHandle, line: Buffer): void {
  wireOf(this).onKeyLog(line.toString('latin1'))
}

function ignore(): void {}
