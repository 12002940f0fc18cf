/** The examples of docs/explained are configurations that a server starts with, and requests come to what they say. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { examples, explanations, wholeExample } from '../../scripts/explained.ts'
import { modules } from '../../src/modules/index.ts'
import { Workshop } from '../tools/console.ts'

const ROOT = path.join(import.meta.dirname, '../..')

test('what is explained is a directive', () => {
  const known = new Set(modules.flatMap(({ directives }) => Object.keys(directives)))
  const unknown = [...explanations(ROOT).keys()].filter((name) => !known.has(name))
  assert.deepEqual(unknown, [])
})

for (const example of examples(ROOT)) {
  test(`the example of ${example.place}`, async () => {
    using shop = new Workshop({ 'nginx.conf': wholeExample(example) })
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
