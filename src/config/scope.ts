/**
 * The settings of one block, and the one place where inheritance is decided.
 *
 * Scopes form a tree like the blocks do. Own values are keyed by the declaration and not by its name, because one name
 * may be declared for several contexts.
 */
import { ReadFailure } from './diagnostics.ts'
import type {
  ConfOf,
  Context,
  Directive,
  Directives,
  Inheritance,
  OrderedValue,
  ReadContext,
  ScopeView,
} from './directive.ts'
import { Lexer } from './lexer.ts'
import type { Position } from './source.ts'

type Conf = Record<string, unknown>

/** A set of declarations, prepared: the settings of a block that nothing is given in or around, and what is not inherited. */
interface Shape {
  /** Its place in the lists that scopes keep. */
  readonly index: number
  /** The names that a declaration has in the set. */
  readonly names: ReadonlyMap<Directive<unknown>, string>
  readonly defaults: Conf
  readonly neverInherited: readonly string[]
  /** Inherited by pseudo-blocks only. */
  readonly pseudoInherited: readonly string[]
  /** Some directive of the set is given somewhere; without, every block has the defaults. */
  given: boolean
}

const NOTHING: readonly unknown[] = []

/** What all scopes of one load share. */
export class ScopeEnv {
  readonly prefix: string
  readonly confPrefix: string
  readonly #defaults = new Map<Directive<unknown>, unknown>()
  readonly #shapes = new Map<Directives, Shape>()
  readonly #given = new Set<Directive<unknown>>()

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

