/** The memory of `vhost_traffic_status_zone`, and what was read of it for a page. */
import type { HttpTree } from '../../../http/compile/module.ts'
import type { TrafficRecords } from '../../../shared/traffic-records.ts'
import { TRAFFIC_FIELDS, type TrafficRow } from '../../../shared/traffic-records.ts'
import { FILTER, SEPARATOR, SERVER, sumOf, type Traffic, trafficOf } from './numbers.ts'

/** What holds for a whole configuration. */
export interface TrafficZone {
  readonly name: string
  readonly size: number
  readonly records: TrafficRecords | undefined
  /** Bounds of histograms in milliseconds. */
  readonly boundsMs: readonly number[]
  /** Most rows of filters; 0: as many as fit. */
  readonly filterMax: number
  readonly tree: HttpTree
}

/** Rows of servers by name, all of them together under the last name. */
export function serversOf(zone: TrafficZone, sumKey: string): ReadonlyMap<string, Traffic> {
  return summed(zone, zone.records?.all(SERVER) ?? [], (key) => key.slice(SERVER.length), sumKey)
}

/** Rows of filters by group and name. */
export function filtersOf(zone: TrafficZone): ReadonlyMap<string, ReadonlyMap<string, Traffic>> {
  const groups = new Map<string, TrafficRow[]>()
  for (const row of zone.records?.all(FILTER) ?? []) {
    const group = row.key.split(SEPARATOR)[1]!
    groups.set(group, [...(groups.get(group) ?? []), row])
  }
  const nameOf = (key: string): string => key.split(SEPARATOR).slice(2).join(SEPARATOR)
  return new Map([...groups].map(([group, rows]) => [group, summed(zone, rows, nameOf, '')]))
}

function summed(
  zone: TrafficZone,
  rows: readonly TrafficRow[],
  nameOf: (key: string) => string,
  sumKey: string,
): ReadonlyMap<string, Traffic> {
  const buckets = zone.boundsMs.length
  const found = new Map(rows.map(({ key, numbers }) => [nameOf(key), trafficOf(numbers, buckets)]))
  if (sumKey === '') return found
  const all = rows.map(({ numbers }) => numbers)
  return found.set(sumKey, trafficOf(sumOf(all, TRAFFIC_FIELDS), buckets))
}
