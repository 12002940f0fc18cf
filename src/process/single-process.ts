/** `master_process off`: one process that holds the sockets and serves, as developers and debuggers want it. */
import { NOTICE } from '../log/error-log.ts'
import { LogFiles } from '../log/log-files.ts'
import { releaseRing } from '../net/engine.ts'
import { CacheKeepers } from './cache-keepers.ts'
import type { Configuration } from './configuration.ts'
import { Environment } from './environment.ts'
import { FileWatch } from './file-watch.ts'
import { History } from './history.ts'
import type { Drive } from './messages.ts'
import { removePidFile, writePidFile } from './pid-file.ts'
import { nameProcess } from './process-name.ts'
import { type MasterSignal, onMasterSignals, signalNotice } from './signals.ts'
import type { SocketBook } from './socket-book.ts'
import { WorkerSeat } from './worker-seat.ts'
import { ZoneStore } from './zone-store.ts'

/** What a single process starts with. */
export interface SingleOptions {
  readonly configuration: Configuration
  readonly sockets: SocketBook
  /** Called once, when everything listens and the pid file is there. */
  onListening(): void
}

/** The only process; `run` resolves with the exit status. */
export class SingleProcess {
  readonly #options: SingleOptions
  readonly #zones = new ZoneStore()
  readonly #files = new LogFiles()
  readonly #seat: WorkerSeat
  readonly #caches = new CacheKeepers((level, text) => this.#options.configuration.current.log.write(level, text))
  readonly #watch = new FileWatch(() => this.#renew())
  readonly #history = new History()
  readonly #environment = new Environment()
  /** What drives the sockets of this thread: what the first configuration says. */
  readonly #drive: Drive
  #generation = 0
  #given = new Set<string>()
  #exit: (code: number) => void = () => {}

  constructor(options: SingleOptions) {
    this.#options = options
    this.#drive = options.configuration.current.engine.drive
    this.#seat = new WorkerSeat({
      place: 0,
      id: 0,
      modules: options.configuration.modules,
      files: this.#files,
      estate: undefined,
      wantSockets: undefined,
    })
    nameProcess('master and worker process')
  }

  run(): Promise<number> {
    const release = onMasterSignals((signal) => this.#signal(signal))
    return new Promise((resolve) => {
      this.#exit = resolve
      const { configuration } = this.#options
      const { pidPath } = configuration.current.settings
      if (!this.#install()) {
        resolve(1)
        return
      }
      const error = writePidFile(pidPath)
      if (error !== undefined) {
        configuration.report('emerg', error)
        resolve(1)
        return
      }
      this.#options.onListening()
      release()
    })
  }

  #install(): boolean {
    const { configuration, sockets } = this.#options
    const { engine, listens, source } = configuration.current
    this.#environment.settle(engine.env)
    this.#zones.settle(engine.zones)
    this.#history.open(this.#zones.buffers)
    this.#history.begin(++this.#generation, 1, source.snapshot)
    const errors = this.#seat.installNow(source, this.#zones.buffers)
    for (const error of errors) configuration.report('emerg', error)
    if (errors.length > 0) return false
    this.#files.settle(new Set(engine.logFiles))
    const keys = new Set(listens.map((listen) => listen.key))
    // The seat closes descriptors with its listeners; the book forgets them.
    for (const key of this.#given) if (!keys.has(key)) sockets.forget(key)
    for (const key of keys) if (!this.#given.has(key)) this.#seat.listen(key, sockets.get(key, 0)!.fd)
    this.#given = keys
    this.#caches.settle(engine.caches, this.#zones.buffers)
    this.#watch.set(configuration.marks)
    this.#history.ready()
    return true
  }

  #renew(): void {
    if (this.#options.configuration.renew() !== undefined) this.#install()
  }

  #signal(signal: MasterSignal): void {
    const { configuration } = this.#options
    const { log } = configuration.current
    if (signal === 'SIGUSR2' || signal === 'SIGWINCH') {
      log.write(NOTICE, signalNotice(signal, ', ignoring'))
      return
    }
    log.write(NOTICE, signalNotice(signal))
    if (signal === 'SIGHUP') void this.#reload()
    else if (signal === 'SIGUSR1') this.#reopen()
    else this.#stop(signal === 'SIGQUIT')
  }

  async #reload(): Promise<void> {
    const { configuration, sockets } = this.#options
    configuration.current.log.write(NOTICE, 'reconfiguring')
    if (!(await configuration.reload(sockets))) {
      this.#history.refused(configuration.lastProblem)
      return
    }
    const { drive } = configuration.current.engine
    if (drive !== this.#drive) {
      const why = 'the only thread keeps what it began with'
      configuration.report('warn', `"${this.#drive}" drives sockets on, not "${drive}": ${why} until the next start`)
    }
    this.#install()
  }

  #reopen(): void {
    this.#options.configuration.reopenLogs()
    this.#files.reopen()
    this.#seat.reopen(new Map())
    this.#files.closeRetired()
  }

  #stop(graceful: boolean): void {
    const { configuration, sockets } = this.#options
    const { engine, settings, log } = configuration.current
    const { shutdownTimeoutMs } = engine
    this.#seat.stop(graceful, shutdownTimeoutMs, () => {
      this.#caches.stop()
      removePidFile(settings.pidPath)
      sockets.removeFiles(configuration.report)
      log.write(NOTICE, 'exit')
      releaseRing()
      this.#exit(0)
    })
  }
}
