/**
 * ngx_http_log_module: access logs. A format is compiled to one loop over its parts; the line is built once per format
 * and request end, and goes to a file, to a file whose name has variables, or to syslog.
 */
import { raw } from '../../config/args.ts'
import { mapped } from '../../config/combine.ts'
import { type Context, directive, directives, type ReadContext } from '../../config/directive.ts'
import { fullName } from '../../config/include.ts'
import type { Position, Word } from '../../config/source.ts'
import { parseMilliseconds, parseNumber, parseSize } from '../../config/units.ts'
import type { HttpTree } from '../../http/compile/module.ts'
import { type AttachContext, httpModule } from '../../http/compile/module.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { trace } from '../../http/request/trace.ts'
import { toBinary } from '../../lib/bytes.ts'
import { errnoText } from '../../lib/errno.ts'
import { statPath } from '../../lib/file-status.ts'
import { type AccessLog, openAccessLog } from '../../log/access-log.ts'
import { ERROR } from '../../log/error-log.ts'
import { escapeDefault, escapeJson } from '../../log/log-escape.ts'
import { parseSyslog, SyslogLog, type SyslogSpec } from '../../log/syslog.ts'
import { type OpenLogFileCache, VariableLog } from '../../log/variable-log.ts'
import { parseTemplate, readTemplate, type Template } from '../../value/template.ts'
import { isTrue } from '../../value/truth.ts'
import type { Getter } from '../../value/variables.ts'

const IN: readonly Context[] = ['http', 'server', 'location', 'if', 'limit_except']
const COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'

