/**
 * TLS to a back end on an io_uring: tells our name for it, uses sessions again, and checks whose certificate it is. The wire
 * connects first, then `handshake` is called.
 */
import { Ssl } from '../sys/ssl.ts'
import type { SslAsked } from '../sys/ssl-thread.ts'
import type { Ring } from './ring.ts'
import { RingTlsWire } from './ring-tls-wire.ts'
import { alpnList, type HandshakeOwner, PeerSessions, PendingHandshake, type TlsTarget } from './tls-client.ts'
import { certificateProblem } from './tls-wire-verify.ts'
import type { WireFailure } from './wire-failure.ts'

/** One TLS connection to a back end. */
export class RingTlsClientWire extends RingTlsWire implements SslAsked {
  readonly #target: TlsTarget
  readonly #sessions: PeerSessions
  readonly #handshake = new PendingHandshake()
  // Back ends are told of our protocols before, and ask for no sessions of ours.
  readonly alpn = undefined
  readonly tickets = undefined

  /** Takes over a descriptor; `peer` tells whose sessions may be used again. */
  constructor(ring: Ring, fd: number, isInternet: boolean, { target, peer }: { target: TlsTarget; peer: string }) {
    super(ring, fd, isInternet)
    this.#target = target
    this.#sessions = new PeerSessions(target, peer)
  }

  handshake(owner: HandshakeOwner): void {
    const { settings, serverName, alpn } = this.#target
    const context = settings.secure.ssl
    this.#handshake.begin(owner)
    if (settings.keyLog !== undefined) context.askForKeys()
    if (this.#sessions.areKept) context.askForSessions()
    const ssl = new Ssl(context, false, this)
    // OpenSSL reports what it finds and goes on: what that means is decided here.
    ssl.requestCertificate()
    const { last } = this.#sessions
    if (last !== undefined) ssl.offerSession(last)
    if (serverName !== '') ssl.setServerName(serverName)
    if (alpn !== '') ssl.offerProtocols(alpnList(this.#target))
    this.begin(ssl)
    this.resume()
    this.work(ssl)
  }

  protected onHandshakeDone(): void {
    if (!this.#handshake.isAwaited || this.dead) return
    const problem = this.#target.settings.verify ? this.#certificateProblem(this.ssl!) : ''
    if (problem !== '') return this.refuse(problem)
    this.open = true
    this.#sessions.prove()
    this.#handshake.succeed(this.ssl!.reused)
  }

  override fail(failure: WireFailure): void {
    if (!this.dead) this.#handshake.fail(failure)
    super.fail(failure)
  }

  protected override ended(): void {
    this.#handshake.fail(undefined)
    super.ended()
  }

  #certificateProblem(ssl: Ssl): string {
    const { settings, name } = this.#target
    const code = ssl.verifyResult
    if (code === 0 && ssl.reused) return ''
    const raw = ssl.peerCertificate
    // The first is the peer's own, the last the trusted one.
    const intermediates = raw === undefined ? 0 : Math.max(0, ssl.peerChain(settings.secure.ssl).length - 2)
    const result = code === 0 ? undefined : { code, text: ssl.verifyText(code) }
    return certificateProblem(result, raw && { raw, intermediates }, name, settings.depth)
  }

  protected override refuse(problem: string): void {
    this.#sessions.forget()
    super.refuse(problem)
  }

  // ---- what the engine asks and tells ----------------------------------------------------------

  /** Only servers are asked for sessions. */
  takeSession(): undefined {
    return undefined
  }

  onSession(_id: Buffer, session: Buffer): void {
    if (!this.dead) this.#sessions.add(session)
  }

  onKeyLog(line: string): void {
    this.#target.settings.keyLog?.(line)
  }
}
