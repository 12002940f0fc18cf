/** The shared zones of an engine: buffers by name, kept over reloads while size and use stay the same. */
import type { ZoneName } from './messages.ts'

interface Stored {
  readonly zone: ZoneName
  readonly buffer: SharedArrayBuffer
}

/** Owns the buffers; threads get references. */
export class ZoneStore {
  #stored = new Map<string, Stored>()

  /** The buffers by zone name. */
  get buffers(): ReadonlyMap<string, SharedArrayBuffer> {
    return new Map([...this.#stored].map(([name, { buffer }]) => [name, buffer]))
  }

  /** Makes the zones exactly those listed; a zone of another size or use starts empty, as in nginx. */
  settle(zones: readonly ZoneName[]): void {
    const next = new Map<string, Stored>()
    for (const zone of zones) {
      const old = this.#stored.get(zone.name)
      const same = old !== undefined && old.zone.size === zone.size && old.zone.tag === zone.tag
      next.set(zone.name, same ? old : { zone, buffer: new SharedArrayBuffer(zone.size) })
    }
    this.#stored = next
  }
}
