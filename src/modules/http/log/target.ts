/** Where lines go: a file, one whose name has variables, or syslog; how that is read, checked and opened. */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import type { ReadContext } from '../../../config/directive.ts'
import { fullName } from '../../../config/include.ts'
import type { Position, Word } from '../../../config/source.ts'
import { parseMilliseconds, parseNumber, parseSize } from '../../../config/units.ts'
import type { AttachContext } from '../../../http/compile/module.ts'
import type { Request } from '../../../http/request/request.ts'
import { filePath } from '../../../http/response/file-path.ts'
import { errnoText } from '../../../lib/errno.ts'
import { statPath } from '../../../lib/file-status.ts'
import { type AccessLog, openAccessLog } from '../../../log/access-log.ts'
import { ERROR } from '../../../log/error-log.ts'
import { parseSyslog, SyslogLog, type SyslogSpec } from '../../../log/syslog.ts'
import { type OpenLogFileCache, VariableLog } from '../../../log/variable-log.ts'
import { readTemplate, type Template } from '../../../value/template.ts'

/** `off`, or one log. */
export interface AccessLogLine {
  readonly off: boolean
  readonly target: Template | SyslogSpec
  readonly path: string
  readonly format: string
  readonly bufferSize: number
  readonly flushMs: number
  readonly gzipLevel: number
  readonly condition: Template | undefined
  readonly at: Position
}

type Draft = { -readonly [K in keyof AccessLogLine]: AccessLogLine[K] }

const BUFFER_DEFAULT = 65536

/** The words of `access_log` and its kin. */
export const accessLog = mapped(
  raw('path [format [buffer=size] [gzip[=level]] [flush=time] [if=condition]] | off', { min: 1 }),
  ([path, ...rest], _, at): AccessLogLine => {
    const draft: Draft = {
      off: path!.text === 'off',
      target: readTarget(path!, at),
      path: path!.text,
      format: 'combined',
      bufferSize: 0,
      flushMs: 0,
      gzipLevel: 0,
      condition: undefined,
      at: at.end,
    }
    if (draft.off) return rest.length === 0 ? draft : at.fail(`invalid parameter "${rest[0]!.text}"`, rest[0])
    const [format, ...parameters] = rest
    if (format !== undefined) draft.format = format.text
    for (const word of parameters) readParameter(draft, word, at)
    checkParameters(draft, at)
    return draft
  },
)

function readTarget(path: Word, at: ReadContext): Template | SyslogSpec {
  if (!path.text.startsWith('syslog:')) return readTemplate(path, at)
  const spec = parseSyslog(path.text)
  return typeof spec === 'string' ? at.fail(spec, path) : spec
}

function readParameter(draft: Draft, word: Word, at: ReadContext): void {
  const [name, value] = splitOnce(word.text)
  if (name === 'buffer' && value !== undefined) {
    draft.bufferSize = parseSize(value) ?? 0
    if (draft.bufferSize === 0) at.fail(`invalid buffer size "${value}"`, word)
  } else if (name === 'flush' && value !== undefined) {
    draft.flushMs = parseMilliseconds(value) ?? 0
    if (draft.flushMs === 0) at.fail(`invalid flush time "${value}"`, word)
  } else if (name === 'gzip') {
    draft.gzipLevel = value === undefined ? 1 : (parseNumber(value) ?? 0)
    if (draft.gzipLevel < 1 || draft.gzipLevel > 9) at.fail(`invalid compression level "${value}"`, word)
    if (draft.bufferSize === 0) draft.bufferSize = BUFFER_DEFAULT
  } else if (name === 'if' && value !== undefined) draft.condition = readTemplate({ ...word, text: value }, at)
  else at.fail(`invalid parameter "${word.text}"`, word)
}

function checkParameters(draft: Draft, at: ReadContext): void {
  if (draft.flushMs > 0 && draft.bufferSize === 0)
    at.fail(`no buffer is defined for ${at.directive.text} "${draft.path}"`)
  if (draft.bufferSize === 0) return
  if (!('parts' in draft.target)) at.fail('logs to syslog cannot be buffered')
  else if (draft.target.constant === undefined) at.fail('buffered logs cannot have variables in name')
}

/** Both sides of the first `=`. */
export function splitOnce(text: string): readonly [string, string | undefined] {
  const at = text.indexOf('=')
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/** Takes one line of a request's. */
export type Writer = (r: Request, line: string) => void

/** Opens the target in workers; elsewhere only names it. */
export function compileWriter(
  line: AccessLogLine,
  cache: OpenLogFileCache | undefined,
  at: AttachContext,
): Writer | undefined {
  const { target } = line
  if (!('parts' in target)) {
    if (at.role !== 'worker') return undefined
    const log: AccessLog = at.shared(`access_log ${line.path}`, () => new SyslogLog(target, at.log))
    return (_, text) => log.write(text)
  }
  if (target.constant === undefined) return variableWriter(target, cache, at)
  const path = fullName(target.constant, at.prefixed(''))
  at.logFile(path)
  checkConflict(line, path, at)
  if (at.role !== 'worker') return undefined
  const log = openAccessLog({ ...line, path }, at.files, at.log)
  return (_, text) => log.write(text)
}

/** Logs to one file that are buffered must be so in the same way. */
function checkConflict(line: AccessLogLine, path: string, at: AttachContext): void {
  if (line.bufferSize === 0) return
  const first = at.shared(`buffer of access_log ${path}`, () => line)
  if (first.bufferSize !== line.bufferSize || first.flushMs !== line.flushMs || first.gzipLevel !== line.gzipLevel) {
    at.fail(`access_log "${line.path}" already defined with conflicting parameters`, line.at)
  }
}

function variableWriter(target: Template, cache: OpenLogFileCache | undefined, at: AttachContext): Writer {
  const log = at.shared(`access_log ${JSON.stringify(cache)}`, () => {
    const made = new VariableLog(cache)
    at.onReopen(() => made.close())
    at.onExit(() => made.retire())
    return made
  })
  const path = at.text(target)
  // What is written decides: a variable's value that begins with a slash still is taken from the prefix.
  const prefix = target.source.startsWith('/') ? '' : at.prefixed('')
  return (r, text) => {
    if (rootExists(r)) log.write(prefix + path(r), text, r.location.log, r)
  }
}

/**
 * No log where there is no document root: names are made of what clients send, and a virtual host that does not exist
 * shall not make files.
 */
function rootExists(r: Request): boolean {
  const root = r.location.root(r)
  const found = statPath(root)
  if ((typeof found !== 'string' && found.isDirectory()) || servedFile(r)) return true
  const why = typeof found === 'string' ? found : 'ENOTDIR'
  r.logError(ERROR, `testing "${root}" existence failed ${errnoText(why)} while logging request`)
  return false
}

/** A file was found there and sent: an `alias` may name one, which is no folder (`root_tested` of nginx). */
function servedFile(r: Request): boolean {
  const { file } = r.out
  return file !== undefined && !r.inErrorPage && file.path.startsWith(filePath(r))
}
