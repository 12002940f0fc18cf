/**
 * The request that a back end gets (ngx_http_proxy_create_request): request line, Host, the fields that are set, then
 * the client's own fields that nothing replaces. Runs of the client's lines are copied as one slice of text; lines that
 * were not written canonically are written anew, so that there is one way to read what is sent.
 */
import type { ConfOf } from '../../../config/directive.ts'
import type { AttachContext } from '../../../http/compile/module.ts'
import { FieldEncoder, requestStart } from '../../../http/exchange/compile/h2-request-fields.ts'
import {
  breaksLine,
  compileFields,
  type RequestFields,
  wholeTarget,
} from '../../../http/exchange/compile/request-fields.ts'
import type { Exchange } from '../../../http/exchange/exchange.ts'
import { type FieldRoles, hashName } from '../../../http/message/field-names.ts'
import type { HeaderTable } from '../../../http/message/header-table.ts'
import { escapeUri } from '../../../http/message/uri.ts'
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { ERROR } from '../../../log/error-log.ts'
import type { proxyDirectives } from './directives.ts'
import { HTTPS, type ProxyTarget } from './target.ts'

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

/** The same for a request whose response is to be kept: it is asked for whole, and without the client's conditions. */
const CACHE_DEFAULTS: readonly (readonly [string, string])[] = [
  ...DEFAULTS,
  ['If-Modified-Since', '$upstream_cache_last_modified'],
  ['If-Unmodified-Since', ''],
  ['If-None-Match', '$upstream_cache_etag'],
  ['If-Match', ''],
  ['Range', ''],
  ['If-Range', ''],
]

const XFF = hashName('x-forwarded-for')

/** `$proxy_add_x_forwarded_for`. */
export function forwardedFor(r: Request): string {
  const before = r.headers.joined(XFF, 'x-forwarded-for', ', ')
  return before === undefined ? r.client.address : `${before}, ${r.client.address}`
}

/** Compiles the function that makes the request; with `caching` its response may be kept. */
export function compileRequest(
  conf: Conf,
  target: ProxyTarget,
  setBody: Text | undefined,
  caching: boolean,
  at: AttachContext,
): (r: Request, exchange: Exchange) => string {
  const plain = compileFields(conf.proxy_set_header, DEFAULTS, at)
  const plainLines = new FieldLines(plain)
  const hostText = plain.host
  const keptLines = caching ? new FieldLines(compileFields(conf.proxy_set_header, CACHE_DEFAULTS, at)) : plainLines
  const method = conf.proxy_method === undefined ? undefined : at.text(conf.proxy_method)
  const version = conf.proxy_http_version === '1.0' ? ' HTTP/1.0\r\n' : ' HTTP/1.1\r\n'
  const oneOne = conf.proxy_http_version !== '1.0'
  const passFields = conf.proxy_pass_request_headers
  return (r, exchange) => {
    const uri = noteUri(r, target, exchange)
    if (uri === '') return ''
    const body = setBody?.(r)
    exchange.sender.frame(body === undefined ? -1 : body.length)
    const methodText = methodOf(r, method, exchange)
    if (methodText === '') return ''
    let head = methodText + ' ' + uri + version
    const hostValue = hostText?.(r) ?? ''
    if (hostText === undefined || (hostValue === '' && oneOne)) head += 'Host: ' + exchange.targetHost + '\r\n'
    else if (hostValue !== '') head += 'Host: ' + hostValue + '\r\n'
    head += (exchange.keeping ? keptLines : plainLines).of(r, passFields)
    return body === undefined ? head + '\r\n' : head + '\r\n' + body
  }
}

/** The fields of a request as lines. */
class FieldLines {
  readonly #fields: readonly { readonly start: string; readonly value: Text }[]
  readonly #replaced: FieldRoles

  constructor({ fields, replaced }: RequestFields) {
    this.#fields = fields.map(({ name, value }) => ({ start: `${name}: `, value }))
    this.#replaced = replaced
  }

  /** What is set, and with `pass` the client's own. */
  of(r: Request, pass: boolean): string {
    const fields = this.#fields
    let lines = ''
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!
      const value = field.value(r)
      if (value !== '') lines += field.start + value + '\r\n'
    }
    return pass ? lines + passedFields(r.headers, this.#replaced) : lines
  }
}

/** The method; empty when it cannot be sent. */
function methodOf(r: Request, method: Text | undefined, exchange: Exchange): string {
  if (exchange.methodAsked !== '') return exchange.methodAsked
  const text = method === undefined ? r.method : method(r)
  if (method === undefined || (text !== '' && !breaksLine(text))) return text
  r.logError(ERROR, 'invalid method to proxy')
  return ''
}

/** The URI of the request line, noted at the exchange; empty when there is none. */
function noteUri(r: Request, target: ProxyTarget, exchange: Exchange): string {
  const uri = wholeTarget(requestUri(r, target, exchange), r)
  if (uri === '') r.logError(ERROR, 'zero length URI to proxy')
  exchange.uri = uri
  return uri
}

/** `proxy_cache_key` when it is not given (ngx_http_proxy_create_key). */
export function cacheKey(r: Request, target: ProxyTarget, exchange: Exchange): string {
  return exchange.scheme + exchange.targetKey + requestUri(r, target, exchange)
}

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

/** Compiles the function that makes the request for HTTP/2 (ngx_http_proxy_v2_create_request). */
export function compileH2Request(
  conf: Conf,
  target: ProxyTarget,
  setBody: Text | undefined,
  caching: boolean,
  at: AttachContext,
): (r: Request, exchange: Exchange) => string {
  const fields = compileFields(conf.proxy_set_header, DEFAULTS, at)
  const encoder = new FieldEncoder(fields)
  const keptEncoder = caching ? new FieldEncoder(compileFields(conf.proxy_set_header, CACHE_DEFAULTS, at)) : encoder
  const { host } = fields
  const method = conf.proxy_method === undefined ? undefined : at.text(conf.proxy_method)
  const passFields = conf.proxy_pass_request_headers
  return (r, exchange) => {
    const uri = noteUri(r, target, exchange)
    const methodText = methodOf(r, method, exchange)
    if (uri === '' || methodText === '') return ''
    exchange.sender.replaceBody(setBody?.(r))
    const authority = host?.(r) || exchange.targetHost
    const scheme = exchange.scheme === HTTPS ? 'https' : 'http'
    return (
      requestStart(methodText, scheme, uri, authority) +
      (exchange.keeping ? keptEncoder : encoder).encode(r, passFields)
    )
  }
}

/** The client's fields, without those that were set, in runs. */
function passedFields(table: HeaderTable, replaced: FieldRoles): string {
  const { text, count } = table
  let fields = ''
  let runStart = 0
  let runEnd = 0
  for (let i = 0; i < count; i++) {
    if (table.hidden(i) || replaced.of(table.number(i)) !== 0) continue
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
