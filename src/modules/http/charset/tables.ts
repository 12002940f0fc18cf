/** Tables between character sets (`charset_map`) and what they do to bodies. One side of a table may be UTF-8. */
import { NO_BYTES } from '../../../lib/bytes.ts'

/** Turns bytes of one character set into another; keeps incomplete characters from one piece to the next. */
export interface Recoder {
  recode(bytes: Uint8Array): Uint8Array
}

/** How to make recoders from one character set to another. */
export interface Recoding {
  /** Every byte becomes one byte: the length of a body stays. */
  readonly sameLength: boolean
  start(): Recoder
}

const QUESTION = 0x3f
const ASCII_END = 0x80
/** Code points that a table of two bytes can hold. */
const PLANE_SIZE = 0x10000

/** One table between single-byte character sets, filled while the configuration loads. */
export class ByteTable {
  readonly #forth = asciiTable()
  readonly #back = asciiTable()

  set(from: number, to: number): void {
    this.#forth[from] = to
    this.#back[to] = from
  }

  get forth(): Recoding {
    return byteRecoding(this.#forth)
  }

  get back(): Recoding {
    return byteRecoding(this.#back)
  }
}

function asciiTable(): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (byte < ASCII_END ? byte : QUESTION))
}

function byteRecoding(table: Uint8Array): Recoding {
  const recoder: Recoder = {
    recode(bytes) {
      const out = Buffer.allocUnsafe(bytes.length)
      for (let i = 0; i < bytes.length; i++) out[i] = table[bytes[i]!]!
      return out
    },
  }
  return { sameLength: true, start: () => recoder }
}

/** One table between a single-byte character set and UTF-8. */
export class Utf8Table {
  readonly #forth: Buffer[] = Array.from({ length: 256 }, (_, byte) =>
    Buffer.from([byte < ASCII_END ? byte : QUESTION]),
  )
  readonly #back = new Uint8Array(PLANE_SIZE)

  constructor() {
    for (let byte = 0; byte < ASCII_END; byte++) this.#back[byte] = byte
  }

  /** False when `to` is not one character of the basic plane. */
  set(from: number, to: Buffer): boolean {
    const code = decodeUtf8(to, 0)
    if (code < 0 || code >= PLANE_SIZE) return false
    this.#forth[from] = to
    this.#back[code] = from
    return true
  }

  /** To UTF-8. */
  get forth(): Recoding {
    const table = this.#forth
    const recoder: Recoder = { recode: (bytes) => toUtf8(bytes, table) }
    return { sameLength: false, start: () => recoder }
  }

  /** From UTF-8. */
  get back(): Recoding {
    const table = this.#back
    return { sameLength: false, start: () => new FromUtf8(table) }
  }
}

function toUtf8(bytes: Uint8Array, table: readonly Buffer[]): Uint8Array {
  let size = 0
  for (let i = 0; i < bytes.length; i++) size += table[bytes[i]!]!.length
  const out = Buffer.allocUnsafe(size)
  let at = 0
  for (let i = 0; i < bytes.length; i++) {
    const character = table[bytes[i]!]!
    for (let j = 0; j < character.length; j++) out[at++] = character[j]!
  }
  return out
}

/** Characters that the other set lacks become references such as `&#8364;`, what is no character a question mark. */
class FromUtf8 implements Recoder {
  readonly #table: Uint8Array
  #rest: Buffer = NO_BYTES

  constructor(table: Uint8Array) {
    this.#table = table
  }

  recode(bytes: Uint8Array): Uint8Array {
    const input = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    this.#rest = NO_BYTES
    let out = ''
    let at = 0
    while (at < input.length) {
      if (input[at]! < ASCII_END) {
        out += String.fromCharCode(input[at++]!)
        continue
      }
      const code = decodeUtf8(input, at)
      if (code === INCOMPLETE) {
        this.#rest = Buffer.from(input.subarray(at))
        break
      }
      at += decodedLength
      if (code < 0 || code > 0x10ffff) out += '?'
      else out += this.#character(code)
    }
    return Buffer.from(out, 'latin1')
  }

  #character(code: number): string {
    const byte = code < PLANE_SIZE ? this.#table[code]! : 0
    return byte === 0 ? `&#${code};` : String.fromCharCode(byte)
  }
}

const MALFORMED = -1
const INCOMPLETE = -2
/** Bytes that the last `decodeUtf8` has used. */
let decodedLength = 0

/** The character at `start`, or MALFORMED, or INCOMPLETE; as lenient as ngx_utf8_decode. */
function decodeUtf8(bytes: Uint8Array, start: number): number {
  const first = bytes[start]
  if (first === undefined) return INCOMPLETE
  decodedLength = 1
  if (first < ASCII_END) return first
  if (first < 0xc2 || first >= 0xf8) return MALFORMED
  const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1
  const least = more === 3 ? 0xffff : more === 2 ? 0x7ff : 0x7f
  if (bytes.length - start - 1 < more) return INCOMPLETE
  let code = first & (0x3f >> more)
  for (let i = 1; i <= more; i++) {
    const byte = bytes[start + i]!
    decodedLength++
    if (byte < ASCII_END) return MALFORMED
    code = (code << 6) | (byte & 0x3f)
  }
  return code > least ? code : MALFORMED
}
