/**
 * The file of a response while it comes: under a temporary name, with bytes reserved before they are written, readable for
 * others from when the head is in it. It gets its name when it is whole, or goes; half a file never has a final name.
 */

import fs from 'node:fs'
import path from 'node:path'
import { errnoCode, errnoText } from '../../lib/errno.ts'
import { openPath, systemPath } from '../../lib/file-status.ts'
import { CRIT } from '../../log/error-log.ts'
import type { Entry } from '../../shared/cache/entries.ts'
import { BROKEN, type Flight, GROWING, WHOLE } from '../../shared/cache/flights.ts'
import { TempFile, type TempPath, tempFileProblem } from '../files/temp-file.ts'
import { REFUSED_DISK } from './counters.ts'
import { GrowingBody, type Growth } from './growing-body.ts'
import type { CacheLog, CacheRoom } from './room.ts'

/** So often a full zone is made to have room. */
const TRIES_MAX = 16
/** What is reserved at a time for a body of unknown length: as much as there is, between these. */
const STEP_MIN = 65536
const STEP_MAX = 8 * 1048576
const FOLDER_MODE = 0o700

/** What is to be stored: where, and all that stands before the body. */
export interface StoreTarget {
  readonly entry: Entry
  /** The final name. */
  readonly path: string
  readonly start: Uint8Array
  /** Length of the body, or -1. */
  readonly length: number
  /** Where temporary files are when they are not beside the final one. */
  readonly folder: TempPath
  /** Others may read it while it comes. */
  readonly offered: boolean
}

/** One response on its way into the cache. */
export class StoreFile implements Growth {
  readonly #room: CacheRoom
  readonly #log: CacheLog
  readonly #target: StoreTarget
  readonly #file: TempFile
  readonly #flight: Flight
  #reserved: number
  /** Written of the body. */
  written = 0
  state = GROWING
  /** It will not be kept, but others read it. */
  #doomed = false

  private constructor(
    room: CacheRoom,
    log: CacheLog,
    target: StoreTarget,
    file: TempFile,
    flight: Flight,
    reserved: number,
  ) {
    this.#room = room
    this.#log = log
    this.#target = target
    this.#file = file
    this.#flight = flight
    this.#reserved = reserved
  }

  get expected(): number {
    return this.#target.length
  }

  /** Begins; undefined: there is no room, or the disk refuses. That is logged and counted. */
  static begin(room: CacheRoom, log: CacheLog, target: StoreTarget): StoreFile | undefined {
    const { start, length } = target
    const { flights } = room
    let flight = flights.open(target.entry)
    for (let n = 0; flight === 0 && n < TRIES_MAX && room.evict(); n++) flight = flights.open(target.entry)
    if (flight === 0) {
      room.noZoneRoom(log)
      return undefined
    }
    const bytes = start.length + (length < 0 ? STEP_MIN : length)
    const file = room.makeRoom(flight, bytes, log) ? createFile(room, log, target) : undefined
    if (file === undefined) {
      flights.end(flight, BROKEN)
      return undefined
    }
    if (target.offered) flights.begin(flight, file.fd, start.length, length)
    return new StoreFile(room, log, target, file, flight, bytes)
  }

