/**
 * What `*_cache_rfc9111` adds to an exchange's dealings with the cache: what the client is told (Age, Date, Cache-Status),
 * which responses an unsafe method makes invalid, and how 304 changes a stored head.
 */

import { parseHttpDate } from '../../../lib/http-date.ts'
import type { Cache } from '../../cache/cache.ts'
import type { StoreMeta } from '../../cache/cache-file.ts'
import { CachedObject } from '../../cache/cached-object.ts'
import { ageWhenStored, type Demands, responseDirectives } from '../../cache/shared-cache.ts'
import { hashName } from '../../message/field-names.ts'
import type { HeaderTable } from '../../message/header-table.ts'
import { GET, HEAD, OPTIONS, TRACE } from '../../message/method.ts'
import type { Request } from '../../request/request.ts'
import type { Exchange } from '../exchange.ts'
import type { CacheConf } from './conf.ts'
import { asGet } from './purge.ts'
import { asUri } from './purge-place.ts'

const SAFE = GET | HEAD | OPTIONS | TRACE
const AGE = hashName('age')
const DATE = hashName('date')
const CONTENT_LOCATION = hashName('content-location')
const EXPIRES = hashName('expires')
const CONNECTION = hashName('connection')
/** Fields of 304 that say nothing about the stored response, or that belong to a connection. */
const NOT_RENEWED: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-length',
  'content-md5',
  'content-range',
  'etag',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
])

/** Tells whether a method may change what it is sent to. */
export function isUnsafe({ methodBit }: Request): boolean {
  return (methodBit & SAFE) === 0
}

/** How old a stored response is, in seconds. */
function currentAge(fields: HeaderTable, object: CachedObject, now: number): number {
  return Math.max(0, ageWhenStored(fields, object.date)) + Math.max(0, now - object.date)
}

/** Tells whether a stored response is what the client wants, as far as its age is concerned. */
export function meets(demands: Demands, object: CachedObject, fields: HeaderTable, now: number): boolean {
  const left = object.validSec - now
  if (demands.noCache || left < demands.minFresh) return false
  return demands.maxAge < 0 || currentAge(fields, object, now) <= demands.maxAge
}

/** Takes out of a stored head what is not for this client, before it is passed on. */
export function undress({ codec }: Exchange): void {
  const { headers } = codec
  const listed = headers.joined(CONNECTION, 'connection', ',')?.toLowerCase().split(',') ?? []
  for (const word of listed) {
    const name = word.trim()
    if (name !== '') headers.removeAll(hashName(name), name)
  }
}

/** Tells the client how old the response is, and when it was made. */
export function dress(r: Request, { codec }: Exchange, object: CachedObject, now: number): void {
  const { out } = r
  const { headers } = codec
  out.remove('age')
  out.add('Age', String(currentAge(headers, object, now)))
  const date = headers.valueOf(DATE, 'date')
  if (date !== undefined && parseHttpDate(date) >= 0) out.date = date
  out.rfcConditions = true
}

/** After an unsafe method has succeeded: what is stored for its target, and for what the answer names, is no longer true. */
export function invalidate(r: Request, cache: Cache, conf: CacheConf, exchange: Exchange): void {
  const key = (request: Request): string => conf.key(request, exchange)
  cache.purgeKey(asGet(r, key), false, r)
  for (const name of ['location', 'content-location']) {
    const named = exchange.codec.headers.valueOf(hashName(name), name)
    const path = named === undefined ? '' : ownPath(r, named)
    if (path !== '')
      cache.purgeKey(
        asGet(r, (request) => asUri(request, path, key)),
        false,
        r,
      )
  }
}

/** Tells whether the answer to POST is also that to GET: its Content-Location is its target, and it says how long it is good. */
export function answersGet(r: Request, { codec }: Exchange): boolean {
  const { headers, status } = codec
  const named = headers.valueOf(CONTENT_LOCATION, 'content-location')
  if (status !== 200 || named === undefined || ownPath(r, named) !== r.unparsedUri) return false
  const directives = responseDirectives(headers)
  return directives.has('max-age') || directives.has('s-maxage') || headers.find(EXPIRES, 'expires') >= 0
}

/** The path of a URI of this host; empty when it is somebody else's. */
function ownPath(r: Request, uri: string): string {
  if (uri.startsWith('/') && !uri.startsWith('//')) return uri
  const [, host, path] = /^(?:https?:)?\/\/([^/?#]*)([^#]*)/i.exec(uri) ?? []
  if (host === undefined || path === undefined) return ''
  const name = host.toLowerCase().replace(/:\d*$/, '')
  return name === r.host ? path || '/' : ''
}

/** The stored head with the fields of a 304, which replace its own. */
export function renewedHead(stored: HeaderTable, statusText: string, fields: HeaderTable): Buffer {
  const renewed = new Set<string>()
  let added = ''
  for (let i = 0; i < fields.count; i++) {
    const name = fields.lowerName(i)
    if (fields.hidden(i) || NOT_RENEWED.has(name)) continue
    renewed.add(name)
    added += `${fields.name(i)}: ${fields.value(i)}\r\n`
  }
  // The age of the response begins anew.
  if (fields.find(AGE, 'age') < 0) renewed.add('age')
  let text = `HTTP/1.1 ${statusText}\r\n`
  for (let i = 0; i < stored.count; i++) {
    if (!stored.hidden(i) && !renewed.has(stored.lowerName(i))) text += `${stored.name(i)}: ${stored.value(i)}\r\n`
  }
  return Buffer.from(`${text}${added}\r\n`, 'latin1')
}

/** The object with another head. */
export function withHead(object: CachedObject, meta: StoreMeta, head: Buffer): CachedObject {
  const { entry, key, header, length } = object
  return new CachedObject(key, { ...header, ...meta }, head, length, entry === undefined ? {} : { entry })
}

/** A request field as it tells variants apart: forms that mean the same are one. */
export function sameForms(name: string, value: string): string {
  const words = value
    .split(',')
    .map((word) => word.trim().replace(/[ \t]+/g, ' '))
    .filter((word) => word !== '')
  if (name !== 'accept-language') return words.join(',')
  return words
    .map((word) => word.toLowerCase().replace(/ *; */g, ';'))
    .sort()
    .join(',')
}
