/**
 * A local certificate authority and what it signs, for `viaduct serve --tls`. Without a folder of the user's it lives as long
 * as the server; with one, it stays, and is trusted once.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { parseIp } from '../../lib/ip.ts'
import { bitString, der, oid, sequence, utcTime } from './der.ts'

const DAY_MS = 86_400_000
const AUTHORITY_DAYS = 3650
/** Browsers take no more than 398. */
const CERTIFICATE_DAYS = 365

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))

interface Signer {
  readonly name: string
  readonly key: KeyObject
}

/** Files of a certificate. */
export interface Files {
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

/** Makes a certificate for the names in `folder`, and an authority in `authorityFolder` unless there is one. */
export function makeCertificate(names: readonly string[], folder: string, authorityFolder = folder): Files {
  const files = {
    authority: path.join(authorityFolder, 'authority.pem'),
    certificate: path.join(folder, 'certificate.pem'),
    key: path.join(folder, 'key.pem'),
  }
  const signer = authorityIn(authorityFolder, files.authority)
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = certify({
    name: names[0]!,
    publicKey,
    days: CERTIFICATE_DAYS,
    extensions: leafExtensions(names),
    signer,
  })
  fs.writeFileSync(files.certificate, certificate)
  fs.writeFileSync(files.key, pem(privateKey), { mode: 0o600 })
  return files
}

function authorityIn(folder: string, file: string): Signer {
  const keyFile = path.join(folder, 'authority-key.pem')
  if (fs.existsSync(file) && fs.existsSync(keyFile)) {
    return { name: nameIn(folder), key: createPrivateKey(fs.readFileSync(keyFile)) }
  }
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer = { name: `Viaduct, local authority ${randomBytes(3).toString('hex')}`, key: privateKey }
  fs.writeFileSync(
    file,
    certify({ name: signer.name, publicKey, days: AUTHORITY_DAYS, extensions: authorityExtensions(publicKey), signer }),
  )
  fs.writeFileSync(keyFile, pem(privateKey), { mode: 0o600 })
  fs.writeFileSync(path.join(folder, 'authority-name'), signer.name)
  return signer
}

function nameIn(folder: string): string {
  return fs.readFileSync(path.join(folder, 'authority-name'), 'utf8').trim()
}

interface Wanted {
  readonly name: string
  readonly publicKey: KeyObject
  readonly days: number
  readonly extensions: Buffer
  readonly signer: Signer
}

function certify({ name, publicKey, days, extensions, signer }: Wanted): string {
  const now = Date.now()
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x7f) | 0x40
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, serial),
    ECDSA_SHA256,
    commonName(signer.name),
    sequence(utcTime(new Date(now - DAY_MS)), utcTime(new Date(now + days * DAY_MS))),
    commonName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  )
  const whole = sequence(body, ECDSA_SHA256, bitString(sign('sha256', body, signer.key)))
  const lines = whole
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(name)))))
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [der(0x01, Buffer.of(0xff))] : []), der(0x04, value))
}

function keyId(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
}

function authorityExtensions(key: KeyObject): Buffer {
  return sequence(
    extension('2.5.29.19', true, sequence(der(0x01, Buffer.of(0xff)), der(0x02, Buffer.of(0)))),
    // keyCertSign and cRLSign.
    extension('2.5.29.15', true, der(0x03, Buffer.of(1, 0x06))),
    extension('2.5.29.14', false, der(0x04, keyId(createPublicKey(key.export({ type: 'spki', format: 'pem' }))))),
  )
}

function leafExtensions(names: readonly string[]): Buffer {
  const alternative = names.map((name) =>
    parseIp(name) === undefined ? der(0x82, Buffer.from(name)) : der(0x87, addressBytes(name)),
  )
  return sequence(
    extension('2.5.29.19', true, sequence()),
    // digitalSignature.
    extension('2.5.29.15', true, der(0x03, Buffer.of(7, 0x80))),
    extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', false, sequence(...alternative)),
  )
}

function addressBytes(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  const [left = '', right = ''] = address.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const middle = Array.from({ length: 8 - groups(left).length - groups(right).length }, () => '0')
  return Buffer.from(
    [...groups(left), ...middle, ...groups(right)].map((group) => group.padStart(4, '0')).join(''),
    'hex',
  )
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string // that is what the format says
}
