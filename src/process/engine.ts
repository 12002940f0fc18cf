/**
 * The engine: the one process that serves. Its main thread never touches a request; it owns what the worker threads
 * share (zones, log descriptors), gives each the configuration and its sockets, and replaces those that die.
 */
import { setTimeout } from 'node:timers'
import { errnoText } from '../lib/errno.ts'
import { closeQuietly, LogFiles } from '../log/log-files.ts'
import { settleEstate } from '../net/engine.ts'
import type { BoundSocket } from '../net/listener.ts'
import { releaseThread } from '../shared/dead-thread.ts'
import { CacheKeepers } from './cache-keepers.ts'
import { Environment } from './environment.ts'
import { History } from './history.ts'
import { setOwnLimits } from './limits.ts'
import { giveBack } from './memory.ts'
import type { EngineSettings, FromEngine, FromWorker, Identity, LogLevel, ToEngine } from './messages.ts'
import { nameProcess } from './process-name.ts'
import { becomeUser, becomeUserWithNetRaw, setPriority } from './rights.ts'
import { type SlotOwner, WorkerSlot } from './worker-slot.ts'
import { ZoneStore } from './zone-store.ts'

const WANT_AGAIN_MS = 500
/** Names of levels, by their numbers. */
const LEVELS: readonly (LogLevel | undefined)[] = [
  undefined,
  undefined,
  'alert',
  'crit',
  'error',
  'warn',
  'notice',
  'info',
]
/** Deaths of worker threads before the first has served. */
const DEATHS_MAX = 3

type Configure = Extract<ToEngine, { type: 'configure' }>

/**
 * Runs the engine until it is told to stop or its master is gone; resolves when the process may end. Threads have been
 * started ahead of it and of the configuration, as many as was guessed that there will be.
 */
export function runEngine(ahead: readonly WorkerSlot[]): Promise<void> {
  return new Promise((resolve) => {
    const engine = new Engine((message) => {
      if (process.connected) process.send!(message)
    }, resolve)
    for (const slot of ahead) engine.take(slot)
    process.on('message', (message: ToEngine, handle: unknown) =>
      engine.receive(message, handle as BoundSocket | undefined),
    )
    process.on('disconnect', () => engine.stop(true))
    // A terminal sends its signals to the whole group: what to do about them is the master's decision.
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR2', 'SIGWINCH'] as const) process.on(signal, () => {})
    process.on('SIGTERM', () => engine.stop(false))
    process.on('SIGQUIT', () => engine.stop(true))
    process.on('SIGUSR1', () => engine.reopen())
  })
}

class Engine implements SlotOwner {
  readonly #send: (message: FromEngine) => void
  readonly #ended: () => void
  readonly #slots = new Map<number, WorkerSlot>()
  /** Those in their places, those that drain after `worker_processes` became smaller, and those that others replace. */
  readonly #alive = new Set<WorkerSlot>()
  readonly #zones = new ZoneStore()
  readonly #files = new LogFiles()
  /** Descriptors of logs that the configuration no longer names, with the threads whose old requests may write to them. */
  readonly #leaving = new Map<number, Set<WorkerSlot>>()
  readonly #history = new History()
  readonly #caches = new CacheKeepers((level, message) => this.#log(LEVELS[level] ?? 'notice', message))
  /** Descriptors belong to the threads; the objects are kept because closing them would close the numbers. */
  readonly #handles: BoundSocket[] = []
  #current: Configure | undefined
  /** A first configuration that waits for its threads. */
  #first: Configure | undefined
  #ready = 0
  #stopping = false
  #deaths = 0
  readonly #environment = new Environment()
  readonly #home = process.cwd()
  #folder = this.#home
  #priority = 0

  constructor(send: (message: FromEngine) => void, ended: () => void) {
    this.#send = send
    this.#ended = ended
    nameProcess('worker process')
  }

