/**
 * What a tree of settings offers to the modules that are compiled into it: services while it is built, whatever is served.
 * `Subject` is what its variables are asked of: a request, or a session of `stream`.
 */
import type { ScopeView } from '../config/directive.ts'
import type { Position } from '../config/source.ts'
import type { ErrorLog } from '../log/error-log.ts'
import type { LogFiles } from '../log/log-files.ts'
import type { Pattern } from '../value/regex.ts'
import type { Template } from '../value/template.ts'
import type { Getter, HasSlots, Setter, Text, VariableTable } from '../value/variables.ts'

/** Who compiles: only a worker serves, the master checks and lists what it will need. */
export type Role = 'master' | 'worker'

/** What the records of a zone mean: `limit_req "one"` and its `"$uri"` key. A reload that changes it is refused. */
export interface ZoneBinding {
  readonly owner: string
  readonly kind: string
  readonly value: string
  /** Something else that may not change, and what is said when it does. */
  readonly shape?: { readonly value: string; readonly changed: string }
}

/** A file that belongs to the configuration: its text, or why it cannot be read (`ENOENT`). */
export interface ConfigFile {
  readonly text: string
  readonly errno: string
}

/** Services of the tree that is being built, whatever it serves. */
export interface TreeServices {
  readonly role: Role
  /** A number that no other worker has as long as this one lives; -1 in a master. */
  readonly workerId: number
  /** This worker does what one does for all. */
  readonly isFirst: boolean
  readonly log: ErrorLog
  readonly files: LogFiles
  /** The master has checked the configuration, which this tree takes over. */
  readonly checked: boolean
  /** Reports an error in the configuration; the tree will not be used. */
  fail(message: string, at?: Position): void
  warn(message: string, at?: Position): void
  /** A path that is relative to the `-p` prefix, made absolute. */
  prefixed(path: string): string
  /** Reads a certificate, key or database at load: workers get what the master could read. */
  readFile(path: string): ConfigFile
  /** The same of a file that may be renewed while the server runs; the tree is then built anew with what is new. */
  readRenewable(path: string): ConfigFile
  /** Names a file that workers read themselves; when it is renewed the tree is built anew, too. */
  watchFile(path: string): void
  /** All files that may be renewed, also those of blocks that are not read yet. */
  renewableFiles(): readonly string[]
  /** Names a file that workers will write to, so that the master creates it and hands it down. */
  logFile(path: string): void
  /** Names a folder for temporary files, to be created by the master. */
  tempPath(path: string): void
  /** Has workers keep the right to use addresses that are not this machine's (CAP_NET_RAW) when they give up root. */
  keepNetRaw(): void
  /**
   * Asks for a shared zone; in a worker (and the engine) its buffer is there when modules attach. Size 0 refers to a zone
   * that another directive, before or after, gives its size. What a zone is bound to may not change while it lives.
   */
  zone(name: string, size: number, tag: string, at?: Position, bound?: ZoneBinding): SharedArrayBuffer | undefined
  /** Names of all zones that there are, and of those asked for so far. */
  zoneNames(): readonly string[]
  /** The memory of a zone that is there, whoever asked for it. */
  zoneMemory(name: string): SharedArrayBuffer | undefined
  /** What modules share by name across the tree: one value per key, made by the first who asks. */
  shared<T>(key: string, make: () => T): T
  /** Runs when all locations are attached. */
  afterAttach(run: () => void): void
  /** Runs when a worker begins to serve the tree, after shared values took over from the tree before. */
  onStart(run: () => void): void
  /** Runs when the worker reopens its logs (USR1) or ends: flush, close. */
  onReopen(run: () => void): void
  onExit(run: () => void): void
  /** Runs when the worker is told to end gracefully: others do from now on what it does beside serving. */
  onQuit(run: () => void): void
  /** Runs when a worker has served its last request and has a moment left to send what it owes; `done` is called once. */
  onLeave(run: (done: () => void) => void): void
}

/** The same with variables, which are asked of a `Subject`. */
export interface TreeContext<Subject extends HasSlots> extends TreeServices {
  readonly variables: VariableTable<Subject>
  /** Compiles a template; an unknown variable is reported. */
  text(template: Template): Text<Subject>
  /** A variable's getter; an unknown one is reported. */
  variable(name: string): Getter<Subject>
  /** How to write a variable that the configuration makes (`set`, `auth_request_set`). */
  setter(name: string): Setter<Subject>
  /** Binds the named captures of a pattern to variables. */
  pattern(pattern: Pattern, at?: Position): CapturePattern
}

/** What is known of the block that is compiled. */
export interface BlockServices extends TreeServices {
  readonly scope: ScopeView
}

/** The same with variables. */
export interface BlockContext<Subject extends HasSlots> extends TreeContext<Subject>, BlockServices {}

/** A shared value that survives reloads: it gets its predecessor of the same key, which is not used for new requests. */
export interface Heir {
  inherit(previous: unknown): void
}

/** A pattern with the slots that its named captures fill. */
export interface CapturePattern {
  readonly pattern: Pattern
  /** Pairs of capture number and variable slot. */
  readonly slots: readonly (readonly [number, number])[]
}
