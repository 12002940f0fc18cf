/** TLS from a client, whatever engine speaks it: how it is secured, and what was agreed on. */
import type { X509Certificate } from 'node:crypto'
import type { StreamWire } from './stream-wire.ts'
import type { SecureContextHandle } from './tls-wire.ts'
import type { VerifyResult } from './tls-wire-verify.ts'

/** How one connection is secured. */
export interface TlsAcceptOptions {
  readonly secure: SecureContextHandle
  /** The client is asked for a certificate; what comes is judged afterwards. */
  readonly requestCert: boolean
  /** Protocols of ours in order, each behind its length; undefined: the client does not ask. */
  readonly alpn: Buffer | undefined
  /** The status of our certificate, for a client that asks for it. */
  readonly ocsp: Buffer | undefined
  /** The session that the client wants to resume. */
  readonly session: Buffer | undefined
  /** Gets new sessions; undefined: none are kept. */
  readonly store: SessionStore | undefined
  readonly records: RecordSizes
  readonly keyLog: KeyLog | undefined
}

/** How large records are that are sent, in bytes of what is in them: 64 to 16384. */
export interface RecordSizes {
  readonly largest: number
  /** Only OpenSSL's own engine can do that. */
  readonly growing: GrowingRecords | undefined
}

/** Records that begin small: `threshold` of `low`, as many of `high`, then the largest; once more after a silence. */
interface GrowingRecords {
  readonly low: number
  readonly high: number
  readonly threshold: number
  readonly timeoutMs: number
}

/** Takes lines with the secrets of connections. */
export type KeyLog = (line: string) => void

/** A client's certificate and what OpenSSL found. */
export interface TlsPeer {
  /** In DER. */
  readonly raw: Buffer
  /** Certificates between it and the trusted one, as far as they are known. */
  readonly intermediates: number
  readonly result: VerifyResult
}

/** Keeps sessions. */
export interface SessionStore {
  add(id: Buffer, session: Buffer): void
}

/** Hears that the handshake is over. Failures close the wire, with the reason. */
export interface AcceptOwner {
  onHandshake(): void
}

/** What was agreed on with a client; nothing once the wire is closed. */
export interface TlsAgreement {
  /** `TLSv1.3`. */
  readonly protocol: string
  readonly cipher: string
  /** A session goes on. */
  readonly reused: boolean
  /** The request at hand came before the end of the handshake, which is not over. */
  readonly early: boolean
  /** The protocol that ALPN chose, or empty. */
  readonly alpnProtocol: string
  /** The session in DER. */
  readonly session: Buffer | undefined
  /** Our certificate that was shown. */
  readonly ownCertificate: X509Certificate | undefined
  /** The client's certificate; undefined without. */
  readonly peer: TlsPeer | undefined
  /** The client's certificate and those that lead to the trusted one, in DER. */
  readonly peerChain: readonly Buffer[]
}

/** A wire from a client that TLS is spoken on. */
export type TlsServer = StreamWire &
  TlsAgreement & {
    /** Begins with the bytes that were read before; `is13`: TLS 1.3 may be spoken. */
    start(early: Buffer, is13: boolean): void
  }
