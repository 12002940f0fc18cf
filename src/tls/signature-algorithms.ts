/**
 * Which signature algorithms a handshake used. Node does not tell; but both sides choose the first one, in the order of
 * the other's list, that fits to their key, so it can be worked out (OpenSSL's tls_choose_sigalg).
 */
import type { X509Certificate } from 'node:crypto'
import { codesOf, signatureName } from './code-names.ts'

/** The curve that TLS 1.3 binds to each ECDSA algorithm. */
const CURVES: Readonly<Record<number, string>> = { 1027: 'prime256v1', 1283: 'secp384r1', 1539: 'secp521r1' }

/** What OpenSSL asks of a client's signature by default, in its order. */
const ASKED = [
  0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080a, 0x080b, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601,
]

/**
 * The algorithm that we signed with, given what the client takes (two bytes each, one byte per char). `ordered`: our order
 * counts, not the client's.
 */
export function ownSignature(certificate: X509Certificate, taken: string, is13: boolean, ordered: boolean): string {
  return choose(certificate, inOrder(taken, ordered), is13)
}

function inOrder(taken: string, ordered: boolean): readonly number[] {
  const codes = codesOf(taken)
  return ordered ? ASKED.filter((one) => codes.includes(one)) : codes
}

/** The algorithm that a client signed with that knows those it says to take. */
export function clientSignature(certificate: X509Certificate, known: string, is13: boolean): string {
  const codes = new Set(codesOf(known))
  return choose(
    certificate,
    ASKED.filter((code) => codes.has(code)),
    is13,
  )
}

/**
 * Which of our certificates TLS 1.3 shows to a client that takes these algorithms; -1: none fits.
 */
export function shownCertificate(certificates: readonly X509Certificate[], taken: string, ordered: boolean): number {
  for (const code of inOrder(taken, ordered)) {
    const index = certificates.findIndex((one) => choose(one, [code], true) !== '')
    if (index >= 0) return index
  }
  return -1
}

function choose({ publicKey }: X509Certificate, codes: readonly number[], is13: boolean): string {
  const { asymmetricKeyType: type = '', asymmetricKeyDetails: details } = publicKey
  const curve = details?.namedCurve ?? ''
  const found = codes.find((code) => fits(code, type, curve, is13))
  return found === undefined ? '' : signatureName(found)
}

function fits(code: number, type: string, curve: string, is13: boolean): boolean {
  switch (type) {
    case 'rsa':
      return (code >= 0x0804 && code <= 0x0806) || (!is13 && (code & 0xff) === 1 && code >= 0x0401)
    case 'rsa-pss':
      return code >= 0x0809 && code <= 0x080b
    case 'ec':
      return is13 ? CURVES[code] === curve : (code & 0xff) === 3 && code >= 0x0403 && code <= 0x0603
    case 'ed25519':
      return code === 0x0807
    case 'ed448':
      return code === 0x0808
    default:
      return false
  }
}
