/**
 * The open log files of one thread. Threads of a process share descriptors by number, so the thread that owns the files
 * opens them and the others adopt its numbers; after USR1 the owner opens anew and hands out the new numbers, and closes
 * the old ones only when every thread has adopted.
 */

import { closeSync, openSync, readlinkSync, writeSync } from 'node:fs'
import { bytesOf } from '../lib/bytes.ts'
import { clock } from '../lib/clock.ts'
import { errnoCode } from '../lib/errno.ts'
import { systemPath } from '../lib/file-status.ts'

const STDOUT = 1
const STDERR = 2
/** Names of the streams that a process begins with. */
const STREAMS: ReadonlyMap<string, number> = new Map([
  ['/dev/stdout', STDOUT],
  ['/proc/self/fd/1', STDOUT],
  ['/dev/stderr', STDERR],
  ['/proc/self/fd/2', STDERR],
])
/** Links to one another are followed so far. */
const LINKS_MAX = 8

/** What a write came to: LOG_OK, or the symbolic errno of the failure. */
export const LOG_OK = ''

/** Something that keeps lines back, and is told when they must be in the file. */
export interface Flushable {
  /** The configuration that last asked for it, by `LogFiles.epoch`. */
  readonly epoch: number
  flush(): void
  /** No configuration in use names it: what is still written by requests of old ones is not kept back. */
  retire(): void
}

/** One file opened for appending. It never throws; a lost line is a lost line. */
export class LogFile {
  readonly path: string
  /** Buffered access logs of this file: flushed before the descriptor changes and at exit. */
  readonly buffers = new Set<Flushable>()
  #fd: number
  #diskFullSecond = 0

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  get fd(): number {
    return this.#fd
  }

  /** Appends whole lines of any text with one system call; returns LOG_OK or the errno. */
  write(lines: string): string {
    return this.append(bytesOf(lines))
  }

