/** The master's end of its engine: starts the process, talks to it, and starts another when it dies. */
import { type ChildProcess, type SendHandle, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { clearTimeout, setTimeout } from 'node:timers'
import { fileURLToPath } from 'node:url'
import { clock } from '../lib/clock.ts'
import { entryOf } from '../lib/entry.ts'
import type { BoundSocket } from '../net/listener.ts'
import type { FromEngine, ToEngine } from './messages.ts'

const MAIN = fileURLToPath(entryOf(new URL('../main.ts', import.meta.url)))
/** An engine that lived longer is replaced at once; the delay doubles while engines die sooner. */
const STABLE_MS = 5000
const DELAY_MIN_MS = 100
const DELAY_MAX_MS = 10000

/** How an engine ended. */
export interface EngineEnd {
  readonly pid: number
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The signal's number, 0 without one. */
  readonly number: number
}

/** Receives what happens to the engine. */
export interface EngineOwner {
  onEngineMessage(link: EngineLink, message: FromEngine): void
  /** A new engine runs and knows nothing yet. */
  onEngineStarted(link: EngineLink): void
  /** The engine is gone; another one follows unless it was told to stop. */
  onEngineEnd(link: EngineLink, end: EngineEnd): void
}

/** One engine after another. It may be started before its owner is there; what happens meanwhile is kept. */
export class EngineLink {
  #owner: EngineOwner | undefined
  readonly #kept: FromEngine[] = []
  readonly #workers: number
  #child: ChildProcess
  #startedAt = 0
  #delayMs = 0
  #ending = false
  /** Starts another one. */
  #starter: NodeJS.Timeout | undefined

  /** An engine of so many worker threads, as far as is known. */
  constructor(workers: number) {
    this.#workers = workers
    this.#child = this.#start()
  }

  /** Passes on everything from now on, and what was kept. Called once. */
  attach(owner: EngineOwner): void {
    this.#owner = owner
    owner.onEngineStarted(this)
    for (const message of this.#kept.splice(0)) owner.onEngineMessage(this, message)
  }

  /** The process id; 0 between two engines. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** False between two engines. */
  get alive(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  send(message: ToEngine): void {
    if (message.type === 'stop') this.#ending = true
    if (this.#child.connected) this.#child.send(message, ignoreClosed)
  }

  /** Sends a socket; the engine gets a descriptor of its own. */
  sendSocket(slot: number, key: string, socket: BoundSocket): void {
    // Node's cluster sends the same bare handles; the types only know what is built on them.
    const handle = socket as unknown as SendHandle
    if (this.#child.connected)
      this.#child.send({ type: 'socket', slot, key } satisfies ToEngine, handle, {}, ignoreClosed)
  }

  /** Ends the engine without asking; no other one follows. */
  kill(): void {
    this.#ending = true
    clearTimeout(this.#starter)
    this.#child.kill('SIGKILL')
  }

  #start(): ChildProcess {
    this.#startedAt = performance.now()
    const child = spawn(process.execPath, [...process.execArgv, MAIN], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
      env: { ...process.env, VIADUCT_ROLE: `engine ${this.#workers}` },
    })
    child.on('message', (message: FromEngine) => {
      clock.update()
      if (this.#owner === undefined) this.#kept.push(message)
      else this.#owner.onEngineMessage(this, message)
    })
    // A process that could not be started has no exit.
    child.on('error', () => {
      if (child.pid === undefined) this.#exited({ pid: 0, code: 1, signal: null, number: 0 })
    })
    child.on('exit', (code, signal) =>
      this.#exited({ pid: child.pid ?? 0, code, signal, number: signal === null ? 0 : constants.signals[signal] }),
    )
    return child
  }

  #exited(end: EngineEnd): void {
    clock.update()
    this.#owner?.onEngineEnd(this, end)
    if (this.#ending) return
    const lived = performance.now() - this.#startedAt
    this.#delayMs = lived > STABLE_MS ? 0 : Math.min(Math.max(this.#delayMs * 2, DELAY_MIN_MS), DELAY_MAX_MS)
    this.#starter = setTimeout(() => {
      if (this.#ending) return
      this.#child = this.#start()
      this.#owner?.onEngineStarted(this)
    }, this.#delayMs)
  }
}

/** An engine that is gone reports its end by itself. */
function ignoreClosed(): void {}
