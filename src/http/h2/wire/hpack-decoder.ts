/**
 * HPACK, the reading side (RFC 7541): one decoder per connection, whole header blocks. Entries of both tables are strings
 * with their hash, so that a field which was sent before costs no more than looking it up.
 *
 *   dynamic table   a ring of entries, the newest at `#head - 1`; index 62 is the newest
 */
import { hashName } from '../../message/field-names.ts'
import { STATIC_NAMES, STATIC_VALUES } from './hpack-table.ts'
import { huffmanDecode } from './huffman.ts'

/** Receives the fields of one block in order. `name` is as sent; `hash` is its `hashName`. */
export interface FieldReceiver {
  onField(name: string, hash: number, value: string): void
}

const STATIC_COUNT = STATIC_NAMES.length
const STATIC_HASHES = Int32Array.from(STATIC_NAMES, hashName)
/** What an entry counts for beyond its bytes (RFC 7541, 4.1). */
const ENTRY_OVERHEAD = 32
/** Integers have at most so many bits behind their prefix: 268,435,455 is more than any frame needs. */
const INTEGER_SHIFT_MAX = 21

export class HpackDecoder {
  readonly #tableMax: number
  /** What the peer keeps to; at most `#tableMax`. */
  #limit: number
  readonly #mask: number
  readonly #names: string[] = []
  readonly #values: string[] = []
  readonly #hashes: number[] = []
  #head = 0
  #count = 0
  #size = 0
  #buffer!: Buffer
  #at = 0
  #end = 0
  #textMax = 0
  /** What was wrong with the block that `decode` refused. */
  problem = ''
  /** An integer of that block went on behind its end. */
  truncated = false
  /** A text of that block was longer than it may be. */
  tooLong = false

  /** `tableMax` is the SETTINGS_HEADER_TABLE_SIZE that the peer was told. */
  constructor(tableMax: number) {
    this.#tableMax = tableMax
    this.#limit = tableMax
    let capacity = 1
    while (capacity * ENTRY_OVERHEAD <= tableMax) capacity *= 2
    this.#mask = capacity - 1
  }

  /** Bytes in the dynamic table, as HPACK counts them. */
  get tableSize(): number {
    return this.#size
  }

  /**
   * Decodes one whole block. False: it is malformed (COMPRESSION_ERROR), and the connection cannot go on. `textMax` is how
   * many bytes a name or value may have as it is written out: what is in a table, or becomes longer, does not count.
   */
  decode(buffer: Buffer, start: number, end: number, to: FieldReceiver, textMax = Infinity): boolean {
    this.#buffer = buffer
    this.#at = start
    this.#end = end
    this.#textMax = textMax
    this.truncated = this.tooLong = false
    if (!this.#sizeUpdates()) return false
    while (this.#at < end) {
      const first = buffer[this.#at++]!
      if (first >= 0x80) {
        const index = this.#integer(first, 0x7f)
        if (index <= STATIC_COUNT && index > 0) {
          to.onField(STATIC_NAMES[index - 1]!, STATIC_HASHES[index - 1]!, STATIC_VALUES[index - 1]!)
          continue
        }
        const slot = this.#slot(index)
        if (slot < 0) return this.#badIndex(index)
        to.onField(this.#names[slot]!, this.#hashes[slot]!, this.#values[slot]!)
      } else if (first >= 0x40) {
        if (!this.#literal(first, 0x3f, true, to)) return false
      } else if (first >= 0x20) return this.#fail('dynamic table size update inside of a header block')
      else if (!this.#literal(first, 0x0f, false, to)) return false
    }
    return true
  }

  /** Size updates may only stand at the beginning. */
  #sizeUpdates(): boolean {
    while (this.#at < this.#end && (this.#buffer[this.#at]! & 0xe0) === 0x20) {
      const size = this.#integer(this.#buffer[this.#at++]!, 0x1f)
      if (size < 0) return this.#fail('too large integer')
      if (size > this.#tableMax) return this.#fail('too large dynamic table size update')
      this.#limit = size
      this.#evict(0)
    }
    return true
  }

  /** A field whose value, and maybe its name, is written out. */
  #literal(first: number, prefix: number, indexed: boolean, to: FieldReceiver): boolean {
    const index = this.#integer(first, prefix)
    let name: string | undefined
    let hash: number
    if (index === 0) {
      name = this.#string()
      if (name === undefined) return this.#fail('malformed text')
      hash = hashName(name)
    } else if (index > 0 && index <= STATIC_COUNT) {
      name = STATIC_NAMES[index - 1]!
      hash = STATIC_HASHES[index - 1]!
    } else {
      const slot = this.#slot(index)
      if (slot < 0) return this.#badIndex(index)
      name = this.#names[slot]!
      hash = this.#hashes[slot]!
    }
    const value = this.#string()
    if (value === undefined) return this.#fail('malformed text')
    if (indexed) this.#add(name, hash, value)
    to.onField(name, hash, value)
    return true
  }

  #badIndex(index: number): false {
    return this.#fail(index < 0 ? 'too large integer' : `invalid table index ${index}`)
  }

  #fail(problem: string): false {
    this.problem = problem
    return false
  }

  /** Reads an integer whose prefix is in `first`; -1 when it does not end or is too large. */
  #integer(first: number, prefix: number): number {
    let value = first & prefix
    if (value < prefix) return value
    for (let shift = 0; shift <= INTEGER_SHIFT_MAX; shift += 7) {
      if (this.#at >= this.#end) {
        this.truncated = true
        return -1
      }
      const byte = this.#buffer[this.#at++]!
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    return -1
  }

  #string(): string | undefined {
    const buffer = this.#buffer
    if (this.#at >= this.#end) return undefined
    const first = buffer[this.#at++]!
    const length = this.#integer(first, 0x7f)
    const start = this.#at
    const stop = start + length
    if (length > this.#textMax) this.tooLong = true
    if (this.tooLong || length < 0 || stop > this.#end) return undefined
    this.#at = stop
    return first >= 0x80 ? huffmanDecode(buffer, start, stop) : buffer.latin1Slice(start, stop)
  }

  // ---- the dynamic table ----------------------------------------------------------------------

  /** The place of an index of the wire, or -1. */
  #slot(index: number): number {
    const age = index - STATIC_COUNT
    return age < 1 || age > this.#count ? -1 : (this.#head - age) & this.#mask
  }

  #add(name: string, hash: number, value: string): void {
    const size = name.length + value.length + ENTRY_OVERHEAD
    this.#evict(size)
    // An entry that is larger than the table empties it.
    if (size > this.#limit) return
    const slot = this.#head
    this.#head = (slot + 1) & this.#mask
    this.#names[slot] = name
    this.#hashes[slot] = hash
    this.#values[slot] = value
    this.#count++
    this.#size += size
  }

  /** Makes room for `size` bytes. */
  #evict(size: number): void {
    while (this.#count > 0 && this.#size + size > this.#limit) {
      const slot = (this.#head - this.#count) & this.#mask
      this.#size -= this.#names[slot]!.length + this.#values[slot]!.length + ENTRY_OVERHEAD
      this.#names[slot] = this.#values[slot] = ''
      this.#count--
    }
  }
}
