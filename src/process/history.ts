/** What became of configurations, for those who show it: kept in a zone where a configuration has something that does. */
import type { SourceSnapshot } from '../config/include.ts'
import { SERVER_FACTS_ZONE, ServerFacts } from '../shared/server-facts.ts'

/** A configuration that is being taken over. */
interface Begun {
  readonly at: number
  readonly generation: number
  readonly workers: number
  readonly snapshot: SourceSnapshot
}

/** Writes the history of one engine. */
export class History {
  #facts: ServerFacts | undefined
  #before: SourceSnapshot | undefined
  #begun: Begun | undefined

  /** The zones are there. */
  open(zones: ReadonlyMap<string, SharedArrayBuffer>): void {
    const buffer = zones.get(SERVER_FACTS_ZONE)
    this.#facts = buffer === undefined ? undefined : ServerFacts.attach(buffer)
  }

  /** Workers are told a configuration. */
  begin(generation: number, workers: number, snapshot: SourceSnapshot): void {
    this.#begun = { at: Date.now(), generation, workers, snapshot }
  }

  /** All of them serve it. */
  ready(): void {
    const begun = this.#begun
    this.#begun = undefined
    if (begun === undefined) return
    const { at, generation, workers, snapshot } = begun
    const changed = this.#before === undefined ? [] : changedFiles(this.#before.texts, snapshot.texts)
    this.#before = snapshot
    this.#facts?.loaded({ at, tookMs: Date.now() - at, ok: true, generation, workers, changed, problem: '' })
  }

  /** A configuration was refused, and the old one goes on. */
  refused(problem: string): void {
    this.#facts?.loaded({ at: Date.now(), tookMs: 0, ok: false, generation: 0, workers: 0, changed: [], problem })
  }

  died(): void {
    this.#facts?.respawned()
  }
}

/** Files that are new, gone, or not what they were. */
function changedFiles(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): string[] {
  const names = new Set([...before.keys(), ...now.keys()])
  return [...names].filter((name) => before.get(name) !== now.get(name))
}
