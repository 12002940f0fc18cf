/** Why handshakes come to nothing, as far as it is counted apart, in the words of NGINX Plus's API. */

/** A handshake that ended, or one in which a certificate was found wanting. */
export type TlsFault = 'no_common_protocol' | 'no_common_cipher' | 'peer_rejected_cert' | VerifyFault
/** What was wrong with the other side's certificate; the handshake itself went well. */
export type VerifyFault = 'expired_cert' | 'revoked_cert' | 'hostname_mismatch' | 'other'

/** OpenSSL's numbers (x509_vfy.h) of certificates that are too new or too old, revoked, and made out to others. */
const EXPIRED: ReadonlySet<number> = new Set([9, 10])
const REVOKED = 23
const HOSTNAME_MISMATCH = 62

/** OpenSSL's texts, and what they come to; whoever has no use for some of them leaves those out. */
const TEXTS: readonly (readonly [RegExp, TlsFault])[] = [
  [/no shared cipher/, 'no_common_cipher'],
  [
    /unsupported protocol|wrong version number|no protocols available|inappropriate fallback|alert protocol version/,
    'no_common_protocol',
  ],
  [/alert (?:bad certificate|unknown ca|certificate|unsupported certificate)/, 'peer_rejected_cert'],
  [/certificate does not match/, 'hostname_mismatch'],
]
const VERIFY_ERROR = /certificate verify error: \((\d+):/

/** What a failure was about; undefined when it is none of these. `problem` is the text of a failure of TLS. */
export function tlsFaultOf(problem: string): TlsFault | undefined {
  const code = VERIFY_ERROR.exec(problem)?.[1]
  if (code !== undefined) return verifyFault(Number(code))
  return TEXTS.find(([text]) => text.test(problem))?.[1]
}

/** What a finding of OpenSSL about a certificate (a number other than 0) counts as. */
export function verifyFault(code: number): VerifyFault {
  if (EXPIRED.has(code)) return 'expired_cert'
  if (code === REVOKED) return 'revoked_cert'
  return code === HOSTNAME_MISMATCH ? 'hostname_mismatch' : 'other'
}
