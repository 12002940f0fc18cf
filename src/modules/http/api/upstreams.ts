/** `http/upstreams`: groups of servers, what is counted of them, and the list of servers, which can be changed. */
import { findGroup, listPeers, shownGroups, upstreamObject } from '../../../http/status/upstreams.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import { type Answer, DONE_SILENTLY, found, type Problem, problem } from './answer.ts'
import { pick, pickEach } from './fields.ts'
import type { Ask, Resource } from './resource.ts'
import { addServer, changeServer, oneServer, removeServer, serversOf } from './upstream-servers.ts'

const UPSTREAM_NOT_FOUND = problem(404, 'UpstreamNotFound', 'upstream not found')
const UPSTREAM_STATIC = problem(400, 'UpstreamStatic', 'upstream is static')

/** The resources of groups. */
export const upstreamResources: readonly Resource[] = [
  { path: 'http/upstreams', since: 1, get: (ask) => found(pickEach(ask, shownObjects(ask))) },
  {
    path: 'http/upstreams/*',
    since: 1,
    get: (ask) => within(ask, (group) => found(pick(ask, upstreamObject(group)))),
    changes: { DELETE: (ask) => within(ask, reset) },
  },
  {
    path: 'http/upstreams/*/servers',
    since: 1,
    get: (ask) => within(ask, (group) => found(serversOf(group))),
    changes: { POST: (ask) => within(ask, (group) => addServer(ask, group)) },
  },
  {
    path: 'http/upstreams/*/servers/*',
    since: 1,
    get: (ask) => within(ask, (group) => oneServer(ask, group)),
    changes: {
      PATCH: (ask) => within(ask, (group) => changeServer(ask, group)),
      DELETE: (ask) => within(ask, (group) => removeServer(ask, group)),
    },
  },
]

function shownObjects({ tree }: Ask): ReadonlyMap<string, object> {
  return new Map([...shownGroups(tree)].map(([name, group]) => [name, upstreamObject(group)]))
}

function within({ tree, names }: Ask, answer: (group: PeerGroup) => Answer | Problem): Answer | Problem {
  const group = findGroup(tree, names[0]!)
  if (group === undefined) return UPSTREAM_NOT_FOUND
  return group.zone === undefined ? UPSTREAM_STATIC : answer(group)
}

function reset(group: PeerGroup): Answer {
  for (const { peer } of listPeers(group)) peer.counts?.reset()
  return DONE_SILENTLY
}
