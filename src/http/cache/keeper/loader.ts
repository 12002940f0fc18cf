/**
 * Looks through the folder of a cache after a start, a file at a time, until the index knows what there is
 * (ngx_http_file_cache_loader). What a snapshot remembers is there at once, and has only to be found; of other files the
 * header is read, for the key, the variant and the tags. Nothing waits for it: until it is done look-ups test the disk.
 */
import fs from 'node:fs'
import { clock } from '../../../lib/clock.ts'
import { errnoText } from '../../../lib/errno.ts'
import { closeOpen, openPath, readOpen, statPath, systemPath } from '../../../lib/file-status.ts'
import type { Steps } from '../../../lib/steps.ts'
import { CRIT, ERROR, INFO } from '../../../log/error-log.ts'
import { clampSeconds } from '../../../shared/cache/entries.ts'
import { LOADED } from '../../../shared/cache/layout.ts'
import type { KeyWords } from '../../../shared/cache/memory.ts'
import type { StoredRecord, Upkeep } from '../../../shared/cache/upkeep.ts'
import { CacheKey, decodeHeader, keyTextOf, keyWordsOf } from '../cache-file.ts'
import type { CachePath } from '../cache-path.ts'
import { headTags } from '../head-tags.ts'
import { notedPurges } from '../purge-journal.ts'
import { type CacheRoom, idleSeconds } from '../room.ts'
import { readSnapshot } from './snapshot.ts'

const NAME = /^[0-9a-f]{32}$/
/** Temporary files have the name of their final one, or any, a dot and ten digits. */
const TEMPORARY = /\.[0-9]{10}$/
/** One that nobody has written to for so long belongs to a process that is gone. */
const ABANDONED_MS = 3_600_000
/** Time stamps of files are as coarse as that. */
const SETTLED_MS = 20
/** So many of them are remembered. */
const UNFINISHED_MAX = 1000
const READ_SIZE = 4096
/** What is done at a time where no file has to be read. */
const RECORDS_PER_STEP = 500
const KNOWN_PER_STEP = 20

/** Loads one cache; a step is a file. */
export class Loader {
  readonly #room: CacheRoom
  readonly #upkeep: Upkeep
  readonly #log: (level: number, message: string) => void
  /** Temporary files that were there, to be looked at again. */
  unfinished: string[] = []
  #snapshotMs = 0
  #known = 0
  /** The last purge that a snapshot has told of: what is newer was held against it. */
  #held = 0
  #noted = false

  constructor(room: CacheRoom, upkeep: Upkeep, log: (level: number, message: string) => void) {
    this.#room = room
    this.#upkeep = upkeep
    this.#log = log
  }

