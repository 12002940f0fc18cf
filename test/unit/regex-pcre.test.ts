/**
 * Translated patterns against PCRE2 10.42: `regex-pcre.json` holds what the real library made of each pattern, either its
 * error text and offset, or the subjects that matched and their groups.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { toBinary } from '../../src/lib/bytes.ts'
import { compilePattern } from '../../src/value/regex.ts'

type Row = [pattern: string, error: string, offset: number] | [pattern: string, caseless: number, matches: Match[]]
type Match = [subject: number, ...groups: (string | null)[]]

const fixture: { subjects: string[]; rows: Row[] } = JSON.parse(
  readFileSync(new URL('./regex-pcre.json', import.meta.url), 'utf8'),
)

function fail(message: string): never {
  throw new Error(message)
}

function groupsOf(pattern: string, caseless: boolean): Match[] {
  const compiled = compilePattern(toBinary(pattern), { caseless }, fail)
  const matches: Match[] = []
  fixture.subjects.forEach((subject, index) => {
    if (!compiled.exec(subject)) return
    const groups = compiled.captureCount === 0 ? [] : compiled.captures.slice(1).map((group) => group ?? null)
    while (groups.at(-1) === null) groups.pop()
    matches.push([index, ...groups])
  })
  return matches
}

test('patterns match the same subjects with the same groups', () => {
  for (const row of fixture.rows) {
    if (typeof row[1] === 'string') continue
    const name = JSON.stringify(row[0]) + (row[1] === 1 ? ' caseless' : '')
    assert.deepEqual(groupsOf(row[0], row[1] === 1), row[2], name)
  }
})

test('bad patterns give the same error at the same place', () => {
  for (const row of fixture.rows) {
    if (typeof row[1] !== 'string') continue
    const [pattern, error, offset] = row
    const rest = Number(offset) < pattern.length ? ` at "${pattern.slice(Number(offset))}"` : ''
    const message = `pcre2_compile() failed: ${error} in "${pattern}"${rest}`
    assert.throws(() => compilePattern(pattern, { caseless: false }, fail), { message })
  }
})
