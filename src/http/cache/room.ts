/**
 * One cache as one thread sees it, for as long as the keys zone lives: a reload gives it new settings and keeps what is in
 * memory, who waits, and what is under way.
 */
import fs from 'node:fs'
import { clock } from '../../lib/clock.ts'
import { errnoText } from '../../lib/errno.ts'
import { systemPath } from '../../lib/file-status.ts'
import { ALERT, CRIT, WARN } from '../../log/error-log.ts'
import { type Flight, Flights } from '../../shared/cache/flights.ts'
import { CacheIndex } from '../../shared/cache/index.ts'
import type { KeyWords } from '../../shared/cache/memory.ts'
import type { Zone } from '../../shared/zone.ts'
import { fileNameOf, hexOf } from './cache-file.ts'
import type { CachePath } from './cache-path.ts'
import { CacheCounters, EVICTED, REFUSED_SIZE, REFUSED_ZONE } from './counters.ts'
import { ObjectMemory } from './object-memory.ts'
import { WaitingRoom } from './waiting-room.ts'

/** Where the store writes what goes wrong: mostly the request. */
export interface CacheLog {
  logError(level: number, message: string): void
}

/** Most files that one request deletes to make room. */
const EVICTIONS_MAX = 256

/** The thread's side of one cache. */
export class CacheRoom {
  readonly index: CacheIndex
  readonly flights: Flights
  readonly memory = new ObjectMemory()
  readonly waiting: WaitingRoom
  readonly counters: CacheCounters
  #path: CachePath
  #complainedAt = -1
  #free = 0
  #freeAt = -1

  constructor(zone: Zone, path: CachePath) {
    this.index = new CacheIndex(zone)
    this.flights = new Flights(this.index)
    this.waiting = new WaitingRoom(this.index)
    this.counters = new CacheCounters(zone.words)
    this.#path = path
    this.memory.sizeMax = path.memory
  }

  get path(): CachePath {
    return this.#path
  }

  /** The configuration was loaded anew. */
  set path(path: CachePath) {
    this.#path = path
    this.memory.sizeMax = path.memory
  }

  /** Bytes of a block of the file system, which messages name. */
  get blockSize(): number {
    // tidy: asked once per load of the index
    try {
      return fs.statfsSync(systemPath(this.#path.path)).bsize
    } catch {
      return 512
    }
  }

  /** When what is used now becomes inactive; in seconds of the process, whatever happens to the clock on the wall. */
  get inactiveAt(): number {
    return Math.min(idleSeconds() + this.#path.inactiveS, 0xffffffff)
  }

  fileName(key: KeyWords): string {
    return fileNameOf(this.#path.path, this.#path.levels, hexOf(key))
  }

  /**
   * Reserves bytes for a file to come, deleting the files that were not used for longest as far as it needs to. False: it
   * does not fit, which is logged and counted.
   */
  makeRoom(flight: Flight, bytes: number, log: CacheLog): boolean {
    const { maxSize } = this.#path
    if (!this.#makeFree(bytes)) return this.#refuse(log, 'no more than "min_free" is left on the disk')
    if (bytes > maxSize) return this.#refuse(log, 'it is larger than "max_size"')
    for (let n = 0; !this.flights.reserve(flight, bytes, maxSize); n++) {
      if (n === EVICTIONS_MAX || !this.evict()) return this.#refuse(log, '"max_size" is taken by files in use')
    }
    return true
  }

  /** The keys zone is full of entries in use. */
  noZoneRoom(log: CacheLog): void {
    this.counters.add(REFUSED_ZONE, 1)
    this.complain(log, ALERT, `could not allocate node in cache keys zone "${this.#path.name}"`)
  }

  #refuse(log: CacheLog, why: string): false {
    this.counters.add(REFUSED_SIZE, 1)
    this.complain(log, WARN, `response is not cached in "${this.#path.name}": ${why}`)
    return false
  }

  /** Logs what would otherwise be logged for each request: once a second. */
  complain(log: CacheLog, level: number, message: string): void {
    if (this.#complainedAt === clock.seconds) return
    this.#complainedAt = clock.seconds
    log.logError(level, message)
  }

  /** Deletes the file that was not used for longest; false: there is none that nobody uses. */
  evict(): boolean {
    const result = this.index.evict(idleSeconds(), this.inactiveAt, false)
    if (result < 0) return false
    if (result === 1) this.unlink(this.fileName(this.index.evicted), undefined)
    this.counters.add(EVICTED, 1)
    return true
  }

  /** Leaves `min_free` on the disk; what is free is asked once a second. */
  #makeFree(bytes: number): boolean {
    const { minFree, path } = this.#path
    if (minFree === 0) return true
    if (this.#freeAt !== clock.seconds) {
      this.#freeAt = clock.seconds
      this.#free = freeBytes(path)
    }
    for (let n = 0; this.#free - bytes < minFree; n++) {
      if (n === EVICTIONS_MAX || !this.evict()) return false
      this.#free = freeBytes(path)
    }
    this.#free -= bytes
    return true
  }

  /** Deletes a file. True: it was there. A file that is gone already is as good; anything else is logged. */
  unlink(path: string, log: CacheLog | undefined): boolean {
    // tidy: deleting a file takes far longer
    try {
      fs.unlinkSync(systemPath(path))
      return true
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'ENOTDIR') log?.logError(CRIT, `unlink() "${path}" failed ${errnoText(error)}`)
      return false
    }
  }
}

/** The time that `inactive` is measured in. */
export function idleSeconds(): number {
  return Math.floor(clock.monotonic / 1000)
}

/** Bytes that are free on the file system of a path, for users who are not root; Infinity when it does not say. */
export function freeBytes(path: string): number {
  // tidy: asked once a second
  try {
    const { bavail, bsize } = fs.statfsSync(systemPath(path))
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
