/**
 * The settings of one block, and the one place where inheritance is decided.
 *
 * Scopes form a tree like the blocks do. Own values are keyed by the declaration and not by its name, because one name
 * may be declared for several contexts.
 */
import { ReadFailure } from './diagnostics.ts'
import type { ConfOf, Context, Directive, Directives, OrderedValue, ReadContext, ScopeView } from './directive.ts'
import { Lexer } from './lexer.ts'
import type { Position } from './source.ts'

/** What all scopes of one load share. */
export class ScopeEnv {
  readonly prefix: string
  readonly confPrefix: string
  readonly #defaults = new Map<Directive<unknown>, unknown>()

  constructor(prefix: string, confPrefix: string) {
    this.prefix = prefix
    this.confPrefix = confPrefix
  }

  /** The declared default as the directive's own reader reads it, once per load. */
  defaultOf(name: string, directive: Directive<unknown>): unknown {
    if (directive.default === undefined) return undefined
    if (!this.#defaults.has(directive)) this.#defaults.set(directive, this.#readDefault(name, directive))
    return this.#defaults.get(directive)
  }

  #readDefault(name: string, directive: Directive<unknown>): unknown {
    const file = `default of ${name}`
    const token = new Lexer(`${name} ${directive.default};`, file, true).next()
    if (token.kind !== 'simple') throw new Error(`default of directive "${name}" is not one statement`)
    const fail = (message: string): never => {
      throw new Error(`default of directive "${name}": ${message}`)
    }
    const at: ReadContext = {
      directive: token.words[0]!,
      context: directive.in[0] ?? 'main',
      confPrefix: this.confPrefix,
      prefix: this.prefix,
      fail,
      warn: fail,
    }
    try {
      return directive.args.read(token.words.slice(1), at)
    } catch (error) {
      throw error instanceof ReadFailure ? fail(error.message) : error
    }
  }
}

interface Own {
  readonly value: unknown
  readonly at: Position
}

interface Given extends Own {
  readonly directive: Directive<unknown>
}

const PSEUDO: ReadonlySet<Context> = new Set(['if', 'limit_except', 'server_if'])

/** One block: its own values, its place in the tree, and its settings after inheritance. */
export class Scope implements ScopeView {
  readonly context: Context
  readonly at: Position
  readonly parent: Scope | undefined
  readonly children: Scope[] = []
  readonly env: ScopeEnv
  readonly #own = new Map<Directive<unknown>, Own>()
  readonly #order: Given[] = []
  readonly #resolved = new Map<Directives, object>()

  constructor(context: Context, at: Position, env: ScopeEnv, parent?: Scope) {
    this.context = context
    this.at = at
    this.env = env
    this.parent = parent
  }

  /** Makes the scope of a block inside this one; `attached` false keeps the block of a refused directive out of the tree. */
  open(context: Context, at: Position, attached = true): Scope {
    const child = new Scope(context, at, this.env, this)
    if (attached) this.children.push(child)
    return child
  }

  has(directive: Directive<unknown>): boolean {
    return this.#own.has(directive)
  }

  /** The value given here so far: a list for a directive that may repeat. */
  given(directive: Directive<unknown>): unknown {
    return this.#own.get(directive)?.value
  }

  /**
   * Records that a directive was given here; only while loading. A repeatable one's value joins the list, another's
   * replaces what was there, unless it is `merged` with that.
   */
  give(directive: Directive<unknown>, value: unknown, at: Position, merged: unknown = value): void {
    const earlier = this.#own.get(directive)
    this.#order.push({ directive, value, at })
    if (directive.kind === 'one') this.#own.set(directive, { value: merged, at: earlier?.at ?? at })
    else if (earlier === undefined) this.#own.set(directive, { value: [value], at })
    else (earlier.value as unknown[]).push(value) // made by the line above
  }

  /**
   * Marks a directive as given although its arguments were refused: a correct repetition is still a duplicate, and no
   * inherited value stands in for it.
   */
  giveRefused(directive: Directive<unknown>, at: Position): void {
    if (!this.#own.has(directive)) this.#own.set(directive, { value: directive.kind === 'one' ? undefined : [], at })
  }

  resolve<D extends Directives>(directives: D): ConfOf<D> {
    let conf = this.#resolved.get(directives)
    if (conf === undefined) {
      // Object.fromEntries gives V8 an object with fast properties; assigning computed keys would not.
      conf = Object.fromEntries(Object.entries(directives).map(([name, d]) => [name, this.#settle(name, d)]))
      this.#resolved.set(directives, conf)
    }
    return conf as ConfOf<D> // every value was read by the reader of its own declaration
  }

  own<D extends Directives>(directives: D): Partial<ConfOf<D>> {
    const given = Object.entries(directives).filter(([, d]) => this.#own.has(d))
    return Object.fromEntries(given.map(([name, d]) => [name, this.given(d)])) as Partial<ConfOf<D>>
  }

  ordered<D extends Directives>(directives: D): readonly OrderedValue<D>[] {
    const names = new Map(Object.entries(directives).map(([name, d]) => [d, name]))
    const found = this.#order.filter(({ directive }) => names.has(directive))
    const values = found.map(({ directive, value, at }) => ({ name: names.get(directive), value, at }))
    return values as unknown as readonly OrderedValue<D>[] // each value was read by the reader of the directive so named
  }

  positionOf(directive: Directive<unknown>): Position | undefined {
    return this.#own.get(directive)?.at
  }

  #settle(name: string, directive: Directive<unknown>): unknown {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.#heir(directive)) {
      if (scope.#own.has(directive)) return scope.given(directive)
    }
    return directive.kind === 'one' ? this.env.defaultOf(name, directive) : []
  }

  /** The scope that this one takes the directive's value from when it has none itself. */
  #heir(directive: Directive<unknown>): Scope | undefined {
    if (directive.inheritance === 'never') return undefined
    if (directive.inheritance === 'pseudo' && !PSEUDO.has(this.context)) return undefined
    return this.parent
  }
}
