/** RFC 9111 and 9213: directives of fields, how long a shared cache may use a response, how old it is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ControlDirectives } from '../../src/http/cache/control-directives.ts'
import { Freshness } from '../../src/http/cache/freshness.ts'
import { ageWhenStored, demandsOf, forbidsStale, readShared } from '../../src/http/cache/shared-cache.ts'
import { HeaderTable } from '../../src/http/message/header-table.ts'
import { formatHttpDate } from '../../src/lib/http-date.ts'

const NOW = 1_700_000_000

function table(lines: readonly string[]): HeaderTable {
  const fields = new HeaderTable()
  for (const line of lines) {
    const colon = line.indexOf(':')
    fields.addString(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  return fields
}

/** Seconds for which a response is good; 0: unknown; undefined: it may not be stored. */
function lifetime(lines: readonly string[], request: readonly string[] = [], status = 200): number | undefined {
  const freshness = new Freshness()
  freshness.begin()
  readShared(freshness, { status, fields: table(lines), request: table(request), validSeconds: 0 }, NOW)
  if (!freshness.cacheable) return undefined
  return freshness.validSec === 0 ? 0 : freshness.validSec - NOW
}

test('directives', () => {
  const read = ControlDirectives.of('a, B="x, \\"y", max-age=5;z, max-age=6, c=')
  assert.deepEqual(
    [read.has('a'), read.get('b'), read.seconds('max-age'), read.get('c'), read.size],
    [true, 'x, "y', 0, '', 4],
  )
  assert.equal(ControlDirectives.of('max-age=99999999999').seconds('max-age'), 2 ** 31)
  assert.equal(ControlDirectives.of('max-age=-1').seconds('max-age'), 0)
  assert.equal(ControlDirectives.of('').seconds('max-age'), -1)
})

test('targeted fields', () => {
  const good = ControlDirectives.targeted('max-age=60, no-store=?0;x=1, private')
  assert.deepEqual(
    [good.broken, good.seconds('max-age'), good.has('no-store'), good.has('private')],
    [false, 60, false, true],
  )
  for (const bad of ['max-age=60,', 'MAX-AGE=60', 'a b', 'a="x'])
    assert.equal(ControlDirectives.targeted(bad).broken, true, bad)
})

const modified = `Last-Modified: ${formatHttpDate(NOW - 1000)}`
const cases: readonly (readonly [string, number | undefined, readonly string[], (readonly string[])?, number?])[] = [
  ['max-age', 60, ['Cache-Control: max-age=60']],
  ['less its Age', 50, ['Cache-Control: max-age=60', 'Age: 10']],
  ['less its apparent age', 50, ['Cache-Control: max-age=60', `Date: ${formatHttpDate(NOW - 10)}`]],
  ['an Age that is none makes it stale', -1, ['Cache-Control: max-age=60', 'Age: x', 'ETag: "a"']],
  ['two as well', -1, ['Cache-Control: max-age=60', 'Age: 0', 'Age: 0', 'ETag: "a"']],
  [
    'Expires from its Date on',
    10,
    [`Expires: ${formatHttpDate(NOW + 10)}`, `Date: ${formatHttpDate(NOW - 10)}`, 'Age: 10'],
  ],
  ['a tenth of its age', 100, [modified]],
  ['not for any status', undefined, [modified], [], 201],
  ['unless it is public', 100, [modified, 'Cache-Control: public'], [], 201],
  ['the targeted field first', 30, ['Cache-Control: no-store', 'CDN-Cache-Control: max-age=30']],
  ['not when it is broken', undefined, ['Cache-Control: no-store', 'CDN-Cache-Control: max-age=30,']],
  ['no-cache is stored as stale', -1, ['Cache-Control: no-cache, max-age=60', 'ETag: "a"']],
  ['private', undefined, ['Cache-Control: max-age=60, private="x"']],
  ['Set-Cookie', undefined, ['Cache-Control: max-age=60', 'Set-Cookie: a=b']],
  ['Vary with a star', undefined, ['Cache-Control: max-age=60', 'Vary: a, *']],
  ['must-understand', 60, ['Cache-Control: max-age=60, no-store, must-understand']],
  ['an unknown status', undefined, ['Cache-Control: max-age=60, must-understand'], [], 599],
  ['for Authorization', undefined, ['Cache-Control: max-age=60'], ['Authorization: x']],
  ['unless it is public', 60, ['Cache-Control: max-age=60, public'], ['Authorization: x']],
  ['a client that forbids it', undefined, ['Cache-Control: max-age=60'], ['Cache-Control: no-store']],
]
for (const [name, expected, lines, request, status] of cases) {
  test(`${name}: ${lines.join(' | ')}`, () => {
    const found = lifetime(lines, request, status)
    assert.equal(expected === undefined && found === 0 ? undefined : found, expected)
  })
}

test('ages, stale use, demands', () => {
  assert.equal(ageWhenStored(table(['Age: 5', `Date: ${formatHttpDate(NOW - 9)}`]), NOW), 9)
  assert.equal(forbidsStale(table(['Cache-Control: s-maxage=2'])), true)
  assert.equal(forbidsStale(table(['Cache-Control: max-age=2'])), false)
  assert.equal(demandsOf(table([])), undefined)
  assert.equal(demandsOf(table(['Pragma: no-cache']))?.noCache, true)
  const demands = demandsOf(table(['Cache-Control: max-age=5, min-fresh=2, max-stale, only-if-cached']))
  assert.deepEqual(demands, {
    noCache: false,
    onlyIfCached: true,
    maxAge: 5,
    minFresh: 2,
    maxStale: Number.POSITIVE_INFINITY,
  })
})
