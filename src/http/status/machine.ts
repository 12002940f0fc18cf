/** The server as a whole, as NGINX Plus's API shows it. */
import { NGINX_VERSION, VERSION } from '../../lib/version.ts'
import { type Facts, SERVER_FACTS_SIZE, SERVER_FACTS_ZONE, ServerFacts } from '../../shared/server-facts.ts'
import type { HttpTree } from '../compile/module.ts'
import { connectionCounters } from '../server/connection-counters.ts'
import { statusReadersOf } from './readers.ts'
import type { WorkerStatus } from './workers.ts'

const TAG = 'server_facts'

/** What the engine has written down; undefined where nothing shows it. */
export function serverFactsOf(tree: HttpTree): ServerFacts | undefined {
  return tree.shared('server facts', () => {
    const buffer = statusReadersOf(tree).zone(SERVER_FACTS_ZONE, SERVER_FACTS_SIZE, TAG, 'reads')
    return { facts: buffer === undefined ? undefined : ServerFacts.attach(buffer) }
  }).facts
}

/** The object `nginx`; `address` is where the client came to. */
export function nginxObject(tree: HttpTree, address: string): object {
  const { generation = 1, loadedMs = 0 } = serverFactsOf(tree)?.facts ?? ({} as Partial<Facts>)
  const now = Date.now()
  return {
    version: NGINX_VERSION,
    build: `viaduct-${VERSION}`,
    address,
    generation,
    load_timestamp: new Date(loadedMs || now).toISOString(),
    timestamp: new Date(now).toISOString(),
    pid: process.pid,
    ppid: process.ppid,
  }
}

/** The object `connections`. */
export function connectionsObject(): { accepted: number; dropped: number; active: number; idle: number } {
  const { accepted, dropped, active, idle } = connectionCounters.sinceReset
  return { accepted, dropped, active, idle }
}

/** The object `http/requests`. */
export function requestsObject(): { total: number; current: number } {
  const { requests: total, current } = connectionCounters.sinceReset
  return { total, current }
}

/** The object of one worker. */
export function workerObject({ id, pid, accepted, dropped, active, idle, requests, current }: WorkerStatus): object {
  return { id, pid, connections: { accepted, dropped, active, idle }, http: { requests: { total: requests, current } } }
}
