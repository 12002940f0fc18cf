/**
 * The last samples of some numbers, oldest first, in memory that one thread writes and all may read.
 *
 *   zone header | samples written | ring of rows of numbers, the first of which is the moment of the sample
 */
import { ZONE_HEADER_WORDS, Zone } from './zone.ts'

const KIND = 'number history'
const WRITTEN = ZONE_HEADER_WORDS
const FIRST_FLOAT = 16

/** Bytes for so many samples of so many numbers. */
export function numberHistorySize(samples: number, fields: number): number {
  return (FIRST_FLOAT + samples * (fields + 1)) * Float64Array.BYTES_PER_ELEMENT
}

/** The samples as one thread sees them. */
export class NumberHistory {
  readonly #words: Int32Array
  readonly #floats: Float64Array
  readonly #width: number
  readonly #most: number

  private constructor(zone: Zone, samples: number, fields: number) {
    this.#words = zone.words
    this.#floats = new Float64Array(zone.buffer)
    this.#width = fields + 1
    this.#most = samples
  }

  /** The samples in a buffer of `numberHistorySize`. */
  static attach(
    name: string,
    buffer: SharedArrayBuffer,
    { samples, fields }: { readonly samples: number; readonly fields: number },
  ): NumberHistory | undefined {
    const zone = Zone.attach(name, buffer, KIND)
    return zone === undefined ? undefined : new NumberHistory(zone, samples, fields)
  }

  /** Adds a sample; the oldest goes when there is no room. */
  add(atMs: number, values: readonly number[]): void {
    const written = Atomics.load(this.#words, WRITTEN)
    const at = FIRST_FLOAT + (written % this.#most) * this.#width
    this.#floats[at] = atMs
    for (let n = 1; n < this.#width; n++) this.#floats[at + n] = values[n - 1] ?? Number.NaN
    Atomics.store(this.#words, WRITTEN, written + 1)
  }

  /** All samples, each the moment and the numbers, but those that are being written over. */
  get all(): readonly (readonly number[])[] {
    const written = Atomics.load(this.#words, WRITTEN)
    const rows: number[][] = []
    // The oldest one is where the next will be.
    for (let n = Math.max(0, written - this.#most + 1); n < written; n++) {
      const at = FIRST_FLOAT + (n % this.#most) * this.#width
      rows.push([...this.#floats.subarray(at, at + this.#width)])
    }
    return rows
  }
}
