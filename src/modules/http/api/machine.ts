/** Resources about the server as a whole: `nginx`, `processes`, `connections`, `workers` and so on. */

import { connectionCounters } from '../../../http/server/connection-counters.ts'
import {
  connectionsObject,
  nginxObject,
  requestsObject,
  serverFactsOf,
  workerObject,
} from '../../../http/status/machine.ts'
import { allTlsObject, resetTls } from '../../../http/status/tls.ts'
import { workersOf } from '../../../http/status/workers.ts'
import { type Answer, DONE_SILENTLY, found, type Problem, problem } from './answer.ts'
import { pick } from './fields.ts'
import type { Ask, Resource } from './resource.ts'

/** There is none, which reports nothing. */
const LICENSE = { eval: false, active_till: 4102444800, reporting: { healthy: true, fails: 0, grace: 0 } }
const WORKER_NOT_FOUND = problem(404, 'WorkerNotFound', 'worker not found')

export const machineResources: readonly Resource[] = [
  { path: 'nginx', since: 1, get: (ask) => found(pick(ask, nginxObject(ask.tree, ask.r.client.serverAddress))) },
  { path: 'processes', since: 1, get: (ask) => found(pick(ask, processes(ask))), changes: { DELETE: forgetRespawned } },
  {
    path: 'connections',
    since: 1,
    get: (ask) => found(pick(ask, connectionsObject())),
    changes: { DELETE: resetConnections },
  },
  {
    path: 'http/requests',
    since: 1,
    get: (ask) => found(pick(ask, requestsObject())),
    changes: { DELETE: resetRequests },
  },
  { path: 'ssl', since: 1, get: (ask) => found(pick(ask, allTlsObject() ?? {})), changes: { DELETE: forgetTls } },
  { path: 'license', since: 9, get: () => found(LICENSE) },
  { path: 'workers', since: 9, get: workers, changes: { DELETE: resetWorkers } },
  { path: 'workers/*', since: 9, get: oneWorker, changes: { DELETE: resetWorker } },
]

function processes({ tree }: Ask): object {
  return { respawned: serverFactsOf(tree)?.facts.respawned ?? 0 }
}

function forgetRespawned({ tree }: Ask): Answer {
  serverFactsOf(tree)?.forgetRespawned()
  return DONE_SILENTLY
}

function forgetTls(): Answer {
  resetTls()
  return DONE_SILENTLY
}

function resetConnections(): Answer {
  connectionCounters.resetConnections()
  return DONE_SILENTLY
}

function resetRequests(): Answer {
  connectionCounters.resetRequests()
  return DONE_SILENTLY
}

function workers(ask: Ask): Answer {
  return found(workersOf(ask.tree).all.map((worker) => pick(ask, workerObject(worker))))
}

function oneWorker(ask: Ask): Answer | Problem {
  const worker = workersOf(ask.tree).all.find(({ id }) => String(id) === ask.names[0])
  return worker === undefined ? WORKER_NOT_FOUND : found(pick(ask, workerObject(worker)))
}

function resetWorkers(): Answer {
  connectionCounters.resetConnections()
  connectionCounters.resetRequests()
  return DONE_SILENTLY
}

function resetWorker({ tree, names: [name] }: Ask): Answer | Problem {
  const worker = workersOf(tree).all.find(({ id }) => String(id) === name)
  if (worker === undefined) return WORKER_NOT_FOUND
  connectionCounters.resetConnections(worker.id)
  connectionCounters.resetRequests(worker.id)
  return DONE_SILENTLY
}
