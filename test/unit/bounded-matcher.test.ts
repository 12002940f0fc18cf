/**
 * The matcher with a limit: on random patterns it finds what V8 finds, groups included; on real ones what PCRE2 finds; and
 * it gives up where both would need hours.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { toBinary } from '../../src/lib/bytes.ts'
import { BoundedMatcher, GAVE_UP, NO_MATCH } from '../../src/value/bounded-matcher.ts'
import { parseExpression } from '../../src/value/bounded-parse.ts'
import { compileProgram } from '../../src/value/bounded-program.ts'
import { translatePattern } from '../../src/value/pcre-translate.ts'
import { Dice } from '../harness/dice.ts'

const PATTERNS = 12_000
const SUBJECTS = 8
const LIMIT = 100_000
const ATOMS = ['a', 'b', 'c', '[ab]', '[^a]', '[]', '[^]', '[^\\n]', '\\x62', '\\.']
const PLACES = ['^', '$', '\\b', '\\B']
const LOOKS = ['(?=', '(?!', '(?<=', '(?<!']
const QUANTIFIERS = ['*', '+', '?', '{2}', '{1,2}', '{0,3}', '{2,}', '{0}']

/** Writes random expressions of the kind that the translator writes. */
class Writer {
  readonly #dice: Dice
  #groups = 0

  constructor(dice: Dice) {
    this.#dice = dice
  }

