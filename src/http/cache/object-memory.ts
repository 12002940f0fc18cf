/**
 * What is asked for often, in the memory of this thread: whole files of one cache, decoded, up to a total size. Whether an
 * object is still true is for its user to find out (the index has its generation). Forgetting is a clock: what was used
 * since the last round is spared once.
 */
import type { VariantKeeper } from '../files/file-entry.ts'
import type { CachedObject } from './cached-object.ts'

/** What an object costs beyond its bytes. */
const OBJECT_WEIGHT = 1024

/** One object in its place. */
class Kept implements VariantKeeper {
  /** Undefined once it is forgotten: old tables of the map may hold this for long (lib/roster.ts). */
  object: CachedObject | undefined
  readonly #memory: ObjectMemory
  weight: number
  recent = false

  constructor(object: CachedObject, memory: ObjectMemory, weight: number) {
    this.object = object
    this.#memory = memory
    this.weight = weight
  }

  /** A compressed form was made of the body, and hangs on it. */
  onVariant(bytes: number): void {
    this.#memory.grow(this, bytes)
  }
}

/** The objects of one cache, by slot: the text of a main key, or the digits of a variant with a NUL before. */
export class ObjectMemory {
  /** Most bytes; 0 turns it off. */
  sizeMax = 0
  #size = 0
  readonly #kept = new Map<string, Kept>()

  /** Bytes held. */
  get size(): number {
    return this.#size
  }

  get count(): number {
    return this.#kept.size
  }

  get(slot: string): CachedObject | undefined {
    const kept = this.#kept.get(slot)
    if (kept === undefined) return undefined
    kept.recent = true
    return kept.object
  }

  /** Keeps an object whose body is in memory, in place of what was in the slot. */
  put(slot: string, object: CachedObject): void {
    this.delete(slot)
    const { entry, head } = object
    if (entry?.content === undefined) return
    const weight = OBJECT_WEIGHT + head.length + entry.size
    if (weight > this.sizeMax) return
    const kept = new Kept(object, this, weight)
    entry.keeper = kept
    object.hot = true
    this.#kept.set(slot, kept)
    this.#size += weight
    this.#trim(kept)
  }

  delete(slot: string): void {
    const kept = this.#kept.get(slot)
    if (kept !== undefined) this.#forget(slot, kept)
  }

  clear(): void {
    for (const [slot, kept] of this.#kept) this.#forget(slot, kept)
  }

  /** An object that is kept takes more. */
  grow(kept: Kept, bytes: number): void {
    if (kept.object?.hot !== true) return
    kept.weight += bytes
    this.#size += bytes
    this.#trim(kept)
  }

  #forget(slot: string, kept: Kept): void {
    this.#kept.delete(slot)
    this.#size -= kept.weight
    if (kept.object !== undefined) kept.object.hot = false
    kept.object = undefined
  }

  /** Forgets until the rest fits; `used` is in use right now and goes last. */
  #trim(used: Kept): void {
    while (this.#size > this.sizeMax) {
      const [first] = this.#kept
      if (first === undefined) return
      const [slot, oldest] = first
      if ((oldest === used && this.#kept.size > 1) || oldest.recent) {
        oldest.recent = false
        this.#kept.delete(slot)
        this.#kept.set(slot, oldest)
      } else {
        this.#forget(slot, oldest)
      }
    }
  }
}

/** The slot of a variant. */
export function variantSlot(hex: string): string {
  return '\0' + hex
}
