/** Names of certificates as OpenSSL prints them: compared with what it says itself. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { after, test } from 'node:test'
import { derAt, derInside, derOf, oidText, SEQUENCE } from '../../src/lib/der.ts'
import { certificateParts, onelineName, rfc2253Name } from '../../src/tls/distinguished-name.ts'
import { Certificates } from '../harness/certificates.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const key = certificates.make('key').keyFile

/** A certificate's name, and how OpenSSL prints it. */
function named(subject: string) {
  const file = certificates.path('named.crt')
  const words = ['req', '-x509', '-new', '-utf8', '-multivalue-rdn', '-key', key, '-subj', subject, '-out', file]
  execFileSync('openssl', words, { stdio: 'ignore' })
  const print = (form: string): string =>
    execFileSync('openssl', ['x509', '-in', file, '-noout', '-subject', '-nameopt', form], { encoding: 'latin1' })
      .replace('subject=', '')
      .replace(/\n$/, '')
  const { raw } = new X509Certificate(execFileSync('cat', [file]))
  return { raw, parts: certificateParts(raw)!, print }
}

test('names in both forms', () => {
  for (const subject of [
    '/C=DE/ST=Some State/O=A, B & C/OU=one+OU=two/CN=www.example.org/emailAddress=a@example.org',
    '/CN= lead and trail ',
    '/CN=#hash;<quoted>"\\\\=/UID=x/DC=org',
    '/CN=Müller €/O=日本',
    '/serialNumber=17/street=Main 1/title=Dr/SN=S/GN=G/initials=I',
  ]) {
    const { raw, parts, print } = named(subject)
    assert.equal(rfc2253Name(raw, parts.subject), print('RFC2253').trimStart())
    assert.equal(onelineName(raw, parts.subject), print('compat').trimStart(), subject)
  }
})

test('DER that is cut short reads as nothing', () => {
  const { raw } = named('/CN=a')
  for (let size = 0; size < raw.length; size++) certificateParts(raw.subarray(0, size))
  assert.equal(derAt(Buffer.from([0x30, 0x80]), 0, 2), undefined)
  assert.equal(derAt(Buffer.from([0x30, 0x85, 1, 1, 1, 1, 1]), 0, 7), undefined)
  assert.deepEqual(derInside(Buffer.from([0x30, 3, 2, 9, 1]), derAt(Buffer.from([0x30, 3, 2, 9, 1]), 0, 5)), [])
})

test('what is written can be read', () => {
  for (const size of [0, 127, 128, 255, 256, 70000]) {
    const written = derOf(SEQUENCE, Buffer.alloc(size, 7))
    const read = derAt(written, 0, written.length)!
    assert.deepEqual([read.tag, read.end - read.start, read.end], [SEQUENCE, size, written.length])
  }
  const oid = Buffer.from([6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11])
  assert.equal(oidText(oid, derAt(oid, 0, oid.length)!), '1.2.840.113549.1.1.11')
})
