/** Groups of servers as NGINX Plus's API shows them: those whose state is in a zone. */
import { clock } from '../../lib/clock.ts'
import { TIME_BOUNDS, type TimeHistogram } from '../../shared/time-histogram.ts'
import type { PeerGroup } from '../../upstream/group.ts'
import type { Peer } from '../../upstream/peer.ts'
import type { PeerNumbers } from '../../upstream/peer-counts.ts'
import { CHECKING, UNHEALTHY } from '../../upstream/peer-row.ts'
import { UpstreamRegistry } from '../../upstream/registry.ts'
import type { HttpTree } from '../compile/module.ts'
import { peerTlsObject } from './tls.ts'
import { type Responses, responsesOf } from './zones.ts'

/** States of a server, in the words of NGINX Plus. */
type PeerState = 'up' | 'draining' | 'down' | 'unavail' | 'checking' | 'unhealthy'

/** Numbers from here on are those of servers that a name leads to. */
const CHILDREN_FROM = 65536

/** A server of a group, as it is shown. */
interface PeerObject {
  readonly id: number
  readonly server: string
  readonly name: string
  readonly service?: string
  readonly backup: boolean
  readonly weight: number
  readonly state: PeerState
  readonly active: number
  readonly ssl?: object
  readonly max_conns?: number
  readonly requests: number
  readonly header_time?: number
  readonly response_time?: number
  readonly response_time_hist?: object
  readonly responses: Responses
  readonly sent: number
  readonly received: number
  readonly fails: number
  readonly unavail: number
  readonly health_checks: object
  readonly downtime: number
  readonly downstart?: string
  readonly selected?: string
}

/** A group, as it is shown. */
interface UpstreamObject {
  readonly peers: readonly PeerObject[]
  readonly keepalive: number
  readonly zombies: number
  readonly zone: string
  readonly queue?: { readonly size: number; readonly max_size: number; readonly overflows: number }
}

/** A peer with the number that it is known by. */
export interface ListedPeer {
  readonly id: number
  /** The number of the name that leads to it; undefined: it stands for itself. */
  readonly parent: number | undefined
  readonly peer: Peer
  readonly backup: boolean
  readonly service: string
}

/** All groups that are shown, by name. */
export function shownGroups(tree: HttpTree): ReadonlyMap<string, PeerGroup> {
  const { groups } = tree.shared('upstreams', () => new UpstreamRegistry())
  return new Map([...groups].filter(({ zone }) => zone !== undefined).map((group) => [group.name, group]))
}

/** A group by name, whether it is shown or not. */
export function findGroup(tree: HttpTree, name: string): PeerGroup | undefined {
  return tree.shared('upstreams', () => new UpstreamRegistry()).find(name)
}

/** The servers of a group with their numbers. */
export function listPeers({ servers }: PeerGroup): readonly ListedPeer[] {
  return (servers?.entries ?? []).flatMap((entry) => {
    const { backup, resolve, service } = entry.spec
    return servers!.peersOf(entry).map((peer) => ({
      id: resolve ? CHILDREN_FROM + (peer.counts?.index ?? 0) : entry.id,
      parent: resolve ? entry.id : undefined,
      peer,
      backup,
      service,
    }))
  })
}

/** Makes the object of a group. */
export function upstreamObject(group: PeerGroup): UpstreamObject {
  const { queue, gauges } = group
  return {
    peers: listPeers(group).map(peerObject),
    keepalive: group.gauges?.idleCount ?? group.pool?.idleCount ?? 0,
    zombies: 0,
    zone: group.zone ?? '',
    ...(queue === undefined
      ? {}
      : {
          queue: {
            size: gauges?.queuedCount ?? queue.size,
            max_size: queue.max,
            overflows: gauges?.overflows ?? queue.overflows,
          },
        }),
  }
}

function peerObject({ id, peer, backup, service }: ListedPeer): PeerObject {
  const { counts, options, address } = peer
  const numbers = counts?.read(clock.now)
  const responses = responsesOf(numbers?.classes ?? [], numbers?.codes ?? new Map())
  const ssl = peerTlsObject(numbers?.tls)
  return {
    id,
    server: address.name,
    name: peer.server,
    ...(service === '' ? {} : { service }),
    backup,
    weight: options.weight,
    state: stateOf(peer),
    active: peer.conns,
    ...(ssl === undefined ? {} : { ssl }),
    ...(options.maxConns === 0 ? {} : { max_conns: options.maxConns }),
    requests: numbers?.requests ?? 0,
    ...(numbers === undefined || responses.total === 0 ? {} : timesOf(numbers)),
    responses,
    sent: numbers?.sent ?? 0,
    received: numbers?.received ?? 0,
    fails: numbers?.fails ?? 0,
    unavail: numbers?.unavail ?? 0,
    health_checks: healthOf(peer),
    downtime: numbers?.downtimeMs ?? 0,
    ...dateOf('downstart', numbers?.downStartMs ?? 0),
    ...dateOf('selected', numbers?.selectedMs ?? 0),
  }
}

/** The state of a server. */
export function stateOf(peer: Peer): PeerState {
  const { down, drain, maxFails, failTimeoutS } = peer.options
  if (down) return 'down'
  if (peer.health === UNHEALTHY) return 'unhealthy'
  if (peer.health === CHECKING) return 'checking'
  const nowS = Math.floor(clock.monotonic / 1000) + 1
  if (maxFails > 0 && peer.fails >= maxFails && nowS - peer.checked <= failTimeoutS) return 'unavail'
  return drain ? 'draining' : 'up'
}

/** States in the order of the numbers that metrics have for them. */
const STATES: readonly PeerState[] = ['up', 'draining', 'down', 'unavail', 'checking', 'unhealthy']

/** The number of a state, from 1. */
export function stateNumber(state: PeerState): number {
  return STATES.indexOf(state) + 1
}

/** The state of a number. */
export function stateName(number: number): string {
  return STATES[number - 1] ?? ''
}

function healthOf(peer: Peer): object {
  const { checks, checksFailed: fails, unhealthyCount: unhealthy } = peer
  return checks === 0 ? { checks, fails, unhealthy } : { checks, fails, unhealthy, last_passed: peer.lastPassed === 1 }
}

function timesOf({ headerMs, responseMs, times }: PeerNumbers): object {
  return {
    header_time: Math.round(headerMs),
    response_time: Math.round(responseMs),
    response_time_hist: histogramObject(times),
  }
}

/** The buckets that NGINX Plus has; ours below 5 milliseconds are finer. */
function histogramObject({ counts, sumMs }: TimeHistogram): object {
  const buckets: Record<string, number> = {}
  let below = 0
  for (const [n, bound] of TIME_BOUNDS.entries()) {
    below += counts[n]!
    if (bound < 5) continue
    buckets[String(bound)] = below
    below = 0
  }
  buckets['inf'] = counts[TIME_BOUNDS.length]!
  return { count: counts.reduce((sum, count) => sum + count, 0), sum: sumMs, buckets }
}

function dateOf(name: string, ms: number): Readonly<Record<string, string>> {
  return ms === 0 ? {} : { [name]: new Date(ms).toISOString() }
}
