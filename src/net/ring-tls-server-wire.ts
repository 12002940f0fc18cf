/**
 * TLS from a client on an io_uring. The client's first message is read from the wire while it is still a plain one
 * (client-hello.ts); what was read until then is given to the engine with `start`.
 */
import { X509Certificate } from 'node:crypto'
import { Ssl } from '../sys/ssl.ts'
import type { SslContext } from '../sys/ssl-context.ts'
import type { SslAsked, TicketKeys } from '../sys/ssl-thread.ts'
import { RingTlsWire } from './ring-tls-wire.ts'
import type { AcceptOwner, KeyLog, SessionStore, TlsAcceptOptions, TlsAgreement, TlsPeer } from './tls-server.ts'

/** One TLS connection of a client. */
export class RingTlsServerWire extends RingTlsWire implements TlsAgreement {
  #owner: AcceptOwner | undefined
  #context: SslContext | undefined
  #peer: TlsPeer | undefined
  #asked = false
  #offersProtocols = false

  /** Speaks TLS from now on; `start` follows. */
  secure(options: TlsAcceptOptions, owner: AcceptOwner): void {
    const context = options.secure.ssl
    if (options.ocsp !== undefined) context.askForStaples()
    if (options.store !== undefined || options.session !== undefined) context.askForSessions()
    if (options.keyLog !== undefined) context.askForKeys()
    const ssl = new Ssl(context, true, new Asked(options, context.tickets))
    if (options.requestCert) ssl.requestCertificate()
    if (options.ocsp !== undefined) ssl.setStaple(options.ocsp)
    this.recordSizes = options.records
    this.#offersProtocols = options.alpn !== undefined
    this.#owner = owner
    this.#context = context
    this.begin(ssl)
  }

  /** Begins with the bytes that were read before; `is13`: TLS 1.3 may be spoken. */
  start(early: Buffer, is13: boolean): void {
    const ssl = this.ssl!
    if (!is13) ssl.expectOld()
    ssl.give(early, early.length)
    this.work(ssl)
  }

  protected onHandshakeDone(): void {
    const owner = this.#owner
    if (owner === undefined || this.dead) return
    this.#owner = undefined
    this.open = true
    owner.onHandshake()
  }

  // ---- what was agreed on ----------------------------------------------------------------------

  get protocol(): string {
    return this.alive ? this.ssl!.protocol : ''
  }

  get cipher(): string {
    return this.alive ? this.ssl!.cipher : ''
  }

  get reused(): boolean {
    return this.alive && this.ssl!.reused
  }

  get early(): boolean {
    return this.alive && this.ssl!.early
  }

  get alpnProtocol(): string {
    return this.alive && this.#offersProtocols ? this.ssl!.alpnProtocol : ''
  }

  get session(): Buffer | undefined {
    return this.alive ? this.ssl!.session : undefined
  }

  get ownCertificate(): X509Certificate | undefined {
    const raw = this.alive ? this.ssl!.ownCertificate : undefined
    return raw === undefined ? undefined : new X509Certificate(raw)
  }

  get peer(): TlsPeer | undefined {
    if (!this.#asked && this.alive) {
      this.#asked = true
      this.#peer = this.#askPeer(this.ssl!)
    }
    return this.#peer
  }

  get peerChain(): readonly Buffer[] {
    return this.alive ? this.ssl!.peerChain(this.#context!) : []
  }

  #askPeer(ssl: Ssl): TlsPeer | undefined {
    const raw = ssl.peerCertificate
    if (raw === undefined) return undefined
    const code = ssl.verifyResult
    // The first is the client's own, the last the trusted one.
    const intermediates = Math.max(0, ssl.peerChain(this.#context!).length - 2)
    return { raw, intermediates, result: { code, text: code === 0 ? '' : ssl.verifyText(code) } }
  }
}

/** What the engine asks about a client. */
class Asked implements SslAsked {
  readonly alpn: Buffer | undefined
  readonly tickets: TicketKeys | undefined
  #session: Buffer | undefined
  readonly #store: SessionStore | undefined
  readonly #keyLog: KeyLog | undefined

  constructor({ alpn, session, store, keyLog }: TlsAcceptOptions, tickets: TicketKeys | undefined) {
    this.alpn = alpn
    this.tickets = tickets
    this.#session = session
    this.#store = store
    this.#keyLog = keyLog
  }

  /** A client of TLS 1.3 may name several sessions, and this is the first. */
  takeSession(): Buffer | undefined {
    const session = this.#session
    this.#session = undefined
    return session
  }

  onSession(id: Buffer, session: Buffer): void {
    this.#store?.add(id, session)
  }

  onKeyLog(line: string): void {
    this.#keyLog?.(line)
  }
}
