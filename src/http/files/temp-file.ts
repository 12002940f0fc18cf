/**
 * Temporary files for bodies that do not fit into memory: written and read synchronously like nginx does (they live in
 * the page cache), unlinked as soon as they are open unless they are to be kept.
 */

import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { threadId } from 'node:worker_threads'
import { errnoText } from '../../lib/errno.ts'
import { systemPath } from '../../lib/file-status.ts'
import { noteShortage } from '../../net/descriptors.ts'

let serial = Math.floor(Math.random() * 1e6)

/** One open temporary file. Errors of the operating system come out as exceptions of `create` and `append`. */
export class TempFile {
  readonly path: string
  readonly fd: number
  /** Bytes written. */
  size = 0
  #open = true
  #kept = false

  private constructor(path: string, fd: number) {
    this.path = path
    this.fd = fd
  }

  /** Makes a file in `folder`; with `keep` its name stays until `remove` (or for good). */
  static create(folder: TempPath, keep: boolean): TempFile {
    return TempFile.#make(folder, '', keep)
  }

  /** Makes a file beside another one, with its name, a dot and ten digits, which stays until `remove` (or for good). */
  static beside(path: string): TempFile {
    return TempFile.#make(undefined, path, true)
  }

  static #make(folder: TempPath | undefined, beside: string, keep: boolean): TempFile {
    for (;;) {
      const path = folder === undefined ? `${beside}.${nextNumber()}` : tempName(folder)
      // tidy: creating a file takes far longer
      try {
        const file = new TempFile(path, openSync(systemPath(path), 'wx+', 0o600))
        if (keep) file.#kept = true
        else unlinkSync(systemPath(path))
        return file
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EEXIST') continue
        if (code === 'ENOENT') {
          mkdirSync(systemPath(dirname(path)), { recursive: true, mode: 0o700 })
          continue
        }
        noteShortage(code ?? '')
        throw error
      }
    }
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    let at = start
    while (at < end) {
      const written = writeSync(this.fd, bytes, at, end - at, this.size)
      at += written
      this.size += written
    }
  }

  /** Reads into `buffer` from `position` of the file; returns how much. */
  read(buffer: Uint8Array, position: number): number {
    return readSync(this.fd, buffer, 0, Math.min(buffer.length, Math.max(0, this.size - position)), position)
  }

  /** Starts anew, for a buffer file that was read to its end. */
  truncate(): void {
    ftruncateSync(this.fd, 0)
    this.size = 0
  }

  /** Closes the file; may be called again. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    closeSync(this.fd)
  }

  /** Its name is another one by now: there is nothing to remove. */
  leave(): void {
    this.#kept = false
  }

  /** It was made with a name that it still has. */
  get named(): boolean {
    return this.#kept
  }

  /** Removes the name of a kept file. */
  remove(): void {
    if (!this.#kept) return
    this.#kept = false
    // tidy: removing a file takes far longer
    try {
      unlinkSync(systemPath(this.path))
    } catch {
      // Somebody else moved or removed it: that is what its name was kept for.
    }
  }
}

/** What the system refused, as nginx logs it: `pwrite() "PATH" failed (28: No space left on device)`. */
export function tempFileProblem(error: unknown, path: string): string {
  // Both come from node:fs, which tells the call and (but for writes) the path.
  const { syscall = 'open', path: own = path } = error as NodeJS.ErrnoException
  return `${syscall === 'write' ? 'pwrite' : syscall}() "${own}" failed ${errnoText(error)}`
}

/** Ten digits that no other thread takes for a long time. */
function nextNumber(): string {
  return String((++serial * 64 + (threadId % 64)) % 1e10).padStart(10, '0')
}

/** `0000000012` under as many sub-folders as the levels say, taken from the number's end as nginx does. */
function tempName(folder: TempPath): string {
  const number = nextNumber()
  let path = folder.path
  let end = number.length
  for (const level of folder.levels) {
    path += '/' + number.slice(end - level, end)
    end -= level
  }
  return `${path}/${number}`
}

/** `path [level1 [level2 [level3]]]`: a folder for temporary files. */
export interface TempPath {
  readonly path: string
  readonly levels: readonly number[]
}
