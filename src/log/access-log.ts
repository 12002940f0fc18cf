/**
 * Access-log writers. Without `buffer=` every line is one append; with it, lines are collected and appended when the next
 * does not fit, when `flush=` is over, when files are reopened and at exit. `gzip` compresses each such piece: gzip
 * members one after the other are a valid gzip file.
 *
 * Logs of the same path with the same buffering share one buffer, so that their lines keep their order.
 */
import { gzipSync } from 'node:zlib'
import { errnoText } from '../lib/errno.ts'
import { Complaints } from './complaints.ts'
import { ALERT, type ErrorLog } from './error-log.ts'
import { type Flushable, LOG_OK, type LogFile, type LogFiles } from './log-files.ts'

/** Where lines of an access log go. */
export interface AccessLog {
  /** Takes one line, a binary string with its line feed. Never throws. */
  write(line: string): void
  /** Brings everything taken so far to the file. */
  flush(): void
}

/** The parameters of `access_log path ...` for a path without variables. */
export interface AccessLogSpec {
  readonly path: string
  /** `buffer=`, or 0. */
  readonly bufferSize: number
  /** `flush=`, or 0. */
  readonly flushMs: number
  /** `gzip=`, or 0. */
  readonly gzipLevel: number
}

/** Opens (and so creates) the file and returns its writer. Throws what opening throws; `log` hears of failed writes. */
export function openAccessLog(spec: AccessLogSpec, files: LogFiles, log: ErrorLog): AccessLog {
  const file = files.open(spec.path)
  if (spec.bufferSize === 0) return new DirectLog(file, log)
  for (const other of file.buffers) {
    if (!(other instanceof BufferedLog && other.isLike(spec))) continue
    other.epoch = files.epoch
    return other
  }
  const buffered = new BufferedLog(spec, file, log)
  buffered.epoch = files.epoch
  file.buffers.add(buffered)
  return buffered
}

/** Appends to a file and reports failures, not too often. */
class Appender {
  readonly #file: LogFile
  readonly #log: ErrorLog
  readonly #complaints = new Complaints()

  constructor(file: LogFile, log: ErrorLog) {
    this.#file = file
    this.#log = log
  }

  append(lines: string | Uint8Array): void {
    const code = this.#file.append(lines)
    if (code === LOG_OK || !this.#complaints.isDue()) return
    this.#log.write(ALERT, `write() to "${this.#file.path}" failed ${errnoText(code)}`)
  }
}

class DirectLog implements AccessLog {
  readonly #appender: Appender

  constructor(file: LogFile, log: ErrorLog) {
    this.#appender = new Appender(file, log)
  }

  write(line: string): void {
    this.#appender.append(line)
  }

  flush(): void {}
}

class BufferedLog implements AccessLog, Flushable {
  readonly #spec: AccessLogSpec
  readonly #appender: Appender
  readonly #buffer: Buffer
  readonly #onTimeout = (): void => this.flush()
  #used = 0
  #timer: NodeJS.Timeout | undefined = undefined
  #retired = false
  epoch = 0

  constructor(spec: AccessLogSpec, file: LogFile, log: ErrorLog) {
    this.#spec = spec
    this.#appender = new Appender(file, log)
    this.#buffer = Buffer.allocUnsafeSlow(spec.bufferSize)
  }

  isLike(spec: AccessLogSpec): boolean {
    const { bufferSize, flushMs, gzipLevel } = this.#spec
    return spec.bufferSize === bufferSize && spec.flushMs === flushMs && spec.gzipLevel === gzipLevel
  }

  write(line: string): void {
    if (line.length > this.#buffer.length - this.#used) this.flush()
    if (this.#retired || line.length > this.#buffer.length) {
      this.#append(Buffer.from(line, 'latin1'))
      return
    }
    this.#buffer.latin1Write(line, this.#used, line.length)
    this.#used += line.length
    if (this.#spec.flushMs > 0 && this.#timer === undefined) {
      this.#timer = setTimeout(this.#onTimeout, this.#spec.flushMs).unref()
    }
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#used === 0) return
    const bytes = this.#buffer.subarray(0, this.#used)
    this.#used = 0
    this.#append(bytes)
  }

  retire(): void {
    this.flush()
    this.#retired = true
  }

  #append(bytes: Buffer): void {
    const level = this.#spec.gzipLevel
    this.#appender.append(level > 0 ? gzipSync(bytes, { level }) : bytes)
  }
}
