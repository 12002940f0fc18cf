/**
 * The response cache's directives, declared once and mounted as `proxy_*`, `fastcgi_*`, `uwsgi_*`, `scgi_*` (nginx
 * declares them again per module). Where the objects are kept is `cache_path`, which belongs to the store (http/cache/).
 */
import { bits, flag, milliseconds, number, offset, raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type Args, type ConfOf, type Context, directive, directives } from '../../../config/directive.ts'
import { parseNumber, parseSeconds } from '../../../config/units.ts'
import { readTemplate, type Template, template, templates } from '../../../value/template.ts'
import { cachePurge } from './cache-purge.ts'
import { httpStale } from './conditions.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']
const STATUS_MIN = 100
const STATUS_MAX = 599
/** What a `cache_valid` without statuses is about. */
const USUAL_STATUSES: readonly number[] = [200, 301, 302]

/** One `cache_valid`. */
export interface CacheValid {
  /** 0 stands for any. */
  readonly statuses: readonly number[]
  readonly seconds: number
}

/** `[code ...] time`. */
const cacheValid: Args<CacheValid> = mapped(raw('[code ...] time', { min: 1 }), (words, _, at): CacheValid => {
  const time = words.at(-1)!
  const seconds = parseSeconds(time.text)
  if (seconds === undefined) return at.fail(`invalid time value "${time.text}"`, time)
  if (words.length === 1) return { statuses: USUAL_STATUSES, seconds }
  const statuses = words.slice(0, -1).map((word) => {
    if (word.text === 'any') return 0
    const status = parseNumber(word.text)
    if (status !== undefined && status >= STATUS_MIN && status <= STATUS_MAX) return status
    return at.fail(`invalid status "${word.text}"`, word)
  })
  return { statuses, seconds }
})

/** `zone | off`: undefined for `off`. */
const cacheZone: Args<Template | undefined> = mapped(raw('zone | off', { min: 1, max: 1 }), ([word], _, at) =>
  word!.text === 'off' ? undefined : readTemplate(word!, at),
)

/** The family without its prefix. */
export const cache = {
  cache: directive({
    in: HSL,
    args: cacheZone,
    default: 'off',
    doc: 'The keys zone of the cache that responses are kept in and answered from.',
  }),
  cache_key: directive({ in: HSL, args: template('string'), doc: 'What tells one response from another.' }),
  cache_valid: directives({
    in: HSL,
    args: cacheValid,
    doc: 'How long responses of these statuses are good when they do not say so themselves.',
  }),
  cache_methods: directive({
    in: HSL,
    args: bits('GET', 'HEAD', 'POST'),
    default: 'GET HEAD',
    doc: 'Methods whose responses are cached; GET and HEAD always are.',
  }),
  cache_min_uses: directive({
    in: HSL,
    args: number('number'),
    default: '1',
    doc: 'How often a response is asked for before it is kept.',
  }),
  cache_lock: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'One request at a time fetches a response that is missing or has expired; the others wait for it.',
  }),
  cache_lock_timeout: directive({
    in: HSL,
    args: milliseconds,
    default: '5s',
    doc: 'How long a request waits before it asks the back end itself, for a response that is not kept.',
  }),
  cache_lock_age: directive({
    in: HSL,
    args: milliseconds,
    default: '5s',
    doc: 'How long a request may take before another one may fetch the same response.',
  }),
  cache_lock_wait_time: directive({
    in: HSL,
    args: milliseconds,
    doc: 'How often a waiting request looks.',
    withoutEffect: 'Whoever waits is woken at once.',
  }),
  cache_use_stale: directive({
    in: HSL,
    args: httpStale,
    default: 'off',
    doc: 'When an expired response is better than none.',
  }),
  cache_background_update: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Answers with the expired response at once and renews it behind that, where stale responses may be used.',
  }),
  cache_revalidate: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Renews expired responses by If-Modified-Since and If-None-Match.',
  }),
  cache_rfc9111: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Makes the cache obey RFC 9111 where nginx does not: Age, demands of requests, invalidation, Cache-Status.',
  }),
  cache_convert_head: directive({
    in: HSL,
    args: flag,
    default: 'on',
    doc: 'Asks back ends by GET for what clients ask by HEAD; when off, the method belongs into the key.',
  }),
  cache_bypass: directives({
    in: HSL,
    args: templates,
    doc: 'The response is not taken from the cache when one of the values is neither empty nor 0.',
  }),
  no_cache: directives({
    in: HSL,
    args: templates,
    doc: 'The response is not kept when one of the values is neither empty nor 0.',
  }),
  cache_purge: cachePurge,
  cache_max_range_offset: directive({
    in: HSL,
    args: offset,
    doc: 'A request for a range that begins behind this many bytes is passed on as it is, and its response not kept.',
  }),
}

/** The settings of `cache`. */
export type CacheDirectives = ConfOf<typeof cache>

/** Most blocks have the settings of the block around them, the same object. */
const known = new WeakMap<object, CacheDirectives>()

/** The settings of a family without its prefix. */
export function cacheDirectives(prefix: string, conf: object): CacheDirectives {
  let settings = known.get(conf)
  if (settings === undefined) {
    const given = conf as Readonly<Record<string, unknown>>
    // The directives of the family are exactly these, read by these readers.
    settings = Object.fromEntries(
      Object.keys(cache).map((name) => [name, given[`${prefix}_${name}`]]),
    ) as CacheDirectives
    known.set(conf, settings)
  }
  return settings
}
