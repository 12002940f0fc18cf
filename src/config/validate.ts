/**
 * Statements to scopes: checks every directive against its declaration in nginx's order and words (`ngx_conf_handler`),
 * reads its arguments and records the value. All mistakes are reported; a refused block is still looked into.
 */
import { finish, type Steps } from '../lib/steps.ts'
import { type Diagnostics, ReadFailure } from './diagnostics.ts'
import type { Args, BlockValue, Context, Directive, Entry, ReadContext } from './directive.ts'
import type { LateBlock } from './late.ts'
import { refusalHint } from './refusals.ts'
import type { Registry } from './registry.ts'
import type { Scope } from './scope.ts'
import type { Position, Statement, Word } from './source.ts'
import { suggest } from './suggest.ts'
import { VariableUses } from './variable-uses.ts'

const FAILED = Symbol('failed')
const STATEMENTS_PER_STEP = 50
/** In the text of tools a character, in the server's three bytes. */
const BYTE_ORDER_MARK = /^(?:\ufeff|\xef\xbb\xbf)/

/** Is told of each statement as it is read, for tools that look at configurations. */
export interface Reading {
  /** A statement stands in `scope`, where `directive` is its declaration, if it has one. */
  statement(s: Statement, scope: Scope, directive: Directive<unknown> | undefined): void
  /** The words of the last statement were understood. */
  given(value: unknown): void
  /** The last statement opens a block. */
  opened(inner: Scope): void
  /** A line of a free-form block. */
  entry(s: Statement, scope: Scope): void
}

/** Walks one configuration; used once per load. */
export class Validator {
  readonly #registry: Registry
  readonly #diagnostics: Diagnostics
  readonly #prefix: string
  readonly #confPrefix: string
  readonly #uses: VariableUses
  readonly #reading: Reading | undefined
  #count = 0

  constructor(
    registry: Registry,
    diagnostics: Diagnostics,
    prefix: string,
    confPrefix: string,
    uses: VariableUses = new VariableUses(),
    reading?: Reading,
  ) {
    this.#reading = reading
    this.#uses = uses
    this.#registry = registry
    this.#diagnostics = diagnostics
    this.#prefix = prefix
    this.#confPrefix = confPrefix
  }

  /** Checks the statements of a block and fills its scope. */
  *walk(statements: Iterable<Statement>, scope: Scope): Steps<void> {
    for (const s of statements) {
      if (++this.#count % STATEMENTS_PER_STEP === 0) yield
      if (s.fault !== undefined) this.#diagnostics.emerg(s.fault, s.end, { hint: s.hint })
      else yield* this.#statement(s, scope)
    }
  }

  *#statement(s: Statement, scope: Scope): Steps<void> {
    const directive = this.#registry.find(s.name.text, scope.context)
    this.#reading?.statement(s, scope, directive)
    if (directive === undefined) {
      this.#refuse(s, scope)
      yield* this.#lookInside(s, this.#registry.named(s.name.text), scope)
      return
    }
    const problem = this.#shapeProblem(s, directive)
    if (problem !== undefined) {
      this.#error(s, problem, directive.unsupported ?? this.#missingSemicolon(s, scope.context))
      yield* this.#lookInside(s, [directive], scope)
    } else if (directive.kind === 'block') {
      yield* this.#block(s, directive, scope)
    } else {
      this.#simple(s, directive, scope)
    }
  }

