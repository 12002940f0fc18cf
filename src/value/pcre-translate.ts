/**
 * PCRE patterns as nginx users write them, to the source of a JavaScript expression that needs no flags.
 *
 * Case-insensitivity becomes classes (`[aA]`) because JavaScript's own folds letters beyond ASCII and because V8's linear
 * engine does not take the flag. Atomic groups become a lookahead and a back reference to a group of ours, so groups are
 * kept as objects until the end, when each gets its number in the JavaScript expression.
 *
 * What is accepted although it differs: V8 forgets a group inside a repeated group when its last repetition did not enter
 * it, where PCRE remembers. (The matcher of bounded.ts, which runs what V8's linear engine does not take, does as PCRE.)
 */
import { ANY_BYTE, type ByteSet, literalByte, NOT_NEWLINE, readClass, readTypeEscape } from './pcre-class.ts'
import { Cursor, type PatternFailure } from './pcre-cursor.ts'
import { type Options, setOptions, startOptions } from './pcre-options.ts'
import { Output } from './pcre-output.ts'
import { type GroupReference, readG, readK, readName } from './pcre-reference.ts'

const NOT_REPEATABLE = 'quantifier does not follow a repeatable item'
const NO_SUCH_GROUP = 'reference to non-existent subpattern'
const OUTSIDE_CLASS = 'POSIX named classes are supported only within a class'
const REPEAT_MAX = 65535
const DEPTH_MAX = 250
/** One character of more than one byte, for patterns that begin with `(*UTF8)`. */
const MULTIBYTE = '[\\xc2-\\xf4][\\x80-\\xbf]{1,3}'
const LINE_START = '(?:^|(?<=\\n)(?=[^]))'
const LINE_END = '(?=\\n|$)'
const SUBJECT_END = '(?=\\n?$)'

/** The outcome: `source` for `new RegExp`, and which of its groups are the author's. */
export interface Translation {
  readonly source: string
  /** Number of the author's groups. */
  readonly captureCount: number
  /** Names by group number; '' for a group without. */
  readonly names: readonly string[]
  /** For each group of the JavaScript expression the author's number, 0 for ours; undefined when they are the same. */
  readonly authorNumbers: readonly number[] | undefined
  readonly failure: PatternFailure | undefined
}

/** Translates `text` (a binary string). The result with a `failure` has no usable source. */
export function translatePattern(text: string, options: { caseless: boolean; multiline?: boolean }): Translation {
  return new Translator(text, options.caseless, options.multiline === true).run()
}

class Translator {
  readonly #cursor: Cursor
  #options: Options
  readonly #output = new Output()
  readonly #names: string[] = ['']
  #count = 0
  #utf = false
  #depth = 0
  #lookbehind = 0

  constructor(text: string, caseless: boolean, multiline: boolean) {
    this.#cursor = new Cursor(text)
    this.#options = startOptions(caseless, multiline)
  }

  run(): Translation {
    this.#verbs()
    this.#alternatives(false)
    if (!this.#cursor.done) this.#cursor.fail('unmatched closing parenthesis')
    const { source, authorNumbers, dangling } = this.#output.write(this.#names)
    if (dangling !== undefined) this.#cursor.fail(NO_SUCH_GROUP, dangling)
    const { failure } = this.#cursor
    return { source, captureCount: this.#count, names: this.#names, authorNumbers, failure }
  }

  /** Start-of-pattern verbs; those that only tune PCRE are ignored. */
  #verbs(): void {
    for (;;) {
      const verb = this.#cursor.match(
        /\(\*(UTF8?|UCP|LF|NO_JIT|NO_START_OPT|NO_AUTO_POSSESS|NO_DOTSTAR_ANCHOR|LIMIT_\w+=\d+)\)/y,
      )
      if (verb === undefined) return
      if (verb[1]!.startsWith('UTF')) this.#utf = true
    }
  }

