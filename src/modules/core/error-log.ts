/**
 * `error_log`, declared once for all contexts that have it, and how its list of targets becomes an open log.
 * What differs from nginx: `memory:` buffers, which only a debugger can read, are accepted and dropped.
 */
import { raw } from '../../config/args.ts'
import { mapped } from '../../config/combine.ts'
import { directives, type ReadContext } from '../../config/directive.ts'
import { fullName } from '../../config/include.ts'
import type { Word } from '../../config/source.ts'
import { parseSize } from '../../config/units.ts'
import { DEBUG, ERROR, ErrorLog, fileTarget, type LogSink, levelOf } from '../../log/error-log.ts'
import { type LogFiles, STDERR_FILE } from '../../log/log-files.ts'
import { parseSyslog, SyslogLog, type SyslogSpec } from '../../log/syslog.ts'

/** One `error_log`: an absolute path, `stderr`, `memory:...` or `syslog:...`, and the highest level that goes there. */
export interface ErrorLogSpec {
  readonly target: string
  readonly level: number
  /** The parameters of a `syslog:` target. */
  readonly syslog?: SyslogSpec
}

/** The directive, for the module that belongs to each context to resolve. */
export const errorLogDirectives = {
  error_log: directives({
    in: ['main', 'http', 'server', 'location', 'stream', 'stream_server', 'mail', 'mail_server'],
    args: mapped(raw('file [level]', { min: 1 }), ([target, ...levels], _, at): ErrorLogSpec => {
      const level = readLevel(levels, at)
      const { text } = target!
      if (text.startsWith('syslog:')) {
        const syslog = parseSyslog(text)
        return typeof syslog === 'string' ? at.fail(syslog, target) : { target: text, level, syslog }
      }
      // nginx has a file without a name for it.
      if (text === '') return { target: 'stderr', level }
      if (text.startsWith('memory:')) checkMemory(target!, at)
      return { target: text === 'stderr' || text.startsWith('memory:') ? text : fullName(text, at.prefix), level }
    }),
    doc: 'Sets where messages about problems go, and which.',
  }),
}

/** Returns the paths of the files among the targets. */
export function errorLogPaths(specs: readonly ErrorLogSpec[]): string[] {
  return specs.map((spec) => spec.target).filter((target) => target.startsWith('/'))
}

/** Opens the targets of a list. Throws what opening a file throws. */
export function openErrorLog(specs: readonly ErrorLogSpec[], files: LogFiles): ErrorLog {
  const sinks: LogSink[] = []
  for (const { target, level, syslog } of specs) {
    if (syslog !== undefined) sinks.push({ level, target: new SyslogLog(syslog) })
    else if (target === 'stderr') sinks.push({ level, target: fileTarget(STDERR_FILE) })
    else if (target.startsWith('/')) sinks.push({ level, target: fileTarget(files.open(target)) })
  }
  return new ErrorLog(sinks)
}

/** Adds the file that `-e` or the default names when no target of the main context is a file, as nginx does. */
export function withDefaultFile(specs: readonly ErrorLogSpec[], path: string): readonly ErrorLogSpec[] {
  const hasFile = specs.some((spec) => spec.target === 'stderr' || spec.target.startsWith('/'))
  return hasFile ? specs : [...specs, { target: path, level: ERROR }]
}

/** The longest line, and what nginx writes at the buffer's beginning. */
const MEMORY_SIZE_MIN = 2048 + 51

function checkMemory(target: Word, at: ReadContext): void {
  const text = target.text.slice('memory:'.length)
  const size = parseSize(text)
  if (size === undefined || size < MEMORY_SIZE_MIN + target.file.length)
    at.fail(`invalid buffer size "${text}"`, target)
}

function readLevel(words: readonly Word[], at: ReadContext): number {
  let level = 0
  for (const w of words) {
    const given = levelOf(w.text)
    const isPart = w.text.startsWith('debug_')
    if (given === undefined || (isPart && level !== 0 && level !== DEBUG)) {
      return at.fail(`invalid log level "${w.text}"`, w)
    }
    if (level !== 0 && !isPart) return at.fail(`duplicate log level "${w.text}"`, w)
    level = given
  }
  return level === 0 ? ERROR : level
}
