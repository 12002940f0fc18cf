/**
 * What RFC 9111 asks of a shared cache, for `*_cache_rfc9111`: how long a response is good, whether it may be stored at
 * all, what a request demands, how old a stored response is. Targeted fields (RFC 9213) come before Cache-Control and
 * Expires, which then have no say.
 */
import { parseHttpDate } from '../../lib/http-date.ts'
import { hashName } from '../message/field-names.ts'
import type { HeaderTable } from '../message/header-table.ts'
import { ControlDirectives } from './control-directives.ts'
import { type Freshness, VARY_SIZE_MAX } from './freshness.ts'

const CACHE_CONTROL = hashName('cache-control')
const CDN_CACHE_CONTROL = hashName('cdn-cache-control')
const PRAGMA = hashName('pragma')
const EXPIRES = hashName('expires')
const AGE = hashName('age')
const DATE = hashName('date')
const LAST_MODIFIED = hashName('last-modified')
const ETAG = hashName('etag')
const SET_COOKIE = hashName('set-cookie')
const VARY = hashName('vary')
const AUTHORIZATION = hashName('authorization')

/** Statuses whose responses may be good without saying so (RFC 9110, section 15.1). */
const HEURISTIC: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
/** Those that are understood where `must-understand` is asked for. */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  200, 203, 204, 206, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 416, 421, 500, 501, 502, 503,
  504,
])
/** What is guessed: a tenth of the time for which the response has not changed, a day at most. */
const GUESSED_PART = 10
const GUESSED_MAX = 86400
/** What overrides the rules for requests with Authorization, and who forbids stale responses. */
const SHARED = ['public', 'must-revalidate', 's-maxage'] as const
const STRICT = ['must-revalidate', 'proxy-revalidate', 's-maxage', 'no-cache'] as const

/** A response head with what else matters. */
export interface SharedHead {
  readonly status: number
  readonly fields: HeaderTable
  readonly request: HeaderTable
  /** Seconds of `cache_valid` for this status. */
  readonly validSeconds: number
}

/** The directives that a response is kept by. */
export function responseDirectives(fields: HeaderTable): ControlDirectives {
  const targeted = fields.joined(CDN_CACHE_CONTROL, 'cdn-cache-control', ', ')
  if (targeted !== undefined) {
    const directives = ControlDirectives.targeted(targeted)
    if (!directives.broken && directives.size > 0) return directives
  }
  return ControlDirectives.of(fields.joined(CACHE_CONTROL, 'cache-control', ', ') ?? '')
}

/** Tells whether a targeted field takes the place of Cache-Control and Expires. */
function isTargeted(fields: HeaderTable): boolean {
  const targeted = fields.joined(CDN_CACHE_CONTROL, 'cdn-cache-control', ', ')
  if (targeted === undefined) return false
  const directives = ControlDirectives.targeted(targeted)
  return !directives.broken && directives.size > 0
}

/** Reads a head into `to`. What may be stored and is not fresh has a moment that is past. */
export function readShared(to: Freshness, head: SharedHead, now: number): void {
  const { fields, status } = head
  const directives = responseDirectives(fields)
  to.cacheable = mayStore(head, directives)
  to.vary = (fields.joined(VARY, 'vary', ', ') ?? '').trim()
  if (to.vary.length > VARY_SIZE_MAX || /(?:^|,)\s*\*\s*(?:,|$)/.test(to.vary)) to.cacheable = false
  const lifetime = lifetimeOf(head, directives, now)
  const strict = STRICT.some((name) => directives.has(name))
  to.updatingSec = strict ? 0 : Math.max(0, directives.seconds('stale-while-revalidate'))
  to.errorSec = strict ? 0 : Math.max(0, directives.seconds('stale-if-error'))
  const age = ageWhenStored(fields, now)
  if (lifetime < 0) to.validSec = 0
  else if (age < 0 || directives.has('no-cache')) to.validSec = now - 1
  else to.validSec = Math.max(1, now + lifetime - age - (lifetime <= age ? 1 : 0))
  // Nothing is said: what can be asked about again is kept for that.
  if (to.validSec === 0 && status === 200 && hasValidator(fields)) to.validSec = now - 1
  if (to.validSec !== 0 && to.validSec < now && !hasValidator(fields) && to.updatingSec + to.errorSec === 0) {
    to.cacheable = false
  }
}

