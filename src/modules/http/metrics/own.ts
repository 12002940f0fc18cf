/** Numbers of zones, groups, caches and limits under our own names. */
import type { HttpTree } from '../../../http/compile/module.ts'
import type { ZoneNumbers } from '../../../http/server/zone-counts.ts'
import { cacheStatistics } from '../../../http/status/caches.ts'
import type { Exposition, Labels } from '../../../http/status/exposition.ts'
import { CONN_OUTCOMES, connZonesOf, limitNumbers, RATE_OUTCOMES, rateZonesOf } from '../../../http/status/limits.ts'
import { slabObjects } from '../../../http/status/slabs.ts'
import { tlsSpoken } from '../../../http/status/tls.ts'
import { type ListedPeer, listPeers, shownGroups, stateNumber, stateOf } from '../../../http/status/upstreams.ts'
import { zoneNumbers } from '../../../http/status/zones.ts'
import { clock } from '../../../lib/clock.ts'

/** Writes them. */
export function writeOwn(page: Exposition, tree: HttpTree): void {
  for (const kind of ['server', 'location'] as const) {
    for (const [name, numbers] of zoneNumbers(tree, kind)) writeZone(page, kind, name, numbers)
  }
  for (const [name, group] of shownGroups(tree)) {
    const idle = group.gauges?.idleCount ?? group.pool?.idleCount ?? 0
    page.gauge('viaduct_upstream_keepalive', 'Idle connections.', { upstream: name }, idle)
    for (const peer of listPeers(group)) writePeer(page, name, peer)
  }
  writeCaches(page, tree)
  writeLimits(page, tree)
  for (const [zone, { pages }] of slabObjects(tree)) {
    const { used, free } = pages
    page.gauge('viaduct_zone_fill_ratio', 'How full shared memory is.', { zone }, used / Math.max(1, used + free))
  }
}

function writeZone(page: Exposition, kind: string, name: string, numbers: ZoneNumbers): void {
  const prefix = `viaduct_${kind}`
  const labels = { [`${kind}_zone`]: name }
  if (kind === 'server') {
    page.gauge(`${prefix}_requests_processing`, 'Requests under way.', labels, numbers.processing)
  }
  for (const [code, count] of numbers.codes) {
    page.counter(`${prefix}_responses_total`, 'Responses by status.', { ...labels, code }, count)
  }
  page.counter(`${prefix}_discarded_total`, 'Requests without a response.', labels, numbers.discarded)
  page.counter(`${prefix}_received_bytes_total`, 'Bytes from clients.', labels, numbers.received)
  page.counter(`${prefix}_sent_bytes_total`, 'Bytes to clients.', labels, numbers.sent)
  page.times(`${prefix}_request_duration_seconds`, 'Time that requests took.', labels, numbers.times)
}

function writePeer(page: Exposition, upstream: string, { peer, id }: ListedPeer): void {
  const labels = { upstream, server: peer.address.name, id }
  const state = '1 up, 2 draining, 3 down, 4 unavailable, 5 checking, 6 unhealthy.'
  page.gauge('viaduct_upstream_server_state', state, labels, stateNumber(stateOf(peer)))
  page.gauge('viaduct_upstream_server_active', 'Requests under way.', labels, peer.conns)
  const checks = 'Health checks by result.'
  const { checksFailed, checks: all } = peer
  page.counter('viaduct_upstream_server_checks_total', checks, { ...labels, result: 'passed' }, all - checksFailed)
  page.counter('viaduct_upstream_server_checks_total', checks, { ...labels, result: 'failed' }, checksFailed)
  const numbers = peer.counts?.read(clock.now)
  if (numbers === undefined) return
  page.counter('viaduct_upstream_server_requests_total', 'Requests sent to servers.', labels, numbers.requests)
  for (const [code, count] of numbers.codes) {
    page.counter('viaduct_upstream_server_responses_total', 'Responses by status.', { ...labels, code }, count)
  }
  page.counter('viaduct_upstream_server_sent_bytes_total', 'Bytes to servers.', labels, numbers.sent)
  page.counter('viaduct_upstream_server_received_bytes_total', 'Bytes from servers.', labels, numbers.received)
  page.counter('viaduct_upstream_server_fails_total', 'Attempts that failed.', labels, numbers.fails)
  page.counter('viaduct_upstream_server_unavailable_total', 'Times it became unavailable.', labels, numbers.unavail)
  for (const [result, count] of Object.entries(tlsSpoken(numbers.tls) ? numbers.tls : {})) {
    const help = 'Handshakes with servers by what came of them.'
    page.counter('viaduct_upstream_server_tls_handshakes_total', help, { ...labels, result }, count)
  }
  page.times(
    'viaduct_upstream_server_response_duration_seconds',
    'Time to the end of responses.',
    labels,
    numbers.times,
  )
}

function writeCaches(page: Exposition, tree: HttpTree): void {
  for (const [cache, statistics] of cacheStatistics(tree)) {
    const labels: Labels = { cache }
    page.gauge('viaduct_cache_size_bytes', 'Bytes of files.', labels, statistics.size)
    page.gauge('viaduct_cache_max_size_bytes', 'Most bytes of files.', labels, statistics.maxSize)
    page.gauge('viaduct_cache_entries', 'Responses in the cache.', labels, statistics.entries)
    const { hit, stale, updating, revalidated, miss, expired, bypass, scarce } = statistics
    const kinds = { hit, stale, updating, revalidated, miss, expired, bypass, scarce }
    for (const [status, { responses, bytes }] of Object.entries(kinds)) {
      page.counter('viaduct_cache_responses_total', 'Responses by cache status.', { ...labels, status }, responses)
      page.counter('viaduct_cache_bytes_total', 'Bytes of responses by cache status.', { ...labels, status }, bytes)
    }
    page.counter('viaduct_cache_stored_total', 'Responses stored.', labels, statistics.stored)
    for (const [reason, count] of Object.entries(statistics.removed)) {
      page.counter('viaduct_cache_removed_total', 'Responses that went, by reason.', { ...labels, reason }, count)
    }
    for (const [reason, count] of Object.entries(statistics.refused)) {
      page.counter('viaduct_cache_refused_total', 'Responses not stored, by reason.', { ...labels, reason }, count)
    }
  }
}

function writeLimits(page: Exposition, tree: HttpTree): void {
  const kinds = [
    ['requests', limitNumbers(rateZonesOf(tree), RATE_OUTCOMES)],
    ['connections', limitNumbers(connZonesOf(tree), CONN_OUTCOMES)],
  ] as const
  for (const [what, zones] of kinds) {
    for (const [zone, outcomes] of zones) {
      for (const [result, count] of Object.entries(outcomes)) {
        page.counter(`viaduct_limit_${what}_total`, 'What limits decided.', { zone, result }, count)
      }
    }
  }
}