  /** Reads up to the end or a closing parenthesis, which stays. `reset` is for `(?|`: every branch counts alike. */
  #alternatives(reset: boolean): void {
    const first = this.#count
    let most = first
    const outer = this.#options
    this.#options = { ...outer }
    if (++this.#depth > DEPTH_MAX) this.#cursor.fail('parentheses are too deeply nested')
    while (!this.#cursor.done && this.#cursor.peek() !== ')') {
      if (this.#cursor.eat('|')) {
        this.#output.push('|')
        most = Math.max(most, this.#count)
        if (reset) this.#count = first
      } else {
        this.#piece()
      }
    }
    this.#count = Math.max(most, this.#count)
    this.#depth--
    this.#options = outer
  }

  /** One atom with its quantifier. */
  #piece(): void {
    if (this.#options.x && this.#skipExtended()) return
    const at = this.#output.length
    const from = this.#cursor.at
    const kind = this.#atom()
    if (this.#cursor.failure === undefined && kind !== NOTHING) this.#quantifier(at, from, kind)
  }

  #skipExtended(): boolean {
    return this.#cursor.match(/[ \t\n\x0b\f\r]+|#[^\n]*\n?/y) !== undefined
  }

  #atom(): number {
    const cursor = this.#cursor
    const c = cursor.next()
    switch (c) {
      case '\\':
        return this.#escape()
      case '(':
        return this.#group()
      case '[':
        return this.#class()
      case '.':
        return this.#emit(this.#dot())
      case '^':
        this.#emit(this.#options.m ? LINE_START : '^')
        return ANCHOR
      case '$':
        this.#emit(this.#dollar())
        return ANCHOR
      case '*':
      case '+':
      case '?':
        cursor.fail(NOT_REPEATABLE, cursor.at - 1)
        return NOTHING
      case '{':
        return this.#brace()
      default:
        return this.#emit(this.#literal(c.charCodeAt(0)))
    }
  }

