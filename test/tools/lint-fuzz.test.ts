/** Configurations that are damaged are no reason for lint to crash, and what it mends stays readable. */

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { decodeText } from '../../src/lib/text.ts'
import { CHECKS } from '../../src/tools/lint/all.ts'
import { lint } from '../../src/tools/lint/engine.ts'
import { applyEdits, documents, placeFix } from '../../src/tools/lint/fix.ts'
import { sourceOf } from '../../src/tools/lint/source.ts'
import { loadModel } from '../../src/tools/model/model.ts'
import { readDocument } from '../../src/tools/syntax/document.ts'
import { Dice } from '../harness/dice.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FILE = '/viaduct-lint-fuzz/nginx.conf'
const ROUNDS = 150
const WORDS = [
  '"',
  "'",
  '{',
  '}',
  ';',
  '#',
  '\\',
  '\n',
  '$',
  ' ',
  '~',
  '^~',
  '/',
  '..',
  '@x',
  '$1',
  '$uri',
  'off',
  'http://',
  '[',
  '(',
  ')',
  '0',
  '-1',
  '\u{e4}',
  '\udc80',
]

function mutate(text: string, dice: Dice): string {
  let out = text
  for (let n = dice.below(4); n >= 0; n--) {
    const at = dice.below(out.length + 1)
    const kind = dice.below(4)
    if (kind === 0) out = out.slice(0, at) + dice.of(WORDS) + out.slice(at)
    else if (kind === 1) out = out.slice(0, at) + out.slice(at + dice.below(12))
    else if (kind === 2) out = out.slice(0, at) + out.slice(dice.below(out.length + 1))
    else out = out.slice(0, at) + dice.of(WORDS) + out.slice(at + 1 + dice.below(3))
    // Nobody mutates megabytes here.
    out = out.slice(0, 20_000)
  }
  return out
}

test('mutated configurations', () => {
  const files = fs
    .globSync(['conf/nginx.conf', 'examples/**/*.{conf,nginx}', 'deploy/**/*.conf'], { cwd: ROOT })
    .map((name) => decodeText(fs.readFileSync(ROOT + name)))
  const texts = [...CHECKS.flatMap(({ bad, good }) => [bad, good]), ...files]
  const dice = new Dice(11)
  for (let round = 0; round < ROUNDS; round++) {
    const text = mutate(dice.of(texts), dice)
    try {
      const findings = lint(loadModel(sourceOf(text, FILE)), { only: undefined, skip: [] })
      const documentOf = documents((file) => (file === FILE ? text : undefined))
      const edits = findings.flatMap(({ fix }) => (fix && placeFix(fix, documentOf)) ?? [])
      const before = readDocument(text, FILE).fault
      if (before === undefined) assert.equal(readDocument(applyEdits(text, edits), FILE).fault, undefined)
    } catch (error) {
      assert.fail(`${error instanceof Error ? error.stack : error}\n${JSON.stringify(text)}`)
    }
  }
})
