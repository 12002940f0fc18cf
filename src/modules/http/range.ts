/**
 * ngx_http_range_filter_module: parts of a body, one or several. Bodies that are seekable are told which parts to send;
 * others are cut as they pass, and for several parts collected first, if they are small.
 */

import { httpModule } from '../../http/compile/module.ts'
import { BodyFilter, type BodySink, LAST, STABLE } from '../../http/message/body.ts'
import { type ByteRange, IGNORED, parseByteRanges, UNSATISFIABLE } from '../../http/message/byte-ranges.ts'
import { hashName } from '../../http/message/field-names.ts'
import { type BodyPart, UNKNOWN } from '../../http/message/response-head.ts'
import type { Request } from '../../http/request/request.ts'
import { NO_BYTES } from '../../lib/bytes.ts'
import { parseHttpDate } from '../../lib/http-date.ts'

const RANGE = hashName('range')
const IF_RANGE = hashName('if-range')
/** `bytes=` and one character more: anything shorter is no range. */
const FIELD_LENGTH_MIN = 7
/** Largest body that is collected to answer with several of its parts. */
const COLLECTED_SIZE_MAX = 1048576

/** The module list's entry. */
export const rangeModule = httpModule({
  name: 'http_range',
  doc: 'Answers requests for parts of a body.',
  directives: {},
  attach(_conf, plan, at) {
    const max = at.location.core.max_ranges
    if (max !== 0) plan.headerFilter(cutRanges, { max })
  },
})

function cutRanges(r: Request, { max }: { readonly max: number | undefined }): void {
  const { out } = r
  if (!out.allowRanges || out.status !== 200 || out.contentLength === UNKNOWN || r.version < 10 || r !== r.main) return
  const field = r.headers.valueOf(RANGE, 'range')
  if (field === undefined || field.length < FIELD_LENGTH_MIN || !isByteRange(field) || !ifRangeHolds(r)) {
    offerRanges(r)
    return
  }
  const ranges = parseByteRanges(field, out.contentLength, out.singleRange ? 1 : max)
  if (ranges === UNSATISFIABLE) {
    out.remove('content-range')
    out.add('Content-Range', `bytes */${out.contentLength}`)
    out.contentLength = UNKNOWN
    out.status = 416
    r.refusal = 416
  } else if (ranges === IGNORED || (ranges.length > 1 && !out.seekable && out.contentLength > COLLECTED_SIZE_MAX)) {
    offerRanges(r)
  } else {
    out.status = 206
    out.statusText = ''
    sendRanges(r, ranges.length === 1 ? singlePart(r, ranges[0]!) : multipart(r, ranges))
  }
}

/** Says once that ranges may be asked for, whoever has said so before. */
function offerRanges({ out }: Request): void {
  if (out.lines !== '') out.remove('accept-ranges')
  out.acceptRanges = true
}

function isByteRange(field: string): boolean {
  return field.slice(0, 6).toLowerCase() === 'bytes='
}

function ifRangeHolds(r: Request): boolean {
  const { out } = r
  const condition = r.headers.valueOf(IF_RANGE, 'if-range')
  if (condition === undefined) return true
  if (condition.length >= 2 && condition.endsWith('"')) return condition === out.etag
  return out.lastModified !== UNKNOWN && parseHttpDate(condition) === out.lastModified
}

function sendRanges(r: Request, parts: readonly BodyPart[]): void {
  const { out } = r
  if (out.assembler !== undefined) out.assembler.part = parts[0]
  else if (out.seekable) out.parts = parts
  else if (parts.length === 1) r.addBodyFilter((next) => new CutBody(next, parts[0]!))
  else r.addBodyFilter((next) => new CollectedBody(next, parts))
}

function singlePart({ out }: Request, { start, end }: ByteRange): readonly BodyPart[] {
  out.remove('content-range')
  out.add('Content-Range', `bytes ${start}-${end - 1}/${out.contentLength}`)
  out.contentLength = end - start
  return [{ text: '', start, end }]
}

let boundaries = Math.floor(Math.random() * 1e9)

/** Each part has a head of its own; a part of no bytes carries the last boundary. */
function multipart({ out }: Request, ranges: readonly ByteRange[]): readonly BodyPart[] {
  const boundary = String(++boundaries).padStart(20, '0')
  const type = out.charset === '' ? out.contentType : `${out.contentType}; charset=${out.charset}`
  const head = `\r\n--${boundary}\r\n${type === '' ? '' : `Content-Type: ${type}\r\n`}Content-Range: bytes `
  const parts = ranges.map(({ start, end }): BodyPart => {
    return { text: `${head}${start}-${end - 1}/${out.contentLength}\r\n\r\n`, start, end }
  })
  parts.push({ text: `\r\n--${boundary}--\r\n`, start: 0, end: 0 })
  out.remove('content-range')
  out.contentType = `multipart/byteranges; boundary=${boundary}`
  out.charset = ''
  out.contentLength = parts.reduce((sum, { text, start, end }) => sum + text.length + end - start, 0)
  return parts
}

/** Lets one part of a body pass. Its producer is not stopped early: it may be filling a cache. */
class CutBody extends BodyFilter {
  readonly #part: BodyPart
  #at = 0

  constructor(next: BodySink, part: BodyPart) {
    super(next)
    this.#part = part
  }

  write(bytes: Uint8Array, flags: number): boolean {
    const { start, end } = this.#part
    const from = Math.max(0, start - this.#at)
    const to = Math.min(bytes.length, end - this.#at)
    this.#at += bytes.length
    if (to > from) return this.next.write(bytes.subarray(from, to), flags)
    return (flags & LAST) === 0 || this.next.write(NO_BYTES, LAST)
  }
}

/** Collects a body and sends several parts of it. */
class CollectedBody extends BodyFilter {
  readonly #parts: readonly BodyPart[]
  #pieces: Buffer[] = []

  constructor(next: BodySink, parts: readonly BodyPart[]) {
    super(next)
    this.#parts = parts
  }

  write(bytes: Uint8Array, flags: number): boolean {
    this.#pieces.push((flags & STABLE) !== 0 ? (bytes as Buffer) : Buffer.from(bytes))
    if ((flags & LAST) === 0) return true
    const body = Buffer.concat(this.#pieces)
    this.#pieces = []
    const parts = this.#parts.flatMap(({ text, start, end }) => [
      Buffer.from(text, 'latin1'),
      body.subarray(start, end),
    ])
    return this.next.write(Buffer.concat(parts), LAST | STABLE)
  }
}
