/** All resources of the API, and how a path finds one. */

import { statusZonesOf } from '../../../http/server/status-zones.ts'
import { locationZone, serverZone, zoneNumbers } from '../../../http/status/zones.ts'
import { problem } from './answer.ts'
import { collection } from './collection.ts'
import { machineResources } from './machine.ts'
import type { Resource } from './resource.ts'
import { upstreamResources } from './upstreams.ts'

/** Versions of the API: the oldest and the newest. */
export const VERSION_MIN = 1
export const VERSION_MAX = 9

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
]

function mapped<T>(entries: ReadonlyMap<string, T>, make: (value: T) => object): ReadonlyMap<string, object> {
  return new Map([...entries].map(([name, value]) => [name, make(value)]))
}

/** A resource, and what stands for the stars of its path. */
interface Match {
  readonly resource: Resource
  readonly names: readonly string[]
}

/** The resource of a path; undefined: there is none. */
export function findResource(version: number, segments: readonly string[]): Match | undefined {
  for (const resource of RESOURCES) {
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
  const below = RESOURCES.filter(({ since }) => since <= version)
    .map(({ path }) => path.split('/'))
    .filter((parts) => parts.length > segments.length && segments.every((segment, i) => segment === parts[i]))
    .map((parts) => parts[segments.length]!)
  const names = [...new Set(below)].filter((name) => name !== '*')
  return names.length === 0 ? undefined : names
}
