/**
 * Access logs whose path has variables: the file is opened for each line, unless `open_log_file_cache` keeps descriptors.
 * A kept file is looked at again after `valid=`: when its name means another file by now, it is opened anew.
 */
import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs'
import { clock } from '../lib/clock.ts'
import { errnoText } from '../lib/errno.ts'
import { Lru } from '../lib/lru.ts'
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

  /** Without settings (`open_log_file_cache off`) no file stays open. */
  constructor(settings?: OpenLogFileCache) {
    this.#settings = settings
    this.#open = new Lru(settings?.max ?? 1, (_, entry) => close(entry))
  }

  /** Appends one line to the file of that path, creating it if need be; failures go to `log`. */
  write(path: string, line: string, log: ErrorLog, context?: LogContext): void {
    let fd = -1
    let kept = false
    try {
      const entry = this.#entry(path)
      kept = entry !== undefined && entry.fd >= 0
      fd = kept ? entry!.fd : openSync(path, 'a', 0o644)
    } catch (error) {
      log.write(CRIT, `open() "${path}" failed ${errnoText(error)}`, context)
      return
    }
    try {
      writeSync(fd, line, null, 'latin1')
    } catch (error) {
      log.write(ALERT, `write() to "${path}" failed ${errnoText(error)}`, context)
    }
    if (!kept) closeSync(fd)
  }

  /** Closes everything: when logs are reopened, and at exit. */
  close(): void {
    this.#open.clear()
  }

  /** The cache's entry for a path, opened when it has been used often enough; undefined without a cache. */
  #entry(path: string): OpenLog | undefined {
    const settings = this.#settings
    if (settings === undefined) return undefined
    this.#dropInactive(settings.inactiveMs)
    const now = clock.monotonic
    let entry = this.#open.get(path)
    if (entry !== undefined && entry.fd >= 0 && now - entry.checkedAt > settings.validMs && !this.#check(path, entry)) {
      this.#open.delete(path)
      entry = undefined
    }
    if (entry === undefined) {
      entry = { fd: -1, uses: 0, usedAt: now, checkedAt: now, inode: 0, device: 0 }
      this.#open.set(path, entry)
    }
    entry.uses++
    entry.usedAt = now
    if (entry.fd < 0 && entry.uses >= settings.minUses) open(path, entry)
    return entry
  }

  #check(path: string, entry: OpenLog): boolean {
    entry.checkedAt = clock.monotonic
    const found = statSync(path, { throwIfNoEntry: false })
    return found !== undefined && found.ino === entry.inode && found.dev === entry.device
  }

  #dropInactive(inactiveMs: number): void {
    for (const [path, entry] of this.#open.entries()) {
      if (clock.monotonic - entry.usedAt <= inactiveMs) return
      this.#open.delete(path)
    }
  }
}

function open(path: string, entry: OpenLog): void {
  entry.fd = openSync(path, 'a', 0o644)
  const found = fstatSync(entry.fd)
  entry.inode = found.ino
  entry.device = found.dev
  entry.checkedAt = clock.monotonic
}

function close(entry: OpenLog): void {
  if (entry.fd >= 0) closeSync(entry.fd)
  entry.fd = -1
}
