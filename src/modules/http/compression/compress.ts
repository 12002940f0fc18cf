/**
 * Compresses responses with the coding that the client likes best among those that the location offers; what it likes
 * equally is taken in the order br, zstd, gzip. One header filter decides for all of them, so that no response is
 * compressed twice. A file that is served from memory is compressed once and the result remembered with it; any other
 * body is compressed as it passes.
 */

import type { FileEntry } from '../../../http/files/file-entry.ts'
import { fileMemory } from '../../../http/files/file-memory.ts'
import type { CodingName } from '../../../http/message/accept-encoding.ts'
import { BodyFilter, type BodySink, FLUSH, LAST, STABLE } from '../../../http/message/body.ts'
import type { MimeSet } from '../../../http/message/mime-set.ts'
import { UNKNOWN } from '../../../http/message/response-head.ts'
import { HTTP11 } from '../../../http/request/asked.ts'
import type { Request } from '../../../http/request/request.ts'
import { defineSlot } from '../../../http/request/slots.ts'
import { trace } from '../../../http/request/trace.ts'
import { codingQuality, type GzipClientRules, noteVary, refusalOf } from '../../../http/response/gzip-client.ts'
import type { Pieces } from '../../../lib/coded-pieces.ts'

/** `Request.version` of HTTP/1.1. */
/** Bytes that are collected before they are compressed, unless they are to be flushed. */
const PIECE_SIZE = 65536

/** How a location compresses with one coding. */
export interface Compression {
  readonly name: CodingName
  /** Shortest response that is compressed, as far as Content-Length tells. */
  readonly minLength: number
  readonly types: MimeSet
  readonly rules: GzipClientRules
  /** The name of this compression among the forms of a file. */
  readonly variant: string
  whole(bytes: Uint8Array): Buffer
  pieces(): Pieces
  /** Set when `whole` takes so long that other requests would wait noticeably. */
  readonly slow?: SlowCompression | undefined
}

/** How a file is compressed hard without anybody waiting: by another thread, while a quicker form is sent. */
export interface SlowCompression {
  readonly quick: Compression
  /** Files that are worked on. */
  readonly underWay: WeakSet<FileEntry>
  whole(bytes: Uint8Array, done: (packed: Buffer) => void): void
}

/** What is shorter is compressed at once, however hard. */
const SLOW_SIZE_MIN = 16384

/** Bytes in and out, for `$gzip_ratio` and its kin. */
interface Ratio {
  readonly name: CodingName
  bytesIn: number
  bytesOut: number
}
const ratios = defineSlot<Ratio>()

/** The header filter; `list` has what the location offers, in the order in which equal ones are preferred. */
export function compress(r: Request, list: readonly Compression[]): void {
  const { out } = r
  const { status } = out
  if ((status !== 200 && status !== 403 && status !== 404) || out.contentEncoding !== '') {
    if (trace !== undefined)
      trace.decided(
        r,
        undefined,
        `compression: none of ${status === 200 ? `what is ${out.contentEncoding} already` : `a response with status ${status}`}`,
      )
    return
  }
  if (trace !== undefined) tellChoice(r, list)
  const chosen = choose(r, list)
  if (chosen === undefined) return
  const file = out.seekable && !r.filtered ? out.file : undefined
  const original = out.contentLength
  out.transform()
  out.contentEncoding = chosen.name
  const ratio: Ratio = { name: chosen.name, bytesIn: 0, bytesOut: 0 }
  r.set(ratios, ratio)
  if (file?.content !== undefined) {
    const bytes = variantOf(file, file.content, chosen)
    out.replacement = bytes
    // What stands behind something else in its file is a cached response, which nginx sends in chunks then.
    if (file.base === 0 || r.version !== HTTP11) out.contentLength = bytes.length
    ratio.bytesIn = original
    ratio.bytesOut = bytes.length
  } else {
    r.addBodyFilter((next) => new CompressedBody(next, chosen, ratio))
  }
}

function choose(r: Request, list: readonly Compression[]): Compression | undefined {
  const { contentLength, contentType } = r.out
  let chosen: Compression | undefined
  let best = 0
  for (const compression of list) {
    if (contentLength !== UNKNOWN && contentLength < compression.minLength) continue
    if (!compression.types.has(contentType)) continue
    noteVary(r, compression.rules)
    const quality = codingQuality(r, compression.name, compression.rules)
    if (quality <= best) continue
    best = quality
    chosen = compression
  }
  return chosen
}

