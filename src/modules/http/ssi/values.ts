/**
 * Variables and expressions of SSI. What pages set is common to a request and all its subrequests; names that no page
 * has set are the server's variables.
 */
import type { Request } from '../../../http/request/request.ts'
import { defineSlot } from '../../../http/request/slots.ts'
import { lowerAscii } from '../../../lib/bytes.ts'
import { Lru } from '../../../lib/lru.ts'
import { ERROR } from '../../../log/error-log.ts'
import { compilePattern, type Pattern } from '../../../value/regex.ts'
import type { VariableTable } from '../../../value/variables.ts'

/** A named part of a page that stands in for an include that has no answer. */
export interface SsiBlock {
  readonly name: string
  text: string
}

/** What the pages of one main request have in common. */
export class SsiState {
  readonly variables = new Map<string, string>()
  readonly blocks: SsiBlock[] = []
  captures: ArrayLike<string | undefined> | undefined
}

const states = defineSlot<SsiState>()

/** The state of the main request of `r`. */
export function ssiState(r: Request): SsiState {
  const known = r.main.get(states)
  if (known !== undefined) return known
  const made = new SsiState()
  r.main.set(states, made)
  return made
}

/** The value of a variable; undefined when there is none. */
export function ssiVariable(r: Request, table: VariableTable<Request>, name: string): string | undefined {
  const lower = lowerAscii(name)
  const { captures, variables } = ssiState(r)
  if (captures !== undefined && lower.length === 1 && lower >= '0' && lower <= '9') {
    const index = Number(lower)
    if (index < captures.length) return captures[index] ?? ''
  }
  return variables.get(lower) ?? table.find(lower)?.(r)
}

const VARIABLE_NAME = /[A-Za-z0-9_]*/y

/** Replaces variables and removes backslashes before quotes, dollars and backslashes; undefined: an error was logged. */
export function evaluate(r: Request, table: VariableTable<Request>, text: string): string | undefined {
  let value = ''
  for (let at = 0; at < text.length; ) {
    const char = text[at]!
    if (char === '\\') {
      const next = text[at + 1] ?? ''
      value += '\\\'"$'.includes(next) ? next : char + next
      at += 2
    } else if (char !== '$') {
      value += char
      at++
    } else {
      const braced = text[at + 1] === '{'
      VARIABLE_NAME.lastIndex = at + (braced ? 2 : 1)
      const name = VARIABLE_NAME.exec(text)![0]
      at = VARIABLE_NAME.lastIndex
      if (braced && text[at] !== '}') {
        if (at < text.length || name !== '') return fail(r, `the closing bracket in "${name}" variable is missing`)
        return fail(r, `invalid variable name in "${text}"`)
      }
      if (braced) at++
      if (name === '') return fail(r, `invalid variable name in "${text}"`)
      value += ssiVariable(r, table, name) ?? ''
    }
  }
  return value
}

function fail(r: Request, message: string): undefined {
  r.logError(ERROR, message)
  return undefined
}

const LEFT = /^[A-Za-z0-9${}_"']*/

/** Tells whether a condition holds: `$x`, `$x = text`, `$x != /regex/`; undefined: an error was logged. */
export function test(r: Request, table: VariableTable<Request>, expression: string): boolean | undefined {
  const leftText = LEFT.exec(expression)![0]
  let at = skipSpaces(expression, leftText.length)
  const left = evaluate(r, table, lowerAscii(leftText))
  if (left === undefined) return undefined
  if (at === expression.length) return left !== ''
  const negative = expression.startsWith('!=', at)
  if (!negative && expression[at] !== '=') return fail(r, `invalid expression in "${expression}"`)
  at = skipSpaces(expression, at + (negative ? 2 : 1))
  const equal = compare(r, table, left, expression.slice(at), expression)
  return equal === undefined ? undefined : equal !== negative
}

function compare(
  r: Request,
  table: VariableTable<Request>,
  left: string,
  rightText: string,
  expression: string,
): boolean | undefined {
  if (rightText.length > 1 && rightText.startsWith('/')) {
    if (!rightText.endsWith('/')) return fail(r, `invalid expression in "${expression}"`)
    const source = evaluate(r, table, rightText.slice(1, -1))
    return source === undefined ? undefined : match(r, source, left)
  }
  const right = evaluate(r, table, rightText.length > 1 && rightText.startsWith('\\/') ? rightText.slice(1) : rightText)
  return right === undefined ? undefined : left === right
}

function skipSpaces(text: string, from: number): number {
  let at = from
  while (text[at] === ' ') at++
  return at
}

/** Patterns that pages used, compiled; a text is what is wrong with one. */
const patterns = new Lru<string, Pattern | string>(1000)

function match(r: Request, source: string, subject: string): boolean | undefined {
  const pattern = patternOf(source)
  if (typeof pattern === 'string') return fail(r, pattern)
  if (!pattern.exec(subject)) {
    if (!pattern.gaveUp) return false
    r.matchGivenUp(pattern, subject)
    return undefined
  }
  const state = ssiState(r)
  state.captures = pattern.captureCount === 0 ? [subject] : pattern.captures
  const { names } = pattern
  for (let i = 1; i < names.length; i++) {
    if (names[i] !== '') state.variables.set(lowerAscii(names[i]!), pattern.captures[i] ?? '')
  }
  return true
}

function patternOf(source: string): Pattern | string {
  const known = patterns.get(source)
  if (known !== undefined) return known
  const made = compile(source)
  patterns.set(source, made)
  return made
}

function compile(source: string): Pattern | string {
  // tidy: once per pattern that a page has; compiling it takes far longer
  try {
    return compilePattern(source, { caseless: false }, refuse)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function refuse(message: string): never {
  throw new Error(message)
}
