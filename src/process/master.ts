/**
 * The master: holds the configuration and the listening sockets, and makes the engine be what the configuration says.
 * It never serves, so nothing that a client sends can end it; a reload or an upgrade never interrupts serving.
 */
import type { ChildProcess } from 'node:child_process'
import { clearInterval, setInterval, setTimeout } from 'node:timers'
import { ALERT, CRIT, EMERG, levelOf, NOTICE, WARN } from '../log/error-log.ts'
import type { Affinity } from '../modules/core/main.ts'
import { allowedCpus, bindProcess } from './affinity.ts'
import type { Applied, Configuration } from './configuration.ts'
import { type EngineEnd, EngineLink, type EngineOwner } from './engine-link.ts'
import { FileWatch } from './file-watch.ts'
import { makeRoomForLimits } from './limits.ts'
import { giveBack } from './memory.ts'
import type { FromEngine } from './messages.ts'
import { notifyManager, READY, RELOADING, STOPPING } from './notify.ts'
import { giveLogs } from './paths.ts'
import { OLD_PID_SUFFIX, removePidFile, renamePidFile, writePidFile } from './pid-file.ts'
import { nameProcess } from './process-name.ts'
import { methodNotice } from './settings.ts'
import { type MasterSignal, onMasterSignals, signalNotice } from './signals.ts'
import type { SocketBook } from './socket-book.ts'
import { ownCommand, startNewBinary } from './upgrade.ts'

/** An engine that has not ended this long after it was told to stop at once is killed. */
const KILL_AFTER_MS = 1000

/** A master has no work of its own: it wakes up this often for nothing. */
const HOLD_MS = 24 * 60 * 60 * 1000

/** What a master starts with. */
export interface MasterOptions {
  readonly configuration: Configuration
  readonly sockets: SocketBook
  /** An engine that may have been started ahead. */
  readonly engine: EngineLink
  /** Not attached to a terminal, whose window changes would otherwise look like the signal to stop accepting. */
  readonly daemonized: boolean
  /** Called once, when every worker listens and the pid file is there. */
  onListening(): void
}

/** Runs one master; `run` resolves with the exit status. */
export class Master implements EngineOwner {
  readonly #configuration: Configuration
  readonly #sockets: SocketBook
  readonly #options: MasterOptions
  readonly #parent = process.ppid
  #engine: EngineLink | undefined
  #generation = 1
  #started = false
  #stopping = false
  #reloading: Promise<void> = Promise.resolve()
  #newBinary: ChildProcess | undefined
  #noAccepting = false
  readonly #watch = new FileWatch(() => this.#renew())
  #retiring: EngineLink | undefined
  /** Has been bound to CPUs. */
  #bound: EngineLink | undefined
  #exit: (code: number) => void = () => {}
  #releaseSignals: () => void = () => {}

  constructor(options: MasterOptions) {
    this.#options = options
    this.#configuration = options.configuration
    this.#sockets = options.sockets
    nameProcess(['master process', ...process.argv.slice(2)].join(' '))
  }

