/** All resources of the API, and how a path finds one. */

import type { HttpTree } from '../../../http/compile/module.ts'
import { statusZonesOf } from '../../../http/server/status-zones.ts'
import { cacheObject, cacheRooms, cacheStatistics } from '../../../http/status/caches.ts'
import { CONN_OUTCOMES, connZonesOf, limitNumbers, RATE_OUTCOMES, rateZonesOf } from '../../../http/status/limits.ts'
import { slabObjects } from '../../../http/status/slabs.ts'
import { locationZone, serverZone, zoneNumbers } from '../../../http/status/zones.ts'
import { resolverCounts, resolverZones } from '../../../tree/resolver-counts.ts'
import { type Answer, found, isProblem, PATH_NOT_FOUND, type Problem, problem } from './answer.ts'
import { collection } from './collection.ts'
import { keyvalResources } from './keyvals.ts'
import { machineResources } from './machine.ts'
import { OWN, ownResources } from './own.ts'
import type { Ask, Resource } from './resource.ts'
import { upstreamResources } from './upstreams.ts'

/** Versions of the API. */
export const VERSIONS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9]
/** Where our own resources are. */
const OWN_VERSION = 0
/** More than there are kinds of resources is no sensible question. */
const MANY_MAX = 32

/** Kinds of zones that only `stream` has. */
const STREAM = [
  ['server_zones', 'ServerZoneNotFound', 'server zone not found', 1],
  ['limit_conns', 'LimitConnNotFound', 'limit_conn not found', 6],
  ['upstreams', 'UpstreamNotFound', 'upstream not found', 1],
  ['keyvals', 'KeyvalNotFound', 'keyval not found', 2],
] as const

const RESOURCES: readonly Resource[] = [
  ...machineResources,
  ...collection({
    path: 'http/server_zones',
    since: 1,
    missing: problem(404, 'ServerZoneNotFound', 'server zone not found'),
    all: (tree) => mapped(zoneNumbers(tree, 'server'), serverZone),
    reset: (tree, name) => statusZonesOf(tree).find('server', name)?.reset(),
  }),
  ...collection({
    path: 'http/location_zones',
    since: 5,
    missing: problem(404, 'LocationZoneNotFound', 'location zone not found'),
    all: (tree) => mapped(zoneNumbers(tree, 'location'), locationZone),
    reset: (tree, name) => statusZonesOf(tree).find('location', name)?.reset(),
  }),
  ...upstreamResources,
  ...collection({
    path: 'http/caches',
    since: 1,
    missing: problem(404, 'CacheNotFound', 'cache not found'),
    all: (tree) => mapped(cacheStatistics(tree), cacheObject),
    reset: (tree, name) => cacheRooms(tree).get(name)?.counters.reset(),
  }),
  ...collection({
    path: 'http/limit_conns',
    since: 6,
    missing: problem(404, 'LimitConnNotFound', 'limit_conn not found'),
    all: (tree) => limitNumbers(connZonesOf(tree), CONN_OUTCOMES),
    reset: (tree, name) => connZonesOf(tree).find(name)?.resetCounts(),
  }),
  ...collection({
    path: 'http/limit_reqs',
    since: 6,
    missing: problem(404, 'LimitReqNotFound', 'limit_req not found'),
    all: (tree) => limitNumbers(rateZonesOf(tree), RATE_OUTCOMES),
    reset: (tree, name) => rateZonesOf(tree).find(name)?.resetCounts(),
  }),
  ...collection({
    path: 'slabs',
    since: 1,
    missing: problem(404, 'SlabNotFound', 'slab not found'),
    all: slabObjects,
    // How much is in use is no count that could begin anew.
    reset: () => {},
  }),
  ...collection({
    path: 'resolvers',
    since: 5,
    missing: problem(404, 'ResolverZoneNotFound', 'resolver zone not found'),
    all: resolverObjects,
    reset: (tree, name) => resolverCounts(name, tree)?.tally.reset(),
  }),
  ...keyvalResources,
  ...emptyStream(),
]

