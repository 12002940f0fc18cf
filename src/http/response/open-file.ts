/**
 * How modules get at files: `openFile` for one that will be sent, `testFile` to know what is there. Both obey
 * `disable_symlinks` and `open_file_cache`, and neither throws: a failure is an entry with an error.
 *
 * Without `open_file_cache` each request asks the disk what is there (as nginx does), but the content of a small file
 * that has not changed since is not read again: one `stat` in place of open, fstat, read and close.
 */

import { clock } from '../../lib/clock.ts'
import { errnoText } from '../../lib/errno.ts'
import { exactStatError, readOpen, statPath } from '../../lib/file-status.ts'
import { CRIT, ERROR } from '../../log/error-log.ts'
import { FileEntry } from '../files/file-entry.ts'
import { fileMemory } from '../files/file-memory.ts'
import { look } from '../files/open-file-cache.ts'
import { checkedFrom, checkSymlinks } from '../files/symlinks.ts'
import type { FileAccess } from '../request/file-access.ts'
import type { Request } from '../request/request.ts'
import { trace } from '../request/trace.ts'

/** Finds out what is at `path`, without opening it. The entry is good for this event only. */
export function testFile(r: Request, path: string): FileEntry {
  const entry = test(r, path)
  if (trace !== undefined) trace.looked(r, entry)
  return entry
}

function test(r: Request, path: string): FileEntry {
  const access = r.location.fileAccess
  if (access.symlinks !== 'off') {
    const refused = symlinkError(r, access, path)
    if (refused !== undefined) return refused
  }
  if (access.cache !== undefined) return access.cache.find(path, access, clock.monotonic)
  return look(path)
}

/**
 * Opens the file at `path`. An entry without error is held for the caller, who calls its `release()` once; a regular file
 * then has its content in memory or a descriptor.
 */
export function openFile(r: Request, path: string): FileEntry {
  const entry = open(r, path)
  if (trace !== undefined) trace.looked(r, entry)
  return entry
}

function open(r: Request, path: string): FileEntry {
  const access = r.location.fileAccess
  if (access.symlinks !== 'off') {
    const refused = symlinkError(r, access, path)
    if (refused !== undefined) return refused
  }
  const { cache } = access
  const found = cache === undefined ? fresh(path) : cache.find(path, access, clock.monotonic)
  if (found.error !== '') return found
  if (!found.isFile || found.content !== undefined || found.fd >= 0) {
    found.recent = true
    found.retain()
    return found
  }
  return load(access, found)
}

/** An entry with content, or a new one that `stat` has just made. */
function fresh(path: string): FileEntry {
  const stats = statPath(path)
  if (typeof stats === 'string') return FileEntry.failure(path, stats, 'open()')
  const known = fileMemory.get(path)
  return known?.same(stats) ? known : FileEntry.of(path, stats)
}

function load(access: FileAccess, found: FileEntry): FileEntry {
  const noFollow = access.symlinks === 'on' && access.from === undefined
  const opened = found.open(clock.now, noFollow)
  if (opened.error !== '') return opened
  opened.retain()
  if (opened !== found) access.cache?.replace(found.path, opened)
  if (opened.content !== undefined && (!opened.unsettled || access.cache !== undefined)) fileMemory.put(opened)
  return opened
}

function symlinkError(r: Request, access: FileAccess, path: string): FileEntry | undefined {
  const start = access.from === undefined ? 0 : checkedFrom(path, access.from(r))
  if (start < 0) return undefined
  const error = checkSymlinks(path, start, access.symlinks)
  return error === '' ? undefined : FileEntry.failure(path, error, 'openat()')
}

/** Logs why a file cannot be served and gives the status to answer with, by nginx's rules. */
export function fileFailure(r: Request, entry: FileEntry): number {
  const { error } = entry
  const missing = isMissing(entry)
  if (missing && !r.location.core.log_not_found) return 404
  const refused = error === 'EACCES' || error === 'EMLINK' || error === 'ELOOP'
  r.logError(missing || refused ? ERROR : CRIT, failureText(entry))
  return missing ? 404 : refused ? 403 : 500
}

/** Tells whether there is just no such file. */
export function isMissing({ error }: FileEntry): boolean {
  return error === 'ENOENT' || error === 'ENOTDIR' || error === 'ENAMETOOLONG'
}

/** The whole file, binary; one too large to be kept in memory is read each time. Empty when it cannot be read. */
export function wholeText({ content, fd, size }: FileEntry): string {
  if (content !== undefined) return content.latin1Slice()
  const bytes = Buffer.alloc(size)
  const count = fd < 0 ? 0 : readOpen(fd, bytes, size, 0)
  return typeof count === 'string' ? '' : bytes.latin1Slice(0, count)
}

/** `open() "/path" failed (2: No such file or directory)`. */
export function failureText(entry: FileEntry): string {
  const exact = entry.error === 'ENOENT' ? exactStatError(entry.path) : entry.error
  return `${entry.failed} "${entry.path}" failed ${errnoText(exact)}`
}
