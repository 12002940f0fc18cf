/**
 * A file of the cache as nginx writes it (version 5, 64-bit little-endian), so that a folder that nginx has filled is warm
 * here and the other way round:
 *
 *      0 version   8 valid_sec   16 updating_sec   24 error_sec   32 last_modified   40 date   48 crc32 of the key
 *     52 valid_msec   54 header_start   56 body_start   58 etag_len   59 etag[128]   187 vary_len   188 vary[128]
 *    316 variant[16]   336 "\nKEY: " key "\n"   header_start: the head as it was received   body_start: the body
 */
import { hash } from 'node:crypto'
import { crc32 } from '../../lib/crc32.ts'
import type { KeyWords } from '../../shared/cache/memory.ts'

/** Bytes of the binary header. */
const HEADER_SIZE = 336
/** Longest ETag and Vary that the header has room for. */
const FIELD_MAX = 128
const VERSION = 5
const KEY_MARK = '\nKEY: '
/** Where the header says until when it is fresh. */
export const VALID_SEC = 8
const UPDATING_SEC = 16
const ERROR_SEC = 24
const LAST_MODIFIED = 32
const DATE = 40
const CRC = 48
const VALID_MSEC = 52
const HEADER_START = 54
const BODY_START = 56
const ETAG = 58
const VARY = 187
const VARIANT = 316
const START_MAX = 0xffff

/** A key: its text and what is made of it. */
export class CacheKey implements KeyWords {
  readonly text: string
  /** The 16 bytes of its MD5 as a binary string, and in digits. */
  readonly md5: string
  readonly hex: string
  readonly k0: number
  readonly k1: number
  readonly k2: number
  readonly k3: number
  #crc = -1

  private constructor(text: string, md5: Buffer) {
    this.text = text
    this.md5 = md5.latin1Slice()
    this.hex = md5.hexSlice()
    this.k0 = md5.readInt32LE(0)
    this.k1 = md5.readInt32LE(4)
    this.k2 = md5.readInt32LE(8)
    this.k3 = md5.readInt32LE(12)
  }

  /** The key of a text (a binary string). */
  static of(text: string): CacheKey {
    return new CacheKey(text, md5Of(text))
  }

  /** The key of a variant: the text is that of the main key. */
  static variant(text: string, md5: Buffer): CacheKey {
    return new CacheKey(text, md5)
  }

