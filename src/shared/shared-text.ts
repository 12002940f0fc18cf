/**
 * One text that all threads share, with a number that changes whenever it does: for lists that people change, which must
 * be the same everywhere at once.
 *
 *   zone header | version | bytes of text | text (UTF-8)
 */
import type { Lock } from './lock.ts'
import { ZONE_HEADER_WORDS, Zone } from './zone.ts'

const VERSION = ZONE_HEADER_WORDS
const LENGTH = ZONE_HEADER_WORDS + 1
const TEXT_AT_BYTES = 64

/** The text of one zone as one thread sees it. */
export class SharedText {
  readonly #zone: Zone
  readonly #text: Buffer

  private constructor(zone: Zone) {
    this.#zone = zone
    this.#text = Buffer.from(zone.buffer, TEXT_AT_BYTES)
  }

  /** The text in a buffer; undefined when that is something else. */
  static attach(name: string, buffer: SharedArrayBuffer, kind: string): SharedText | undefined {
    const zone = Zone.attach(name, buffer, kind)
    return zone === undefined ? undefined : new SharedText(zone)
  }

  /** Changes with every write; 0: there was none. */
  get version(): number {
    return Atomics.load(this.#zone.words, VERSION)
  }

  /** To be held while the text is read or written. */
  get lock(): Lock {
    return this.#zone.lock
  }

  /** The text; empty before the first write. */
  read(): string {
    return this.#text.toString('utf8', 0, this.#zone.words[LENGTH])
  }

  /** Replaces the text; false, and nothing is changed, when it is too long. */
  write(text: string): boolean {
    const { words } = this.#zone
    if (Buffer.byteLength(text, 'utf8') > this.#text.length) return false
    words[LENGTH] = this.#text.write(text, 0, 'utf8')
    Atomics.add(words, VERSION, 1)
    return true
  }
}
