/** `more_set_input_headers` and `more_clear_input_headers`: fields of requests, before limits, access and handlers see them. */
import { directives } from '../../../config/directive.ts'
import { httpModule } from '../../../http/compile/module.ts'
import { hashName } from '../../../http/message/field-names.ts'
import type { Request } from '../../../http/request/request.ts'
import { NEXT, type Verdict } from '../../../http/request/verdict.ts'

import { type Compiled, commandArgs, commandsOf, type Field, FRAMING, HSLI } from './command.ts'

const own = {
  more_set_input_headers: directives({
    in: HSLI,
    args: commandArgs({ options: 'rt', clears: false, request: true }),
    doc: 'Sets fields of requests; with `-r` only those that are there.',
  }),
  more_clear_input_headers: directives({
    in: HSLI,
    args: commandArgs({ options: 't', clears: true, request: true }),
    doc: 'Clears fields of requests; `*` at the end of a name stands for any letters.',
  }),
}

/** The module list's entry. */
export const headersMoreInputModule = httpModule({
  name: 'http_headers_more_input',
  doc: 'Sets and clears any field of requests.',
  directives: own,
  attach(_conf, plan, at) {
    const commands = commandsOf(at.scope, own, at)
    if (commands.length > 0) plan.preaccess(changeRequest, commands)
  },
})

/** Runs behind the rewrite rules, as the original does. */
function changeRequest(r: Request, commands: readonly Compiled[]): Verdict {
  for (let i = 0; i < commands.length; i++) {
    const { fields, types, replaces } = commands[i]!
    if (types?.has(r.headers.valueOf(CONTENT_TYPE, 'content-type') ?? '') === false) continue
    for (let j = 0; j < fields.length; j++) changeInput(r, fields[j]!, replaces)
  }
  return NEXT
}

const CONTENT_TYPE = hashName('content-type')

function changeInput(r: Request, { name, lower, hash, prefix, value }: Field, replaces: boolean): void {
  const { headers } = r
  if (prefix !== undefined) {
    for (let i = 0; i < headers.count; i++) {
      if (!headers.hidden(i) && isFree(headers.lowerName(i), prefix)) headers.remove(i)
    }
    return
  }
  const known = headers.find(hash, lower)
  const text = value === undefined ? '' : value(r)
  if (known < 0 && replaces) return
  if (text === '') headers.removeAll(hash, lower)
  else if (known < 0) headers.addString(name, text)
  else {
    for (let i = headers.find(hash, lower, known + 1); i >= 0; i = headers.find(hash, lower, i + 1)) headers.remove(i)
    headers.setValue(known, text)
  }
  if (lower === 'host') changeHost(r, text)
}

/** `Transfer-*` must not take out what says how long the body is. */
function isFree(lower: string, prefix: string): boolean {
  return lower.startsWith(prefix) && !FRAMING.has(lower) && lower !== 'content-length'
}

/** `$host` follows the field; the server that serves stays the one that was chosen. */
function changeHost(r: Request, value: string): void {
  r.facts.hostIndex = r.headers.find(HOST, 'host')
  r.host = value !== '' && r.facts.setHost(value) ? r.facts.host : ''
}

const HOST = hashName('host')
