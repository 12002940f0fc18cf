/**
 * ngx_http_log_module: access logs. A line is built once per format and request end, and goes to a file, to a file whose name
 * has variables, or to syslog. `json_log` is ours: lines that are JSON objects, with numbers and lists as such.
 */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type Context, directive, directives } from '../../../config/directive.ts'
import { parseNumber, parseSeconds } from '../../../config/units.ts'
import { type AttachContext, httpModule } from '../../../http/compile/module.ts'
import type { Plan, Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { trace } from '../../../http/request/trace.ts'
import type { OpenLogFileCache } from '../../../log/variable-log.ts'
import { parseTemplate } from '../../../value/template.ts'
import { isTrue } from '../../../value/truth.ts'
import { compileFormat, formatOf, logFormat } from './format.ts'
import { compileJson, jsonFormat } from './json-format.ts'
import { type AccessLogLine, accessLog, compileWriter, splitOnce, type Writer } from './target.ts'

const IN: readonly Context[] = ['http', 'server', 'location', 'if', 'limit_except']

const fileCache = mapped(
  raw('max=N [inactive=time] [min_uses=N] [valid=time] | off', { min: 1, max: 4 }),
  (words, _, at): OpenLogFileCache | undefined => {
    const found = { max: 0, inactive: 10, min_uses: 1, valid: 60 }
    let off = false
    for (const word of words) {
      if (word.text === 'off') {
        off = true
        continue
      }
      const [name, text = ''] = splitOnce(word.text)
      const value = name === 'max' || name === 'min_uses' ? parseNumber(text) : parseSeconds(text)
      if (value === undefined || !Object.hasOwn(found, name)) {
        return at.fail(`invalid "open_log_file_cache" parameter "${word.text}"`, word)
      }
      found[name as keyof typeof found] = value // its name was found
    }
    if (off) return undefined
    if (found.max === 0) return at.fail('"open_log_file_cache" must have "max" parameter')
    return {
      max: found.max,
      inactiveMs: found.inactive * 1000,
      minUses: found.min_uses,
      validMs: found.valid * 1000,
    }
  },
)

export const logModule = httpModule({
  name: 'http_log',
  doc: 'Writes a line for each request.',
  directives: {
    log_format: directives({ in: ['http'], args: logFormat, doc: 'The form of log lines.' }),
    access_log: directives({ in: IN, args: accessLog, doc: 'Where a line for each request goes, and in which form.' }),
    json_log_format: directives({
      in: ['http'],
      args: jsonFormat,
      doc: 'The members of the objects that `json_log` writes, with types; `attempts` lists what back ends did. Viaduct only.',
    }),
    json_log: directives({
      in: IN,
      args: accessLog,
      doc: 'As `access_log`, with a JSON object for each request. Viaduct only.',
    }),
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
    // Also where there is no server that would ask for it.
    for (const { off, format, at } of conf.access_log) if (!off) formatOf(format, conf.log_format, tree, at)
    for (const { name, at } of conf.json_log_format)
      tree.afterAttach(() => compileJson(name, conf.json_log_format, tree, at))
  },
  attach({ access_log, json_log, log_format, json_log_format, open_log_file_cache: cache }, plan, at) {
    if (!access_log.some((line) => line.off)) {
      for (const line of access_log.length > 0 ? access_log : [defaultLog(at)]) {
        const format = formatOf(line.format, log_format, at, line.at)
        if (format !== undefined) addLog(line, compileFormat(format, at), cache, plan, at)
      }
    }
    if (json_log.some((line) => line.off)) return
    for (const line of json_log) {
      const made = compileJson(line.format, json_log_format, at, line.at)
      if (made !== undefined) addLog(line, made, cache, plan, at)
    }
  },
})

function addLog(
  line: AccessLogLine,
  text: Text,
  cache: OpenLogFileCache | undefined,
  plan: Plan,
  at: AttachContext,
): void {
  const condition = line.condition === undefined ? undefined : at.text(line.condition)
  const write = compileWriter(line, cache, at)
  if (write !== undefined) plan.log(writeLine, { line: text, condition, write })
}

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
