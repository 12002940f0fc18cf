/** How the words of rewrite rules and conditions are read, with nginx's messages. */
import type { Args, ReadContext } from '../../../config/directive.ts'
import type { Word } from '../../../config/source.ts'
import { parseNumber } from '../../../config/units.ts'
import { compilePattern, type Pattern } from '../../../value/regex.ts'
import { readTemplate, type Template } from '../../../value/template.ts'
import { variableName } from '../../../value/variable-name.ts'

const STATUS_MAX = 999
const FOUND = 302
const MOVED = 301

/** Replacements that begin so are redirects. */
const ABSOLUTE = ['http://', 'https://', '$scheme']

const isAbsolute = (text: string): boolean => ABSOLUTE.some((start) => text.startsWith(start))

/** One `set`. */
export interface SetRule {
  /** The name without its dollar. */
  readonly variable: string
  readonly value: Template
}

/** `set $variable value`. */
export const setArgs: Args<SetRule> = {
  syntax: '$variable value',
  min: 2,
  max: 2,
  read([name, value], at) {
    if (name!.text === '$') at.fail('invalid variable name "$"', name)
    return { variable: variableName(name!, at), value: readTemplate(value!, at) }
  },
}

/** One `return`; without a text the status is answered as an error is. */
export interface ReturnRule {
  readonly status: number
  readonly text: Template | undefined
}

/** `return code [text]`, `return code URL`, `return URL`. */
export const returnArgs: Args<ReturnRule> = {
  syntax: 'code [text] | code URL | URL',
  min: 1,
  max: 2,
  read([first, text], at) {
    const status = parseNumber(first!.text)
    if (status === undefined && text === undefined && isAbsolute(first!.text)) {
      return { status: FOUND, text: readTemplate(first!, at) }
    }
    if (status === undefined || status > STATUS_MAX) at.fail(`invalid return code "${first!.text}"`, first)
    return { status: status ?? 0, text: text === undefined ? undefined : readTemplate(text, at) }
  },
}

/** One `rewrite`. */
export interface RewriteRule {
  readonly pattern: Pattern
  readonly replacement: Template
  /** 0, or the status that redirects the client. */
  readonly status: number
  /** The rules of this round end when the URI matched. */
  readonly last: boolean
  /** No location is looked for again. */
  readonly breaks: boolean
  /** The arguments of the request go on behind those of the replacement: it does not end in `?`. */
  readonly addsArgs: boolean
}

/** `rewrite regex replacement [flag]`. */
export const rewriteArgs: Args<RewriteRule> = {
  syntax: 'regex replacement [last | break | redirect | permanent]',
  min: 2,
  max: 3,
  read([regex, replacement, flag], at) {
    const { text } = replacement!
    if (text === '') at.fail('empty replacement', replacement)
    const pattern = patternOf(regex!, false, at)
    const addsArgs = !text.endsWith('?')
    const kept = addsArgs ? replacement! : { ...replacement!, text: text.slice(0, -1) }
    const redirects = isAbsolute(text)
    const { status = redirects ? FOUND : 0, breaks = false } = flag === undefined ? {} : flagOf(flag, at)
    const last = redirects || flag !== undefined
    return { pattern, replacement: readTemplate(kept, at), status, last, breaks, addsArgs }
  },
}

function flagOf(flag: Word, at: ReadContext): { readonly status?: number; readonly breaks?: boolean } {
  switch (flag.text) {
    case 'last':
      return {}
    case 'break':
      return { breaks: true }
    case 'redirect':
      return { status: FOUND }
    case 'permanent':
      return { status: MOVED }
    default:
      return at.fail(`invalid parameter "${flag.text}"`, flag)
  }
}

/** What `if` asks. */
export type Condition =
  | { readonly kind: 'true'; readonly variable: string }
  | { readonly kind: 'equal'; readonly variable: string; readonly value: Template; readonly negated: boolean }
  | { readonly kind: 'regex'; readonly variable: string; readonly pattern: Pattern; readonly negated: boolean }
  | { readonly kind: 'file'; readonly test: FileTest; readonly path: Template; readonly negated: boolean }

/** What a file is tested for: to be a plain file, a folder, either, or executable. */
export type FileTest = 'f' | 'd' | 'e' | 'x'

/** The words of `if`, parentheses included. */
export const readCondition: Args<Condition> = {
  syntax: '(condition)',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read(words, at) {
    const inner = unwrap(words, at)
    const [first, operator] = inner
    const invalid = (word: Word): never => at.fail(`invalid condition "${word.text}"`, word)
    if (first === undefined) return at.fail('invalid condition ")"', words.at(-1))
    if (first.text.length > 1 && first.text.startsWith('$')) {
      if (inner.length !== 1 && inner.length !== 3) invalid(first)
      const variable = first.text.slice(1)
      return operator === undefined ? { kind: 'true', variable } : comparison(variable, operator, inner[2]!, at)
    }
    const file = /^(!?)-(.?)$/s.exec(first.text)
    if (file === null || inner.length !== 2) return invalid(first)
    const test = (['f', 'd', 'e', 'x'] as const).find((letter) => letter === file[2])
    if (test === undefined) return invalid(first)
    return { kind: 'file', test, path: readTemplate(operator!, at), negated: file[1] === '!' }
  },
}

/** Takes the parentheses away; a word that is nothing else disappears. */
function unwrap(words: readonly Word[], at: ReadContext): Word[] {
  const inner = [...words]
  const first = inner[0]!
  if (!first.text.startsWith('(')) at.fail(`invalid condition "${first.text}"`, first)
  if (first.text === '(') inner.shift()
  else inner[0] = { ...first, text: first.text.slice(1) }
  const last = inner.at(-1)
  if (last === undefined || !last.text.endsWith(')')) {
    at.fail(`invalid condition "${(last ?? first).text}"`, last ?? first)
  } else if (last.text === ')') inner.pop()
  else inner[inner.length - 1] = { ...last, text: last.text.slice(0, -1) }
  return inner
}

function comparison(variable: string, operator: Word, operand: Word, at: ReadContext): Condition {
  const negated = operator.text.startsWith('!')
  switch (operator.text) {
    case '=':
    case '!=':
      return { kind: 'equal', variable, value: readTemplate(operand, at), negated }
    case '~':
    case '!~':
      return { kind: 'regex', variable, pattern: patternOf(operand, false, at), negated }
    case '~*':
    case '!~*':
      return { kind: 'regex', variable, pattern: patternOf(operand, true, at), negated }
    default:
      return at.fail(`unexpected "${operator.text}" in condition`, operator)
  }
}

function patternOf(word: Word, caseless: boolean, at: ReadContext): Pattern {
  return compilePattern(word.text, { caseless }, (message) => at.fail(message, word))
}
