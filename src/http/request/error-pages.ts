/**
 * Ends a request with a status: by the `error_page` of its location, or by a page of the server's own
 * (ngx_http_special_response.c; the pages have nginx's form because clients and tests look for it).
 */

import { NO_BYTES } from '../../lib/bytes.ts'
import { ERROR } from '../../log/error-log.ts'
import { LAST, STABLE } from '../message/body.ts'
import { GET, HEAD } from '../message/method.ts'
import { statusPage } from '../message/status.ts'
import { isUnsafe } from '../message/unsafe-uri.ts'
import { escapeHtml, escapeUri } from '../message/uri.ts'
import type { ErrorPage } from '../settings/core-directives.ts'
import { isMsie, replacesErrorPages } from './browser-quirks.ts'
import type { LocationConf } from './location.ts'
import type { Request } from './request.ts'
import { trace } from './trace.ts'
import { NEXT } from './verdict.ts'

/** Statuses after which the connection's state is not to be trusted. */
const CLOSING: ReadonlySet<number> = new Set([400, 413, 414, 494, 495, 496, 497, 500, 501])
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** nginx's own codes that the client sees as 400. */
const SENT_AS_400: ReadonlySet<number> = new Set([494, 495, 496, 497])

/** Padding that keeps old Internet Explorer and Chrome from showing pages of their own. */
const MSIE_PADDING = '<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n'.repeat(6)

/** Answers `r` with `status`; runs on at an `error_page` when its location has one for it. */
export function answerStatus(r: Request, status: number): void {
  if (r.headSent) {
    // Too late for another answer: what was promised cannot be completed.
    r.keepAlive = false
    r.carrier.abortRequest(r)
    return
  }
  if (r.carrier.answerStatus?.(r, status) === true) return
  if (status === 444 || status === 408 || status === 499) {
    r.out.status = status
    r.carrier.abortRequest(r)
    return
  }
  if (trace !== undefined) trace.answering(r, status)
  r.errorStatus = status
  r.out.statusText = ''
  if (CLOSING.has(status)) r.keepAlive = false
  if (answerByErrorPage(r, status)) return
  sendStatus(r, status)
}

function answerByErrorPage(r: Request, status: number): boolean {
  const { core } = r.location
  if (r.inErrorPage || r.uriChanges <= 0) return false
  const pages = r.location.errorPages
  if (pages.length === 0) return false
  if (!core.recursive_error_pages) r.inErrorPage = true
  for (const page of pages) {
    if (page.conf.statuses.includes(status)) return serveErrorPage(r, page)
  }
  return false
}

/** One `error_page` with its target compiled. */
export interface CompiledErrorPage {
  readonly conf: ErrorPage
  readonly text: (r: Request) => string
  /** A variable could lead to where the page has no business: see `mayBeUnsafe`. */
  readonly guarded: boolean
}

function serveErrorPage(r: Request, { conf: page, guarded, text }: CompiledErrorPage): boolean {
  const before = r.errorStatus
  // The page is told of the status that the client will see.
  if (page.replace >= 0) r.errorStatus = page.replace
  else if (SENT_AS_400.has(before)) r.errorStatus = 400
  const target = text(r)
  const cut = target.indexOf('?')
  const uri = cut < 0 ? target : target.slice(0, cut)
  if (guarded && target.startsWith('/') && isUnsafe(uri)) {
    r.logError(ERROR, `unsafe URI "${target}" was detected`)
    r.errorStatus = before
    return false
  }
  r.out.clearBody()
  let verdict: number
  if (target.startsWith('/')) {
    if (r.methodBit !== HEAD) {
      r.methodBit = GET
      r.method = 'GET'
    }
    verdict = r.redirectTo(uri, cut < 0 ? '' : target.slice(cut + 1))
  } else if (target.startsWith('@')) {
    verdict = redirectToNamed(r, target)
  } else {
    if (!REDIRECTS.has(page.replace)) r.errorStatus = 302
    r.out.location = target
    sendStatus(r, r.errorStatus)
    return true
  }
  if (verdict === NEXT) r.run()
  else r.finish(verdict)
  return true
}

/** Sends `r` to the named location `name` (with its `@`), as `error_page` and `try_files` do. */
export function redirectToNamed(r: Request, name: string): number {
  if (r.uri === '') {
    r.logError(ERROR, `empty URI in redirect to named location "${name}"`)
    return 500
  }
  const location = r.server.named.get(name)
  if (location === undefined) {
    r.logError(ERROR, `could not find named location "${name}"`)
    return 500
  }
  return r.redirectToNamed(location)
}

function sendStatus(r: Request, status: number): void {
  const { out, location } = r
  if ((status === 301 || status === 302) && location.core.msie_refresh && isMsie(r)) return sendRefresh(r)
  const page = statusPage(status)
  out.clearBody()
  out.status = status
  if (SENT_AS_400.has(status)) r.errorStatus = 400
  // A broken body changes nothing but that the connection ends.
  r.discardBody()
  if (page === undefined || r.withoutPage) {
    out.contentLength = status === 204 || status === 304 ? -1 : 0
    r.sendHead()
    r.body.write(NO_BYTES, LAST)
    return
  }
  const bytes = pageBytes(location, status, wantsPadding(r, status))
  out.contentType = 'text/html'
  out.contentLength = bytes.length
  r.sendHead()
  r.body.write(r.headerOnly ? NO_BYTES : bytes, LAST | STABLE)
}

function wantsPadding(r: Request, status: number): boolean {
  return status >= 400 && r.version >= 10 && r.location.core.msie_padding && replacesErrorPages(r)
}

/** Old browsers follow a page where a redirect would lose the fragment (ngx_http_send_refresh). */
function sendRefresh(r: Request): void {
  const { out } = r
  const page = `<html><head><meta http-equiv="Refresh" content="0; URL=${escapeUri(out.location, 'refresh')}"></head><body></body></html>\r\n`
  out.location = ''
  r.errorStatus = 200
  out.contentType = 'text/html'
  out.contentLength = page.length
  r.discardBody()
  r.sendHead()
  r.body.writeText(r.headerOnly ? '' : page, LAST)
}

const pages = new Map<string, Buffer>()

/** The bytes of a built-in page, remembered per status and signature. */
function pageBytes(location: LocationConf, status: number, padding: boolean): Buffer {
  const key = `${status} ${padding} ${location.signature}`
  const known = pages.get(key)
  if (known !== undefined) return known
  const page = statusPage(status)!
  const lines = [
    '<html>',
    `<head><title>${page.title}</title></head>`,
    '<body>',
    `<center><h1>${page.heading}</h1></center>`,
    ...(page.detail === '' ? [] : [`<center>${page.detail}</center>`]),
    `<hr><center>${escapeHtml(location.signature)}</center>`,
    '</body>',
    '</html>',
    '',
  ]
  const bytes = Buffer.from(lines.join('\r\n') + (padding ? MSIE_PADDING : ''), 'latin1')
  pages.set(key, bytes)
  return bytes
}
