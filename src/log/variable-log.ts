/**
 * Access logs whose path has variables: the file is opened for each line, unless `open_log_file_cache` keeps descriptors.
 * A kept file is looked at again after `valid=`: when its name means another file by now, it is opened anew.
 */

import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs'
import { clock } from '../lib/clock.ts'
import { errnoText } from '../lib/errno.ts'
import { systemPath } from '../lib/file-status.ts'
import { Lru } from '../lib/lru.ts'
import { Complaints } from './complaints.ts'
import { ALERT, CRIT, type ErrorLog, type LogContext } from './error-log.ts'

/** The parameters of `open_log_file_cache`; nginx's defaults are 10s, 1 and 60s. */
export interface OpenLogFileCache {
  readonly max: number
  readonly inactiveMs: number
  readonly minUses: number
  readonly validMs: number
}

interface OpenLog {
  /** -1 while the path has been seen, but not often enough to be kept open. */
  fd: number
  uses: number
  usedAt: number
  checkedAt: number
  inode: number
  device: number
}

export class VariableLog {
  readonly #settings: OpenLogFileCache | undefined
  readonly #open: Lru<string, OpenLog>
  #retired = false
  readonly #complaints = new Complaints()

  /** Without settings (`open_log_file_cache off`) no file stays open. */
  constructor(settings?: OpenLogFileCache) {
    this.#settings = settings
    this.#open = new Lru(settings?.max ?? 1, (_, entry) => close(entry))
  }

  /** Appends one line to the file of that path, creating it if need be; failures go to `log`. */
  write(path: string, line: string, log: ErrorLog, context?: LogContext): void {
    const doing = context === undefined ? '' : ' while logging request'
    const known = this.#find(path)
    let fd = known?.fd ?? -1
    try {
      if (fd < 0) fd = openSync(systemPath(path), 'a', 0o644)
    } catch (error) {
      log.write(CRIT, `open() "${path}" failed ${errnoText(error)}${doing}`, context)
      return
    }
    try {
      writeSync(fd, line, null, 'latin1')
    } catch (error) {
      if (this.#complaints.isDue()) log.write(ALERT, `write() to "${path}" failed ${errnoText(error)}${doing}`, context)
    }
    if (fd !== known?.fd && !this.#keep(path, fd, known)) closeSync(fd)
  }

  /** Closes everything: when logs are reopened. */
  close(): void {
    this.#open.clear()
  }

  /** Its configuration is replaced: nothing that requests still write stays open, which nobody would close. */
  retire(): void {
    this.#retired = true
    this.close()
  }

  /** The cache's entry for a path, whose file may not be open; undefined when there is none. */
  #find(path: string): OpenLog | undefined {
    const settings = this.#settings
    if (settings === undefined) return undefined
    this.#dropInactive(settings.inactiveMs)
    const now = clock.monotonic
    const entry = this.#open.get(path)
    if (entry === undefined) return undefined
    if (entry.fd >= 0 && now - entry.checkedAt > settings.validMs && !this.#check(path, entry)) {
      this.#open.delete(path)
      return undefined
    }
    entry.uses++
    entry.usedAt = now
    return entry
  }

  /** Remembers the use of a file that was just opened; true when it stays open. A file that cannot be is not remembered. */
  #keep(path: string, fd: number, known: OpenLog | undefined): boolean {
    const settings = this.#settings
    if (settings === undefined || this.#retired) return false
    let entry = known
    if (entry === undefined) {
      entry = { fd: -1, uses: 1, usedAt: clock.monotonic, checkedAt: clock.monotonic, inode: 0, device: 0 }
      this.#open.set(path, entry)
    }
    if (entry.uses < settings.minUses) return false
    const found = fstatSync(fd)
    entry.fd = fd
    entry.inode = found.ino
    entry.device = found.dev
    entry.checkedAt = clock.monotonic
    return true
  }

  #check(path: string, entry: OpenLog): boolean {
    entry.checkedAt = clock.monotonic
    const found = statSync(systemPath(path), { throwIfNoEntry: false })
    return found !== undefined && found.ino === entry.inode && found.dev === entry.device
  }

  #dropInactive(inactiveMs: number): void {
    for (let oldest = this.#open.oldest; oldest !== undefined; oldest = this.#open.oldest) {
      const [path, entry] = oldest
      if (clock.monotonic - entry.usedAt <= inactiveMs) return
      this.#open.delete(path)
    }
  }
}

function close(entry: OpenLog): void {
  if (entry.fd >= 0) closeSync(entry.fd)
  entry.fd = -1
}
