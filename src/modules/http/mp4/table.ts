/** A table of an atom: entries of one width, of which a range is kept. */
import { atomOf, large, setLarge } from './atoms.ts'

/** Version, flags and number of entries. */
const HEAD_SIZE = 8

export class Table {
  /** Bytes of an entry. */
  readonly width: number
  /** What stands before the entries. */
  readonly #head: Buffer
  #entries: Buffer

  private constructor(head: Buffer, entries: Buffer, width: number) {
    this.#head = head
    this.#entries = entries
    this.width = width
  }

  /** The table in the data of an atom, whose head is `headSize` long; undefined when the data is too short for it. */
  static read(data: Buffer, width: number, headSize = HEAD_SIZE): Table | undefined {
    if (data.length < headSize) return undefined
    const size = data.readUInt32BE(headSize - 4) * width
    if (headSize + size > data.length) return undefined
    return new Table(data.subarray(0, headSize), data.subarray(headSize, headSize + size), width)
  }

  get count(): number {
    return this.#entries.length / this.width
  }

  /** Number `field` of an entry. */
  get(entry: number, field: number): number {
    return this.#entries.readUInt32BE(entry * this.width + field * 4)
  }

  set(entry: number, field: number, value: number): void {
    // A file that contradicts itself leads to numbers that are none: they wrap around, as nginx's do.
    this.#entries.writeUInt32BE(value >>> 0, entry * this.width + field * 4)
  }

  getLarge(entry: number): number {
    return large(this.#entries, entry * this.width)
  }

  setLarge(entry: number, value: number): void {
    setLarge(this.#entries, Math.max(0, value), entry * this.width)
  }

  dropBefore(entry: number): void {
    this.#entries = this.#entries.subarray(entry * this.width)
  }

  /** Keeps the first entries. */
  keep(count: number): void {
    this.#entries = this.#entries.subarray(0, count * this.width)
  }

  /** The table as an atom, with more entries before and behind. */
  write(name: string, before: readonly Buffer[] = [], behind: readonly Buffer[] = []): Buffer {
    this.#head.writeUInt32BE(this.count + before.length + behind.length, this.#head.length - 4)
    return atomOf(name, [this.#head, ...before, this.#entries, ...behind])
  }
}
