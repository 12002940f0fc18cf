/**
 * A first-in first-out queue of fixed size in one array that is never reallocated.
 *
 *     slots  [ . . a b c . . . ]     head -> a, tail -> the slot after c; both only grow, and are masked.
 */
import { assert } from './assert.ts'

export class Ring<T> {
  readonly #slots: (T | undefined)[]
  readonly #mask: number
  #head = 0
  #tail = 0

  /** `capacity` is a power of two. */
  constructor(capacity: number) {
    assert(capacity > 0 && (capacity & (capacity - 1)) === 0, 'ring capacity is a power of two')
    this.#slots = new Array<T | undefined>(capacity).fill(undefined)
    this.#mask = capacity - 1
  }

  get count(): number {
    return (this.#tail - this.#head) | 0
  }

  /** Adds at the end; false when the ring is full. */
  push(value: T): boolean {
    if (this.count > this.#mask) return false
    this.#slots[this.#tail & this.#mask] = value
    this.#tail = (this.#tail + 1) | 0
    return true
  }

  /** Takes from the front; undefined when the ring is empty. */
  shift(): T | undefined {
    if (this.#head === this.#tail) return undefined
    const at = this.#head & this.#mask
    const value = this.#slots[at]
    this.#slots[at] = undefined
    this.#head = (this.#head + 1) | 0
    return value
  }

  /** Returns the front without taking it. */
  peek(): T | undefined {
    return this.#slots[this.#head & this.#mask]
  }
}
