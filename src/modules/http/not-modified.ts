/**
 * ngx_http_not_modified_filter_module: conditions of the client. A copy that is still good is answered 304, a
 * condition that does not hold 412.
 */

import { httpModule } from '../../http/compile/module.ts'
import { hashName } from '../../http/message/field-names.ts'
import { UNKNOWN } from '../../http/message/response-head.ts'
import type { Request } from '../../http/request/request.ts'
import { parseHttpDate } from '../../lib/http-date.ts'

const IF_UNMODIFIED_SINCE = hashName('if-unmodified-since')
const IF_MODIFIED_SINCE = hashName('if-modified-since')
const IF_MATCH = hashName('if-match')
const IF_NONE_MATCH = hashName('if-none-match')

/** The module list's entry. */
export const notModifiedModule = httpModule({
  name: 'http_not_modified',
  doc: 'Answers conditional requests.',
  directives: {},
  attach(_conf, plan) {
    plan.headerFilter(testConditions, undefined)
  },
})

function testConditions(r: Request): void {
  const { out, headers } = r
  if (out.status !== 200 || r !== r.main || out.conditionsOff) return
  const unmodifiedSince = headers.valueOf(IF_UNMODIFIED_SINCE, 'if-unmodified-since')
  if (unmodifiedSince !== undefined && !unmodified(r, unmodifiedSince)) return fail(r)
  const match = headers.joined(IF_MATCH, 'if-match', ', ')
  if (match !== undefined && !matches(match, out.etag, false)) return fail(r)
  const modifiedSince = headers.valueOf(IF_MODIFIED_SINCE, 'if-modified-since')
  const noneMatch = headers.joined(IF_NONE_MATCH, 'if-none-match', ', ')
  if (modifiedSince === undefined && noneMatch === undefined) return
  const dated = noneMatch === undefined || !out.rfcConditions
  if (dated && modifiedSince !== undefined && modified(r, modifiedSince)) return
  if (noneMatch !== undefined && !matches(noneMatch, out.etag, true)) return
  out.status = 304
  out.statusText = ''
  out.contentType = ''
  out.contentLength = UNKNOWN
  out.clearRanges()
  out.contentEncoding = ''
  r.headerOnly = true
}

function fail(r: Request): void {
  // What the response had to say is not true of the page that tells the failure.
  r.out.clearBody()
  r.out.names.length = 0
  r.out.values.length = 0
  r.out.lines = ''
  r.refusal = 412
}

function unmodified(r: Request, date: string): boolean {
  const { lastModified } = r.out
  return lastModified !== UNKNOWN && parseHttpDate(date) >= lastModified
}

function modified(r: Request, date: string): boolean {
  const { lastModified, rfcConditions, date: sent } = r.out
  const { if_modified_since } = r.location.core
  if (rfcConditions && if_modified_since !== 'off') {
    // What does not say when it was changed has not been since it was sent.
    const last = lastModified === UNKNOWN ? parseHttpDate(sent ?? '') : lastModified
    return last < 0 || parseHttpDate(date) < last
  }
  if (lastModified === UNKNOWN || if_modified_since === 'off') return true
  const since = parseHttpDate(date)
  return since !== lastModified && (if_modified_since === 'exact' || since < lastModified)
}

/** Looks for `etag` in a list of entity tags. `weak`: `W/` makes no difference. */
function matches(list: string, etag: string, weak: boolean): boolean {
  if (list === '*') return true
  if (etag === '') return false
  const tag = weak && etag.startsWith('W/') ? etag.slice(2) : etag
  let at = 0
  while (at < list.length) {
    if (weak && list.startsWith('W/', at)) at += 2
    if (list.startsWith(tag, at)) {
      at = skip(list, at + tag.length, ' \t')
      if (at === list.length || list.charAt(at) === ',') return true
    }
    const comma = list.indexOf(',', at)
    if (comma < 0) return false
    at = skip(list, comma, ' \t,')
  }
  return false
}

function skip(text: string, from: number, chars: string): number {
  let at = from
  while (at < text.length && chars.includes(text.charAt(at))) at++
  return at
}
