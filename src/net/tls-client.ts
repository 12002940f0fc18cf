/** TLS to a back end, whatever engine speaks it: how, to whom, and what is asked of the peer. */
import type { StreamWire } from './stream-wire.ts'
import type { SecureContextHandle } from './tls-wire.ts'
import type { WireFailure } from './wire-failure.ts'

/** Sessions that are remembered for one way of connecting. */
const SESSIONS_MAX = 1000

/** How TLS is spoken: shared by all connections that look alike. */
export interface TlsSettings {
  /** What `contextOf` made. */
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

/** TLS that is wanted and cannot be spoken: who connects so fails when the connection is there, as in nginx. */
export interface NoTls {
  readonly key: string
  readonly problem: string
  readonly serverName: string
}

/** Hears what the handshake came to: one of both, once, unless the wire is closed from here before. */
export interface HandshakeOwner {
  /** It is over, and the peer has proved who it is; `reused`: by a session from before. */
  onHandshake(reused: boolean): void
  /** It is not; the wire closes. Without a failure the peer has ended it. */
  onHandshakeFailed(failure: WireFailure | undefined): void
}

/** A handshake whose owner does not know yet what it came to. */
export class PendingHandshake {
  #owner: HandshakeOwner | undefined

  begin(owner: HandshakeOwner): void {
    this.#owner = owner
  }

  /** Somebody waits. */
  get isAwaited(): boolean {
    return this.#owner !== undefined
  }

  succeed(reused: boolean): void {
    const owner = this.#owner
    this.#owner = undefined
    owner?.onHandshake(reused)
  }

  fail(failure: WireFailure | undefined): void {
    const owner = this.#owner
    this.#owner = undefined
    owner?.onHandshakeFailed(failure)
  }
}

/** A wire to a back end that TLS is spoken on. */
export type TlsClient = StreamWire & {
  /** Begins; the wire is connected. */
  handshake(owner: HandshakeOwner): void
}

/** The list of protocols for ALPN: one name, with its length before it (RFC 7301). */
export function alpnList({ alpn }: TlsTarget): Buffer {
  return Buffer.from(String.fromCharCode(alpn.length) + alpn, 'latin1')
}

/**
 * The sessions of one connection's peer. They are not the same for all names, because who has proved one has not proved
 * another.
 */
export class PeerSessions {
  readonly #sessions: Map<string, Buffer> | undefined
  readonly #key: string
  /** TLS 1.2 hands the session over before the peer has proved anything. */
  #early: Buffer | undefined
  #proved = false

  /** `peerName` tells whose they are. */
  constructor({ settings, serverName, name }: TlsTarget, peerName: string) {
    this.#sessions = settings.sessions
    this.#key = `${peerName} ${serverName} ${settings.verify ? name : ''}`
  }

  /** Sessions are used again. */
  get areKept(): boolean {
    return this.#sessions !== undefined
  }

  /** The one that is offered to the peer. */
  get last(): Buffer | undefined {
    return this.#sessions?.get(this.#key)
  }

  add(session: Buffer): void {
    if (this.#proved) this.#remember(session)
    else this.#early = session
  }

  /** The peer has proved who it is. */
  prove(): void {
    this.#proved = true
    if (this.#early !== undefined) this.#remember(this.#early)
    this.#early = undefined
  }

  /** A session that led to nothing is not offered again. */
  forget(): void {
    this.#sessions?.delete(this.#key)
  }

  #remember(session: Buffer): void {
    const sessions = this.#sessions
    if (sessions === undefined) return
    if (sessions.size >= SESSIONS_MAX) sessions.delete(sessions.keys().next().value!)
    sessions.set(this.#key, session)
  }
}