  run(): Promise<number> {
    this.#releaseSignals = onMasterSignals((signal) => this.#signal(signal))
    process.on('uncaughtExceptionMonitor', (error) =>
      this.#log(ALERT, `master process: ${error.stack ?? error.message}`),
    )
    this.#log(NOTICE, 'start worker processes')
    // After the signal to stop accepting there is no engine, and nothing else that the process waits for.
    const hold = setInterval(() => {}, HOLD_MS)
    return new Promise((resolve) => {
      this.#exit = (code) => {
        clearInterval(hold)
        resolve(code)
      }
      this.#engine = this.#options.engine
      this.#engine.attach(this)
    })
  }

  #applied(): Applied {
    return this.#configuration.current
  }

  #log(level: number, message: string): void {
    this.#applied().log.write(level, message)
  }

  /** Tells a service manager, where there is one. */
  #notify(words: readonly string[]): void {
    notifyManager(words, (why) => this.#log(WARN, why))
  }

  onEngineStarted(link: EngineLink): void {
    const { settings, source, engine } = this.#applied()
    for (const error of makeRoomForLimits(link.pid, engine.limits)) this.#log(ALERT, error)
    this.#bind(link, settings.affinity)
    link.send({ type: 'configure', generation: this.#generation, source, settings: engine })
  }

  /** Binds an engine to CPUs, or sets it free again: it lives on over reloads. */
  #bind(link: EngineLink, affinity: Affinity | undefined): void {
    let cpus = affinity?.masks.reduce((all, one) => all | one, 0n) ?? 0n
    if (cpus === 0n && this.#bound === link) cpus = allowedCpus()
    if (cpus === 0n) return
    this.#bound = link
    const error = bindProcess(link.pid, cpus)
    if (error !== undefined) this.#log(ALERT, error)
  }

  onEngineMessage(link: EngineLink, message: FromEngine): void {
    switch (message.type) {
      case 'log':
        this.#log(levelOf(message.level) ?? NOTICE, message.message)
        break
      case 'want':
        for (const key of message.keys) {
          const socket = this.#sockets.get(key, message.slot)
          if (socket !== undefined) link.sendSocket(message.slot, key, socket)
        }
        break
      case 'failed':
        for (const error of message.errors) this.#configuration.report('emerg', error)
        if (!this.#started) this.#fail()
        break
      case 'ready':
        if (message.generation === this.#generation) this.#ready(link, message.generation)
    }
  }

  onEngineEnd(link: EngineLink, { pid, code, signal, number }: EngineEnd): void {
    const expected = this.#stopping || this.#noAccepting || link !== this.#engine
    if (signal === null)
      this.#log(expected || code === 0 ? NOTICE : ALERT, `worker process ${pid} exited with code ${code}`)
    else this.#log(ALERT, `worker process ${pid} exited on signal ${number}`)
    if (link === this.#retiring) this.#retiring = undefined
    if (this.#stopping && link === this.#engine) this.#finish(0)
    else if (!expected && this.#started) this.#log(NOTICE, 'start worker processes')
  }

  /** Every worker runs the generation and accepts on all its sockets. */
  #ready(link: EngineLink, generation: number): void {
    const { listens, settings } = this.#applied()
    this.#sockets.settle(listens, settings.workers, this.#configuration.report, this.#ownsSocketFiles())
    this.#watch.set(this.#configuration.marks)
    link.send({ type: 'settled', generation })
    giveBack()
    if (this.#started) {
      // What waits for nginx's old workers to be gone looks for these words.
      if (generation > 1)
        this.#log(NOTICE, `worker process ${this.#engine?.pid} exited with code 0 (configuration replaced)`)
      this.#notify(READY)
      this.#retire()
      return
    }
    const error = writePidFile(settings.pidPath)
    if (error !== undefined) {
      this.#configuration.report('emerg', error)
      this.#fail()
      return
    }
    this.#started = true
    this.#notify(READY)
    this.#options.onListening()
    this.#releaseSignals()
  }

  #signal(signal: MasterSignal): void {
    switch (signal) {
      case 'SIGTERM':
      case 'SIGINT':
        this.#log(NOTICE, signalNotice(signal))
        this.#stop(false)
        break
      case 'SIGQUIT':
        this.#log(NOTICE, signalNotice(signal))
        this.#stop(true)
        break
      case 'SIGHUP':
        this.#log(NOTICE, signalNotice(signal))
        this.#reloading = this.#reloading.then(() => this.#reload())
        break
      case 'SIGUSR1':
        this.#log(NOTICE, signalNotice(signal))
        this.#reopen()
        break
      case 'SIGUSR2':
        this.#upgrade()
        break
      case 'SIGWINCH':
        this.#log(NOTICE, signalNotice(signal, this.#options.daemonized ? undefined : ''))
        if (this.#options.daemonized) this.#stopAccepting()
    }
  }

  #stop(graceful: boolean): void {
    this.#stopping = true
    this.#notify(STOPPING)
    const engine = this.#engine
    if (engine === undefined || !engine.alive) {
      engine?.kill()
      this.#finish(0)
      return
    }
    engine.send({ type: 'stop', graceful })
    this.#retiring?.send({ type: 'stop', graceful })
    if (graceful) this.#sockets.closeAll(this.#configuration.report, this.#ownsSocketFiles())
    else setTimeout(() => engine.kill(), KILL_AFTER_MS).unref()
  }

  async #reload(): Promise<void> {
    if (this.#stopping) return
    if (this.#newBinary !== undefined) {
      this.#resume()
      return
    }
    this.#log(NOTICE, 'reconfiguring')
    this.#notify(RELOADING)
    const { settings: before, engine: engineBefore } = this.#applied()
    const applied = await this.#configuration.reload(this.#sockets)
    if (this.#stopping) return
    // The old configuration serves on.
    if (!applied) {
      this.#engine?.send({ type: 'refused', problem: this.#configuration.lastProblem })
      return this.#notify(READY)
    }
    this.#generation++
    const { settings, engine } = this.#applied()
    this.#log(NOTICE, methodNotice(engine.drive))
    const sameUser = before.identity?.uid === settings.identity?.uid && before.identity?.gid === settings.identity?.gid
    // What was given up does not come back.
    const sameRights = sameUser && engineBefore.keepsNetRaw === engine.keepsNetRaw
    if (this.#engine === undefined || this.#noAccepting) this.#resume()
    else if (sameRights) this.onEngineStarted(this.#engine)
    else this.#replaceEngine(this.#engine)
  }

  /** Certificates were renewed: the same configuration again, with them. */
  #renew(): void {
    this.#reloading = this.#reloading.then(() => {
      if (this.#stopping || this.#engine === undefined || this.#noAccepting) return
      if (this.#configuration.renew() === undefined) return
      this.#generation++
      this.onEngineStarted(this.#engine)
    })
  }

  /** Starts an engine under another account, or with other rights; the old one goes on until the new one is ready. */
  #replaceEngine(old: EngineLink): void {
    this.#retiring?.send({ type: 'stop', graceful: true })
    this.#retiring = old
    this.#engine = new EngineLink(this.#applied().settings.workers)
    this.#engine.attach(this)
  }

  #retire(): void {
    this.#retiring?.send({ type: 'stop', graceful: true })
  }

  #reopen(): void {
    this.#log(NOTICE, 'reopening logs')
    this.#configuration.reopenLogs()
    const { engine, settings } = this.#applied()
    const { identity } = settings
    if (identity !== undefined) {
      for (const error of giveLogs(engine.logFiles, identity)) this.#log(EMERG, error)
    }
    this.#engine?.send({ type: 'reopen' })
  }

  #upgrade(): void {
    const parentLives = this.#options.configuration.inherited && process.ppid === this.#parent
    if (this.#newBinary !== undefined || parentLives) {
      this.#log(NOTICE, signalNotice('SIGUSR2', ', ignoring'))
      const rule = "you should shutdown or terminate before either old or new binary's process"
      this.#log(CRIT, `the changing binary signal is ignored: ${rule}`)
      return
    }
    this.#log(NOTICE, signalNotice('SIGUSR2'))
    this.#log(NOTICE, 'changing binary')
    const { pidPath } = this.#applied().settings
    const error = renamePidFile(pidPath, pidPath + OLD_PID_SUFFIX)
    if (error !== undefined) {
      const what = `rename() ${pidPath} to ${pidPath}${OLD_PID_SUFFIX} failed`
      this.#log(ALERT, `${what} before executing new binary process "${ownCommand().file}" ${error}`)
      return
    }
    const child = startNewBinary(this.#sockets)
    this.#newBinary = child
    this.#log(NOTICE, `start new binary process ${child.pid}`)
    child.on('error', () => this.#newBinaryGone(child, 'could not be started'))
    child.on('exit', (code, signal) =>
      this.#newBinaryGone(child, signal ? `exited on signal ${signal}` : `exited with code ${code}`),
    )
  }

  #newBinaryGone(child: ChildProcess, how: string): void {
    if (this.#newBinary !== child) return
    this.#newBinary = undefined
    this.#log(NOTICE, `new binary process ${child.pid} ${how}`)
    if (this.#stopping) return
    const { pidPath } = this.#applied().settings
    const error = renamePidFile(pidPath + OLD_PID_SUFFIX, pidPath)
    if (error !== undefined) this.#log(ALERT, `rename() ${pidPath}${OLD_PID_SUFFIX} back to ${pidPath} failed ${error}`)
    if (this.#noAccepting) this.#resume()
  }

  #stopAccepting(): void {
    this.#noAccepting = true
    this.#engine?.send({ type: 'stop', graceful: true })
  }

  /** Serves again after the signal to stop accepting. */
  #resume(): void {
    if (!this.#noAccepting && this.#engine !== undefined) return
    this.#noAccepting = false
    this.#log(NOTICE, 'start worker processes')
    this.#engine = new EngineLink(this.#applied().settings.workers)
    this.#engine.attach(this)
  }

  #ownsSocketFiles(): boolean {
    return this.#newBinary === undefined && !(this.#configuration.inherited && process.ppid === this.#parent)
  }

  #fail(): void {
    this.#stopping = true
    this.#engine?.kill()
    this.#sockets.closeAll(this.#configuration.report, this.#ownsSocketFiles())
    this.#exit(1)
  }

  #finish(code: number): void {
    // It lives on, and this process need not.
    this.#newBinary?.unref()
    const { pidPath } = this.#applied().settings
    const error = this.#started
      ? removePidFile(this.#newBinary === undefined ? pidPath : pidPath + OLD_PID_SUFFIX)
      : undefined
    if (error !== undefined) this.#log(ALERT, error)
    this.#sockets.closeAll(this.#configuration.report, this.#ownsSocketFiles())
    this.#log(NOTICE, 'exit')
    this.#exit(code)
  }
}