  /** Reports a name that has no declaration in this context. */
  #refuse(s: Statement, scope: Scope): void {
    const name = s.name.text
    const catalogued = this.#registry.catalogued(name)
    if (catalogued?.includes(scope.context)) {
      this.#error(s, `"${name}" directive is not supported yet by Viaduct`, refusalHint(name))
    } else if (catalogued || this.#registry.named(name).length > 0) {
      this.#error(s, `"${name}" directive is not allowed here`, this.#whereAllowed(name, catalogued))
    } else {
      this.#error(s, `unknown directive "${name}"`, this.#whatWasMeant(name, scope.context))
    }
  }

  #whatWasMeant(name: string, context: Context): string | undefined {
    if (BYTE_ORDER_MARK.test(name)) return 'the file begins with a byte order mark; save it as UTF-8 without one'
    const near = suggest(name, this.#registry.namesIn(context)) ?? suggest(name, this.#registry.names())
    return near === undefined ? undefined : `did you mean "${near}"?`
  }

  #whereAllowed(name: string, catalogued: readonly string[] = []): string {
    const contexts = new Set([...this.#registry.named(name).flatMap((d) => d.in), ...catalogued])
    return `"${name}" may stand in: ${[...contexts].join(', ')}`
  }

  #shapeProblem(s: Statement, directive: Directive<unknown>): string | undefined {
    const name = s.name.text
    if (directive.unsupported !== undefined) return `"${name}" directive is not supported yet by Viaduct`
    if (directive.kind !== 'block' && s.block) return `directive "${name}" is not terminated by ";"`
    if (directive.kind === 'block' && !s.block) return `directive "${name}" has no opening "{"`
    const { min, max } = directive.args
    if (s.args.length < min || s.args.length > max) return `invalid number of arguments in "${name}" directive`
    return undefined
  }

  /** A directive's name that begins a line among the arguments of another tells that the other was not ended. */
  #missingSemicolon(s: Statement, context: Context): string | undefined {
    const all = [s.name, ...s.args]
    const next = all.findIndex((w, i) => i > 0 && w.line > all[i - 1]!.line && this.#registry.find(w.text, context))
    if (next < 0) return undefined
    const before = all[next - 1]!
    return `is a ";" missing after "${before.text}" in line ${before.line}?`
  }

  #simple(s: Statement, directive: Directive<unknown>, scope: Scope): void {
    const { args, kind } = directive
    const again = scope.has(directive)
    if (again && kind === 'one' && !args.merge && directive.duplicate !== false) {
      this.#error(
        s,
        directive.duplicate ?? `"${s.name.text}" directive is duplicate`,
        this.#givenBefore(directive, scope),
      )
      return
    }
    const at = this.#readContext(s, scope.context)
    const value = this.#read(args, s.args, at, s)
    if (value === FAILED) {
      scope.giveRefused(directive, s.end)
      return
    }
    this.#reading?.given(value)
    if (again && directive.alone !== undefined) {
      const before = scope.given(directive) as readonly unknown[] // `alone` is for lists
      if ([...before, value].some(directive.alone)) {
        this.#error(s, `"${s.name.text}" directive is duplicate`, this.#givenBefore(directive, scope))
        return
      }
    }
    if (again && kind === 'many') args.joins?.(scope.given(directive) as readonly unknown[], value, at)
    const earlier = again && kind === 'one' && args.merge ? scope.given(directive) : undefined
    scope.give(directive, value, s.end, earlier === undefined ? value : args.merge?.(earlier, value, at))
  }

  *#block(s: Statement, directive: Directive<unknown>, scope: Scope): Steps<void> {
    if (scope.has(directive) && typeof directive.duplicate === 'string') {
      this.#error(s, directive.duplicate, this.#givenBefore(directive, scope))
      yield* this.#lookInside(s, [directive], scope)
      return
    }
    const args = this.#read(directive.args, s.args, this.#readContext(s, scope.context), s)
    if (args === FAILED) {
      yield* this.#lookInside(s, [directive], scope)
      return
    }
    this.#reading?.given(args)
    const inner = scope.open(directive.opens ?? scope.context, s.end)
    this.#reading?.opened(inner)
    const entries: Entry<unknown>[] = []
    const drop = (): void => void entries.splice(0)
    const value: BlockValue<unknown, unknown> = {
      args,
      scope: inner,
      entries,
      drop,
      at: s.end,
      close: s.close ?? s.end,
    }
    scope.give(directive, value, s.end)
    if (s.late === undefined || directive.entry !== undefined) yield* this.#contents(s, directive, inner, entries)
    else this.#defer(s.late, inner, scope)
  }

  *#contents(s: Statement, directive: Directive<unknown>, inner: Scope, entries: Entry<unknown>[]): Steps<void> {
    const { entry } = directive
    const statements = s.late?.read() ?? s.block ?? []
    if (entry === undefined) {
      yield* this.walk(statements, inner)
      return
    }
    for (const line of statements) {
      if (++this.#count % STATEMENTS_PER_STEP === 0) yield
      if (line.fault !== undefined) this.#diagnostics.emerg(line.fault, line.end, { hint: line.hint })
      else if (line.block) this.#diagnostics.emerg('unexpected "{"', line.end)
      else {
        this.#reading?.entry(line, inner)
        this.#entry(line, entry, inner, entries)
      }
    }
  }

  /** A block that waits: its beginning is known now, the rest when somebody asks. */
  #defer(late: LateBlock, inner: Scope, outer: Scope): void {
    const head = outer.open(inner.context, inner.at, false)
    finish(this.walk(late.heads, head))
    inner.defer(head, () => finish(this.walk(late.read(), inner)))
  }

  #entry(line: Statement, entry: Args<unknown>, { context }: Scope, entries: Entry<unknown>[]): void {
    const words = [line.name, ...line.args]
    if (words.length < entry.min || words.length > entry.max) {
      this.#error(line, `invalid number of arguments in "${line.name.text}" directive`)
      return
    }
    const value = this.#read(entry, words, this.#readContext(line, context), line)
    if (value !== FAILED) entries.push({ value, at: line.end })
  }

  /** Checks the contents of a block that itself was refused, apart from the tree. */
  *#lookInside(s: Statement, candidates: readonly Directive<unknown>[], scope: Scope): Steps<void> {
    if (!s.block) return
    const directive = candidates.find((d) => d.kind === 'block' && d.opens !== undefined)
    if (directive?.opens) {
      const inner = scope.open(directive.opens, s.end, false)
      this.#reading?.opened(inner)
      yield* this.#contents(s, directive, inner, [])
    } else this.#faultsInside(s.block)
  }

  /** In a block of unknown meaning only the faults of grammar can be reported. */
  #faultsInside(block: readonly Statement[]): void {
    for (const s of block) {
      if (s.fault !== undefined) this.#diagnostics.emerg(s.fault, s.end, { hint: s.hint })
      else if (s.block) this.#faultsInside(s.block)
    }
  }

  #read(args: Args<unknown>, words: readonly Word[], at: ReadContext, s: Statement): unknown {
    this.#uses.read(words)
    // Nothing that a word may name has one, and whoever is asked for a file by such a name throws.
    if (words.some((word) => word.text.includes('\0'))) {
      this.#diagnostics.emerg(`unexpected zero byte in "${s.name.text}" directive`, s.end, { shown: s.name })
      return FAILED
    }
    try {
      return args.read(words, at)
    } catch (error) {
      if (!(error instanceof ReadFailure)) throw error
      this.#diagnostics.emerg(error.message, s.end, { shown: error.at ?? s.args[0] ?? s.name, hint: error.hint })
      return FAILED
    }
  }

  #readContext(s: Statement, context: Context): ReadContext {
    return new StatementContext(s, context, this.#confPrefix, this.#prefix, this.#diagnostics, this.#uses)
  }

  #givenBefore(directive: Directive<unknown>, scope: Scope): string | undefined {
    const at: Position | undefined = scope.positionOf(directive)
    return at && `first given in ${at.file}:${at.line}`
  }

  #error(s: Statement, message: string, hint?: string): void {
    this.#diagnostics.emerg(message, s.end, { shown: s.name, hint })
  }
}

/** What the readers of one statement may ask: a class, since there is one for each line of the largest tables. */
class StatementContext implements ReadContext {
  readonly directive: Word
  readonly context: Context
  readonly confPrefix: string
  readonly prefix: string
  readonly end: Position
  readonly #diagnostics: Diagnostics
  readonly #uses: VariableUses

  constructor(
    { name, end }: Statement,
    context: Context,
    confPrefix: string,
    prefix: string,
    diagnostics: Diagnostics,
    uses: VariableUses,
  ) {
    this.directive = name
    this.context = context
    this.confPrefix = confPrefix
    this.prefix = prefix
    this.end = end
    this.#diagnostics = diagnostics
    this.#uses = uses
  }

  fail(message: string, at?: Position, hint?: string): never {
    throw new ReadFailure(message, at, hint)
  }

  warn(message: string, at?: Position): void {
    this.#diagnostics.warn(message, this.end, { shown: at ?? this.directive })
  }

  uses(variable: string): void {
    this.#uses.note(this.context, variable, this.end)
  }
}
