/**
 * nginx-module-vts: requests by server, by any text (filters) and by back end, with its pages for machines and people, and
 * limits on what was counted. What is counted is exact over all workers, and outlives reloads.
 */

import type { ConfOf } from '../../../config/directive.ts'
import { type AttachContext, type HttpTree, httpModule } from '../../../http/compile/module.ts'
import type { Plan, Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { NEXT, type Verdict } from '../../../http/request/verdict.ts'
import { prepareStatus } from '../../../http/status/prepare.ts'
import { statusReadersOf } from '../../../http/status/readers.ts'
import { findGroup } from '../../../http/status/upstreams.ts'
import { clock } from '../../../lib/clock.ts'
import { TrafficRecords, trafficRowsSize } from '../../../shared/traffic-records.ts'
import { Zone } from '../../../shared/zone.ts'
import type { Template } from '../../../value/template.ts'
import { type FilterSpec, type LimitSpec, trafficDirectives, type ZoneSpec } from './directives.ts'
import { display } from './display.ts'
import { keepTraffic } from './dump.ts'
import {
  ALONE,
  type Counted,
  type CountingRules,
  countAttempt,
  countRequest,
  FILTER,
  fieldsFor,
  GROUP,
  SEPARATOR,
  SERVER,
} from './numbers.ts'
import { LOCATION_TRAFFIC, type LocationTraffic, namedNumber, type SetRule, trafficVariables } from './set.ts'
import type { TrafficZone } from './zone.ts'

const KIND = 'vhost_traffic_status'
type Conf = ConfOf<typeof trafficDirectives>

/** The module list's entry. */
export const vhostTrafficStatusModule = httpModule({
  name: 'http_vhost_traffic_status',
  doc: 'Numbers of virtual servers, filters and back ends, as nginx-module-vts has them.',
  directives: trafficDirectives,
  variables: trafficVariables,
  init(conf, tree) {
    prepareStatus(tree)
    if (conf.vhost_traffic_status_zone !== undefined) zoneOf(conf, conf.vhost_traffic_status_zone, tree)
  },
  declare(_conf, tree, scope) {
    for (const { variable } of scope.own(trafficDirectives).vhost_traffic_status_set_by_filter ?? []) {
      const at = scope.positionOf(trafficDirectives.vhost_traffic_status_set_by_filter) ?? scope.at
      if (tree.variables.isFixed(variable)) tree.fail(`the duplicate "${variable}" variable`, at)
      else tree.variables.settable(variable)
    }
  },
  attach(conf, plan, at) {
    const spec = conf.vhost_traffic_status_zone
    if (spec === undefined) {
      if (conf.vhost_traffic_status_display !== undefined) at.fail('"vhost_traffic_status_zone" is not declared')
      return
    }
    const { zone, http } = zoneOf(conf, spec, at)
    const byHost = conf.vhost_traffic_status_filter && conf.vhost_traffic_status_filter_by_host
    const averaging = conf.vhost_traffic_status_average_method
    const seen = { zone, averaging, serverKey: byHost ? hostKey : nameKey }
    at.location.set(LOCATION_TRAFFIC, seen)
    attachCounting(conf, plan, at, seen, http)
    const shown = conf.vhost_traffic_status_display
    if (shown === undefined) return
    statusReadersOf(at).note()
    plan.own(display, {
      view: seen,
      format: shown.format ?? conf.vhost_traffic_status_display_format,
      callback: conf.vhost_traffic_status_display_jsonp,
      sumKey: conf.vhost_traffic_status_display_sum_key,
    })
  },
})

/** The zone, and what the http block says: its filters and limits hold everywhere, beside those of servers and locations. */
interface TreeTraffic {
  readonly zone: TrafficZone
  readonly http: Conf
}

function zoneOf(conf: Conf, { name, size }: ZoneSpec, tree: HttpTree): TreeTraffic {
  return tree.shared('vhost traffic status', () => {
    const codes = conf.vhost_traffic_status_measure_status_codes
    const fields = fieldsFor(codes)
    // Rows of another length are other rows: both zones begin anew then.
    const use = `${KIND} ${fields}`
    const rowsName = `rows of ${name}`
    const keys = tree.zone(name, size, use)
    const rows = tree.zone(rowsName, trafficRowsSize(size, fields), use)
    const [table, numbers] = [
      keys && Zone.attach(name, keys, KIND),
      rows && Zone.attach(rowsName, rows, `${KIND}_rows`),
    ]
    const { most = 0, groups = [] } = conf.vhost_traffic_status_filter_max_node ?? {}
    const zone: TrafficZone = {
      name,
      size,
      records: table === undefined || numbers === undefined ? undefined : new TrafficRecords(table, numbers, fields),
      codes,
      filterMax: most,
      filterGroups: groups,
      tree,
    }
    if (conf.vhost_traffic_status_dump !== undefined) keepTraffic(zone, conf.vhost_traffic_status_dump, tree)
    return { zone, http: conf }
  })
}

/** The row of a request's server, by the name that the server has. */
function nameKey(r: Request): string {
  return SERVER + (r.server.name || '_')
}

/** The same by the name that was asked for. */
function hostKey(r: Request): string {
  return SERVER + (r.host || r.server.name || '_')
}

interface Filter {
  readonly key: Text
  readonly group: Text
}

interface Counting extends LocationTraffic, Counted, CountingRules {
  readonly records: TrafficRecords
  readonly filters: readonly Filter[]
  readonly byUpstream: boolean
}

function attachCounting(conf: Conf, plan: Plan, at: AttachContext, seen: LocationTraffic, http: Conf): void {
  const { records, codes } = seen.zone
  const filters = conf.vhost_traffic_status_filter ? filtersOf(conf, http, at) : []
  const limits = limitsOf(conf, http, at)
  const sets = conf.vhost_traffic_status_set_by_filter.map(({ variable, named }) => {
    return { set: at.setter(variable), named: at.text(named) }
  })
  if (records === undefined) return
  if (sets.length > 0 && conf.vhost_traffic_status_filter) plan.preaccess(setNumbers, { seen, sets })
  if (conf.vhost_traffic_status === false) return
  const ignored = conf.vhost_traffic_status_ignore_status.reduce(
    (mask, name) => mask | (1 << (Number(name[0]) || 0)),
    0,
  )
  const counting: Counting = {
    ...seen,
    codes,
    labels: records.labels,
    boundsMs: conf.vhost_traffic_status_histogram_buckets ?? [],
    // Without a class there is nothing to leave out.
    ignored: ignored & ~1,
    records,
    filters,
    byUpstream: conf.vhost_traffic_status_stats_by_upstream,
  }
  if (!conf.vhost_traffic_status_bypass_stats) plan.log(count, counting)
  const limited = conf.vhost_traffic_status_limit && !conf.vhost_traffic_status_bypass_limit
  if (limited && limits.length > 0) plan.preaccess(limit, { seen, records, limits })
}

/** A list of this place, behind that of the http block unless it is the same; `once`: of those with equal names the first. */
function joined<T>(http: readonly T[], own: readonly T[], nameOf: ((item: T) => string) | undefined): readonly T[] {
  const same = own.length === http.length && own.every((item, n) => item === http[n])
  const lists = same ? [own] : [http, own]
  if (nameOf === undefined) return lists.flat()
  return lists.flatMap((list) => list.filter((item, n) => list.findIndex((one) => nameOf(one) === nameOf(item)) === n))
}

function filtersOf(conf: Conf, http: Conf, at: AttachContext): readonly Filter[] {
  const name = ({ key, group }: FilterSpec): string => `${key.source} ${group?.source ?? ''}`
  const nameOf = conf.vhost_traffic_status_filter_check_duplicate ? name : undefined
  const [outer, own] = [http, conf].map((one) => one.vhost_traffic_status_filter_by_set_key) as [
    readonly FilterSpec[],
    readonly FilterSpec[],
  ] // two of two
  return joined(outer, own, nameOf).map(({ key, group }) => {
    return { key: at.text(key), group: group === undefined ? () => '' : at.text(group) }
  })
}

function count(r: Request, counting: Counting): void {
  if (r.main !== r) return
  const { records, filters, byUpstream } = counting
  // Texts are made outside of the lock: a variable in them may want to read a row.
  for (let i = 0; i < filters.length; i++) countFilter(r, filters[i]!, counting)
  records.enter()
  const row = records.row(counting.serverKey(r))
  if (row !== undefined) countRequest(row, r, counting, counting)
  if (byUpstream) countUpstream(r, counting)
  records.leave()
}

function countFilter(r: Request, filter: Filter, counting: Counting): void {
  const name = filter.key(r)
  if (name === '') return
  const { records, zone } = counting
  const group = filter.group(r)
  const key = group === '' ? SERVER + name : `${FILTER}${group}${SEPARATOR}${name}`
  records.enter()
  if (zone.filterMax > 0 && group !== '' && records.known(key) === undefined) makeRoom(group, zone, records)
  const row = records.row(key)
  if (row !== undefined) countRequest(row, r, counting, counting)
  records.leave()
}

/** Another row of a filter is to be made. */
function makeRoom(group: string, { filterGroups, filterMax }: TrafficZone, records: TrafficRecords): void {
  const limited = (name: string): boolean =>
    filterGroups.length === 0 || filterGroups.some((one) => name.startsWith(one))
  if (!limited(group)) return
  records.makeRoom((key) => key.startsWith(FILTER) && limited(key.slice(FILTER.length)), filterMax)
}

function countUpstream(r: Request, counting: Counting): void {
  const { conversation } = r
  const last = conversation?.attempts.last
  if (conversation === undefined || last === undefined) return
  const { records, zone } = counting
  const group = conversation.targetHost
  const prefix = findGroup(zone.tree, group) === undefined ? ALONE : `${GROUP}${group}${SEPARATOR}`
  const requestMs = clock.monotonic - r.startMonotonic
  conversation.attempts.join((attempt) => {
    const row = records.row(prefix + attempt.address)
    if (row !== undefined) countAttempt(row, attempt, requestMs, counting)
    return ''
  })
}

interface Limit {
  readonly key: Text | undefined
  readonly member: number
  readonly most: number
  readonly code: number
}

function limitsOf(conf: Conf, http: Conf, at: AttachContext): readonly Limit[] {
  const name = ({ key, member }: LimitSpec): string => `${member} ${key?.source ?? ''}`
  const nameOf = conf.vhost_traffic_status_limit_check_duplicate ? name : undefined
  const lists = ['vhost_traffic_status_limit_traffic', 'vhost_traffic_status_limit_traffic_by_set_key'] as const
  const specs = lists.flatMap((list) => joined<LimitSpec>(http[list], conf[list], nameOf))
  return specs.map(({ key, ...rest }) => ({ ...rest, key: textOf(key, at) }))
}

function textOf(template: Template | undefined, at: AttachContext): Text | undefined {
  return template === undefined ? undefined : at.text(template)
}

interface Limiting {
  readonly seen: LocationTraffic
  readonly records: TrafficRecords
  readonly limits: readonly Limit[]
}

function limit(r: Request, { seen, records, limits }: Limiting): Verdict {
  for (let i = 0; i < limits.length; i++) {
    const { key, member, most, code } = limits[i]!
    const name = key === undefined ? seen.serverKey(r) : key(r).replaceAll('@', SEPARATOR)
    records.enter()
    const used = records.known(name)?.[member] ?? 0
    records.leave()
    if (used > most) return code
  }
  return NEXT
}

interface Setting {
  readonly seen: LocationTraffic
  readonly sets: readonly SetRule[]
}

function setNumbers(r: Request, { seen, sets }: Setting): Verdict {
  for (let i = 0; i < sets.length; i++) {
    const { set, named } = sets[i]!
    set(r, namedNumber(seen, named(r)) ?? '')
  }
  return NEXT
}
