/** The names that nginx-prometheus-exporter gives to what NGINX Plus's API tells (collector/nginx_plus.go there). */
import type { HttpTree } from '../../../http/compile/module.ts'
import { cacheObject, cacheStatistics } from '../../../http/status/caches.ts'
import type { Exposition, Labels } from '../../../http/status/exposition.ts'
import { CONN_OUTCOMES, connZonesOf, limitNumbers, RATE_OUTCOMES, rateZonesOf } from '../../../http/status/limits.ts'
import { connectionsObject, requestsObject } from '../../../http/status/machine.ts'
import { allTlsObject } from '../../../http/status/tls.ts'
import { shownGroups, stateNumber, upstreamObject } from '../../../http/status/upstreams.ts'
import { workersOf } from '../../../http/status/workers.ts'
import { locationZone, serverZone, zoneNumbers } from '../../../http/status/zones.ts'
import { resolverCounts, resolverZones } from '../../../tree/resolver-counts.ts'

/** Those whose value may fall. */
const GAUGES: ReadonlySet<string> = new Set(
  [
    'active idle current processing state header_time response_time limit keepalive zombies size max_size cold',
    'health_checks_unhealthy',
  ]
    .join(' ')
    .split(' '),
)

class PlusNames {
  readonly #page: Exposition

  constructor(page: Exposition) {
    this.#page = page
  }

  /** Writes the numbers of an object, those of objects in it with both names. */
  write(prefix: string, labels: Labels, object: object, skip: readonly string[] = []): void {
    for (const [name, value] of Object.entries(object)) {
      if (skip.includes(name)) continue
      if (typeof value === 'object' && value !== null) this.write(`${prefix}_${name}`, labels, value)
      else if (typeof value === 'number') this.number(prefix, name, labels, value)
      else if (typeof value === 'boolean') this.number(prefix, name, labels, value ? 1 : 0)
    }
  }

  number(prefix: string, name: string, labels: Labels, value: number): void {
    const full = `nginxplus_${prefix}_${name}`
    if (GAUGES.has(name)) this.#page.gauge(full, name, labels, value)
    else this.#page.foreign(full, name, labels, value)
  }

  responses(
    prefix: string,
    labels: Labels,
    { codes, total: _, ...classes }: { codes: Readonly<Record<string, number>>; total: number },
  ): void {
    for (const [code, count] of Object.entries(classes)) {
      this.number(prefix, 'responses', { ...labels, code }, count as number) // the classes are numbers
    }
    for (const [code, count] of Object.entries(codes))
      this.number(prefix, 'responses_codes', { ...labels, code }, count)
  }
}

/** Writes them. */
export function writePlus(page: Exposition, tree: HttpTree): void {
  const names = new PlusNames(page)
  page.gauge('nginxplus_up', 'Whether the server answers.', {}, 1)
  names.write('connections', {}, connectionsObject())
  names.write('http_requests', {}, requestsObject())
  names.write('ssl', {}, allTlsObject() ?? {})
  for (const [name, numbers] of zoneNumbers(tree, 'server')) {
    const zone = serverZone(numbers)
    names.write('server_zone', { server_zone: name }, zone, ['responses'])
    names.responses('server_zone', { server_zone: name }, zone.responses)
  }
  for (const [name, numbers] of zoneNumbers(tree, 'location')) {
    const zone = locationZone(numbers)
    names.write('location_zone', { location_zone: name }, zone, ['responses'])
    names.responses('location_zone', { location_zone: name }, zone.responses)
  }
  writeUpstreams(names, tree)
  for (const [zone, statistics] of cacheStatistics(tree)) names.write('cache', { zone }, cacheObject(statistics))
  for (const [zone, counts] of limitNumbers(rateZonesOf(tree), RATE_OUTCOMES)) {
    names.write('limit_request', { zone }, counts)
  }
  for (const [zone, counts] of limitNumbers(connZonesOf(tree), CONN_OUTCOMES)) {
    names.write('limit_connection', { zone }, counts)
  }
  for (const resolver of resolverZones(tree)) {
    const { requests, responses } = resolverCounts(resolver, tree)?.read() ?? { requests: {}, responses: {} }
    names.write('resolver', { resolver }, { ...requests, ...responses })
  }
  for (const { id, pid, accepted, dropped, active, idle, requests, current } of workersOf(tree).all) {
    names.write(
      'worker',
      { id, pid },
      {
        connection_accepted: accepted,
        connection_dropped: dropped,
        connection_active: active,
        connection_idle: idle,
        http_requests_total: requests,
        http_requests_current: current,
      },
    )
  }
}

function writeUpstreams(names: PlusNames, tree: HttpTree): void {
  for (const [upstream, group] of shownGroups(tree)) {
    const { peers, keepalive, zombies } = upstreamObject(group)
    names.write('upstream', { upstream }, { keepalive, zombies })
    for (const { server, state, max_conns, responses, health_checks, ssl, ...peer } of peers) {
      const labels = { upstream, server }
      const { active, requests, sent, received, fails, unavail, header_time, response_time } = peer
      const known = { active, requests, sent, received, fails, unavail, header_time, response_time }
      names.write('upstream_server', labels, { state: stateNumber(state), ...known, health_checks })
      if (max_conns !== undefined) names.write('upstream_server', labels, { limit: max_conns })
      if (ssl !== undefined) names.write('upstream_server_ssl', labels, ssl)
      names.responses('upstream_server', labels, responses)
    }
  }
}
