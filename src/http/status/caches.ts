/** Caches as NGINX Plus's API shows them. */
import { cachesOf } from '../cache/caches.ts'
import type { CacheRoom } from '../cache/room.ts'
import {
  type CacheStatistics,
  type CountedResponses,
  statisticsOf,
  type WrittenResponses,
} from '../cache/statistics.ts'
import type { HttpTree } from '../compile/module.ts'

/** A cache, as it is shown. */
interface CacheObject {
  readonly size: number
  readonly max_size?: number
  readonly cold: boolean
  readonly hit: CountedResponses
  readonly stale: CountedResponses
  readonly updating: CountedResponses
  readonly revalidated: CountedResponses
  readonly miss: WrittenObject
  readonly expired: WrittenObject
  readonly bypass: WrittenObject
}

interface WrittenObject extends CountedResponses {
  readonly responses_written: number
  readonly bytes_written: number
}

/** All caches by the names of their zones. */
export function cacheRooms(tree: HttpTree): ReadonlyMap<string, CacheRoom> {
  const used = [...cachesOf(tree).all].filter(([, cache]) => cache.serving)
  return new Map(used.map(([name, cache]) => [name, cache.room]))
}

/** What is known of all caches. */
export function cacheStatistics(tree: HttpTree): ReadonlyMap<string, CacheStatistics> {
  return new Map([...cacheRooms(tree)].map(([name, room]) => [name, statisticsOf(room)]))
}

/** Makes the object of a cache. */
export function cacheObject(statistics: CacheStatistics): CacheObject {
  const { size, maxSize, cold, hit, stale, updating, revalidated, miss, expired, bypass } = statistics
  return {
    size,
    ...(Number.isFinite(maxSize) && maxSize > 0 ? { max_size: maxSize } : {}),
    cold,
    hit,
    stale,
    updating,
    revalidated,
    miss: withWritten(miss),
    expired: withWritten(expired),
    bypass: withWritten(bypass),
  }
}

function withWritten({ responses, bytes, written }: WrittenResponses): WrittenObject {
  return { responses, bytes, responses_written: written.responses, bytes_written: written.bytes }
}
