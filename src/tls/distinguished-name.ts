/** Names of certificates as text, in both forms that nginx has of them: RFC 2253, and the one with slashes. */
import { BIT_STRING, type Der, derAt, derBytes, derInside, oidText } from '../lib/der.ts'

/** OpenSSL's short names. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'street',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'title',
  '2.5.4.13': 'description',
  '2.5.4.15': 'businessCategory',
  '2.5.4.17': 'postalCode',
  '2.5.4.20': 'telephoneNumber',
  '2.5.4.41': 'name',
  '2.5.4.42': 'GN',
  '2.5.4.43': 'initials',
  '2.5.4.44': 'generationQualifier',
  '2.5.4.45': 'x500UniqueIdentifier',
  '2.5.4.46': 'dnQualifier',
  '2.5.4.65': 'pseudonym',
  '2.5.4.97': 'organizationIdentifier',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
  '1.2.840.113549.1.9.2': 'unstructuredName',
  '1.3.6.1.4.1.311.60.2.1.1': 'jurisdictionL',
  '1.3.6.1.4.1.311.60.2.1.2': 'jurisdictionST',
  '1.3.6.1.4.1.311.60.2.1.3': 'jurisdictionC',
}

const UTF8_STRING = 0x0c
const UNIVERSAL_STRING = 0x1c
const BMP_STRING = 0x1e
const STRINGS: ReadonlySet<number> = new Set([UTF8_STRING, 0x12, 0x13, 0x14, 0x16, 0x1a, UNIVERSAL_STRING, BMP_STRING])

/** `CN=...,O=...`: the last part first, escaped (binary text). */
export function rfc2253Name(bytes: Buffer, name: Der): string {
  const parts = derInside(bytes, name).map((set) =>
    derInside(bytes, set)
      .map((pair) => rfc2253Pair(bytes, pair))
      .reverse()
      .join('+'),
  )
  return parts.reverse().join(',')
}

function rfc2253Pair(bytes: Buffer, pair: Der): string {
  const [type, value] = derInside(bytes, pair)
  if (type === undefined || value === undefined) return ''
  const oid = oidText(bytes, type)
  const name = SHORT_NAMES[oid]
  if (name === undefined || !STRINGS.has(value.tag)) {
    return `${name ?? oid}=#${derBytes(bytes, value).toString('hex').toUpperCase()}`
  }
  return `${name}=${escaped(utf8Of(bytes, value))}`
}

function escaped(text: string): string {
  let out = ''
  for (let i = 0; i < text.length; i++) {
    const ch = text[i]!
    const code = text.charCodeAt(i)
    const atEdge = (ch === ' ' && (i === 0 || i === text.length - 1)) || (ch === '#' && i === 0)
    if (code < 0x20 || code >= 0x7f) out += `\\${code.toString(16).toUpperCase().padStart(2, '0')}`
    else if (atEdge || ',+"\\<>;'.includes(ch)) out += `\\${ch}`
    else out += ch
  }
  return out
}

/** `/O=.../CN=...`. */
export function onelineName(bytes: Buffer, name: Der): string {
  let out = ''
  for (const set of derInside(bytes, name)) {
    let before = '/'
    for (const pair of derInside(bytes, set)) {
      const [type, value] = derInside(bytes, pair)
      if (type === undefined || value === undefined) continue
      const oid = oidText(bytes, type)
      const text = bytes.latin1Slice(value.start, value.end)
      out += `${before}${SHORT_NAMES[oid] ?? oid}=${text.replace(/[^ -~]/g, hexOf)}`
      before = '+'
    }
  }
  return out
}

function hexOf(ch: string): string {
  return `\\x${ch.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

/** The text of a string as UTF-8, one byte per char. */
function utf8Of(bytes: Buffer, { tag, start, end }: Der): string {
  if (tag === UTF8_STRING || tag === 0x12 || tag === 0x13 || tag === 0x16 || tag === 0x1a) {
    return bytes.latin1Slice(start, end)
  }
  const step = tag === BMP_STRING ? 2 : tag === UNIVERSAL_STRING ? 4 : 1
  let text = ''
  for (let at = start; at + step <= end; at += step) {
    const code = bytes.readUIntBE(at, step)
    text += code <= 0x10ffff ? String.fromCodePoint(code) : '?'
  }
  return Buffer.from(text, 'utf8').latin1Slice()
}

/** Where the parts of a certificate stand that are asked for. */
interface CertificateParts {
  readonly serial: Der
  readonly issuer: Der
  readonly subject: Der
  /** The key's bits, without the count of unused ones. */
  readonly key: Buffer
}

/** Takes a certificate apart; undefined when it is none. */
export function certificateParts(raw: Buffer): CertificateParts | undefined {
  const [body] = derInside(raw, derAt(raw, 0, raw.length))
  const fields = derInside(raw, body).filter((field) => field.tag !== 0xa0)
  const [serial, , issuer, , subject, keyInfo] = fields
  if (serial === undefined || issuer === undefined || subject === undefined) return undefined
  const bits = derInside(raw, keyInfo).find((one) => one.tag === BIT_STRING)
  if (bits === undefined) return undefined
  return { serial, issuer, subject, key: raw.subarray(bits.start + 1, bits.end) }
}
