/** A statement of a loaded configuration, with its declaration, its place and what it was read as. */
import type { Context, Directive } from '../../config/directive.ts'
import type { Position, Statement, Word } from '../../config/source.ts'

const NONE: readonly Node[] = []
const NO_WORDS: readonly string[] = []

/** One statement, or a line of a table; includes are replaced by what they include. */
export class Node {
  readonly statement: Statement
  readonly parent: Node | undefined
  /** Where it stands; `main` for the outermost. */
  readonly context: Context
  /** Undefined where such a directive is not known. */
  readonly directive: Directive<unknown> | undefined
  /** A line of a table (`map`, `types`). */
  readonly isEntry: boolean
  #children: Node[] | undefined
  /** What its reader made of its words; undefined when they were refused. */
  value: unknown
  /** The context that its block opens. */
  opens: Context | undefined
  #uses: string[] | undefined
  #byName: ReadonlyMap<string, readonly Node[]> | undefined
  #indexed = 0
  #words: readonly string[] | undefined

  constructor(
    statement: Statement,
    parent: Node | undefined,
    context: Context,
    directive: Directive<unknown> | undefined,
    isEntry = false,
  ) {
    this.statement = statement
    this.parent = parent
    this.context = context
    this.directive = directive
    this.isEntry = isEntry
  }

  /** What stands in its block. */
  get children(): readonly Node[] {
    return this.#children ?? NONE
  }

  add(child: Node): void {
    this.#children ??= []
    this.#children.push(child)
  }

  /** Variables that it names, in lower case. */
  get uses(): readonly string[] {
    return this.#uses ?? NO_WORDS
  }

  names(variable: string): void {
    this.#uses ??= []
    this.#uses.push(variable)
  }

  get name(): string {
    return this.statement.name.text
  }

  get args(): readonly Word[] {
    return this.statement.args
  }

  /** The words after the name. */
  get words(): readonly string[] {
    this.#words ??= this.statement.args.map((word) => word.text)
    return this.#words
  }

  /** The first word after the name. */
  get first(): string {
    return this.statement.args[0]?.text ?? ''
  }

  get at(): Position {
    return this.statement.name
  }

  /** As a person would write it in one line. */
  get text(): string {
    return [this.name, ...this.words].join(' ')
  }

  /** The statements of its block with one of the names. */
  own(...names: readonly string[]): readonly Node[] {
    const [name] = names
    if (names.length > 1) return this.children.filter((child) => names.includes(child.name))
    return this.#index().get(name ?? '') ?? NONE
  }

  has(...names: readonly string[]): boolean {
    return names.some((name) => this.#index().has(name))
  }

  /** Blocks may have thousands of statements, and are asked thousands of times. */
  #index(): ReadonlyMap<string, readonly Node[]> {
    if (this.#byName === undefined || this.#indexed !== this.children.length) {
      this.#byName = Map.groupBy(this.children, ({ name }) => name)
      this.#indexed = this.children.length
    }
    return this.#byName
  }

  /** Itself or the nearest block around it with one of the names. */
  up(...names: readonly string[]): Node | undefined {
    for (let node: Node | undefined = this; node !== undefined; node = node.parent) {
      if (names.includes(node.name)) return node
    }
    return undefined
  }

  /** All statements inside, at any depth. */
  inside(): readonly Node[] {
    const found: Node[] = []
    this.collect(found)
    return found
  }

  collect(found: Node[]): void {
    for (const child of this.children) {
      found.push(child)
      if (child.children.length > 0) child.collect(found)
    }
  }
}
