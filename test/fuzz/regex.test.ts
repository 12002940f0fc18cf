/** Random pattern texts: compiling ends, and either fails with a message or gives a working expression. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePattern } from '../../src/value/regex.ts'

const PIECES = [
  ..."ab01.^$|()[]{}*+?\\-,<>=!:#'&RP \n\u00e9",
  ...['(?', '(?:', '(?<n>', '(?P<m>', '(?>', '(?i)', '(?x)', '(?|', '(?<=', '(?<!', '(?=', '(?#', '[^', '[[:alpha:]]'],
  ...[
    '\\Q',
    '\\E',
    '\\1',
    '\\g{-1}',
    '\\k<n>',
    '\\x{41}',
    '\\d',
    '\\R',
    '\\h',
    '{2,3}',
    '++',
    '*?',
    '(*UTF8)',
    '\\K',
    '\\N',
  ],
]

class Refused extends Error {}

function refuse(message: string): never {
  assert.match(message, /^pcre2_compile\(\) failed: /)
  throw new Refused(message)
}

test('random patterns', () => {
  let seed = 20261120
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  let compiled = 0
  for (let round = 0; round < 30_000; round++) {
    let text = ''
    for (let i = random(12); i >= 0; i--) text += PIECES[random(PIECES.length)]
    try {
      const pattern = compilePattern(text, { caseless: random(2) === 1 }, refuse)
      pattern.exec('ab01 aabb\n')
      assert.ok(pattern.captures.length <= Math.max(1, pattern.captureCount + 1), text)
      compiled++
    } catch (error) {
      if (!(error instanceof Refused)) throw new Error('pattern ' + JSON.stringify(text), { cause: error })
      assert.doesNotMatch(error.message, /Invalid regular expression/, text)
    }
  }
  assert.ok(compiled > 1000, String(compiled))
})
