/** The services that modules use while a tree is built, and what the build leaves behind: zones, files, folders, hooks. */
import type { Diagnostics } from '../config/diagnostics.ts'
import { fullName, type SourceReader } from '../config/include.ts'
import type { Position } from '../config/source.ts'
import { errnoCode } from '../lib/errno.ts'
import type { Steps } from '../lib/steps.ts'
import { EMERG, type ErrorLog } from '../log/error-log.ts'
import type { LogFiles } from '../log/log-files.ts'
import type { Pattern } from '../value/regex.ts'
import type { Template } from '../value/template.ts'
import {
  compileTemplate,
  type Getter,
  type HasSlots,
  type MadeVariable,
  type NoValue,
  type Setter,
  type Text,
  VariableTable,
} from '../value/variables.ts'
import type { CapturePattern, ConfigFile, Heir, Role, TreeContext, ZoneBinding } from './context.ts'

/** What a build may use. */
export interface TreeEnv {
  readonly diagnostics: Diagnostics
  /** What a checked configuration is known to have; undefined: it is checked now. */
  readonly facts: CheckedFacts | undefined
  readonly role: Role
  readonly workerId: number
  readonly isFirst: boolean
  readonly prefix: string
  /** Reads files that belong to the configuration, in workers as the master found them. */
  readonly source: SourceReader
  readonly log: ErrorLog
  readonly files: LogFiles
  /** Buffers of the zones by name; empty in the master. */
  readonly zones: ReadonlyMap<string, SharedArrayBuffer>
}

/** What the check of a configuration has found out, for those who take it over without reading all of it. */
export interface CheckedFacts {
  readonly variables: readonly MadeVariable[]
  /** Addresses of host names. */
  readonly hosts: ReadonlyMap<string, readonly string[]>
  /** Files that may be renewed: certificates and their kin. */
  readonly renewable: readonly string[]
}

/** A shared zone that the configuration asks for. */
export interface ZoneRequest {
  readonly name: string
  readonly size: number
  readonly tag: string
  readonly bound: ZoneBinding | undefined
}

export class TreeBuilder<Subject extends HasSlots> implements TreeContext<Subject> {
  readonly variables: VariableTable<Subject>
  readonly role: Role
  readonly workerId: number
  readonly isFirst: boolean
  /** Somebody has checked the configuration before. */
  readonly checked: boolean
  readonly log: ErrorLog
  readonly files: LogFiles
  readonly zones = new Map<string, ZoneRequest>()
  readonly logPaths = new Set<string>()
  readonly tempPaths = new Set<string>()
  readonly renewable = new Set<string>()
  /** `keepNetRaw` was called. */
  keepsNetRaw = false
  readonly startHooks: (() => void)[] = []
  readonly reopenHooks: (() => void)[] = []
  readonly exitHooks: (() => void)[] = []
  readonly quitHooks: (() => void)[] = []
  readonly leaveHooks: ((done: () => void) => void)[] = []
  readonly #env: TreeEnv
  readonly #shared = new Map<string, unknown>()
  readonly #patterns = new Map<Pattern, CapturePattern>()
  readonly #afterAttach: (() => void)[] = []
  #started = false
  /** The variables that the configuration names, in lower case, and where. */
  readonly uses: ReadonlyMap<string, Position>
  /** Unknown variables that were told of. */
  readonly #reported = new Set<string>()

  constructor(env: TreeEnv, noValue: NoValue<Subject>, uses: ReadonlyMap<string, Position> = new Map()) {
    this.uses = uses
    this.variables = new VariableTable(noValue)
    this.#env = env
    this.role = env.role
    this.workerId = env.workerId
    this.isFirst = env.isFirst
    this.checked = env.facts !== undefined
    this.log = env.log
    this.files = env.files
    // Modules get objects that inherit from this one, and private fields are not inherited.
    for (const name of BOUND) Object.defineProperty(this, name, { value: this[name].bind(this) })
  }

