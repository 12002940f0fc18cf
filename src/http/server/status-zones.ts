/**
 * The `status_zone`s of a tree by name. A worker learns of those in servers that it has not read yet from the list of
 * shared memory, so that each of them can tell the counts of all.
 */
import type { Position } from '../../config/source.ts'
import type { HttpTree } from '../compile/module.ts'
import { defineSetting } from '../request/slots.ts'
import { ZONE_COUNTS_SIZE, ZoneCounts } from './zone-counts.ts'

/** What a zone is of: servers and locations have names of their own. */
export type ZoneOf = 'server' | 'location'

const TAG = 'http_status_zone'

/** Where handshakes with clients of a server are counted; set for the settings of its outermost level. */
export const SERVER_COUNTS = defineSetting<ZoneCounts | undefined>(undefined)

/** The zones of one tree. */
export class StatusZones {
  readonly #tree: HttpTree
  readonly #counts = new Map<string, ZoneCounts>()

  constructor(tree: HttpTree) {
    this.#tree = tree
  }

  /** Where to count for a zone; undefined where nothing is served. */
  use(of: ZoneOf, name: string, at?: Position): ZoneCounts | undefined {
    const key = `${prefixOf(of)}${name}`
    const known = this.#counts.get(key)
    if (known !== undefined) return known
    const buffer = this.#tree.zone(key, ZONE_COUNTS_SIZE, TAG, at)
    const made = buffer === undefined ? undefined : ZoneCounts.attach(key, buffer)
    if (made !== undefined) this.#counts.set(key, made)
    return made
  }

  /** Names of all zones, in order. */
  names(of: ZoneOf): readonly string[] {
    const prefix = prefixOf(of)
    const names = this.#tree.zoneNames().filter((name) => name.startsWith(prefix))
    return names.map((name) => name.slice(prefix.length)).toSorted()
  }

  /** The counts of all zones by their names, in order. */
  all(of: ZoneOf): ReadonlyMap<string, ZoneCounts> {
    const found = new Map<string, ZoneCounts>()
    for (const name of this.names(of)) {
      const counts = this.use(of, name)
      if (counts !== undefined) found.set(name, counts)
    }
    return found
  }

  /** The counts of a zone by its name. */
  find(of: ZoneOf, name: string): ZoneCounts | undefined {
    return this.names(of).includes(name) ? this.use(of, name) : undefined
  }
}

function prefixOf(of: ZoneOf): string {
  return `${of} zone `
}

/** The zones of a tree. */
export function statusZonesOf(tree: HttpTree): StatusZones {
  return tree.shared('status zones', () => new StatusZones(tree))
}
