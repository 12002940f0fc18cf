/**
 * Regular expressions: a PCRE pattern of the configuration compiled once to a JavaScript expression that matches the
 * same bytes (subjects are binary strings).
 *
 * A pattern that backtracks without end would hold its whole thread. V8 can give up after 50,000 backtracks and start
 * over in its linear engine, which takes everything but lookarounds, back references, large counts and flags: hence
 * `limitBacktracks`, and hence translated patterns carry no flags. What that engine does not take is bounded in another way
 * (bounded.ts).
 */
import { setFlagsFromString } from 'node:v8'
import { BoundedPattern } from './bounded.ts'
import { type Translation, translatePattern } from './pcre-translate.ts'

const NO_CAPTURES: readonly (string | undefined)[] = ['']

let limited = false

/**
 * Has V8 bound what the patterns cost that run for the first time from now on: before a configuration is read, and not
 * before threads have started and loaded their code, since V8 takes none from a cache that was made under other flags.
 */
export function limitBacktracks(): void {
  if (limited) return
  limited = true
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')
  // Only so that it can be asked what it takes.
  setFlagsFromString('--enable-experimental-regexp-engine')
}

/** How nginx asks for a pattern: `~*` is caseless. */
interface PatternOptions {
  readonly caseless: boolean
  readonly multiline?: boolean
}

/** A compiled pattern; made by `compilePattern`. */
export class Pattern {
  /** As the author wrote it. */
  readonly source: string
  readonly captureCount: number
  /** Names by group number, '' for a group without one; index 0 is never a name. */
  readonly names: readonly string[]
  /** Groups of the last successful `exec`, by the author's numbers; never changed afterwards, so it may be kept. */
  captures: readonly (string | undefined)[] = NO_CAPTURES
  readonly #regexp: RegExp
  readonly #authorNumbers: readonly number[] | undefined
  readonly #bounded: BoundedPattern | undefined
  /** The last match took too long and was given up: whether the subject matches is not known. */
  gaveUp = false

  constructor(source: string, regexp: RegExp, translation: Translation) {
    this.source = source
    this.captureCount = translation.captureCount
    this.names = translation.names
    this.#regexp = regexp
    this.#authorNumbers = translation.authorNumbers
    this.#bounded = isLinear(translation.source) ? undefined : new BoundedPattern(translation.source)
  }

  /** Matches a binary string and, on success, sets `captures`. */
  exec(subject: string): boolean {
    if (this.#bounded !== undefined && this.#isDear(subject)) return this.#execBounded(subject, true)
    if (this.captureCount === 0) return this.#regexp.test(subject)
    const found = this.#regexp.exec(subject)
    if (found === null) return false
    this.captures = this.#authorNumbers === undefined ? found : this.#renumber(found, this.#authorNumbers)
    return true
  }

  /** Tells whether a binary string matches; `captures` stay as they are. */
  test(subject: string): boolean {
    if (this.#bounded !== undefined && this.#isDear(subject)) return this.#execBounded(subject, false)
    return this.#regexp.test(subject)
  }

  /** Where the first match in a binary string begins, or -1; sets `captures`, with the whole match at 0. */
  search(subject: string): number {
    if (this.#bounded !== undefined && this.#isDear(subject)) {
      const bounded = this.#bounded.exec(subject)
      this.gaveUp = bounded === false
      return bounded === false || bounded === undefined ? -1 : this.#keep(bounded, this.#bounded.start)
    }
    const found = this.#regexp.exec(subject)
    return found === null ? -1 : this.#keep(found, found.index)
  }

  #keep(found: readonly (string | undefined)[], start: number): number {
    this.captures = this.#authorNumbers === undefined ? found : this.#renumber(found, this.#authorNumbers)
    return start
  }

  #isDear(subject: string): boolean {
    this.gaveUp = false
    return !this.#bounded!.isCheap(subject.length)
  }

  #execBounded(subject: string, keep: boolean): boolean {
    const found = this.#bounded!.exec(subject)
    this.gaveUp = found === false
    if (found === false || found === undefined) return false
    if (keep && this.captureCount > 0) {
      this.captures = this.#authorNumbers === undefined ? found : this.#renumber(found, this.#authorNumbers)
    }
    return true
  }

  /** The group that has this name, or 0. */
  numberOf(name: string): number {
    return name === '' ? 0 : Math.max(0, this.names.indexOf(name))
  }

  #renumber(found: readonly (string | undefined)[], authorNumbers: readonly number[]): (string | undefined)[] {
    const captures = new Array<string | undefined>(this.captureCount + 1).fill(undefined)
    for (let i = 0; i < authorNumbers.length; i++) {
      // Several groups may share a number (`(?|`); at most one of them took part.
      if (found[i] !== undefined && (i === 0 || authorNumbers[i]! > 0)) captures[authorNumbers[i]!] = found[i]
    }
    return captures
  }
}

/** Compiles a pattern of the configuration, or reports nginx's message through `fail`. Called at load only. */
export function compilePattern(text: string, options: PatternOptions, fail: (message: string) => never): Pattern {
  limitBacktracks()
  const translation = translatePattern(text, options)
  const { failure } = translation
  if (failure !== undefined) fail(failureText(text, failure.message, failure.offset))
  const regexp = build(translation.source)
  if (typeof regexp === 'string') fail(failureText(text, regexp, text.length))
  return new Pattern(text, regexp, translation)
}

/** V8's linear engine takes it: without a limit of ours no subject can take long. */
function isLinear(source: string): boolean {
  // tidy: runs when the configuration loads
  try {
    new RegExp(source, 'l')
    return true
  } catch {
    return false
  }
}

/** A pattern that V8 finds too large is the one thing that translation cannot see. */
function build(source: string): RegExp | string {
  // tidy: runs when the configuration loads
  try {
    return new RegExp(source)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function failureText(pattern: string, message: string, offset: number): string {
  const rest = offset < pattern.length ? ` at "${pattern.slice(offset)}"` : ''
  return `pcre2_compile() failed: ${message} in "${pattern}"${rest}`
}
