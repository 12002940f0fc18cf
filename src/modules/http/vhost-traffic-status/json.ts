/** The page of nginx-module-vts in JSON. */
import { hostname } from 'node:os'
import { connectionCounters } from '../../../http/server/connection-counters.ts'
import { cacheStatistics } from '../../../http/status/caches.ts'
import { serverFactsOf } from '../../../http/status/machine.ts'
import { findGroup, listPeers } from '../../../http/status/upstreams.ts'
import { fromBinary } from '../../../lib/bytes.ts'
import { NGINX_VERSION } from '../../../lib/version.ts'
import { ALONE, CACHE_STATUSES, GROUP, SEPARATOR, type Traffic, trafficOf } from './numbers.ts'
import { filtersOf, serversOf, type TrafficZone } from './zone.ts'

/** The version of the module whose pages these are. */
export const MODULE_VERSION = 'v0.2.5'
/** Where counters of the module begin anew; ours do not. */
const INTEGER_MAX = 18446744073709551615n

/** The whole page. */
export function statusObject(zone: TrafficZone, sumKey: string): object {
  const caches = cachesObject(zone)
  const filters = filtersOf(zone)
  return {
    ...mainObject(zone),
    serverZones: zonesObject(zone, serversOf(zone, sumKey)),
    ...(filters.size === 0 ? {} : { filterZones: filtersObject(zone, filters) }),
    upstreamZones: upstreamsObject(zone),
    ...(Object.keys(caches).length === 0 ? {} : { cacheZones: caches }),
  }
}

function mainObject(zone: TrafficZone): object {
  const { active, reading, writing, waiting, accepted, handled, requests } = connectionCounters
  const fill = zone.records?.fill ?? { used: 0, total: 0, rows: 0 }
  return {
    hostName: hostname(),
    moduleVersion: MODULE_VERSION,
    nginxVersion: NGINX_VERSION,
    loadMsec: serverFactsOf(zone.tree)?.facts.loadedMs ?? 0,
    nowMsec: Date.now(),
    connections: { active, reading, writing, waiting, accepted, handled, requests },
    sharedZones: {
      name: zone.name,
      maxSize: zone.size,
      usedSize: fill.used,
      usedNode: fill.rows,
      freeSize: Math.max(0, fill.total - fill.used),
    },
  }
}

/** Zones of one kind. */
export function zonesObject(zone: TrafficZone, zones: ReadonlyMap<string, Traffic>): object {
  return Object.fromEntries([...zones].map(([name, traffic]) => [fromBinary(name), serverObject(zone, traffic)]))
}

/** Filters by their groups. */
export function filtersObject(zone: TrafficZone, filters: ReadonlyMap<string, ReadonlyMap<string, Traffic>>): object {
  return Object.fromEntries([...filters].map(([group, zones]) => [fromBinary(group), zonesObject(zone, zones)]))
}

function serverObject(zone: TrafficZone, traffic: Traffic): object {
  return {
    ...basics(traffic),
    responses: { ...classesObject(traffic), ...cacheCounts(traffic.cache) },
    ...times('request', traffic.requestMs, traffic.requestAverageMs, zone.boundsMs, traffic.requestBuckets),
    overCounts: {
      ...overCounts(['requestCounter', 'inBytes', 'outBytes', '1xx', '2xx', '3xx', '4xx', '5xx', ...CACHE_STATUSES]),
      requestMsecCounter: 0,
    },
  }
}

function basics({ requests, received, sent }: Traffic): object {
  return { requestCounter: requests, inBytes: received, outBytes: sent }
}

function classesObject({ classes }: Traffic): object {
  return Object.fromEntries(classes.map((count, n) => [`${n + 1}xx`, count]))
}

function cacheCounts(cache: readonly number[]): object {
  return Object.fromEntries(CACHE_STATUSES.map((status, n) => [status, cache[n] ?? 0]))
}