  receive(message: ToEngine, handle: BoundSocket | undefined): void {
    switch (message.type) {
      case 'configure':
        this.#configure(message)
        break
      case 'socket':
        this.#giveSocket(message.slot, message.key, handle)
        break
      case 'settled':
        if (message.generation === this.#current?.generation) this.#stopOthers(this.#current.settings)
        giveBack()
        break
      case 'refused':
        this.#history.refused(message.problem)
        break
      case 'reopen':
        this.reopen()
        break
      case 'stop':
        this.stop(message.graceful)
    }
  }

  onStarted(slot: WorkerSlot): void {
    // The thread works while the rest is done.
    if (this.#current !== undefined) this.#install(slot, this.#current)
    else this.#applyFirst()
    this.#log('notice', `start worker process ${slot.tid}`)
  }

  onMessage(slot: WorkerSlot, message: FromWorker): void {
    const { generation = 0, settings } = this.#current ?? {}
    switch (message.type) {
      case 'installed':
        if (message.generation === generation) this.#giveSockets(slot, settings!.listens)
        break
      case 'failed':
        this.#history.refused(message.errors.join('; '))
        this.#send({ type: 'failed', generation: message.generation, errors: message.errors })
        break
      case 'want':
        this.#send({ type: 'want', slot: slot.index, keys: message.keys })
        break
      case 'reopened':
        slot.reopens--
        this.#closeRetired()
        break
      case 'unheld':
        this.#unheld(slot, message.fd)
        break
      case 'stopped':
        slot.terminate()
    }
    this.#reportReady()
  }

  onExit(slot: WorkerSlot, code: number, error: string | undefined): void {
    settleEstate(slot.estate)
    for (const fd of this.#leaving.keys()) this.#unheld(slot, fd)
    releaseThread(this.#zones.buffers.values(), slot)
    if (error === undefined) this.#log('notice', `worker process ${slot.tid} exited with code ${code}`)
    else {
      this.#log('alert', `worker process ${slot.tid} exited with code ${code}`)
      this.#log('alert', `worker process ${slot.tid}: ${error.replaceAll(/\s*\n\s*/g, ' | ')}`)
    }
    if (!slot.stopping) {
      this.#history.died()
      this.#died(error)
      return
    }
    this.#alive.delete(slot)
    this.#closeRetired()
    if (this.#slots.get(slot.index) === slot) this.#slots.delete(slot.index)
    if (this.#stopping && this.#alive.size === 0) this.#end()
  }

  /** A worker that never gets as far as to serve makes the start fail instead of being replaced for ever. */
  #died(error: string | undefined): void {
    if (this.#ready > 0 || ++this.#deaths < DEATHS_MAX) return
    const { generation = 0 } = this.#current ?? this.#first ?? {}
    this.#send({ type: 'failed', generation, errors: [`worker process cannot start: ${error ?? ''}`] })
  }

  /** Opens the log files anew, in every thread. */
  reopen(): void {
    for (const { path, error } of this.#files.reopen())
      this.#log('alert', `open() "${path}" failed ${errnoText(error)}`)
    const logs = this.#files.descriptors()
    for (const slot of this.#alive) {
      slot.reopens++
      slot.post({ type: 'reopen', logs })
    }
  }

  /** Closes the old files once no thread can write to them any more. */
  #closeRetired(): void {
    for (const slot of this.#alive) if (slot.reopens > 0) return
    this.#files.closeRetired()
  }

  /** Closes a descriptor when the last thread has let go of it. */
  #unheld(slot: WorkerSlot, fd: number): void {
    const holders = this.#leaving.get(fd)
    if (holders === undefined) return
    holders.delete(slot)
    if (holders.size > 0) return
    this.#leaving.delete(fd)
    closeQuietly(fd)
  }

  /** Ends every worker, at once or when its last connection is gone; may be called again to hurry. */
  stop(graceful: boolean): void {
    this.#stopping = true
    const timeoutMs = this.#current?.settings.shutdownTimeoutMs ?? 0
    for (const slot of this.#alive) slot.post({ type: 'stop', graceful, timeoutMs })
    if (this.#alive.size === 0) this.#end()
  }

  #end(): void {
    this.#caches.stop()
    this.#ended()
  }

  /**
   * Takes a configuration. The first one waits until its threads have started: rights are dropped with it, and code
   * loads faster with them, from a cache that belongs to the master's user.
   */
  #configure(message: Configure): void {
    const { workers, drive } = message.settings
    for (let index = 0; index < workers; index++) {
      const slot = this.#slots.get(index)
      const stays = slot !== undefined && !slot.stopping && (slot.drive ?? drive) === drive
      if (!stays) this.take(new WorkerSlot(index, this.#freeId(index)))
    }
    if (this.#current !== undefined) this.#apply(message)
    else {
      this.#first = message
      this.#applyFirst()
    }
  }

  /** Threads that drain keep their numbers, by which they count. */
  #freeId(index: number): number {
    const taken = new Set([...this.#alive].map(({ id }) => id))
    if (!taken.has(index)) return index
    let id = 0
    while (taken.has(id)) id++
    return id
  }

  #applyFirst(): void {
    const message = this.#first
    if (message === undefined) return
    for (let index = 0; index < message.settings.workers; index++) if (this.#slots.get(index)!.tid === 0) return
    this.#first = undefined
    this.#openLogs(message.settings.logFiles)
    this.#settleProcess(message.settings)
    // Capabilities are a thread's own, and a new one has those of the thread that starts it.
    if (message.settings.keepsNetRaw) for (const slot of this.#slots.values()) slot.startAnew()
    this.#apply(message)
  }

  #apply(message: Configure): void {
    const { settings } = message
    if (this.#current !== undefined) this.#settleAgain(settings)
    this.#current = message
    this.#zones.settle(settings.zones)
    this.#history.open(this.#zones.buffers)
    this.#history.begin(message.generation, settings.workers, message.source.snapshot)
    this.#openLogs(settings.logFiles)
    for (const fd of this.#files.handOver(new Set(settings.logFiles))) this.#leaving.set(fd, new Set(this.#alive))
    for (const slot of this.#slots.values()) this.#install(slot, message)
    this.#caches.settle(settings.caches, this.#zones.buffers)
  }

  /**
   * Ends the threads that a smaller number of workers leaves over, and those in whose places others are. Not before the master has let go of their sockets:
   * connections would go on to arrive there, with nobody to accept them.
   */
  #stopOthers({ workers, shutdownTimeoutMs: timeoutMs }: EngineSettings): void {
    for (const slot of this.#alive) {
      const stays = slot.index < workers && this.#slots.get(slot.index) === slot
      if (!stays && !slot.stopping) slot.post({ type: 'stop', graceful: true, timeoutMs })
    }
  }

  /** Has a thread from now on. */
  take(slot: WorkerSlot): void {
    this.#slots.set(slot.index, slot)
    this.#alive.add(slot)
    slot.attach(this)
  }

  #install(slot: WorkerSlot, { generation, source, settings }: Configure): void {
    // A thread that has not reported yet gets its configuration when it does; one too many, or replaced, gets none.
    if (slot.tid === 0 || slot.stopping || slot.index >= settings.workers || this.#slots.get(slot.index) !== slot)
      return
    slot.drive ??= settings.drive
    slot.post({
      type: 'install',
      generation,
      source,
      zones: this.#zones.buffers,
      logs: this.#files.descriptors(),
      leaving: [...this.#leaving.keys()],
    })
  }

  /** Without a free descriptor the message comes alone. */
  #giveSocket(slot: number, key: string, handle: BoundSocket | undefined): void {
    if (handle === undefined) {
      setTimeout(() => this.#send({ type: 'want', slot, keys: [key] }), WANT_AGAIN_MS).unref()
      return
    }
    const asker = this.#slots.get(slot)
    // A thread that has died since it asked is followed by one that asks for itself.
    if (asker?.given.has(key) !== true) return handle.close()
    this.#handles.push(handle)
    asker.post({ type: 'listen', key, fd: handle.fd })
  }

  #giveSockets(slot: WorkerSlot, keys: readonly string[]): void {
    for (const key of slot.given) {
      if (keys.includes(key)) continue
      slot.given.delete(key)
      slot.listening.delete(key)
    }
    const missing = keys.filter((key) => !slot.given.has(key))
    for (const key of missing) slot.given.add(key)
    if (missing.length > 0) this.#send({ type: 'want', slot: slot.index, keys: missing })
  }

  #reportReady(): void {
    if (this.#current === undefined || this.#stopping) return
    const { generation, settings } = this.#current
    if (this.#ready === generation) return
    for (let index = 0; index < settings.workers; index++) {
      const slot = this.#slots.get(index)
      if (slot?.installed !== generation || slot.listening.size < settings.listens.length) return
    }
    this.#ready = generation
    this.#history.ready()
    this.#send({ type: 'ready', generation })
  }

  #openLogs(paths: readonly string[]): void {
    for (const path of paths) {
      try {
        this.#files.open(path)
      } catch (error) {
        this.#log('alert', `open() "${path}" failed ${errnoText(error)}`)
      }
    }
  }

  #settleProcess(settings: EngineSettings): void {
    this.#setPriority(settings.priority)
    if (settings.user !== undefined) this.#becomeUser(settings.user, settings.keepsNetRaw)
    this.#settleAgain(settings)
  }

  /** What also a reload may change, as far as the account that the process has now is allowed to. */
  #settleAgain({ env, limits, priority, workingDirectory }: EngineSettings): void {
    this.#environment.settle(env)
    for (const error of setOwnLimits(limits)) this.#log('alert', error)
    this.#setPriority(priority)
    const folder = workingDirectory ?? this.#home
    if (folder === this.#folder) return
    try {
      process.chdir(folder)
      this.#folder = folder
    } catch (error) {
      this.#log('alert', `chdir("${folder}") failed ${errnoText(error)}`)
    }
  }

  #setPriority(priority: number): void {
    if (priority === this.#priority) return
    const error = setPriority(priority)
    if (error === undefined) this.#priority = priority
    else this.#log('alert', error)
  }

  #becomeUser(user: Identity, keepsNetRaw: boolean): void {
    const error = keepsNetRaw ? becomeUserWithNetRaw(user) : becomeUser(user)
    if (error !== undefined) this.#log('alert', error)
  }

  #log(level: LogLevel, message: string): void {
    this.#send({ type: 'log', level, message })
  }
}