function hasValidator(fields: HeaderTable): boolean {
  return fields.find(ETAG, 'etag') >= 0 || fields.find(LAST_MODIFIED, 'last-modified') >= 0
}

function mayStore({ status, fields, request }: SharedHead, directives: ControlDirectives): boolean {
  if (status === 206 || status === 304) return false
  if (directives.has('must-understand')) {
    if (!UNDERSTOOD.has(status)) return false
  } else if (directives.has('no-store')) return false
  // Qualified forms (`private="field"`) forbid more than they must: the whole response.
  if (directives.has('private')) return false
  if (fields.find(SET_COOKIE, 'set-cookie') >= 0) return false
  if (ControlDirectives.of(request.joined(CACHE_CONTROL, 'cache-control', ', ') ?? '').has('no-store')) return false
  return request.find(AUTHORIZATION, 'authorization') < 0 || SHARED.some((name) => directives.has(name))
}

/** Seconds for which a response is good from when it was made; -1: nobody knows. */
function lifetimeOf({ status, fields, validSeconds }: SharedHead, directives: ControlDirectives, now: number): number {
  const shared = directives.seconds('s-maxage')
  const age = shared >= 0 ? shared : directives.seconds('max-age')
  if (age >= 0) return age
  if (!isTargeted(fields)) {
    const expires = fields.valueOf(EXPIRES, 'expires')
    if (expires !== undefined) {
      const moment = fields.values(EXPIRES, 'expires').length > 1 ? -1 : parseHttpDate(expires)
      return moment < 0 ? 0 : Math.max(0, moment - (dateOf(fields) ?? now))
    }
  }
  if (validSeconds > 0) return validSeconds
  if (!HEURISTIC.has(status) && !directives.has('public')) return -1
  const modified = parseHttpDate(fields.valueOf(LAST_MODIFIED, 'last-modified') ?? '')
  if (modified < 0) return -1
  return Math.min(GUESSED_MAX, Math.max(0, Math.floor(((dateOf(fields) ?? now) - modified) / GUESSED_PART)))
}

function dateOf(fields: HeaderTable): number | undefined {
  const date = parseHttpDate(fields.valueOf(DATE, 'date') ?? '')
  return date < 0 ? undefined : date
}

/** How old a response was when it came at `now` (RFC 9111, section 4.2.3); -1: its Age makes no sense. */
export function ageWhenStored(fields: HeaderTable, now: number): number {
  const ages = fields.values(AGE, 'age')
  const date = dateOf(fields)
  const apparent = date === undefined ? 0 : Math.max(0, now - date)
  if (ages.length === 0) return apparent
  if (ages.length > 1 || !/^\d+$/.test(ages[0]!)) return -1
  return Math.max(apparent, Number(ages[0]))
}

/** A stale response may not be used, whatever the configuration says. */
export function forbidsStale(fields: HeaderTable): boolean {
  const directives = responseDirectives(fields)
  return STRICT.some((name) => directives.has(name))
}

/** What a request demands of stored responses. */
export interface Demands {
  readonly noCache: boolean
  readonly onlyIfCached: boolean
  /** Seconds; -1: as long as the response says. */
  readonly maxAge: number
  readonly minFresh: number
  /** Seconds after it has expired; -1: none. */
  readonly maxStale: number
}

/** Reads them; undefined: there are none. */
export function demandsOf(request: HeaderTable): Demands | undefined {
  const field = request.joined(CACHE_CONTROL, 'cache-control', ', ')
  if (field === undefined) {
    const pragma = request.joined(PRAGMA, 'pragma', ', ')
    if (pragma === undefined || !ControlDirectives.of(pragma).has('no-cache')) return undefined
    return { noCache: true, onlyIfCached: false, maxAge: -1, minFresh: 0, maxStale: -1 }
  }
  const directives = ControlDirectives.of(field)
  const anyStale = directives.get('max-stale') === ''
  return {
    noCache: directives.has('no-cache'),
    onlyIfCached: directives.has('only-if-cached'),
    maxAge: directives.seconds('max-age'),
    minFresh: Math.max(0, directives.seconds('min-fresh')),
    maxStale: anyStale ? Number.POSITIVE_INFINITY : directives.seconds('max-stale'),
  }
}
