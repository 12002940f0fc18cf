/** `vhost_traffic_status_set_by_filter` and `$vts_*`: numbers of rows in variables. */
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { defineSetting } from '../../../http/request/slots.ts'
import { VTS_CACHE_STATUSES, vtsCaches } from '../../../http/status/vts-names.ts'
import type { Getter, Variables } from '../../../value/variables.ts'
import { ALONE, FILTER, GROUP, SEPARATOR, SERVER, type Traffic } from './numbers.ts'
import { readRow, settingsOf, type TrafficView } from './zone.ts'

/** How a location sees what was counted, and the key of the row that its requests count in. */
export interface LocationTraffic extends TrafficView {
  serverKey(r: Request): string
}

/** Undefined where nothing is counted. */
export const LOCATION_TRAFFIC = defineSetting<LocationTraffic | undefined>(undefined)

/** Names of numbers, and what they are of a row. */
const NUMBERS: Readonly<Record<string, (traffic: Traffic) => number>> = {
  requestCounter: ({ requests }) => requests,
  requestMsecCounter: ({ request }) => request.sumMs,
  requestMsec: ({ request }) => request.averageMs,
  responseMsecCounter: ({ response }) => response.sumMs,
  responseMsec: ({ response }) => response.averageMs,
  inBytes: ({ received }) => received,
  outBytes: ({ sent }) => sent,
  ...Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`${n}xx`, ({ classes }: Traffic) => classes[n - 1]!])),
  ...Object.fromEntries(VTS_CACHE_STATUSES.map((status, n) => [cacheName(status), ({ cache }: Traffic) => cache[n]!])),
}

/** `cacheHit`. */
function cacheName(status: string): string {
  return `cache${status[0]!.toUpperCase()}${status.slice(1)}`
}

/** Variables of the row of the request's server. */
export const trafficVariables: Variables<Request> = {
  vts_request_counter: ofServer('requestCounter'),
  vts_in_bytes: ofServer('inBytes'),
  vts_out_bytes: ofServer('outBytes'),
  vts_1xx_counter: ofServer('1xx'),
  vts_2xx_counter: ofServer('2xx'),
  vts_3xx_counter: ofServer('3xx'),
  vts_4xx_counter: ofServer('4xx'),
  vts_5xx_counter: ofServer('5xx'),
  vts_cache_miss_counter: ofServer('cacheMiss'),
  vts_cache_bypass_counter: ofServer('cacheBypass'),
  vts_cache_expired_counter: ofServer('cacheExpired'),
  vts_cache_stale_counter: ofServer('cacheStale'),
  vts_cache_updating_counter: ofServer('cacheUpdating'),
  vts_cache_revalidated_counter: ofServer('cacheRevalidated'),
  vts_cache_hit_counter: ofServer('cacheHit'),
  vts_cache_scarce_counter: ofServer('cacheScarce'),
  vts_request_time_counter: ofServer('requestMsecCounter'),
  vts_request_time: ofServer('requestMsec'),
}

function ofServer(name: string): Getter<Request> {
  const number = NUMBERS[name]!
  return (r) => {
    const seen = r.location.get(LOCATION_TRAFFIC)
    const traffic = seen && rowOf(seen, seen.serverKey(r))
    return traffic && String(Math.floor(number(traffic)))
  }
}

function rowOf(view: TrafficView, key: string): Traffic | undefined {
  const { records } = view.zone
  if (records === undefined) return undefined
  records.enter()
  const numbers = records.known(key)?.slice()
  records.leave()
  return numbers && readRow(view, numbers)
}

/** One rule: a text that names a number, and the variable that gets it. */
export interface SetRule {
  readonly set: (r: Request, value: string) => void
  readonly named: Text
}

/** The number that `group/zone/name` names, as text; undefined when there is none. */
export function namedNumber(view: TrafficView, text: string): string | undefined {
  const [, group, zone, name] = /^([^/]+)\/([^/]*)\/(.*)$/s.exec(text) ?? []
  if (group === undefined || zone === undefined || name === undefined) return undefined
  const rest = zone.replaceAll('@', SEPARATOR).replaceAll('[:alpha:]', '@').replaceAll('[:slash:]', '/')
  const number = groupNumber(view, group.toLowerCase(), rest, name)
  return number === undefined ? undefined : String(Math.floor(number))
}

function groupNumber(view: TrafficView, group: string, rest: string, name: string): number | undefined {
  switch (group) {
    case 'server':
      return numberOf(view, SERVER + rest, name)
    case 'filter':
      return numberOf(view, FILTER + rest, name)
    case 'upstream@alone':
      return numberOf(view, ALONE + rest.replace(SEPARATOR, ''), name)
    case 'upstream@group':
      return upstreamNumber(view, rest, name)
    case 'cache':
      return cacheNumber(view, rest, name)
    default:
      return undefined
  }
}

function numberOf(view: TrafficView, key: string, name: string): number | undefined {
  const traffic = rowOf(view, key)
  if (traffic === undefined) return undefined
  return Object.hasOwn(NUMBERS, name) ? NUMBERS[name]!(traffic) : 0
}

function upstreamNumber(view: TrafficView, rest: string, name: string): number | undefined {
  const number = numberOf(view, GROUP + rest, name)
  if (number === undefined || Object.hasOwn(NUMBERS, name)) return number
  const [group = '', server = ''] = rest.split(SEPARATOR)
  const settings: object = settingsOf(view.zone.tree, group, server)
  return Object.hasOwn(settings, name) ? Number(settings[name as keyof typeof settings]) : 0
}

function cacheNumber({ zone }: TrafficView, cache: string, name: string): number | undefined {
  const numbers = vtsCaches(zone.tree).get(cache)
  if (numbers === undefined) return undefined
  const { maxSize: cacheMaxSize, usedSize: cacheUsedSize, inBytes, outBytes, responses } = numbers
  const named: Readonly<Record<string, number>> = {
    ...{ cacheMaxSize, cacheUsedSize, inBytes, outBytes },
    ...Object.fromEntries(VTS_CACHE_STATUSES.map((status, n) => [cacheName(status), responses[n]!])),
  }
  return Object.hasOwn(named, name) ? named[name] : 0
}