function times(
  what: 'request' | 'response',
  sumMs: number,
  averageMs: number,
  boundsMs: readonly number[],
  buckets: readonly number[],
): object {
  return {
    [`${what}MsecCounter`]: sumMs,
    [`${what}Msec`]: averageMs,
    [`${what}Msecs`]: { times: [], msecs: [] },
    [`${what}Buckets`]: { msecs: boundsMs, counters: buckets },
  }
}

function overCounts(names: readonly string[]): object {
  return { maxIntegerSize: Number(INTEGER_MAX), ...Object.fromEntries(names.map((name) => [name, 0])) }
}

/** Back ends by their groups; those that no group has are without one. */
export function upstreamsObject(zone: TrafficZone): object {
  const groups: Record<string, object[]> = {}
  for (const { group, server, traffic } of upstreamRows(zone)) {
    const list = (groups[group === '' ? '::nogroups' : group] ??= [])
    list.push(upstreamObject(zone, group, server, traffic))
  }
  return groups
}

/** One row of a back end. */
export interface UpstreamRow {
  /** Empty: it is in none. */
  readonly group: string
  readonly server: string
  readonly traffic: Traffic
}

/** All rows of back ends. */
export function upstreamRows(zone: TrafficZone): readonly UpstreamRow[] {
  const buckets = zone.boundsMs.length
  const grouped = (zone.records?.all(GROUP) ?? []).map(({ key, numbers }) => {
    const [, group = '', server = ''] = key.split(SEPARATOR)
    return { group, server, traffic: trafficOf(numbers, buckets) }
  })
  const alone = (zone.records?.all(ALONE) ?? []).map(({ key, numbers }) => {
    return { group: '', server: key.slice(ALONE.length), traffic: trafficOf(numbers, buckets) }
  })
  return [...grouped, ...alone]
}

function upstreamObject(zone: TrafficZone, groupName: string, server: string, traffic: Traffic): object {
  const group = groupName === '' ? undefined : findGroup(zone.tree, groupName)
  const listed = group && listPeers(group).find(({ peer }) => peer.address.name === server)
  const { weight = 0, maxFails = 0, failTimeoutS = 0, down = false } = listed?.peer.options ?? {}
  const { boundsMs } = zone
  return {
    server,
    ...basics(traffic),
    responses: classesObject(traffic),
    ...times('request', traffic.requestMs, traffic.requestAverageMs, boundsMs, traffic.requestBuckets),
    ...times('response', traffic.responseMs, traffic.responseAverageMs, boundsMs, traffic.responseBuckets),
    weight,
    maxFails,
    failTimeout: failTimeoutS,
    backup: listed?.backup ?? false,
    down,
    overCounts: {
      ...overCounts(['requestCounter', 'inBytes', 'outBytes', '1xx', '2xx', '3xx', '4xx', '5xx']),
      requestMsecCounter: 0,
      responseMsecCounter: 0,
    },
  }
}

/** Caches by their zones. */
function cachesObject({ tree }: TrafficZone): object {
  return Object.fromEntries(
    [...cacheStatistics(tree)].map(([name, statistics]) => {
      const kinds = CACHE_STATUSES.map((status) => statistics[status])
      const bytes = (
        of: readonly ('hit' | 'stale' | 'updating' | 'revalidated' | 'miss' | 'expired' | 'bypass')[],
      ): number => of.reduce((sum, status) => sum + statistics[status].bytes, 0)
      return [
        name,
        {
          maxSize: statistics.maxSize,
          usedSize: statistics.size,
          inBytes: bytes(['miss', 'expired', 'bypass']),
          outBytes: bytes(['hit', 'stale', 'updating', 'revalidated', 'miss', 'expired', 'bypass']),
          responses: cacheCounts(kinds.map(({ responses }) => responses)),
          overCounts: overCounts(['inBytes', 'outBytes', ...CACHE_STATUSES]),
        },
      ]
    }),
  )
}
