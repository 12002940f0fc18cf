/**
 * Questions and answers about certificates (RFC 6960): is it revoked? An answer counts when it is about the certificate
 * that was asked for, at this time, and signed by the issuer or by one whom the issuer has charged with it.
 */

import { constants, createHash, verify, X509Certificate } from 'node:crypto'
import { NO_BYTES } from '../lib/bytes.ts'
import {
  BIT_STRING,
  contextTag,
  type Der,
  derAt,
  derBytes,
  derContent,
  derInside,
  derOf,
  ENUMERATED,
  GENERALIZED_TIME,
  NULL,
  OCTET_STRING,
  OID,
  oidText,
  SEQUENCE,
} from '../lib/der.ts'
import { certificateParts } from './distinguished-name.ts'

/** The certificate is not revoked. */
export const GOOD = 0
/** It is. */
export const REVOKED = 1
/** Nobody knows it. */
export const UNKNOWN = 2

/** What an answer says. */
interface CertificateStatus {
  readonly status: number
  /** Until when, in seconds. */
  readonly validUntil: number
}

/** Clocks may differ by that much. */
const SKEW_S = 300
const SHA1 = Buffer.from([0x2b, 0x0e, 0x03, 0x02, 0x1a])
const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1'
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
const STATUSES: Readonly<Record<number, string>> = {
  1: 'malformedrequest',
  2: 'internalerror',
  3: 'trylater',
  5: 'sigrequired',
  6: 'unauthorized',
}

/** Signature algorithms by their object identifiers. */
const HASHES: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.5': 'sha1',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.1': 'sha1',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
  '1.3.101.113': null,
}
const RSA_PSS = '1.2.840.113549.1.1.10'
const PSS_HASHES: Readonly<Record<string, string>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

/** Names a certificate to a responder; undefined when it cannot be read. Certificates are in DER. */
export function certificateId(certificate: Buffer, issuer: Buffer): Buffer | undefined {
  const own = certificateParts(certificate)
  const by = certificateParts(issuer)
  if (own === undefined || by === undefined) return undefined
  return derOf(
    SEQUENCE,
    derOf(SEQUENCE, derOf(OID, SHA1), derOf(NULL)),
    derOf(OCTET_STRING, sha1(derBytes(certificate, own.issuer))),
    derOf(OCTET_STRING, sha1(by.key)),
    derBytes(certificate, own.serial),
  )
}

/** The question for the certificate with this id. */
export function ocspRequest(id: Buffer): Buffer {
  return derOf(SEQUENCE, derOf(SEQUENCE, derOf(SEQUENCE, derOf(SEQUENCE, id))))
}

/** Reads an answer; a text says why it does not count. `now` is in seconds. */
export function readOcspResponse(bytes: Buffer, id: Buffer, issuer: Buffer, now: number): CertificateStatus | string {
  const [status, wrapped] = derInside(bytes, derAt(bytes, 0, bytes.length))
  if (status?.tag !== ENUMERATED) return 'd2i_OCSP_RESPONSE() failed'
  const code = bytes[status.start] ?? 0
  if (code !== 0) return `OCSP response not successful (${code}: ${STATUSES[code] ?? '(UNKNOWN)'})`
  const [type, octets] = derInside(bytes, derInside(bytes, wrapped)[0])
  if (type === undefined || octets === undefined || oidText(bytes, type) !== BASIC_RESPONSE) {
    return 'OCSP_response_get1_basic() failed'
  }
  return readBasic(derContent(bytes, octets), id, issuer, now)
}

function readBasic(bytes: Buffer, id: Buffer, issuer: Buffer, now: number): CertificateStatus | string {
  const [data, algorithm, signature, certificates] = derInside(bytes, derAt(bytes, 0, bytes.length))
  if (data === undefined || algorithm === undefined || signature?.tag !== BIT_STRING) {
    return 'OCSP_response_get1_basic() failed'
  }
  const fields = derInside(bytes, data)
  const list = fields.findLast((field) => field.tag === SEQUENCE)
  const included = derInside(bytes, derInside(bytes, certificates)[0]).map((one) => derBytes(bytes, one))
  const signed = { data: derBytes(bytes, data), signature: bytes.subarray(signature.start + 1, signature.end) }
  const hash = hashOf(bytes, algorithm)
  const signer = [issuer, ...included].find((one) => hash !== undefined && isSignedBy(signed, hash, one))
  if (signer === undefined || !mayAnswer(signer, issuer, now)) return 'OCSP_basic_verify() failed'
  for (const single of derInside(bytes, list)) {
    const [which, status, thisUpdate, next] = derInside(bytes, single)
    if (which === undefined || status === undefined || !sameId(derBytes(bytes, which), id)) continue
    return statusOf(bytes, status, thisUpdate, next, now)
  }
  return 'certificate status not found in the OCSP response'
}

