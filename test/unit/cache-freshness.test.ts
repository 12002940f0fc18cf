/** How long a response is good, by the fields of its head. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Freshness, IGNORE_CACHE_CONTROL, IGNORE_SET_COOKIE } from '../../src/http/cache/freshness.ts'
import { HeaderTable } from '../../src/http/message/header-table.ts'

const NOW = 1_700_000_000
const FUTURE = 'Sun, 03 Jan 2027 10:00:00 GMT'

function read(lines: readonly string[], ignore = 0) {
  const table = new HeaderTable()
  for (const line of lines) {
    const colon = line.indexOf(':')
    table.addString(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  const freshness = new Freshness()
  freshness.begin()
  freshness.read(table, ignore, NOW)
  const { cacheable, validSec, updatingSec, errorSec, vary } = freshness
  return { cacheable, valid: validSec === 0 ? 0 : validSec - NOW, updating: updatingSec, error: errorSec, vary }
}

const cases: readonly (readonly [string, readonly string[], object])[] = [
  ['nothing said', [], { cacheable: true, valid: 0 }],
  ['max-age', ['Cache-Control: public, MAX-AGE=5'], { cacheable: true, valid: 5 }],
  ['s-maxage comes first', ['Cache-Control: max-age=5, s-maxage=9'], { valid: 9 }],
  ['max-age=0', ['Cache-Control: max-age=0'], { cacheable: false }],
  ['no number', ['Cache-Control: max-age=x'], { cacheable: false }],
  ['a number and more', ['Cache-Control: max-age=5;x'], { valid: 5 }],
  ['no-cache wherever it stands', ['Cache-Control: x-no-cached'], { cacheable: false }],
  ['Cache-Control over Expires', [`Expires: ${FUTURE}`, 'Cache-Control: max-age=5'], { valid: 5 }],
  ['an Expires that is past', ['Expires: Thu, 01 Jan 1970 00:00:01 GMT'], { cacheable: false }],
  ['one that is no date', ['Expires: soon'], { cacheable: false }],
  ['past, but max-age follows', ['Expires: 0', 'Cache-Control: max-age=5'], { cacheable: true, valid: 5 }],
  [
    'X-Accel-Expires over what was before',
    ['Cache-Control: no-store', 'X-Accel-Expires: 7'],
    { cacheable: true, valid: 7 },
  ],
  ['and over what comes', ['X-Accel-Expires: 7', 'Cache-Control: no-store'], { cacheable: true, valid: 7 }],
  ['as a moment', ['X-Accel-Expires: @1700000003'], { valid: 3 }],
  ['0 forbids', ['X-Accel-Expires: 0', 'Cache-Control: max-age=5'], { cacheable: false }],
  ['no number has no effect', ['X-Accel-Expires: x', 'Cache-Control: max-age=5'], { valid: 5 }],
  ['stale while', ['Cache-Control: max-age=5, stale-while-revalidate=6'], { updating: 6, error: 6 }],
  ['stale if', ['Cache-Control: max-age=5, stale-while-revalidate=6, stale-if-error=7'], { updating: 6, error: 7 }],
  ['Set-Cookie', ['Cache-Control: max-age=5', 'Set-Cookie: a=b'], { cacheable: false }],
  ['Vary: *', ['Vary: *'], { cacheable: false }],
  ['Vary twice', ['Vary: Accept', 'Vary: Cookie'], { vary: 'Accept, Cookie' }],
  ['a long Vary', [`Vary: ${'x'.repeat(129)}`], { cacheable: false }],
  ['a number without an end', [`Cache-Control: max-age=${'9'.repeat(40)}`], { valid: 2 ** 52 }],
]

for (const [name, lines, expected] of cases)
  test(name, () => assert.deepEqual({ ...read(lines), ...expected }, read(lines)))

test('fields that are ignored', () => {
  assert.equal(read(['Cache-Control: no-store'], IGNORE_CACHE_CONTROL).cacheable, true)
  assert.equal(read(['Set-Cookie: a'], IGNORE_SET_COOKIE).cacheable, true)
})
