/**
 * Whatever the text, loading a configuration ends, throws nothing and reports only diagnostics with a place. The texts
 * are the golden inputs, cut and mutated; the seed is fixed so that a failure repeats.
 */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { formatPretty } from '../../src/config/format.ts'
import { toBinary } from '../../src/lib/bytes.ts'
import { decodeText } from '../../src/lib/text.ts'
import { dump, loadTexts } from '../config/fixture.ts'

const ROUNDS = 4000
const folder = `${import.meta.dirname}/../config/golden`
const corpus = readdirSync(folder).map((name) => readFileSync(`${folder}/${name}`, 'utf8').split('----------\n')[0]!)
const PIECES = [
  '{',
  '}',
  ';',
  '"',
  "'",
  '\\',
  '$',
  '${',
  '#',
  ' ',
  '\n',
  '\r\n',
  '\t',
  '(',
  ')',
  '=',
  '\0',
  'é',
  '\udc80',
]
const WORDS = [
  'include a.conf;',
  'include *;',
  'http {',
  'server {',
  'sendfile on;',
  'types {',
  'y'.repeat(4090),
  '1h',
  'a=b',
]

/** A linear congruential generator: the same numbers on every machine. */
class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1103515245) + 12345) & 0x7fffffff
    return (this.#state >>> 8) % n
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }
}

function mutate(text: string, random: Random): string {
  let out = text
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(out.length + 1)
    const end = at + random.below(12)
    const other = random.of(corpus)
    const insert = random.of([random.of(PIECES), random.of(WORDS), '', other.slice(random.below(other.length + 1))])
    out = out.slice(0, at) + insert + out.slice(random.of([at, end]))
  }
  return out
}

function load(text: string, included: string, globals: string): void {
  const texts = new Map([
    ['/etc/v/nginx.conf', text],
    ['/etc/v/a.conf', included],
  ])
  const loaded = loadTexts(texts, globals)
  for (const d of loaded.diagnostics.all) {
    assert.ok(d.message !== '' && d.at !== undefined && d.at.line > 0, JSON.stringify(d))
    formatPretty(d, (file) => texts.get(file))
  }
  dump(loaded)
}

test('mutated configurations give diagnostics and nothing else', () => {
  const random = new Random(1)
  for (let round = 0; round < ROUNDS; round++) {
    const text = mutate(random.of(corpus), random)
    const included = random.below(2) ? mutate(random.of(corpus), random) : ''
    const globals = random.below(8) ? '' : mutate('daemon off;', random)
    try {
      load(text, included, globals)
    } catch (error) {
      throw new Error(`round ${round}: ${JSON.stringify({ text, included, globals })}`, { cause: error })
    }
  }
})

test('every beginning of a configuration loads', () => {
  for (const text of corpus) for (let n = 0; n <= text.length; n += 3) load(text.slice(0, n), '', '')
})

test('random bytes survive decoding', () => {
  const random = new Random(2)
  const starts = [0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xf8, 0xff, 0xa9, 0x82, 0xac]
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = Buffer.from(Array.from({ length: random.below(12) }, () => random.of([...starts, random.below(256)])))
    assert.equal(toBinary(decodeText(bytes)), bytes.toString('latin1'))
  }
})
