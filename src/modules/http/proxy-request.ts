/**
 * The request that a back end gets (ngx_http_proxy_create_request): request line, Host, the fields that are set, then
 * the client's own fields that nothing replaces. Runs of the client's lines are copied as one slice of text; lines that
 * were not written canonically are written anew, so that there is one way to read what is sent.
 */
import type { ConfOf } from '../../config/directive.ts'
import type { Exchange } from '../../http/exchange/exchange.ts'
import { type HeaderTable, hashName } from '../../http/header-table.ts'
import type { AttachContext } from '../../http/module.ts'
import type { Text } from '../../http/plan.ts'
import type { Request } from '../../http/request.ts'
import { escapeUri } from '../../http/uri.ts'
import { ERROR } from '../../log/error-log.ts'
import { parseTemplate, type Template } from '../../value/template.ts'
import type { proxyDirectives } from './proxy-directives.ts'
import type { ProxyTarget } from './proxy-target.ts'

type Conf = Pick<ConfOf<typeof proxyDirectives>, 'proxy_set_header' | 'proxy_http_version' | 'proxy_method'> & {
  readonly proxy_pass_request_headers: boolean
}

/** Fields that are never the client's, with what is sent instead; empty: nothing. */
const DEFAULTS: readonly (readonly [string, string])[] = [
  ['Connection', ''],
  ['Proxy-Connection', ''],
  ['Content-Length', '$proxy_internal_body_length'],
  ['Transfer-Encoding', '$proxy_internal_chunked'],
  ['TE', ''],
  ['Keep-Alive', ''],
  ['Expect', ''],
  ['Upgrade', ''],
]

interface Field {
  /** `Name: `. */
  readonly start: string
  readonly value: Text
}

/** Texts of variables whose values have no line ends, since the parser of requests lets none through. */
const ONE_LINE =
  /^(?:[^$]|\$\{?(?:host|http_\w+|remote_addr|remote_port|scheme|server_\w+|proxy_\w+|request_uri|request_method)\b)*$/
const LINE_END = /[\0\r\n]/
const LINE_ENDS = /[\0\r\n]/g
const BREAKS_LINE = /[\0-\x20\x7f]/
const LINE_BREAKERS = /[\0-\x20\x7f]/g

const XFF = hashName('x-forwarded-for')

/** `$proxy_add_x_forwarded_for`. */
export function forwardedFor(r: Request): string {
  const before = r.headers.joined(XFF, 'x-forwarded-for', ', ')
  return before === undefined ? r.client.address : `${before}, ${r.client.address}`
}

/** Compiles the function that makes the request. */
export function compileRequest(
  conf: Conf,
  target: ProxyTarget,
  setBody: Text | undefined,
  at: AttachContext,
): (r: Request, exchange: Exchange) => string {
  const host = conf.proxy_set_header.findLast((h) => h.name.toLowerCase() === 'host')
  const hostText = host === undefined ? undefined : fieldText(host.value, at)
  const replaced = new NameSet(['host'])
  const fields = compileFields(conf, replaced, at)
  const method = conf.proxy_method === undefined ? undefined : at.text(conf.proxy_method)
  const version = conf.proxy_http_version === '1.0' ? ' HTTP/1.0\r\n' : ' HTTP/1.1\r\n'
  const oneOne = conf.proxy_http_version !== '1.0'
  const passFields = conf.proxy_pass_request_headers
  if (conf.proxy_http_version === '2') at.fail('"proxy_http_version 2" is not supported yet by Viaduct', at.scope.at)
  return (r, exchange) => {
    const uri = wholeTarget(requestUri(r, target, exchange), r)
    if (uri === '') {
      r.logError(ERROR, 'zero length URI to proxy')
      return ''
    }
    exchange.uri = uri
    const body = setBody?.(r)
    exchange.sender.frame(body === undefined ? -1 : body.length)
    const methodText = method === undefined ? r.method : method(r)
    if (method !== undefined && BREAKS_LINE.test(methodText)) {
      r.logError(ERROR, 'invalid method to proxy')
      return ''
    }
    let head = methodText + ' ' + uri + version
    const hostValue = hostText?.(r) ?? ''
    if (hostText === undefined || (hostValue === '' && oneOne)) head += 'Host: ' + exchange.targetHost + '\r\n'
    else if (hostValue !== '') head += 'Host: ' + hostValue + '\r\n'
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!
      const value = field.value(r)
      if (value !== '') head += field.start + value + '\r\n'
    }
    if (passFields) head += passedFields(r.headers, replaced)
    return body === undefined ? head + '\r\n' : head + '\r\n' + body
  }
}