  shapeOf(directives: Directives): Shape {
    let shape = this.#shapes.get(directives)
    if (shape === undefined) {
      const entries = Object.entries(directives)
      const namesOf = (kind: Inheritance): string[] =>
        entries.filter(([, d]) => d.inheritance === kind).map(([name]) => name)
      shape = {
        index: this.#shapes.size,
        names: new Map(entries.map(([name, d]) => [d, name])),
        // Object.fromEntries gives V8 an object with fast properties; assigning computed keys would not.
        defaults: Object.fromEntries(entries.map(([name, d]) => [name, this.#defaultIn(name, d)])),
        neverInherited: namesOf('never'),
        pseudoInherited: namesOf('pseudo'),
        given: entries.some(([, d]) => this.#given.has(d)),
      }
      this.#shapes.set(directives, shape)
    }
    return shape
  }

  /** A directive is given in some block. */
  noteGiven(directive: Directive<unknown>): void {
    if (this.#given.has(directive)) return
    this.#given.add(directive)
    for (const shape of this.#shapes.values()) shape.given ||= shape.names.has(directive)
  }

  #defaultIn(name: string, directive: Directive<unknown>): unknown {
    return directive.kind === 'one' ? this.defaultOf(name, directive) : NOTHING
  }

  #readDefault(name: string, directive: Directive<unknown>): unknown {
    const file = `default of ${name}`
    const token = new Lexer(`${name} ${directive.default};`, file, { parameter: true }).next()
    if (token.kind !== 'simple') throw new Error(`default of directive "${name}" is not one statement`)
    const fail = (message: string): never => {
      throw new Error(`default of directive "${name}": ${message}`)
    }
    const at: ReadContext = {
      directive: token.words[0]!,
      end: token.words[0]!,
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

const EMPTY = {}
const PSEUDO: ReadonlySet<Context> = new Set(['if', 'limit_except', 'server_if'])

/** One block: its own values, its place in the tree, and its settings after inheritance. */
export class Scope implements ScopeView {
  readonly context: Context
  readonly at: Position
  readonly parent: Scope | undefined
  readonly #children: Scope[] = []
  readonly env: ScopeEnv
  readonly #own = new Map<Directive<unknown>, Own>()
  readonly #order: Given[] = []
  /** For a block that is read when it is first used: what is known of it, and how to read the rest. */
  #head: Scope | undefined
  #read: (() => void) | undefined
  /** By shape: settings that no other block has, and what blocks inside inherit, which all of them ask for. */
  #resolved: (Conf | undefined)[] | undefined
  #handed: (Conf | undefined)[] | undefined
  #handedToPseudo: (Conf | undefined)[] | undefined

  constructor(context: Context, at: Position, env: ScopeEnv, parent?: Scope) {
    this.context = context
    this.at = at
    this.env = env
    this.parent = parent
  }

  /** Makes the scope of a block inside this one; `attached` false keeps the block of a refused directive out of the tree. */
  open(context: Context, at: Position, attached = true): Scope {
    const child = new Scope(context, at, this.env, this)
    if (attached) this.#children.push(child)
    return child
  }

  /** Lets this block wait until somebody asks for more than its head. */
  defer(head: Scope, read: () => void): void {
    this.#head = head
    this.#read = read
  }

  get head(): Scope {
    return this.#head ?? this
  }

  /** True while the block waits. */
  get isLate(): boolean {
    return this.#read !== undefined
  }

  /** Reads what was put off. */
  read(): void {
    const read = this.#read
    if (read === undefined) return
    this.#read = undefined
    this.#head = undefined
    read()
  }

  /** The blocks inside this one. */
  get children(): readonly Scope[] {
    this.read()
    return this.#children
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
    this.env.noteGiven(directive)
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
    this.env.noteGiven(directive)
    if (!this.#own.has(directive)) this.#own.set(directive, { value: directive.kind === 'one' ? undefined : [], at })
  }

  resolve<D extends Directives>(directives: D): ConfOf<D> {
    this.read()
    const shape = this.env.shapeOf(directives)
    return (shape.given ? this.#resolve(shape) : shape.defaults) as ConfOf<D> // every value was read by the reader of its own declaration
  }

  own<D extends Directives>(directives: D): Partial<ConfOf<D>> {
    this.read()
    const { names, given } = this.env.shapeOf(directives)
    if (!given) return EMPTY
    const found: [string, unknown][] = []
    for (const [directive, { value }] of this.#own) {
      const name = names.get(directive)
      if (name !== undefined) found.push([name, value])
    }
    return (found.length === 0 ? EMPTY : Object.fromEntries(found)) as Partial<ConfOf<D>>
  }

  ordered<D extends Directives>(directives: D): readonly OrderedValue<D>[] {
    this.read()
    const { names, given } = this.env.shapeOf(directives)
    // Every block inside asks the blocks around it, of which one may have thousands of statements.
    if (!given || !this.#hasOneOf(names)) return []
    const values: unknown[] = []
    for (const { directive, value, at } of this.#order) {
      const name = names.get(directive)
      if (name !== undefined) values.push({ name, value, at })
    }
    return values as readonly OrderedValue<D>[] // each value was read by the reader of the directive so named
  }

  #hasOneOf(names: Shape['names']): boolean {
    for (const directive of names.keys()) if (this.#own.has(directive)) return true
    return false
  }

  positionOf(directive: Directive<unknown>): Position | undefined {
    this.read()
    return this.#own.get(directive)?.at
  }

  /**
   * The settings of this block. One that nothing of the set is given in has those of the block around it, the same
   * object: most blocks say something about a few modules only.
   */
  #resolve(shape: Shape): Conf {
    const known = this.#resolved?.[shape.index]
    if (known !== undefined) return known
    const { parent } = this
    const inherited = parent === undefined ? shape.defaults : parent.#handDown(shape, PSEUDO.has(this.context))
    let conf: Conf | undefined
    for (const directive of this.#own.keys()) {
      const name = shape.names.get(directive)
      if (name === undefined) continue
      conf ??= { ...inherited }
      conf[name] = this.#own.get(directive)!.value
    }
    if (conf === undefined) return inherited
    this.#resolved ??= []
    this.#resolved[shape.index] = conf
    return conf
  }

  /** The settings of a block inside this one in which nothing of the set is given. */
  #handDown(shape: Shape, pseudo: boolean): Conf {
    const known = (pseudo ? this.#handedToPseudo : this.#handed)?.[shape.index]
    if (known !== undefined) return known
    const own = this.#resolve(shape)
    let conf = withDefaults(own, own, shape, shape.neverInherited)
    if (pseudo) {
      this.#handedToPseudo ??= []
      this.#handedToPseudo[shape.index] = conf
    } else {
      conf = withDefaults(own, conf, shape, shape.pseudoInherited)
      this.#handed ??= []
      this.#handed[shape.index] = conf
    }
    return conf
  }
}

/** Returns `conf` with the defaults of those settings; a copy of `own`, or `own` itself when it has them anyway. */
function withDefaults(own: Conf, conf: Conf, { defaults }: Shape, names: readonly string[]): Conf {
  let changed = conf
  for (const name of names) {
    if (own[name] === defaults[name]) continue
    if (changed === own) changed = { ...own }
    changed[name] = defaults[name]
  }
  return changed
}
