/**
 * The configurations of an editor's folders. A file is looked at as part of the configuration that includes it; what the
 * editor has open takes the place of what is on the disk.
 */

import fs from 'node:fs'
import path from 'node:path'
import type { SourceReader } from '../../config/include.ts'
import type { Position } from '../../config/source.ts'
import { textReader } from '../frame/files.ts'
import type { Finding } from '../lint/check.ts'
import { lint } from '../lint/engine.ts'
import { sourceOf } from '../lint/source.ts'
import { loadModel, type Model } from '../model/model.ts'
import { type Occurrence, occurrences } from './symbols.ts'

const MAIN_NAMES = ['nginx.conf', 'conf/nginx.conf', 'conf/nginx/nginx.conf', 'nginx/nginx.conf']
const WHOLE = /^\s*(?:http|stream|events)\s*\{/m

/** A configuration that is loaded, with what was found in it. */
export class Loaded {
  readonly model: Model
  readonly findings: readonly Finding[]
  readonly #texts: ReadonlyMap<string, string>
  #names: readonly Occurrence[] | undefined
  /** Before it became wrong, when it is: what stands behind the mistake is known from there. */
  before: Loaded | undefined

  constructor(model: Model) {
    this.model = model
    this.findings = lint(model, { only: undefined, skip: [] })
    this.#texts = new Map(model.config.files.map((file) => [file.path, file.text]))
  }

  get names(): readonly Occurrence[] {
    this.#names ??= occurrences(this.model, (at) => this.lineOf(at))
    return this.#names
  }

  /** The names that may be proposed. */
  get proposed(): readonly Occurrence[] {
    return [...this.names, ...(this.before?.names ?? [])]
  }

  /** Its files, without the one that only holds a part. */
  get files(): readonly string[] {
    return [...this.#texts.keys()].filter((file) => !file.endsWith('/.part-of-a-configuration'))
  }

  has(file: string): boolean {
    return this.#texts.has(file)
  }

  textOf(file: string): string | undefined {
    return this.#texts.get(file)
  }

  lineOf({ file, line }: Position): string {
    return this.#texts.get(file)?.split('\n')[line - 1] ?? ''
  }
}

/** Loads configurations when they are asked for, and anew when something has changed. */
export class Workspace {
  readonly #folders: string[]
  readonly #open: (file: string) => string | undefined
  readonly #reader: SourceReader
  /** By main file, or by the file itself when it is part of none. */
  readonly #loaded = new Map<string, Loaded>()
  /** What each of them was when it was last right. */
  readonly #right = new Map<string, Loaded>()

  constructor(folders: readonly string[], open: (file: string) => string | undefined) {
    this.#folders = [...folders]
    this.#open = open
    this.#reader = { glob: textReader.glob, read: (file) => open(file) ?? textReader.read(file) }
  }

  /** Something has changed. */
  forget(): void {
    this.#loaded.clear()
  }

  /** The configuration that a file belongs to. */
  of(file: string): Loaded {
    const text = this.#open(file) ?? read(file) ?? ''
    if (!WHOLE.test(text)) {
      for (const main of this.#mainFiles(file)) {
        const loaded = this.#load(main)
        if (loaded?.has(file) === true) return loaded
      }
    }
    return this.#load(file, text) ?? new Loaded(loadModel(sourceOf('', file, true, this.#reader)))
  }

  /** The files that may be the main one of the configuration with a file: in its folder, those above, and those of the editor. */
  *#mainFiles(file: string): Generator<string> {
    const folders = new Set<string>()
    for (let at = path.dirname(file); ; at = path.dirname(at)) {
      folders.add(at)
      if (at === path.dirname(at) || this.#folders.includes(at)) break
    }
    for (const folder of this.#folders) folders.add(folder)
    for (const folder of folders) {
      for (const name of MAIN_NAMES) {
        const full = path.join(folder, name)
        if (fs.existsSync(full)) yield full
      }
      for (const name of namesIn(folder)) if (name.endsWith('.nginx')) yield path.join(folder, name)
    }
  }

  #load(file: string, known?: string): Loaded | undefined {
    const before = this.#loaded.get(file)
    if (before !== undefined) return before
    const text = known ?? this.#open(file) ?? read(file)
    if (text === undefined) return undefined
    const loaded = new Loaded(loadModel(sourceOf(text, file, false, this.#reader)))
    this.#loaded.set(file, loaded)
    if (loaded.model.diagnostics.failed) loaded.before = this.#right.get(file)
    else this.#right.set(file, loaded)
    return loaded
  }
}

function read(file: string): string | undefined {
  try {
    return textReader.read(file)
  } catch {
    return undefined
  }
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder)
  } catch {
    return []
  }
}
