/**
 * Content of small files in the memory of this thread, bounded in total. It only saves reading: whether an entry is
 * still true is for its user to find out. Forgetting is a clock: what was used since the last round is spared once.
 *
 * It belongs to the thread and not to a configuration, so that a reload leaves it warm.
 */
import type { FileEntry } from './file-entry.ts'

/** What an entry costs beyond its content. */
const ENTRY_WEIGHT = 512

/** An entry as long as it is remembered: old tables of the map may hold this for long (lib/roster.ts), but not the file. */
interface Held {
  entry: FileEntry | undefined
}

/** Remembers entries with their content up to a total size. */
export class FileMemory {
  /** Most bytes; 0 turns it off. */
  sizeMax: number
  #size = 0
  readonly #entries = new Map<string, Held>()

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax
  }

  /** Bytes held. */
  get size(): number {
    return this.#size
  }

  get(path: string): FileEntry | undefined {
    const entry = this.#entries.get(path)?.entry
    if (entry !== undefined) entry.recent = true
    return entry
  }

  /** Remembers an entry with content in place of what was known of its path, unless it alone is too much. */
  put(entry: FileEntry): void {
    const known = this.#entries.get(entry.path)?.entry
    if (known === entry) return
    if (known !== undefined) this.#forget(known)
    const weight = ENTRY_WEIGHT + (entry.content?.length ?? 0)
    if (weight > this.sizeMax) return
    entry.weight = weight
    this.#entries.set(entry.path, { entry })
    this.#size += entry.weight
    this.#trim(entry)
  }

  /** Remembers another form of an entry's content; an entry that is not remembered itself keeps it for its own life. */
  putVariant(entry: FileEntry, name: string, bytes: Buffer): void {
    entry.variants ??= new Map()
    entry.variants.set(name, bytes)
    if (entry.keeper !== undefined) {
      entry.keeper.onVariant(bytes.length)
      return
    }
    if (this.#entries.get(entry.path)?.entry !== entry) return
    entry.weight += bytes.length
    this.#size += bytes.length
    this.#trim(entry)
  }

  delete(path: string): void {
    const entry = this.#entries.get(path)?.entry
    if (entry !== undefined) this.#forget(entry)
  }

  #forget(entry: FileEntry): void {
    const held = this.#entries.get(entry.path)
    if (held !== undefined) held.entry = undefined
    this.#entries.delete(entry.path)
    this.#size -= entry.weight
    entry.weight = 0
    entry.dropUnkept()
  }

  /** Forgets until the rest fits; `kept` is in use right now and goes last. */
  #trim(kept: FileEntry): void {
    while (this.#size > this.sizeMax) {
      const [held] = this.#entries.values()
      const oldest = held?.entry
      if (held === undefined || oldest === undefined) return
      if ((oldest === kept && this.#entries.size > 1) || oldest.recent) {
        oldest.recent = false
        this.#entries.delete(oldest.path)
        this.#entries.set(oldest.path, held)
      } else {
        this.#forget(oldest)
      }
    }
  }
}

/** The memory of this thread. */
export const fileMemory = new FileMemory(32 * 1048576)
