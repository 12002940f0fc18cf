/**
 * Which of our certificates TLS 1.2 will show to a client: the cipher decides, and it is chosen after the answer about the
 * certificate has to be there. Where it cannot be told for sure there is no answer: another certificate's would be taken for
 * a forgery (OpenSSL's ssl3_choose_cipher).
 */
import type { X509Certificate } from 'node:crypto'
import type { ClientHello } from '../net/client-hello.ts'
import { cipherProblem } from '../net/tls-wire-context.ts'
import { allCiphers, cipherNames, groupNames } from './code-names.ts'
import { ownSignature } from './signature-algorithms.ts'

/** What the choice depends on, on our side. */
export interface CipherRules {
  /** The list of ciphers, in OpenSSL's syntax. */
  readonly ciphers: string
  /** Our order counts, not the client's. */
  readonly ordered: boolean
  /** The groups are OpenSSL's own. */
  readonly usualGroups: boolean
}

const USUAL_GROUPS = ['X25519', 'prime256v1', 'X448', 'secp384r1', 'secp521r1']
const BY_ECDSA = /^ECDHE-ECDSA-/
/** With RSA in the exchange of keys, or in the signature under it. */
const BY_RSA = /^(?:ECDHE-RSA-|AES(?:128|256)-)/
/** Whether these can be used depends on parameters, too. */
const BY_DH = /^DHE-RSA-/

/** The index of the certificate, or -1. */
export function certificateOf12(
  certificates: readonly X509Certificate[],
  hello: ClientHello,
  rules: CipherRules,
): number {
  const kinds = certificates.map(({ publicKey }) => publicKey.asymmetricKeyType)
  if (kinds.some((kind) => kind !== 'rsa' && kind !== 'ec')) return -1
  let found = -1
  for (const name of cipherNames(hello.ciphers).split(':')) {
    if (BY_DH.test(name) && isAllowed(name, rules.ciphers)) return -1
    const kind = BY_ECDSA.test(name) ? 'ec' : BY_RSA.test(name) ? 'rsa' : ''
    const index = kind === '' ? -1 : kinds.indexOf(kind)
    if (index < 0 || !isAllowed(name, rules.ciphers)) continue
    if (name.startsWith('ECDHE-') && !rules.usualGroups) return -1
    if (!fits(certificates[index]!, name, hello, rules)) continue
    if (!rules.ordered) return index
    if (found >= 0 && found !== index) return -1
    found = index
  }
  return found
}

function fits(certificate: X509Certificate, cipher: string, hello: ClientHello, { ordered }: CipherRules): boolean {
  const groups = groupNames(hello.groups).split(':')
  if (cipher.startsWith('ECDHE-') && !groups.some((group) => USUAL_GROUPS.includes(group))) return false
  const curve = certificate.publicKey.asymmetricKeyDetails?.namedCurve
  if (curve !== undefined && !groups.includes(curve)) return false
  return ownSignature(certificate, hello.signatureAlgorithms, false, ordered) !== ''
}

/** OpenSSL has no cipher left when all others are taken from a list that lacks this one. */
function isAllowed(name: string, list: string): boolean {
  const others = [...allCiphers()].filter((one) => one !== name && !one.startsWith('TLS_'))
  return cipherProblem(`${list}:!${others.join(':!')}`) === ''
}
