/**
 * From the head of a back end to the head for the client: what is hidden, what the engine understands, what is passed
 * on as it came. Runs of lines that are passed on unchanged are copied as one slice of text.
 */
import { parseHttpDate } from '../../lib/http-date.ts'
import { ERROR, WARN } from '../../log/error-log.ts'
import { FieldRoles, hashName } from '../message/field-names.ts'
import type { HeaderTable } from '../message/header-table.ts'
import { GET, HEAD } from '../message/method.ts'
import { parseUnsafeUri } from '../message/unsafe-uri.ts'
import type { UriParts } from '../message/uri.ts'
import { redirectToNamed } from '../request/error-pages.ts'
import type { Request } from '../request/request.ts'
import { NEXT } from '../request/verdict.ts'
import type { Codec } from './codec.ts'
import { type ExchangeConf, IGNORE_BUFFERING, IGNORE_CHARSET, IGNORE_LIMIT_RATE, IGNORE_REDIRECT } from './conf.ts'
import type { Exchange } from './exchange.ts'

const CONTENT_TYPE = 1
const CONTENT_LENGTH = 2
const LAST_MODIFIED = 3
const ETAG = 4
const SERVER = 5
const DATE = 6
const LOCATION = 7
const REFRESH = 8
const DROPPED = 9
const CONTENT_ENCODING = 10
const ACCEL_LIMIT_RATE = 11
const ACCEL_BUFFERING = 12
const ACCEL_CHARSET = 13
const UPGRADE = 14
const SET_COOKIE = 15
const STATUS = 16
const EXPIRES = 17
const ACCEL_EXPIRES = 18
const ACCEL_REDIRECT = 19
const ACCEPT_RANGES = 20

/** Fields that stand once, as bits: the first counts (ngx_http_upstream_process_header_line). */
const SINGLE =
  (1 << STATUS) |
  (1 << CONTENT_TYPE) |
  (1 << DATE) |
  (1 << LAST_MODIFIED) |
  (1 << ETAG) |
  (1 << SERVER) |
  (1 << LOCATION) |
  (1 << REFRESH) |
  (1 << EXPIRES) |
  (1 << ACCEL_EXPIRES) |
  (1 << ACCEL_REDIRECT) |
  (1 << ACCEL_LIMIT_RATE)

/** Names that mean something here; the rest is copied. */
const KINDS = new FieldRoles([
  ['content-type', CONTENT_TYPE],
  ['content-length', CONTENT_LENGTH],
  ['last-modified', LAST_MODIFIED],
  ['etag', ETAG],
  ['server', SERVER],
  ['date', DATE],
  ['location', LOCATION],
  ['refresh', REFRESH],
  ['connection', DROPPED],
  ['keep-alive', DROPPED],
  ['transfer-encoding', DROPPED],
  ['content-encoding', CONTENT_ENCODING],
  ['accept-ranges', ACCEPT_RANGES],
  ['x-accel-limit-rate', ACCEL_LIMIT_RATE],
  ['x-accel-buffering', ACCEL_BUFFERING],
  ['x-accel-charset', ACCEL_CHARSET],
  ['upgrade', UPGRADE],
  ['set-cookie', SET_COOKIE],
  ['status', STATUS],
  ['expires', EXPIRES],
  ['x-accel-expires', ACCEL_EXPIRES],
  ['x-accel-redirect', ACCEL_REDIRECT],
])

const ACCEL_LIMIT_RATE_NAME = hashName('x-accel-limit-rate')
const ACCEL_CHARSET_NAME = hashName('x-accel-charset')
const ACCEL_REDIRECT_NAME = hashName('x-accel-redirect')
const WWW_AUTHENTICATE = hashName('www-authenticate')
/** `Request.version` from here on. */
const HTTP2 = 20
/** Most responses of a thread have the same. */
let lastType = ''
const parts: UriParts = { uri: '', args: '' }

/** Tells whether a field is not for the client. */
export function isHidden(conf: ExchangeConf, table: HeaderTable, index: number): boolean {
  return conf.hidden.of(table.number(index)) !== 0
}

