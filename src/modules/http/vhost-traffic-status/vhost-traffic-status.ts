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
import { ALONE, countAttempt, countRequest, FILTER, GROUP, SEPARATOR, SERVER } from './numbers.ts'
import type { TrafficZone } from './zone.ts'

const KIND = 'vhost_traffic_status'
type Conf = ConfOf<typeof trafficDirectives>

/** The module list's entry. */
export const vhostTrafficStatusModule = httpModule({
  name: 'http_vhost_traffic_status',
  doc: 'Numbers of virtual servers, filters and back ends, as nginx-module-vts has them.',
  directives: trafficDirectives,
  init(conf, tree) {
    prepareStatus(tree)
    if (conf.vhost_traffic_status_zone !== undefined) zoneOf(conf, conf.vhost_traffic_status_zone, tree)
  },
  attach(conf, plan, at) {
    const spec = conf.vhost_traffic_status_zone
    if (spec === undefined) {
      if (conf.vhost_traffic_status_display !== undefined) at.fail('"vhost_traffic_status_zone" is not declared')
      return
    }
    const zone = zoneOf(conf, spec, at)
    attachCounting(conf, plan, at, zone)
    const shown = conf.vhost_traffic_status_display
    if (shown === undefined) return
    statusReadersOf(at).note(false)
    plan.own(display, {
      zone,
      format: shown.format ?? conf.vhost_traffic_status_display_format,
      callback: conf.vhost_traffic_status_display_jsonp,
      sumKey: conf.vhost_traffic_status_display_sum_key,
    })
  },
})

function zoneOf(conf: Conf, { name, size }: ZoneSpec, tree: HttpTree): TrafficZone {
  return tree.shared('vhost traffic status', () => {
    const keys = tree.zone(name, size, KIND)
    const rows = tree.zone(`rows of ${name}`, trafficRowsSize(size), `${KIND}_rows`)
    const [table, numbers] = [keys && Zone.attach(name, keys, KIND), rows && Zone.attach(name, rows, `${KIND}_rows`)]
    return {
      name,
      size,
      records: table === undefined || numbers === undefined ? undefined : new TrafficRecords(table, numbers),
      boundsMs: conf.vhost_traffic_status_histogram_buckets ?? [],
      filterMax: conf.vhost_traffic_status_filter_max_node ?? 0,
      tree,
    }
  })
}

interface Filter {
  readonly key: Text
  readonly group: Text
}

interface Counting {
  readonly zone: TrafficZone
  readonly records: TrafficRecords
  readonly filters: readonly Filter[]
  readonly byHost: boolean
  readonly byUpstream: boolean
}

function attachCounting(conf: Conf, plan: Plan, at: AttachContext, zone: TrafficZone): void {
  const { records } = zone
  const filtered = conf.vhost_traffic_status_filter
  const filters = filtered ? filtersOf(conf.vhost_traffic_status_filter_by_set_key, at) : []
  const limits = limitsOf(conf, at)
  if (records === undefined || conf.vhost_traffic_status === false) return
  const byHost = filtered && conf.vhost_traffic_status_filter_by_host
  const counting = { zone, records, filters, byHost, byUpstream: conf.vhost_traffic_status_stats_by_upstream }
  if (!conf.vhost_traffic_status_bypass_stats) plan.log(count, counting)
  const limited = conf.vhost_traffic_status_limit && !conf.vhost_traffic_status_bypass_limit
  if (limited && limits.length > 0) plan.preaccess(limit, { counting, limits })
}

function filtersOf(specs: readonly FilterSpec[], at: AttachContext): readonly Filter[] {
  const seen = new Set<string>()
  const filters: Filter[] = []
  for (const { key, group } of specs) {
    const name = `${key.source} ${group?.source ?? ''}`
    if (seen.has(name)) continue
    seen.add(name)
    filters.push({ key: at.text(key), group: group === undefined ? () => '' : at.text(group) })
  }
  return filters
}

function serverKey(r: Request, byHost: boolean): string {
  return SERVER + ((byHost ? r.host : '') || r.server.name || '_')
}

function count(r: Request, counting: Counting): void {
  if (r.main !== r) return
  const { records, zone, filters, byHost, byUpstream } = counting
  records.enter()
  const row = records.row(serverKey(r, byHost))
  if (row !== undefined) countRequest(row, r, zone.boundsMs)
  for (let i = 0; i < filters.length; i++) countFilter(r, filters[i]!, counting)
  if (byUpstream) countUpstream(r, counting)
  records.leave()
}

function countFilter(r: Request, filter: Filter, { records, zone }: Counting): void {
  const name = filter.key(r)
  if (name === '') return
  const key = `${FILTER}${filter.group(r)}${SEPARATOR}${name}`
  if (zone.filterMax > 0 && records.known(key) === undefined) records.makeRoom(FILTER, zone.filterMax)
  const row = records.row(key)
  if (row !== undefined) countRequest(row, r, zone.boundsMs)
}

function countUpstream(r: Request, { records, zone }: Counting): void {
  const { conversation } = r
  const last = conversation?.attempts.last
  if (conversation === undefined || last === undefined) return
  const group = conversation.targetHost
  const prefix = findGroup(zone.tree, group) === undefined ? ALONE : `${GROUP}${group}${SEPARATOR}`
  const requestMs = clock.monotonic - r.startMonotonic
  conversation.attempts.join((attempt) => {
    const row = records.row(prefix + attempt.address)
    if (row !== undefined) countAttempt(row, attempt, requestMs, zone.boundsMs)
    return ''
  })
}

interface Limit {
  readonly key: Text | undefined
  readonly member: number
  readonly most: number
  readonly code: number
}

function limitsOf(conf: Conf, at: AttachContext): readonly Limit[] {
  const compile = ({ key, ...rest }: LimitSpec): Limit => ({ ...rest, key: textOf(key, at) })
  return [
    ...conf.vhost_traffic_status_limit_traffic.map(compile),
    ...conf.vhost_traffic_status_limit_traffic_by_set_key.map(compile),
  ]
}

function textOf(template: Template | undefined, at: AttachContext): Text | undefined {
  return template === undefined ? undefined : at.text(template)
}

interface Limiting {
  readonly counting: Counting
  readonly limits: readonly Limit[]
}

function limit(r: Request, { counting, limits }: Limiting): Verdict {
  const { records, byHost } = counting
  let verdict: Verdict = NEXT
  records.enter()
  for (let i = 0; i < limits.length && verdict === NEXT; i++) {
    const { key, member, most, code } = limits[i]!
    const row = records.known(key === undefined ? serverKey(r, byHost) : key(r).replaceAll('@', SEPARATOR))
    if (row !== undefined && row[member]! > most) verdict = code
  }
  records.leave()
  return verdict
}
