/** A map of limited size that forgets the entry used longest ago. */

/** An entry in the circle of all: from the one used longest ago to the newest, the circle's own between them. */
interface Link<K, V> {
  readonly key: K
  value: V
  older: Link<K, V>
  newer: Link<K, V>
}

export class Lru<K, V> {
  readonly #entries = new Map<K, Link<K, V>>()
  /** Stands between the newest and the oldest. */
  readonly #ends: Link<K, V>
  readonly #countMax: number
  readonly #onEvict: ((key: K, value: V) => void) | undefined

  /** `onEvict` is called for entries pushed out or removed by `delete` and `clear`, not for replaced values. */
  constructor(countMax: number, onEvict?: (key: K, value: V) => void) {
    this.#countMax = countMax
    this.#onEvict = onEvict
    const ends = {} as { -readonly [N in keyof Link<K, V>]: Link<K, V>[N] }
    ends.older = ends.newer = ends
    this.#ends = ends
  }

  get count(): number {
    return this.#entries.size
  }

  /** Returns the value and makes it the most recently used. */
  get(key: K): V | undefined {
    const link = this.#entries.get(key)
    if (link === undefined) return undefined
    if (link !== this.#ends.older) {
      takeOut(link)
      this.#makeNewest(link)
    }
    return link.value
  }

  /** Returns the value and leaves the order as it is. */
  peek(key: K): V | undefined {
    return this.#entries.get(key)?.value
  }

  /** Adds or replaces an entry, and evicts the oldest when there is one too many. */
  set(key: K, value: V): void {
    const known = this.#entries.get(key)
    const link = known ?? { key, value, older: this.#ends, newer: this.#ends }
    if (known !== undefined) {
      known.value = value
      takeOut(known)
    } else this.#entries.set(key, link)
    this.#makeNewest(link)
    if (this.#entries.size > this.#countMax) this.delete(this.#ends.newer.key)
  }

  delete(key: K): boolean {
    const link = this.#entries.get(key)
    if (link === undefined) return false
    const { value } = link
    this.#entries.delete(key)
    takeOut(link)
    // The map's old tables may hold the entry for long (roster.ts): not also what was in it.
    link.value = undefined as V
    this.#onEvict?.(key, value)
    return true
  }

  clear(): void {
    for (let oldest = this.oldest; oldest !== undefined; oldest = this.oldest) this.delete(oldest[0])
  }

  /** The entry used longest ago. */
  get oldest(): [K, V] | undefined {
    const link = this.#ends.newer
    return link === this.#ends ? undefined : [link.key, link.value]
  }

  #makeNewest(link: Link<K, V>): void {
    const ends = this.#ends
    link.older = ends.older
    link.newer = ends
    ends.older.newer = link
    ends.older = link
  }
}

/** What is out points to nobody, or old entries would keep young ones. */
function takeOut<K, V>(link: Link<K, V>): void {
  link.older.newer = link.newer
  link.newer.older = link.older
  link.older = link.newer = link
}