  /** Appends bytes of the body. False: the disk or the size of the cache ends it here. */
  append(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.state !== GROWING) return false
    if (!this.#reserve(end - start)) {
      this.#end(BROKEN)
      return false
    }
    // tidy: as in `createFile`.
    try {
      this.#file.append(bytes, start, end)
    } catch (error) {
      this.#room.counters.add(REFUSED_DISK, 1)
      this.#room.complain(this.#log, CRIT, tempFileProblem(error, this.#file.path))
      this.#end(BROKEN)
      return false
    }
    this.written = this.#file.size - this.#target.start.length
    this.#room.flights.grow(this.#flight, this.written)
    return true
  }

  #reserve(more: number): boolean {
    const missing = this.#file.size + more - this.#reserved
    if (missing <= 0 || this.#doomed) return true
    const bytes = Math.max(missing, Math.min(Math.max(this.written, STEP_MIN), STEP_MAX))
    if (!this.#room.makeRoom(this.#flight, bytes, this.#log)) {
      // Who reads it already gets it to its end.
      this.#doomed = this.#room.flights.followersOf(this.#flight) > 0
      return this.#doomed
    }
    this.#reserved += bytes
    return true
  }

  /** The body is whole: the file gets its name. Blocks of 512 bytes that it takes; -1: it did not. */
  complete(): number {
    if (this.state !== GROWING) return -1
    if (this.#doomed) {
      this.#finish(WHOLE, true)
      return -1
    }
    // tidy: as in `createFile`.
    try {
      const { blocks } = fs.fstatSync(this.#file.fd)
      this.#rename()
      this.#finish(WHOLE, false)
      return blocks
    } catch (error) {
      const { path: final } = this.#target
      const { syscall = 'rename', path: from = this.#file.path } = error as NodeJS.ErrnoException
      this.#room.counters.add(REFUSED_DISK, 1)
      const what = syscall === 'rename' ? `rename() "${from}" to "${final}"` : `${syscall}() "${from}"`
      this.#log.logError(CRIT, `${what} failed ${errnoText(error)}`)
      this.#finish(WHOLE, true)
      return -1
    }
  }

  #rename(): void {
    const { path: final } = this.#target
    const from = this.#file.path
    for (let tries = 0; ; tries++) {
      // tidy: folders that are not there, and file systems of their own, show themselves by exceptions.
      try {
        fs.renameSync(systemPath(from), systemPath(final))
        return
      } catch (error) {
        const code = errnoCode(error)
        if (code === 'ENOENT' && tries === 0)
          fs.mkdirSync(systemPath(path.dirname(final)), { recursive: true, mode: FOLDER_MODE })
        else if (code === 'EXDEV') {
          this.#copy(from, final)
          return
        } else throw error
      }
    }
  }

  /** Beside the final name first, so that nobody sees half of it. */
  #copy(from: string, final: string): void {
    fs.mkdirSync(systemPath(path.dirname(final)), { recursive: true, mode: FOLDER_MODE })
    const beside = systemPath(`${final}.${path.basename(from)}`)
    fs.copyFileSync(systemPath(from), beside)
    fs.renameSync(beside, systemPath(final))
    fs.unlinkSync(systemPath(from))
  }

  /** What came is not to be kept. */
  discard(): void {
    if (this.state === GROWING) this.#end(BROKEN)
  }

  #end(state: number): void {
    this.#finish(state, true)
  }

  #finish(state: number, remove: boolean): void {
    this.state = state
    this.#room.flights.end(this.#flight, state)
    if (remove) this.#file.remove()
    this.#file.close()
  }

  /** What was written so far, to be read by the request that fetches; undefined when no descriptor is to be had. */
  reader(): GrowingBody | undefined {
    const fd = this.state === GROWING ? openPath(descriptorPath(this.#file.fd)) : 'EBADF'
    return typeof fd === 'string' ? undefined : new GrowingBody(this, fd, this.#target.start.length)
  }
}

/** The file under its temporary name, with all that stands before the body. */
function createFile(room: CacheRoom, log: CacheLog, { path: final, folder, start }: StoreTarget): TempFile | undefined {
  let file: TempFile | undefined
  // tidy: the disk may refuse at any time, and Node tells it by an exception.
  try {
    file = room.path.useTempPath ? TempFile.create(folder, true) : TempFile.beside(final)
    file.append(start, 0, start.length)
    return file
  } catch (error) {
    room.counters.add(REFUSED_DISK, 1)
    room.complain(log, CRIT, tempFileProblem(error, file?.path ?? final))
    file?.close()
    file?.remove()
    return undefined
  }
}

/** The path that opens the file behind a descriptor of this process once more, also one without a name. */
export function descriptorPath(fd: number): string {
  return `/dev/fd/${fd}`
}
