/** The certificates of a configuration, and how long they are good: also those of servers that nobody has asked yet. */
import { X509Certificate } from 'node:crypto'
import type { HttpTree } from '../compile/module.ts'

const DAY_MS = 86_400_000

/** One certificate. */
export interface CertificateFact {
  readonly file: string
  readonly subject: string
  readonly issuer: string
  readonly names: readonly string[]
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** The first certificate of each file that has one; read once for each configuration. */
export function certificatesOf(tree: HttpTree): readonly CertificateFact[] {
  return tree.shared('certificates', () => tree.renewableFiles().flatMap((file) => factOf(tree, file)))
}

/** Whole days that are left. */
export function daysLeft({ notAfterMs }: CertificateFact, nowMs: number): number {
  return Math.floor((notAfterMs - nowMs) / DAY_MS)
}

function factOf(tree: HttpTree, file: string): readonly CertificateFact[] {
  const { text } = tree.readFile(file)
  if (!text.includes('-----BEGIN CERTIFICATE-----') && !text.includes('-----BEGIN TRUSTED CERTIFICATE-----')) return []
  // tidy: somebody asks for certificates, once for each configuration
  try {
    const { subject, issuer, subjectAltName = '', validFrom, validTo } = new X509Certificate(text)
    const names = [...subjectAltName.matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].map(([, name]) => name!)
    const dates = { notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) }
    return [{ file, subject: oneLine(subject), issuer: oneLine(issuer), names, ...dates }]
  } catch {
    return []
  }
}

function oneLine(name: string): string {
  return (name ?? '').split('\n').join(', ')
}
