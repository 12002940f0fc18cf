/** Formats of logs: a text with variables, compiled to one loop over its parts. */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import type { ReadContext } from '../../../config/directive.ts'
import type { Position, Word } from '../../../config/source.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { escapeDefault, escapeJson } from '../../../log/log-escape.ts'
import { INVALID_NAME, parseTemplate, type TemplatePart } from '../../../value/template.ts'
import type { Getter } from '../../../value/variables.ts'

const COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'

/** One `log_format`. */
export interface Format {
  readonly name: string
  readonly escape: 'default' | 'json' | 'none'
  readonly parts: readonly TemplatePart[]
  readonly at: Position
}

/** The words of `log_format`. */
export const logFormat = mapped(
  raw('name [escape=default|json|none] string ...', { min: 2 }),
  ([name, ...rest], _, at) => {
    const escaping = /^escape=(.*)$/.exec(rest[0]!.text)
    const kind = escaping === null ? 'default' : escaping[1]!
    if (kind !== 'default' && kind !== 'json' && kind !== 'none') {
      return at.fail(`unknown log format escaping "${kind}"`, rest[0])
    }
    const parts = (escaping === null ? rest : rest.slice(1)).flatMap((w) => partsOf(w, at))
    const format: Format = { name: name!.text, escape: kind, parts, at: at.end }
    return format
  },
)

/** Each word for itself: a variable ends where its word does. */
function partsOf(w: Word, at: ReadContext): readonly TemplatePart[] {
  const { parts } = parseTemplate(w.text, (message, rest) =>
    at.fail(message === INVALID_NAME ? `invalid parameter "${rest}"` : message, w),
  )
  // There are no captures in a log: nginx takes their numbers for names.
  return parts.map((part) => (typeof part === 'object' && 'capture' in part ? { variable: `${part.capture}` } : part))
}

/** The format of that name, in any case; `combined` is always there. */
export function formatOf(name: string, formats: readonly Format[], tree: HttpTree, at: Position): Format | undefined {
  const found = formats.find((format) => format.name.toLowerCase() === name.toLowerCase())
  if (found !== undefined) return found
  if (name.toLowerCase() !== 'combined') {
    tree.fail(`unknown log format "${name}"`, at)
    return undefined
  }
  const { parts } = parseTemplate(COMBINED, (message) => {
    throw new Error(message)
  })
  return { name: 'combined', escape: 'default', parts, at }
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

/** Returns the function that makes the lines of a format, line feed included; one per format. */
export function compileFormat(format: Format, at: HttpTree): Text {
  return at.shared(`log_format ${format.name}`, () => lineMaker(format, at))
}

function lineMaker(format: Format, at: HttpTree): Text {
  const { escape: kind } = format
  const encode = kind === 'json' ? escapeJson : kind === 'none' ? unchanged : escapeDefault
  const missing = kind === 'default' ? '-' : ''
  const parts = format.parts.map((part): string | Getter<Request> => {
    if (typeof part === 'string') return part
    return 'capture' in part ? (r) => r.captures?.[part.capture] : at.variable(part.variable)
  })
  const clean = format.parts.map((part) => typeof part === 'object' && 'variable' in part && CLEAN.has(part.variable))
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
