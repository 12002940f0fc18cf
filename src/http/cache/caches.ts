/** The caches of one tree: zones, folders and what is checked of both, and how locations find theirs. */
import nodePath from 'node:path'
import type { Position } from '../../config/source.ts'
import { statPath } from '../../lib/file-status.ts'
import { CACHE_ZONE_KIND } from '../../shared/cache/memory.ts'
import { ZONE_SIZE_MIN, Zone } from '../../shared/zone.ts'
import type { ZoneBinding } from '../../tree/context.ts'
import type { HttpTree } from '../compile/module.ts'
import { Cache } from './cache.ts'
import type { CachePath } from './cache-path.ts'
import { CacheRoom } from './room.ts'

/** What this thread keeps of zones, by their ids: it outlives configurations. */
const rooms = new Map<number, { readonly room: CacheRoom; owner: Caches }>()

interface Declared {
  readonly family: string
  readonly cache: Cache
  readonly zoneId: number
}

/** The caches of one tree. */
export class Caches {
  readonly #tree: HttpTree
  readonly #declared = new Map<string, Declared>()

  constructor(tree: HttpTree) {
    this.#tree = tree
    tree.onStart(() => this.#begin())
    tree.onExit(() => this.#end())
  }

  /** Takes the `*_cache_path` of one family (`proxy`, `fastcgi` ...), whose zones are its own. */
  declare(family: string, paths: readonly CachePath[]): void {
    for (const cachePath of paths) this.#declare(family, cachePath)
  }

  #declare(family: string, cachePath: CachePath): void {
    const tree = this.#tree
    const { name, path, at } = cachePath
    for (const { cache } of this.#declared.values()) {
      if (cache.path.path !== path) continue
      const { file, line } = cache.path.at
      const problem = `the same path name "${path}" used in ${file}:${line} and`
      // nginx does not see that a slash at the end makes no difference, and starts.
      if (cache.path.slash !== cachePath.slash) tree.warn(problem, at)
      else {
        tree.fail(problem, at)
        return
      }
    }
    const known = this.#declared.get(name)
    if (known?.family === family && known.cache.path.zoneSize === cachePath.zoneSize) {
      tree.fail(`duplicate zone "${name}"`, at)
      return
    }
    tree.tempPath(path)
    const buffer = tree.zone(
      name,
      Math.max(cachePath.zoneSize, ZONE_SIZE_MIN),
      `${family}_cache`,
      at,
      bindingOf(cachePath),
    )
    const zone = buffer === undefined ? undefined : Zone.attach(name, buffer, CACHE_ZONE_KIND)
    if (known !== undefined) return
    const room = zone === undefined ? undefined : this.#roomOf(zone, cachePath)
    this.#declared.set(name, { family, cache: new Cache(cachePath, room), zoneId: zone?.id ?? 0 })
  }

  #roomOf(zone: Zone, cachePath: CachePath): CacheRoom {
    const known = rooms.get(zone.id)
    if (known !== undefined) return known.room
    const room = new CacheRoom(zone, cachePath)
    rooms.set(zone.id, { room, owner: this })
    return room
  }

  /** The cache of a zone that this family has declared. */
  find(family: string, zone: string): Cache | undefined {
    const found = this.#declared.get(zone)
    return found?.family === family ? found.cache : undefined
  }

  /** All of them by the names of their zones; those of different families may have the same. */
  get all(): ReadonlyMap<string, Cache> {
    return new Map([...this.#declared].map(([zone, { cache }]) => [zone, cache]))
  }

  /** All of them, for those who look after their files. */
  get paths(): readonly CachePath[] {
    return [...this.#declared.values()].map(({ cache }) => cache.path)
  }

  /** Requests come from now on: zones that stay have new settings. */
  #begin(): void {
    for (const { cache, zoneId } of this.#declared.values()) {
      const kept = rooms.get(zoneId)
      if (kept === undefined) continue
      kept.owner = this
      kept.room.path = cache.path
    }
  }

  /** Another tree has begun, or none: zones that it does not have are let go of. */
  #end(): void {
    for (const [id, { owner, room }] of rooms) {
      if (owner !== this) continue
      room.memory.clear()
      rooms.delete(id)
    }
  }
}

/** The caches of a tree. */
export function cachesOf(tree: HttpTree): Caches {
  return tree.shared('caches', () => new Caches(tree))
}

/** What may not change while a zone lives. */
function bindingOf({ name, path, levels }: CachePath): ZoneBinding {
  return {
    owner: `cache "${name}"`,
    kind: 'cache path',
    value: path,
    shape: { value: levels.join(':'), changed: `cache "${name}" had previously different levels` },
  }
}

/** Warns when files would have to be copied from the folder where they are made to the cache, in which they are kept. */
export function warnOfCopies(
  tree: Pick<HttpTree, 'role' | 'checked' | 'warn'>,
  cachePath: CachePath,
  tempFolder: string,
  at?: Position,
): void {
  if (tree.role !== 'master' || tree.checked || !cachePath.useTempPath) return
  const [from, to] = [deviceOf(tempFolder), deviceOf(cachePath.path)]
  if (from === undefined || to === undefined || from === to) return
  const advice = 'use "use_temp_path=off"'
  tree.warn(`"${tempFolder}" and cache path "${cachePath.path}" are on different file systems: ${advice}`, at)
}

/** The device of a folder, or of the nearest one above it that is there. */
function deviceOf(folder: string): number | undefined {
  for (let path = folder; ; path = nodePath.dirname(path)) {
    const found = statPath(path)
    if (typeof found !== 'string') return found.dev
    if (path === nodePath.dirname(path)) return undefined
  }
}
