/**
 * One file as it was at one moment: what `stat` said, and its content when that is remembered. Entries never change
 * their identity: a file that changed on disk gets a new one.
 *
 * Who holds an entry (a request that sends it, an open_file_cache) has a reference; with the last one gone, its
 * descriptor is closed. Content in memory does not depend on references.
 */
import type { Stats } from 'node:fs'
import { closeOpen, openPath, readOpen, statOpen } from '../../lib/file-status.ts'
import { noteShortage } from '../../net/descriptors.ts'

/** Files up to this size are read whole and may be remembered. */
export const CONTENT_SIZE_MAX = 262144
/** Content up to this size leaves as text: one piece with its head. */
const TEXT_SIZE_MAX = 4096
/** A file that changed this recently may change again without a new time stamp. */
const SETTLED_MS = 2000

const FILE = 1
const FOLDER = 2
const OTHER = 3

/** Who keeps an entry with its variants. */
export interface VariantKeeper {
  onVariant(bytes: number): void
}

/** A file, a folder, or the failure to find one. */
export class FileEntry {
  readonly path: string
  /** The errno's name, or empty. */
  readonly error: string
  /** The call that failed, for the log: `open()`. */
  readonly failed: string
  readonly #kind: number
  readonly dev: number
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  /** Modification time in whole seconds. */
  readonly mtime: number
  /** `"mtime-size"` in hexadecimal digits, as nginx makes it. */
  readonly etag: string
  /** The whole content, or undefined when it is not in memory. */
  content: Buffer | undefined = undefined
  #text: string | undefined = undefined
  /** Other forms of the content (compressed), by a name that their maker chooses. */
  variants: Map<string, Buffer> | undefined = undefined
  /** Bytes of content and variants in the file memory; 0: the memory does not have it. */
  weight = 0
  /** Where in the file behind `fd` the content begins. */
  base = 0
  /** Told of bytes that variants take, where something else than the file memory keeps the entry. */
  keeper: VariantKeeper | undefined = undefined
  /** Content was asked for since the memory last looked for something to forget. */
  recent = false
  /** Content was read so soon after a change that the same time stamps do not prove the same content. */
  unsettled = false
  /** The media type last computed and the table that it came from. */
  type = ''
  typeSource: unknown = undefined
  #fd = -1
  #references = 0

  private constructor(path: string, stats: Stats | undefined, error: string, failed: string, size = -1) {
    this.path = path
    this.error = error
    this.failed = failed
    this.#kind =
      size >= 0 ? FILE : stats === undefined ? 0 : stats.isFile() ? FILE : stats.isDirectory() ? FOLDER : OTHER
    this.dev = stats === undefined ? 0 : stats.dev
    this.ino = stats === undefined ? 0 : stats.ino
    this.size = stats === undefined ? Math.max(0, size) : stats.size
    this.mtimeMs = stats === undefined ? 0 : stats.mtimeMs
    this.ctimeMs = stats === undefined ? 0 : stats.ctimeMs
    this.mtime = Math.floor(this.mtimeMs / 1000)
    this.etag = this.#kind === FILE ? etagOf(this.mtime, this.size) : ''
  }

  static of(path: string, stats: Stats): FileEntry {
    return new FileEntry(path, stats, '', '')
  }

  /**
   * A body that stands in a file behind something else, from `base` on: in memory (`content`), or behind a descriptor that
   * belongs to the entry. The caller holds a reference.
   */
  static body(path: string, base: number, size: number, content: Buffer | undefined, fd: number): FileEntry {
    const entry = new FileEntry(path, undefined, '', '', size)
    entry.base = base
    entry.content = content
    // Not the file memory's, and not to be dropped by its users.
    entry.weight = 1
    entry.#fd = fd
    entry.retain()
    return entry
  }

  /** `call` is the system call that failed. */
  static failure(path: string, error: string, call: string): FileEntry {
    noteShortage(error)
    return new FileEntry(path, undefined, error, call)
  }

  get isFile(): boolean {
    return this.#kind === FILE
  }

  get isFolder(): boolean {
    return this.#kind === FOLDER
  }

  /** The open descriptor, or -1. */
  get fd(): number {
    return this.#fd
  }

  /** Tells whether `stats` shows the same, unchanged file. */
  same(stats: Stats): boolean {
    return (
      this.ino === stats.ino &&
      this.size === stats.size &&
      this.mtimeMs === stats.mtimeMs &&
      this.ctimeMs === stats.ctimeMs &&
      this.dev === stats.dev &&
      !this.unsettled
    )
  }

  /** The content as a binary string, when it is short and remembered; made once. */
  get text(): string | undefined {
    const { content } = this
    if (this.#text !== undefined || content === undefined) return this.#text
    if (this.weight === 0 || content.length > TEXT_SIZE_MAX) return undefined
    this.#text = content.latin1Slice(0, content.length)
    return this.#text
  }

  retain(): void {
    this.#references++
  }

  release(): void {
    if (--this.#references > 0 || this.#fd < 0) return
    closeOpen(this.#fd)
    this.#fd = -1
  }

  /** Frees content that the memory does not keep: a cache may hold many entries. */
  dropUnkept(): void {
    if (this.weight !== 0) return
    this.content = undefined
    this.#text = undefined
    this.variants = undefined
  }

  /**
   * Opens the file. The answer is this entry, or another one when the path leads elsewhere by now (or nowhere).
   * Small files are read at once and closed. The caller holds a reference to what comes back.
   */
  open(nowMs: number, noFollow: boolean): FileEntry {
    const fd = openPath(this.path, noFollow)
    if (typeof fd === 'string') return FileEntry.failure(this.path, fd, noFollow ? 'openat()' : 'open()')
    const stats = statOpen(fd)
    if (typeof stats === 'string') {
      closeOpen(fd)
      return FileEntry.failure(this.path, stats, 'fstat()')
    }
    const entry = this.same(stats) ? this : FileEntry.of(this.path, stats)
    if (entry.#fd >= 0) closeOpen(entry.#fd)
    entry.#fd = fd
    if (!entry.isFile || (entry.size <= CONTENT_SIZE_MAX && entry.#read(nowMs))) {
      closeOpen(fd)
      entry.#fd = -1
    }
    return entry
  }

  /** Reads the whole file; false when it turns out to be shorter than it was said to be. */
  #read(nowMs: number): boolean {
    const content = Buffer.allocUnsafeSlow(this.size)
    let at = 0
    while (at < content.length) {
      const count = readOpen(this.#fd, at === 0 ? content : content.subarray(at), content.length - at, at)
      if (typeof count === 'string' || count === 0) return false
      at += count
    }
    this.content = content
    this.#text = undefined
    this.unsettled = nowMs - Math.max(this.mtimeMs, this.ctimeMs) < SETTLED_MS
    return true
  }
}

/** The tag of a file's content: its time in seconds, and how many bytes (ngx_http_set_etag). */
export function etagOf(mtime: number, size: number): string {
  return '"' + mtime.toString(16) + '-' + size.toString(16) + '"'
}