  /** Appends bytes or a binary string with one system call. After ENOSPC it rests for a second. */
  append(bytes: string | Uint8Array): string {
    if (clock.seconds === this.#diskFullSecond) return LOG_OK
    try {
      if (typeof bytes === 'string') writeSync(this.#fd, bytes, null, 'latin1')
      else writeSync(this.#fd, bytes)
      return LOG_OK
    } catch (error) {
      const code = errnoCode(error)
      if (code === 'ENOSPC') this.#diskFullSecond = clock.seconds
      return code
    }
  }

  /** Writes what is buffered to the old descriptor and goes on with the new one. Only `LogFiles` calls it. */
  swap(fd: number): void {
    this.flush()
    this.#fd = fd
  }

  /** Writes out what its buffers hold. */
  flush(): void {
    for (const buffer of this.buffers) buffer.flush()
  }

  /** Lets go of buffers that nobody has asked for since `epoch`. Only `LogFiles` calls it. */
  retireBuffers(epoch: number): void {
    for (const buffer of this.buffers) {
      if (buffer.epoch >= epoch) continue
      buffer.retire()
      this.buffers.delete(buffer)
    }
  }
}

/** A descriptor that requests of an old configuration may write to. */
interface Left {
  readonly fd: number
  /** It is another thread's. */
  readonly adopted: boolean
}

/** A file that could not be opened again; the old descriptor stays in use. */
interface ReopenFailure {
  readonly path: string
  readonly error: unknown
}

/** The log files of one thread by path: each is open once, whoever writes to it. */
export class LogFiles {
  readonly #files = new Map<string, LogFile>()
  readonly #adopted = new Map<string, number>()
  readonly #retired: number[] = []
  /** Those that `settle` let go of and somebody has: only the collector knows when the last request of an old tree is gone. */
  readonly #left = new Set<number>()
  readonly #collected = new FinalizationRegistry<Left>(({ fd, adopted }) => {
    this.#left.delete(fd)
    if (adopted) this.onUnheld(fd)
    else closeQuietly(fd)
  })
  readonly #mode: number
  /** Hears that nobody in this thread can write any more to an adopted descriptor that `settle` let go of. */
  onUnheld: (fd: number) => void = () => {}
  /** Counts configurations that were begun. */
  epoch = 0

  /** `mode` is of files that have to be created; nginx's is 0644. */
  constructor(mode = 0o644) {
    this.#mode = mode
  }

  /** Returns the file, adopting or opening (and so creating) it at first. Throws what `open` throws. */
  open(path: string): LogFile {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    const file = new LogFile(path, this.#adopted.get(path) ?? openLog(path, this.#mode))
    this.#files.set(path, file)
    return file
  }

  /** Descriptors by path, to be adopted by another thread of this process. */
  descriptors(): ReadonlyMap<string, number> {
    return new Map([...this.#files].map(([path, file]) => [path, file.fd]))
  }

  /** Uses another thread's descriptors from now on; they are never closed here. */
  adopt(descriptors: ReadonlyMap<string, number>): void {
    for (const [path, fd] of descriptors) {
      this.#adopted.set(path, fd)
      const file = this.#files.get(path)
      if (file !== undefined && file.fd !== fd) file.swap(fd)
    }
  }

  /** Opens every file that is not adopted anew, and keeps the old descriptors open until `closeRetired`. */
  reopen(): readonly ReopenFailure[] {
    const failures: ReopenFailure[] = []
    for (const [path, file] of this.#files) {
      if (this.#adopted.has(path)) continue
      try {
        const fd = openLog(path, this.#mode)
        this.#retired.push(file.fd)
        file.swap(fd)
      } catch (error) {
        failures.push({ path, error })
      }
    }
    return failures
  }

  /** Closes what `reopen` and `keepOnly` replaced: to be called when no thread writes to those numbers any more. */
  closeRetired(): void {
    for (const fd of this.#retired.splice(0)) closeQuietly(fd)
  }

  /** Forgets files that a new configuration no longer names; call it when no runtime tree uses them. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const [path, file] of this.#files) {
      if (paths.has(path)) continue
      file.flush()
      this.#files.delete(path)
      if (!this.#adopted.delete(path)) this.#retired.push(file.fd)
    }
  }

  /**
   * A configuration that names these paths is in use now, and `epoch` says when it was begun. What others named is written
   * out, is not opened anew any more, and goes when the last request that may write to it has gone.
   */
  settle(paths: ReadonlySet<string>): void {
    for (const [path, file] of this.#files) {
      if (paths.has(path)) {
        file.retireBuffers(this.epoch)
        continue
      }
      file.retireBuffers(Number.POSITIVE_INFINITY)
      this.#files.delete(path)
      this.#left.add(file.fd)
      this.#collected.register(file, { fd: file.fd, adopted: this.#adopted.has(path) })
    }
    for (const path of this.#adopted.keys()) if (!paths.has(path)) this.#adopted.delete(path)
  }

  /** True while somebody in this thread may write to a descriptor that `settle` let go of. */
  holds(fd: number): boolean {
    return this.#left.has(fd)
  }

  /** Forgets files that a new configuration no longer names; their descriptors are the caller's, who closes them. */
  handOver(paths: ReadonlySet<string>): number[] {
    const others = [...this.#files.values()].filter((file) => !paths.has(file.path))
    for (const { path } of others) this.#files.delete(path)
    return others.map((file) => file.fd)
  }

  /** Writes out what buffered logs hold: at exit, and before descriptors change hands. */
  flush(): void {
    for (const file of this.#files.values()) file.flush()
  }

  /** Flushes and closes everything that this thread opened. */
  close(): void {
    this.flush()
    this.keepOnly(new Set())
    this.closeRetired()
  }
}

/** Standard error as a log file; it is never reopened or closed. */
export const STDERR_FILE: LogFile = new LogFile('stderr', STDERR)

/**
 * Opens a file for appending. Images have links to `/dev/stdout` and `/dev/stderr` for logs, which cannot be opened where
 * the stream is a socket, or somebody else's pipe: then it is used as it is.
 */
function openLog(path: string, mode: number): number {
  try {
    return openSync(systemPath(path), 'a', mode)
  } catch (error) {
    const code = errnoCode(error)
    const stream = code === 'EACCES' || code === 'ENXIO' ? streamOf(path) : undefined
    if (stream === undefined) throw error
    return stream
  }
}

function streamOf(path: string): number | undefined {
  let name = path
  for (let i = 0; i < LINKS_MAX; i++) {
    const stream = STREAMS.get(name)
    if (stream !== undefined) return stream
    try {
      name = readlinkSync(systemPath(name), 'latin1')
    } catch {
      return undefined
    }
  }
  return undefined
}

/** Closes a descriptor of a log, unless it is one of the streams that a process begins with. */
export function closeQuietly(fd: number): void {
  if (fd <= STDERR) return
  try {
    closeSync(fd)
  } catch {
    // Already closed by its owner: nothing is lost.
  }
}
