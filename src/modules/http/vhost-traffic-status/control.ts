/** `/control` below the page: shows, resets and deletes what was counted, all of it, a group, or one row. */

import { parseMilliseconds } from '../../../config/units.ts'
import { cacheRooms } from '../../../http/status/caches.ts'
import { VTS_NO_GROUP } from '../../../http/status/vts-names.ts'
import { toBinary } from '../../../lib/bytes.ts'
import { clock } from '../../../lib/clock.ts'
import {
  cachesObject,
  filtersObject,
  mainObject,
  statusObject,
  upstreamObject,
  upstreamsObject,
  zonesObject,
} from './json.ts'
import { ALONE, FILTER, GROUP, lastOf, SEPARATOR, SERVER } from './numbers.ts'
import { filtersOf, serversOf, type TrafficView, upstreamRows } from './zone.ts'

/** Groups by their names; caches have no rows of ours. */
const GROUPS: ReadonlyMap<string, readonly string[]> = new Map([
  ['*', [SERVER, FILTER, GROUP, ALONE]],
  ['server', [SERVER]],
  ['filter', [FILTER]],
  ['upstream@group', [GROUP]],
  ['upstream@alone', [ALONE]],
  ['cache', []],
])
const ALL = '*'
/** The name that asks for what is told of the server as a whole. */
const MAIN = '::main'

/** What is asked. */
interface Command {
  readonly cmd: string
  readonly group: string
  readonly zone: string
  /** Only rows that were not counted in for so long; 0: all, undefined: nobody knows what was meant. */
  readonly expireMs: number | undefined
}

/** The answer to a request with these arguments. */
export function control(args: string, view: TrafficView, sumKey: string): object {
  const words = new URLSearchParams(args)
  const word = (name: string, otherwise: string): string => toBinary(words.get(name) ?? otherwise)
  const expireMs = parseMilliseconds(word('expire', '0'))
  const command: Command = { cmd: word('cmd', ''), group: word('group', ''), zone: word('zone', ALL), expireMs }
  const { cmd, group, zone } = command
  if (cmd === 'status') return statusOf(command, view, sumKey)
  const count = cmd === 'reset' || cmd === 'delete' ? change(command, view) : 0
  return {
    processingReturn: count > 0,
    processingCommandString: cmd,
    processingGroupString: group,
    processingZoneString: zone,
    processingCounts: count,
  }
}

function change({ cmd, group, zone, expireMs }: Command, { zone: { records, tree } }: TrafficView): number {
  const prefixes = GROUPS.get(group)
  if (prefixes === undefined || expireMs === undefined || records === undefined) return 0
  const keys = prefixes.map((prefix) => prefix + keyRest(zone))
  const named = (key: string): boolean =>
    zone === ALL ? prefixes.some((prefix) => key.startsWith(prefix)) : keys.includes(key)
  const before = clock.now - expireMs
  const old = (row: Float64Array): boolean => cmd === 'reset' || expireMs === 0 || lastOf(row) < before
  const count = records.forget((key, row) => named(key) && old(row), cmd === 'delete')
  if (group !== ALL && group !== 'cache') return count
  // The counts of a cache are the cache's: they begin anew, whichever word asks for it.
  const caches = [...cacheRooms(tree)].filter(([name]) => zone === ALL || name === zone)
  if (expireMs > 0) return count
  for (const [, room] of caches) room.counters.reset()
  return count + caches.length
}

/** `group@name` as it stands in keys; `[:alpha:]` and `[:slash:]` stand for what cannot be written. */
function keyRest(zone: string): string {
  return zone.replace(/^@/, '').replaceAll('@', SEPARATOR).replaceAll('[:alpha:]', '@').replaceAll('[:slash:]', '/')
}

function statusOf({ group, zone }: Command, view: TrafficView, sumKey: string): object {
  if (group === 'server' && zone === MAIN) return mainObject(view.zone)
  if (zone !== ALL && group !== ALL) return oneOf(group, keyRest(zone), view, sumKey)
  switch (group) {
    case 'server':
      return { serverZones: zonesObject(serversOf(view, sumKey)) }
    case 'filter':
      return { filterZones: filtersObject(filtersOf(view)) }
    case 'upstream@group': {
      const { [VTS_NO_GROUP]: _, ...groups } = upstreamsObject(view)
      return { upstreamZones: groups }
    }
    case 'upstream@alone':
      return { [VTS_NO_GROUP]: upstreamsObject(view)[VTS_NO_GROUP] ?? [] }
    case 'cache':
      return { cacheZones: cachesObject(view.zone) }
    default:
      return group === ALL ? statusObject(view, sumKey) : {}
  }
}

function oneOf(group: string, rest: string, view: TrafficView, sumKey: string): object {
  const [first = '', second = ''] = rest.split(SEPARATOR)
  const pick = (name: string, among: Readonly<Record<string, object>>): object =>
    Object.hasOwn(among, name) ? { [name]: among[name] } : {}
  switch (group) {
    case 'server':
      return pick(rest, zonesObject(serversOf(view, sumKey)))
    case 'filter':
      return pick(second, zonesObject(filtersOf(view).get(first) ?? new Map()))
    case 'cache':
      return pick(rest, cachesObject(view.zone))
    default: {
      const [name, server] = group === 'upstream@group' ? [first, second] : ['', rest]
      const row = upstreamRows(view).find((one) => one.group === name && one.server === server)
      return row === undefined ? {} : upstreamObject(view, row)
    }
  }
}
