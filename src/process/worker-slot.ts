/**
 * One worker place in the engine: the thread in it, what that thread has been given, and its replacement when it dies. It
 * needs little, since threads are started before the code of the engine is loaded.
 */
import { clearTimeout, setTimeout } from 'node:timers'
import { SHARE_ENV, Worker } from 'node:worker_threads'
import { entryOf } from '../lib/entry.ts'
import { ESTATE_SIZE } from '../net/ring-estate.ts'
import { forgetHeld, HOLDINGS_SIZE } from '../shared/holdings.ts'
import type { Drive, FromWorker, ToWorker } from './messages.ts'
import type { WorkerData } from './worker-port.ts'

const ENTRY = entryOf(new URL('../process/worker-thread.ts', import.meta.url))
/** A thread that lived longer than this is replaced at once; the delay doubles while threads die sooner. */
const STABLE_MS = 5000
const DELAY_MIN_MS = 50
const DELAY_MAX_MS = 5000

/** What the engine learns from a slot. */
export interface SlotOwner {
  /** The thread of the slot runs and has nothing yet. */
  onStarted(slot: WorkerSlot): void
  onMessage(slot: WorkerSlot, message: FromWorker): void
  /** The thread is gone; `error` says why when it was not told to go. A replacement is on its way then. */
  onExit(slot: WorkerSlot, code: number, error: string | undefined): void
}

/** Room for short-lived objects: nearly all of a request's die young, and collecting less often is what they cost. */
const YOUNG_HEAP = { maxYoungGenerationSizeMb: 64 }

/** What a thread leaves behind is noted in this: what it counts in zones, and what it has on its ring. */
interface Notes {
  readonly holdings: SharedArrayBuffer
  readonly estate: SharedArrayBuffer
}

/**
 * Those of threads that are gone, blank again. An engine makes so little garbage that V8 would collect what is let go of
 * after days only, and the C library makes memory that was given back before blank by writing to all of it.
 */
const spare: Notes[] = []

/** A place for one worker thread after another. */
export class WorkerSlot {
  readonly index: number
  /** A number that no other living thread has: its index, unless one that another replaces still has that. */
  readonly id: number
  /** The kernel's number of the thread, once it has said so. */
  tid = 0
  /** Keys of the sockets that the thread has been sent. */
  readonly given = new Set<string>()
  /** Keys of those that it accepts on. */
  readonly listening = new Set<string>()
  /** Node's number of the thread, which locks in shared memory carry. */
  threadId = 0
  readonly #notes: Notes = takeNotes()
  /** Generation that the thread runs; 0 before the first. */
  installed = 0
  /** What drives the sockets of the thread; undefined before its first configuration. */
  drive: Drive | undefined
  /** Times that it was told to open its logs anew and has not done so yet. */
  reopens = 0
  stopping = false
  #owner: SlotOwner | undefined
  /** What happened before there was an owner. */
  readonly #kept: ((owner: SlotOwner) => void)[] = []
  #worker: Worker
  #startedAt = 0
  #delayMs = 0
  #error: string | undefined
  /** Starts another one. */
  #starter: NodeJS.Timeout | undefined
  /** False between two threads. */
  #running = true
  #left = false

  /** Starts the thread. */
  constructor(index: number, id = index) {
    this.index = index
    this.id = id
    this.#worker = this.#start()
  }

  /** What the thread counts in zones. */
  get holdings(): SharedArrayBuffer {
    return this.#notes.holdings
  }

  /** What the thread has on its ring. */
  get estate(): SharedArrayBuffer {
    return this.#notes.estate
  }

  /** Tells this owner from now on, and what has happened so far. Called once. */
  attach(owner: SlotOwner): void {
    this.#owner = owner
    for (const tell of this.#kept.splice(0)) tell(owner)
  }

  #tell(event: (owner: SlotOwner) => void): void {
    if (this.#owner === undefined) this.#kept.push(event)
    else event(this.#owner)
  }

  post(message: ToWorker): void {
    if (message.type === 'stop') {
      this.stopping = true
      clearTimeout(this.#starter)
    }
    if (this.#running) this.#worker.postMessage(message)
    else if (message.type === 'stop') this.#leave()
  }

  /** Puts another thread in the place of one that has been given nothing yet. */
  startAnew(): void {
    clearTimeout(this.#starter)
    this.#worker.removeAllListeners()
    void this.#worker.terminate()
    this.#worker = this.#start()
  }

  /** Ends a thread that has stopped, or that will not. */
  terminate(): void {
    this.stopping = true
    void this.#worker.terminate()
  }

  #start(): Worker {
    this.tid = 0
    this.installed = 0
    this.drive = undefined
    this.reopens = 0
    this.given.clear()
    this.listening.clear()
    this.#error = undefined
    this.#running = true
    this.#startedAt = performance.now()
    const workerData: WorkerData = { place: this.index, id: this.id, ...this.#notes }
    const worker = new Worker(ENTRY, {
      workerData,
      name: `worker ${this.index}`,
      resourceLimits: YOUNG_HEAP,
      // The time zone is a variable of it.
      env: SHARE_ENV,
    })
    this.threadId = worker.threadId
    worker.on('message', (message: FromWorker) => this.#receive(message))
    worker.on('error', (error: unknown) => {
      this.#error = error instanceof Error ? (error.stack ?? error.message) : String(error)
    })
    worker.on('exit', (code) => this.#exited(code))
    return worker
  }

  #receive(message: FromWorker): void {
    if (message.type === 'started') {
      this.tid = message.tid
      this.#tell((owner) => owner.onStarted(this))
    } else if (message.type === 'installed') this.installed = message.generation
    else if (message.type === 'listening') this.listening.add(message.key)
    this.#tell((owner) => owner.onMessage(this, message))
  }

  #exited(code: number): void {
    this.#running = false
    this.given.clear()
    if (this.stopping) {
      this.#leave()
      return
    }
    const lived = performance.now() - this.#startedAt
    this.#delayMs = lived > STABLE_MS ? 0 : Math.min(Math.max(this.#delayMs * 2, DELAY_MIN_MS), DELAY_MAX_MS)
    const error = this.#error ?? 'the thread ended'
    this.#tell((owner) => owner.onExit(this, code, error))
    forgetHeld(this.#notes.holdings)
    this.#starter = setTimeout(() => {
      if (!this.stopping) this.#worker = this.#start()
    }, this.#delayMs)
  }

  /** There will be no other thread: whoever comes may have the notes. */
  #leave(): void {
    if (this.#left) return
    this.#left = true
    this.#tell((owner) => owner.onExit(this, 0, undefined))
    forgetHeld(this.#notes.holdings)
    spare.push(this.#notes)
  }
}

function takeNotes(): Notes {
  return spare.pop() ?? { holdings: new SharedArrayBuffer(HOLDINGS_SIZE), estate: new SharedArrayBuffer(ESTATE_SIZE) }
}
