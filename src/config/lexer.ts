/**
 * Splits configuration text into statements exactly as nginx does (`ngx_conf_read_token` in src/core/ngx_conf_file.c),
 * its limits and oddities included: a comment counts against the 4096-byte token buffer, `}` is an ordinary character
 * inside a word, a backslash that escapes nothing stays in the word.
 */
import { KEPT_BYTE, toBinary } from '../lib/bytes.ts'
import type { Position, Word } from './source.ts'

/** What one call of `Lexer.next` found. `words` is never empty; `end` is where the `;` or `{` stands. */
export type Token =
  | { readonly kind: 'simple' | 'open'; readonly words: readonly Word[]; readonly end: Position }
  | { readonly kind: 'close'; readonly end: Position }
  | { readonly kind: 'eof'; readonly end: Position }
  | { readonly kind: 'fault'; readonly message: string; readonly hint: string | undefined; readonly end: Position }

/** How a text is read. */
interface LexerOptions {
  /** It is the text of `-g`: there is no limit on tokens. */
  readonly parameter?: boolean
  /** Words are binary strings, as the server has all text; places stay those of characters. */
  readonly binary?: boolean
}

/** A place that a lexer can go back to. */
export interface Mark {
  readonly index: number
  readonly bytes: number
  readonly line: number
  readonly lineStart: number
}

/** nginx reads files through a buffer of this many bytes, and a token must fit into it. */
const TOKEN_BYTES_MAX = 4096

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const DOUBLE_QUOTE = 34
const HASH = 35
const DOLLAR = 36
const SINGLE_QUOTE = 39
const CLOSING_PARENTHESIS = 41
const SEMICOLON = 59
const BACKSLASH = 92
const OPENING_BRACE = 123
const CLOSING_BRACE = 125
const EOF = -1

/** Bits of characters that mean nothing but themselves in such a place. */
const IN_WORD = 1
const IN_QUOTES = 2
const IN_COMMENT = 4
const ORDINARY = Uint8Array.from({ length: 128 }, (_, ch) => {
  const inWord = ![SEMICOLON, OPENING_BRACE, SPACE, TAB, CR, LF, BACKSLASH, DOLLAR].includes(ch)
  const inQuotes = ![DOUBLE_QUOTE, SINGLE_QUOTE, BACKSLASH, LF].includes(ch)
  return (inWord ? IN_WORD : 0) | (inQuotes ? IN_QUOTES : 0) | (ch === LF ? 0 : IN_COMMENT)
})

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' }

/** Reads one text from its beginning to its end; after `eof` or a `fault` it must not be asked again. */
export class Lexer {
  readonly #text: string
  readonly #file: string
  /** Bytes of the text in UTF-8. */
  readonly #bytesTotal: number
  readonly #parameter: boolean
  readonly #binary: boolean
  readonly #options: LexerOptions
  #index = 0
  #bytes = 0
  #line = 1
  #lineStart = 0
  /** Bytes before the first character of the current token: nginx keeps everything from here in its buffer. */
  #tokenBytes = 0
  #tokenIndex = 0
  #tokenLine = 1
  #fault: Token | undefined

  constructor(text: string, file: string, options: LexerOptions = {}, bytesTotal = bytesFor(text, options)) {
    this.#text = text
    this.#file = file
    this.#options = options
    this.#parameter = options.parameter === true
    this.#binary = options.binary === true
    this.#bytesTotal = bytesTotal
  }