/** `stream` has nothing to tell yet. */
function emptyStream(): readonly Resource[] {
  const kinds = STREAM.flatMap(([name, code, text, since]) =>
    collection({ path: `stream/${name}`, since, missing: problem(404, code, text), all: () => new Map() }),
  )
  const status = { bytes_in: 0, msgs_in: 0, msgs_out: 0, bytes_out: 0, nodes_online: 0 }
  return [...kinds, { path: 'stream/zone_sync', since: 3, get: () => found({ zones: {}, status }) }]
}

function resolverObjects(tree: HttpTree): ReadonlyMap<string, object> {
  const found = new Map<string, object>()
  for (const name of resolverZones(tree)) {
    const numbers = resolverCounts(name, tree)?.read()
    if (numbers !== undefined) found.set(name, numbers)
  }
  return found
}

function mapped<T>(entries: ReadonlyMap<string, T>, make: (value: T) => object): ReadonlyMap<string, object> {
  return new Map([...entries].map(([name, value]) => [name, make(value)]))
}

/** Our own, and several resources in one answer. */
const OWN_RESOURCES: readonly Resource[] = [...ownResources, { path: 'many', since: OWN_VERSION, get: many }]

/** `?of=9/nginx&of=viaduct/requests?count=9`: each path with its answer, or the error that it alone would get. */
function many(ask: Ask): Answer | Problem {
  const paths = ask.words.getAll('of')
  if (paths.length > MANY_MAX) return problem(400, 'TooMany', `more than ${MANY_MAX} resources are asked for`)
  return found(Object.fromEntries(paths.map((path) => [path, oneOfMany(ask, path)])))
}

function oneOfMany(ask: Ask, text: string): unknown {
  const [path = '', args = ''] = text.split('?', 2)
  const [versionText = '', ...segments] = path.split('/').filter((segment) => segment !== '')
  const version = versionOf(versionText)
  const match = version === undefined ? undefined : findResource(version, segments)
  // One that asks for many itself would have no end.
  if (version === undefined || match === undefined || match.resource.get === many) return { error: PATH_NOT_FOUND }
  const words = new URLSearchParams(args)
  const argument = (name: string): string | undefined => words.get(name) ?? undefined
  const answer = match.resource.get({ ...ask, version, names: match.names, words, argument })
  return isProblem(answer) ? { error: answer } : answer.body
}

/** The version that a path begins with; undefined: there is none. */
export function versionOf(text: string): number | undefined {
  return text === OWN ? OWN_VERSION : VERSIONS.find((known) => String(known) === text)
}

function resourcesOf(version: number): readonly Resource[] {
  return version === OWN_VERSION ? OWN_RESOURCES : RESOURCES
}

/** A resource, and what stands for the stars of its path. */
interface Match {
  readonly resource: Resource
  readonly names: readonly string[]
}

/** The resource of a path; undefined: there is none. Version 0 has our own ones. */
export function findResource(version: number, segments: readonly string[]): Match | undefined {
  for (const resource of resourcesOf(version)) {
    if (resource.since > version) continue
    const parts = resource.path.split('/')
    if (parts.length !== segments.length) continue
    if (!parts.every((part, i) => part === '*' || part === segments[i])) continue
    return { resource, names: segments.filter((_, i) => parts[i] === '*') }
  }
  return undefined
}

/** What there is below a path that is no resource itself: the next segments; undefined when there is nothing. */
export function listBelow(version: number, segments: readonly string[]): readonly string[] | undefined {
  const below = resourcesOf(version)
    .filter(({ since }) => since <= version)
    .map(({ path }) => path.split('/'))
    .filter((parts) => parts.length > segments.length && segments.every((segment, i) => segment === parts[i]))
    .map((parts) => parts[segments.length]!)
  const names = [...new Set(below)].filter((name) => name !== '*')
  return names.length === 0 ? undefined : names
}
