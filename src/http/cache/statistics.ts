/** What is known of a cache at a moment, over all threads: what an API shows, in NGINX Plus's words where it has them. */
import { Upkeep } from '../../shared/cache/upkeep.ts'
import * as counted from './counters.ts'
import type { CacheRoom } from './room.ts'

/** Responses of one kind, and the bytes of their bodies. */
export interface CountedResponses {
  readonly responses: number
  readonly bytes: number
}

/** The same with those of them that were stored. */
export interface WrittenResponses extends CountedResponses {
  readonly written: CountedResponses
}

/** The state and the counters of one cache. */
export interface CacheStatistics {
  /** Bytes of the files, with those that are being written. */
  readonly size: number
  readonly reserved: number
  readonly maxSize: number
  /** Files may be there that are not known yet. */
  readonly cold: boolean
  readonly entries: number
  /** Cells of the keys zone: one for each key, more for many tags. */
  readonly zone: { readonly used: number; readonly total: number }
  readonly hit: CountedResponses
  readonly stale: CountedResponses
  readonly updating: CountedResponses
  readonly revalidated: CountedResponses
  readonly miss: WrittenResponses
  readonly expired: WrittenResponses
  readonly bypass: WrittenResponses
  readonly scarce: CountedResponses
  readonly stored: number
  /** Not stored: too large or no room, keys zone full, the disk refused, not cacheable. */
  readonly refused: {
    readonly size: number
    readonly zone: number
    readonly disk: number
    readonly uncacheable: number
  }
  /** Files that went: to make room, unused for long, purged, found gone or broken. */
  readonly removed: {
    readonly evicted: number
    readonly inactive: number
    readonly purged: number
    readonly healed: number
  }
  /** Requests that waited for another's fetch, waited too long, and read while it was written. */
  readonly waits: { readonly all: number; readonly timeouts: number; readonly followed: number }
}

/** Reads all of it. */
export function statisticsOf({ index, counters, path }: CacheRoom): CacheStatistics {
  const upkeep = new Upkeep(index)
  const of = (status: number): CountedResponses => ({
    responses: counters.value(status),
    bytes: counters.bytes(status),
  })
  const value = (counter: number): number => counters.value(counter)
  return {
    size: upkeep.size,
    reserved: upkeep.reserved,
    maxSize: path.maxSize,
    cold: index.cold,
    entries: upkeep.entryCount,
    zone: { used: upkeep.cellCount - upkeep.freeCells, total: upkeep.cellCount },
    hit: of(counted.STATUS_HIT),
    stale: of(counted.STATUS_STALE),
    updating: of(counted.STATUS_UPDATING),
    revalidated: of(counted.STATUS_REVALIDATED),
    miss: { ...of(counted.STATUS_MISS), written: counters.written(counted.STATUS_MISS) },
    expired: { ...of(counted.STATUS_EXPIRED), written: counters.written(counted.STATUS_EXPIRED) },
    bypass: { ...of(counted.STATUS_BYPASS), written: counters.written(counted.STATUS_BYPASS) },
    scarce: of(counted.STATUS_SCARCE),
    stored: value(counted.STORED),
    refused: {
      size: value(counted.REFUSED_SIZE),
      zone: value(counted.REFUSED_ZONE),
      disk: value(counted.REFUSED_DISK),
      uncacheable: value(counted.UNCACHEABLE),
    },
    removed: {
      evicted: value(counted.EVICTED),
      inactive: value(counted.EXPIRED_FILES),
      purged: value(counted.PURGED),
      healed: value(counted.HEALED),
    },
    waits: {
      all: value(counted.LOCK_WAITS),
      timeouts: value(counted.LOCK_TIMEOUTS),
      followed: value(counted.FOLLOWED),
    },
  }
}
