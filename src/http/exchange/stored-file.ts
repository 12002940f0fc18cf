/**
 * `proxy_store`: a copy of a response in a file, written under a temporary name and moved to its own when it is whole
 * (ngx_http_upstream_store). Only complete answers with status 200 are kept.
 */

import fs from 'node:fs'
import path from 'node:path'
import { errnoText } from '../../lib/errno.ts'
import { systemPath } from '../../lib/file-status.ts'
import { CRIT } from '../../log/error-log.ts'
import { TempFile, type TempPath, tempFileProblem } from '../files/temp-file.ts'
import type { Request } from '../request/request.ts'

/** Where copies go, and who may read them. */
export interface StorePlace {
  /** The file of a request; empty: it is not stored. */
  readonly path: (r: Request) => string
  /** Permissions of files, as `proxy_store_access` says; folders may be entered by whoever may read. */
  readonly mode: number
}

/** The copy of one response while it comes. */
export class StoredFile {
  readonly #r: Request
  readonly #place: StorePlace
  readonly #file: TempFile
  readonly #length: number
  #failed = false

  private constructor(r: Request, place: StorePlace, file: TempFile, length: number) {
    this.#r = r
    this.#place = place
    this.#file = file
    this.#length = length
  }

  /** Begins a copy when the response is one to keep; `length` is what the back end said, or -1. */
  static begin(r: Request, place: StorePlace, folder: TempPath, length: number): StoredFile | undefined {
    if (r.out.status !== 200 || r.headerOnly) return undefined
    // tidy: the disk may refuse at any time, and Node tells it by an exception.
    try {
      return new StoredFile(r, place, TempFile.create(folder, true), length)
    } catch (error) {
      r.logError(CRIT, `${tempFileProblem(error, folder.path)} while reading upstream`)
      return undefined
    }
  }

  /** Appends bytes. When the disk refuses, the response goes on without a copy. */
  append(bytes: Uint8Array, start: number, end: number): void {
    if (this.#failed) return
    // tidy: as in `begin`.
    try {
      this.#file.append(bytes, start, end)
    } catch (error) {
      this.#failed = true
      this.#r.logError(CRIT, `${tempFileProblem(error, this.#file.path)} while reading upstream`)
    }
  }

  /** The response is complete: the file gets its name. */
  complete(): void {
    const file = this.#file
    const target = this.#place.path(this.#r)
    if (!this.#failed && target !== '' && (this.#length < 0 || this.#length === file.size)) {
      // tidy: as in `begin`.
      try {
        this.#move(target)
      } catch (error) {
        const { syscall } = error as NodeJS.ErrnoException
        const what =
          syscall === 'mkdir' ? `mkdir() "${path.dirname(target)}"` : `rename() "${file.path}" to "${target}"`
        this.#r.logError(CRIT, `${what} failed ${errnoText(error)} while reading upstream`)
      }
    }
    this.discard()
  }

  #move(target: string): void {
    const { mode } = this.#place
    const { lastModified } = this.#r.out
    const from = this.#file.path
    fs.mkdirSync(systemPath(path.dirname(target)), { recursive: true, mode: mode | ((mode & 0o444) >> 2) })
    fs.fchmodSync(this.#file.fd, mode)
    if (lastModified >= 0) fs.futimesSync(this.#file.fd, lastModified, lastModified)
    // tidy: a file system of its own shows itself by an exception.
    try {
      fs.renameSync(systemPath(from), systemPath(target))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
      // Beside the target first, so that nobody sees half of it.
      const beside = systemPath(`${target}.${path.basename(from)}`)
      fs.copyFileSync(systemPath(from), beside)
      if (lastModified >= 0) fs.utimesSync(beside, lastModified, lastModified)
      fs.renameSync(beside, systemPath(target))
    }
  }

  /** Forgets the copy. */
  discard(): void {
    this.#file.close()
    this.#file.remove()
  }
}
