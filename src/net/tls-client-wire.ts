/**
 * TLS to a back end by Node's engine: tells our name for it, uses sessions again, and checks whose certificate it is. The
 * handle below connects first, then `handshake` is called.
 */
import { fromBinary } from '../lib/bytes.ts'
import type { StreamHandle } from './handle-wire.ts'
import { alpnList, type HandshakeOwner, PeerSessions, PendingHandshake, type TlsTarget } from './tls-client.ts'
import { TlsWire } from './tls-wire.ts'
import { certificateProblem, intermediates, verifyResult } from './tls-wire-verify.ts'
import type { WireFailure } from './wire-failure.ts'

/** One TLS connection to a back end. */
export class TlsClientWire extends TlsWire {
  readonly #target: TlsTarget
  readonly #sessions: PeerSessions
  readonly #handshake = new PendingHandshake()

  /** `peerName` tells whose sessions may be used again. */
  constructor(below: StreamHandle, target: TlsTarget, peerName: string) {
    super(below, target.settings.secure, false)
    this.#target = target
    this.#sessions = new PeerSessions(target, peerName)
  }

  /** Begins; the handle below is connected. */
  handshake(owner: HandshakeOwner): void {
    const { settings, serverName, alpn } = this.#target
    const { tls } = this
    this.#handshake.begin(owner)
    tls.onhandshakestart = ignore
    // Node reports what it finds and goes on: what that means is decided here.
    tls.setVerifyMode(true, false)
    if (settings.keyLog !== undefined) tls.enableKeylogCallback()
    if (this.#sessions.areKept) {
      tls.enableSessionCallbacks()
      const { last } = this.#sessions
      if (last !== undefined) tls.setSession(last)
    }
    // Node makes UTF-8 of it.
    if (serverName !== '') tls.setServername(fromBinary(serverName))
    if (alpn !== '') tls.setALPNProtocols(alpnList(this.#target))
    super.resume()
    tls.start()
  }

  /** The engine is done with the handshake. */
  onHandshakeDone(): void {
    if (!this.#handshake.isAwaited || this.dead) return
    const problem = this.#target.settings.verify ? this.#certificateProblem() : ''
    if (problem !== '') return this.refuse(problem)
    this.open = true
    this.#sessions.prove()
    this.#handshake.succeed(this.tls.isSessionReused())
  }

  override fail(failure: WireFailure): void {
    if (!this.dead) this.#handshake.fail(failure)
    super.fail(failure)
  }

  protected override ended(): void {
    this.#handshake.fail(undefined)
    super.ended()
  }

  #certificateProblem(): string {
    const { tls } = this
    const { settings, name } = this.#target
    const error = tls.verifyError()
    if (!error && tls.isSessionReused()) return ''
    const found = error ? undefined : tls.getPeerCertificate(true)
    const certificate = found && { raw: found.raw, intermediates: intermediates(found) }
    return certificateProblem(error ? verifyResult(error) : undefined, certificate, name, settings.depth)
  }

  protected override refuse(problem: string): void {
    this.#sessions.forget()
    super.refuse(problem)
  }

  onSession(_id: Buffer, session: Buffer): void {
    if (!this.dead) this.#sessions.add(session)
  }

  onKeyLog(line: string): void {
    this.#target.settings.keyLog?.(line)
  }
}

function ignore(): void {}
