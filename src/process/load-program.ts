/**
 * A configuration from its source to a compiled program: from the disk in the master, from the master's snapshot in
 * every other thread, which may have no right to read the files any more.
 */
import { Diagnostics } from '../config/diagnostics.ts'
import type { SourceReader } from '../config/include.ts'
import { type Config, type ConfigModule, loadInSteps } from '../config/load.ts'
import { forgetHosts } from '../lib/resolve-host.ts'
import { finish, type Steps } from '../lib/steps.ts'
import type { ErrorLog } from '../log/error-log.ts'
import { NULL_LOG } from '../log/error-log.ts'
import { LogFiles } from '../log/log-files.ts'
import { eventsBlocks } from '../modules/core/events.ts'
import { compileProgram, type Program } from '../runtime/program.ts'
import type { CheckedFacts } from '../tree/builder.ts'
import type { Role } from '../tree/context.ts'
import { limitBacktracks } from '../value/regex.ts'

/** What the command line says about the configuration. */
export interface ConfigOrigin {
  readonly path: string
  readonly prefix: string
  readonly globals: string
  /** Where errors go until the configuration says otherwise: an absolute path or `stderr`. */
  readonly errorLog: string
}

/** Who compiles, and with what. */
interface ProgramSetting {
  readonly role: Role
  readonly zones: ReadonlyMap<string, SharedArrayBuffer>
  readonly workerId: number
  readonly isFirst: boolean
  readonly files: LogFiles
  /** What the master found out about a configuration that it has checked; undefined in the master. */
  readonly facts: CheckedFacts | undefined
  /** Makes the log of the main context once the configuration is read. */
  openLog(config: Config): ErrorLog
}

/** The outcome of a load; `program` is undefined exactly when the diagnostics failed. */
export interface Loaded {
  readonly config: Config
  readonly diagnostics: Diagnostics
  readonly program: Program | undefined
  /** The log of the main context; one that nothing is written to when the configuration could not be read. */
  readonly log: ErrorLog
}

/** Loads and compiles. Everything that is wrong is in the diagnostics; it throws only when a log cannot be opened. */
export function* loadProgram(
  origin: ConfigOrigin,
  modules: readonly ConfigModule[],
  reader: SourceReader,
  setting: ProgramSetting,
): Steps<Loaded> {
  const { role, zones, workerId, isFirst, files, facts } = setting
  limitBacktracks()
  forgetHosts(facts?.hosts)
  const diagnostics = new Diagnostics()
  const checked = facts !== undefined
  const config = yield* loadInSteps({ ...origin, modules, reader, diagnostics, checked })
  const hasEvents = config.main.resolve(eventsBlocks).events.length > 0
  if (!diagnostics.failed && !hasEvents) diagnostics.emerg('no "events" section in configuration')
  if (diagnostics.failed) return { config, diagnostics, program: undefined, log: NULL_LOG }
  const log = setting.openLog(config)
  const env = { diagnostics, modules, role, zones, log, files, workerId, isFirst, facts }
  const program = yield* compileProgram(config, env)
  return { config, diagnostics, program: diagnostics.failed ? undefined : program, log }
}

/** Loads at once, as the master does. Without `openLog` nothing is logged: for those who only look at a configuration. */
export function loadInMaster(
  origin: ConfigOrigin,
  modules: readonly ConfigModule[],
  reader: SourceReader,
  files: LogFiles = new LogFiles(),
  openLog: ProgramSetting['openLog'] = () => NULL_LOG,
): Loaded {
  const setting = {
    role: 'master',
    facts: undefined,
    zones: new Map(),
    workerId: -1,
    isFirst: false,
    files,
    openLog,
  } as const
  return finish(loadProgram(origin, modules, reader, setting))
}
