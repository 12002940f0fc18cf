/**
 * The configuration that holds in a master, and how another one takes its place: loaded, checked, its sockets opened,
 * its folders made — and only then current. Until then nothing of the old one has changed.
 */
import type { Diagnostics } from '../config/diagnostics.ts'
import { formatMessage, formatPretty } from '../config/format.ts'
import { diskReader, type SourceFile, type SourceReader, snapshotReader } from '../config/include.ts'
import type { Config, ConfigModule } from '../config/load.ts'
import { errnoText } from '../lib/errno.ts'
import { type ErrorLog, levelOf } from '../log/error-log.ts'
import type { LogFiles } from '../log/log-files.ts'
import { mainDirectives } from '../modules/core/main.ts'
import type { ListenSpec } from '../runtime/endpoints.ts'
import type { Program } from '../runtime/program.ts'
import type { ZoneRequest } from '../tree/builder.ts'
import { fileMark } from './file-watch.ts'
import { type ConfigOrigin, type Loaded, loadInMaster } from './load-program.ts'
import { machineLimits, shortcomings } from './machine-limits.ts'
import { mainLogPaths, openMainLog } from './main-log.ts'
import type { ConfigSource, EngineSettings } from './messages.ts'
import { createFolders, giveLogs, makeLogFolder } from './paths.ts'
import { removePidFile, runningServer, writePidFile } from './pid-file.ts'
import { engineSettings, type MasterSettings, masterSettings } from './settings.ts'
import type { SocketBook } from './socket-book.ts'

/** A checked configuration: what is left to know of it. What it was compiled to is let go of, since a master serves nobody. */
export interface Applied {
  readonly settings: MasterSettings
  readonly engine: EngineSettings
  readonly log: ErrorLog
  /** The file behind it, when there is one. */
  readonly mainLog: string | undefined
  /** What workers load it from. */
  readonly source: ConfigSource
  /** Its files, for `-T`. */
  readonly files: readonly SourceFile[]
  readonly listens: readonly ListenSpec[]
  readonly zones: readonly ZoneRequest[]
  readonly tempPaths: readonly string[]
  /** Files that may be replaced at any time. */
  readonly renewable: readonly string[]
}

/** Where a configuration comes from and where its problems go. */
export interface ConfigurationOptions {
  readonly origin: ConfigOrigin
  /** Default of `pid`, taken from the prefix. */
  readonly defaultPid: string
  readonly modules: readonly ConfigModule[]
  readonly files: LogFiles
  /** The log until the configuration names one. */
  readonly bootLog: ErrorLog
  /** Where start-up problems are also shown, as `[level] message`; undefined when nobody looks any more. */
  console: ((line: string) => void) | undefined
  /** Show the lines of the configuration that problems are about, for a person at a terminal. */
  readonly pretty: boolean
  readonly inherited: boolean
}

/** Holds the current configuration of one master. */
export class Configuration {
  readonly #options: ConfigurationOptions
  #applied: Applied | undefined
  #marks = new Map<string, string>()
  /** What was last found wrong with a configuration. */
  lastProblem = ''

  constructor(options: ConfigurationOptions) {
    this.#options = options
  }

  get origin(): ConfigOrigin {
    return this.#options.origin
  }

  get modules(): readonly ConfigModule[] {
    return this.#options.modules
  }

  /** True when the sockets came from an older master. */
  get inherited(): boolean {
    return this.#options.inherited
  }

  /** The one that holds; there is one after the first `load` has succeeded. */
  get current(): Applied {
    if (this.#applied === undefined) throw new Error('no configuration was loaded')
    return this.#applied
  }

  /** Logs a problem, and shows it while the program starts. */
  readonly report = (level: 'emerg' | 'alert' | 'error' | 'warn' | 'notice', message: string): void => {
    this.#log(level, message)
    if (level !== 'notice') this.#options.console?.(`[${level}] ${message}`)
  }

  #log(level: string, message: string): void {
    if (level === 'emerg') this.lastProblem = message
    const log = this.#applied?.log ?? this.#options.bootLog
    log.write(levelOf(level)!, message)
  }

