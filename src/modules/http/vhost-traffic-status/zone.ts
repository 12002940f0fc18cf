/** The memory of `vhost_traffic_status_zone`, and what was read of it for a page. */
import type { HttpTree } from '../../../http/compile/module.ts'
import { findGroup, listPeers } from '../../../http/status/upstreams.ts'
import type { TrafficRecords, TrafficRow } from '../../../shared/traffic-records.ts'
import { UpstreamRegistry } from '../../../upstream/registry.ts'
import {
  ALONE,
  type Averaging,
  FILTER,
  fieldsFor,
  GROUP,
  SEPARATOR,
  SERVER,
  type StatusCodes,
  sumOf,
  type Traffic,
  trafficOf,
} from './numbers.ts'

/** What holds for a whole configuration. */
export interface TrafficZone {
  readonly name: string
  readonly size: number
  readonly records: TrafficRecords | undefined
  /** Statuses that are counted one by one. */
  readonly codes: StatusCodes
  /** Most rows of filters; 0: as many as fit. */
  readonly filterMax: number
  /** Only groups of filters that begin so are limited; none: all are. */
  readonly filterGroups: readonly string[]
  readonly tree: HttpTree
}

/** A zone, and how a location wants its averages. */
export interface TrafficView {
  readonly zone: TrafficZone
  readonly averaging: Averaging
}

/** Reads one row. */
export function readRow({ zone: { records, codes }, averaging }: TrafficView, numbers: Float64Array): Traffic {
  return trafficOf(numbers, averaging, records === undefined ? undefined : { codes, labels: records.labels })
}

/** Rows of servers by name, all of them together under the last name. */
export function serversOf(view: TrafficView, sumKey: string): ReadonlyMap<string, Traffic> {
  const rows = view.zone.records?.all(SERVER) ?? []
  const found = new Map(rows.map(({ key, numbers }) => [key.slice(SERVER.length), readRow(view, numbers)]))
  const all = rows.map(({ numbers }) => numbers)
  return found.set(sumKey, readRow(view, sumOf(all, fieldsFor(view.zone.codes))))
}

/** Rows of filters by group and name. */
export function filtersOf(view: TrafficView): ReadonlyMap<string, ReadonlyMap<string, Traffic>> {
  const groups = new Map<string, Map<string, Traffic>>()
  for (const { key, numbers } of view.zone.records?.all(FILTER) ?? []) {
    const [, group = '', ...name] = key.split(SEPARATOR)
    const names = groups.get(group) ?? new Map<string, Traffic>()
    groups.set(group, names.set(name.join(SEPARATOR), readRow(view, numbers)))
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

/** All rows of back ends: those that groups have now, whether they were asked or not, then others that were. */
export function upstreamRows(view: TrafficView): readonly UpstreamRow[] {
  const { records, tree } = view.zone
  const byKey = new Map((records?.all(GROUP) ?? []).map((row) => [row.key, row]))
  const blank = new Float64Array(fieldsFor(view.zone.codes))
  const rows: UpstreamRow[] = []
  for (const group of tree.shared('upstreams', () => new UpstreamRegistry()).groups) {
    if (group.servers === undefined) continue
    for (const { peer } of listPeers(group)) {
      const key = `${GROUP}${group.name}${SEPARATOR}${peer.address.name}`
      rows.push({
        group: group.name,
        server: peer.address.name,
        traffic: readRow(view, byKey.get(key)?.numbers ?? blank),
      })
      byKey.delete(key)
    }
  }
  const gone = [...byKey.values()].map(({ key, numbers }: TrafficRow) => {
    const [, group = '', server = ''] = key.split(SEPARATOR)
    return { group, server, traffic: readRow(view, numbers) }
  })
  const alone = (records?.all(ALONE) ?? []).map(({ key, numbers }) => {
    return { group: '', server: key.slice(ALONE.length), traffic: readRow(view, numbers) }
  })
  return [...rows, ...gone, ...alone]
}

/** What a group says of a server. */
export interface UpstreamSettings {
  readonly weight: number
  readonly maxFails: number
  readonly failTimeout: number
  readonly backup: boolean
  readonly down: boolean
}

/** What a group says of one of its servers; of one that it does not have, nothing. */
export function settingsOf(tree: HttpTree, groupName: string, server: string): UpstreamSettings {
  const group = groupName === '' ? undefined : findGroup(tree, groupName)
  const listed = group && listPeers(group).find(({ peer }) => peer.address.name === server)
  const { weight = 0, maxFails = 0, failTimeoutS = 0, down = false } = listed?.peer.options ?? {}
  return { weight, maxFails, failTimeout: failTimeoutS, backup: listed?.backup ?? false, down }
}
