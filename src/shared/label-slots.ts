/**
 * Places for numbers such as statuses, of which few of many possible ones occur: the first that needs one takes it, for
 * all threads and for good. They are words of a zone; 0 is a place that nobody has taken.
 */

/** Places, and words that they occupy. */
export const LABEL_SLOTS = 64
/** There is no place left. */
export const NO_SLOT = -1
const UNKNOWN = 0

/** The places in one zone as one thread sees them. */
export class LabelSlots {
  readonly #words: Int32Array
  readonly #at: number
  /** Place + 1 of each label that this thread has asked for. */
  readonly #known: Uint8Array

  /** Labels are from 1 to `max`. */
  constructor(words: Int32Array, at: number, max: number) {
    this.#words = words
    this.#at = at
    this.#known = new Uint8Array(max + 1)
  }

  /** The place of a label, from 0; NO_SLOT when others have all of them. */
  slotOf(label: number): number {
    const known = this.#known[label]!
    return known === UNKNOWN ? this.#claim(label) : known - 1
  }

  #claim(label: number): number {
    for (let slot = 0; slot < LABEL_SLOTS; slot++) {
      const before = Atomics.compareExchange(this.#words, this.#at + slot, 0, label)
      if (before !== 0 && before !== label) continue
      this.#known[label] = slot + 1
      return slot
    }
    return NO_SLOT
  }

  /** The label of a place; 0: nobody's. */
  labelAt(slot: number): number {
    return Atomics.load(this.#words, this.#at + slot)
  }
}
