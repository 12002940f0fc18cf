/** From a path to a checked configuration: reads, parses, validates; problems go to `diagnostics`, never to a throw. */
import { finish, type Steps } from '../lib/steps.ts'
import type { Diagnostics } from './diagnostics.ts'
import type { Directives } from './directive.ts'
import {
  folderOf,
  fullName,
  Includer,
  openFailure,
  recordingReader,
  type SourceFile,
  type SourceReader,
  type SourceSnapshot,
} from './include.ts'
import { parse } from './parser.ts'
import { Registry } from './registry.ts'
import { Scope, ScopeEnv } from './scope.ts'
import { COMMAND_LINE, type Position, type Statement } from './source.ts'
import { type Reading, Validator } from './validate.ts'
import { VariableUses } from './variable-uses.ts'

/** The part of a module that configuration needs: its name and what it declares. */
export interface ConfigModule {
  readonly name: string
  readonly directives: Directives
}

/** What to load and how. */
export interface LoadOptions {
  /** The main file; a relative path is taken from `prefix`. */
  readonly path: string
  /** The `-p` prefix. */
  readonly prefix: string
  /** Folder for relative names in the configuration; the main file's folder unless given. */
  readonly confPrefix?: string
  /** The text of `-g`. */
  readonly globals?: string
  readonly modules: readonly ConfigModule[]
  readonly reader: SourceReader
  readonly diagnostics: Diagnostics
  /** It was loaded once without a mistake: blocks that may wait for their first use are not read yet. */
  readonly checked?: boolean
  /** Tools watch what is read. */
  readonly reading?: Reading
  /** Words and paths are text in characters: for tools that show what is written, and run nothing. */
  readonly characters?: boolean
  /** Where the variables are noted that are named. */
  readonly uses?: VariableUses
}

/** A configuration after loading; meaningful only when the diagnostics did not fail. */
export interface Config {
  readonly main: Scope
  /** Each file once, in the order first read: what `-T` prints. */
  readonly files: readonly SourceFile[]
  /** Everything read so far, also through `source`; can be sent to another thread and replayed by `snapshotReader`. */
  readonly snapshot: SourceSnapshot
  /** Reads further files that belong to the configuration (keys, databases) so that the snapshot holds them. */
  readonly source: SourceReader
  readonly prefix: string
  readonly confPrefix: string
  readonly uses: VariableUses
}

/** Loads a configuration. Reports every mistake of the run to `diagnostics` and always returns. */
export function loadConfig(options: LoadOptions): Config {
  return finish(loadInSteps(options))
}

/** The same in steps. */
export function* loadInSteps(options: LoadOptions): Steps<Config> {
  const { diagnostics, modules } = options
  const binary = options.characters !== true
  const prefix = asFolder(options.prefix)
  const path = fullName(options.path, prefix)
  const confPrefix = asFolder(options.confPrefix ?? folderOf(path))
  const { reader, snapshot } = recordingReader(options.reader)
  const registry = new Registry(modules)
  const includer = new Includer(reader, confPrefix, { late: registry.lateRule(options.checked === true), binary })
  const top: Position = { file: path, line: 1, column: 1 }
  const main = new Scope('main', top, new ScopeEnv(prefix, confPrefix))
  const { uses = new VariableUses() } = options
  const validator = new Validator(registry, diagnostics, prefix, confPrefix, uses, options.reading)
  const globals = parse(options.globals ?? '', COMMAND_LINE, { parameter: true, binary })
  yield* validator.walk(yield* includer.expand(globals), main)
  let failure: string | undefined
  let statements: readonly Statement[] = []
  try {
    statements = yield* includer.load(path)
  } catch (error) {
    failure = openFailure(path, error)
  }
  yield* validator.walk(statements, main)
  if (failure !== undefined) diagnostics.emerg(failure)
  return { main, files: includer.files, snapshot, source: reader, prefix, confPrefix, uses }
}

function asFolder(path: string): string {
  return path === '' || path.endsWith('/') ? path : `${path}/`
}
