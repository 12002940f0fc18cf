/**
 * The servers of a group that is changed while it serves: one list, in a zone that all threads share. Its version tells a
 * thread that it has to read again, so that a change holds everywhere from the moment that it is made. The list outlives
 * reloads for as long as the configuration gives the group the same servers.
 */
import { crc32 } from '../lib/crc32.ts'
import { SharedText } from '../shared/shared-text.ts'
import { ZONE_SIZE_MIN } from '../shared/zone.ts'
import type { ServerSpec } from './server-line.ts'
import { stateText } from './state-file.ts'

const KIND = 'upstream servers'
/** The text of a server is some times as long as its row. */
const TEXT_PER_ROW = 4

/** One server of the list. Its number is never another one's, as long as the list lives. */
export interface ServerEntry {
  readonly id: number
  readonly spec: ServerSpec
}

/** A change that was made. */
export interface Changed {
  readonly entries: readonly ServerEntry[]
}

/** Says what to do to the list: the new one, or what is against it. */
export type Edit = (entries: readonly ServerEntry[], nextId: number) => readonly ServerEntry[] | string

/** What an edit fails with when the list gets too long. */
export const BOOK_FULL = 'memory exhausted'

/** Bytes for the list of a group whose state is in a zone of `zoneSize`. */
export function bookSize(zoneSize: number): number {
  return Math.max(ZONE_SIZE_MIN * 4, zoneSize * TEXT_PER_ROW)
}

interface Page {
  /** Of the servers that the configuration, or the state file, gives. */
  readonly signature: number
  readonly nextId: number
  readonly entries: readonly ServerEntry[]
}

/** The list of one group as one thread sees it. */
export class ServerBook {
  readonly #text: SharedText

  private constructor(text: SharedText) {
    this.#text = text
  }

  /** The list in a buffer of `bookSize`. */
  static attach(name: string, buffer: SharedArrayBuffer): ServerBook | undefined {
    const text = SharedText.attach(name, buffer, KIND)
    return text === undefined ? undefined : new ServerBook(text)
  }

  /** Changes with every change of the list. */
  get version(): number {
    return this.#text.version
  }

  /**
   * A configuration gives the group these servers. The list stays when they are those that it began with; `again` reads
   * them anew, from where changes are written to.
   */
  begin(given: readonly ServerSpec[], again: (() => readonly ServerSpec[]) | undefined): void {
    const { lock } = this.#text
    lock.enter()
    const before = this.#page()
    const specs = before?.signature === signatureOf(given) || again === undefined ? given : again()
    const signature = signatureOf(specs)
    if (before?.signature !== signature) {
      const entries = specs.map((spec, id) => ({ id, spec }))
      this.#write({ signature, nextId: entries.length, entries })
    }
    lock.leave()
  }

  /** The list; undefined when there is no room for it. */
  read(): { readonly version: number; readonly entries: readonly ServerEntry[] | undefined } {
    const { lock } = this.#text
    lock.enter()
    const found = { version: this.version, entries: this.#page()?.entries }
    lock.leave()
    return found
  }

  /**
   * Changes the list, and what `save` keeps of it, both or neither. Returns the new list, or what is against it.
   * `save` answers with what went wrong, or nothing.
   */
  change(edit: Edit, save: ((specs: readonly ServerSpec[]) => string) | undefined): Changed | string {
    const { lock } = this.#text
    lock.enter()
    const outcome = this.#change(edit, save)
    lock.leave()
    return outcome
  }

  #change(edit: Edit, save: ((specs: readonly ServerSpec[]) => string) | undefined): Changed | string {
    const before = this.#page()
    if (before === undefined) return BOOK_FULL
    const entries = edit(before.entries, before.nextId)
    if (typeof entries === 'string') return entries
    const specs = entries.map(({ spec }) => spec)
    const nextId = entries.reduce((next, { id }) => Math.max(next, id + 1), before.nextId)
    const signature = save === undefined ? before.signature : signatureOf(specs)
    if (!this.#write({ signature, nextId, entries })) return BOOK_FULL
    const problem = save?.(specs) ?? ''
    if (problem === '') return { entries }
    this.#write(before)
    return problem
  }

  #page(): Page | undefined {
    return this.version === 0 ? undefined : JSON.parse(this.#text.read())
  }

  #write(page: Page): boolean {
    return this.#text.write(JSON.stringify(page))
  }
}

function signatureOf(specs: readonly ServerSpec[]): number {
  return crc32(stateText(specs)) | 0
}
