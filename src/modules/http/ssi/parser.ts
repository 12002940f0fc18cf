/**
 * Finds SSI commands in a body that comes in pieces, cut anywhere: `<!--#name parameter="value" -->`. Text goes to the
 * receiver as it comes; at the end of a command, or of something that was to be one, parsing stops and says so.
 *
 *   TEXT -> PRECOMMAND -> COMMAND -> PREPARAM -> PARAM -> ... VALUE -> POSTPARAM -> END -> TEXT
 *                            \----------------- ERROR (until -->) -------------------/
 */

/** `parse`: all bytes were used. */
export const MORE = 0
/** `parse`: a command is complete. */
export const COMMAND_READ = 1
/** `parse`: the end of something that is no command; why was told. */
export const COMMAND_BAD = 2

const COMMAND_LENGTH_MAX = 32
const PARAM_LENGTH_MAX = 32

/** Takes what the parser finds. */
export interface SsiReceiver {
  onText(bytes: Uint8Array, start: number, end: number): void
  /** The first `length` characters of `MARK`, from pieces that are gone, are text after all. */
  onMark(length: number): void
  onProblem(message: string): void
}

/** What a command begins with. */
export const MARK = '<!--#'
const MARK_BYTES = Buffer.from(MARK)

const TEXT = 0
const PRECOMMAND = 1
const COMMAND = 2
const PREPARAM = 3
const PARAM = 4
const PREEQUAL = 5
const PREVALUE = 6
const VALUE = 7
const ESCAPED = 8
const POSTPARAM = 9
const END0 = 10
const END1 = 11
const ERROR = 12
const ERROR_END0 = 13
const ERROR_END1 = 14

const MINUS = 0x2d
const GREATER = 0x3e
const EQUALS = 0x3d
const BACKSLASH = 0x5c
const DOUBLE_QUOTE = 0x22
const SINGLE_QUOTE = 0x27

/** One parameter of a command; its value as written, with backslashes. */
export interface SsiParam {
  readonly name: string
  readonly value: string
}

/** The state between pieces. */
export class SsiParser {
  readonly #valueMax: number
  #state = TEXT
  /** Characters of MARK that the last piece ended with. */
  #matched = 0
  #name = ''
  #value = ''
  #quote = 0
  /** The command, when `parse` has answered COMMAND_READ. */
  command = ''
  params: SsiParam[] = []
  /** Where `parse` stopped. */
  position = 0

  constructor(valueMax: number) {
    this.#valueMax = valueMax
  }

  /** Works on `bytes[start, end)`; goes on at `position` after anything but MORE. */
  parse(bytes: Buffer, start: number, end: number, to: SsiReceiver): number {
    let at = start
    if (this.#state === TEXT) at = this.#text(bytes, at, end, to)
    while (at < end) {
      const outcome = this.#byte(bytes[at++]!, to)
      if (outcome === MORE) continue
      this.#state = TEXT
      this.position = at
      return outcome
    }
    this.position = end
    return MORE
  }

  /** The body is over: what looked like the beginning of a command is text. */
  finish(to: SsiReceiver): void {
    if (this.#matched > 0) to.onMark(this.#matched)
    this.#matched = 0
  }

  /** Passes text on up to a command; returns where its name may begin, or `end`. */
  #text(bytes: Buffer, start: number, end: number, to: SsiReceiver): number {
    let at = start
    if (this.#matched > 0) {
      while (at < end && this.#matched < MARK.length && bytes[at] === MARK_BYTES[this.#matched]) {
        this.#matched++
        at++
      }
      if (this.#matched === MARK.length) return this.#begin(at)
      if (at === end) return end
      to.onMark(this.#matched)
      this.#matched = 0
    }
    const found = bytes.indexOf(MARK_BYTES, at)
    if (found >= 0 && found + MARK.length <= end) {
      if (found > at) to.onText(bytes, at, found)
      return this.#begin(found + MARK.length)
    }
    this.#matched = matchedAtEnd(bytes, at, end)
    const textEnd = end - this.#matched
    if (textEnd > at) to.onText(bytes, at, textEnd)
    return end
  }

  #begin(at: number): number {
    this.#matched = 0
    this.#state = PRECOMMAND
    this.command = ''
    this.params = []
    return at
  }

  #byte(byte: number, to: SsiReceiver): number {
    switch (this.#state) {
      case PRECOMMAND:
      case COMMAND:
        return this.#commandByte(byte, to)
      case PREPARAM:
      case PARAM:
      case PREEQUAL:
        return this.#paramByte(byte, to)
      case PREVALUE:
      case VALUE:
      case ESCAPED:
      case POSTPARAM:
        return this.#valueByte(byte, to)
      default:
        return this.#endByte(byte, to)
    }
  }

  #fail(byte: number, message: string, to: SsiReceiver): number {
    to.onProblem(message)
    this.#state = byte === MINUS ? ERROR_END0 : ERROR
    return MORE
  }

