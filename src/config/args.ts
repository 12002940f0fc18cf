/**
 * Argument readers: how the words after a directive's name become one typed value, with nginx's wording per reader
 * (the `ngx_conf_set_*_slot` functions of `ngx_conf_file.c`). Readers that combine others stand in `combine.ts`.
 */
import { ReadFailure } from './diagnostics.ts'
import type { Args, ReadContext } from './directive.ts'
import { fullName } from './include.ts'
import type { Word } from './source.ts'
import { parseMilliseconds, parseNumber, parseOffset, parseSeconds, parseSize } from './units.ts'

/** Makes a reader of exactly one word; for readers that need more than the ones below. */
export function word<T>(syntax: string, read: (word: Word, at: ReadContext) => T): Args<T> {
  return { syntax, min: 1, max: 1, read: (words, at) => read(words[0]!, at) }
}

/** A directive that takes no words: giving it is its value. */
export const none: Args<true> = { syntax: '', min: 0, max: 0, read: () => true }

/** `on` or `off`, in any case. */
export const flag: Args<boolean> = word('on | off', (w, at) => {
  const text = w.text.toLowerCase()
  if (text === 'on' || text === 'off') return text === 'on'
  const name = at.directive.text
  return general(`invalid value "${w.text}" in "${name}" directive, it must be "on" or "off"`, w)
})

/** Bytes, with `k` or `m`. */
export const size: Args<number> = unit('size', parseSize)

/** Bytes, with `k`, `m` or `g`: for sizes that files reach. */
export const offset: Args<number> = unit('size', parseOffset)

/** A time in milliseconds; a bare number is seconds. */
export const milliseconds: Args<number> = unit('time', parseMilliseconds)

/** A time in seconds; `ms` is refused. */
export const seconds: Args<number> = unit('time', parseSeconds)

/** A non-negative integer, within bounds when they are given. */
export function number(name = 'number', bounds: { readonly min?: number; readonly max?: number } = {}): Args<number> {
  const { min = 0, max } = bounds
  return word(name, (w, at) => {
    const value = parseNumber(w.text)
    if (value === undefined) return general(setterMessage(at, 'invalid number'), w)
    if (max === undefined && value < min) return general(`value must be equal to or greater than ${min}`, w)
    if (max !== undefined && (value < min || value > max)) return general(`value must be between ${min} and ${max}`, w)
    return value
  })
}

/** One of a set of words, in any case; the value is spelled as declared. */
export function oneOf<const T extends string>(...choices: readonly T[]): Args<T> {
  return word(choices.join(' | '), (w) => find(choices, w))
}

/** Several of a set of words. Given twice in a block, the directive's sets are united. */
export function bits<const T extends string>(...choices: readonly T[]): Args<readonly T[]> {
  const unite = (set: readonly T[], value: T, at: ReadContext, w?: Word) => {
    if (!set.includes(value)) return [...set, value]
    at.warn(`duplicate value "${value}"`, w)
    return set
  }
  return {
    syntax: `${choices.join(' | ')} ...`,
    min: 1,
    max: Number.POSITIVE_INFINITY,
    read: (words, at) => words.reduce<readonly T[]>((set, w) => unite(set, find(choices, w), at, w), []),
    merge: (earlier, later, at) => later.reduce((set, value) => unite(set, value, at), earlier),
  }
}

/** One word as it is. */
export function text(name: string): Args<string> {
  return word(name, (w) => w.text)
}

/** A list of words as they are: at least one unless told otherwise. */
export function words(
  name: string,
  count: { readonly min?: number; readonly max?: number } = {},
): Args<readonly string[]> {
  const { min = 1, max = Number.POSITIVE_INFINITY } = count
  return { syntax: `${name} ...`, min, max, read: (list) => list.map((w) => w.text) }
}

/** The words themselves with their positions, for a module that reads them on its own. */
export function raw(
  syntax: string,
  count: { readonly min?: number; readonly max?: number } = {},
): Args<readonly Word[]> {
  const { min = 0, max = Number.POSITIVE_INFINITY } = count
  return { syntax, min, max, read: (list) => list }
}

/** What is left of the largest bucket of a table when it has been aligned (ngx_hash_init). */
const BUCKET_SIZE_MAX = 65536 - 64

