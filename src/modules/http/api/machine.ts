/** Resources about the server as a whole: `nginx`, `processes`, `connections`, `http/requests`. */
import { connectionCounters } from '../../../http/server/connection-counters.ts'
import { NGINX_VERSION, VERSION } from '../../../lib/version.ts'
import { found } from './answer.ts'
import { pick } from './fields.ts'
import type { Ask, Resource } from './resource.ts'

export const machineResources: readonly Resource[] = [
  { path: 'nginx', since: 1, get: (ask) => found(pick(ask, server(ask))) },
  { path: 'connections', since: 1, get: (ask) => found(pick(ask, connections())) },
  { path: 'http/requests', since: 1, get: (ask) => found(pick(ask, requests())) },
]

function server({ r }: Ask): object {
  const now = new Date().toISOString()
  return {
    version: NGINX_VERSION,
    build: `viaduct-${VERSION}`,
    address: r.client.serverAddress,
    generation: 1,
    load_timestamp: now,
    timestamp: now,
    pid: process.pid,
    ppid: process.ppid,
  }
}

function connections(): object {
  const { accepted, handled, active, waiting } = connectionCounters
  return { accepted, dropped: accepted - handled, active: active - waiting, idle: waiting }
}

function requests(): object {
  return { total: connectionCounters.requests, current: connectionCounters.writing + connectionCounters.reading }
}
