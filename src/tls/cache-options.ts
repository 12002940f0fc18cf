/** Readers of `ssl_session_cache` and `ssl_ocsp_cache` (ngx_http_ssl_session_cache, ngx_http_ssl_ocsp_cache). */
import { raw, word } from '../config/args.ts'
import { mapped } from '../config/combine.ts'
import type { Args, ReadContext } from '../config/directive.ts'
import type { Word } from '../config/source.ts'
import { parseNumber, parseSize } from '../config/units.ts'
import { ZONE_SIZE_MIN } from '../shared/zone.ts'

/** OpenSSL's own number. */
const BUILTIN_DEFAULT = 20480
const SHARED = 'shared:'

/** A zone by name. */
interface CacheZone {
  readonly name: string
  readonly size: number
  readonly at: Word
}

/** `ssl_session_cache`. */
interface SessionCacheOptions {
  /** Sessions that each worker keeps; 0: none. */
  readonly builtin: number
  readonly zone: CacheZone | undefined
  /** Clients are told that there is no resumption by ids; `none` does not tell. */
  readonly off: boolean
}

/** `off`, `none`, `builtin[:count]`, `shared:name:size`. */
export const sessionCache: Args<SessionCacheOptions> = mapped(
  raw('off | none | [builtin[:size]] [shared:name:size]', { min: 1, max: 2 }),
  (words, _, at) => {
    let builtin = 0
    let off = false
    let zone: CacheZone | undefined
    for (const w of words) {
      const count = w.text.startsWith('builtin:') ? parseNumber(w.text.slice(8)) : undefined
      if (w.text === 'off' || w.text === 'none') builtin = 0
      else if (w.text === 'builtin') builtin = BUILTIN_DEFAULT
      else if (count !== undefined) builtin = count
      else zone = cacheZone(w, 'session cache', at)
      if (!w.text.startsWith('shared:')) off = w.text === 'off'
    }
    return { builtin, zone, off }
  },
)

/** `off` or `shared:name:size`. */
export const ocspCache: Args<CacheZone | undefined> = word('off | shared:name:size', (w, at) =>
  w.text === 'off' ? undefined : cacheZone(w, 'OCSP cache', at),
)

function cacheZone(w: Word, what: string, at: ReadContext): CacheZone {
  const [name = '', sizeText, ...rest] = w.text.startsWith(SHARED) ? w.text.slice(SHARED.length).split(':') : []
  const size = sizeText === undefined ? undefined : parseSize([sizeText, ...rest].join(':'))
  if (name === '' || size === undefined) return at.fail(`invalid ${what} "${w.text}"`)
  if (size < ZONE_SIZE_MIN) return at.fail(`${what} "${w.text}" is too small`)
  return { name, size, at: w }
}
