/** Diffie-Hellman parameters as files have them, in the one form that the engine uses (PKCS #3). */
import { derAt, derBytes, derInside, derOf, SEQUENCE } from '../lib/der.ts'

const ANY = /-----BEGIN (?:X9\.42 )?DH PARAMETERS-----/
const X942 = /-----BEGIN X9\.42 DH PARAMETERS-----([^-]*)-----END/

/** The same parameters; those of `openssl dhparam -dsaparam` (X9.42: p, g, q) without what only checks them. Empty when there are none. */
export function plainDhparam(pem: string): string {
  if (!ANY.test(pem)) return ''
  const match = X942.exec(pem)
  if (match === null) return pem
  const bytes = Buffer.from(match[1]!, 'base64')
  const [p, g] = derInside(bytes, derAt(bytes, 0, bytes.length))
  if (p === undefined || g === undefined) return pem
  const text = derOf(SEQUENCE, derBytes(bytes, p), derBytes(bytes, g)).toString('base64')
  return `-----BEGIN DH PARAMETERS-----\n${text.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END DH PARAMETERS-----\n`
}
