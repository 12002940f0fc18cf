/** Writes databases of MaxMind's format. */

/** A value with its type: numbers have many. */
export type Value = string | boolean | readonly Value[] | { readonly [key: string]: Value } | Typed
interface Typed {
  readonly type: 'double' | 'float' | 'uint16' | 'uint32' | 'int32' | 'uint64' | 'uint128' | 'bytes'
  readonly value: bigint | number | Buffer
}

const TYPES = { double: 3, bytes: 4, uint16: 5, uint32: 6, int32: 8, uint64: 9, uint128: 10, float: 15 } as const
const MAP = 7
const ARRAY = 11
const BOOLEAN = 14

function head(type: number, size: number): Buffer {
  const extended = type > MAP
  const more = size < 29 ? 0 : size < 285 ? 1 : size < 65821 ? 2 : 3
  const bytes = [((extended ? 0 : type) << 5) | (more === 0 ? size : 28 + more)]
  if (extended) bytes.push(type - MAP)
  const rest = size - [0, 29, 285, 65821][more]!
  for (let i = more - 1; i >= 0; i--) bytes.push((rest >> (8 * i)) & 255)
  return Buffer.from(bytes)
}

function isTyped(value: object): value is Typed {
  return 'type' in value && 'value' in value
}

/** The bytes of a value. */
export function encode(value: Value): Buffer {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value)
    return Buffer.concat([head(2, bytes.length), bytes])
  }
  if (typeof value === 'boolean') return head(BOOLEAN, value ? 1 : 0)
  if (Array.isArray(value)) return Buffer.concat([head(ARRAY, value.length), ...value.map(encode)])
  if (isTyped(value)) return encodeTyped(value)
  const pairs = Object.entries(value)
  return Buffer.concat([head(MAP, pairs.length), ...pairs.flatMap(([key, inner]) => [encode(key), encode(inner)])])
}

function encodeTyped({ type, value }: Typed): Buffer {
  let bytes: Buffer
  if (Buffer.isBuffer(value)) bytes = value
  else if (type === 'double' || type === 'float') {
    bytes = Buffer.alloc(type === 'double' ? 8 : 4)
    if (type === 'double') bytes.writeDoubleBE(Number(value))
    else bytes.writeFloatBE(Number(value))
  } else {
    const number = type === 'int32' ? BigInt.asUintN(32, BigInt(value as bigint)) : BigInt(value as bigint)
    const hex = number === 0n ? '' : number.toString(16)
    bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  }
  return Buffer.concat([head(TYPES[type], bytes.length), bytes])
}

/** A pointer to a place in the data section. */
export function pointer(to: number): Buffer {
  if (to < 2048) return Buffer.from([(1 << 5) | (to >> 8), to & 255])
  const bytes = Buffer.from([0x38, 0, 0, 0, 0])
  bytes.writeUInt32BE(to, 1)
  return bytes
}

/** A record for a network: `address` as bits. */
export interface Network {
  readonly bits: string
  readonly record: Buffer
}

/** The bits of an address of IPv4, in a tree of that version or of IPv6. */
export function bitsOf(address: string, length: number, version: 4 | 6): string {
  const bits = address
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('')
    .slice(0, length)
  return (version === 6 ? '0'.repeat(96) : '') + bits
}

/** A database. */
export function makeMmdb(
  networks: readonly Network[],
  recordSize: 24 | 28 | 32,
  version: 4 | 6,
  extra: Value = {},
): Buffer {
  const nodes: (number | undefined)[][] = [[undefined, undefined]]
  const data: Buffer[] = []
  let dataSize = 0
  const leaves: [node: number, side: number, at: number][] = []
  for (const { bits, record } of networks) {
    let node = 0
    for (const bit of bits.slice(0, -1)) {
      const next = nodes[node]![Number(bit)]
      if (next === undefined) nodes.push([undefined, undefined])
      nodes[node]![Number(bit)] = next ?? nodes.length - 1
      node = nodes[node]![Number(bit)]!
    }
    leaves.push([node, Number(bits.at(-1)), dataSize])
    data.push(record)
    dataSize += record.length
  }
  const count = nodes.length
  for (const [node, side, at] of leaves) nodes[node]![side] = count + 16 + at
  const tree = nodes.map(([left = count, right = count]) => encodeNode(left, right, recordSize))
  const metadata = {
    binary_format_major_version: { type: 'uint16', value: 2 },
    binary_format_minor_version: { type: 'uint16', value: 0 },
    build_epoch: { type: 'uint64', value: 1700000000 },
    database_type: 'Test',
    description: {},
    ip_version: { type: 'uint16', value: version },
    languages: ['en'],
    node_count: { type: 'uint32', value: count },
    record_size: { type: 'uint16', value: recordSize },
    ...(extra as object),
  } satisfies Value
  const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
  return Buffer.concat([...tree, Buffer.alloc(16), ...data, marker, encode(metadata)])
}

function encodeNode(left: number, right: number, recordSize: 24 | 28 | 32): Buffer {
  const bytes = Buffer.alloc(recordSize / 4)
  if (recordSize === 32) {
    bytes.writeUInt32BE(left, 0)
    bytes.writeUInt32BE(right, 4)
  } else {
    bytes.writeUIntBE(left % 2 ** 24, 0, 3)
    bytes.writeUIntBE(right % 2 ** 24, recordSize === 24 ? 3 : 4, 3)
    if (recordSize === 28) bytes[3] = (Math.floor(left / 2 ** 24) << 4) | Math.floor(right / 2 ** 24)
  }
  return bytes
}
