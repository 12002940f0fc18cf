/** What is wrong with a configuration, collected in file order while it is read; nothing here throws or prints. */
import type { Position } from './source.ts'

/** How much a finding matters: only `emerg` makes a configuration unusable. */
export type Level = 'emerg' | 'warn' | 'notice'

/** One finding. `at` is nginx's line for it, `shown` the most precise place known, `hint` a sentence on what to do. */
export interface Diagnostic {
  readonly level: Level
  readonly message: string
  readonly at: Position | undefined
  readonly shown: Position | undefined
  readonly hint: string | undefined
}

/** Optional parts of a finding. */
export interface Details {
  readonly shown?: Position | undefined
  readonly hint?: string | undefined
}

/** Nobody reads more; the rest only counts as failed. */
const FINDINGS_MAX = 1000

/** The findings of one load, each once: a snippet that many blocks include is wrong once. The configuration is usable only when `failed` is false. */
export class Diagnostics {
  readonly #all: Diagnostic[] = []
  readonly #seen = new Set<string>()
  #failed = false

  get all(): readonly Diagnostic[] {
    return this.#all
  }

  get failed(): boolean {
    return this.#failed
  }

  /** Reports an error; without `at` it concerns no place in a file. */
  emerg(message: string, at?: Position, details: Details = {}): void {
    this.#failed = true
    this.#add('emerg', message, at, details)
  }

  warn(message: string, at?: Position, details: Details = {}): void {
    this.#add('warn', message, at, details)
  }

  notice(message: string, at?: Position, details: Details = {}): void {
    this.#add('notice', message, at, details)
  }

  #add(level: Level, message: string, at: Position | undefined, details: Details): void {
    const shown = details.shown ?? at?.from ?? at
    const key = `${level} ${message} ${shown?.file}:${shown?.line}:${shown?.column}`
    if (this.#seen.has(key) || this.#all.length >= FINDINGS_MAX) return
    this.#seen.add(key)
    this.#all.push({ level, message, at, shown, hint: details.hint })
  }
}

/** Thrown by `ReadContext.fail` to leave a reader; caught where the directive is read and never further out. */
export class ReadFailure extends Error {
  readonly at: Position | undefined
  readonly hint: string | undefined
  /** True for the message of a general reader, which a directive's own wording (`worded`, `params`) replaces. */
  readonly general: boolean

  constructor(message: string, at?: Position, hint?: string, general = false) {
    super(message)
    this.at = at
    this.hint = hint
    this.general = general
  }
}
