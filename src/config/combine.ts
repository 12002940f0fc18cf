/** Argument readers made of others: alternatives, sequences, `key=value` parameters, own wording. */
import { failCount, wholeOf } from './args.ts'
import { ReadFailure } from './diagnostics.ts'
import type { Args, ReadContext } from './directive.ts'
import type { Word } from './source.ts'

type Read<A> = A extends Args<infer T> ? T : never
type AnyArgs = Args<unknown>

/**
 * The first alternative that accepts the words; when none does, the last one that takes this many words reports.
 * So the form with the most telling message stands last.
 */
export function either<const A extends readonly AnyArgs[]>(...alternatives: A): Args<Read<A[number]>> {
  return {
    syntax: alternatives.map((a) => a.syntax).join(' | '),
    min: Math.min(...alternatives.map((a) => a.min)),
    max: Math.max(...alternatives.map((a) => a.max)),
    read(words, at) {
      let failure: unknown
      for (const a of alternatives) {
        if (words.length < a.min || words.length > a.max) continue
        try {
          return a.read(words, at) as Read<A[number]> // the alternatives are the union's members
        } catch (error) {
          if (!(error instanceof ReadFailure)) throw error
          failure = error
        }
      }
      if (failure !== undefined) throw failure
      return failCount(at)
    },
  }
}

/** Readers one after another, each taking as many words as it can while the later ones still get their least. */
export function tuple<const A extends readonly AnyArgs[]>(...parts: A): Args<{ readonly [K in keyof A]: Read<A[K]> }> {
  const least = parts.map((_, i) => parts.slice(i + 1).reduce((sum, p) => sum + p.min, 0))
  return {
    syntax: parts.map((p) => p.syntax).join(' '),
    min: parts.reduce((sum, p) => sum + p.min, 0),
    max: parts.reduce((sum, p) => sum + p.max, 0),
    read(words, at) {
      let from = 0
      const values = parts.map((part, i) => {
        const count = Math.min(part.max, words.length - from - least[i]!)
        from += count
        return part.read(words.slice(from - count, from), at)
      })
      return values as { readonly [K in keyof A]: Read<A[K]> } // one value per part, in order
    },
  }
}

/** A reader that may be left out, mostly at the end of a `tuple`; then the value is undefined. */
export function optional<T>(args: Args<T>): Args<T | undefined> {
  return {
    ...args,
    syntax: `[${args.syntax}]`,
    min: 0,
    read: (words, at) => (words.length ? args.read(words, at) : undefined),
  }
}

/** One reader applied to each word: `server_name`-like lists of typed words. */
export function each<T>(
  args: Args<T>,
  count: { readonly min?: number; readonly max?: number } = {},
): Args<readonly T[]> {
  const { min = 1, max = Number.POSITIVE_INFINITY } = count
  return { syntax: `${args.syntax} ...`, min, max, read: (words, at) => words.map((w) => args.read([w], at)) }
}

/** Turns what a reader read into something else, or refuses it through `at.fail`. */
export function mapped<T, U>(args: Args<T>, map: (value: T, words: readonly Word[], at: ReadContext) => U): Args<U> {
  const { syntax, min, max } = args
  return { syntax, min, max, read: (words, at) => map(args.read(words, at), words, at) }
}

/**
 * Replaces the message of a general reader by the directive's own; a message that a module gave stays. In `message`, `%v` is the first word read (in `params` the part
 * after `=`), `%w` the whole parameter as written, `%d` the directive's name.
 */
export function worded<T>(args: Args<T>, message: string): Args<T> {
  return {
    ...args,
    read(words, at) {
      try {
        return args.read(words, at)
      } catch (error) {
        if (!(error instanceof ReadFailure) || !error.general) throw error
        const first = words[0]
        const text = fill(message, { v: first?.text ?? '', w: first ? wholeOf(first) : '', d: at.directive.text })
        throw new ReadFailure(text, error.at, error.hint)
      }
    },
  }
}

/** In `params`: a parameter that is written without `=`, such as `nodelay`; true when given. */
export const present: Args<true> = { syntax: '', min: 0, max: 0, read: () => true }

interface Wording {
  /** For a value that a general reader refuses. `%k` is the key, `%v` the value, `%w` the whole word, `%d` the directive. */
  readonly invalid?: string
  /** For a word that is no parameter; `%w` and `%d`. */
  readonly unknown?: string
  /** Least number of words. */
  readonly min?: number
}

/** Parameters in any order: `key=value`, or a bare word where the shape says `present`. What is not given is undefined. */
export function params<const S extends Readonly<Record<string, AnyArgs>>>(
  shape: S,
  wording: Wording = {},
): Args<{ readonly [K in keyof S]: Read<S[K]> | undefined }> {
  const unknown = wording.unknown ?? 'invalid parameter "%w"'
  const keys = Object.keys(shape)
  return {
    syntax: keys.map((k) => (isBare(shape[k]!) ? `[${k}]` : `[${k}=${shape[k]!.syntax}]`)).join(' '),
    min: wording.min ?? 0,
    max: Number.POSITIVE_INFINITY,
    read(words, at) {
      const found = new Map<string, unknown>()
      for (const w of words) {
        const equals = w.text.indexOf('=')
        const key = equals < 0 ? w.text : w.text.slice(0, equals)
        const args = Object.hasOwn(shape, key) ? shape[key] : undefined
        if (args === undefined || isBare(args) !== equals < 0) {
          const message = fill(unknown, { w: w.text, d: at.directive.text })
          throw new ReadFailure(message, w, `known parameters: ${keys.join(', ')}`)
        }
        found.set(key, equals < 0 ? true : readParameter(args, w, key, wording.invalid, at))
      }
      const all = Object.fromEntries(keys.map((k) => [k, found.get(k)]))
      return all as { readonly [K in keyof S]: Read<S[K]> | undefined } // each key was read by its own reader
    },
  }
}

function readParameter(args: AnyArgs, w: Word, key: string, invalid: string | undefined, at: ReadContext): unknown {
  const value = w.text.slice(key.length + 1)
  const column = w.column + key.length + 1
  const part: Word = { file: w.file, line: w.line, column, text: value, quoted: w.quoted, whole: w.text }
  try {
    return args.read([part], at)
  } catch (error) {
    if (!(error instanceof ReadFailure) || !error.general) throw error
    const message = fill(invalid ?? 'invalid parameter "%w"', { k: key, v: value, w: w.text, d: at.directive.text })
    throw new ReadFailure(message, part, error.hint)
  }
}

function isBare(args: AnyArgs): boolean {
  return args.max === 0
}

function fill(message: string, values: Readonly<Record<string, string>>): string {
  return message.replace(/%([kvwd])/g, (all, name: string) => values[name] ?? all)
}