  choice(depth: number): string {
    let text = ''
    for (let i = this.#dice.below(3); i >= 0; i--) text += this.#piece(depth)
    if (this.#dice.below(4) > 0) return text
    return `${text}|${this.#dice.below(5) === 0 ? '' : this.choice(depth - 1)}`
  }

  #piece(depth: number): string {
    const kind = this.#dice.below(depth > 0 ? 16 : 8)
    if (kind === 7) return this.#dice.of(PLACES)
    if (kind === 13) return `${this.#dice.of(LOOKS)}${this.choice(depth - 1)})`
    const atom = this.#atom(kind, depth)
    if (this.#dice.below(3) > 0) return atom
    return atom + this.#dice.of(QUANTIFIERS) + (this.#dice.below(3) === 0 ? '?' : '')
  }

  #atom(kind: number, depth: number): string {
    if (kind < 7) return this.#dice.of(ATOMS)
    if (kind < 11) return this.#group(depth)
    if (kind < 13) return `(?:${this.choice(depth - 1)})`
    if (kind === 14 && this.#groups > 0) return `(?:\\${1 + this.#dice.below(this.#groups)})`
    return `(?:(?=${this.#group(depth)})\\${this.#groups})`
  }

  #group(depth: number): string {
    this.#groups++
    return `(${this.choice(depth - 1)})`
  }
}

function find(matcher: BoundedMatcher, groupCount: number, subject: string): unknown {
  const start = matcher.find(subject)
  if (start === GAVE_UP) return GAVE_UP
  if (start === NO_MATCH) return null
  return [start, ...Array.from({ length: groupCount + 1 }, (_, i) => matcher.group(i) ?? null)]
}

test('random expressions match as in V8', () => {
  const dice = new Dice(7)
  let compared = 0
  for (let i = 0; i < PATTERNS; i++) {
    const source = new Writer(dice).choice(3)
    const regexp = new RegExp(source)
    const { tree, groupCount } = parseExpression(source)
    const matcher = new BoundedMatcher(compileProgram(tree, groupCount), false, LIMIT)
    for (let j = 0; j < SUBJECTS; j++) {
      const subject = Array.from({ length: dice.below(9) }, () =>
        dice.of(['a', 'a', 'b', 'b', 'c', '\n', '_', ' ']),
      ).join('')
      const found = find(matcher, groupCount, subject)
      if (found === GAVE_UP) continue
      const wanted = regexp.exec(subject)
      const groups = wanted === null ? null : [wanted.index, ...Array.from(wanted, (group) => group ?? null)]
      assert.deepEqual(found, groups, `${source} on ${JSON.stringify(subject)}`)
      compared++
    }
  }
  assert.ok(compared > PATTERNS * SUBJECTS * 0.99)
})

type Row = [pattern: string, error: string, offset: number] | [pattern: string, caseless: number, matches: unknown[]]
const fixture: { subjects: string[]; rows: Row[] } = JSON.parse(
  readFileSync(new URL('./regex-pcre.json', import.meta.url), 'utf8'),
)

test('real patterns match as in PCRE2', () => {
  for (const [pattern, caseless, wanted] of fixture.rows) {
    if (typeof caseless === 'string') continue
    const { source, authorNumbers, captureCount } = translatePattern(toBinary(pattern), { caseless: caseless === 1 })
    const { tree, groupCount } = parseExpression(source)
    const matcher = new BoundedMatcher(compileProgram(tree, groupCount), true, LIMIT)
    const matches: unknown[] = []
    fixture.subjects.forEach((subject, index) => {
      if (matcher.find(subject) < 0) return
      const groups = new Array<string | null>(captureCount).fill(null)
      for (let i = 1; i <= groupCount; i++) {
        const author = authorNumbers === undefined ? i : authorNumbers[i]!
        const text = matcher.group(i)
        if (author > 0 && text !== undefined) groups[author - 1] = text
      }
      while (groups.at(-1) === null) groups.pop()
      matches.push([index, ...groups])
    })
    assert.deepEqual(matches, wanted, JSON.stringify(pattern))
  }
})

/** What PCRE2 makes of patterns in which JavaScript does otherwise. */
const PCRE_ONLY: readonly (readonly [
  pattern: string,
  subject: string,
  groups: readonly (string | undefined)[] | null,
])[] = [
  ['(?:(a)|b)*', 'ab', ['ab', 'a']],
  ['(?:(a)|b)*\\1', 'aba', ['aba', 'a']],
  ['(?:(a)|(b))+\\1\\2', 'abab', ['abab', 'a', 'b']],
  ['(a)?\\1b', 'b', null],
  ['(a)?\\1b', 'aab', ['aab', 'a']],
  ['(a*)*', 'b', ['', '']],
  ['(a*)+b', 'aab', ['aab', '']],
  ['(?|(a)|(b))\\1', 'bb', ['bb', 'b']],
]

test('where the languages differ it does as PCRE2', () => {
  for (const [pattern, subject, wanted] of PCRE_ONLY) {
    const { source, authorNumbers, captureCount } = translatePattern(pattern, { caseless: false })
    const { tree, groupCount } = parseExpression(source)
    const matcher = new BoundedMatcher(compileProgram(tree, groupCount), true, LIMIT)
    if (matcher.find(subject) < 0) {
      assert.equal(null, wanted, pattern)
      continue
    }
    const groups = new Array<string | undefined>(captureCount + 1).fill(undefined)
    for (let i = 0; i <= groupCount; i++) {
      const author = authorNumbers === undefined ? i : authorNumbers[i]!
      if ((i === 0 || author > 0) && matcher.group(i) !== undefined) groups[author] = matcher.group(i)
    }
    assert.deepEqual(groups, wanted, pattern)
  }
})

test('it gives up', () => {
  for (const [pattern, subject] of [
    ['^(?!x)(a+)+$', `${'a'.repeat(40)}!`],
    ['(a|a)*\\1b', 'a'.repeat(60)],
    ['(?=(.*)(.*)(.*)(.*)x)', 'a'.repeat(2000)],
    ['^(a{1,50}){1,50}$', `${'a'.repeat(100)}!`],
  ] as const) {
    const { tree, groupCount } = parseExpression(translatePattern(pattern, { caseless: false }).source)
    const matcher = new BoundedMatcher(compileProgram(tree, groupCount), true, LIMIT)
    assert.equal(matcher.find(subject), GAVE_UP, pattern)
    assert.ok(matcher.find('') !== GAVE_UP, 'and goes on')
  }
})
