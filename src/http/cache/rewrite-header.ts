/** Writes the binary header of a stored file anew, in place: after a 304, or when an object is made to expire. */
import fs from 'node:fs'
import { errnoCode, errnoText } from '../../lib/errno.ts'
import { systemPath } from '../../lib/file-status.ts'
import { CRIT } from '../../log/error-log.ts'
import { encodeHeader, type FileHeader } from './cache-file.ts'
import type { CachedObject } from './cached-object.ts'
import type { CacheLog } from './room.ts'

const NO_TAGS: readonly string[] = []

/** False: the file is gone, is another one by now, or cannot be written. */
export function rewriteHeader(path: string, object: CachedObject, header: FileHeader, log: CacheLog): boolean {
  let fd = -1
  // tidy: the disk may refuse at any time, and Node tells it by an exception.
  try {
    fd = fs.openSync(systemPath(path), 'r+')
    const { ino, size } = fs.fstatSync(fd)
    if (ino !== object.ino || size !== object.fileSize) return false
    const { crc, headerStart, bodyStart, variant } = header
    const bytes = encodeHeader({ ...header, tags: NO_TAGS }, crc, headerStart, bodyStart, variant)
    fs.writeSync(fd, bytes, 0, bytes.length, 0)
    return true
  } catch (error) {
    const { syscall = 'open' } = error as NodeJS.ErrnoException
    const call = syscall === 'write' ? 'pwrite' : syscall
    if (errnoCode(error) !== 'ENOENT') log.logError(CRIT, `${call}() "${path}" failed ${errnoText(error)}`)
    return false
  } finally {
    if (fd >= 0) fs.closeSync(fd)
  }
}