/** Fills `r.out` from the back end's head. */
export function applyResponseHead(r: Request, conf: ExchangeConf, exchange: Exchange): void {
  const { codec } = exchange
  const { out } = r
  const table = codec.headers
  out.status = codec.status
  out.statusText = codec.statusText
  out.contentLength = codec.contentLength
  out.source = table
  const { text } = table
  let lines = ''
  let runStart = 0
  let runEnd = 0
  let seen = 0
  for (let i = 0; i < table.count; i++) {
    if (table.hidden(i)) continue
    const kind = KINDS.of(table.number(i))
    const hidden = isHidden(conf, table, i)
    if (kind !== 0) {
      const bit = 1 << kind
      if ((seen & SINGLE & bit) !== 0) {
        dropRepeated(r, table, i)
        continue
      }
      seen |= bit
      if (applyKnown(r, conf, exchange, kind, i, hidden)) continue
    }
    if (hidden) continue
    if (!table.canonical(i)) {
      if (runEnd > runStart) lines += text.slice(runStart, runEnd)
      runStart = runEnd = 0
      lines += table.name(i) + ': ' + table.value(i) + '\r\n'
    } else if (table.lineStart(i) === runEnd) runEnd = table.lineEnd(i)
    else {
      if (runEnd > runStart) lines += text.slice(runStart, runEnd)
      runStart = table.lineStart(i)
      runEnd = table.lineEnd(i)
    }
  }
  out.lines = runEnd > runStart ? lines + text.slice(runStart, runEnd) : lines
  if (conf.onlyTheirDate) out.date ??= ''
  if (conf.onlyTheirServer) out.server ??= ''
  const { caching } = exchange
  if (conf.transport.force_ranges) out.allowRanges = out.singleRange = true
  if (caching?.serving === true) out.singleRange = false
  // What is not buffered has no rate for the client, as in nginx (ngx_http_upstream_send_response).
  if (!exchange.pump.buffering) r.limitRate = 0
  // A response that is kept was asked for whole, and without the client's conditions.
  out.conditionsOff = caching === undefined || !(caching.cacheable || caching.serving)
  caching?.tell()
  if (!conf.passTrailers || codec.bodyDone || (codec.contentLength >= 0 && !conf.protocol.framed)) return
  out.trailers = () => (out.trailerLines = exchange.trailers.sent)
  out.trailersOptional = codec.contentLength >= 0
}

/** A field that may stand once stands again: it has no effect, and nobody sees it. */
function dropRepeated(r: Request, table: HeaderTable, index: number): void {
  const first = table.find(table.hash(index), table.lowerName(index))
  const line = `"${table.name(index)}: ${table.value(index)}"`
  const before = `previous value: "${table.name(first)}: ${table.value(first)}"`
  const doing = 'reading response header from upstream'
  r.logError(WARN, `upstream sent duplicate header line: ${line}, ${before}, ignored while ${doing}`)
  table.remove(index)
}

/** The same for a whole head that is not passed on. */
function dropAllRepeated(r: Request, table: HeaderTable): void {
  let seen = 0
  for (let i = 0; i < table.count; i++) {
    const kind = KINDS.of(table.number(i))
    if (kind === 0 || table.hidden(i)) continue
    const bit = 1 << kind
    if ((seen & SINGLE & bit) !== 0) dropRepeated(r, table, i)
    seen |= bit
  }
}

/** Takes one field that has a meaning; false: it is to be copied like the others. */
function applyKnown(
  r: Request,
  conf: ExchangeConf,
  exchange: Exchange,
  kind: number,
  index: number,
  hidden: boolean,
): boolean {
  const { out } = r
  const table = exchange.codec.headers
  switch (kind) {
    case CONTENT_LENGTH:
    case DROPPED:
      return true
    case ACCEPT_RANGES:
      // Forced ranges speak for themselves.
      return hidden || conf.transport.force_ranges || cutsRanges(r, exchange)
    case CONTENT_TYPE:
      if (!hidden) out.contentType = lastType = table.valueLike(index, lastType)
      return true
    case LAST_MODIFIED:
      return hidden || applyLastModified(r, table.value(index))
    case ETAG:
      if (!hidden) out.etag = table.value(index)
      return true
    case CONTENT_ENCODING:
      if (!hidden) applyCoding(r, table, index)
      return true
    case SERVER:
      if (!hidden) out.server = table.value(index)
      return true
    case DATE:
      if (!hidden) out.date = table.value(index)
      return true
    case UPGRADE:
      if (!hidden) applyUpgrade(r, conf, exchange, table, index)
      return true
    case SET_COOKIE:
      return hidden || applyCookie(r, conf, table, index)
    case LOCATION:
      if (!hidden) applyLocation(r, conf, table, index)
      return true
    case REFRESH:
      if (!hidden) r.out.add(table.name(index), conf.rewriteRedirect(r, table.value(index)) ?? table.value(index))
      return true
    case STATUS:
    case EXPIRES:
    case ACCEL_EXPIRES:
    case ACCEL_REDIRECT:
      return false
    default:
      applyAccel(r, conf, exchange, kind, table.value(index))
      return false
  }
}

/** Ranges of what is or may be in the cache are cut here, since the back end does not hear of them. */
function cutsRanges({ out }: Request, { caching }: Exchange): boolean {
  if (caching === undefined || !(caching.cacheable || caching.serving)) return false
  out.allowRanges = out.singleRange = true
  return true
}

/**
 * What the back end would switch to, which is between it and us: a client of HTTP/1 may learn of it all the same, as in
 * nginx. The field has to be named in Connection, which 101 does of itself (RFC 9110, section 7.8).
 */
function applyUpgrade(r: Request, conf: ExchangeConf, exchange: Exchange, table: HeaderTable, index: number): void {
  if (r.version >= HTTP2 || conf.protocol.framed) return
  const first = index === table.find(table.hash(index), 'upgrade')
  r.out.add(table.name(index), table.value(index))
  if (first && !exchange.codec.upgraded) r.out.add('Connection', 'upgrade')
}

