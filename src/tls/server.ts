/**
 * How a server speaks TLS: chosen by the name that a client asks for, before there is an engine. A server without
 * certificates has no context; clients that ask for it get that of the default server, as in nginx.
 */

import type { ClientHello } from '../net/client-hello.ts'
import type { KeyLog, RecordSizes, TlsAcceptOptions } from '../net/tls-server.ts'
import type { SecureContextHandle } from '../net/tls-wire.ts'
import type { StatusRecords } from '../shared/status-records.ts'
import type { OcspOptions } from './ocsp-check.ts'
import type { SessionCache } from './session-cache.ts'
import type { Stapler } from './stapling.ts'

/** `ssl_verify_client`. */
export const VERIFY_OFF = 0
export const VERIFY_ON = 1
export const VERIFY_OPTIONAL = 2
/** Certificates from unknown issuers are taken too. */
export const VERIFY_OPTIONAL_NO_CA = 3

/** As it stands on the wire. */
export const TLS_1_3 = 0x0304
/** Ids of sessions that are found here; longer ones are tickets. */
const SESSION_ID_SIZE = 32

/** Certificates, sessions, and all that OpenSSL is told of a server. */
export interface SslContext<Subject> {
  /** The context, or what is wrong with the certificates that `r` has chosen. */
  choose(r: (() => Subject) | undefined): SecureContextHandle | string
  /** Clients are asked for certificates. */
  readonly requestCert: boolean
  /** TLS 1.3 may be spoken. */
  readonly speaks13: boolean
  /** Sessions may be kept by clients. */
  readonly tickets: boolean
  readonly cache: SessionCache | undefined
  /** The answer about our certificate that clients are shown. */
  readonly staple: Stapler
  /** `ssl_ocsp`: how the certificates of clients are asked about. */
  readonly ocsp: OcspOptions | undefined
}

/** What a server block says about TLS; variables in the names of certificates are asked of a `Subject`. */
export interface SslServer<Subject> extends SslState {
  readonly context: SslContext<Subject> | undefined
}

/** What it says beside certificates. */
export interface SslState {
  readonly verify: number
  readonly depth: number
  /** `ssl_prefer_server_ciphers`. */
  readonly ordered: boolean
  /** `ssl_reject_handshake`. */
  readonly rejects: boolean
  /** `ssl_buffer_size` and `ssl_dyn_rec_*`. */
  readonly records: RecordSizes
  /** Certificates whose chains were too long: a session that is resumed does not show the chain any more. */
  readonly longChains: StatusRecords | undefined
  /** `ssl_key_log`: takes lines with secrets. */
  readonly keyLog: KeyLog | undefined
}

/** A server that says nothing about TLS. */
export const NO_SSL: SslServer<unknown> = {
  context: undefined,
  verify: VERIFY_OFF,
  depth: 1,
  ordered: false,
  rejects: false,
  records: { largest: 16384, growing: undefined },
  longChains: undefined,
  keyLog: undefined,
}

/** How the connection of a client is secured that said `hello`; `alpn` are our protocols. */
export function acceptOptions(
  hello: ClientHello,
  { records, keyLog }: SslState,
  context: SslContext<never>,
  secure: SecureContextHandle,
  alpn: Buffer,
): TlsAcceptOptions {
  const { cache } = context
  const is13 = context.speaks13 && hello.version >= TLS_1_3
  const byTicket = context.tickets && (is13 || hello.tickets)
  return {
    secure,
    requestCert: context.requestCert,
    alpn: hello.alpn === '' ? undefined : alpn,
    ocsp: hello.statusRequest ? context.staple(hello, is13) : undefined,
    session: cache === undefined ? undefined : offered(hello, is13, context.tickets, cache),
    store: byTicket ? undefined : cache,
    records,
    keyLog,
  }
}

/** The session that the client wants to resume, when it is one of ours. */
function offered(hello: ClientHello, is13: boolean, tickets: boolean, cache: SessionCache): Buffer | undefined {
  const id = is13 ? hello.pskIdentity : hello.sessionId
  // A ticket comes with an id that the client made up.
  if (id.length !== SESSION_ID_SIZE || (is13 && tickets) || (tickets && hello.ticket !== '')) return undefined
  return cache.find(id)
}
