/**
 * A loaded configuration as tools see it: the statements in their blocks, with the declarations that the server reads them
 * by, and what is in effect where. There is no other knowledge of nginx here than that of the declarations.
 */
import { Diagnostics } from '../../config/diagnostics.ts'
import type { Context, Directive } from '../../config/directive.ts'
import type { SourceReader } from '../../config/include.ts'
import { type Config, loadConfig } from '../../config/load.ts'
import { Registry } from '../../config/registry.ts'
import type { Scope } from '../../config/scope.ts'
import type { Position, Statement } from '../../config/source.ts'
import type { Reading } from '../../config/validate.ts'
import { VariableUses } from '../../config/variable-uses.ts'
import { presumeHosts } from '../../lib/resolve-host.ts'
import { finish } from '../../lib/steps.ts'
import { NULL_LOG } from '../../log/error-log.ts'
import { LogFiles } from '../../log/log-files.ts'
import { modules } from '../../modules/index.ts'
import { compileProgram } from '../../runtime/program.ts'
import { Node } from './node.ts'

/** What to load. */
export interface ModelSource {
  readonly path: string
  readonly prefix: string
  readonly globals?: string
  readonly reader: SourceReader
  /** Only a part of a configuration: what is missing may be elsewhere. */
  readonly fragment?: boolean
  /** The file that is the part. */
  readonly part?: string
  /** The files are those of another machine: what the configuration needs beside its text is not here. */
  readonly elsewhere?: boolean
}

/** An address that no one has. */
const NOBODY = '192.0.2.1'
const PSEUDO: ReadonlySet<Context | undefined> = new Set(['if', 'limit_except', 'server_if'])

/** The declarations, by name and context. */
export const registry = new Registry(modules)

/** Loads; mistakes are in its diagnostics. */
export function loadModel(source: ModelSource): Model {
  const root = rootNode(source.path)
  const builder = new Builder(root)
  const diagnostics = new Diagnostics()
  const { path, prefix, globals = '', reader } = source
  presumeHosts(NOBODY)
  const uses = new Uses(builder)
  const config = loadConfig({
    path,
    prefix,
    globals,
    reader,
    modules,
    diagnostics,
    characters: true,
    reading: builder,
    uses,
  })
  if (!diagnostics.failed && source.fragment !== true) compile(config, diagnostics)
  return new Model(root, config, diagnostics, source)
}

/** The same look for mistakes that the server takes. */
function compile(config: Config, diagnostics: Diagnostics): void {
  const env = {
    diagnostics,
    modules,
    zones: new Map(),
    log: NULL_LOG,
    files: new LogFiles(),
    workerId: -1,
    isFirst: false,
    facts: undefined,
  }
  const program = finish(compileProgram(config, { ...env, role: 'master' }))
  for (const run of program?.http?.builder.exitHooks ?? []) run()
}

function rootNode(file: string): Node {
  const at = { file, line: 1, column: 1 }
  const name = { ...at, text: '', quoted: false }
  const root = new Node({ name, args: [], block: [], end: at }, undefined, 'main', undefined)
  root.opens = 'main'
  return root
}

/** Makes nodes of what is read. */
class Builder implements Reading {
  readonly #blocks = new Map<Scope, Node>()
  readonly #root: Node
  #last: Node
  #current: Position | undefined

  constructor(root: Node) {
    this.#root = root
    this.#last = root
  }

  statement(s: Statement, scope: Scope, directive: Directive<unknown> | undefined): void {
    this.#add(s, scope, directive, false)
  }

  given(value: unknown): void {
    this.#last.value = value
  }

  opened(inner: Scope): void {
    this.#last.opens = inner.context
    this.#blocks.set(inner, this.#last)
  }

  entry(s: Statement, scope: Scope): void {
    this.#add(s, scope, undefined, true)
  }

  #add(s: Statement, scope: Scope, directive: Directive<unknown> | undefined, isEntry: boolean): void {
    const parent = this.#blocks.get(scope) ?? this.#root
    this.#last = new Node(s, parent, scope.context, directive, isEntry)
    this.#current = s.end
    parent.add(this.#last)
  }

  /** The statement at hand names a variable. */
  uses(variable: string, at: Position): void {
    if (at === this.#current) this.#last.names(variable)
  }
}

class Uses extends VariableUses {
  readonly #builder: Builder

  constructor(builder: Builder) {
    super()
    this.#builder = builder
  }

  override note(context: Context, name: string, at: Position): void {
    super.note(context, name, at)
    this.#builder.uses(name.toLowerCase(), at)
  }
}

/** A loaded configuration. */
export class Model {
  readonly root: Node
  readonly config: Config
  readonly diagnostics: Diagnostics
  readonly fragment: boolean
  readonly elsewhere: boolean
  /** All statements, in file order. */
  readonly nodes: readonly Node[]
  readonly #byName = new Map<string, Node[]>()

  constructor(
    root: Node,
    config: Config,
    diagnostics: Diagnostics,
    { fragment = false, elsewhere = false }: ModelSource,
  ) {
    this.root = root
    this.config = config
    this.diagnostics = diagnostics
    this.fragment = fragment
    this.elsewhere = elsewhere
    const nodes: Node[] = []
    root.collect(nodes)
    this.nodes = nodes
    for (const node of nodes) {
      const list = this.#byName.get(node.name)
      if (node.isEntry) continue
      if (list === undefined) this.#byName.set(node.name, [node])
      else list.push(node)
    }
  }

  /** All of it is here: what is not, is nowhere. */
  get complete(): boolean {
    return !this.fragment && this.missing.length === 0
  }

  /** Names that are used nowhere here may be used in files that are not here: an include for them finds none. */
  get closed(): boolean {
    return (
      this.complete && ![...this.config.snapshot.globs].some(([at, files]) => files.length === 0 && !/modules/.test(at))
    )
  }

  /** A part of it is lost: what is not there may be in what could not be read. */
  get torn(): boolean {
    return this.missing.length > 0 || this.diagnostics.all.some(({ message }) => message.startsWith('unexpected "'))
  }

  /** Files that could not be read. */
  get missing(): readonly string[] {
    return [...this.config.snapshot.missing.keys()]
  }

  /** All directives with one of the names, in file order. */
  all(...names: readonly string[]): Node[] {
    return names.flatMap((name) => this.#byName.get(name) ?? [])
  }

  /** All locations, servers and pseudo-blocks in which requests are answered. */
  get places(): Node[] {
    return this.all('server', 'location', 'if', 'limit_except').filter(
      ({ opens }) => opens !== undefined && !opens.startsWith('stream'),
    )
  }

  /** The directives of a name that are in effect in a block: its own, or what it inherits as the declaration has it. */
  effective(block: Node, name: string): readonly Node[] {
    let inPseudo = true
    for (let at: Node | undefined = block; at !== undefined; at = at.parent) {
      const own = at.own(name)
      const directive = own[0]?.directive
      if (own.length > 0) {
        if (at === block || directive === undefined || directive.inheritance === 'inherit') return own
        return directive.inheritance === 'pseudo' && inPseudo ? own : []
      }
      inPseudo &&= PSEUDO.has(at.opens)
    }
    return []
  }

  /** The words of a directive in effect in a block: given, or its default; undefined when it has none. */
  setting(block: Node, name: string): string | undefined {
    const given = this.effective(block, name).at(-1)
    if (given !== undefined) return given.words.join(' ')
    return block.opens === undefined ? undefined : registry.find(name, block.opens)?.default
  }
}
