/**
 * What a worker does, whatever it runs in: compile a configuration, swap to it, accept on the sockets it is given, end.
 * A worker thread has one seat; with `master_process off` the only process has one.
 */
import { setTimeout } from 'node:timers'
import { formatMessage } from '../config/format.ts'
import type { SourceReader } from '../config/include.ts'
import type { Config, ConfigModule } from '../config/load.ts'
import { type ErrorLog, NOTICE, NULL_LOG } from '../log/error-log.ts'
import type { LogFiles } from '../log/log-files.ts'
import { eventsBlocks, eventsDirectives } from '../modules/core/events.ts'
import { WorkerRuntime } from '../runtime/worker.ts'
import { type ConfigOrigin, loadProgram } from './load-program.ts'
import { openMainLog } from './main-log.ts'

/** What the seat of one worker is made of. */
export interface SeatOptions {
  readonly id: number
  readonly modules: readonly ConfigModule[]
  readonly files: LogFiles
}

/** A worker. `install` comes first; then sockets may come, and further installs. */
export class WorkerSeat {
  readonly #options: SeatOptions
  readonly #listening = new Set<string>()
  #runtime: WorkerRuntime | undefined
  #log: ErrorLog = NULL_LOG
  #stopped = false

  constructor(options: SeatOptions) {
    this.#options = options
  }

  /** Swaps to a configuration; when it cannot, the old one goes on and the errors are returned. */
  install(
    origin: ConfigOrigin,
    reader: SourceReader,
    zones: ReadonlyMap<string, SharedArrayBuffer>,
  ): readonly string[] {
    const { id: workerId, modules, files } = this.#options
    const { diagnostics, program, log } = loadProgram(origin, modules, reader, {
      role: 'worker',
      zones,
      workerId,
      files,
      openLog: (config) => openMainLog(config, origin.errorLog, files),
    })
    if (program === undefined) {
      return diagnostics.all.filter((found) => found.level === 'emerg').map(formatMessage)
    }
    this.#log = log
    this.#runtime ??= new WorkerRuntime({ workerId, log, connectionsMax: connectionsMaxOf(program.config) })
    this.#runtime.install(program)
    const keys = new Set(program.listens.map((listen) => listen.key))
    for (const key of this.#listening) {
      if (keys.has(key)) continue
      this.#listening.delete(key)
      this.#runtime.unlisten(key)
    }
    return []
  }

  /** Accepts on a descriptor from now on; it belongs to this worker. */
  listen(key: string, fd: number): void {
    if (this.#stopped || this.#listening.has(key)) return
    this.#listening.add(key)
    this.#runtime!.listen(key, fd)
  }

  /** Goes on with log files that were opened anew, under these descriptors. */
  reopen(descriptors: ReadonlyMap<string, number>): void {
    this.#log.write(NOTICE, 'reopening logs')
    this.#options.files.adopt(descriptors)
    this.#runtime?.reopenLogs()
  }

  /** Stops accepting and calls `done` when the last connection is gone; at most `timeoutMs` (0: any time) later. */
  stop(graceful: boolean, timeoutMs: number, done: () => void): void {
    if (graceful && !this.#stopped) this.#log.write(NOTICE, 'gracefully shutting down')
    this.#stopped = true
    this.#listening.clear()
    const ended = (): void => {
      this.#log.write(NOTICE, 'exiting')
      this.#log.write(NOTICE, 'exit')
      this.#options.files.flush()
      done()
    }
    if (this.#runtime === undefined) {
      ended()
      return
    }
    this.#runtime.stop(graceful, ended)
    if (graceful && timeoutMs > 0) setTimeout(() => this.#runtime!.stop(false, ended), timeoutMs)
  }
}

function connectionsMaxOf(config: Config): number {
  const [events] = config.main.resolve(eventsBlocks).events
  return events?.scope.resolve(eventsDirectives).worker_connections ?? 512
}
