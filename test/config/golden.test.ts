/**
 * Runs test/config/golden/*.conf: input, a line of ten dashes, then exactly what loading says. In the input a line
 * `==> NAME` begins another file (relative to the folder of the main one) and `==> -g` the text of that option.
 * `UPDATE_GOLDEN=1` rewrites the expectations, to be read before they are committed.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { dump, dumpBlocks, loadTexts } from './fixture.ts'

const SEPARATOR = '----------\n'
const folder = `${import.meta.dirname}/golden`

for (const name of readdirSync(folder).sort()) {
  test(name, () => {
    const path = `${folder}/${name}`
    const [input = '', expected = ''] = readFileSync(path, 'utf8').split(SEPARATOR)
    const actual = `${run(input)}\n`
    if (process.env['UPDATE_GOLDEN']) writeFileSync(path, input + SEPARATOR + actual)
    else assert.equal(actual, expected)
  })
  test(`${name}, read late`, () => {
    const [input = ''] = readFileSync(`${folder}/${name}`, 'utf8').split(SEPARATOR)
    const { config, diagnostics } = load(input)
    if (!diagnostics.failed) assert.equal(dumpBlocks(load(input, true).config), dumpBlocks(config))
  })
}

function run(input: string): string {
  return dump(load(input))
}

function load(input: string, checked = false): ReturnType<typeof loadTexts> {
  const [main = '', ...others] = input.split(/^==> /m)
  const texts = new Map([['/etc/v/nginx.conf', main]])
  let globals = ''
  for (const part of others) {
    const end = part.indexOf('\n')
    const name = part.slice(0, end)
    const text = part.slice(end + 1)
    if (name === '-g') globals = text.trimEnd()
    else texts.set(`/etc/v/${name}`, text)
  }
  return loadTexts(texts, globals, checked)
}
