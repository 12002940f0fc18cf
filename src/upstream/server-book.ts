/**
 * The servers of a group that is changed while it serves: one list, in a zone that all threads share. Its version tells a
 * thread that it has to read again, so that a change holds everywhere from the moment that it is made. The list outlives
 * reloads for as long as the configuration gives the group the same servers.
 *
 *   zone header | version | signature of what the configuration gives | next id | bytes of text | text (JSON)
 */
import { crc32 } from '../lib/crc32.ts'
import { ZONE_HEADER_WORDS, ZONE_SIZE_MIN, Zone } from '../shared/zone.ts'
import type { ServerSpec } from './server-line.ts'
import { stateText } from './state-file.ts'

const KIND = 'upstream servers'
const VERSION = ZONE_HEADER_WORDS
const SIGNATURE = ZONE_HEADER_WORDS + 1
const NEXT_ID = ZONE_HEADER_WORDS + 2
const LENGTH = ZONE_HEADER_WORDS + 3
const TEXT_AT = 64
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

/** The list of one group as one thread sees it. */
export class ServerBook {
  readonly #zone: Zone
  readonly #text: Buffer

  private constructor(zone: Zone) {
    this.#zone = zone
    this.#text = Buffer.from(zone.buffer, TEXT_AT * 4)
  }

  /** The list in a buffer of `bookSize`. */
  static attach(name: string, buffer: SharedArrayBuffer): ServerBook | undefined {
    const zone = Zone.attach(name, buffer, KIND)
    return zone === undefined ? undefined : new ServerBook(zone)
  }

  /** Changes with every change of the list. */
  get version(): number {
    return Atomics.load(this.#zone.words, VERSION)
  }

  /**
   * A configuration gives the group these servers. The list stays when they are those that it began with; `again` reads
   * them anew, from where changes are written to.
   */
  begin(given: readonly ServerSpec[], again: (() => readonly ServerSpec[]) | undefined): void {
    const { words, lock } = this.#zone
    lock.enter()
    let specs = given
    if (words[SIGNATURE] !== signatureOf(specs) && again !== undefined) specs = again()
    if (words[VERSION] === 0 || words[SIGNATURE] !== signatureOf(specs)) {
      const entries = specs.map((spec, id) => ({ id, spec }))
      if (this.#write(entries)) {
        words[NEXT_ID] = entries.length
        words[SIGNATURE] = signatureOf(specs)
      }
    }
    lock.leave()
  }

  /** The list; undefined when there is no room for it. */
  read(): { readonly version: number; readonly entries: readonly ServerEntry[] | undefined } {
    const { lock } = this.#zone
    lock.enter()
    const found = { version: this.version, entries: this.#read() }
    lock.leave()
    return found
  }

  /**
   * Changes the list, and what `save` keeps of it, both or neither. Returns the new list, or what is against it.
   * `save` answers with what went wrong, or nothing.
   */
  change(edit: Edit, save: ((specs: readonly ServerSpec[]) => string) | undefined): Changed | string {
    const { words, lock } = this.#zone
    lock.enter()
    const before = this.#read()
    const after = before === undefined ? BOOK_FULL : edit(before, words[NEXT_ID]!)
    const problem = typeof after === 'string' ? after : this.#keep(before!, after, save)
    lock.leave()
    return problem === '' ? { entries: after as readonly ServerEntry[] } : problem // no problem: it is a list
  }

  #keep(
    before: readonly ServerEntry[],
    after: readonly ServerEntry[],
    save: ((specs: readonly ServerSpec[]) => string) | undefined,
  ): string {
    const { words } = this.#zone
    if (!this.#write(after)) return BOOK_FULL
    const specs = after.map(({ spec }) => spec)
    const problem = save?.(specs) ?? ''
    if (problem !== '') this.#write(before)
    else {
      words[NEXT_ID] = Math.max(words[NEXT_ID]!, ...after.map(({ id }) => id + 1)) // tidy: once for each change by a person
      if (save !== undefined) words[SIGNATURE] = signatureOf(specs)
    }
    return problem
  }

  #read(): readonly ServerEntry[] | undefined {
    const length = this.#zone.words[LENGTH]!
    return length === 0 ? undefined : JSON.parse(this.#text.toString('utf8', 0, length))
  }

  #write(entries: readonly ServerEntry[]): boolean {
    const { words } = this.#zone
    const text = Buffer.from(JSON.stringify(entries), 'utf8')
    if (text.length > this.#text.length) return false
    text.copy(this.#text)
    words[LENGTH] = text.length
    Atomics.add(words, VERSION, 1)
    return true
  }
}

function signatureOf(specs: readonly ServerSpec[]): number {
  return crc32(stateText(specs)) | 0
}
