/**
 * The reading position in a PCRE pattern (a binary string), with the first error found and the escapes that stand for
 * one byte. Nothing here throws: `fail` moves to the end of the pattern, which stops every loop.
 */

/** Error texts are PCRE2's own, since nginx prints them; offsets too, as far as the text after them is shown. */
export interface PatternFailure {
  readonly message: string
  readonly offset: number
}

const OCTAL_TOO_LARGE = 'octal value is greater than \\377 in 8-bit non-UTF-8 mode'
const CODE_TOO_LARGE = 'character code point value in \\x{} or \\o{} is too large'
/** Escapes of one letter that mean one byte. */
const CONTROLS: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 }

export class Cursor {
  readonly text: string
  at = 0
  failure: PatternFailure | undefined = undefined

  constructor(text: string) {
    this.text = text
  }

  get done(): boolean {
    return this.at >= this.text.length
  }

  /** The character `ahead` places after the position, or '' behind the end. */
  peek(ahead = 0): string {
    return this.text.charAt(this.at + ahead)
  }

  /** Takes one character; '' at the end. */
  next(): string {
    return this.text.charAt(this.at++)
  }

  /** Takes `word` if it stands here. */
  eat(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false
    this.at += word.length
    return true
  }

  /** Takes what a sticky expression matches here, or returns undefined. */
  match(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.at
    const found = sticky.exec(this.text)
    if (found === null) return undefined
    this.at += found[0].length
    return found
  }

  /** Notes the first failure and goes to the end. */
  fail(message: string, offset = this.at): void {
    this.failure ??= { message, offset: Math.min(offset, this.text.length) }
    this.at = this.text.length
  }

  /** After a backslash: reads an escape that is one byte, or returns -1 and stays. */
  byteEscape(): number {
    const c = this.peek()
    const control = CONTROLS[c]
    if (control !== undefined) {
      this.at++
      return control
    }
    if (c === 'x') return this.#hex()
    if (c === 'o') return this.#bracedOctal()
    if (c === 'c') return this.#control()
    if (c === '0') return this.octal()
    if (/[^A-Za-z0-9]/.test(c)) {
      this.at++
      return c.charCodeAt(0)
    }
    return -1
  }

  /** Reads one to three octal digits. */
  octal(): number {
    const digits = this.match(/[0-7]{1,3}/y)
    if (digits === undefined) return -1
    const value = Number.parseInt(digits[0], 8)
    if (value > 255) this.fail(OCTAL_TOO_LARGE)
    return value & 255
  }

  /** Fails for a letter that PCRE does not know after a backslash. */
  unknownEscape(): void {
    if (this.done) {
      this.fail('\\ at end of pattern')
      return
    }
    if (/[FLlUu]/.test(this.peek())) {
      this.fail('PCRE2 does not support \\F, \\L, \\l, \\N{name}, \\U, or \\u', this.at + 1)
      return
    }
    this.fail('unrecognized character follows \\')
  }

  #hex(): number {
    this.at++
    if (this.peek() !== '{') return Number.parseInt('0' + this.match(/[0-9a-fA-F]{0,2}/y)![0], 16)
    const code = this.match(/\{([0-9a-fA-F]+)\}/y)
    if (code === undefined) {
      this.fail('non-hex character in \\x{} (closing brace missing?)', this.at + 1)
      return 0
    }
    return this.#code(Number.parseInt(code[1]!, 16))
  }

  #bracedOctal(): number {
    this.at++
    if (this.peek() !== '{') {
      this.fail('missing opening brace after \\o', this.at - 1)
      return 0
    }
    const code = this.match(/\{([0-7]+)\}/y)
    if (code === undefined) {
      this.fail('non-octal character in \\o{} (closing brace missing?)', this.at + 1)
      return 0
    }
    return this.#code(Number.parseInt(code[1]!, 8))
  }

  #code(value: number): number {
    if (value > 255) this.fail(CODE_TOO_LARGE, this.at - 1)
    return value & 255
  }

  #control(): number {
    this.at++
    const c = this.next()
    if (c < ' ' || c > '~')
      this.fail(c === '' ? '\\c at end of pattern' : '\\c must be followed by a printable ASCII character')
    return c.toUpperCase().charCodeAt(0) ^ 0x40
  }
}
