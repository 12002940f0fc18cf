/**
 * The fields of a request to a back end, whatever writes them down: those that a module sends of its own accord, those
 * that the configuration sets, and the client's, unless they are replaced.
 */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import type { Args } from '../../../config/directive.ts'
import { parseTemplate, readTemplate, type Template } from '../../../value/template.ts'
import type { AttachContext } from '../../compile/module.ts'
import { FieldRoles } from '../../message/field-names.ts'
import { fieldTemplate, fieldValue } from '../../message/field-value.ts'
import type { Text } from '../../request/plan.ts'
import type { Request } from '../../request/request.ts'

/** One `proxy_set_header` or its like. */
export interface SetHeader {
  readonly name: string
  readonly value: Template
}

/** Reads it. */
export const setHeader: Args<SetHeader> = mapped(
  raw('field value', { min: 2, max: 2 }),
  ([name, value], _, at): SetHeader => {
    // nginx sends whatever stands here.
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name!.text)) at.warn(`invalid header name "${name!.text}"`, name)
    return { name: name!.text, value: readTemplate(value!, at) }
  },
)

/** A field that is sent unless its value is empty. */
interface Field {
  readonly name: string
  readonly value: Text
  /** The value, when it is always the same. */
  readonly constant: string | undefined
}

/** What `compileFields` makes. */
export interface RequestFields {
  /** The value that was set for Host, which has a place of its own. */
  readonly host: Text | undefined
  readonly fields: readonly Field[]
  /** Names in lower case that are not the client's to send. */
  readonly replaced: FieldRoles
}

/** Texts of variables that no configuration can make its own and whose values have no line ends. */
const ONE_LINE =
  /^(?:[^$]|\$\{?(?:host|remote_addr|remote_port|scheme|server_addr|server_port|request_uri|request_method|proxy_host|proxy_port|proxy_add_x_forwarded_for|proxy_internal_\w+)(?!\w))*$/
const BREAKS_LINE = /[\0-\x20\x7f]/
const LINE_BREAKERS = /[\0-\x20\x7f]/g

/** Compiles what is set, and of `defaults` (fields that are never the client's) what is not set. */
export function compileFields(
  set: readonly SetHeader[],
  defaults: readonly (readonly [name: string, value: string])[],
  at: AttachContext,
): RequestFields {
  const replaced = new FieldRoles([['host', 1]])
  const given: SetHeader[] = []
  let host: Text | undefined
  for (const { name, value } of set) {
    const lower = name.toLowerCase()
    if (lower === 'host') {
      host = fieldText(name, value, at)
      continue
    }
    replaced.set(lower, 1)
    given.push({ name, value })
  }
  for (const [name, value] of defaults) {
    const lower = name.toLowerCase()
    if (replaced.ofName(lower) !== 0) continue
    replaced.set(lower, 1)
    given.push({ name, value: parseTemplate(value, unreachableFail) })
  }
  // A field that is always empty only removes the client's.
  const fields = given
    .filter(({ value }) => value.constant !== '')
    .map(({ name, value }) => ({ name, value: fieldText(name, value, at), constant: fieldTemplate(value).constant }))
  return { host, fields, replaced }
}

function unreachableFail(message: string): never {
  throw new Error(message)
}

/** The value of a field, empty when it must not be sent. */
function fieldText(name: string, written: Template, at: AttachContext): Text {
  const value = fieldTemplate(written)
  const text = at.text(value)
  if (ONE_LINE.test(value.source)) return text
  return (r) => fieldValue(r, name, text(r))
}

/** A method or a part of the first line that would break it. */
export function breaksLine(text: string): boolean {
  return BREAKS_LINE.test(text)
}

/** A request target without what would end it, which only a rewrite or a variable can bring in. */
export function wholeTarget(uri: string, r: Request): string {
  if (uri === r.unparsedUri || !BREAKS_LINE.test(uri)) return uri
  return uri.replace(LINE_BREAKERS, (char) => '%' + char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase())
}