/** Says of each coding what speaks for and against it. */
function tellChoice(r: Request, list: readonly Compression[]): void {
  const { contentLength, contentType } = r.out
  for (const { name, minLength, types, rules } of list) {
    let why = 'the client takes it'
    if (contentLength !== UNKNOWN && contentLength < minLength) {
      why = `no, ${contentLength} bytes are less than its min_length, ${minLength}`
    } else if (!types.has(contentType)) why = `no, ${contentType || 'no type'} is not among its types`
    else if (codingQuality(r, name, rules) === 0) why = `no, ${refusalOf(r, name, rules)}`
    trace!.decided(r, undefined, `compression by ${name}: ${why}`)
  }
}

function variantOf(file: FileEntry, content: Buffer, compression: Compression): Buffer {
  const known = file.variants?.get(compression.variant)
  if (known !== undefined) return known
  const { slow } = compression
  if (slow !== undefined && content.length >= SLOW_SIZE_MIN) {
    if (!slow.underWay.has(file)) compressLater(file, content, compression.variant, slow)
    return variantOf(file, content, slow.quick)
  }
  const bytes = compression.whole(content)
  fileMemory.putVariant(file, compression.variant, bytes)
  return bytes
}

function compressLater(file: FileEntry, content: Buffer, variant: string, slow: SlowCompression): void {
  slow.underWay.add(file)
  slow.whole(content, (packed) => {
    slow.underWay.delete(file)
    fileMemory.putVariant(file, variant, packed)
  })
}

/** Compresses a body: in one go when it is short, else in pieces. */
class CompressedBody extends BodyFilter {
  readonly #compression: Compression
  readonly #ratio: Ratio
  #held: Buffer[] = []
  #heldSize = 0
  #pieces: Pieces | undefined

  constructor(next: BodySink, compression: Compression, ratio: Ratio) {
    super(next)
    this.#compression = compression
    this.#ratio = ratio
  }

  write(bytes: Uint8Array, flags: number): boolean {
    const due = (flags & (LAST | FLUSH)) !== 0 || this.#heldSize + bytes.length >= PIECE_SIZE
    if (!due) {
      if (bytes.length > 0) this.#hold(Buffer.from(bytes))
      return true
    }
    this.#hold(bytes as Buffer)
    return this.#compress(flags)
  }

  #hold(bytes: Buffer): void {
    this.#held.push(bytes)
    this.#heldSize += bytes.length
  }

  #compress(flags: number): boolean {
    const last = (flags & LAST) !== 0
    const input = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held)
    this.#held = []
    this.#heldSize = 0
    if (input.length === 0 && !last) return this.next.write(input, flags)
    let output: Buffer
    if (last && this.#pieces === undefined) {
      output = this.#compression.whole(input)
    } else {
      this.#pieces ??= this.#compression.pieces()
      output = this.#pieces.next(input, (flags & FLUSH) !== 0, last)
    }
    this.#ratio.bytesIn += input.length
    this.#ratio.bytesOut += output.length
    const passed = flags & (LAST | FLUSH)
    return (output.length === 0 && passed === 0) || this.next.write(output, passed | STABLE)
  }

  override abort(): void {
    this.#held = []
    this.#pieces?.close()
    super.abort()
  }
}

/** How many times smaller `name` made the response, with so many digits behind the point. */
export function ratioText(r: Request, name: CodingName, digits: number): string | undefined {
  const ratio = r.get(ratios)
  if (ratio === undefined || ratio.name !== name || ratio.bytesOut === 0) return undefined
  const { bytesIn, bytesOut } = ratio
  const unit = 10 ** digits
  const units = Math.floor((bytesIn * unit) / bytesOut)
  // nginx rounds its two digits by the one behind them.
  const up = digits === 2 && Math.floor((bytesIn * 1000) / bytesOut) % 10 > 4 ? 1 : 0
  const rounded = units + up
  return `${Math.floor(rounded / unit)}.${String(rounded % unit).padStart(digits, '0')}`
}