  /** Where the next token begins. */
  mark(): Mark {
    return { index: this.#index, bytes: this.#bytes, line: this.#line, lineStart: this.#lineStart }
  }

  /** Goes back to a mark; a fault behind it is forgotten. */
  goTo(mark: Mark): void {
    this.#index = mark.index
    this.#bytes = mark.bytes
    this.#line = mark.line
    this.#lineStart = mark.lineStart
    this.#fault = undefined
  }

  /** Makes another lexer of the same text that begins at a mark. */
  from(mark: Mark): Lexer {
    const lexer = new Lexer(this.#text, this.#file, this.#options, this.#bytesTotal)
    lexer.goTo(mark)
    return lexer
  }

  /** Returns the next statement, end of block, end of text or fault. */
  next(): Token {
    const words: Word[] = []
    this.#markToken()
    for (;;) {
      const ch = this.#skipBlank()
      if (this.#fault) return this.#fault
      if (ch === EOF)
        return words.length > 0 ? this.#unexpectedEnd(missingSemicolon(words)) : { kind: 'eof', end: this.#here() }
      if (ch === SEMICOLON || ch === OPENING_BRACE) {
        return words.length === 0 ? this.#unexpected(ch) : this.#statement(ch, words)
      }
      if (ch === CLOSING_BRACE) {
        if (words.length > 0) return this.#unexpected(ch, missingSemicolon(words))
        const end = this.#here()
        this.#take(ch)
        return { kind: 'close', end }
      }
      const word = ch === DOUBLE_QUOTE || ch === SINGLE_QUOTE ? this.#quotedWord(ch) : this.#bareWord(ch)
      if (word === undefined) return this.#fault ?? this.#unexpectedEnd(this.#openQuote(ch))
      words.push(word)
      const after = word.quoted ? this.#afterQuote() : undefined
      if (after) return after
    }
  }

  /** Skips white space and comments; every blank restarts the token buffer, a comment does not. */
  #skipBlank(): number {
    for (;;) {
      const ch = this.#peek()
      if (ch === EOF) return EOF
      this.#markToken()
      if (ch === HASH) {
        for (let c: number = ch; c !== LF; c = this.#peek()) {
          if (c === EOF) return EOF
          if (!this.#takeOrdinary(IN_COMMENT)) this.#take(c)
        }
      } else if (ch !== SPACE && ch !== TAB && ch !== CR && ch !== LF) {
        return ch
      } else {
        this.#take(ch)
      }
    }
  }

  #bareWord(first: number): Word | undefined {
    const start = this.#here()
    const from = this.#index
    let escapes = first === BACKSLASH
    let variable = first === DOLLAR
    this.#take(first)
    if (escapes && !this.#takeEscaped()) return undefined
    for (;;) {
      if (this.#takeOrdinary(IN_WORD)) variable = false
      const ch = this.#peek()
      if (ch === EOF) return undefined
      if (ch === OPENING_BRACE && variable) {
        this.#take(ch)
        continue
      }
      if (ch === SEMICOLON || ch === OPENING_BRACE || ch === SPACE || ch === TAB || ch === CR || ch === LF) {
        const word = this.#word(start, from, escapes, false)
        // The blank after a word still counts against the word's buffer.
        if (ch !== SEMICOLON && ch !== OPENING_BRACE) this.#take(ch)
        return word
      }
      variable = ch === DOLLAR
      this.#take(ch)
      if (ch !== BACKSLASH) continue
      escapes = true
      if (!this.#takeEscaped()) return undefined
    }
  }

  #quotedWord(quote: number): Word | undefined {
    const start = this.#here()
    this.#take(quote)
    this.#tokenBytes = this.#bytes
    this.#tokenIndex = this.#index
    const from = this.#index
    let escapes = false
    for (;;) {
      this.#takeOrdinary(IN_QUOTES)
      const ch = this.#peek(quote)
      if (ch === EOF) return undefined
      if (ch === quote) {
        const word = this.#word(start, from, escapes, true)
        this.#take(ch)
        return word
      }
      this.#take(ch)
      if (ch !== BACKSLASH) continue
      escapes = true
      if (!this.#takeEscaped(quote)) return undefined
    }
  }

  /** A closing quote must be followed by a blank, `;`, `{` or `)`; the last one begins the next word. */
  #afterQuote(): Token | undefined {
    const ch = this.#peek()
    if (ch === EOF) return this.#fault ?? this.#unexpectedEnd()
    if (ch === SPACE || ch === TAB || ch === CR || ch === LF) {
      this.#take(ch)
      return undefined
    }
    if (ch === SEMICOLON || ch === OPENING_BRACE || ch === CLOSING_PARENTHESIS) return undefined
    return this.#unexpected(ch)
  }

  #takeEscaped(quote?: number): boolean {
    const ch = this.#peek(quote)
    if (ch === EOF) return false
    this.#take(ch)
    return true
  }

  #statement(ch: number, words: readonly Word[]): Token {
    const { file, line, column } = this.#here()
    this.#take(ch)
    const end = { file, line, column, from: words[0]! }
    return { kind: ch === SEMICOLON ? 'simple' : 'open', words, end }
  }

  #word(start: Position, from: number, escapes: boolean, quoted: boolean): Word {
    const written = this.#text.slice(from, this.#index)
    const raw = this.#binary ? toBinary(written) : written
    // Written out: V8 keeps the fields of a literal with a spread in a second object.
    const { file, line, column } = start
    return { file, line, column, text: escapes ? undoEscapes(raw) : raw, quoted }
  }

  /** The character at hand, or EOF, also when the token has outgrown nginx's buffer (then with a fault). */
  #peek(quote?: number): number {
    const kept = this.#bytes - this.#tokenBytes
    const full = kept > TOKEN_BYTES_MAX || (kept === TOKEN_BYTES_MAX && this.#bytes < this.#bytesTotal)
    if (full && !this.#parameter) {
      this.#tooLong(quote)
      return EOF
    }
    if (this.#index >= this.#text.length) return EOF
    return this.#text.charCodeAt(this.#index)
  }

  #take(ch: number): void {
    this.#index++
    this.#bytes += byteWidth(ch)
    if (ch !== LF) return
    this.#line++
    this.#lineStart = this.#index
  }

  /** Takes what is ordinary in such a place, but for the last bytes of nginx's buffer; false when there was nothing. */
  #takeOrdinary(place: number): boolean {
    const text = this.#text
    const from = this.#index
    const room = this.#parameter ? text.length : TOKEN_BYTES_MAX - 1 - (this.#bytes - this.#tokenBytes)
    const until = Math.min(text.length, from + room)
    let index = from
    while (index < until) {
      const ch = text.charCodeAt(index)
      if (ch >= ORDINARY.length || (ORDINARY[ch]! & place) === 0) break
      index++
    }
    if (index === from) return false
    this.#index = index
    this.#bytes += index - from
    return true
  }

