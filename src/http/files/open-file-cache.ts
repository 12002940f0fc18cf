/**
 * What `open_file_cache` remembers about paths: files with their descriptors or content, folders, and failures. An
 * entry is used unchecked for `open_file_cache_valid`, then it is compared with the disk again.
 */
import { statPath } from '../../lib/file-status.ts'
import { Lru } from '../../lib/lru.ts'
import { FileEntry } from './file-entry.ts'

/** The settings that hold where a file is asked for. */
export interface CacheUse {
  readonly validMs: number
  readonly minUses: number
  readonly errors: boolean
}

/** One path. */
interface Cached {
  entry: FileEntry
  checkedMs: number
  usedMs: number
  uses: number
}

function release(_path: string, { entry }: Cached): void {
  entry.release()
}

/** The entries of one `open_file_cache`; each is held by a reference until it is dropped. */
export class OpenFileCache {
  readonly #inactiveMs: number
  readonly #paths: Lru<string, Cached>
  #retired = false

  constructor(countMax: number, inactiveMs: number) {
    this.#paths = new Lru(countMax, release)
    this.#inactiveMs = inactiveMs
  }

  get count(): number {
    return this.#paths.count
  }

  /** The entry for `path`, from memory or from the disk. */
  find(path: string, use: CacheUse, now: number): FileEntry {
    const cached = this.#paths.get(path)
    if (cached === undefined) return this.#add(path, use, now)
    cached.uses++
    cached.usedMs = now
    const { entry } = cached
    const enough = entry.error !== '' || entry.isFolder || cached.uses > use.minUses
    if (enough && now - cached.checkedMs < use.validMs) return entry
    return this.#check(path, cached, use, now)
  }

  /** Puts what opening the path has shown in place of what was known. */
  replace(path: string, entry: FileEntry): void {
    const cached = this.#paths.peek(path)
    if (cached === undefined || cached.entry === entry) return
    cached.entry.release()
    cached.entry = entry
    entry.retain()
  }

  /** Forgets everything, and remembers nothing any more: the configuration is going, its last requests may still come. */
  retire(): void {
    this.#retired = true
    this.#paths.clear()
  }

  #add(path: string, use: CacheUse, now: number): FileEntry {
    const entry = look(path)
    if (this.#retired || (entry.error !== '' && !use.errors)) return entry
    this.#expire(now)
    entry.retain()
    this.#paths.set(path, { entry, checkedMs: now, usedMs: now, uses: 1 })
    return entry
  }

  #check(path: string, cached: Cached, use: CacheUse, now: number): FileEntry {
    const { entry } = cached
    const stats = statPath(path)
    cached.checkedMs = now
    if (typeof stats !== 'string' && entry.error === '' && entry.same(stats)) return entry
    const fresh = typeof stats === 'string' ? FileEntry.failure(path, stats, 'open()') : FileEntry.of(path, stats)
    if (fresh.error !== '' && !use.errors) {
      this.#paths.delete(path)
      return fresh
    }
    this.replace(path, fresh)
    return fresh
  }

  /** Drops up to two entries that nobody used for long, as nginx does on each addition. */
  #expire(now: number): void {
    for (let i = 0; i < 2; i++) {
      const { oldest } = this.#paths
      if (oldest === undefined || now - oldest[1].usedMs < this.#inactiveMs) return
      this.#paths.delete(oldest[0])
    }
  }
}

/** The entry of a path as the disk has it now. */
export function look(path: string): FileEntry {
  const stats = statPath(path)
  return typeof stats === 'string' ? FileEntry.failure(path, stats, 'open()') : FileEntry.of(path, stats)
}
