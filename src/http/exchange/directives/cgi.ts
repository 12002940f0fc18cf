/**
 * What FastCGI, uwsgi and SCGI have in common. Declared once and mounted as `fastcgi_*`, `uwsgi_*`, `scgi_*` (nginx
 * declares them again per protocol).
 */
import { type ConfOf, type Context, directive, directives } from '../../../config/directive.ts'
import { cachePathDirectives } from '../../cache/cache-path.ts'
import { cgiParam } from '../compile/cgi-params.ts'
import { cache } from './cache.ts'
import { cgiNext, cgiStale } from './conditions.ts'
import { store } from './store.ts'
import { transport } from './transport.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']

const { half_close: _, ...shared } = transport

/** The options, without the prefix that each family gives them. */
export const cgi = {
  ...shared,
  ...store,
  ...cache,
  ...cachePathDirectives,
  cache_use_stale: directive({
    in: HSL,
    args: cgiStale,
    default: 'off',
    doc: 'When an expired response is better than none.',
  }),
  next_upstream: directive({
    in: HSL,
    args: cgiNext,
    default: 'error timeout',
    doc: 'When a request is passed to the next server.',
  }),
  param: directives({
    in: HSL,
    args: cgiParam,
    doc:
      'A parameter for the application, also (`if_not_empty`) only when it has a value. One named HTTP_NAME replaces that ' +
      'field of the client; the field Proxy is never passed of itself.',
  }),
}

/** The settings of `cgi`. */
export type CgiConf = ConfOf<typeof cgi>

/** Most blocks have the settings of the block around them, the same object. */
const known = new WeakMap<object, CgiConf>()

/** The settings of a family without its prefix. */
export function cgiConf(prefix: string, conf: object): CgiConf {
  let settings = known.get(conf)
  if (settings === undefined) {
    const given = conf as Readonly<Record<string, unknown>>
    // The directives of the family are exactly these, read by these readers.
    settings = Object.fromEntries(Object.keys(cgi).map((name) => [name, given[`${prefix}_${name}`]])) as CgiConf
    known.set(conf, settings)
  }
  return settings
}
