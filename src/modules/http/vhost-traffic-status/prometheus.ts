/** The page of nginx-module-vts for Prometheus. */
import type { Exposition, Labels } from '../../../http/status/exposition.ts'
import { VTS_NO_GROUP, VtsNames } from '../../../http/status/vts-names.ts'
import type { Times, Traffic } from './numbers.ts'
import { filtersOf, serversOf, type TrafficView, type TrafficZone, upstreamRows } from './zone.ts'

/** Writes it. */
export function writeTraffic(page: Exposition, view: TrafficView, sumKey: string): void {
  const names = new VtsNames(page)
  const { tree } = view.zone
  names.main(tree)
  writeMemory(page, view.zone)
  for (const [host, traffic] of serversOf(view, sumKey)) {
    writeRow(names, 'server', { host }, traffic)
    for (const [code, count] of Object.entries(traffic.codes ?? {})) {
      page.counter('nginx_vts_status_code_requests_total', 'The requests counter by status', { host, code }, count)
    }
  }
  for (const [group, filters] of filtersOf(view)) {
    for (const [name, traffic] of filters) {
      writeRow(names, 'filter', { filter: group, filter_name: name }, traffic)
    }
  }
  for (const { group, server, traffic } of upstreamRows(view)) {
    const labels = { upstream: group === '' ? VTS_NO_GROUP : group, backend: server }
    names.traffic('upstream', labels, traffic)
    writeTimes(names, 'upstream_request', labels, traffic.request, traffic)
    writeTimes(names, 'upstream_response', labels, traffic.response, traffic)
  }
  names.caches(tree)
}

function writeMemory(page: Exposition, zone: TrafficZone): void {
  const { used, total, rows } = zone.records?.fill ?? { used: 0, total: 0, rows: 0 }
  const memory = { max_size: zone.size, used_size: used, used_node: rows, free_size: Math.max(0, total - used) }
  for (const [shared, size] of Object.entries(memory)) {
    page.gauge('nginx_vts_main_shm_usage_bytes', `Shared memory [${zone.name}] info`, { shared }, size)
  }
}

function writeRow(names: VtsNames, kind: string, labels: Labels, traffic: Traffic): void {
  names.traffic(kind, labels, traffic)
  writeTimes(names, `${kind}_request`, labels, traffic.request, traffic)
  names.cached(kind, labels, traffic.cache)
}

function writeTimes(names: VtsNames, name: string, labels: Labels, times: Times, traffic: Traffic): void {
  const { sumMs, averageMs, buckets: below } = times
  const { boundsMs, requests: count } = traffic
  names.times(name, labels, sumMs, averageMs)
  names.histogram(name, labels, { boundsMs, below, sumMs, count })
}
