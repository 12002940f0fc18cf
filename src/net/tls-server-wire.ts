/**
 * TLS from a client. The client's first message has been read already (client-hello.ts), so that context and session are
 * chosen before there is an engine; the bytes read until then are given to it with `start`.
 */
import { X509Certificate } from 'node:crypto'
import type { StreamHandle } from './handle-wire.ts'
import type { AcceptOwner, KeyLog, SessionStore, TlsAcceptOptions, TlsAgreement, TlsPeer } from './tls-server.ts'
import { type TlsHandle, TlsWire } from './tls-wire.ts'
import { handshake } from './tls-wire-context.ts'
import { intermediates, type VerifyResult, verifyResult } from './tls-wire-verify.ts'

/** The largest TLS record; no smaller ones need to be asked for. */
const RECORD_SIZE_MAX = 16384

const SOUND: VerifyResult = { code: 0, text: '' }

/** One TLS connection of a client. */
export class TlsServerWire extends TlsWire implements TlsAgreement {
  #owner: AcceptOwner | undefined
  readonly #store: SessionStore | undefined
  readonly #keyLog: KeyLog | undefined
  #peer: TlsPeer | undefined
  #asked = false

  /** Takes over the handle of a plain wire that was released. */
  constructor(below: StreamHandle, options: TlsAcceptOptions, owner: AcceptOwner) {
    super(below, options.secure, true)
    this.#owner = owner
    this.#store = options.store
    this.#keyLog = options.keyLog
    const { tls } = this
    if (options.keyLog !== undefined) tls.enableKeylogCallback()
    if (options.requestCert) tls.setVerifyMode(true, false)
    if (options.alpn !== undefined) tls.setALPNProtocols(options.alpn)
    if (options.ocsp !== undefined) tls.setOCSPResponse(options.ocsp)
    const { largest } = options.records
    if (largest < RECORD_SIZE_MAX) tls.setMaxSendFragment(Math.max(512, largest))
    if (options.store !== undefined || options.session !== undefined) this.#enableSessions(tls, options.session)
  }

  /** Node reads the hello too before it lets sessions be loaded; it has nothing to find there. */
  #enableSessions(tls: TlsHandle, session: Buffer | undefined): void {
    tls.enableSessionCallbacks()
    if (session !== undefined) tls.loadSession(session)
    tls.endParser()
  }

  /** Begins with the bytes that were read before; `is13`: TLS 1.3 may be spoken. */
  start(early: Buffer, is13: boolean): void {
    this.resume()
    handshake.is13 = is13
    this.tls.receive(early)
  }

  onHandshakeDone(): void {
    const owner = this.#owner
    if (owner === undefined || this.dead) return
    this.#owner = undefined
    this.open = true
    owner.onHandshake()
  }

  onSession(id: Buffer, session: Buffer): void {
    this.#store?.add(id, session)
    // The handshake waits for this word.
    this.tls.newSessionDone()
  }

  onKeyLog(line: string): void {
    this.#keyLog?.(line)
  }

  // ---- what was agreed on; nothing once the wire is closed -------------------------------------

  /** `TLSv1.3`. */
  get protocol(): string {
    return this.alive ? this.tls.getProtocol() : ''
  }

  get cipher(): string {
    return this.alive ? (this.tls.getCipher()?.name ?? '') : ''
  }

  get reused(): boolean {
    return this.alive && this.tls.isSessionReused()
  }

  /** Node has nothing of the kind. */
  get early(): boolean {
    return false
  }

  /** The protocol that ALPN chose, or empty. */
  get alpnProtocol(): string {
    return (this.alive && this.tls.getALPNNegotiatedProtocol()) || ''
  }

  /** The session in DER, for what Node does not tell. */
  get session(): Buffer | undefined {
    return this.alive ? this.tls.getSession() : undefined
  }

  /** Our certificate that was shown. */
  get ownCertificate(): X509Certificate | undefined {
    const raw = this.alive ? this.tls.getCertificate()?.raw : undefined
    return raw === undefined ? undefined : new X509Certificate(raw)
  }

  /** The client's certificate; undefined without. */
  get peer(): TlsPeer | undefined {
    if (!this.#asked && this.alive) {
      this.#asked = true
      this.#peer = this.#askPeer()
    }
    return this.#peer
  }

  /** The client's certificate and those that lead to the trusted one, in DER. */
  get peerChain(): readonly Buffer[] {
    const chain: Buffer[] = []
    let at = this.alive ? this.tls.getPeerCertificate(true) : undefined
    while (at?.raw !== undefined && !chain.some((one) => one.equals(at!.raw))) {
      chain.push(at.raw)
      at = at.issuerCertificate
    }
    return chain
  }

  #askPeer(): TlsPeer | undefined {
    const found = this.tls.getPeerCertificate(true)
    if (found?.raw === undefined) return undefined
    const error = this.tls.verifyError()
    return { raw: found.raw, intermediates: intermediates(found), result: error ? verifyResult(error) : SOUND }
  }
}
