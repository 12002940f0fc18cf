/** The keepers of an engine's caches, in its main thread: one for each keys zone, as long as the zone lives. */

import type { CachePath } from '../http/cache/cache-path.ts'
import { Keeper, type KeeperLog } from '../http/cache/keeper/keeper.ts'
import { CACHE_ZONE_KIND } from '../shared/cache/memory.ts'
import { Zone } from '../shared/zone.ts'

/** Begins and ends keepers as configurations come and go. */
export class CacheKeepers {
  readonly #log: KeeperLog
  readonly #keepers = new Map<number, Keeper>()

  constructor(log: KeeperLog) {
    this.#log = log
  }

  /** Looks after exactly these caches from now on; `buffers` are the zones by name. */
  settle(paths: readonly CachePath[], buffers: ReadonlyMap<string, SharedArrayBuffer>): void {
    const left = new Set(this.#keepers.keys())
    for (const path of paths) {
      const buffer = buffers.get(path.name)
      const zone = buffer === undefined ? undefined : Zone.attach(path.name, buffer, CACHE_ZONE_KIND)
      if (zone === undefined) continue
      left.delete(zone.id)
      const known = this.#keepers.get(zone.id)
      if (known === undefined) this.#begin(zone, path)
      else known.path = path
    }
    for (const id of left) {
      this.#keepers.get(id)!.stop()
      this.#keepers.delete(id)
    }
  }

  #begin(zone: Zone, path: CachePath): void {
    const keeper = new Keeper(zone, path, this.#log)
    this.#keepers.set(zone.id, keeper)
    keeper.start()
  }

  /** Ends all of them; what they know is written down. */
  stop(): void {
    for (const keeper of this.#keepers.values()) keeper.stop()
    this.#keepers.clear()
  }
}