  #reportAll({ files }: Config, { all }: Diagnostics): void {
    const textOf = (path: string): string | undefined => files.find((file) => file.path === path)?.text
    for (const found of all) {
      const message = formatMessage(found)
      this.#log(found.level, message)
      if (found.level === 'notice') continue
      this.#options.console?.(this.#options.pretty ? formatPretty(found, textOf) : `[${found.level}] ${message}`)
    }
  }

  /** Ends the showing of problems: whoever started the program has been told that it runs. */
  closeConsole(): void {
    this.#options.console = undefined
  }

  /** Loads and checks; what is wrong is reported and there is no result. Changes nothing. */
  load(): Applied | undefined {
    const { defaultPid } = this.#options
    let logError: unknown
    try {
      const { config, diagnostics, program, log } = this.#loadInheriting()
      const settings = program && masterSettings(program, defaultPid, diagnostics)
      this.#reportAll(config, diagnostics)
      return settings === undefined || diagnostics.failed ? undefined : this.#keep(program!, settings, log)
    } catch (error) {
      logError = error
    }
    const { path } = logError as NodeJS.ErrnoException
    if (path === undefined) throw logError
    this.report('emerg', `open() "${path}" failed ${errnoText(logError)}`)
    return undefined
  }

  #keep(program: Program, settings: MasterSettings, log: ErrorLog): Applied {
    const { origin } = this.#options
    const { config, facts, listens, zones, tempPaths, renewable } = program
    return {
      settings,
      engine: engineSettings(program, settings, origin.errorLog),
      log,
      mainLog: mainLogPaths(config, origin.errorLog)[0],
      source: { ...origin, snapshot: config.snapshot, facts },
      files: config.files,
      listens,
      zones,
      tempPaths,
      renewable,
    }
  }

  #loadFrom(reader: SourceReader): Loaded {
    const { origin, modules, files } = this.#options
    const openLog = (loaded: Config) => openMainLog(loaded, origin.errorLog, files)
    return loadInMaster(origin, modules, reader, files, openLog)
  }

  /** Loads from the disk, but for certificates and their kin that look as they did when they were read last. */
  #loadInheriting(): Loaded {
    const loaded = this.#loadFrom(this.#applied === undefined ? diskReader : this.#inheriting(this.#applied))
    const off = loaded.config.main.resolve(mainDirectives).ssl_object_cache_inheritable === false
    return off && this.#applied !== undefined ? this.#loadFrom(diskReader) : loaded
  }

  #inheriting({ source: { snapshot }, renewable }: Applied): SourceReader {
    const known = new Set(renewable)
    return {
      ...diskReader,
      read: (path) => {
        const text = known.has(path) ? snapshot.texts.get(path) : undefined
        return text !== undefined && this.#marks.get(path) === fileMark(path) ? text : diskReader.read(path)
      },
    }
  }

  /**
   * Loads the configuration that holds with the files that were renewed since they were read; undefined when that cannot
   * be: the old ones stay in use, and it is logged.
   */
  renew(): Applied | undefined {
    const { source, settings } = this.current
    const old = snapshotReader(source.snapshot)
    const marks = new Map(this.#marks)
    const renewed: string[] = []
    const read = (path: string): string => {
      const mark = fileMark(path)
      if (!marks.has(path) || mark === '' || mark === marks.get(path)) return old.read(path)
      marks.set(path, mark)
      renewed.push(path)
      return diskReader.read(path)
    }
    const { diagnostics, program: next, log } = this.#loadFrom({ ...old, read })
    if (next === undefined) {
      const why = diagnostics.all.filter((found) => found.level === 'emerg').map(formatMessage)
      this.report('error', `renewed files are not used, the old ones stay: ${why.join('; ')}`)
      return undefined
    }
    // Files that only workers read.
    for (const path of next.renewable) {
      const mark = fileMark(path)
      if (renewed.includes(path) || mark === '' || mark === marks.get(path)) continue
      marks.set(path, mark)
      renewed.push(path)
    }
    this.report('notice', `renewed files are used from now on: ${renewed.join(', ')}`)
    this.#applied = this.#keep(next, settings, log)
    this.#marks = marks
    return this.#applied
  }

  /** What told the renewable files from others when they were read. */
  get marks(): ReadonlyMap<string, string> {
    return this.#marks
  }

  /** Reports what the machine will not give although this configuration counts on it. */
  warnOfLimits({ settings, listens }: Applied): void {
    const { connections, workers, nofile } = settings
    const backlog = Math.max(0, ...listens.map((listen) => listen.backlog))
    const lines = shortcomings({ connections, workers, nofile, backlog }, machineLimits())
    for (const line of lines) this.report('warn', line)
  }

  /** Makes a loaded configuration the one that holds: logs, folders and sockets first. False: it does not hold. */
  async apply(next: Applied, sockets: SocketBook): Promise<boolean> {
    const { settings } = next
    const paths = next.engine.logFiles
    if (!this.makeFiles(next)) return false
    // The engine of a running server has no right to create them.
    const identity = this.#applied === undefined ? undefined : settings.identity
    const refused = identity === undefined ? [] : giveLogs(paths, identity)
    for (const error of refused) this.report('emerg', error)
    this.warnOfLimits(next)
    const rival = (): string | undefined => runningServer(settings.pidPath)
    if (!(await sockets.open(next.listens, settings.workers, this.report, rival))) return false
    this.#applied = next
    this.#marks = new Map(next.renewable.map((path) => [path, fileMark(path)]))
    return true
  }

  /** Loads again and applies; false when the old configuration goes on. */
  async reload(sockets: SocketBook): Promise<boolean> {
    const applied = await this.#reload(sockets)
    const { files } = this.#options
    // Also of a configuration that was refused.
    files.keepOnly(new Set(this.current.engine.logFiles))
    files.closeRetired()
    return applied
  }

  async #reload(sockets: SocketBook): Promise<boolean> {
    const next = this.load()
    if (next === undefined || !this.#keepsZones(next)) return false
    const { pidPath: before } = this.current.settings
    const { pidPath } = next.settings
    if (pidPath === before) return this.apply(next, sockets)
    const error = writePidFile(pidPath)
    if (error !== undefined) {
      this.report('emerg', error)
      return false
    }
    const applied = await this.apply(next, sockets)
    removePidFile(applied ? before : pidPath)
    return applied
  }

  /** Zones that stay must go on meaning the same. */
  #keepsZones({ zones }: Applied): boolean {
    for (const { name, size, tag, bound } of zones) {
      const before = this.current.zones.find((zone) => zone.name === name && zone.tag === tag)
      if (before?.size !== size || before.bound === undefined) continue
      if (before.bound.value === bound?.value) {
        const { shape } = bound
        if (shape === undefined || shape.value === before.bound.shape?.value) continue
        this.report('emerg', shape.changed)
        return false
      }
      const { owner, kind, value } = bound ?? { ...before.bound, value: '' }
      const change = `uses the "${value}" ${kind} while previously it used the "${before.bound.value}" ${kind}`
      this.report('emerg', `${owner} ${change}`)
      return false
    }
    return true
  }

  /** Opens this process's log files anew. */
  reopenLogs(): void {
    const { files } = this.#options
    for (const { path, error } of files.reopen()) this.report('emerg', `open() "${path}" failed ${errnoText(error)}`)
    files.closeRetired()
  }

  /** Creates the folders and log files that a loaded configuration needs; false: one of them cannot be. */
  makeFiles({ tempPaths, settings, engine }: Applied): boolean {
    const error = createFolders(tempPaths, settings.identity)
    if (error !== undefined) this.report('emerg', error)
    return error === undefined && this.#openLogs(engine.logFiles)
  }

  #openLogs(paths: readonly string[]): boolean {
    makeLogFolder(this.origin.prefix, paths)
    for (const path of paths) {
      try {
        this.#options.files.open(path)
      } catch (error) {
        this.report('emerg', `open() "${path}" failed ${errnoText(error)}`)
        return false
      }
    }
    return true
  }
}
