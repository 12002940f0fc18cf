/**
 * What the engine tells its workers about the server as a whole, for those who show it: configurations that were loaded
 * and refused, threads that died. The engine's main thread writes, workers read.
 */
import { SharedText } from './shared-text.ts'

const KIND = 'server facts'
/** The name of the zone; it is asked for where something shows its contents. */
export const SERVER_FACTS_ZONE = 'history of the server'
/** Bytes of that zone. */
export const SERVER_FACTS_SIZE: number = 65536
const RELOADS_MAX = 64
const TEXT_MAX = 400
const CHANGED_MAX = 20

/** A configuration that was loaded, or refused. */
interface ReloadFact {
  /** When it began, in milliseconds since the epoch. */
  readonly at: number
  /** How long it took until all workers served it. */
  readonly tookMs: number
  readonly ok: boolean
  readonly generation: number
  readonly workers: number
  /** Files that are new, gone, or not what they were. */
  readonly changed: readonly string[]
  /** Why it was refused; empty when it was not. */
  readonly problem: string
}

/** All of it. */
export interface Facts {
  readonly startedMs: number
  readonly generation: number
  /** When the configuration that holds was loaded. */
  readonly loadedMs: number
  /** Threads that died and were replaced. */
  readonly respawned: number
  readonly refused: number
  /** The newest last. */
  readonly reloads: readonly ReloadFact[]
}

const NOTHING: Facts = { startedMs: 0, generation: 0, loadedMs: 0, respawned: 0, refused: 0, reloads: [] }

/** The facts in one zone. */
export class ServerFacts {
  readonly #text: SharedText

  private constructor(text: SharedText) {
    this.#text = text
  }

  /** The facts in a buffer. */
  static attach(buffer: SharedArrayBuffer): ServerFacts | undefined {
    const text = SharedText.attach(SERVER_FACTS_ZONE, buffer, KIND)
    return text === undefined ? undefined : new ServerFacts(text)
  }

  get facts(): Facts {
    const { lock } = this.#text
    lock.enter()
    const text = this.#text.read()
    lock.leave()
    return text === '' ? NOTHING : JSON.parse(text)
  }

  /** A configuration holds, or was refused. */
  loaded(reload: ReloadFact): void {
    const changed = reload.changed.slice(0, CHANGED_MAX)
    const kept = { ...reload, changed, problem: reload.problem.slice(0, TEXT_MAX) }
    this.#change(({ reloads, refused, ...facts }) => ({
      ...facts,
      ...(reload.ok ? { generation: reload.generation, loadedMs: reload.at + reload.tookMs } : {}),
      startedMs: facts.startedMs === 0 ? reload.at : facts.startedMs,
      refused: reload.ok ? refused : refused + 1,
      reloads: [...reloads, kept].slice(-RELOADS_MAX),
    }))
  }

  /** A thread died and is replaced. */
  respawned(): void {
    this.#change((facts) => ({ ...facts, respawned: facts.respawned + 1 }))
  }

  /** Forgets how many died. */
  forgetRespawned(): void {
    this.#change((facts) => ({ ...facts, respawned: 0 }))
  }

  #change(change: (facts: Facts) => Facts): void {
    const { lock } = this.#text
    lock.enter()
    const text = this.#text.read()
    this.#text.write(JSON.stringify(change(text === '' ? NOTHING : JSON.parse(text))))
    lock.leave()
  }
}
