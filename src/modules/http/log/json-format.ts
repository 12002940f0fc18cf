/**
 * Lines of `json_log`: one object each, whose members have types. A member that has no value is left out, and text that is
 * no UTF-8 is mended, so that every line can be parsed.
 *
 *     json_log_format api  time=$time_iso8601  status=$status  tenant=$http_x_tenant  cost:number=$upstream_http_x_cost  upstream:attempts;
 */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import type { ReadContext } from '../../../config/directive.ts'
import type { Position, Word } from '../../../config/source.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import type { Attempt } from '../../../http/request/attempts.ts'
import type { Getter, Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { soundUtf8 } from '../../../lib/bytes.ts'
import { secondsText } from '../../../lib/seconds.ts'
import { escapeJson } from '../../../log/log-escape.ts'
import { parseTemplate, readTemplate, type Template } from '../../../value/template.ts'
import { isTrue } from '../../../value/truth.ts'

type Type = 'string' | 'number' | 'boolean' | 'attempts'

/** One member: what it is called, and what it is made of; attempts are made of nothing. */
interface Member {
  readonly name: string
  readonly type: Type
  readonly value: Template | undefined
}

/** One `json_log_format`. */
interface JsonFormat {
  readonly name: string
  readonly members: readonly Member[]
  readonly at: Position
}

/** Variables that are numbers. */
const NUMBERS: ReadonlySet<string> = new Set(
  (
    'status body_bytes_sent bytes_sent request_length request_time connection connection_requests connection_time msec pid ' +
    'remote_port server_port content_length limit_rate'
  ).split(' '),
)
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
/** What is written when no format is named. */
const DEFAULT_NAME = 'combined'
const DEFAULT =
  'time=$time_iso8601 request_id=$request_id remote_addr=$remote_addr user=$remote_user scheme=$scheme host=$host ' +
  'method=$request_method uri=$request_uri protocol=$server_protocol status=$status body_bytes_sent=$body_bytes_sent ' +
  'bytes_sent=$bytes_sent request_length=$request_length request_time=$request_time referer=$http_referer ' +
  'user_agent=$http_user_agent upstream:attempts'

/** The words of `json_log_format`. */
export const jsonFormat = mapped(
  raw('name member[:string | :number | :boolean]=value | member:attempts ...', { min: 2 }),
  ([name, ...words], _, at): JsonFormat => {
    const members = words.map((word) => readMember(word, (text) => readTemplate({ ...word, text }, at), at, word))
    const seen = new Set<string>()
    for (const [index, member] of members.entries()) {
      if (seen.has(member.name)) at.fail(`duplicate member "${member.name}"`, words[index])
      seen.add(member.name)
    }
    return { name: name!.text, members, at: at.end }
  },
)

function readMember(
  { text }: { readonly text: string },
  template: (text: string) => Template,
  at: Pick<ReadContext, 'fail'>,
  where?: Word,
): Member {
  const [, name, given, value] = /^([^=:]+)(?::(\w+))?(?:=(.*))?$/s.exec(text) ?? []
  if (name === undefined || (value === undefined) !== (given === 'attempts')) {
    return at.fail(`invalid member "${text}"`, where, 'it is name=value, name:type=value or name:attempts')
  }
  if (given !== undefined && !['string', 'number', 'boolean', 'attempts'].includes(given)) {
    return at.fail(`unknown type "${given}"`, where, 'it may be string, number, boolean or attempts')
  }
  const made = value === undefined ? undefined : template(value)
  return { name: name, type: (given as Type | undefined) ?? typeOf(made), value: made }
}

/** One variable that is known to be a number is one. */
function typeOf(template: Template | undefined): Type {
  const [part] = template?.parts ?? []
  const alone = template?.parts.length === 1 && typeof part === 'object' && 'variable' in part
  return alone && NUMBERS.has(part.variable.toLowerCase()) ? 'number' : 'string'
}

/** The function that makes the lines of a format, line feed included; undefined when there is none of that name. */
export function compileJson(
  name: string,
  formats: readonly JsonFormat[],
  tree: HttpTree,
  at: Position,
): Text | undefined {
  const found = formats.find((format) => format.name === name)
  if (found === undefined && name !== DEFAULT_NAME) {
    tree.fail(`unknown JSON log format "${name}"`, at)
    return undefined
  }
  return tree.shared(`json_log_format ${name}`, () => lineMaker(found?.members ?? defaultMembers(), tree))
}

function defaultMembers(): Member[] {
  const fail = (message: string): never => {
    throw new Error(message)
  }
  return DEFAULT.split(' ').map((text) => readMember({ text }, (value) => parseTemplate(value, fail), { fail }))
}

interface CompiledMember {
  /** `"name":` */
  readonly lead: string
  readonly type: Type
  readonly value: Getter
}

function lineMaker(members: readonly Member[], tree: HttpTree): Text {
  const compiled = members.map(({ name, type, value }): CompiledMember => {
    return { lead: `"${escapeJson(name)}":`, type, value: value === undefined ? nothing : getterOf(value, tree) }
  })
  return (r) => {
    let line = ''
    for (let i = 0; i < compiled.length; i++) {
      const { lead, type, value } = compiled[i]!
      const text = type === 'attempts' ? attemptsJson(r) : valueJson(type, value(r))
      if (text !== '') line += (line === '' ? '{' : ',') + lead + text
    }
    return line === '' ? '{}\n' : `${line}}\n`
  }
}

function nothing(): undefined {
  return undefined
}

/** A variable alone may have no value; a text of several parts always has one. */
function getterOf(template: Template, tree: HttpTree): Getter {
  const [part] = template.parts
  const alone = template.parts.length === 1 && typeof part === 'object' && 'variable' in part
  return alone ? tree.variable(part.variable) : tree.text(template)
}

/** Empty: there is nothing to write. */
function valueJson(type: Type, value: string | undefined): string {
  if (value === undefined) return ''
  if (type === 'number') return NUMBER.test(value) ? value : ''
  if (type === 'boolean') return isTrue(value) ? 'true' : 'false'
  return `"${escapeJson(soundUtf8(value))}"`
}

/** What back ends did, in order; empty: none was asked. */
function attemptsJson(r: Request): string {
  const attempts = r.conversation?.attempts
  if (attempts === undefined || attempts.count === 0) return ''
  let list = ''
  for (let i = 0; i < attempts.count; i++) list += (i === 0 ? '[' : ',') + attemptJson(attempts.at(i))
  return `${list}]`
}

function attemptJson(attempt: Attempt): string {
  const { status, queueMs, connectMs, headerMs, responseMs } = attempt
  let json = `{"address":"${escapeJson(soundUtf8(attempt.address))}"`
  if (attempt.server !== '') json += `,"server":"${escapeJson(soundUtf8(attempt.server))}"`
  if (status > 0) json += `,"status":${status}`
  if (queueMs >= 0) json += `,"queue_time":${secondsText(queueMs)}`
  if (connectMs >= 0) json += `,"connect_time":${secondsText(connectMs)}`
  if (headerMs >= 0) json += `,"header_time":${secondsText(headerMs)}`
  if (responseMs >= 0) json += `,"response_time":${secondsText(responseMs)}`
  return `${json},"bytes_sent":${attempt.bytesSent},"bytes_received":${attempt.bytesReceived}}`
}
