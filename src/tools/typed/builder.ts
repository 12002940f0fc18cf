/** What the functions of `viaduct/config` make: statements that know where they were written. */

/** A word of a statement. `true` and `false` are nginx's `on` and `off`. */
export type Word = string | number | boolean

/** A directive with its words and, when it opens one, its block. */
export class Statement {
  readonly name: string
  readonly words: readonly string[]
  readonly block: readonly Statement[] | undefined
  readonly line: number
  readonly column: number

  constructor(name: string, words: readonly string[], block: readonly Statement[] | undefined, place: CallPlace) {
    this.name = name
    this.words = words
    this.block = block
    this.line = place.line
    this.column = place.column
  }
}

interface CallPlace {
  readonly line: number
  readonly column: number
}

/** What a function takes: words, then the statements of the block; lists of these are taken apart, and nothing is left out. */
export type Part = Word | Statement | undefined | null | false | readonly Part[]

/** The function of a directive; `opens`: always a block, never, or only with statements among its parts. */
export function make(name: string, opens: 'always' | 'never' | 'maybe'): (...parts: readonly Part[]) => Statement {
  return (...parts) => {
    const words: string[] = []
    const inner: Statement[] = []
    sort(parts, words, inner, name)
    if (inner.length > 0 && opens === 'never') throw new TypeError(`"${name}" has no block`)
    const block = opens === 'always' || inner.length > 0 ? inner : undefined
    return new Statement(name, words, block, callPlace())
  }
}

function sort(parts: readonly Part[], words: string[], inner: Statement[], name: string): void {
  for (const part of parts) {
    if (part === undefined || part === null) continue
    if (part instanceof Statement) inner.push(part)
    else if (Array.isArray(part)) sort(part as readonly Part[], words, inner, name)
    else if (typeof part === 'boolean') words.push(part ? 'on' : 'off')
    else if (typeof part === 'string' || Number.isFinite(part)) words.push(String(part))
    else throw new TypeError(`"${name}" takes texts, numbers, booleans and statements`)
  }
}

/** A line of a block that has no directives: of `map`, `geo`, `types` ... */
export function entry(first: Word, ...rest: readonly Word[]): Statement {
  const words: string[] = []
  sort(rest, words, [], 'entry')
  return new Statement(String(first), words, undefined, callPlace())
}

/** Where the function of a directive was called: the first caller that is not here. */
function callPlace(): CallPlace {
  const { prepareStackTrace, stackTraceLimit } = Error
  try {
    Error.stackTraceLimit = 8
    Error.prepareStackTrace = (_, sites) => sites
    const sites = new Error().stack as unknown as NodeJS.CallSite[] // That is what was just asked for.
    const site = sites.find((one) => !(one.getFileName() ?? '').startsWith(HERE))
    return { line: site?.getLineNumber() ?? 1, column: site?.getColumnNumber() ?? 1 }
  } finally {
    Error.prepareStackTrace = prepareStackTrace
    Error.stackTraceLimit = stackTraceLimit
  }
}

const HERE = import.meta.url

/** The text of statements, one a line, and where each line comes from. */
export function render(statements: readonly Statement[]): {
  readonly text: string
  readonly places: readonly string[]
} {
  const lines: string[] = []
  const places: string[] = []
  const add = (list: readonly Statement[], indent: string): void => {
    for (const { name, words, block, line, column } of list) {
      lines.push(`${indent}${[name, ...words].map(quoted).join(' ')}${block === undefined ? ';' : ' {'}`)
      places.push(`${line}:${column}`)
      if (block === undefined) continue
      add(block, `${indent}    `)
      lines.push(`${indent}}`)
      places.push(`${line}:${column}`)
    }
  }
  add(statements, '')
  return { text: lines.map((line) => `${line}\n`).join(''), places }
}

const PLAIN = /^[^\s;{}"'\\#]+$/

/** A word as nginx reads it back. */
function quoted(word: string): string {
  if (PLAIN.test(word)) return word
  // A line end within quotes would move all lines behind it.
  return `"${word.replaceAll(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')}"`
}
