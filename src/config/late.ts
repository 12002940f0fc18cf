/**
 * Blocks that are read later; until then such a block is a place in the text.
 *
 * A worker takes over what the master has checked already: of a `server` block it wants to know addresses and names, and
 * the rest when a request comes. Blocks of lines (`map`, `geo`) can have a hundred thousand of them: these are read one
 * by one, when their values are wanted, so that the statements of all of them are never there at the same time.
 */
import type { Steps } from '../lib/steps.ts'
import type { Lexer } from './lexer.ts'
import type { Position, Statement } from './source.ts'

/** What may be read later, by names of directives. */
export interface LateRule {
  readonly blocks: ReadonlySet<string>
  /** These are read with the beginning of such a block. */
  readonly heads: ReadonlySet<string>
  /** Blocks that have one of these are read at once: what it does begins without a request. */
  readonly eager: ReadonlySet<string>
  /** Blocks of lines. */
  readonly lines: ReadonlySet<string>
}

/** A block that was passed over. */
export interface LateBlock {
  /** The `heads` of the rule, and the includes among them. */
  readonly heads: readonly Statement[]
  /** What is included at any depth. */
  readonly includes: readonly string[]
  readonly weight: number
  read(): Iterable<Statement>
}

/** A block that was passed over, and where its `}` stands. */
export interface Passed {
  readonly late: LateBlock
  readonly close: Position
}

/** A request may wait for the reading of so much: directives, of which blocks count more. */
export const LATE_WEIGHT_MAX = 400
const BLOCK_WEIGHT = 10

/** What a statement adds to the weight of its block. */
export function weightOf({ block }: Pick<Statement, 'block'>): number {
  return block === undefined ? 1 : BLOCK_WEIGHT
}

/**
 * Passes over the block whose `{` was just read. Undefined: it is to be read now, because of what is in it or its
 * size, or because something is wrong with it; the lexer stands where it stood.
 */
export function passOver(
  lexer: Lexer,
  rule: LateRule,
  read: (lexer: Lexer) => readonly Statement[],
): Passed | undefined {
  const start = lexer.mark()
  const heads: Statement[] = []
  const includes: string[] = []
  let depth = 0
  let weight = 0
  while (weight <= LATE_WEIGHT_MAX) {
    const token = lexer.next()
    if (token.kind === 'fault' || token.kind === 'eof') break
    if (token.kind === 'close') {
      if (depth-- > 0) continue
      return { late: { heads, includes, weight, read: () => read(lexer.from(start)) }, close: token.end }
    }
    const name = token.words[0]!
    if (rule.eager.has(name.text)) break
    if (token.kind === 'open') {
      depth++
      weight += BLOCK_WEIGHT
      continue
    }
    weight++
    const args = token.words.slice(1)
    const isInclude = name.text === 'include' && args.length === 1
    if (isInclude) includes.push(args[0]!.text)
    if (depth === 0 && (isInclude || rule.heads.has(name.text))) {
      heads.push({ name, args, block: undefined, end: token.end })
    }
  }
  lexer.goTo(start)
  return undefined
}

const LINES_PER_STEP = 500

/** The same for a block of lines. */
export function* passLines(lexer: Lexer): Steps<Passed | undefined> {
  const start = lexer.mark()
  for (let count = 1; ; count++) {
    if (count % LINES_PER_STEP === 0) yield
    const token = lexer.next()
    if (token.kind === 'close') {
      const read = (): Iterable<Statement> => lines(lexer.from(start))
      return { late: { heads: [], includes: [], weight: 0, read }, close: token.end }
    }
    // What is wrong is reported in its place among other things.
    if (token.kind !== 'simple' || token.words[0]!.text === 'include') break
  }
  lexer.goTo(start)
  return undefined
}

function* lines(lexer: Lexer): Iterable<Statement> {
  for (let token = lexer.next(); token.kind === 'simple'; token = lexer.next()) {
    yield { name: token.words[0]!, args: token.words.slice(1), block: undefined, end: token.end }
  }
}
