/**
 * The error log. One `ErrorLog` stands for the list of `error_log` directives that holds in a place, each with its own
 * level; a line is formatted once and written at once, whole, so that lines of several threads do not mix. Whatever a
 * message is made of, it stays one line: control characters are written as `\x0A`.
 *
 *     2026/11/20 04:27:41 [error] 812#815: *7 open() "/x" failed (2: No such file or directory), client: 127.0.0.1
 */
import { readlinkSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { clock } from '../lib/clock.ts'
import { type LogFile, STDERR_FILE } from './log-files.ts'

/** nginx's numbers: a message is logged when its level is not above the log's. */
export const EMERG = 1
export const ALERT = 2
export const CRIT = 3
export const ERROR = 4
export const WARN = 5
export const NOTICE = 6
export const INFO = 7
export const DEBUG = 8

/** Level names by number; 0 is the place of nginx's `stderr`, which has none. */
const LEVEL_NAMES: readonly string[] = ['', 'emerg', 'alert', 'crit', 'error', 'warn', 'notice', 'info', 'debug']

/** nginx's parts of `debug`; here any of them means all of it. */
const DEBUG_PARTS: readonly string[] = ['core', 'alloc', 'mutex', 'event', 'http', 'mail', 'stream']

/** Longest line with its line feed, as in nginx: longer ones are cut. */
const LINE_SIZE_MAX = 2048

/** Who a message is about: a connection, and through it a request. */
export interface LogContext {
  /** The number printed as `*7`; 0 when there is none. */
  readonly connection: number
  /** Set by `debug_connection`: everything is logged, whatever the levels say. */
  readonly debugConnection: boolean
  /** What follows a message above debug level: ` while reading client request line, client: 127.0.0.1, ...`, or ''. */
  describe(): string
}

/** Where lines go: a file, or syslog. `line` ends in a line feed and is a binary string or text. */
export interface LogTarget {
  writeLine(level: number, line: string): void
}

/** One target with the highest level that it wants. */
export interface LogSink {
  readonly level: number
  readonly target: LogTarget
}

/** Returns the number of a level's name (`debug_http` and its like count as debug), or undefined. */
export function levelOf(name: string): number | undefined {
  const level = LEVEL_NAMES.indexOf(name, 1)
  if (level > 0) return level
  return name.startsWith('debug_') && DEBUG_PARTS.includes(name.slice(6)) ? DEBUG : undefined
}

/** The list of `error_log` directives that holds in one place; it never throws and never waits. */
export class ErrorLog {
  /** The highest level of all sinks: compare with it before building an expensive message. */
  readonly level: number
  /** While it is set, as during start-up, messages up to warn also go to stderr as `NAME: [level] message`. */
  consoleName = ''
  readonly #sinks: readonly LogSink[]

  constructor(sinks: readonly LogSink[]) {
    this.#sinks = [...sinks].sort((a, b) => b.level - a.level)
    this.level = this.#sinks[0]?.level ?? 0
  }

  /** Tells whether a message of this level would be written. */
  enabled(level: number, context?: LogContext): boolean {
    return level <= this.level || context?.debugConnection === true
  }

  /** Writes one line to every sink that wants the level. It never throws. */
  write(level: number, message: string, context?: LogContext): void {
    const forced = context?.debugConnection === true
    if (level > this.level && !forced) return
    clock.catchUp()
    const text = escaped(level !== DEBUG && context !== undefined ? message + context.describe() : message)
    this.#toSinks(level, text, context === undefined ? 0 : context.connection, forced)
    if (this.consoleName !== '' && level <= WARN && !this.#hasStderr(level)) {
      STDERR_FILE.write(`${this.consoleName}: [${LEVEL_NAMES[level]!}] ${text}\n`)
    }
  }

  #toSinks(level: number, text: string, connection: number, forced: boolean): void {
    const number = connection === 0 ? '' : `*${connection} `
    const line = cut(`${clock.errorTime} [${LEVEL_NAMES[level]!}] ${IDS}: ${number}${text}`) + '\n'
    for (const sink of this.#sinks) {
      if (sink.level < level && !forced) break
      sink.target.writeLine(level, line)
    }
  }

  #hasStderr(level: number): boolean {
    return this.#sinks.some((sink) => sink.level >= level && sink.target === STDERR_TARGET)
  }
}

/** Returns a target that appends to a file. */
export function fileTarget(file: LogFile): LogTarget {
  return file === STDERR_FILE ? STDERR_TARGET : new FileTarget(file)
}

class FileTarget implements LogTarget {
  readonly #file: LogFile

  constructor(file: LogFile) {
    this.#file = file
  }

  writeLine(_level: number, line: string): void {
    this.#file.write(line)
  }
}

const STDERR_TARGET: LogTarget = new FileTarget(STDERR_FILE)

/** A log that nothing is written to: for tests, and for places that need one before configuration is read. */
export const NULL_LOG: ErrorLog = new ErrorLog([])

const IDS = `${process.pid}#${systemThreadId()}`

const CONTROL = /[\0-\x1f\x7f]/
const CONTROLS = /[\0-\x1f\x7f]/g

/** What came from outside may hold anything; it must not look like lines of the log, nor steer a terminal. */
function escaped(text: string): string {
  return CONTROL.test(text) ? text.replace(CONTROLS, escapedChar) : text
}

function escapedChar(char: string): string {
  return '\\x' + char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')
}

function cut(line: string): string {
  return line.length < LINE_SIZE_MAX ? line : line.slice(0, LINE_SIZE_MAX - 1)
}

/** The kernel's thread number, as tools show it; Node knows only its own, which stands in where there is no /proc. */
function systemThreadId(): number {
  try {
    const link = readlinkSync('/proc/thread-self')
    return Number(link.slice(link.lastIndexOf('/') + 1))
  } catch {
    return process.pid + threadId
  }
}
