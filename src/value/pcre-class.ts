/**
 * Character classes. A class is a set of byte values, so it is read into one, folded and complemented there, and written
 * out again: no difference between PCRE's and JavaScript's class syntax can survive that.
 */
import type { Cursor } from './pcre-cursor.ts'

const UNTERMINATED = 'missing terminating ] for character class'
const INVALID_RANGE = 'invalid range in character class'
const NONE = -1

/** A set of byte values. */
export class ByteSet {
  readonly #has = new Uint8Array(256)

  /** Builds a set from a list of ranges, given as pairs of characters. */
  static of(pairs: string): ByteSet {
    const set = new ByteSet()
    for (let i = 0; i < pairs.length; i += 2) set.addRange(pairs.charCodeAt(i), pairs.charCodeAt(i + 1))
    return set
  }

  has(byte: number): boolean {
    return this.#has[byte] === 1
  }

  addRange(first: number, last: number): void {
    this.#has.fill(1, first, last + 1)
  }

  /** Adds another set, or what is not in it. */
  addSet(other: ByteSet, negated = false): void {
    for (let byte = 0; byte < 256; byte++) if (other.has(byte) !== negated) this.#has[byte] = 1
  }

  /** Adds the other case of every ASCII letter: PCRE's tables fold nothing else. */
  fold(): void {
    for (let upper = 0x41; upper <= 0x5a; upper++) {
      if (this.has(upper) || this.has(upper + 32)) this.#has[upper] = this.#has[upper + 32] = 1
    }
  }

  invert(): void {
    for (let byte = 0; byte < 256; byte++) this.#has[byte] = this.has(byte) ? 0 : 1
  }

  /** A copy of the lower half. */
  ascii(): ByteSet {
    const copy = new ByteSet()
    copy.#has.set(this.#has.subarray(0, 128))
    return copy
  }

  get hasHigh(): boolean {
    return this.#has.subarray(128).includes(1)
  }

  /** The set as a JavaScript class. */
  toString(): string {
    const inside = this.#ranges(true)
    const outside = this.#ranges(false)
    return inside.length <= outside.length + 1 ? `[${inside}]` : `[^${outside}]`
  }

  #ranges(member: boolean): string {
    let text = ''
    for (let first = 0; first < 256; first++) {
      if (this.has(first) !== member) continue
      let last = first
      while (last < 255 && this.has(last + 1) === member) last++
      text += byteInClass(first)
      if (last > first + 1) text += '-'
      if (last > first) text += byteInClass(last)
      first = last
    }
    return text
  }
}

const DIGIT = ByteSet.of('09')
const WORD = ByteSet.of('09AZaz__')
const SPACE = ByteSet.of('\t\r  ')
const HORIZONTAL = ByteSet.of('\t\t  \xa0\xa0')
const VERTICAL = ByteSet.of('\n\r\x85\x85')
/** Everything but a line feed: what a dot and `\N` match. */
export const NOT_NEWLINE: ByteSet = ByteSet.of('\0\t\x0b\xff')
/** Every byte: a dot under `(?s)`, and `\C`. */
export const ANY_BYTE: ByteSet = ByteSet.of('\0\xff')

const POSIX: Readonly<Record<string, ByteSet>> = {
  alpha: ByteSet.of('AZaz'),
  lower: ByteSet.of('az'),
  upper: ByteSet.of('AZ'),
  alnum: ByteSet.of('09AZaz'),
  ascii: ByteSet.of('\0\x7f'),
  blank: ByteSet.of('\t\t  '),
  cntrl: ByteSet.of('\0\x1f\x7f\x7f'),
  digit: DIGIT,
  graph: ByteSet.of('!~'),
  print: ByteSet.of(' ~'),
  punct: ByteSet.of('!/:@[`{~'),
  space: SPACE,
  word: WORD,
  xdigit: ByteSet.of('09AFaf'),
}

const TYPES: Readonly<Record<string, ByteSet>> = { d: DIGIT, w: WORD, s: SPACE, h: HORIZONTAL, v: VERTICAL }

/** After a backslash: reads `\d \W \h ...` to its set, or returns undefined and stays. */
export function readTypeEscape(cursor: Cursor): ByteSet | undefined {
  const letter = cursor.peek()
  if (letter === 'p' || letter === 'P') return readProperty(cursor)
  const set = TYPES[letter.toLowerCase()]
  if (set === undefined) return undefined
  cursor.at++
  const result = new ByteSet()
  result.addSet(set, letter !== letter.toLowerCase())
  return result
}

/** After a backslash: `\pN`, `\p{Lu}`, `\P{^Nd}`. Without (*UTF8) PCRE takes bytes for characters of Latin-1. */
function readProperty(cursor: Cursor): ByteSet | undefined {
  const match = /^([pP])(?:\{\s*(\^?)\s*(\w+&?)\s*\}|(\w))/.exec(cursor.text.slice(cursor.at))
  if (match === null) {
    cursor.fail('malformed \\P or \\p sequence', cursor.at + 1)
    return undefined
  }
  const [whole, letter, caret, braced, single] = match
  const set = propertySet(braced ?? single!)
  cursor.at += whole.length
  if (set === undefined) {
    cursor.fail('unknown property after \\P or \\p', cursor.at)
    return undefined
  }
  const result = new ByteSet()
  result.addSet(set, (letter === 'P') !== (caret === '^'))
  return result
}