/** Codings that stand in several lines were applied one after the other. */
function applyCoding({ out }: Request, table: HeaderTable, index: number): void {
  const first = index === table.find(table.hash(index), 'content-encoding')
  out.contentEncoding = first ? table.value(index) : `${out.contentEncoding}, ${table.value(index)}`
}

function applyLastModified(r: Request, value: string): boolean {
  const seconds = parseHttpDate(value)
  if (seconds < 0) return false
  r.out.lastModified = seconds
  r.out.lastModifiedSent = true
  return true
}

/** True when the cookie was changed and added; false: its line is copied. */
function applyCookie(r: Request, conf: ExchangeConf, table: HeaderTable, index: number): boolean {
  const changed = conf.rewriteCookie?.(r, table.value(index))
  if (changed === undefined) return false
  r.out.add(table.name(index), changed)
  return true
}

/** One that was rewritten counts as the server's own: a path becomes absolute (ngx_http_upstream_rewrite_location). */
function applyLocation(r: Request, conf: ExchangeConf, table: HeaderTable, index: number): void {
  const value = table.value(index)
  const rewritten = conf.rewriteRedirect(r, value)
  if (rewritten === undefined) r.out.add(table.name(index), value)
  else r.out.location = rewritten
}

function applyLimitRate(r: Request, conf: ExchangeConf, value: string): void {
  if ((conf.ignore & IGNORE_LIMIT_RATE) === 0 && /^\d+$/.test(value)) r.limitRate = Number(value)
}

function applyAccel(r: Request, conf: ExchangeConf, exchange: Exchange, kind: number, value: string): void {
  if (kind === ACCEL_LIMIT_RATE) {
    applyLimitRate(r, conf, value)
  } else if (kind === ACCEL_BUFFERING && (conf.ignore & IGNORE_BUFFERING) === 0) {
    const word = value.toLowerCase()
    if (word === 'no') exchange.pump.buffering = false
    else if (word === 'yes') exchange.pump.buffering = true
  } else if (kind === ACCEL_CHARSET && (conf.ignore & IGNORE_CHARSET) === 0) r.out.overrideCharset = value
}

/** The status that `error_page` is to answer instead of the back end, or 0. */
export function interceptStatus(r: Request, conf: ExchangeConf, codec: Codec): number {
  if (conf.intercept404 && codec.status === 404) return 404
  if (!conf.transport.intercept_errors || codec.status < 300) return 0
  for (const page of r.location.errorPages) {
    if (!page.conf.statuses.includes(codec.status)) continue
    dropAllRepeated(r, codec.headers)
    if (codec.status === 401) copyChallenges(r, codec.headers)
    return codec.status
  }
  return 0
}

function copyChallenges(r: Request, table: HeaderTable): void {
  for (let i = table.find(WWW_AUTHENTICATE, 'www-authenticate'); i >= 0; ) {
    r.out.add(table.name(i), table.value(i))
    i = table.find(WWW_AUTHENTICATE, 'www-authenticate', i + 1)
  }
}

/** What survives an X-Accel-Redirect (ngx_http_upstream_headers_in's "redirect" column). */
const KEPT = ['content-type', 'set-cookie', 'content-disposition', 'cache-control', 'expires', 'accept-ranges']

/** `X-Accel-Redirect`: how to go on instead of passing the response on, or undefined when there is none. */
export function redirectedByBackEnd(r: Request, conf: ExchangeConf, codec: Codec): (() => void) | undefined {
  if ((conf.ignore & IGNORE_REDIRECT) !== 0) return undefined
  const target = codec.headers.valueOf(ACCEL_REDIRECT_NAME, 'x-accel-redirect')
  if (target === undefined) return undefined
  dropAllRepeated(r, codec.headers)
  const rate = codec.headers.valueOf(ACCEL_LIMIT_RATE_NAME, 'x-accel-limit-rate')
  if (rate !== undefined) applyLimitRate(r, conf, rate)
  const charset = codec.headers.valueOf(ACCEL_CHARSET_NAME, 'x-accel-charset')
  if (charset !== undefined && (conf.ignore & IGNORE_CHARSET) === 0) r.out.overrideCharset = charset
  for (const name of KEPT) keepField(r, codec.headers, name)
  return () => followAccel(r, target)
}

function keepField(r: Request, table: HeaderTable, name: string): void {
  const hash = hashName(name)
  for (let i = table.find(hash, name); i >= 0; i = table.find(hash, name, i + 1)) {
    if (name === 'content-type') r.out.contentType = table.value(i)
    else r.out.add(table.name(i), table.value(i))
  }
}

function followAccel(r: Request, target: string): void {
  let verdict: number
  if (target.startsWith('@')) verdict = redirectToNamed(r, target)
  // Without a slash it would be a path beside the root and not in it, which nginx lets pass.
  else if (!parseUnsafeUri(target, parts) || !target.startsWith('/')) {
    r.logError(ERROR, `unsafe URI "${parts.uri}" was detected`)
    verdict = 404
  } else {
    if (r.methodBit !== HEAD) {
      r.methodBit = GET
      r.method = 'GET'
    }
    verdict = r.redirectTo(parts.uri, parts.args)
  }
  if (verdict === NEXT) r.run()
  else r.finish(verdict)
}
