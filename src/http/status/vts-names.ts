/** The names that nginx-module-vts has for its numbers in Prometheus's format, for all who have such numbers. */
import { hostname } from 'node:os'
import { NGINX_VERSION } from '../../lib/version.ts'
import type { HttpTree } from '../compile/module.ts'
import { connectionCounters } from '../server/connection-counters.ts'
import { cacheStatistics } from './caches.ts'
import type { Exposition, Labels } from './exposition.ts'
import { serverFactsOf } from './machine.ts'

/** The version of the module whose names these are. */
export const VTS_VERSION = 'v0.2.5'
/** What the module calls all servers together. */
export const VTS_ALL = '*'
/** The group of back ends that no group has. */
export const VTS_NO_GROUP = '::nogroups'
const MS_PER_SECOND = 1000

/** Statuses of a cache in the module's order. */
export const VTS_CACHE_STATUSES = [
  'miss',
  'bypass',
  'expired',
  'stale',
  'updating',
  'revalidated',
  'hit',
  'scarce',
] as const
/** What of a cache's responses came from a back end, and what went to clients. */
const FETCHED = ['miss', 'expired', 'bypass'] as const
const SENT = ['hit', 'stale', 'updating', 'revalidated', ...FETCHED] as const

/** What passed, and what was answered. */
interface VtsTraffic {
  readonly received: number
  readonly sent: number
  /** 1xx to 5xx. */
  readonly classes: readonly number[]
}

/** Times as a histogram: `below` has how many are not longer than each bound. */
interface VtsHistogram {
  readonly boundsMs: readonly number[]
  readonly below: readonly number[]
  readonly sumMs: number
  readonly count: number
}

/** Numbers of a cache under the names of the module. */
export interface VtsCache {
  readonly maxSize: number
  readonly usedSize: number
  readonly inBytes: number
  readonly outBytes: number
  readonly responses: readonly number[]
}

/** Numbers of all caches by their zones. */
export function vtsCaches(tree: HttpTree): ReadonlyMap<string, VtsCache> {
  return new Map(
    [...cacheStatistics(tree)].map(([name, statistics]) => {
      const bytes = (of: readonly (typeof SENT)[number][]): number =>
        of.reduce((sum, status) => sum + statistics[status].bytes, 0)
      const responses = VTS_CACHE_STATUSES.map((status) => statistics[status].responses)
      const { maxSize, size: usedSize } = statistics
      return [name, { maxSize, usedSize, inBytes: bytes(FETCHED), outBytes: bytes(SENT), responses }]
    }),
  )
}

/** Writes numbers under these names. */
export class VtsNames {
  readonly #page: Exposition

  constructor(page: Exposition) {
    this.#page = page
  }

  /** The server as a whole. */
  main(tree: HttpTree): void {
    const page = this.#page
    const labels = { hostname: hostname(), module_version: VTS_VERSION, version: NGINX_VERSION }
    page.gauge('nginx_vts_info', 'Nginx info', labels, 1)
    const loaded = (serverFactsOf(tree)?.facts.loadedMs ?? 0) / MS_PER_SECOND
    page.gauge('nginx_vts_start_time_seconds', 'Nginx start time', {}, loaded)
    const { active, reading, writing, waiting, accepted, handled, requests } = connectionCounters
    const connections = { accepted, active, handled, reading, requests, waiting, writing }
    for (const [status, count] of Object.entries(connections)) {
      page.gauge('nginx_vts_main_connections', 'Nginx connections', { status }, count)
    }
  }

  /** What passed; `kind` is `server`, `filter` or `upstream`. */
  traffic(kind: string, labels: Labels, { received, sent, classes }: VtsTraffic): void {
    this.#bytes(kind, labels, received, sent)
    for (const [n, count] of classes.entries()) {
      const code = `${n + 1}xx`
      this.#page.counter(`nginx_vts_${kind}_requests_total`, 'The requests counter', { ...labels, code }, count)
    }
  }

  #bytes(kind: string, labels: Labels, received: number, sent: number): void {
    const name = `nginx_vts_${kind}_bytes_total`
    const help = 'The request/response bytes'
    this.#page.counter(name, help, { ...labels, direction: 'in' }, received)
    this.#page.counter(name, help, { ...labels, direction: 'out' }, sent)
  }

  /** How long it took; `name` is `server_request` and the like. */
  times(name: string, labels: Labels, sumMs: number, averageMs: number): void {
    const total = 'The processing time in seconds'
    this.#page.counter(`nginx_vts_${name}_seconds_total`, total, labels, sumMs / MS_PER_SECOND)
    const help = 'The average of processing times in seconds'
    this.#page.gauge(`nginx_vts_${name}_seconds`, help, labels, averageMs / MS_PER_SECOND)
  }

  /** The same as a histogram; without bounds there is none. */
  histogram(name: string, labels: Labels, { boundsMs, below, sumMs, count }: VtsHistogram): void {
    if (boundsMs.length === 0) return
    this.#page.histogram(`nginx_vts_${name}_duration_seconds`, 'The histogram of processing time', labels, {
      bounds: boundsMs.map((ms) => (ms / MS_PER_SECOND).toFixed(3)),
      below,
      sum: sumMs / MS_PER_SECOND,
      count,
    })
  }

  /** What caches of a server or filter answered. */
  cached(kind: string, labels: Labels, counts: readonly number[]): void {
    for (const [n, status] of VTS_CACHE_STATUSES.entries()) {
      const name = `nginx_vts_${kind}_cache_total`
      this.#page.counter(name, 'The requests cache counter', { ...labels, status }, counts[n]!)
    }
  }

  /** All caches. */
  caches(tree: HttpTree): void {
    for (const [cache_zone, { maxSize, usedSize, inBytes, outBytes, responses }] of vtsCaches(tree)) {
      const usage = 'The cache zones info'
      this.#page.gauge('nginx_vts_cache_usage_bytes', usage, { cache_zone, cache_size: 'max' }, maxSize)
      this.#page.gauge('nginx_vts_cache_usage_bytes', usage, { cache_zone, cache_size: 'used' }, usedSize)
      this.#bytes('cache', { cache_zone }, inBytes, outBytes)
      for (const [n, status] of VTS_CACHE_STATUSES.entries()) {
        const help = 'The cache requests counter'
        this.#page.counter('nginx_vts_cache_requests_total', help, { cache_zone, status }, responses[n]!)
      }
    }
  }
}