  fail(message: string, at?: Position): void {
    this.#env.diagnostics.emerg(message, at)
    if (this.#started) this.log.write(EMERG, message)
  }

  warn(message: string, at?: Position): void {
    this.#env.diagnostics.warn(message, at)
  }

  text(template: Template): Text<Subject> {
    return compileTemplate(template, this.variables, (name) => this.#unknown(name))
  }

  variable(name: string): Getter<Subject> {
    const getter = this.variables.find(name)
    if (getter === undefined) this.#unknown(name)
    return getter ?? (() => undefined)
  }

  #unknown(name: string): void {
    const key = name.toLowerCase()
    if (this.#reported.has(key)) return
    this.#reported.add(key)
    this.fail(`unknown "${name}" variable`, this.uses.get(key))
  }

  /** All variables are declared: reports those that are used without. */
  checkUses(): void {
    for (const name of this.uses.keys()) if (!this.variables.has(name)) this.#unknown(name)
  }

  setter(name: string): Setter<Subject> {
    return this.variables.settable(name)
  }

  pattern(pattern: Pattern, at?: Position): CapturePattern {
    const known = this.#patterns.get(pattern)
    if (known !== undefined) return known
    const slots: [number, number][] = []
    pattern.names.forEach((name, group) => {
      if (group === 0 || name === '') return
      if (this.variables.isFixed(name)) this.fail(`the duplicate "${name}" variable`, at)
      else slots.push([group, this.variables.slotOf(name)])
    })
    const made: CapturePattern = { pattern, slots }
    this.#patterns.set(pattern, made)
    return made
  }

  prefixed(path: string): string {
    return fullName(path, this.#env.prefix)
  }

  readFile(path: string): ConfigFile {
    try {
      return { text: this.#env.source.read(path), errno: '' }
    } catch (error) {
      return { text: '', errno: errnoCode(error) }
    }
  }

  readRenewable(path: string): ConfigFile {
    this.renewable.add(path)
    return this.readFile(path)
  }

  watchFile(path: string): void {
    this.renewable.add(path)
  }

  keepNetRaw(): void {
    this.keepsNetRaw = true
  }

  logFile(path: string): void {
    this.logPaths.add(path)
  }

  tempPath(path: string): void {
    this.tempPaths.add(path)
  }

  zone(name: string, size: number, tag: string, at?: Position, bound?: ZoneBinding): SharedArrayBuffer | undefined {
    const known = this.zones.get(name)
    if (known === undefined || (known.size === 0 && known.tag === tag)) this.zones.set(name, { name, size, tag, bound })
    else if (known.tag !== tag) {
      this.fail(`the shared memory zone "${name}" is already declared for a different use`, at)
    } else if (size !== known.size && size > 0 && known.size > 0) {
      this.fail(
        `the size ${size} of shared memory zone "${name}" conflicts with already declared size ${known.size}`,
        at,
      )
    }
    return this.#env.zones.get(name)
  }

  zoneNames(): readonly string[] {
    return [...new Set([...this.#env.zones.keys(), ...this.zones.keys()])]
  }

  zoneMemory(name: string): SharedArrayBuffer | undefined {
    return this.#env.zones.get(name)
  }

  renewableFiles(): readonly string[] {
    return this.#env.facts?.renewable ?? [...this.renewable]
  }

  shared<T>(key: string, make: () => T): T {
    if (!this.#shared.has(key)) this.#shared.set(key, make())
    return this.#shared.get(key) as T // whoever uses the key made the value
  }

  /** Lets what modules share take over from the tree that this one replaces (see `Heir`). */
  inherit(previous: TreeBuilder<Subject>): void {
    for (const [key, value] of this.#shared) {
      const before = previous.#shared.get(key)
      if (before !== undefined && isHeir(value)) value.inherit(before)
    }
  }

  afterAttach(run: () => void): void {
    this.#afterAttach.push(run)
  }

  onStart(run: () => void): void {
    if (this.#started) run()
    else this.startHooks.push(run)
  }

  /** Requests come from now on; what compiles later starts at once. */
  start(): void {
    this.#started = true
    for (const run of this.startHooks.splice(0)) run()
  }

  onReopen(run: () => void): void {
    this.reopenHooks.push(run)
  }

  onExit(run: () => void): void {
    this.exitHooks.push(run)
  }

  onQuit(run: () => void): void {
    this.quitHooks.push(run)
  }

  onLeave(run: (done: () => void) => void): void {
    this.leaveHooks.push(run)
  }

  /** All locations, or those of a server that is compiled later, are attached. */
  *finish(): Steps<void> {
    for (const run of this.#afterAttach.splice(0)) {
      yield
      run()
    }
    for (const { name, size } of this.zones.values())
      if (size === 0) this.fail(`zero size shared memory zone "${name}"`)
  }
}

function isHeir(value: unknown): value is Heir {
  return typeof value === 'object' && value !== null && 'inherit' in value
}

const BOUND = [
  'fail',
  'warn',
  'text',
  'variable',
  'setter',
  'pattern',
  'prefixed',
  'readFile',
  'readRenewable',
  'watchFile',
  'keepNetRaw',
  'logFile',
  'tempPath',
  'zone',
  'zoneNames',
  'zoneMemory',
  'renewableFiles',
  'shared',
  'afterAttach',
  'onStart',
  'onReopen',
  'onExit',
  'onQuit',
  'onLeave',
] as const
