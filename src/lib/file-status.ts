/**
 * The file-system calls of the data plane: they answer with a value or with the errno's name, never with an exception.
 * Paths are binary strings (one char = one byte), as everything that comes from a request.
 */
import { Buffer } from 'node:buffer'
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { errnoCode } from './errno.ts'

const HIGH = /[\x80-\xff]/
const QUIET = { throwIfNoEntry: false } as const
/** Opening a pipe must not wait for its writer. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

/** What is at a path, links followed; or the errno's name. */
export function statPath(path: string): Stats | string {
  try {
    return statSync(systemPath(path), QUIET) ?? 'ENOENT'
  } catch (error) {
    return codeOf(error)
  }
}

/** What is at a path, the last link not followed; or the errno's name. */
export function lstatPath(path: string): Stats | string {
  try {
    return lstatSync(systemPath(path), QUIET) ?? 'ENOENT'
  } catch (error) {
    return codeOf(error)
  }
}

/** The exact errno of a path that `statPath` called ENOENT: a file in the place of a folder is ENOTDIR. */
export function exactStatError(path: string): string {
  try {
    statSync(systemPath(path))
    return 'ENOENT'
  } catch (error) {
    return codeOf(error)
  }
}

/** The path of the same file without links, which begins with a slash; or the errno's name. */
export function realPath(path: string): string {
  try {
    return realpathSync.native(systemPath(path), 'latin1')
  } catch (error) {
    return codeOf(error)
  }
}

/** Opens a file for reading; with `noFollow` a link at its end is ELOOP. Returns the descriptor or the errno's name. */
export function openPath(path: string, noFollow = false): number | string {
  try {
    return openSync(systemPath(path), noFollow ? READ | constants.O_NOFOLLOW : READ)
  } catch (error) {
    return codeOf(error)
  }
}

/** What an open descriptor belongs to; or the errno's name. */
export function statOpen(fd: number): Stats | string {
  try {
    return fstatSync(fd)
  } catch (error) {
    return codeOf(error)
  }
}

/** Reads up to `size` bytes at `position` of the file into the start of `into`; returns how many, or the errno's name. */
export function readOpen(fd: number, into: Uint8Array, size: number, position: number): number | string {
  try {
    return readSync(fd, into, 0, size, position)
  } catch (error) {
    return codeOf(error)
  }
}

/** Closes a descriptor. */
export function closeOpen(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // A descriptor that was open for reading has nothing to lose.
  }
}

/** The path as Node takes it: text when that means the same bytes. */
export function systemPath(path: string): string | Buffer {
  return HIGH.test(path) ? Buffer.from(path, 'latin1') : path
}

/** A path that Node itself refuses (it holds a NUL) names no file. */
function codeOf(error: unknown): string {
  const code = errnoCode(error)
  return code === '' || code.startsWith('ERR_') ? 'ENOENT' : code
}