  #path(): CachePath {
    return this.#room.path
  }

  /** Purges that hold at once, before anything is known: a process that is gone has noted them. */
  restorePurges(): void {
    const rules = notedPurges(this.#path().path, (problem) => this.#log(ERROR, problem))
    this.#noted = rules.length > 0
    this.#upkeep.restoreRules(rules)
  }

  *load(): Steps<void> {
    const { path } = this.#path()
    yield* this.#remember()
    yield* this.#folder(path)
    for (let part = 0; ; part++) {
      this.#upkeep.forgetUnseen(part)
      yield
      if (this.#upkeep.isLast(part)) break
    }
    this.#upkeep.loading = LOADED
  }

  *#remember(): Steps<void> {
    const snapshot = readSnapshot(this.#path().path)
    if (snapshot === undefined) return
    this.#snapshotMs = snapshot.begunMs
    const held = this.#upkeep.restoreRules(snapshot.rules)
    // Nothing was held against what was noted since: those rules have lower numbers than the snapshot's.
    this.#held = this.#noted ? 0 : held
    const ahead = clock.seconds - idleSeconds()
    for (const [n, record] of snapshot.records.entries()) {
      const inactiveAt = Math.min(Math.max(0, record.inactiveAt - ahead), this.#room.inactiveAt)
      if (!this.#upkeep.add({ ...record, inactiveAt }, true, record.suspect ? 0 : this.#held)) return
      if (n % RECORDS_PER_STEP === 0) yield
    }
  }

  *#folder(path: string): Steps<void> {
    let folder: fs.Dir | undefined
    // tidy: the keeper's thread serves nobody.
    try {
      folder = fs.opendirSync(systemPath(path), { encoding: 'latin1' })
      for (let one = folder.readSync(); one !== null; one = folder.readSync()) {
        if (one.isDirectory()) {
          // nginx keeps temporary files there when it is told to.
          if (one.name !== 'temp') yield* this.#folder(`${path}/${one.name}`)
        } else if (one.isFile()) {
          const known = this.#file(`${path}/${one.name}`, one.name)
          if (!known || ++this.#known % KNOWN_PER_STEP === 0) yield
        }
      }
    } catch (error) {
      this.#log(CRIT, `opendir() "${path}" failed ${errnoText(error)}`)
    } finally {
      folder?.closeSync()
    }
  }

  /** True: it was known, and little was to be done. */
  #file(path: string, name: string): boolean {
    if (TEMPORARY.test(name)) this.#temporary(path)
    if (!NAME.test(name)) return true
    const key = keyWordsOf(name)
    if (this.#upkeep.knows(key)) return true
    const stats = statPath(path)
    if (typeof stats === 'string') return true
    const settled = Math.max(stats.mtimeMs, stats.ctimeMs) < this.#snapshotMs - SETTLED_MS
    if (settled && this.#upkeep.seen(key, stats.blocks)) return true
    const record = this.#read(path, name, key, stats.size, stats.blocks)
    const added = record !== undefined && this.#upkeep.add(record, false, settled ? 0 : this.#held)
    if (!added) this.#room.unlink(path, { logError: this.#log })
    return false
  }

  /** Half a response of somebody who is gone, or who is still at it: that shows later. */
  #temporary(path: string): void {
    if (!this.deleteAbandoned(path) && this.unfinished.length < UNFINISHED_MAX) this.unfinished.push(path)
  }

  /** Deletes a temporary file when nobody has written to it for long. False: somebody may be at it. */
  deleteAbandoned(path: string): boolean {
    const stats = statPath(path)
    if (typeof stats === 'string') return true
    if (stats.mtimeMs > clock.now - ABANDONED_MS) return false
    this.#room.unlink(path, { logError: this.#log })
    return true
  }

  /** Undefined: nobody can use it. */
  #read(path: string, name: string, key: KeyWords, size: number, blocks: number): StoredRecord | undefined {
    const bytes = readFirst(path)
    if (bytes === undefined) return undefined
    const header = decodeHeader(bytes, bytes.length, size)
    if (typeof header === 'string') {
      this.#log(INFO, `cache file "${path}" ${header}`)
      return undefined
    }
    const text = header.headerStart <= bytes.length ? keyTextOf(bytes, header) : ''
    const main = text === undefined || text === '' ? undefined : CacheKey.of(text)
    // Keys that are longer than what was read are believed.
    if (text === undefined || (main !== undefined && main.crc !== header.crc)) return undefined
    return {
      key,
      main: main === undefined || main.hex === name ? undefined : main,
      inactiveAt: this.#room.inactiveAt,
      validUntil: clampSeconds(header.validSec),
      blocks,
      bodyStart: header.bodyStart,
      uses: 1,
      expired: false,
      suspect: false,
      tags: headTags(bytes.subarray(header.headerStart, header.bodyStart)),
    }
  }
}

function readFirst(path: string): Buffer | undefined {
  const fd = openPath(path)
  if (typeof fd === 'string') return undefined
  const bytes = Buffer.allocUnsafe(READ_SIZE)
  const count = readOpen(fd, bytes, READ_SIZE, 0)
  closeOpen(fd)
  return typeof count === 'string' ? undefined : bytes.subarray(0, count)
}
