/**
 * MaxMind's database format (maxmind.github.io/MaxMind-DB): a binary tree over the bits of addresses, whose leaves point
 * to records. A value is found in place by its path: no record is made an object, and types are kept apart, because
 * what is written of a number depends on its type. (The libraries for Node give JavaScript's values, which have one type
 * of number.)
 *
 *     tree: nodes of two pointers   16 zeros   data: maps, texts, numbers ...   marker   metadata: a map
 */

const MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
/** The metadata stands in the last bytes. */
const METADATA_MAX = 131072
const SEPARATOR = 16
const DEPTH_MAX = 64
const NOWHERE = -1

const EXTENDED = 0
const POINTER = 1
const TEXT = 2
const DOUBLE = 3
const BYTES = 4
const UINT16 = 5
const UINT32 = 6
const MAP = 7
const INT32 = 8
const UINT64 = 9
const UINT128 = 10
const ARRAY = 11
const BOOLEAN = 14
const FLOAT = 15

/** One field's head: its type, its size, and where its content begins. */
interface Field {
  type: number
  size: number
  at: number
}

/** Reads fields of a section, whose pointers count from its beginning. */
class Section {
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Reads the head at `at`, pointers followed; false when it is broken. */
  #head(at: number, field: Field): boolean {
    if (!this.#ownHead(at, field)) return false
    if (field.type !== POINTER) return true
    // A pointer may not lead to another one.
    return this.#ownHead(field.size, field) && field.type !== POINTER
  }

