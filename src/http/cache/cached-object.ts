/** A stored response as requests get it: what its header says, the head as it was received, and where the body is. */
import type { FileEntry } from '../files/file-entry.ts'
import type { FileHeader } from './cache-file.ts'
import type { GrowingBody } from './growing-body.ts'

/** One stored response. What stands in a thread's memory is shared by requests; only `parsed` changes. */
export class CachedObject {
  /** The text of its (main) key. */
  readonly key: string
  readonly header: FileHeader
  /** The head as it was stored. */
  readonly head: Buffer
  /** Bytes of the body; -1 while it grows and nobody has said. */
  readonly length: number
  /**
   * The body for `sendFile`: in memory, or behind a descriptor. Borrowed from the use: whoever sends it retains it before.
   * Undefined while the body grows.
   */
  readonly entry: FileEntry | undefined
  /** The body while it is still being written, by another request. */
  readonly growing: GrowingBody | undefined
  /** What its user has made of the head: kept as long as the object is. */
  parsed: unknown = undefined
  /** It stays in this thread's memory. */
  hot = false
  /** What it was in the index when it was read. */
  generation = 0
  /** The MD5 of the main key, a binary string. */
  md5 = ''
  place = 0
  /** The last rule of purging that it was held against. */
  purge = 0
  /** Tells the file that was read from others of its name. */
  ino = 0
  fileSize = 0
  /** What the file takes on disk, in units of 512 bytes. */
  blocks = 0

  constructor(
    key: string,
    header: FileHeader,
    head: Buffer,
    length: number,
    body: { readonly entry?: FileEntry; readonly growing?: GrowingBody },
  ) {
    this.key = key
    this.header = header
    this.head = head
    this.length = length
    this.entry = body.entry
    this.growing = body.growing
  }

  /** Seconds until which it is fresh. */
  get validSec(): number {
    return this.header.validSec
  }

  get validMsec(): number {
    return this.header.validMsec
  }

  get updatingSec(): number {
    return this.header.updatingSec
  }

  get errorSec(): number {
    return this.header.errorSec
  }

  /** Seconds, or -1. */
  get lastModified(): number {
    return this.header.lastModified
  }

  get date(): number {
    return this.header.date
  }

  get etag(): string {
    return this.header.etag
  }

  get vary(): string {
    return this.header.vary
  }

  get bodyStart(): number {
    return this.header.bodyStart
  }

  /** The same object with another header: its times have changed, or its head too. It shares body and references. */
  renewed(header: FileHeader, head?: Buffer): CachedObject {
    const { entry, growing } = this
    const body = entry !== undefined ? { entry } : growing !== undefined ? { growing } : {}
    const copy = new CachedObject(this.key, header, head ?? this.head, this.length, body)
    if (head === undefined) copy.parsed = this.parsed
    copy.place = this.place
    copy.md5 = this.md5
    copy.purge = this.purge
    copy.ino = this.ino
    copy.fileSize = this.fileSize
    copy.blocks = this.blocks
    return copy
  }
}
