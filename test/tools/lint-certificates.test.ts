/** Certificates are read from the disk: ended, for other names, without their chain, with another key. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { Workshop } from './console.ts'

const certificates = new Certificates()
after(() => certificates.remove())

const authority = certificates.make('authority', { authority: true })
const names = ['a.example', '*.b.example']
const good = certificates.make('good', { issuer: authority, names })
const expired = certificates.make('expired', { issuer: authority, names, expired: true })
const alone = certificates.make('alone', {
  issuer: authority,
  names,
  responder: 'http://x.example,caIssuers;URI:http://y.example',
})
const other = certificates.make('other')

async function find(certificate: string, key: string, name: string): Promise<string[]> {
  const server = `server { listen 443 ssl; server_name ${name}; ssl_certificate c.pem; ssl_certificate_key k.pem; }`
  using shop = new Workshop({
    'nginx.conf': `events {}\nhttp { server_tokens off; ${server} }\n`,
    'c.pem': certificate,
    'k.pem': fs.readFileSync(key, 'utf8'),
  })
  const { out } = await shop.run(['lint', '--json', 'nginx.conf'])
  return (JSON.parse(out) as { plugin: string }[])
    .map(({ plugin }) => plugin)
    .filter((id) => id.startsWith('certificate_'))
}

const CASES: readonly (readonly [
  what: string,
  certificate: string,
  key: string,
  name: string,
  found: readonly string[],
])[] = [
  ['nothing is wrong', good.cert + authority.cert, good.keyFile, 'a.example x.b.example', []],
  ['ended', expired.cert + authority.cert, expired.keyFile, 'a.example', ['certificate_expired']],
  ['another name', good.cert + authority.cert, good.keyFile, 'c.example', ['certificate_name']],
  ['a chain that does not hold', good.cert + other.cert, good.keyFile, 'a.example', ['certificate_chain']],
  ['no chain', alone.cert, alone.keyFile, 'a.example', ['certificate_chain']],
  ['another key', good.cert + authority.cert, other.keyFile, 'a.example', ['certificate_key']],
]

for (const [what, certificate, key, name, expected] of CASES) {
  test(`certificate: ${what}`, async () => {
    assert.deepEqual(await find(certificate, key, name), expected)
  })
}