/** `off`, or one log. */
interface AccessLogLine {
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

const accessLog = mapped(
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
      at: at.directive,
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
  if (draft.flushMs > 0 && draft.bufferSize === 0) at.fail(`no buffer is defined for access_log "${draft.path}"`)
  if (draft.bufferSize === 0) return
  if (!('parts' in draft.target)) at.fail('logs to syslog cannot be buffered')
  else if (draft.target.constant === undefined) at.fail('buffered logs cannot have variables in name')
}

function splitOnce(text: string): readonly [string, string | undefined] {
  const at = text.indexOf('=')
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/** One `log_format`. */
interface Format {
  readonly name: string
  readonly escape: 'default' | 'json' | 'none'
  readonly template: Template
  readonly at: Position
}

const logFormat = mapped(raw('name [escape=default|json|none] string ...', { min: 2 }), ([name, ...rest], _, at) => {
  const escaping = /^escape=(.*)$/.exec(rest[0]!.text)
  const kind = escaping === null ? 'default' : escaping[1]!
  if (kind !== 'default' && kind !== 'json' && kind !== 'none') {
    return at.fail(`unknown log format escaping "${kind}"`, rest[0])
  }
  const text = (escaping === null ? rest : rest.slice(1)).map((w) => w.text).join('')
  const parsed = parseTemplate(toBinary(text), (message) => at.fail(message))
  const format: Format = { name: name!.text, escape: kind, template: parsed, at: at.directive }
  return format
})

const fileCache = mapped(
  raw('max=N [inactive=time] [min_uses=N] [valid=time] | off', { min: 1, max: 4 }),
  (words, _, at): OpenLogFileCache | undefined => {
    if (words[0]!.text === 'off') return undefined
    const found = { max: 0, inactiveMs: 10_000, minUses: 1, validMs: 60_000 }
    for (const word of words) {
      const [name, value = ''] = splitOnce(word.text)
      if (name === 'max') found.max = parseNumber(value) ?? 0
      else if (name === 'min_uses') found.minUses = parseNumber(value) ?? 0
      else if (name === 'inactive') found.inactiveMs = parseMilliseconds(value) ?? -1
      else if (name === 'valid') found.validMs = parseMilliseconds(value) ?? -1
      else at.fail(`invalid "open_log_file_cache" parameter "${word.text}"`, word)
      if (found.inactiveMs < 0 || found.validMs < 0 || found.minUses === 0) {
        at.fail(`invalid "open_log_file_cache" parameter "${word.text}"`, word)
      }
    }
    if (found.max === 0) return at.fail('"open_log_file_cache" must have "max" parameter')
    return found
  },
)

export const logModule = httpModule({
  name: 'http_log',
  doc: 'Writes a line for each request.',
  directives: {
    log_format: directives({ in: ['http'], args: logFormat, doc: 'The form of log lines.' }),
    access_log: directives({ in: IN, args: accessLog, doc: 'Where a line for each request goes, and in which form.' }),
    open_log_file_cache: directive({
      in: ['http', 'server', 'location'],
      args: fileCache,
      default: 'off',
      doc: 'Keeps files open whose names have variables.',
    }),
  },
  init(conf, tree) {
    const seen = new Set(['combined'])
    for (const format of conf.log_format) {
      if (seen.has(format.name)) tree.fail(`duplicate "log_format" name "${format.name}"`, format.at)
      seen.add(format.name)
      // Formats that nobody uses are checked too.
      tree.afterAttach(() => compileFormat(format, tree))
    }
  },
  attach(conf, plan, at) {
    if (conf.access_log.some((line) => line.off)) return
    const lines = conf.access_log.length > 0 ? conf.access_log : [defaultLog(at)]
    for (const line of lines) {
      const format = formatOf(line, conf.log_format, at)
      if (format === undefined) continue
      const condition = line.condition === undefined ? undefined : at.text(line.condition)
      const write = compileWriter(line, conf.open_log_file_cache, at)
      if (write !== undefined) plan.log(writeLine, { line: compileFormat(format, at), condition, write })
    }
  },
})

function defaultLog(at: AttachContext): AccessLogLine {
  return {
    off: false,
    target: parseTemplate('logs/access.log', (message) => {
      throw new Error(message)
    }),
    path: 'logs/access.log',
    format: 'combined',
    bufferSize: 0,
    flushMs: 0,
    gzipLevel: 0,
    condition: undefined,
    at: at.scope.at,
  }
}

function formatOf(line: AccessLogLine, formats: readonly Format[], at: AttachContext): Format | undefined {
  const found = formats.find((format) => format.name.toLowerCase() === line.format.toLowerCase())
  if (found !== undefined) return found
  if (line.format.toLowerCase() !== 'combined') {
    at.fail(`unknown log format "${line.format}"`, line.at)
    return undefined
  }
  const template = parseTemplate(COMBINED, (message) => {
    throw new Error(message)
  })
  return { name: 'combined', escape: 'default', template, at: line.at }
}

type Writer = (r: Request, line: string) => void

/** Opens the target in workers; elsewhere only names it. */
function compileWriter(
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
    at.onExit(() => made.close())
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
  if (typeof found !== 'string' && found.isDirectory()) return true
  const why = typeof found === 'string' ? found : 'ENOTDIR'
  r.logError(ERROR, `testing "${root}" existence failed ${errnoText(why)}`)
  return false
}

/** Variables whose values never contain what has to be escaped: looking for it would cost more than all else here. */
const CLEAN: ReadonlySet<string> = new Set(
  (
    'remote_addr remote_port server_addr server_port status body_bytes_sent bytes_sent request_length request_time msec ' +
    'time_local time_iso8601 connection connection_requests connection_time pipe pid scheme request_id ' +
    'upstream_connect_time upstream_header_time upstream_response_time upstream_response_length upstream_status ' +
    'upstream_bytes_received upstream_bytes_sent'
  ).split(' '),
)

/** The function that makes the lines of a format, line feed included; one per format. */
function compileFormat(format: Format, at: HttpTree): Text {
  return at.shared(`log_format ${format.name}`, () => lineMaker(format, at))
}

function lineMaker(format: Format, at: HttpTree): Text {
  const { escape: kind } = format
  const encode = kind === 'json' ? escapeJson : kind === 'none' ? unchanged : escapeDefault
  const missing = kind === 'default' ? '-' : ''
  const parts = format.template.parts.map((part): string | Getter<Request> => {
    if (typeof part === 'string') return part
    return 'capture' in part ? (r) => r.captures?.[part.capture] : at.variable(part.variable)
  })
  const clean = format.template.parts.map(
    (part) => typeof part === 'object' && 'variable' in part && CLEAN.has(part.variable),
  )
  return (r) => {
    let line = ''
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!
      if (typeof part === 'string') line += part
      else {
        const value = part(r)
        line += value === undefined ? missing : clean[i]! ? value : encode(value)
      }
    }
    return line + '\n'
  }
}

function unchanged(value: string): string {
  return value
}

interface LogStep {
  readonly line: Text
  readonly condition: Text | undefined
  readonly write: Writer
}

function writeLine(r: Request, { line, condition, write }: LogStep): void {
  if (condition !== undefined && !isTrue(condition(r))) {
    if (trace !== undefined) trace.decided(r, undefined, 'not logged, because of if= in access_log')
    return
  }
  if (trace !== undefined) return trace.decided(r, undefined, `log: ${line(r).trimEnd()}`)
  write(r, line(r))
}