  #markToken(): void {
    this.#tokenBytes = this.#bytes
    this.#tokenIndex = this.#index
    this.#tokenLine = this.#line
  }

  #here(): Position {
    return { file: this.#file, line: this.#line, column: this.#index - this.#lineStart + 1 }
  }

  #tooLong(quote: number | undefined): void {
    const message =
      quote === undefined
        ? `too long parameter "${this.#text.slice(this.#tokenIndex, this.#tokenIndex + 10)}..." started`
        : `too long parameter, probably missing terminating "${String.fromCharCode(quote)}" character`
    const column = this.#text.lastIndexOf('\n', this.#tokenIndex - 1)
    const end = { file: this.#file, line: this.#tokenLine, column: this.#tokenIndex - column }
    this.#fault = { kind: 'fault', message, hint: undefined, end }
  }

  #unexpected(ch: number, hint?: string): Token {
    return { kind: 'fault', message: `unexpected "${String.fromCharCode(ch)}"`, hint, end: this.#here() }
  }

  #unexpectedEnd(hint?: string): Token {
    const message = this.#parameter
      ? 'unexpected end of parameter, expecting ";"'
      : 'unexpected end of file, expecting ";" or "}"'
    return { kind: 'fault', message, hint, end: this.#here() }
  }

  #openQuote(first: number): string | undefined {
    if (first !== DOUBLE_QUOTE && first !== SINGLE_QUOTE) return undefined
    return `the quote that opens in line ${this.#tokenLine} is not closed`
  }
}

function missingSemicolon(words: readonly Word[]): string {
  const last = words.at(-1)!
  return `is a ";" missing after "${last.text}" in line ${last.line}?`
}

/** Undoes nginx's escapes: `\"`, `\'`, `\\`, `\t`, `\r`, `\n`; any other backslash stays. */
function undoEscapes(raw: string): string {
  return raw.replace(/\\(["'\\trn])/g, (_, c: string) => ESCAPES[c] ?? c)
}

/** UTF-8 bytes of one UTF-16 unit; half a surrogate pair is half of four, an undecodable byte (`decodeText`) is one. */
function byteWidth(ch: number): number {
  if (ch < 0x80) return 1
  if (ch < 0x800) return 2
  if (ch >= 0xd800 && ch < 0xdc00) return 4
  if (ch >= 0xdc00 && ch < 0xe000) return ch >= KEPT_BYTE + 0x80 && ch <= KEPT_BYTE + 0xff ? 1 : 0
  return 3
}

function bytesFor(text: string, { parameter }: LexerOptions): number {
  return parameter === true ? 0 : byteLength(text)
}

const OTHER_THAN_ASCII = /[^\x00-\x7f]/

function byteLength(text: string): number {
  if (!OTHER_THAN_ASCII.test(text)) return text.length
  let bytes = 0
  for (let i = 0; i < text.length; i++) bytes += byteWidth(text.charCodeAt(i))
  return bytes
}
