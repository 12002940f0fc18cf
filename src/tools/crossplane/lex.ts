/**
 * Words of a configuration file as crossplane reads them, which is not quite as nginx does: escapes stay, quoted and bare
 * text next to each other are two words, and a file that nginx refuses is read on. Its JSON says what was written, and so
 * whoever knows it expects it to be the same here.
 */

/** A word, a comment (with its `#`) or one of `{ } ;`. */
export interface Piece {
  readonly text: string
  readonly line: number
  readonly quoted: boolean
}

/** The grammar is wrong: the rest of the file means nothing. */
export class LexError extends Error {
  readonly line: number

  constructor(message: string, line: number) {
    super(message)
    this.line = line
  }
}

const LUA =
  /^(?:access|balancer|body_filter|content|header_filter|init|init_worker|log|rewrite|set|ssl_certificate|ssl_session_fetch|ssl_session_store)_by_lua_block$/

/** Splits a text; throws a `LexError` where braces do not go together. */
export function* pieces(text: string): Generator<Piece> {
  let depth = 0
  let line = 1
  for (const piece of new Lex(text.replaceAll(/\r\n?/g, '\n')).all()) {
    line = piece.line
    if (!piece.quoted && piece.text === '}') depth--
    else if (!piece.quoted && piece.text === '{') depth++
    if (depth < 0) throw new LexError('unexpected "}"', line)
    yield piece
  }
  if (depth > 0) throw new LexError('unexpected end of file, expecting "}"', line)
}

/** Characters, of which an escaped one is one with its backslash. */
class Lex {
  readonly #text: string
  #index = 0
  #line = 1

  constructor(text: string) {
    this.#text = text
  }

  /** The next character, `''` at the end; lines are counted behind their end, as crossplane does. */
  #next(): string {
    const ch = this.#text.slice(this.#index, this.#index + (this.#text[this.#index] === '\\' ? 2 : 1))
    // A backslash at the very end is no character.
    if (ch === '\\') return ''
    this.#index += ch.length
    if (ch.endsWith('\n')) this.#line++
    return ch
  }

  *all(): Generator<Piece> {
    let token = ''
    let line = 1
    let begins = true
    for (let ch = this.#next(); ch !== ''; ch = this.#next()) {
      if (isSpace(ch)) {
        if (token !== '') {
          yield { text: token, line, quoted: false }
          if (begins && LUA.test(token)) yield* this.#lua(token)
          else begins = false
          token = ''
        }
        while (isSpace(ch)) ch = this.#next()
        if (ch === '') return
      }
      if (token === '' && ch === '#') {
        yield this.#comment()
        continue
      }
      if (token === '') line = this.#line
      if (token.endsWith('$') && ch === '{') {
        begins = false
        while (!token.endsWith('}') && !isSpace(ch) && ch !== '') {
          token += ch
          ch = this.#next()
        }
      }
      if ((ch === '"' || ch === "'") && token === '') {
        const text = this.#quoted(ch)
        if (text === undefined) return
        yield { text, line, quoted: true }
        if (begins && LUA.test(text)) yield* this.#lua(text)
        else begins = false
      } else if (ch === '{' || ch === '}' || ch === ';') {
        if (token !== '') yield { text: token, line, quoted: false }
        token = ''
        yield { text: ch, line: this.#line, quoted: false }
        begins = true
      } else {
        token += ch
      }
    }
  }

  #comment(): Piece {
    const line = this.#line
    let text = '#'
    for (let ch = this.#next(); ch !== ''; ch = this.#next()) {
      if (ch.endsWith('\n')) break
      text += ch
    }
    return { text, line, quoted: false }
  }

  #quoted(quote: string): string | undefined {
    let text = ''
    for (let ch = this.#next(); ch !== quote; ch = this.#next()) {
      if (ch === '') return undefined
      text += ch === `\\${quote}` ? quote : ch
    }
    return text
  }

  /** The block of a directive in Lua is its last argument. */
  *#lua(name: string): Generator<Piece> {
    let ch = this.#skip(this.#next())
    if (name === 'set_by_lua_block') {
      let word = ''
      for (; ch !== '' && !isSpace(ch); ch = this.#next()) word += ch
      yield { text: word, line: this.#line, quoted: false }
      ch = this.#skip(ch)
    }
    if (ch !== '{') throw new LexError('expected { to start Lua block', this.#line)
    const start = this.#index
    const end = this.#luaEnd()
    yield { text: this.#text.slice(start, end), line: this.#line, quoted: true }
    yield { text: ';', line: this.#line, quoted: false }
  }

  #luaEnd(): number {
    const token = /[{}]|--.*|"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'/g
    token.lastIndex = this.#index
    let depth = 1
    for (let match = token.exec(this.#text); match !== null; match = token.exec(this.#text)) {
      if (match[0] === '{') depth++
      else if (match[0] === '}' && --depth === 0) {
        this.#line += this.#text.slice(this.#index, match.index).split('\n').length - 1
        this.#index = token.lastIndex
        return match.index
      }
    }
    this.#index = this.#text.length
    return this.#text.length
  }

  #skip(first: string): string {
    let ch = first
    while (isSpace(ch)) ch = this.#next()
    return ch
  }
}

function isSpace(ch: string): boolean {
  return ch.length === 1 && /[\s\x1c-\x1f\x85]/.test(ch)
}
