/**
 * TLS to a back end: tells our name for it, uses sessions again, and checks whose certificate it is. The handle below
 * connects first, then `handshake` is called.
 */
import type { StreamHandle } from './handle-wire.ts'
import { type SecureContextHandle, TlsWire } from './tls-wire.ts'
import { certificateProblem } from './tls-wire-verify.ts'
import type { WireFailure } from './wire-failure.ts'

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
  /** The protocol that is asked for (ALPN); empty: none in particular. */
  readonly alpn: string
}

/** Hears what the handshake came to: one of both, once, unless the wire is closed from here before. */
export interface HandshakeOwner {
  /** It is over, and the peer has proved who it is; `reused`: by a session from before. */
  onHandshake(reused: boolean): void
  /** It is not; the wire closes. Without a failure the peer has ended it. */
  onHandshakeFailed(failure: WireFailure | undefined): void
}

/** One TLS connection to a back end. */
export class TlsClientWire extends TlsWire {
  readonly #target: TlsTarget
  readonly #sessionKey: string
  #handshakeOwner: HandshakeOwner | undefined
  /** TLS 1.2 hands the session over before the peer has proved anything. */
  #session: Buffer | undefined

  /** `peerName` tells whose sessions may be used again. */
  constructor(below: StreamHandle, target: TlsTarget, peerName: string) {
    super(below, target.settings.secure, false)
    this.#target = target
    this.#sessionKey = `${peerName} ${target.serverName} ${target.settings.verify ? target.name : ''}`
  }

  /** Begins; the handle below is connected. */
  handshake(owner: HandshakeOwner): void {
    const { settings, serverName, alpn } = this.#target
    const { tls } = this
    this.#handshakeOwner = owner
    tls.onhandshakestart = ignore
    // Node reports what it finds and goes on: what that means is decided here.
    tls.setVerifyMode(true, false)
    if (settings.keyLog !== undefined) tls.enableKeylogCallback()
    if (settings.sessions !== undefined) {
      tls.enableSessionCallbacks()
      const session = settings.sessions.get(this.#sessionKey)
      if (session !== undefined) tls.setSession(session)
    }
    if (serverName !== '') tls.setServername(serverName)
    // A list of one name, each with its length before it (RFC 7301).
    if (alpn !== '') tls.setALPNProtocols(Buffer.from(String.fromCharCode(alpn.length) + alpn, 'latin1'))
    super.resume()
    tls.start()
  }

  /** The engine is done with the handshake. */
  onHandshakeDone(): void {
    const owner = this.#handshakeOwner
    if (owner === undefined || this.dead) return
    const { settings, name } = this.#target
    const { tls } = this
    const again = tls.isSessionReused()
    if (settings.verify) {
      // A session is remembered for a name that has been proved, and it knows no certificates of its own.
      const problem = certificateProblem(tls.verifyError(), again ? undefined : tls.getPeerCertificate(true), name, {
        depth: settings.depth,
        again,
      })
      if (problem !== '') return this.refuse(problem)
    }
    this.open = true
    if (this.#session !== undefined) this.#remember(this.#session)
    this.#session = undefined
    this.#handshakeOwner = undefined
    owner.onHandshake(again)
  }

  override fail(failure: WireFailure): void {
    if (!this.dead) this.#handshakeFailed(failure)
    super.fail(failure)
  }

  protected override ended(): void {
    this.#handshakeFailed(undefined)
    super.ended()
  }

  #handshakeFailed(failure: WireFailure | undefined): void {
    const owner = this.#handshakeOwner
    this.#handshakeOwner = undefined
    owner?.onHandshakeFailed(failure)
  }

  /** A session that led to this is not offered again. */
  protected override refuse(problem: string): void {
    this.#target.settings.sessions?.delete(this.#sessionKey)
    super.refuse(problem)
  }

  onSession(_id: Buffer, session: Buffer): void {
    if (this.dead) return
    if (this.open) this.#remember(session)
    else this.#session = session
  }

  #remember(session: Buffer): void {
    const { sessions } = this.#target.settings
    if (sessions === undefined) return
    if (sessions.size >= SESSIONS_MAX) sessions.delete(sessions.keys().next().value!)
    sessions.set(this.#sessionKey, session)
  }

  onKeyLog(line: string): void {
    this.#target.settings.keyLog?.(line)
  }
}

function ignore(): void {}