/** Parameters of the hash in an id may be there or not. */
function sameId(one: Buffer, other: Buffer): boolean {
  if (one.equals(other)) return true
  const parts = (bytes: Buffer): readonly Buffer[] => {
    const [algorithm, ...rest] = derInside(bytes, derAt(bytes, 0, bytes.length))
    const [hash] = derInside(bytes, algorithm)
    return [hash, ...rest].map((part) => (part === undefined ? NO_BYTES : derBytes(bytes, part)))
  }
  return Buffer.concat([...parts(one)]).equals(Buffer.concat([...parts(other)]))
}

function statusOf(
  bytes: Buffer,
  status: Der,
  thisUpdate: Der | undefined,
  next: Der | undefined,
  now: number,
): CertificateStatus | string {
  const since = timeOf(bytes, thisUpdate)
  const [tagged] = next?.tag === contextTag(0) ? derInside(bytes, next) : []
  const until = tagged === undefined ? Number.POSITIVE_INFINITY : timeOf(bytes, tagged)
  if (Number.isNaN(since) || Number.isNaN(until) || since > now + SKEW_S || until < now - SKEW_S || until < since) {
    return 'OCSP_check_validity() failed'
  }
  // [0] good, [1] revoked with the time, [2] unknown.
  const number = status.tag & 0x1f
  return { status: number === 0 ? GOOD : number === 1 ? REVOKED : UNKNOWN, validUntil: until }
}

/** `20260102030405Z` in seconds. */
function timeOf(bytes: Buffer, one: Der | undefined): number {
  if (one?.tag !== GENERALIZED_TIME) return Number.NaN
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?Z$/.exec(bytes.latin1Slice(one.start, one.end))
  if (match === null) return Number.NaN
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number)
  return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) / 1000
}

interface Signed {
  readonly data: Buffer
  readonly signature: Buffer
}

interface SignatureHash {
  readonly hash: string | null
  readonly pss: boolean
}

function hashOf(bytes: Buffer, algorithm: Der): SignatureHash | undefined {
  const [type, parameters] = derInside(bytes, algorithm)
  if (type === undefined) return undefined
  const name = oidText(bytes, type)
  if (name !== RSA_PSS) return Object.hasOwn(HASHES, name) ? { hash: HASHES[name]!, pss: false } : undefined
  const [tagged] = derInside(bytes, parameters)
  const [hash] = derInside(bytes, derInside(bytes, tagged)[0])
  const known = hash === undefined ? undefined : PSS_HASHES[oidText(bytes, hash)]
  return known === undefined ? undefined : { hash: known, pss: true }
}

function isSignedBy({ data, signature }: Signed, { hash, pss }: SignatureHash, certificate: Buffer): boolean {
  // tidy: keys of another kind, and broken certificates, are told by exceptions; once per answer.
  try {
    const key = new X509Certificate(certificate).publicKey
    const padding = pss ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {}
    return verify(hash, data, { key, ...padding }, signature)
  } catch {
    return false
  }
}

/** The issuer, or one with the issuer's word for it. */
function mayAnswer(signer: Buffer, issuer: Buffer, now: number): boolean {
  if (signer.equals(issuer)) return true
  // tidy: broken certificates are told by exceptions; once per answer.
  try {
    const own = new X509Certificate(signer)
    const by = new X509Certificate(issuer)
    const inTime = Date.parse(own.validFrom) / 1000 <= now && now <= Date.parse(own.validTo) / 1000
    return inTime && own.checkIssued(by) && own.verify(by.publicKey) && (own.keyUsage ?? []).includes(OCSP_SIGNING)
  } catch {
    return false
  }
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest()
}
