/** What is wrong with a back end's certificate, and what OpenSSL complains of, in the words that nginx logs. */
import { X509Certificate } from 'node:crypto'

/** OpenSSL's finding when a chain is longer than allowed. */
export const CHAIN_TOO_LONG: VerifyResult = { code: 22, text: 'certificate chain too long' }
const CHAIN_MAX = 100

/** A finding of OpenSSL about a certificate. */
export interface VerifyResult {
  /** Its number (x509_vfy.h); 0: nothing is wrong. */
  readonly code: number
  readonly text: string
}

/** OpenSSL's numbers of the results that Node has names for (x509_vfy.h). */
const RESULTS: Readonly<Record<string, number>> = {
  UNABLE_TO_GET_ISSUER_CERT: 2,
  UNABLE_TO_GET_CRL: 3,
  UNABLE_TO_DECRYPT_CERT_SIGNATURE: 4,
  UNABLE_TO_DECRYPT_CRL_SIGNATURE: 5,
  UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: 6,
  CERT_SIGNATURE_FAILURE: 7,
  CRL_SIGNATURE_FAILURE: 8,
  CERT_NOT_YET_VALID: 9,
  CERT_HAS_EXPIRED: 10,
  CRL_NOT_YET_VALID: 11,
  CRL_HAS_EXPIRED: 12,
  ERROR_IN_CERT_NOT_BEFORE_FIELD: 13,
  ERROR_IN_CERT_NOT_AFTER_FIELD: 14,
  ERROR_IN_CRL_LAST_UPDATE_FIELD: 15,
  ERROR_IN_CRL_NEXT_UPDATE_FIELD: 16,
  OUT_OF_MEM: 17,
  DEPTH_ZERO_SELF_SIGNED_CERT: 18,
  SELF_SIGNED_CERT_IN_CHAIN: 19,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 20,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 21,
  CERT_CHAIN_TOO_LONG: 22,
  CERT_REVOKED: 23,
  INVALID_CA: 24,
  PATH_LENGTH_EXCEEDED: 25,
  INVALID_PURPOSE: 26,
  CERT_UNTRUSTED: 27,
  CERT_REJECTED: 28,
}

/** A peer's certificate. */
interface Shown {
  /** In DER. */
  readonly raw: Buffer
  /** Certificates between it and the trusted one. */
  readonly intermediates: number
}

/**
 * What is wrong with the peer's certificate, or empty. `result` is OpenSSL's finding, if there is one; `depth`, which Node
 * cannot give OpenSSL: most certificates between the peer's and the trusted one.
 */
export function certificateProblem(
  result: VerifyResult | undefined,
  certificate: Shown | undefined,
  name: string,
  depth: number,
): string {
  if (result !== undefined) return verifyError(result)
  if (certificate !== undefined && certificate.intermediates > depth) return verifyError(CHAIN_TOO_LONG)
  const matches = certificate !== undefined && name !== '' && isFor(certificate.raw, name)
  return matches ? '' : `upstream SSL certificate does not match "${name}"`
}

function verifyError({ code, text }: VerifyResult): string {
  return `upstream SSL certificate verify error: (${code}:${text})`
}

/** OpenSSL's finding, as Node tells it. */
export function verifyResult(error: Error & { code?: string }): VerifyResult {
  // Node adds advice of its own to two of OpenSSL's texts.
  return { code: RESULTS[error.code ?? ''] ?? 1, text: error.message.split(';', 1)[0]! }
}

/** X509_check_host: the alternative names, or without any the common name. */
function isFor(raw: Buffer, name: string): boolean {
  return new X509Certificate(raw).checkHost(name, { subject: 'default' }) !== undefined
}

/** How many certificates stand between the peer's and the trusted one. */
export function intermediates(certificate: PeerCertificate): number {
  let count = 0
  let at = certificate
  while (count < CHAIN_MAX) {
    const issuer = at.issuerCertificate
    if (issuer === undefined || issuer === at || issuer.raw.equals(at.raw)) break
    at = issuer
    count++
  }
  // The last one is the trusted one.
  return Math.max(0, count - 1)
}

/** OpenSSL's error as nginx prints it: `error:0A00010B:SSL routines::wrong version number`. */
export function sslErrorText(error: Error): string {
  const match = /error:([0-9A-F]+):([^:]*):[^:]*:([^:\n]*)(?::[^:\n]*:\d+:([^\n]*))?/.exec(error.message)
  if (match === null) return error.message
  const [, code, library, reason, data] = match
  return `error:${code}:${library}::${reason}${data ? `:${data}` : ''}`
}

/** As far as Node's legacy object is used. */
export interface PeerCertificate {
  readonly raw: Buffer
  readonly issuerCertificate?: PeerCertificate
}
