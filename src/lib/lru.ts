/** A map of limited size that forgets the entry used longest ago. A `Map` keeps insertion order, so that is the list. */

export class Lru<K, V> {
  readonly #entries = new Map<K, V>()
  readonly #countMax: number
  readonly #onEvict: ((key: K, value: V) => void) | undefined

  /** `onEvict` is called for entries pushed out or removed by `delete` and `clear`, not for replaced values. */
  constructor(countMax: number, onEvict?: (key: K, value: V) => void) {
    this.#countMax = countMax
    this.#onEvict = onEvict
  }

  get count(): number {
    return this.#entries.size
  }

  /** Returns the value and makes it the most recently used. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  /** Returns the value and leaves the order as it is. */
  peek(key: K): V | undefined {
    return this.#entries.get(key)
  }

  /** Adds or replaces an entry, and evicts the oldest when there is one too many. */
  set(key: K, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size > this.#countMax) this.#evictOldest()
  }

  delete(key: K): boolean {
    const value = this.#entries.get(key)
    if (value === undefined) return false
    this.#entries.delete(key)
    this.#onEvict?.(key, value)
    return true
  }

  clear(): void {
    for (const key of [...this.#entries.keys()]) this.delete(key)
  }

  /** The entries from the one used longest ago to the newest. */
  entries(): IterableIterator<[K, V]> {
    return this.#entries.entries()
  }

  #evictOldest(): void {
    for (const key of this.#entries.keys()) {
      this.delete(key)
      return
    }
  }
}
