/**
 * Requests that remove responses from a cache instead of asking for them. What is removed is what the request names, the
 * first of these that is there:
 *
 *   Surrogate-Key, Cache-Tag     every response with one of these tags
 *   a key that ends in `*`       every response whose key begins so
 *   a key                        that response, in all its variants
 *
 * A key is made as if GET had been asked, since nobody stores what PURGE answers. `Fastly-Soft-Purge: 1` lets the response
 * stand as a stale one.
 */
import { findCidr } from '../../../lib/cidr.ts'
import { ERROR } from '../../../log/error-log.ts'
import { isTrue } from '../../../value/truth.ts'
import type { Cache } from '../../cache/cache.ts'
import type { AttachContext } from '../../compile/module.ts'
import { hashName } from '../../message/field-names.ts'
import { GET } from '../../message/method.ts'
import type { Text } from '../../request/plan.ts'
import type { Request } from '../../request/request.ts'
import type { Verdict } from '../../request/verdict.ts'
import { sendBytes, sendText } from '../../response/send-text.ts'
import type { PurgeRule } from '../directives/cache-purge.ts'
import { tagsOf } from './tags.ts'

const SOFT_PURGE = hashName('fastly-soft-purge')
const NO_CONTENT = 204
const FORBIDDEN = 403
const NOT_FOUND = 404
/** More is being purged already than can be remembered. */
const UNAVAILABLE = 503

/** The settings of a location where some requests are to purge. */
export interface PurgeConf {
  /** 0: this request asks for a response; a status: it may not purge; PURGES. */
  readonly asks: (r: Request) => number
  /** `purge_all`: whatever it names, everything goes. */
  readonly all: boolean
  /** NGINX Plus answers without a page. */
  readonly silent: boolean
}

/** The request is to purge. */
export const PURGES = 1

/** Compiles a rule that stands where responses are asked for, too. */
export function compilePurge(rule: PurgeRule | undefined, at: AttachContext): PurgeConf | undefined {
  if (rule === undefined || rule.kind === 'place') return undefined
  if (rule.kind === 'values') {
    const values = rule.values.map((value) => at.text(value))
    return { asks: (r) => (anyTrue(r, values) ? PURGES : 0), all: false, silent: true }
  }
  const { method, from, all } = rule
  const asks = (r: Request): number => {
    if (r.method !== method) return 0
    if (from === undefined || findCidr(from, addressOf(r)) >= 0) return PURGES
    r.logError(ERROR, 'access forbidden by rule')
    return FORBIDDEN
  }
  return { asks, all, silent: false }
}

function anyTrue(r: Request, values: readonly Text[]): boolean {
  for (let i = 0; i < values.length; i++) if (isTrue(values[i]!(r))) return true
  return false
}

function addressOf({ client }: Request): string {
  return client.address === 'unix:' ? '' : client.binaryAddress
}

/** What `key` answers when GET is the method of the request. */
export function asGet(r: Request, key: (r: Request) => string): string {
  const { main } = r
  const { method, methodBit } = main
  main.method = 'GET'
  main.methodBit = GET
  const text = key(r)
  main.method = method
  main.methodBit = methodBit
  return text
}

/** Purges what the request names and answers it. */
export function purge(r: Request, cache: Cache, key: string, { all, silent }: PurgeConf): Verdict {
  const soft = r.headers.valueOf(SOFT_PURGE, 'fastly-soft-purge') === '1'
  const tags = tagsOf(r.headers)
  if (all) return answer(r, cache, '*', cache.purgePrefix('', soft, r) ? 1 : -1, silent)
  if (tags.length > 0) {
    let count = 0
    for (const tag of tags) count += cache.purgeTag(tag, soft, r)
    return answer(r, cache, tags.join(' '), count, silent)
  }
  if (key.endsWith('*')) return answer(r, cache, key, cache.purgePrefix(key.slice(0, -1), soft, r) ? 1 : -1, silent)
  return answer(r, cache, key, cache.purgeKey(key, soft, r), silent)
}

/** `count` entries were removed; -1: that could not be done. */
function answer(r: Request, cache: Cache, key: string, count: number, silent: boolean): Verdict {
  if (count < 0) return UNAVAILABLE
  if (count === 0) return NOT_FOUND
  if (silent) return sendText(r, NO_CONTENT, '')
  return sendBytes(r, 200, Buffer.from(page(r, cache, key), 'latin1'), 'text/html')
}

/** The purge module's page. */
function page(r: Request, cache: Cache, key: string): string {
  const lines = [
    '<html>',
    '<head><title>Successful purge</title></head>',
    '<body bgcolor="white">',
    '<center><h1>Successful purge</h1>',
    `<br>Key : ${escapeHtml(key)}`,
    `<br>Path: ${escapeHtml(cache.fileName(key))}`,
    '</center>',
    `<hr><center>${r.location.signature}</center>`,
    '</body>',
    '</html>',
    '',
  ]
  return lines.join('\r\n')
}

/** Keys are made of what clients send. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}
