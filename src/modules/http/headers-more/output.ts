/** `more_set_headers` and `more_clear_headers`: fields of responses, whatever their status. */
import { directives } from '../../../config/directive.ts'
import { httpModule } from '../../../http/compile/module.ts'
import { UNKNOWN } from '../../../http/message/response-head.ts'
import type { Request } from '../../../http/request/request.ts'
import { parseHttpDate } from '../../../lib/http-date.ts'

import { type Compiled, commandArgs, commandsOf, type Field, HSLI } from './command.ts'

const own = {
  more_set_headers: directives({
    in: HSLI,
    args: commandArgs({ options: 'sta', clears: false, request: false }),
    doc: 'Sets fields of responses, in place of those that are there; a field without a value is cleared.',
  }),
  more_clear_headers: directives({
    in: HSLI,
    args: commandArgs({ options: 'st', clears: true, request: false }),
    doc: 'Clears fields of responses; `*` at the end of a name stands for any letters.',
  }),
}

/** The module list's entry. */
export const headersMoreModule = httpModule({
  name: 'http_headers_more',
  doc: 'Sets and clears any field of responses.',
  directives: own,
  attach(_conf, plan, at) {
    const commands = commandsOf(at.scope, own, at)
    if (commands.length > 0) plan.headerFilter(changeResponse, commands)
  },
})

function changeResponse(r: Request, commands: readonly Compiled[]): void {
  if (r !== r.main) return
  const { out } = r
  for (let i = 0; i < commands.length; i++) {
    const { fields, statuses, types, adds } = commands[i]!
    if (statuses?.has(out.status) === false || types?.has(out.contentType) === false) continue
    for (let j = 0; j < fields.length; j++) changeField(r, fields[j]!, adds)
  }
}

function changeField(r: Request, { name, lower, prefix, value }: Field, adds: boolean): void {
  const { out } = r
  const text = value === undefined ? '' : value(r)
  if (prefix !== undefined) return clearMatching(r, prefix)
  const set = SETTERS[lower]
  if (set !== undefined) {
    out.remove(lower)
    set(r, text)
    return
  }
  if (!adds) out.remove(lower)
  if (text !== '') out.add(name, text)
}

/** Fields that the engine keeps apart; an empty text clears them. */
const SETTERS: Readonly<Record<string, (r: Request, value: string) => void>> = {
  server: (r, value) => {
    r.out.server = value
  },
  date: (r, value) => {
    r.out.date = value
  },
  'content-type': (r, value) => {
    r.out.contentType = value
    r.out.charset = ''
  },
  'content-length': (r, value) => {
    r.out.contentLength = /^\d{1,15}$/.test(value) ? Number(value) : UNKNOWN
  },
  'content-encoding': (r, value) => {
    r.out.contentEncoding = value
  },
  'last-modified': (r, value) => {
    r.out.lastModified = value === '' ? UNKNOWN : parseHttpDate(value)
    r.out.lastModifiedSent = true
    if (value !== '' && r.out.lastModified < 0) r.out.add('Last-Modified', value)
  },
  etag: (r, value) => {
    r.out.etag = value
  },
  location: (r, value) => {
    r.out.location = value
  },
  'accept-ranges': (r, value) => {
    r.out.clearRanges()
    if (value !== '') r.out.add('Accept-Ranges', value)
  },
  vary: (r, value) => {
    r.out.varyEncoding = false
    if (value !== '') r.out.add('Vary', value)
  },
}

function clearMatching(r: Request, prefix: string): void {
  const { out } = r
  for (const [lower, set] of Object.entries(SETTERS)) if (lower.startsWith(prefix)) set(r, '')
  for (const name of [...out.names]) if (name.toLowerCase().startsWith(prefix)) out.remove(name.toLowerCase())
  for (const line of out.lines.split('\r\n')) {
    const lower = line.slice(0, Math.max(0, line.indexOf(':'))).toLowerCase()
    if (lower !== '' && lower.startsWith(prefix)) out.remove(lower)
  }
}
