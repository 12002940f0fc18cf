/** Chance that can be repeated: the same seed gives the same numbers (mulberry32). */

/** One sequence of numbers. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** A whole number from 0, less than `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }

  /** One of them. */
  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }
}
