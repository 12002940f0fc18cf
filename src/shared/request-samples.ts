/**
 * The last requests that somebody wants to see, as short texts in a ring that all threads share: the newest take the
 * places of the oldest.
 *
 *   zone header | written so far | { size of text | text } x SLOTS
 */
import { ZONE_HEADER_WORDS, Zone } from './zone.ts'

const KIND = 'request samples'
const WRITTEN = ZONE_HEADER_WORDS
const FIRST_BYTE = 64
const SLOTS = 512
const SLOT_BYTES = 1024

/** Bytes of the ring. */
export const SAMPLES_SIZE: number = FIRST_BYTE + SLOTS * SLOT_BYTES

/** The ring as one thread sees it. */
export class RequestSamples {
  readonly #zone: Zone
  readonly #bytes: Buffer

  private constructor(zone: Zone) {
    this.#zone = zone
    this.#bytes = Buffer.from(zone.buffer)
  }

  /** The ring in a buffer. */
  static attach(name: string, buffer: SharedArrayBuffer): RequestSamples | undefined {
    const zone = Zone.attach(name, buffer, KIND)
    return zone === undefined ? undefined : new RequestSamples(zone)
  }

  /** Adds a text; one that is too long is left out. */
  add(text: string): void {
    const size = Buffer.byteLength(text, 'utf8')
    if (size > SLOT_BYTES - 4) return
    const { words, lock } = this.#zone
    lock.enter()
    const slot = (words[WRITTEN]! >>> 0) % SLOTS
    words[WRITTEN] = (words[WRITTEN]! + 1) | 0
    const at = FIRST_BYTE + slot * SLOT_BYTES
    words[at >> 2] = this.#bytes.write(text, at + 4, 'utf8')
    lock.leave()
  }

  /** How many were added in all. */
  get written(): number {
    return this.#zone.words[WRITTEN]! >>> 0
  }

  /** The newest texts first. */
  newest(count: number): readonly string[] {
    const { words, lock } = this.#zone
    const texts: string[] = []
    lock.enter()
    const written = words[WRITTEN]! >>> 0
    for (let n = 1; n <= Math.min(count, SLOTS, written); n++) {
      const at = FIRST_BYTE + ((written - n) % SLOTS) * SLOT_BYTES
      texts.push(this.#bytes.toString('utf8', at + 4, at + 4 + words[at >> 2]!))
    }
    lock.leave()
    return texts
  }
}