function compileFields(conf: Conf, replaced: NameSet, at: AttachContext): Field[] {
  const given: { name: string; value: Template }[] = []
  for (const { name, value } of conf.proxy_set_header) {
    const lower = name.toLowerCase()
    if (lower === 'host') continue
    replaced.add(lower)
    given.push({ name, value })
  }
  for (const [name, value] of DEFAULTS) {
    const lower = name.toLowerCase()
    if (replaced.has(lower)) continue
    replaced.add(lower)
    given.push({ name, value: parseTemplate(value, unreachableFail) })
  }
  // A field that is always empty only removes the client's.
  return given
    .filter(({ value }) => value.constant !== '')
    .map(({ name, value }) => ({ start: `${name}: `, value: fieldText(value, at) }))
}

function unreachableFail(message: string): never {
  throw new Error(message)
}

/**
 * The value of a field. nginx sends what a variable holds as it is; a line end that came out of a decoded URI would then
 * begin another field, or another request. It becomes a space, as RFC 9110 5.5 has it.
 */
function fieldText(value: Template, at: AttachContext): Text {
  const text = at.text(value)
  if (ONE_LINE.test(value.source)) return text
  return (r) => {
    const found = text(r)
    return LINE_END.test(found) ? found.replace(LINE_ENDS, ' ') : found
  }
}

/** A request target without what would end it, which only a rewrite or a variable can bring in. */
function wholeTarget(uri: string, r: Request): string {
  if (uri === r.unparsedUri || !BREAKS_LINE.test(uri)) return uri
  return uri.replace(LINE_BREAKERS, (char) => '%' + char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase())
}

/** The URI of the request line. */
function requestUri(r: Request, target: ProxyTarget, exchange: Exchange): string {
  const { targetUri } = exchange
  if (target.url === undefined && targetUri !== '') return targetUri
  if (targetUri === '' && r.uriUnchanged) return r.unparsedUri
  const replaces = r.locationValid && targetUri !== ''
  const skipped = replaces ? Math.min(target.location.name.length, r.uri.length) : 0
  let path = r.uri.slice(skipped)
  if (r.internal || r.unparsedUri.includes('%')) path = escapeUri(path, 'uri')
  const uri = (replaces ? targetUri : '') + path
  return r.args === '' ? uri : uri + '?' + r.args
}

/** The client's fields, without those that were set, in runs. */
function passedFields(table: HeaderTable, replaced: NameSet): string {
  const { text, count } = table
  let fields = ''
  let runStart = 0
  let runEnd = 0
  for (let i = 0; i < count; i++) {
    if (table.hidden(i) || replaced.covers(table, i)) continue
    if (!table.canonical(i)) {
      if (runEnd > runStart) fields += text.slice(runStart, runEnd)
      runStart = runEnd = 0
      fields += table.name(i) + ': ' + table.value(i) + '\r\n'
    } else if (table.lineStart(i) === runEnd) runEnd = table.lineEnd(i)
    else {
      if (runEnd > runStart) fields += text.slice(runStart, runEnd)
      runStart = table.lineStart(i)
      runEnd = table.lineEnd(i)
    }
  }
  return runEnd > runStart ? fields + text.slice(runStart, runEnd) : fields
}

/** A set of field names that answers mostly by one look into a table of bytes. */
class NameSet {
  readonly #seen = new Uint8Array(256)
  readonly #names = new Map<number, string[]>()

  constructor(names: readonly string[]) {
    for (const name of names) this.add(name)
  }

  add(lowerName: string): void {
    const hash = hashName(lowerName)
    this.#seen[hash & 255] = 1
    this.#names.set(hash, [...(this.#names.get(hash) ?? []), lowerName])
  }

  has(lowerName: string): boolean {
    return this.#names.get(hashName(lowerName))?.includes(lowerName) ?? false
  }

  covers(table: HeaderTable, index: number): boolean {
    const hash = table.hash(index)
    if (this.#seen[hash & 255] === 0) return false
    const names = this.#names.get(hash)
    if (names === undefined) return false
    for (let i = 0; i < names.length; i++) if (table.nameIs(index, names[i]!)) return true
    return false
  }
}