  get crc(): number {
    if (this.#crc < 0) this.#crc = crc32(this.text)
    return this.#crc
  }

  /** Where the head begins in the file. */
  get headerStart(): number {
    return HEADER_SIZE + KEY_MARK.length + this.text.length + 1
  }
}

const NOT_ASCII = /[^\0-\x7f]/

/** The MD5 of a binary string. */
export function md5Of(text: string): Buffer {
  return hash('md5', NOT_ASCII.test(text) ? Buffer.from(text, 'latin1') : text, 'buffer')
}

/** The 32 digits that the file of a key is named by. */
export function hexOf({ k0, k1, k2, k3 }: KeyWords): string {
  const md5 = Buffer.allocUnsafe(16)
  md5.writeInt32LE(k0, 0)
  md5.writeInt32LE(k1, 4)
  md5.writeInt32LE(k2, 8)
  md5.writeInt32LE(k3, 12)
  return md5.hexSlice()
}

/** The key that a file of 32 digits is named by. */
export function keyWordsOf(hex: string): KeyWords {
  const md5 = Buffer.from(hex, 'hex')
  return { k0: md5.readInt32LE(0), k1: md5.readInt32LE(4), k2: md5.readInt32LE(8), k3: md5.readInt32LE(12) }
}

/** `PATH/c/29/b7f54b2df7773722d382f4809d65029c` for `levels=1:2`: they are taken from the end of the digits. */
export function fileNameOf(path: string, levels: readonly number[], hex: string): string {
  let name = path
  let end = hex.length
  for (let i = 0; i < levels.length; i++) {
    name += '/' + hex.slice(end - levels[i]!, end)
    end -= levels[i]!
  }
  return name + '/' + hex
}

/** What the binary header says beside the key. */
export interface StoreMeta {
  readonly validSec: number
  readonly validMsec: number
  readonly updatingSec: number
  readonly errorSec: number
  /** Seconds, or -1. */
  readonly lastModified: number
  readonly date: number
  /** One that is too long is stored as none. */
  readonly etag: string
  readonly vary: string
  /** What it may be purged by. */
  readonly tags: readonly string[]
}

/** A header that was read. */
export interface FileHeader extends Omit<StoreMeta, 'tags'> {
  readonly crc: number
  readonly headerStart: number
  readonly bodyStart: number
  /** 16 bytes as a binary string. */
  readonly variant: string
}

/** Whether a head of so many bytes can stand in a file with this key. */
export function fits(key: CacheKey, headSize: number): boolean {
  return key.headerStart + headSize <= START_MAX
}

/** The binary header. `variant` is a binary string of 16 bytes, or empty. */
export function encodeHeader(
  meta: StoreMeta,
  crc: number,
  headerStart: number,
  bodyStart: number,
  variant: string,
): Buffer {
  const bytes = Buffer.alloc(HEADER_SIZE)
  writeSeconds(bytes, 0, VERSION)
  writeSeconds(bytes, VALID_SEC, meta.validSec)
  writeSeconds(bytes, UPDATING_SEC, meta.updatingSec)
  writeSeconds(bytes, ERROR_SEC, meta.errorSec)
  writeSeconds(bytes, LAST_MODIFIED, meta.lastModified)
  writeSeconds(bytes, DATE, meta.date)
  bytes.writeUInt32LE(crc, CRC)
  bytes.writeUInt16LE(meta.validMsec & START_MAX, VALID_MSEC)
  bytes.writeUInt16LE(headerStart, HEADER_START)
  bytes.writeUInt16LE(bodyStart, BODY_START)
  if (meta.etag.length <= FIELD_MAX) writeText(bytes, ETAG, meta.etag)
  if (meta.vary.length <= FIELD_MAX) writeText(bytes, VARY, meta.vary)
  bytes.latin1Write(variant, VARIANT, 16)
  return bytes
}

/** Everything that stands before the body. */
export function encodeStart(meta: StoreMeta, key: CacheKey, head: Uint8Array, variant: string): Buffer {
  const { headerStart } = key
  const bodyStart = headerStart + head.length
  const bytes = Buffer.allocUnsafe(bodyStart)
  bytes.set(encodeHeader(meta, key.crc, headerStart, bodyStart, variant))
  bytes.latin1Write(`${KEY_MARK}${key.text}\n`, HEADER_SIZE)
  bytes.set(head, headerStart)
  return bytes
}

/** Why a file is not used. */
export type FileProblem =
  | 'is too small'
  | 'version mismatch'
  | 'has md5 collision'
  | 'has too long header'
  | 'is broken'
  | 'is cut off'

/** Reads and checks the header in the first `size` bytes of a file of `fileSize`; or says what is wrong. */
export function decodeHeader(bytes: Buffer, size: number, fileSize: number): FileHeader | FileProblem {
  if (size < HEADER_SIZE + KEY_MARK.length + 1) return 'is too small'
  if (readSeconds(bytes, 0) !== VERSION) return 'version mismatch'
  const headerStart = bytes.readUInt16LE(HEADER_START)
  const bodyStart = bytes.readUInt16LE(BODY_START)
  if (bodyStart > fileSize) return 'is too small'
  if (headerStart < HEADER_SIZE + KEY_MARK.length + 1 || headerStart > bodyStart) return 'has too long header'
  const etagSize = bytes[ETAG]!
  const varySize = bytes[VARY]!
  if (etagSize > FIELD_MAX || varySize > FIELD_MAX) return 'is broken'
  return {
    validSec: readSeconds(bytes, VALID_SEC),
    validMsec: bytes.readUInt16LE(VALID_MSEC),
    updatingSec: readSeconds(bytes, UPDATING_SEC),
    errorSec: readSeconds(bytes, ERROR_SEC),
    lastModified: readSeconds(bytes, LAST_MODIFIED),
    date: readSeconds(bytes, DATE),
    etag: bytes.latin1Slice(ETAG + 1, ETAG + 1 + etagSize),
    vary: bytes.latin1Slice(VARY + 1, VARY + 1 + varySize),
    crc: bytes.readUInt32LE(CRC),
    headerStart,
    bodyStart,
    variant: varySize === 0 ? '' : bytes.latin1Slice(VARIANT, VARIANT + 16),
  }
}

/** The key's text; the first `headerStart` bytes of the file are there. Undefined: there is none. */
export function keyTextOf(bytes: Buffer, { headerStart }: FileHeader): string | undefined {
  const from = HEADER_SIZE + KEY_MARK.length
  if (bytes.latin1Slice(HEADER_SIZE, from) !== KEY_MARK || bytes[headerStart - 1] !== LF) return undefined
  return bytes.latin1Slice(from, headerStart - 1)
}
const LF = 0x0a

function writeText(bytes: Buffer, at: number, text: string): void {
  bytes[at] = text.length
  bytes.latin1Write(text, at + 1)
}

/** Seconds are 64 bits and signed; -1 is none. */
export function writeSeconds(bytes: Buffer, at: number, seconds: number): void {
  const high = Math.floor(seconds / TWO_32)
  bytes.writeUInt32LE(seconds - high * TWO_32, at)
  bytes.writeInt32LE(high, at + 4)
}

function readSeconds(bytes: Buffer, at: number): number {
  return bytes.readInt32LE(at + 4) * TWO_32 + bytes.readUInt32LE(at)
}
const TWO_32 = 4294967296
