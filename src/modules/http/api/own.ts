/** What we tell beside NGINX Plus: below `viaduct` in the place of a version (docs/API.md has the shapes). */
import type { HttpTree } from '../../../http/compile/module.ts'
import type { ZoneNumbers } from '../../../http/server/zone-counts.ts'
import { cacheStatistics } from '../../../http/status/caches.ts'
import { certificatesOf, daysLeft } from '../../../http/status/certificates.ts'
import { HISTORY_FIELDS, historyOf } from '../../../http/status/history.ts'
import { serverFactsOf } from '../../../http/status/machine.ts'
import { samplesOf, topOf } from '../../../http/status/recorders.ts'
import { listPeers, shownGroups, stateName, stateOf } from '../../../http/status/upstreams.ts'
import { workersOf } from '../../../http/status/workers.ts'
import { zoneNumbers } from '../../../http/status/zones.ts'
import { clock } from '../../../lib/clock.ts'
import { countOf, quantileOf, TIME_BOUNDS, type TimeHistogram } from '../../../shared/time-histogram.ts'
import type { TopEntry } from '../../../shared/top-records.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import type { Peer } from '../../../upstream/peer.ts'
import { found } from './answer.ts'
import type { Ask, Resource } from './resource.ts'

/** What stands in the place of a version. */
export const OWN = 'viaduct'
const TOP_MOST = 20
const RECENT_DEFAULT = 100
const RECENT_MAX = 512

/** Our own resources. */
export const ownResources: readonly Resource[] = [
  { path: 'zones', since: 0, get: ({ tree }) => found(zones(tree)) },
  { path: 'upstreams', since: 0, get: ({ tree }) => found(upstreams(tree)) },
  { path: 'caches', since: 0, get: ({ tree }) => found(Object.fromEntries(cacheStatistics(tree))) },
  { path: 'workers', since: 0, get: ({ tree }) => found(workersOf(tree).all) },
  { path: 'reloads', since: 0, get: ({ tree }) => found(serverFactsOf(tree)?.facts ?? {}) },
  { path: 'certificates', since: 0, get: ({ tree }) => found(certificates(tree)) },
  { path: 'history', since: 0, get: ({ tree }) => found(history(tree)) },
  { path: 'access', since: 0, get: ({ writable }) => found({ write: writable }) },
  { path: 'top', since: 0, get: ({ tree }) => found(top(tree)) },
  { path: 'requests', since: 0, get: (ask) => found(recent(ask)) },
]

function zones(tree: HttpTree): object {
  const of = (kind: 'server' | 'location'): object =>
    Object.fromEntries([...zoneNumbers(tree, kind)].map(([name, numbers]) => [name, zoneObject(numbers)]))
  return { servers: of('server'), locations: of('location') }
}

function zoneObject({ lastMs, times }: ZoneNumbers): object {
  return { last: lastMs, times: timesObject(times) }
}

/** Times in milliseconds: quantiles are guessed between the bounds of buckets, which count what is not longer. */
function timesObject(times: TimeHistogram): object {
  const round = (ms: number): number => Math.round(ms * 10) / 10
  const count = countOf(times)
  return {
    count,
    sum: times.sumMs,
    p50: round(quantileOf(times, 0.5)),
    p95: round(quantileOf(times, 0.95)),
    p99: round(quantileOf(times, 0.99)),
    buckets: times.counts.map((n, i) => [TIME_BOUNDS[i] ?? null, n]),
  }
}

function upstreams(tree: HttpTree): object {
  return Object.fromEntries([...shownGroups(tree)].map(([name, group]) => [name, peersObject(group)]))
}

function peersObject(group: PeerGroup): readonly object[] {
  return listPeers(group).map(({ id, peer }) => {
    const numbers = peer.counts?.read(clock.now)
    return {
      id,
      server: peer.address.name,
      state: stateOf(peer),
      down_since: numbers?.downStartMs ?? 0,
      active: peer.conns,
      ...storyOf(peer),
      checks: { passed: peer.rises, failed: peer.falls, all: peer.checks, failed_all: peer.checksFailed },
      ...(numbers === undefined ? {} : { times: timesObject(numbers.times) }),
    }
  })
}

/** Since when it is in its state, and what was before: the newest last. */
function storyOf({ counts }: Peer): object {
  const { states, checks } = counts?.story() ?? { states: [], checks: [] }
  return {
    since: states.at(-1)?.atMs ?? 0,
    changes: states.map(({ atMs, state }) => ({ at: atMs, state: stateName(state) })),
    last_checks: checks,
  }
}

/** One list for each number, so that names are told once. */
function history(tree: HttpTree): object {
  const { samples } = historyOf(tree)
  const column = (n: number): readonly (number | null)[] =>
    samples.map((sample) => (Number.isFinite(sample[n]) ? Math.round(sample[n]! * 1000) / 1000 : null))
  return { at: column(0), ...Object.fromEntries(HISTORY_FIELDS.map((name, n) => [name, column(n + 1)])) }
}

function certificates(tree: HttpTree): readonly object[] {
  return certificatesOf(tree).map((certificate) => ({ ...certificate, daysLeft: daysLeft(certificate, clock.now) }))
}

function top(tree: HttpTree): object {
  const records = topOf(tree, false)
  const of = (kind: string): readonly object[] => records?.top(kind, TOP_MOST, clock.now).map(topObject) ?? []
  return { recorded: records !== undefined, urls: of('u'), clients: of('c'), errors: of('e') }
}

function topObject({ text, count, ms }: TopEntry): object {
  return { text, count: Math.round(count * 10) / 10, ms: Math.round(ms * 10) / 10 }
}

function recent({ tree, argument }: Ask): object {
  const samples = samplesOf(tree, false)
  const count = Math.min(RECENT_MAX, Number(argument('count') ?? RECENT_DEFAULT) || RECENT_DEFAULT)
  return {
    recorded: samples !== undefined,
    written: samples?.written ?? 0,
    requests: (samples?.newest(count) ?? []).map((text) => JSON.parse(text) as object),
  }
}