/** The bytes that have a Unicode property: a general category, a script, or one of PCRE's own. */
function propertySet(name: string): ByteSet | undefined {
  const own = PCRE_PROPERTIES[name]
  for (const source of own === undefined ? [name, `Script=${name}`] : [own]) {
    // tidy: runs when the configuration loads
    try {
      const regexp = new RegExp(`^[\\p{${source}}]$`, 'u')
      const set = new ByteSet()
      for (let byte = 0; byte < 256; byte++) if (regexp.test(String.fromCharCode(byte))) set.addRange(byte, byte)
      return set
    } catch {
      // Not a name of this kind.
    }
  }
  return undefined
}

const PCRE_PROPERTIES: Readonly<Record<string, string>> = { 'L&': 'Cased_Letter' }

/** Escapes one byte for use outside of a class. */
export function literalByte(byte: number): string {
  if (byte < 0x20 || byte > 0x7e) return '\\x' + byte.toString(16).padStart(2, '0')
  const c = String.fromCharCode(byte)
  return /[\\^$.*+?()[\]{}|/]/.test(c) ? '\\' + c : c
}

function byteInClass(byte: number): string {
  return byte === 0x2d ? '\\-' : literalByte(byte)
}

/** What the class reader needs to know of the options in force. */
interface ClassOptions {
  readonly caseless: boolean
  /** `(?xx)`: blanks inside the class are skipped. */
  readonly skipBlanks: boolean
}

/** Reads a class after its `[`; `negated` tells whether it began with `^` (the set is inverted already). */
export function readClass(cursor: Cursor, options: ClassOptions): { set: ByteSet; negated: boolean } {
  const negated = cursor.eat('^')
  const set = new ByteSet()
  new ClassReader(cursor, set, options).read()
  if (options.caseless) set.fold()
  if (negated) set.invert()
  return { set, negated }
}

class ClassReader {
  readonly #cursor: Cursor
  readonly #set: ByteSet
  readonly #skipBlanks: boolean
  #quoting = false

  constructor(cursor: Cursor, set: ByteSet, options: ClassOptions) {
    this.#cursor = cursor
    this.#set = set
    this.#skipBlanks = options.skipBlanks
  }

  read(): void {
    const cursor = this.#cursor
    for (let first = true; ; first = false) {
      this.#skip()
      if (cursor.done) {
        cursor.fail(UNTERMINATED)
        return
      }
      if (!first && !this.#quoting && cursor.eat(']')) return
      this.#item()
    }
  }

  /** Reads one byte, one range or one set. */
  #item(): void {
    const cursor = this.#cursor
    const start = this.#atom()
    if (cursor.failure !== undefined) return
    this.#skip()
    const isRange =
      !this.#quoting && cursor.peek() === '-' && cursor.peek(1) !== ']' && cursor.at + 1 < cursor.text.length
    if (start === NONE) {
      // A set cannot begin a range: PCRE refuses it rather than guess.
      if (isRange) cursor.fail(INVALID_RANGE)
      return
    }
    if (!isRange) {
      this.#set.addRange(start, start)
      return
    }
    cursor.at++
    this.#skip()
    const before = cursor.at
    const end = this.#atom()
    if (cursor.failure !== undefined) return
    if (end === NONE) {
      cursor.fail(INVALID_RANGE)
      return
    }
    if (end < start) {
      cursor.fail('range out of order in character class', Math.max(before, cursor.at - 1))
      return
    }
    this.#set.addRange(start, end)
  }

  /** Reads one byte and returns it, or adds a whole set and returns NONE. */
  #atom(): number {
    const cursor = this.#cursor
    if (this.#quoting) return cursor.next().charCodeAt(0)
    if (cursor.peek() === '[' && this.#posix()) return NONE
    if (!cursor.eat('\\')) return cursor.next().charCodeAt(0)
    if (cursor.eat('b')) return 8
    const set = readTypeEscape(cursor)
    if (set !== undefined) {
      this.#set.addSet(set)
      return NONE
    }
    if (/[0-7]/.test(cursor.peek())) return cursor.octal()
    const byte = cursor.byteEscape()
    if (byte < 0) this.#badEscape()
    return byte
  }

  #badEscape(): void {
    const cursor = this.#cursor
    const c = cursor.peek()
    if (/[NRX]/.test(c)) cursor.fail(`\\${c} in a character class is not supported`, cursor.at + 1)
    else cursor.unknownEscape()
  }

  #posix(): boolean {
    const cursor = this.#cursor
    if (/\[([.=])[^\]\\]*\1\]/y.test(cursor.text.slice(cursor.at))) {
      cursor.fail('POSIX collating elements are not supported')
      return true
    }
    const found = cursor.match(/\[:(\^?)([^\]\\[]*?):\]/y)
    if (found === undefined) return false
    const set = POSIX[found[2]!]
    if (set === undefined) cursor.fail('unknown POSIX class name', cursor.at - found[2]!.length - 2)
    else this.#set.addSet(set, found[1] === '^')
    return true
  }

  /** Skips `\Q`, `\E` and, under `(?xx)`, blanks. */
  #skip(): void {
    const cursor = this.#cursor
    for (;;) {
      if (cursor.eat('\\E')) this.#quoting = false
      else if (!this.#quoting && cursor.eat('\\Q')) this.#quoting = true
      else if (this.#skipBlanks && !this.#quoting && /[ \t]/.test(cursor.peek())) cursor.at++
      else return
    }
  }
}
