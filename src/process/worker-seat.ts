/**
 * What a worker does, whatever it runs in: compile a configuration, swap to it, accept on the sockets it is given, end.
 * A worker thread has one seat; with `master_process off` the only process has one.
 */
import { setImmediate, setTimeout } from 'node:timers'
import { isMainThread } from 'node:worker_threads'
import { formatMessage } from '../config/format.ts'
import { snapshotReader } from '../config/include.ts'
import type { Config, ConfigModule } from '../config/load.ts'
import { finish, inTurns, type Steps } from '../lib/steps.ts'
import { ALERT, type ErrorLog, NOTICE, NULL_LOG } from '../log/error-log.ts'
import type { LogFiles } from '../log/log-files.ts'
import { eventMethod, ringSpeaksTls } from '../modules/core/events.ts'
import { mainDirectives } from '../modules/core/main.ts'
import { ringIsSending, speaksTlsOnRing, startRing, whyNoRingHere, whyNoSsl } from '../net/engine.ts'
import { closeUnused } from '../net/listen-on.ts'
import { WorkerRuntime } from '../runtime/worker.ts'
import { allowedCpus, bindThread, cpusIn, workerCpus } from './affinity.ts'
import { type Loaded, loadProgram } from './load-program.ts'
import { openMainLog } from './main-log.ts'
import { giveBackAfterStart, giveBackWhenIdle } from './memory.ts'
import type { ConfigSource } from './messages.ts'
import { workerConnections } from './settings.ts'

/** How often a worker that ends looks whether its last output has left. */
const WRITTEN_POLL_MS = 5

/** What the seat of one worker is made of. */
export interface SeatOptions {
  /** The place among the workers, from 0. */
  readonly place: number
  /** A number that no other living worker has. */
  readonly id: number
  readonly modules: readonly ConfigModule[]
  readonly files: LogFiles
  /** Memory for what the thread leaves behind when it dies; undefined where nobody would clear that up. */
  readonly estate: SharedArrayBuffer | undefined
  /** Asks for the sockets of addresses once more; undefined where the seat's sockets are the only ones. */
  readonly wantSockets: ((keys: readonly string[]) => void) | undefined
}

/** A worker. `install` comes first; then sockets may come, and further installs. */
export class WorkerSeat {
  readonly #options: SeatOptions
  readonly #listening = new Set<string>()
  #runtime: WorkerRuntime | undefined
  #log: ErrorLog = NULL_LOG
  #stopped = false
  #ended = false
  /** Counts configurations. */
  #loading = 0

  constructor(options: SeatOptions) {
    this.#options = options
  }

  /** Swaps to a configuration; when it cannot, the old one goes on and the errors are returned. */
  installNow(source: ConfigSource, zones: ReadonlyMap<string, SharedArrayBuffer>): readonly string[] {
    this.#loading++
    return this.#swap(finish(this.#load(source, zones)))
  }

  /** The same between the events of a worker that serves. When it is told another one meanwhile, that one counts. */
  install(
    source: ConfigSource,
    zones: ReadonlyMap<string, SharedArrayBuffer>,
    done: (errors: readonly string[]) => void,
  ): void {
    if (this.#listening.size === 0) {
      // Nothing is replaced: a collection at once would only make V8 forget how much room the work to come needs.
      done(this.installNow(source, zones))
      giveBackAfterStart()
      return
    }
    const loading = ++this.#loading
    const outdated = (): boolean => this.#loading !== loading || this.#stopped
    inTurns(this.#load(source, zones), outdated, (loaded) => {
      done(this.#swap(loaded))
      giveBackWhenIdle()
    })
  }

  #load(source: ConfigSource, zones: ReadonlyMap<string, SharedArrayBuffer>): Steps<Loaded> {
    const { place, id: workerId, modules, files } = this.#options
    const { facts, snapshot, errorLog } = source
    files.epoch++
    return loadProgram(source, modules, snapshotReader(snapshot), {
      role: 'worker',
      zones,
      workerId,
      isFirst: place === 0,
      files,
      facts,
      openLog: (config) => {
        const log = openMainLog(config, errorLog, files)
        if (this.#runtime === undefined) this.#startEngine(config, log)
        return log
      },
    })
  }

  #swap({ diagnostics, program, log }: Loaded): readonly string[] {
    if (program === undefined) {
      return diagnostics.all.filter((found) => found.level === 'emerg').map(formatMessage)
    }
    this.#log = log
    const { wantSockets } = this.#options
    this.#runtime ??= new WorkerRuntime({ wantSockets })
    this.#bindThread(program.config)
    this.#runtime.install(program, { log, connectionsMax: workerConnections(program.config) })
    const keys = new Set(program.listens.map((listen) => listen.key))
    for (const key of this.#listening) {
      if (keys.has(key)) continue
      this.#listening.delete(key)
      this.#runtime.unlisten(key)
    }
    return []
  }

  /** `worker_cpu_affinity`; what else the process has for threads has been bound by the master. */
  #bindThread(config: Config): void {
    const affinity = config.main.resolve(mainDirectives).worker_cpu_affinity
    if (affinity === undefined || isMainThread) return
    const cpus = workerCpus(affinity, this.#options.place, allowedCpus())
    if (cpus === 0n) return
    const error = bindThread(cpus)
    if (error !== undefined) this.#log.write(ALERT, error)
    else for (const cpu of cpusIn(cpus)) this.#log.write(NOTICE, `sched_setaffinity(): using cpu #${cpu}`)
  }

  /** What drives sockets is chosen before there is one, and before contexts are made for its kind of TLS. */
  #startEngine(config: Config, log: ErrorLog): void {
    if (eventMethod(config) === 'epoll') return
    const problem = startRing(this.#options.estate, ringSpeaksTls(config))
    if (problem === '' && ringSpeaksTls(config) && !speaksTlsOnRing()) {
      log.write(NOTICE, `TLS is spoken by Node.js and not on io_uring: ${whyNoSsl()}`)
    }
    // What shows at the start has been told by the master; what does not may be this worker's alone.
    if (problem === '' || whyNoRingHere() !== '') return
    log.write(NOTICE, `using the "epoll" event method, no io_uring: ${problem}`)
  }

  /** Accepts on a descriptor from now on; it belongs to this worker. */
  listen(key: string, fd: number): void {
    if (this.#stopped || (this.#listening.has(key) && !this.#runtime!.isResting(key))) {
      // It was asked for twice, which a worker without descriptors does again and again.
      closeUnused(fd)
      return
    }
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
    const closed = (): void => {
      if (graceful) whenWritten(() => this.#end(done))
      else this.#end(done)
    }
    if (this.#runtime === undefined) {
      closed()
      return
    }
    this.#runtime.stop(graceful, closed)
    if (graceful && timeoutMs > 0) setTimeout(() => this.#runtime?.cutOff(), timeoutMs).unref()
  }

  #end(done: () => void): void {
    if (this.#ended) return
    this.#ended = true
    this.#log.write(NOTICE, 'exiting')
    this.#log.write(NOTICE, 'exit')
    this.#options.files.flush()
    done()
  }
}

/**
 * Calls back when no output waits in this thread: a closed connection may still have some, both from the event that
 * closed it and, to a slow peer, from before.
 */
function whenWritten(done: () => void): void {
  setImmediate(() => {
    const writing =
      ringIsSending() || process.getActiveResourcesInfo().some((name) => /(Write|Shutdown)Wrap$/.test(name))
    if (writing) setTimeout(() => whenWritten(done), WRITTEN_POLL_MS)
    else done()
  })
}
