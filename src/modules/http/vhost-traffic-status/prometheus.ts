/** The page of nginx-module-vts for Prometheus. */
import { hostname } from 'node:os'
import { connectionCounters } from '../../../http/server/connection-counters.ts'
import { cacheStatistics } from '../../../http/status/caches.ts'
import type { Exposition, Labels } from '../../../http/status/exposition.ts'
import { serverFactsOf } from '../../../http/status/machine.ts'
import { fromBinary } from '../../../lib/bytes.ts'
import { NGINX_VERSION } from '../../../lib/version.ts'
import { MODULE_VERSION, upstreamRows } from './json.ts'
import { CACHE_STATUSES, type Traffic } from './numbers.ts'
import { filtersOf, serversOf, type TrafficZone } from './zone.ts'

const MS_PER_SECOND = 1000

/** Writes it. */
export function writeTraffic(page: Exposition, zone: TrafficZone, sumKey: string): void {
  writeMain(page, zone)
  for (const [host, traffic] of serversOf(zone, sumKey)) {
    writeRow(page, 'server', { host: fromBinary(host) }, traffic, zone)
  }
  for (const [group, names] of filtersOf(zone)) {
    for (const [name, traffic] of names) {
      writeRow(page, 'filter', { filter: fromBinary(group), filter_name: fromBinary(name) }, traffic, zone)
    }
  }
  for (const { group, server, traffic } of upstreamRows(zone)) {
    const labels = { upstream: group === '' ? '::nogroups' : fromBinary(group), backend: server }
    writeBasics(page, 'upstream', labels, traffic)
    writeTimes(page, 'upstream_request', labels, traffic.requestMs, traffic.requestAverageMs)
    writeTimes(page, 'upstream_response', labels, traffic.responseMs, traffic.responseAverageMs)
    writeBuckets(page, 'upstream_request', labels, traffic.requestBuckets, traffic.requestMs, traffic.requests, zone)
    writeBuckets(page, 'upstream_response', labels, traffic.responseBuckets, traffic.responseMs, traffic.requests, zone)
  }
  writeCaches(page, zone)
}

function writeMain(page: Exposition, zone: TrafficZone): void {
  const labels = { hostname: hostname(), module_version: MODULE_VERSION, version: NGINX_VERSION }
  page.gauge('nginx_vts_info', 'Nginx info', labels, 1)
  const loaded = (serverFactsOf(zone.tree)?.facts.loadedMs ?? 0) / MS_PER_SECOND
  page.gauge('nginx_vts_start_time_seconds', 'Nginx start time', {}, loaded)
  const { active, reading, writing, waiting, accepted, handled, requests } = connectionCounters
  const connections = { accepted, active, handled, reading, requests, waiting, writing }
  for (const [status, count] of Object.entries(connections)) {
    page.gauge('nginx_vts_main_connections', 'Nginx connections', { status }, count)
  }
  const { used, total, rows } = zone.records?.fill ?? { used: 0, total: 0, rows: 0 }
  const memory = { max_size: zone.size, used_size: used, used_node: rows, free_size: Math.max(0, total - used) }
  for (const [shared, size] of Object.entries(memory)) {
    page.gauge('nginx_vts_main_shm_usage_bytes', `Shared memory [${zone.name}] info`, { shared }, size)
  }
}

function writeRow(page: Exposition, kind: string, labels: Labels, traffic: Traffic, zone: TrafficZone): void {
  writeBasics(page, kind, labels, traffic)
  writeTimes(page, `${kind}_request`, labels, traffic.requestMs, traffic.requestAverageMs)
  writeBuckets(page, `${kind}_request`, labels, traffic.requestBuckets, traffic.requestMs, traffic.requests, zone)
  for (const [n, status] of CACHE_STATUSES.entries()) {
    page.counter(
      `nginx_vts_${kind}_cache_total`,
      'The requests cache counter',
      { ...labels, status },
      traffic.cache[n]!,
    )
  }
}

function writeBasics(page: Exposition, kind: string, labels: Labels, { received, sent, classes }: Traffic): void {
  const bytes = 'The request/response bytes'
  page.counter(`nginx_vts_${kind}_bytes_total`, bytes, { ...labels, direction: 'in' }, received)
  page.counter(`nginx_vts_${kind}_bytes_total`, bytes, { ...labels, direction: 'out' }, sent)
  for (const [n, count] of classes.entries()) {
    const code = `${n + 1}xx`
    page.counter(`nginx_vts_${kind}_requests_total`, 'The requests counter', { ...labels, code }, count)
  }
}

function writeTimes(page: Exposition, name: string, labels: Labels, sumMs: number, averageMs: number): void {
  page.counter(`nginx_vts_${name}_seconds_total`, 'The processing time in seconds', labels, sumMs / MS_PER_SECOND)
  const help = 'The average of processing times in seconds'
  page.gauge(`nginx_vts_${name}_seconds`, help, labels, averageMs / MS_PER_SECOND)
}

function writeBuckets(
  page: Exposition,
  name: string,
  labels: Labels,
  buckets: readonly number[],
  sumMs: number,
  count: number,
  { boundsMs }: TrafficZone,
): void {
  if (boundsMs.length === 0) return
  const family = `nginx_vts_${name}_duration_seconds`
  page.histogram(family, 'The histogram of processing time', labels, {
    bounds: boundsMs.map((ms) => (ms / MS_PER_SECOND).toFixed(3)),
    below: buckets,
    sum: sumMs / MS_PER_SECOND,
    count,
  })
}

function writeCaches(page: Exposition, { tree }: TrafficZone): void {
  for (const [cache_zone, statistics] of cacheStatistics(tree)) {
    const usage = 'The cache zones info'
    page.gauge('nginx_vts_cache_usage_bytes', usage, { cache_zone, cache_size: 'max' }, statistics.maxSize)
    page.gauge('nginx_vts_cache_usage_bytes', usage, { cache_zone, cache_size: 'used' }, statistics.size)
    for (const status of CACHE_STATUSES) {
      const count = statistics[status].responses
      page.counter('nginx_vts_cache_requests_total', 'The cache requests counter', { cache_zone, status }, count)
    }
  }
}
