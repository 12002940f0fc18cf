/** Writes the binary header of a stored file anew, in place: after a 304, or when an object is made to expire. */
import fs from 'node:fs'
import { errnoCode, errnoText } from '../../lib/errno.ts'
import { systemPath } from '../../lib/file-status.ts'
import { CRIT } from '../../log/error-log.ts'
import { encodeHeader, type FileHeader, VALID_SEC, writeSeconds } from './cache-file.ts'
import type { CachedObject } from './cached-object.ts'
import type { CacheLog } from './room.ts'

const NO_TAGS: readonly string[] = []

/** Makes a stored file expire before `now`. False: it is gone, or cannot be written. */
export function expireFile(path: string, now: number, log: CacheLog): boolean {
  return edit(path, log, (fd) => {
    const bytes = Buffer.alloc(8)
    writeSeconds(bytes, 0, now - 1)
    return fs.writeSync(fd, bytes, 0, bytes.length, VALID_SEC) > 0
  })
}

/** False: the file is gone, is another one by now, or cannot be written. */
export function rewriteHeader(path: string, object: CachedObject, header: FileHeader, log: CacheLog): boolean {
  return edit(path, log, (fd) => {
    const { ino, size } = fs.fstatSync(fd)
    if (ino !== object.ino || size !== object.fileSize) return false
    const { crc, headerStart, bodyStart, variant } = header
    const bytes = encodeHeader({ ...header, tags: NO_TAGS }, crc, headerStart, bodyStart, variant)
    return fs.writeSync(fd, bytes, 0, bytes.length, 0) > 0
  })
}

function edit(path: string, log: CacheLog, change: (fd: number) => boolean): boolean {
  let fd = -1
  // tidy: the disk may refuse at any time, and Node tells it by an exception.
  try {
    fd = fs.openSync(systemPath(path), 'r+')
    return change(fd)
  } catch (error) {
    const { syscall = 'open' } = error as NodeJS.ErrnoException
    const call = syscall === 'write' ? 'pwrite' : syscall
    if (errnoCode(error) !== 'ENOENT') log.logError(CRIT, `${call}() "${path}" failed ${errnoText(error)}`)
    return false
  } finally {
    if (fd >= 0) fs.closeSync(fd)
  }
}
