/**
 * Text to statements. A mistake in the grammar ends the reading of its file and stands in the tree as a statement with
 * a `fault`, at its place, so that whoever walks the tree reports everything in file order.
 */
import { finish, type Steps } from '../lib/steps.ts'
import { type LateRule, type Passed, passLines, passOver } from './late.ts'
import { Lexer } from './lexer.ts'
import type { Position, Statement, Word } from './source.ts'

/** nginx recurses without limit; no real configuration comes near this. */
const NESTING_MAX = 128

const STATEMENTS_PER_STEP = 100

interface Open {
  readonly words: readonly Word[]
  readonly end: Position
  readonly outer: Statement[]
}

/** How a text is parsed. */
export interface ParseOptions {
  /** The text is that of `-g`, in which blocks are not allowed. */
  readonly parameter?: boolean
  /** Words are binary strings: for the server, and for all that asks its modules. */
  readonly binary?: boolean
  /** Which blocks are only passed over. */
  readonly late?: LateRule
}

/** Parses one text. */
export function parse(text: string, file: string, options: ParseOptions = {}): Statement[] {
  return finish(parseInSteps(text, file, options))
}

/** The same in steps. */
export function parseInSteps(text: string, file: string, options: ParseOptions = {}): Steps<Statement[]> {
  return readAll(new Lexer(text, file, options), options)
}

/** Reads until the text ends or, in a block that was passed over before, until that is closed. */
function* readAll(lexer: Lexer, { parameter = false, late }: ParseOptions, isBlock = false): Steps<Statement[]> {
  const stack: Open[] = []
  const top: Statement[] = []
  let body = top
  for (let count = 1; ; count++) {
    if (count % STATEMENTS_PER_STEP === 0) yield
    const token = lexer.next()
    switch (token.kind) {
      case 'simple':
        body.push(statement(token.words, token.end))
        continue
      case 'open': {
        if (parameter) return abandon(top, stack, body, token.end, 'block directives are not supported in -g option')
        if (stack.length >= NESTING_MAX) return abandon(top, stack, body, token.end, 'too many nested blocks')
        const passed = late === undefined ? undefined : yield* tryLater(lexer, token.words, late, stack.length)
        if (passed !== undefined) {
          body.push({ ...statement(token.words, token.end), block: [], ...passed })
          continue
        }
        stack.push({ words: token.words, end: token.end, outer: body })
        body = []
        continue
      }
      case 'close': {
        const open = stack.pop()
        if (open === undefined) return isBlock ? top : abandon(top, stack, body, token.end, 'unexpected "}"')
        open.outer.push({ ...statement(open.words, open.end), block: body, close: token.end })
        body = open.outer
        continue
      }
      case 'fault':
        return abandon(top, stack, body, token.end, token.message, token.hint)
      default:
        return stack.length === 0 ? top : unclosed(top, stack, body, token.end)
    }
  }
}

/** Blocks that may wait stand in `http` or, when their file is included there, at the top. */
function* tryLater(lexer: Lexer, words: readonly Word[], rule: LateRule, depth: number): Steps<Passed | undefined> {
  const name = words[0]!.text
  if (rule.lines.has(name)) return yield* passLines(lexer)
  if (depth > 1 || words.length !== 1 || !rule.blocks.has(name)) return undefined
  const inside = { late: { ...rule, blocks: NONE } }
  return passOver(lexer, rule, (again) => finish(readAll(again, inside, true)))
}

const NONE: ReadonlySet<string> = new Set()

function unclosed(top: Statement[], stack: Open[], body: Statement[], end: Position): Statement[] {
  const [name] = stack.at(-1)!.words
  const hint = `the block of "${name!.text}" in line ${name!.line} is not closed`
  return abandon(top, stack, body, end, 'unexpected end of file, expecting "}"', hint)
}

function statement(words: readonly Word[], end: Position): Statement {
  return { name: words[0]!, args: words.slice(1), block: undefined, end }
}

/** Puts the fault where it was found and closes the blocks around it. */
function abandon(
  top: Statement[],
  stack: Open[],
  innermost: Statement[],
  end: Position,
  fault: string,
  hint?: string,
): Statement[] {
  const name = { ...end, text: '', quoted: false }
  innermost.push({ name, args: [], block: undefined, end, fault, hint })
  let body = innermost
  for (let open = stack.pop(); open !== undefined; open = stack.pop()) {
    open.outer.push({ ...statement(open.words, open.end), block: body })
    body = open.outer
  }
  return top
}
