/** The page of nginx-module-vts in JSON. */
import { hostname } from 'node:os'
import { connectionCounters } from '../../../http/server/connection-counters.ts'
import { serverFactsOf } from '../../../http/status/machine.ts'
import { VTS_CACHE_STATUSES, VTS_NO_GROUP, VTS_VERSION, vtsCaches } from '../../../http/status/vts-names.ts'
import { NGINX_VERSION } from '../../../lib/version.ts'
import type { Times, Traffic } from './numbers.ts'
import {
  filtersOf,
  serversOf,
  settingsOf,
  type TrafficView,
  type TrafficZone,
  type UpstreamRow,
  upstreamRows,
} from './zone.ts'

/** Where counters of the module begin anew; ours do not. */
const INTEGER_MAX = 18446744073709551615n
const BASIC_COUNTERS = ['requestCounter', 'inBytes', 'outBytes', '1xx', '2xx', '3xx', '4xx', '5xx']

/** The whole page. */
export function statusObject(view: TrafficView, sumKey: string): object {
  const caches = cachesObject(view.zone)
  const filters = filtersOf(view)
  return {
    ...mainObject(view.zone),
    serverZones: zonesObject(serversOf(view, sumKey)),
    ...(filters.size === 0 ? {} : { filterZones: filtersObject(filters) }),
    upstreamZones: upstreamsObject(view),
    ...(Object.keys(caches).length === 0 ? {} : { cacheZones: caches }),
  }
}

/** What is told of the server as a whole. */
export function mainObject(zone: TrafficZone): object {
  const { active, reading, writing, waiting, accepted, handled, requests } = connectionCounters
  const fill = zone.records?.fill ?? { used: 0, total: 0, rows: 0 }
  return {
    hostName: hostname(),
    moduleVersion: VTS_VERSION,
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
export function zonesObject(zones: ReadonlyMap<string, Traffic>): Record<string, object> {
  return Object.fromEntries([...zones].map(([name, traffic]) => [name, serverObject(traffic)]))
}

/** Filters by their groups. */
export function filtersObject(
  filters: ReadonlyMap<string, ReadonlyMap<string, Traffic>>,
): Record<string, Record<string, object>> {
  return Object.fromEntries([...filters].map(([group, zones]) => [group, zonesObject(zones)]))
}

function serverObject(traffic: Traffic): object {
  return {
    ...basics(traffic),
    ...(traffic.codes === undefined ? {} : { statusCodes: traffic.codes }),
    responses: { ...classesObject(traffic), ...cacheCounts(traffic.cache) },
    ...times('request', traffic.request, traffic.boundsMs),
    overCounts: { ...overCounts([...BASIC_COUNTERS, ...VTS_CACHE_STATUSES]), requestMsecCounter: 0 },
  }
}

function basics({ requests, received, sent }: Traffic): object {
  return { requestCounter: requests, inBytes: received, outBytes: sent }
}

function classesObject({ classes }: Traffic): object {
  return Object.fromEntries(classes.map((count, n) => [`${n + 1}xx`, count]))
}

function cacheCounts(cache: readonly number[]): object {
  return Object.fromEntries(VTS_CACHE_STATUSES.map((status, n) => [status, cache[n] ?? 0]))
}

function times(what: 'request' | 'response', counted: Times, boundsMs: readonly number[]): object {
  return {
    [`${what}MsecCounter`]: counted.sumMs,
    [`${what}Msec`]: counted.averageMs,
    [`${what}Msecs`]: counted.last,
    [`${what}Buckets`]: { msecs: boundsMs, counters: counted.buckets },
  }
}

function overCounts(names: readonly string[]): object {
  return { maxIntegerSize: Number(INTEGER_MAX), ...Object.fromEntries(names.map((name) => [name, 0])) }
}

/** Back ends by their groups; those that no group has are without one. */
export function upstreamsObject(view: TrafficView): Record<string, object[]> {
  const groups: Record<string, object[]> = {}
  for (const row of upstreamRows(view)) {
    const list = (groups[row.group === '' ? VTS_NO_GROUP : row.group] ??= [])
    list.push(upstreamObject(view, row))
  }
  return groups
}

/** One back end. */
export function upstreamObject({ zone }: TrafficView, { group, server, traffic }: UpstreamRow): object {
  const { boundsMs } = traffic
  return {
    server,
    ...basics(traffic),
    responses: classesObject(traffic),
    ...times('request', traffic.request, boundsMs),
    ...times('response', traffic.response, boundsMs),
    ...settingsOf(zone.tree, group, server),
    overCounts: { ...overCounts(BASIC_COUNTERS), requestMsecCounter: 0, responseMsecCounter: 0 },
  }
}

/** Caches by their zones. */
export function cachesObject(zone: TrafficZone): Record<string, object> {
  return Object.fromEntries(
    [...vtsCaches(zone.tree)].map(([name, { responses, ...rest }]) => [
      name,
      {
        ...rest,
        responses: cacheCounts(responses),
        overCounts: overCounts(['inBytes', 'outBytes', ...VTS_CACHE_STATUSES]),
      },
    ]),
  )
}
