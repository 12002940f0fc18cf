/** Finding several patterns gives what a plain search gives. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FOUND, PARTLY, PatternFinder } from '../../src/lib/pattern-finder.ts'

/** The same by trying every place. */
function plainly(patterns: readonly string[], text: string): string {
  const lower = text.toLowerCase()
  for (let start = 0; start < lower.length; start++) {
    const rest = lower.slice(start)
    for (const [index, pattern] of patterns.entries()) {
      if (rest.startsWith(pattern.toLowerCase())) return `${index} at ${start}`
      if (pattern.toLowerCase().startsWith(rest)) return `part at ${start}`
    }
  }
  return 'nothing'
}

function find(patterns: readonly string[], text: string): string {
  const finder = new PatternFinder(patterns)
  const outcome = finder.find(Buffer.from(text, 'latin1'), 0, new Uint8Array(patterns.length))
  return outcome === FOUND
    ? `${finder.index} at ${finder.start}`
    : outcome === PARTLY
      ? `part at ${finder.start}`
      : 'nothing'
}

const SETS = [
  ['a'],
  ['ab'],
  ['aab', 'b'],
  ['abc', 'bc', 'abcd'],
  ['AbA', 'bab', 'cc'],
  ['bbbb', 'ca'],
  ['cab', 'abcabc'],
]

for (const patterns of SETS) {
  test(patterns.join(' '), () => {
    // All texts of up to six letters.
    for (let length = 0; length <= 6; length++) {
      for (let number = 0; number < 3 ** length; number++) {
        const text = [...number.toString(3).padStart(length, '0')].map((digit) => 'aBc'[Number(digit)]).join('')
        if (length > 0) assert.equal(find(patterns, text), plainly(patterns, text), text)
      }
    }
  })
}

test('long patterns, and bytes that are no letters', () => {
  const long = 'x'.repeat(300)
  assert.equal(find([`${long}y`], `${'x'.repeat(700)}Y${long}`), '0 at 400')
  assert.equal(find(['\xe9'], 'a\xc9\xe9'), '0 at 2')
})
