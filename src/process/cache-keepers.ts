/**
 * The keepers of an engine's caches, in its main thread: one for each keys zone, as long as the zone lives. Their code is
 * loaded when there is a cache.
 */

import type { CachePath } from '../http/cache/cache-path.ts'
import type { Keeper, KeeperLog } from '../http/cache/keeper/keeper.ts'
import { CACHE_ZONE_KIND } from '../shared/cache/memory.ts'
import { Zone } from '../shared/zone.ts'

/** Begins and ends keepers as configurations come and go. */
export class CacheKeepers {
  readonly #log: KeeperLog
  readonly #keepers = new Map<number, Keeper>()
  /** What is to be looked after, by the zone's id: a keeper that is being loaded asks whether it still is. */
  readonly #wanted = new Map<number, CachePath>()

  constructor(log: KeeperLog) {
    this.#log = log
  }

  /** Looks after exactly these caches from now on; `buffers` are the zones by name. */
  settle(paths: readonly CachePath[], buffers: ReadonlyMap<string, SharedArrayBuffer>): void {
    const left = new Set(this.#wanted.keys())
    for (const path of paths) {
      const buffer = buffers.get(path.name)
      const zone = buffer === undefined ? undefined : Zone.attach(path.name, buffer, CACHE_ZONE_KIND)
      if (zone === undefined) continue
      const isNew = !left.delete(zone.id) && !this.#wanted.has(zone.id)
      this.#wanted.set(zone.id, path)
      const known = this.#keepers.get(zone.id)
      if (known !== undefined) known.path = path
      else if (isNew) void this.#begin(zone)
    }
    for (const id of left) {
      this.#wanted.delete(id)
      this.#keepers.get(id)?.stop()
      this.#keepers.delete(id)
    }
  }

  async #begin(zone: Zone): Promise<void> {
    const { Keeper } = await import('../http/cache/keeper/keeper.ts')
    const path = this.#wanted.get(zone.id)
    if (path === undefined || this.#keepers.has(zone.id)) return
    const keeper = new Keeper(zone, path, this.#log)
    this.#keepers.set(zone.id, keeper)
    keeper.start()
  }

  /** Ends all of them; what they know is written down. */
  stop(): void {
    for (const keeper of this.#keepers.values()) keeper.stop()
    this.#keepers.clear()
    this.#wanted.clear()
  }
}