/** `*_hash_max_size` and `*_hash_bucket_size`, which say nothing here: sizes with which nginx can build no table are refused. */
export const tableSize: Args<number> = word('size', (w, at) => {
  const value = parseNumber(w.text) ?? general(setterMessage(at, 'invalid number'), w)
  const { text: name } = at.directive
  const table = name.replace(/_(?:max|bucket)_size$/, '')
  if (value === 0) at.fail(`could not build ${table}, you should increase ${name}: 0`, w)
  if (name.endsWith('_bucket_size') && value > BUCKET_SIZE_MAX) {
    at.fail(`could not build ${table}, too large ${name}: ${Math.ceil(value / 64) * 64}`, w)
  }
  return value
})

/** A path that nginx resolves against the folder of the main configuration file (certificates, password files). */
export function confFile(name = 'file'): Args<string> {
  return word(name, (w, at) => fullName(w.text, at.confPrefix))
}

/** A path that nginx resolves against the `-p` prefix (roots, logs, temporary folders). */
export function prefixPath(name = 'path'): Args<string> {
  return word(name, (w, at) => fullName(w.text, at.prefix))
}

/** `10r/s` or `30r/m`, in thousandths of a request per second as nginx counts. */
export const rate: Args<number> = word('rate', (w, at) => {
  const match = /^(\d+)(r\/[sm])?$/.exec(w.text)
  const requests = match ? parseNumber(match[1]!) : undefined
  if (!requests) return at.fail(`invalid rate "${wholeOf(w)}"`, w)
  return match![2] === 'r/m' ? Math.floor((requests * 1000) / 60) : requests * 1000
})

/** nginx refuses a zone of less than eight pages. */
const ZONE_SIZE_MIN = 8 * 4096

/** `name:size`: a shared memory zone that the directive creates. */
export const zone: Args<{ readonly name: string; readonly size: number }> = word('name:size', (w, at) => {
  const colon = w.text.indexOf(':')
  const bytes = colon < 0 ? undefined : parseSize(w.text.slice(colon + 1))
  if (bytes === undefined) return at.fail(`invalid zone size "${wholeOf(w)}"`, w)
  if (bytes < ZONE_SIZE_MIN) return at.fail(`zone "${wholeOf(w)}" is too small`, w, 'the least is 32k')
  if (colon === 0) return at.fail(`"${at.directive.text}" must have "zone" parameter`, w)
  return { name: w.text.slice(0, colon), size: bytes }
})

/** `number size`, as `proxy_buffers` takes them; neither may be zero. */
export const sizeList: Args<{ readonly count: number; readonly size: number }> = {
  syntax: 'number size',
  min: 2,
  max: 2,
  read([first, second], at) {
    const count = parseNumber(first!.text)
    if (!count) return general(setterMessage(at, 'invalid value'), first)
    const bytes = parseSize(second!.text)
    if (!bytes) return general(setterMessage(at, 'invalid value'), second)
    return { count, size: bytes }
  },
}

/** Two words. */
export function keyValue(key = 'name', value = 'value'): Args<{ readonly key: string; readonly value: string }> {
  return { syntax: `${key} ${value}`, min: 2, max: 2, read: ([k, v]) => ({ key: k!.text, value: v!.text }) }
}

/** Ends reading with a message in the form of nginx's setters: `"client_body_timeout" directive invalid value`. */
export function failDirective(at: ReadContext, problem: string, where?: Word, hint?: string): never {
  return at.fail(setterMessage(at, problem), where, hint)
}

/** Ends reading with nginx's message for a wrong number of words. */
export function failCount(at: ReadContext): never {
  return at.fail(`invalid number of arguments in "${at.directive.text}" directive`)
}

/** The parameter that a word was cut out of (`zone=one:1m` for `one:1m`), or the word itself: nginx's messages name it. */
export function wholeOf(w: Word): string {
  return w.whole ?? w.text
}

function setterMessage(at: ReadContext, problem: string): string {
  return `"${at.directive.text}" directive ${problem}`
}

/** Fails with the message of a general reader, which the directive may replace by its own. */
function general(message: string, where?: Word, hint?: string): never {
  throw new ReadFailure(message, where, hint, true)
}

function unit(syntax: string, parse: (text: string) => number | undefined): Args<number> {
  return word(syntax, (w, at) => parse(w.text) ?? general(setterMessage(at, 'invalid value'), w))
}

function find<T extends string>(choices: readonly T[], w: Word): T {
  const text = w.text.toLowerCase()
  const found = choices.find((choice) => choice.toLowerCase() === text)
  return found ?? general(`invalid value "${w.text}"`, w, `one of: ${choices.join(', ')}`)
}
