/**
 * A configuration file as it is written: statements with the text of their words, comments, and where all of it stands.
 * What a word is, the server's own lexer decides; this adds what that passes over. Nothing is lost: the pieces and the
 * blanks between them are the file.
 */
import { Lexer, type Mark } from '../../config/lexer.ts'
import type { Position, Word } from '../../config/source.ts'
import { luaEnd, maskTemplates } from './foreign.ts'

/** A place in the text, in characters from its beginning. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A comment, from its `#` to the end of the line. */
export interface Comment extends Span {
  readonly kind: 'comment'
  readonly line: number
  readonly text: string
}

/** A word as written, with its quotes. */
export interface RawWord extends Span {
  readonly kind: 'word'
  readonly raw: string
  readonly line: number
  readonly word: Word
}

/** A directive or an entry, and the block that it opens. */
export interface Directive extends Span {
  readonly kind: 'directive'
  readonly words: readonly RawWord[]
  /** The words, and comments between them. */
  readonly parts: readonly (RawWord | Comment)[]
  /** Where its `;` or `{` is. */
  readonly mark: number
  readonly line: number
  readonly endLine: number
  readonly block: readonly Item[] | undefined
  /** For a block: where its `}` is. */
  readonly close: number
  readonly closeLine: number
  /** A block in another language: its text, braces included. */
  readonly foreign: string | undefined
}

/** What a block holds. */
export type Item = Directive | Comment

/** A mistake in the grammar. */
export interface Fault {
  readonly message: string
  readonly at: Position
  readonly hint: string | undefined
}

/** A file, read. */
export interface Document {
  readonly file: string
  readonly text: string
  readonly items: readonly Item[]
  /** The reading ended here. */
  readonly fault: Fault | undefined
}

interface Open {
  readonly head: Omit<Directive, 'block' | 'close' | 'closeLine' | 'end' | 'foreign'>
  readonly outer: Item[]
}

/** Reads a text. What comes before a mistake is there. */
export function readDocument(text: string, file: string): Document {
  return new Reader(text, file).read()
}

class Reader {
  readonly #text: string
  readonly #masked: string
  readonly #file: string
  readonly #lexer: Lexer
  readonly #lines: number[] = [0]
  readonly #stack: Open[] = []
  #items: Item[] = []

  constructor(text: string, file: string) {
    this.#text = text
    this.#file = file
    this.#masked = maskTemplates(text)
    this.#lexer = new Lexer(this.#masked, file)
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#lines.push(at + 1)
  }

  read(): Document {
    for (;;) {
      const before = this.#lexer.mark().index
      const token = this.#lexer.next()
      const mark = this.#offset(token.end)
      if (token.kind === 'simple' || token.kind === 'open') {
        const head = this.#head(before, token.words, mark, token.end.line)
        if (token.kind === 'simple') this.#items.push(simple(head, mark + 1))
        else if (!this.#foreign(head)) this.#open(head)
        continue
      }
      if (token.kind === 'fault') return this.#end(token.message, token.end, token.hint)
      const end = token.kind === 'eof' ? this.#text.length : mark
      this.#comments(before, end, this.#items)
      if (token.kind === 'eof') return this.#atEof(token.end)
      const open = this.#stack.pop()
      if (open === undefined) return this.#end('unexpected "}"', token.end)
      this.#close(open, mark, token.end.line)
    }
  }

  #atEof(end: Position): Document {
    const open = this.#stack.at(-1)
    if (open === undefined) return this.#end()
    const [name] = open.head.words
    const hint = `the block of "${name!.word.text}" in line ${name!.line} is not closed`
    return this.#end('unexpected end of file, expecting "}"', end, hint)
  }

  #end(message?: string, at?: Position, hint?: string): Document {
    for (let open = this.#stack.pop(); open !== undefined; open = this.#stack.pop()) {
      this.#close(open, this.#text.length, this.#lines.length)
    }
    const fault = message === undefined ? undefined : { message, at: at!, hint }
    return { file: this.#file, text: this.#text, items: this.#items, fault }
  }

  #open(head: Open['head']): void {
    this.#stack.push({ head, outer: this.#items })
    this.#items = []
  }

  #close({ head, outer }: Open, close: number, closeLine: number): void {
    outer.push({ ...head, block: this.#items, close, closeLine, end: close + 1, foreign: undefined })
    this.#items = outer
  }

  /** A block of Lua is passed over. */
  #foreign(head: Open['head']): boolean {
    if (!/_by_lua(?:_block)?$/.test(head.words[0]!.word.text) && head.words[0]!.word.text !== 'lua_block') return false
    const end = luaEnd(this.#text, head.mark)
    if (end === undefined) return false
    const closeLine = this.#lineOf(end - 1)
    const foreign = this.#text.slice(head.mark, end)
    this.#items.push({ ...head, block: [], close: end - 1, closeLine, end, foreign })
    const { bytes } = this.#lexer.mark()
    const mark: Mark = { index: end, bytes, line: closeLine, lineStart: this.#lines[closeLine - 1]! }
    this.#lexer.goTo(mark)
    return true
  }

  #head(before: number, list: readonly Word[], mark: number, endLine: number): Open['head'] {
    const words = list.map((word) => this.#rawWord(word))
    const parts: (RawWord | Comment)[] = []
    this.#comments(before, words[0]!.start, this.#items)
    words.forEach((word, i) => {
      parts.push(word)
      this.#comments(word.end, words[i + 1]?.start ?? mark, parts)
    })
    const { start, line } = words[0]!
    return { kind: 'directive', start, words, parts, mark, line, endLine }
  }

  #rawWord(word: Word): RawWord {
    const start = this.#offset(word)
    const end = wordEnd(this.#masked, start, word.quoted)
    return { kind: 'word', start, end, raw: this.#text.slice(start, end), line: word.line, word }
  }

  /** Between words there are blanks and comments only. */
  #comments(start: number, end: number, into: (RawWord | Item)[]): void {
    for (let at = this.#hash(start, end); at >= 0; at = this.#hash(at, end)) {
      let stop = this.#masked.indexOf('\n', at)
      if (stop < 0) stop = this.#text.length
      const text = this.#text.slice(at, stop).trimEnd()
      into.push({ kind: 'comment', start: at, end: at + text.length, line: this.#lineOf(at), text })
      at = stop
    }
  }

  /** Looks no further than `end`, as most texts have few comments. */
  #hash(start: number, end: number): number {
    for (let at = start; at < end; at++) if (this.#masked[at] === '#') return at
    return -1
  }

  #offset({ line, column }: Position): number {
    return this.#lines[line - 1]! + column - 1
  }

  #lineOf(offset: number): number {
    let low = 0
    let high = this.#lines.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#lines[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return low + 1
  }
}

function simple(head: Open['head'], end: number): Directive {
  return { ...head, end, block: undefined, close: -1, closeLine: -1, foreign: undefined }
}

/** Where a word ends that the lexer has read from `start`. */
function wordEnd(text: string, start: number, quoted: boolean): number {
  if (quoted) {
    const quote = text[start]
    let at = start + 1
    while (at < text.length && text[at] !== quote) at += text[at] === '\\' ? 2 : 1
    return Math.min(at + 1, text.length)
  }
  let at = start
  while (at < text.length) {
    const ch = text[at]!
    if (ch === '\\') at += 2
    // To the lexer, all braces right after a dollar sign belong to the word.
    else if (ch === '$') while (text[++at] === '{');
    else if (' \t\r\n;{'.includes(ch)) break
    else at++
  }
  return Math.min(at, text.length)
}
