/** What a location with `*_cache` decides when it attaches. */
import { ERROR } from '../../../log/error-log.ts'
import type { Cache } from '../../cache/cache.ts'
import type { OpenOptions } from '../../cache/cache-use.ts'
import { cachesOf, warnOfCopies } from '../../cache/caches.ts'
import type { AttachContext, HttpTree } from '../../compile/module.ts'
import { GET, HEAD, METHODS } from '../../message/method.ts'
import type { Text } from '../../request/plan.ts'
import type { Request } from '../../request/request.ts'
import { type CacheDirectives, type CacheValid, cacheDirectives } from '../directives/cache.ts'
import type { Exchange } from '../exchange.ts'
import { ERROR as CONNECT_ERROR, failureMask, NO_PEER } from '../failure.ts'
import { compilePurge, type PurgeConf } from './purge.ts'
import { noteKey } from './purge-place.ts'

/** The settings of one location. */
export interface CacheConf {
  /** Stands for the location in what is kept longer than it. */
  readonly token: object
  /** `proxy`: how its directives begin. */
  readonly prefix: string
  /** The cache of a request; undefined: none; a status: there is no such cache, which was logged. */
  readonly find: (r: Request) => Cache | number | undefined
  /** The text that its response is kept under. */
  readonly key: (r: Request, exchange: Exchange) => string
  /** The longest key: cache file, key and head must fit into `buffer_size`. */
  readonly bufferSize: number
  readonly methods: number
  readonly open: OpenOptions
  /** Failures, as bits, that stale responses make up for. */
  readonly stale: number
  /** Stale responses may be used while they are renewed. */
  readonly staleUpdating: boolean
  readonly background: boolean
  readonly revalidate: boolean
  /** The cache obeys RFC 9111 where nginx does not. */
  readonly rfc9111: boolean
  readonly convertHead: boolean
  readonly bypass: readonly Text[]
  readonly noCache: readonly Text[]
  readonly rangeOffsetMax: number
  /** `cache_purge`: some requests remove what they name. */
  readonly purge: PurgeConf | undefined
  /** Seconds by status; 0 is for any other. */
  readonly valid: ReadonlyMap<number, number>
}

/** What a module has to say beside the directives. */
export interface CacheContext {
  /** `proxy`: how the directives begin. */
  readonly prefix: string
  /** `proxy_buffer_size`. */
  readonly bufferSize: number
  /** The folder of `proxy_temp_path`. */
  readonly tempFolder: string
  /** Makes keys where none is given. */
  readonly key: CacheConf['key']
}

/** Compiles the cache settings of a location from those of its module; undefined when it has no cache. */
export function compileCache(
  given: object,
  { prefix, bufferSize, tempFolder, key }: CacheContext,
  at: AttachContext,
): CacheConf | undefined {
  const conf = cacheDirectives(prefix, given)
  const find = compileFind(prefix, conf, tempFolder, at)
  if (find === undefined) return undefined
  const keyText = conf.cache_key === undefined ? undefined : at.text(conf.cache_key)
  const stale = conf.cache_use_stale
  if (keyText !== undefined && conf.cache?.constant !== undefined) noteKey(prefix, conf.cache.constant, keyText, at)
  return {
    token: {},
    prefix,
    find,
    key: keyText ?? key,
    bufferSize,
    methods: conf.cache_methods.reduce((mask, name) => mask | METHODS.get(name)!, GET | HEAD),
    open: {
      minUses: conf.cache_min_uses,
      lock: conf.cache_lock,
      lockTimeoutMs: conf.cache_lock_timeout,
      lockAgeMs: conf.cache_lock_age,
    },
    stale: staleMask(stale),
    staleUpdating: stale.includes('updating') && !stale.includes('off'),
    background: conf.cache_background_update,
    revalidate: conf.cache_revalidate,
    rfc9111: conf.cache_rfc9111,
    convertHead: conf.cache_convert_head,
    bypass: conf.cache_bypass.flat().map((value) => at.text(value)),
    noCache: conf.no_cache.flat().map((value) => at.text(value)),
    purge: compilePurge(conf.cache_purge, at),
    rangeOffsetMax: conf.cache_max_range_offset ?? Number.POSITIVE_INFINITY,
    valid: validity(conf.cache_valid),
  }
}

/** Where nobody can be asked at all, that is an `error` too. */
function staleMask(names: CacheDirectives['cache_use_stale']): number {
  const mask = failureMask(names)
  return (mask & CONNECT_ERROR) !== 0 ? mask | NO_PEER : mask
}

/** The first that fits a status holds, and `any` fits all. */
function validity(list: readonly CacheValid[]): ReadonlyMap<number, number> {
  const map = new Map<number, number>()
  for (const { statuses, seconds } of list) {
    for (const status of statuses) if (!map.has(status) && !map.has(0)) map.set(status, seconds)
  }
  return map
}

/** How long a response of a status is good by configuration, in seconds; 0: not at all. */
export function validSeconds({ valid }: CacheConf, status: number): number {
  return valid.get(status) ?? valid.get(0) ?? 0
}

/** Reports a zone that nobody declares, also where nothing is passed on. */
export function checkZone(prefix: string, zone: CacheDirectives['cache'], at: AttachContext): void {
  const name = unknownZone(prefix, zone, at)
  if (name !== '') at.fail(`"${prefix}_cache" zone "${name}" is unknown`, zone?.at)
}

/** The same outside of all servers, which may be none: then nothing inherits it. */
export function checkOuterZone(prefix: string, zone: CacheDirectives['cache'], tree: HttpTree): void {
  tree.afterAttach(() => {
    const name = unknownZone(prefix, zone, tree)
    if (name !== '') tree.fail(`zero size shared memory zone "${name}"`)
  })
}

/** Its name, if nobody declares it and that was not reported yet. */
function unknownZone(prefix: string, zone: CacheDirectives['cache'], tree: HttpTree): string {
  const name = zone?.constant ?? ''
  if (name === '' || cachesOf(tree).find(prefix, name) !== undefined) return ''
  const reported = tree.shared('unknown cache zones', () => new Set<string>())
  if (reported.has(name)) return ''
  reported.add(name)
  return name
}

function compileFind(
  prefix: string,
  conf: CacheDirectives,
  tempFolder: string,
  at: AttachContext,
): CacheConf['find'] | undefined {
  const zone = conf.cache
  if (zone === undefined) return undefined
  const caches = cachesOf(at)
  const { constant } = zone
  if (constant === undefined) {
    const text = at.text(zone)
    return (r) => {
      const name = text(r)
      if (name === '' || name === 'off') return undefined
      const cache = caches.find(prefix, name)
      if (cache !== undefined) return cache
      r.logError(ERROR, `cache "${name}" not found`)
      return 500
    }
  }
  const cache = caches.find(prefix, constant)
  // `checkZone` has reported it.
  if (cache === undefined) return undefined
  warnOfCopies(at, cache.path, tempFolder, at.scope.at)
  return () => cache
}
