/** The examples of docs/explained are configurations that a server starts with, and requests come to what they say. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { examples, wholeExample } from '../../scripts/explained.ts'
import type { Directive } from '../../src/config/directive.ts'
import { modules } from '../../src/modules/index.ts'
import { readExplanations } from '../../src/tools/explained.ts'
import { Certificates } from '../harness/certificates.ts'
import { bitsOf, encode, makeMmdb } from '../harness/mmdb.ts'
import { Workshop } from '../tools/console.ts'

const explained = readExplanations(modules)
/** Less says no more than the declaration does. */
const WORDS_MIN = 18

function wordsOf(section = ''): number {
  return section
    .replace(/^```.*?^```$/gms, '')
    .trim()
    .split(/\s+/).length
}

test('what is explained is a directive', () => {
  assert.deepEqual(explained.unused, [])
})

test('every directive is explained', () => {
  const all = modules.flatMap(({ name, directives }) => Object.keys(directives).map((one) => [name, one] as const))
  const missing = all.filter(([module, name]) => wordsOf(explained.of(module, name)) < WORDS_MIN)
  assert.deepEqual(missing, [])
})

/** How texts say that a line changes nothing, or is not taken. */
const NO_EFFECT =
  /without effect|no(?: further)? effect|changes? nothing|creates nothing|does nothing|no difference|no consequence|grow by themselves|of no use|no file is made|the line stays|whatever the line says|nothing to set|ignores it|may stay or go/
const REFUSED = /\bIt is refused:/

test('what is said to have no effect has none, and the other way round', () => {
  const wrong: string[] = []
  for (const { name: module, directives } of modules) {
    for (const [name, directive] of Object.entries(directives) as [string, Directive<unknown>][]) {
      const text = explained.of(module, name) ?? ''
      if (NO_EFFECT.test(text) !== (directive.withoutEffect !== undefined)) wrong.push(`${module} ${name}: effect`)
      if (REFUSED.test(text) !== (directive.unsupported !== undefined)) wrong.push(`${module} ${name}: refused`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('every page has an example', () => {
  const shown = new Set(examples(modules, explained).map(({ place }) => place.split(' ')[0]))
  const without = modules.filter(({ name, directives }) => Object.keys(directives).length > 0 && !shown.has(name))
  assert.deepEqual(
    without.map(({ name }) => name),
    [],
  )
})

/** What examples need beside their text. */
function withFiles(conf: string): Record<string, string | Uint8Array> {
  const { cert, key } = certificate
  const country = makeMmdb(
    [{ bits: bitsOf('192.0.2.0', 24, 6), record: encode({ country: { iso_code: 'AT' } }) }],
    28,
    6,
  )
  return { 'nginx.conf': conf, 'cert.pem': cert, 'key.pem': key, 'country.mmdb': country }
}

const certificates = new Certificates()
const certificate = certificates.make('example.com')
after(() => certificates.remove())

for (const example of examples(modules, explained)) {
  test(`the example of ${example.place}`, async () => {
    using shop = new Workshop(withFiles(wholeExample(example)))
    const [[target, outcome] = ['/', ''], ...more] = example.asked
    const { out, error } = await shop.run(['explain', '-c', 'nginx.conf', '--json', `http://example.com${target}`])
    assert.equal(error, '')
    const said = (JSON.parse(out) as { readonly outcome: string }).outcome
    if (outcome !== '') assert.equal(said, outcome)
    for (const [next, expected] of more) {
      const again = await shop.run(['explain', '-c', 'nginx.conf', '--json', `http://example.com${next}`])
      assert.equal((JSON.parse(again.out) as { readonly outcome: string }).outcome, expected)
    }
  })
}
