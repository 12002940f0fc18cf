/** Numbers of the server as a whole: connections under the names of nginx-prometheus-exporter, processes, reloads, workers. */
import type { HttpTree } from '../../../http/compile/module.ts'
import { connectionCounters } from '../../../http/server/connection-counters.ts'
import { tlsTotals } from '../../../http/server/tls-counts.ts'
import { certificatesOf } from '../../../http/status/certificates.ts'
import type { Exposition } from '../../../http/status/exposition.ts'
import { serverFactsOf } from '../../../http/status/machine.ts'
import { type WorkerStatus, workersOf } from '../../../http/status/workers.ts'
import { NGINX_VERSION, VERSION } from '../../../lib/version.ts'

const NONE = {}
const MICROSECONDS = 1e6
const MS_PER_SECOND = 1000

/** Writes them. */
export function writeServer(page: Exposition, tree: HttpTree): void {
  writeConnections(page)
  writeProcess(page)
  writeReloads(page, tree)
  for (const worker of workersOf(tree).all) writeWorker(page, worker)
  for (const { file, subject, notAfterMs } of certificatesOf(tree)) {
    const help = 'When a certificate ends, in seconds since the epoch.'
    page.gauge('viaduct_certificate_expiry_timestamp_seconds', help, { file, subject }, notAfterMs / MS_PER_SECOND)
  }
  const tls = tlsTotals()?.read().tls
  for (const [result, count] of Object.entries(tls ?? {})) {
    page.counter('viaduct_tls_handshakes_total', 'Handshakes with clients by what came of them.', { result }, count)
  }
}

function writeConnections(page: Exposition): void {
  const { accepted, handled, active, reading, writing, waiting, requests } = connectionCounters
  page.gauge('nginx_up', 'Whether the server answers.', NONE, 1)
  page.foreign('nginx_connections_accepted', 'Accepted client connections.', NONE, accepted)
  page.foreign('nginx_connections_handled', 'Handled client connections.', NONE, handled)
  page.gauge('nginx_connections_active', 'Active client connections.', NONE, active)
  page.gauge('nginx_connections_reading', 'Connections whose request head is being read.', NONE, reading)
  page.gauge('nginx_connections_writing', 'Connections whose request is served.', NONE, writing)
  page.gauge('nginx_connections_waiting', 'Idle client connections.', NONE, waiting)
  page.counter('nginx_http_requests_total', 'Total http requests.', NONE, requests)
}

function writeProcess(page: Exposition): void {
  const { user, system } = process.cpuUsage()
  page.gauge('viaduct_build_info', 'Versions.', { version: VERSION, nginx_version: NGINX_VERSION }, 1)
  page.counter('process_cpu_seconds_total', 'CPU time of the engine.', NONE, (user + system) / MICROSECONDS)
  page.gauge('process_resident_memory_bytes', 'Memory of the engine.', NONE, process.memoryUsage.rss())
  const started = Date.now() / MS_PER_SECOND - process.uptime()
  page.gauge('process_start_time_seconds', 'When the engine began.', NONE, Math.round(started * 1000) / 1000)
}

function writeReloads(page: Exposition, tree: HttpTree): void {
  const facts = serverFactsOf(tree)?.facts
  if (facts === undefined) return
  const { generation, loadedMs, respawned, refused, reloads } = facts
  const [last] = reloads.slice(-1)
  page.gauge('viaduct_config_generation', 'Number of the configuration in use.', NONE, generation)
  page.gauge('viaduct_config_last_reload_successful', 'Whether the last reload was.', NONE, last?.ok === false ? 0 : 1)
  const help = 'When the configuration in use was loaded, in seconds since the epoch.'
  page.gauge('viaduct_config_last_reload_success_timestamp_seconds', help, NONE, loadedMs / MS_PER_SECOND)
  page.counter('viaduct_config_reloads_total', 'Configurations loaded.', { result: 'ok' }, generation)
  page.counter('viaduct_config_reloads_total', 'Configurations loaded.', { result: 'refused' }, refused)
  page.counter('viaduct_worker_restarts_total', 'Workers that died and were replaced.', NONE, respawned)
}

function writeWorker(page: Exposition, worker: WorkerStatus): void {
  const labels = { worker: worker.id }
  const { median, p99, max } = worker.delay
  const late = 'How late the event loop was in the last second.'
  for (const [part, ms] of Object.entries({ median, p99, max })) {
    page.gauge('viaduct_worker_event_loop_delay_seconds', late, { ...labels, part }, ms / MS_PER_SECOND)
  }
  page.gauge('viaduct_worker_event_loop_busy_ratio', 'Part of the last second it was busy.', labels, worker.busy)
  page.gauge('viaduct_worker_heap_bytes', 'Memory of objects.', labels, worker.heapBytes)
  page.gauge('viaduct_worker_external_bytes', 'Memory of buffers.', labels, worker.externalBytes)
  page.counter('viaduct_worker_requests_total', 'Requests by worker.', labels, worker.requests)
  page.gauge('viaduct_worker_connections', 'Connections by worker.', { ...labels, state: 'active' }, worker.active)
  page.gauge('viaduct_worker_connections', 'Connections by worker.', { ...labels, state: 'idle' }, worker.idle)
}