  #commandByte(byte: number, to: SsiReceiver): number {
    if (isSpace(byte)) {
      if (this.#state === COMMAND) this.#state = PREPARAM
    } else if (this.#state === COMMAND && byte === MINUS) this.#state = END0
    else if (this.command.length === COMMAND_LENGTH_MAX) {
      to.onProblem(`the "${this.command}${String.fromCharCode(byte)}..." SSI command is too long`)
      this.#state = ERROR
    } else {
      this.command += String.fromCharCode(byte)
      this.#state = COMMAND
    }
    return MORE
  }

  #paramByte(byte: number, to: SsiReceiver): number {
    if (this.#state === PREPARAM) {
      if (isSpace(byte)) return MORE
      this.#state = byte === MINUS ? END0 : PARAM
      this.#name = String.fromCharCode(byte)
      this.#value = ''
    } else if (isSpace(byte)) this.#state = PREEQUAL
    else if (byte === EQUALS) this.#state = PREVALUE
    else if (this.#state === PREEQUAL || byte === MINUS) {
      return this.#fail(byte, this.#unexpected(byte, `after "${this.#name}" parameter`), to)
    } else if (this.#name.length === PARAM_LENGTH_MAX) {
      const shown = `${this.#name}${String.fromCharCode(byte)}...`
      to.onProblem(`too long "${shown}" parameter in "${this.command}" SSI command`)
      this.#state = ERROR
    } else this.#name += String.fromCharCode(byte)
    return MORE
  }

  #valueByte(byte: number, to: SsiReceiver): number {
    switch (this.#state) {
      case PREVALUE:
        if (isSpace(byte)) return MORE
        if (byte !== DOUBLE_QUOTE && byte !== SINGLE_QUOTE) {
          return this.#fail(byte, this.#unexpected(byte, `before value of "${this.#name}" parameter`), to)
        }
        this.#quote = byte
        this.#state = VALUE
        return MORE
      case VALUE:
        if (byte === this.#quote) {
          this.params.push({ name: this.#name, value: this.#value })
          this.#state = POSTPARAM
          return MORE
        }
        this.#state = byte === BACKSLASH ? ESCAPED : VALUE
        return this.#keep(byte, to)
      case ESCAPED:
        this.#state = VALUE
        return this.#keep(byte, to)
      default:
        if (isSpace(byte)) this.#state = PREPARAM
        else if (byte === MINUS) this.#state = END0
        else {
          to.onProblem(this.#unexpected(byte, `after "${this.#value}" value of "${this.#name}" parameter`))
          this.#state = ERROR
        }
        return MORE
    }
  }

  #keep(byte: number, to: SsiReceiver): number {
    if (this.#value.length === this.#valueMax) {
      const shown = `${this.#value}${String.fromCharCode(byte)}...`
      to.onProblem(`too long "${shown}" value of "${this.#name}" parameter in "${this.command}" SSI command`)
      this.#state = ERROR
    } else this.#value += String.fromCharCode(byte)
    return MORE
  }

  #endByte(byte: number, to: SsiReceiver): number {
    switch (this.#state) {
      case END0:
        if (byte === MINUS) this.#state = END1
        else this.#badEnd(byte, to)
        return MORE
      case END1:
        if (byte === GREATER) return COMMAND_READ
        this.#badEnd(byte, to)
        return MORE
      case ERROR:
        if (byte === MINUS) this.#state = ERROR_END0
        return MORE
      case ERROR_END0:
        this.#state = byte === MINUS ? ERROR_END1 : ERROR
        return MORE
      default:
        if (byte === GREATER) return COMMAND_BAD
        this.#state = ERROR
        return MORE
    }
  }

  #badEnd(byte: number, to: SsiReceiver): void {
    to.onProblem(`unexpected "${String.fromCharCode(byte)}" symbol in "${this.command}" SSI command`)
    this.#state = ERROR
  }

  #unexpected(byte: number, where: string): string {
    return `unexpected "${String.fromCharCode(byte)}" symbol ${where} in "${this.command}" SSI command`
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0d || byte === 0x0a || byte === 0x09
}

/** How many characters of MARK stand at the end of `bytes[start, end)`. */
function matchedAtEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let length = Math.min(MARK.length - 1, end - start); length > 0; length--) {
    let same = 0
    while (same < length && bytes[end - length + same] === MARK_BYTES[same]) same++
    if (same === length) return length
  }
  return 0
}