  #emit(part: string): number {
    this.#output.push(part)
    return ATOM
  }

  #brace(): number {
    const counts = this.#cursor.match(/\d+(?:,\d*)?\}/y)
    if (counts !== undefined) this.#cursor.fail(NOT_REPEATABLE, this.#cursor.at - 1)
    return this.#emit('\\{')
  }

  #literal(byte: number): string {
    const lower = byte | 0x20
    if (!this.#options.i || lower < 0x61 || lower > 0x7a) return literalByte(byte)
    return `[${String.fromCharCode(lower)}${String.fromCharCode(lower - 32)}]`
  }

  #dot(): string {
    const set = this.#options.s ? ANY_BYTE : NOT_NEWLINE
    if (this.#utf) return this.#beyondAscii(set)
    return set === ANY_BYTE ? '[^]' : '[^\\n]'
  }

  /** A set that holds every character above ASCII, where characters are UTF-8. */
  #beyondAscii(set: ByteSet): string {
    return `(?:${set.ascii().toString()}|${MULTIBYTE})`
  }

  /**
   * `$` also matches before a final line feed. At the end of the whole pattern that needs no lookahead, which keeps the
   * pattern within what V8's linear engine takes.
   */
  #dollar(): string {
    if (this.#options.m) return LINE_END
    const next = this.#cursor.peek()
    return this.#depth === 1 && (next === '' || next === '|') ? '\\n?$' : SUBJECT_END
  }

  #class(): number {
    const posix = /^([:.=])[^\]\\]*\1\]/.exec(this.#cursor.text.slice(this.#cursor.at))
    if (posix !== null) {
      const message = posix[1] === ':' ? OUTSIDE_CLASS : 'POSIX collating elements are not supported'
      this.#cursor.fail(message, this.#cursor.at - 1)
      return NOTHING
    }
    const { set, negated } = readClass(this.#cursor, { caseless: this.#options.i, skipBlanks: this.#options.xx })
    if (!this.#utf) return this.#emit(set.toString())
    if (negated) return this.#emit(this.#beyondAscii(set))
    if (set.hasHigh) this.#cursor.fail('characters beyond ASCII in a character class are not supported with (*UTF8)')
    return this.#emit(set.toString())
  }

  #escape(): number {
    const cursor = this.#cursor
    if (cursor.eat('Q')) return this.#quoted()
    if (this.#utf && /[pP]/.test(cursor.peek())) return this.#escapeLetter()
    const set = readTypeEscape(cursor)
    if (set !== undefined) return this.#emit(this.#utf && set.has(0xff) ? this.#beyondAscii(set) : set.toString())
    const simple = SIMPLE[cursor.peek()]
    if (simple !== undefined) {
      cursor.at++
      return this.#emit(simple)
    }
    const assertion = ASSERTIONS[cursor.peek()]
    if (assertion !== undefined) {
      cursor.at++
      this.#emit(assertion)
      return ANCHOR
    }
    return this.#escapeLetter()
  }

  #escapeLetter(): number {
    const cursor = this.#cursor
    const c = cursor.peek()
    if (c === 'E') {
      cursor.at++
      return NOTHING
    }
    // `\K` moves the start of the match, which nothing in nginx looks at.
    if (c === 'K') return cursor.eat('K') ? this.#emit('(?:)') : NOTHING
    if (c === 'N' && cursor.text.startsWith('N{U+', cursor.at)) {
      cursor.fail('\\N{U+dddd} is supported only in Unicode (UTF) mode', cursor.at + 1)
      return NOTHING
    }
    if (c === 'N') return cursor.eat('N') ? this.#emit(this.#utf ? this.#beyondAscii(NOT_NEWLINE) : '[^\\n]') : NOTHING
    if (c >= '1' && c <= '9') return this.#digits()
    if (c === 'g' || c === 'k') return this.#reference(c === 'g' ? readG(cursor, this.#count) : readK(cursor))
    if (/[pPX]/.test(c)) {
      cursor.fail(`\\${c} is not supported${c === 'X' ? '' : ' with (*UTF8)'}`, cursor.at + 1)
      return NOTHING
    }
    const byte = cursor.byteEscape()
    if (byte < 0) cursor.unknownEscape()
    return this.#emit(this.#literal(byte & 255))
  }

  /** `\Q...\E`: every character is itself; a quantifier belongs to the last. */
  #quoted(): number {
    const cursor = this.#cursor
    const end = cursor.text.indexOf('\\E', cursor.at)
    const stop = end < 0 ? cursor.text.length : end
    const last = stop - 1
    for (; cursor.at < last; cursor.at++) this.#emit(this.#literal(cursor.text.charCodeAt(cursor.at)))
    if (cursor.at >= stop) {
      if (end >= 0) cursor.at = end + 2
      return NOTHING
    }
    const at = this.#output.length
    const from = cursor.at
    this.#emit(this.#literal(cursor.text.charCodeAt(last)))
    cursor.at = end < 0 ? stop : end + 2
    this.#quantifier(at, from, ATOM)
    return NOTHING
  }

  /** `\1` to `\9` refer to a group; a larger number does if there are so many groups, and else is octal. */
  #digits(): number {
    const cursor = this.#cursor
    const digits = cursor.match(/\d+/y)![0]
    const number = Number(digits)
    if (number < 10 || digits[0]! >= '8' || number <= this.#count) return this.#refer(number, cursor.at - 1)
    cursor.at -= digits.length
    return this.#emit(this.#literal(cursor.octal()))
  }

  #reference(found: GroupReference | undefined): number {
    return found === undefined ? NOTHING : this.#refer(found.target, found.at)
  }

  #refer(target: number | string, at: number): number {
    this.#output.refer(target, at)
    return ATOM
  }

  #group(): number {
    const cursor = this.#cursor
    if (cursor.peek() === '*') return this.#verb()
    if (!cursor.eat('?')) return this.#options.n ? this.#enclose('(?:', ATOM) : this.#capture('')
    if (cursor.eat('#')) return this.#comment()
    if (cursor.eat(':')) return this.#enclose('(?:', ATOM)
    if (cursor.eat('|')) return this.#enclose('(?:', ATOM, true)
    if (cursor.eat('>')) return this.#atomic()
    if (cursor.eat('=')) return this.#enclose('(?=', ASSERTION)
    if (cursor.eat('!')) return this.#enclose('(?!', ASSERTION)
    if (cursor.eat('<=')) return this.#behind('(?<=')
    if (cursor.eat('<!')) return this.#behind('(?<!')
    if (cursor.eat('P')) return this.#groupP()
    if (cursor.eat('<')) return this.#namedGroup('>')
    if (cursor.eat("'")) return this.#namedGroup("'")
    return this.#optionsOrUnsupported()
  }

  #verb(): number {
    const cursor = this.#cursor
    if (cursor.eat('*FAIL)') || cursor.eat('*F)')) return this.#emit('[]')
    const known = cursor.match(/\*[A-Za-z_:0-9=]+\)/y)
    if (known === undefined) cursor.fail('(*VERB) not recognized or malformed', cursor.text.length)
    else cursor.fail(`the verb (${known[0]} is not supported`)
    return NOTHING
  }

  #comment(): number {
    const cursor = this.#cursor
    const end = cursor.text.indexOf(')', cursor.at)
    if (end < 0) cursor.fail('missing ) after (?# comment', cursor.text.length)
    else cursor.at = end + 1
    return NOTHING
  }

  #groupP(): number {
    const cursor = this.#cursor
    if (cursor.eat('<')) return this.#namedGroup('>')
    if (cursor.eat('=')) {
      const at = cursor.at
      const name = readName(cursor, ')')
      return name === undefined ? NOTHING : this.#refer(name, at)
    }
    if (cursor.peek() === '>') cursor.fail('recursion and subroutine calls (?P>...) are not supported')
    else if (cursor.done) cursor.fail('missing closing parenthesis')
    else cursor.fail('unrecognized character after (?P')
    return NOTHING
  }

  #namedGroup(terminator: string): number {
    const name = readName(this.#cursor, terminator)
    if (name === undefined) return NOTHING
    const known = this.#names.indexOf(name)
    if (known > 0 && known !== this.#count + 1) {
      this.#cursor.fail('two named subpatterns have the same name (PCRE2_DUPNAMES not set)')
      return NOTHING
    }
    return this.#capture(name)
  }

  #capture(name: string): number {
    const number = ++this.#count
    if (name !== '' || this.#names[number] === undefined) this.#names[number] = name
    this.#output.open(number)
    this.#body(false)
    return ATOM
  }

  #enclose(opening: string, kind: number, reset = false): number {
    this.#output.push(opening)
    this.#body(reset)
    return kind
  }

  #behind(opening: string): number {
    this.#lookbehind++
    this.#enclose(opening, ASSERTION)
    this.#lookbehind--
    return ASSERTION
  }

  #body(reset: boolean): void {
    this.#alternatives(reset)
    if (!this.#cursor.eat(')')) this.#cursor.fail('missing closing parenthesis', this.#cursor.text.length)
    this.#output.push(')')
  }

  #atomic(): number {
    const at = this.#output.length
    this.#body(false)
    this.#output.pop()
    this.#makeAtomic(at)
    return ATOM
  }

  #makeAtomic(at: number): void {
    if (this.#lookbehind > 0) {
      this.#cursor.fail('an atomic group or possessive quantifier in a lookbehind is not supported')
    }
    this.#output.makeAtomic(at)
  }

  /** `(?i)`, `(?i-s:...)`, or something without an equivalent. */
  #optionsOrUnsupported(): number {
    const cursor = this.#cursor
    const found = cursor.match(/(\^?[imsxnUJ]*)(?:-([imsxnUJ]*))?([:)])/y)
    if (found === undefined) {
      this.#unsupportedGroup()
      return NOTHING
    }
    if (found[3] === ')') {
      setOptions(this.#options, found[1]!, found[2] ?? '')
      return NOTHING
    }
    const outer = this.#options
    this.#options = { ...outer }
    setOptions(this.#options, found[1]!, found[2] ?? '')
    this.#enclose('(?:', ATOM)
    this.#options = outer
    return ATOM
  }

  #unsupportedGroup(): void {
    const cursor = this.#cursor
    const rest = cursor.text.slice(cursor.at)
    if (/^(?:R|&|[-+]?\d)/.test(rest)) {
      cursor.fail('recursion and subroutine calls are not supported')
      return
    }
    if (rest.startsWith('(')) {
      cursor.fail('conditional groups are not supported')
      return
    }
    if (rest.startsWith('C')) {
      cursor.fail('callouts are not supported')
      return
    }
    const known = cursor.match(/\^?[imsxnUJ]*-?[imsxnUJ]*/y)
    if (known === undefined || cursor.done) {
      cursor.fail('missing closing parenthesis')
      return
    }
    cursor.fail('unrecognized character after (? or (?-')
  }

  /** Reads a quantifier for the parts from `at` on. */
  #quantifier(at: number, from: number, kind: number): void {
    const cursor = this.#cursor
    while (cursor.eat('\\Q\\E') || cursor.eat('\\E') || (this.#options.x && this.#skipExtended()));
    const found = cursor.match(/[*+?]|\{(\d+)(,?)(\d*)\}/y)
    if (found === undefined) return
    if (kind === ANCHOR) {
      cursor.fail(NOT_REPEATABLE, cursor.at - 1)
      return
    }
    if (found[1] !== undefined && !this.#checkCounts(found)) return
    if (this.#options.x) while (this.#skipExtended());
    const mode = cursor.match(/[+?]/y)?.[0] ?? ''
    if (kind === ASSERTION || cursor.text[from] === '\\') this.#output.wrap(at)
    const lazy = (mode === '?') !== this.#options.U
    this.#output.push(found[0] + (lazy && mode !== '+' ? '?' : ''))
    if (mode === '+') this.#makeAtomic(at)
    const again = cursor.match(/[*+?]|\{\d+(?:,\d*)?\}/y)
    if (again !== undefined) cursor.fail(NOT_REPEATABLE, cursor.at - 1)
  }

  #checkCounts(found: RegExpExecArray): boolean {
    const least = Number(found[1])
    const most = found[3] === '' ? (found[2] === '' ? least : Infinity) : Number(found[3])
    if (least > REPEAT_MAX || (most > REPEAT_MAX && most !== Infinity)) {
      this.#cursor.fail('number too big in {} quantifier', this.#cursor.at - 1)
    } else if (most < least) {
      this.#cursor.fail('numbers out of order in {} quantifier', this.#cursor.at - 1)
    }
    return this.#cursor.failure === undefined
  }
}

const NOTHING = 0
const ATOM = 1
const ASSERTION = 2
const ANCHOR = 3

const SIMPLE: Readonly<Record<string, string>> = { R: '(?:\\r\\n|[\\n-\\f\\x85]|\\r(?!\\n))', C: '[^]' }
const ASSERTIONS: Readonly<Record<string, string>> = { b: '\\b', B: '\\B', A: '^', G: '^', z: '$', Z: SUBJECT_END }
