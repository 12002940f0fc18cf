/**
 * What an HTTP module is: a name, its directives, its variables, and how it attaches to locations. Everything that a
 * module does happens while the configuration loads; what is left for requests are the steps that it put into plans.
 *
 *   init      once for the http block: zones, tables
 *   declare   once per block (http, server, location, if, limit_except): variables that the block makes
 *   attach    once per location after inheritance: steps, filters
 */
import type { ConfOf, Directives, ScopeView } from '../../config/directive.ts'
import type { ConfigModule } from '../../config/load.ts'
import type { Scope } from '../../config/scope.ts'
import type { Position } from '../../config/source.ts'
import type { ErrorLog } from '../../log/error-log.ts'
import type { LogFiles } from '../../log/log-files.ts'
import type { Pattern } from '../../value/regex.ts'
import type { Template } from '../../value/template.ts'
import type { Getter, Setter, Variables, VariableTable } from '../../value/variables.ts'
import type { CapturePattern, LocationConf, ServerConf } from '../request/location.ts'
import type { Plan, Text } from '../request/plan.ts'
import type { Request } from '../request/request.ts'

/** Which process or thread compiles: only a worker serves, the others check and list what it will need. */
export type Role = 'master' | 'engine' | 'worker'

/** What the records of a zone mean: `limit_req "one"` and its `"$uri"` key. A reload that changes it is refused. */
export interface ZoneBinding {
  readonly owner: string
  readonly kind: string
  readonly value: string
}

/** A file that belongs to the configuration: its text, or why it cannot be read (`ENOENT`). */
export interface ConfigFile {
  readonly text: string
  readonly errno: string
}

/** Services of the tree that is being built. */
export interface TreeContext {
  readonly role: Role
  readonly workerId: number
  readonly log: ErrorLog
  readonly files: LogFiles
  /** Reports an error in the configuration; the tree will not be used. */
  fail(message: string, at?: Position): void
  warn(message: string, at?: Position): void
  readonly variables: VariableTable<Request>
  /** Compiles a template; an unknown variable is reported. */
  text(template: Template): Text
  /** A variable's getter; an unknown one is reported. */
  variable(name: string): Getter<Request>
  /** How to write a variable that the configuration makes (`set`, `auth_request_set`). */
  setter(name: string): Setter<Request>
  /** Binds the named captures of a pattern to variables. */
  pattern(pattern: Pattern): CapturePattern
  /** A path that is relative to the `-p` prefix, made absolute. */
  prefixed(path: string): string
  /** Reads a certificate, key or database at load: workers get what the master could read. */
  readFile(path: string): ConfigFile
  /** The same of a file that may be renewed while the server runs; the tree is then built anew with what is new. */
  readRenewable(path: string): ConfigFile
  /** Names a file that workers will write to, so that the master creates it and hands it down. */
  logFile(path: string): void
  /** Names a folder for temporary files, to be created by the master. */
  tempPath(path: string): void
  /**
   * Asks for a shared zone; in a worker (and the engine) its buffer is there when modules attach. Size 0 refers to a zone
   * that another directive, before or after, gives its size. What a zone is bound to may not change while it lives.
   */
  zone(name: string, size: number, tag: string, at?: Position, bound?: ZoneBinding): SharedArrayBuffer | undefined
  /** What modules share by name across the tree: one value per key, made by the first who asks. */
  shared<T>(key: string, make: () => T): T
  /** Runs when all locations are attached. */
  afterAttach(run: () => void): void
  /** Runs when a worker begins to serve the tree, after shared values took over from the tree before. */
  onStart(run: () => void): void
  /** Runs when the worker reopens its logs (USR1) or ends: flush, close. */
  onReopen(run: () => void): void
  onExit(run: () => void): void
}

/** A shared value that survives reloads: it gets its predecessor of the same key, which is not used for new requests. */
export interface Heir {
  inherit(previous: unknown): void
}

/** What `attach` gets beside the settings and the plan. */
export interface AttachContext extends TreeContext {
  readonly location: LocationConf
  readonly server: ServerConf
  readonly scope: Scope
  /** Compiles an `if` or `limit_except` block of this location. */
  pseudo(scope: ScopeView): LocationConf
}

/** The parts of a module; all but name, doc and directives are optional. */
export interface HttpModuleSpec<D extends Directives> {
  readonly name: string
  readonly doc: string
  readonly directives: D
  readonly variables?: Variables<Request>
  /** Families of variables: `http_` makes `$http_x`. */
  readonly prefixes?: Readonly<Record<string, (rest: string) => Getter<Request>>>
  init?(conf: ConfOf<D>, tree: TreeContext, scope: Scope): void
  declare?(conf: ConfOf<D>, tree: TreeContext, scope: Scope): void
  attach?(conf: ConfOf<D>, plan: Plan, at: AttachContext): void
}

/** A module with its types erased: what the compiler works with. */
export interface HttpModule extends ConfigModule, Omit<HttpModuleSpec<Directives>, 'declare' | 'attach' | 'init'> {
  readonly isHttp: true
  init?(conf: unknown, tree: TreeContext, scope: Scope): void
  declare?(conf: unknown, tree: TreeContext, scope: Scope): void
  attach?(conf: unknown, plan: Plan, at: AttachContext): void
}

/** Defines a module; the types of its settings come from its directives. */
export function httpModule<const D extends Directives>(spec: HttpModuleSpec<D>): HttpModule {
  // Each hook is called with the settings resolved from the module's own directives, which is what its type says.
  return { ...spec, isHttp: true } as unknown as HttpModule
}

/** Tells http modules from the rest of the module list. */
export function isHttpModule(module: ConfigModule): module is HttpModule {
  return (module as Partial<HttpModule>).isHttp === true
}