  /** The same without following: for a pointer `size` is where it leads. */
  #ownHead(at: number, field: Field): boolean {
    const bytes = this.#bytes
    // The longest head.
    if (at < 0 || at >= bytes.length) return false
    const control = bytes[at]!
    let next = at + 1
    let type = control >> 5
    if (type === POINTER) return this.#pointer(control, next, field)
    if (type === EXTENDED) type = (bytes[next++] ?? 0) + MAP
    let size = control & 0x1f
    if (size > 28) {
      const more = size - 28
      if (next + more > bytes.length) return false
      size = SIZE_BASES[more]! + bytes.readUIntBE(next, more)
      next += more
    }
    field.type = type
    field.size = size
    field.at = next
    return type === MAP || type === ARRAY || type === BOOLEAN || next + size <= bytes.length
  }

  #pointer(control: number, at: number, field: Field): boolean {
    const count = ((control >> 3) & 3) + 1
    if (at + count > this.#bytes.length) return false
    const value = this.#bytes.readUIntBE(at, count)
    const high = count === 4 ? 0 : (control & 7) * 2 ** (8 * count)
    field.type = POINTER
    field.size = high + value + POINTER_BASES[count]!
    field.at = at + count
    return true
  }

  /** Where the field behind the one at `at` begins; NOWHERE when something is broken. */
  #behind(at: number, depth: number): number {
    const field: Field = { type: 0, size: 0, at: 0 }
    if (depth > DEPTH_MAX || !this.#ownHead(at, field)) return NOWHERE
    const { type, size } = field
    if (type === POINTER || type === BOOLEAN) return field.at
    if (type !== MAP && type !== ARRAY) return field.at + size
    let next = field.at
    for (let i = type === MAP ? size * 2 : size; i > 0 && next !== NOWHERE; i--) next = this.#behind(next, depth + 1)
    return next
  }

  /** Follows a path of keys and indexes from the field at `start`; false when it leads nowhere. */
  find(start: number, path: readonly string[], field: Field): boolean {
    if (!this.#head(start, field)) return false
    for (const step of path) {
      const at =
        field.type === MAP ? this.#value(field, step) : field.type === ARRAY ? this.#item(field, step) : NOWHERE
      if (at === NOWHERE || !this.#head(at, field)) return false
    }
    return true
  }

  #value({ at, size }: Field, key: string): number {
    const found: Field = { type: 0, size: 0, at: 0 }
    let next = at
    for (let i = 0; i < size; i++) {
      if (!this.#head(next, found) || found.type !== TEXT) return NOWHERE
      const isKey = found.size === key.length && this.#bytes.latin1Slice(found.at, found.at + found.size) === key
      next = this.#behind(next, 0)
      if (isKey || next === NOWHERE) return next
      next = this.#behind(next, 0)
      if (next === NOWHERE) return NOWHERE
    }
    return NOWHERE
  }

  #item({ at, size }: Field, step: string): number {
    const index = /^-?\d+$/.test(step) ? Number(step) : Number.NaN
    const wanted = index < 0 ? size + index : index
    if (!(wanted >= 0 && wanted < size)) return NOWHERE
    let next = at
    for (let i = 0; i < wanted && next !== NOWHERE; i++) next = this.#behind(next, 0)
    return next
  }

  /** The field as the module for nginx writes it; undefined for what it does not write. */
  text({ type, size, at }: Field): string | undefined {
    const bytes = this.#bytes
    switch (type) {
      case TEXT:
      case BYTES:
        return bytes.latin1Slice(at, at + size)
      case DOUBLE:
        return size === 8 ? bytes.readDoubleBE(at).toFixed(5) : undefined
      case FLOAT:
        return size === 4 ? bytes.readFloatBE(at).toFixed(5) : undefined
      case BOOLEAN:
        return size === 0 ? '0' : '1'
      case UINT16:
      case UINT32:
      case UINT64:
        return String(this.#unsigned(at, size))
      case INT32:
        return String(Number(this.#unsigned(at, size)) | 0)
      case UINT128:
        return `0x${this.#unsigned(at, size).toString(16).padStart(32, '0')}`
      default:
        return undefined
    }
  }

  #unsigned(at: number, size: number): bigint {
    return size === 0 ? 0n : BigInt(`0x${this.#bytes.hexSlice(at, at + size)}`)
  }
}

const SIZE_BASES = [0, 29, 285, 65821]
const POINTER_BASES = [0, 0, 2048, 526336, 0]

/** One open database. */
export class Mmdb {
  /** When it was made, in seconds. */
  readonly buildEpoch: string
  readonly #bytes: Buffer
  readonly #data: Section
  readonly #nodeCount: number
  readonly #recordSize: number
  readonly #ipVersion: number
  /** The node behind 96 zeros, where IPv4 begins in a tree of IPv6. */
  readonly #ipv4Start: number
  #lastAddress = ''
  #lastRecord = NOWHERE

  private constructor(bytes: Buffer, { nodeCount, recordSize, ipVersion, buildEpoch }: Metadata) {
    this.buildEpoch = buildEpoch
    this.#bytes = bytes
    this.#nodeCount = nodeCount
    this.#recordSize = recordSize
    this.#ipVersion = ipVersion
    this.#data = new Section(bytes.subarray((nodeCount * recordSize) / 4 + SEPARATOR))
    let node = 0
    if (ipVersion === 6) for (let i = 0; i < 96 && node < nodeCount; i++) node = this.#child(node, 0)
    this.#ipv4Start = node
  }

  /** Reads a whole file; or what is wrong with it, in the words of MaxMind's own library. */
  static open(bytes: Buffer): Mmdb | string {
    const metadata = readMetadata(bytes, bytes.length)
    return typeof metadata === 'string' ? metadata : new Mmdb(bytes, metadata)
  }

  /** What would be wrong with a file of that size; `tail` are its last bytes, `TAIL_SIZE` or all. */
  static check(tail: Buffer, size: number): string {
    const metadata = readMetadata(tail, size)
    return typeof metadata === 'string' ? metadata : ''
  }

  /** The value that stands under a path in the record of an address (4 or 16 bytes, as a binary string). */
  value(address: string, path: readonly string[]): string | undefined {
    if (address !== this.#lastAddress) {
      this.#lastAddress = address
      this.#lastRecord = this.#lookUp(address)
    }
    const field: Field = { type: 0, size: 0, at: 0 }
    if (this.#lastRecord === NOWHERE || !this.#data.find(this.#lastRecord, path, field)) return undefined
    return this.#data.text(field)
  }

  #lookUp(address: string): number {
    const isIpv4 = address.length === 4
    if (!isIpv4 && (address.length !== 16 || this.#ipVersion === 4)) return NOWHERE
    let node = isIpv4 ? this.#ipv4Start : 0
    for (let i = 0; i < address.length && node < this.#nodeCount; i++) {
      const byte = address.charCodeAt(i)
      for (let bit = 7; bit >= 0 && node < this.#nodeCount; bit--) node = this.#child(node, (byte >> bit) & 1)
    }
    return node > this.#nodeCount ? node - this.#nodeCount - SEPARATOR : NOWHERE
  }

  #child(node: number, side: number): number {
    const bytes = this.#bytes
    switch (this.#recordSize) {
      case 24:
        return bytes.readUIntBE(node * 6 + side * 3, 3)
      case 28: {
        const at = node * 7
        const middle = bytes[at + 3]!
        const high = side === 0 ? middle >> 4 : middle & 0xf
        return high * 0x1000000 + bytes.readUIntBE(at + side * 4, 3)
      }
      default:
        return bytes.readUInt32BE(node * 8 + side * 4)
    }
  }
}

/** How much of a file's end `Mmdb.check` wants. */
export const TAIL_SIZE = METADATA_MAX

interface Metadata {
  readonly nodeCount: number
  readonly recordSize: number
  readonly ipVersion: number
  readonly buildEpoch: string
}

const INVALID = 'The MaxMind DB file contains invalid metadata'
const CORRUPT = "The MaxMind DB file's search tree is corrupt"

function readMetadata(bytes: Buffer, fileSize: number): Metadata | string {
  const marker = bytes.lastIndexOf(MARKER)
  if (marker < 0) return INVALID
  const section = new Section(bytes.subarray(marker + MARKER.length))
  const field: Field = { type: 0, size: 0, at: 0 }
  const read = (key: string) => (section.find(0, [key], field) ? (section.text(field) ?? '') : '')
  const nodeCount = Number(read('node_count'))
  const recordSize = Number(read('record_size'))
  const ipVersion = Number(read('ip_version'))
  if (read('binary_format_major_version') !== '2') return "The MaxMind DB file is in a format this library can't handle"
  if (nodeCount === 0 || ![24, 28, 32].includes(recordSize) || ![4, 6].includes(ipVersion)) return INVALID
  return (nodeCount * recordSize) / 4 + SEPARATOR > fileSize
    ? CORRUPT
    : { nodeCount, recordSize, ipVersion, buildEpoch: read('build_epoch') }
}
