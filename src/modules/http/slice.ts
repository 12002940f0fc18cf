/**
 * ngx_http_slice_filter_module: one response made of many answers, each about a slice of the whole, so that a cache keeps
 * large bodies piece by piece. The location asks for a slice by `$slice_range`; the first answer makes the head, and each
 * of the others is a subrequest that is the request once more.
 *
 *   answer 0 -> SliceBody -> ... -> OrderedBody -> client        the range filter only says which part is wanted (assembler)
 *   answer 1 ---------- CutBody ------^  answer 2 ...
 *
 * A slice that is missing, or is not what was asked for, ends the response: the client must not take a part for the whole.
 */
import { size } from '../../config/args.ts'
import { directive } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { UNFIT } from '../../http/exchange/cache/unfit.ts'
import { BodyFilter, type BodySink, LAST } from '../../http/message/body.ts'
import type { ByteRange } from '../../http/message/byte-ranges.ts'
import { hashName } from '../../http/message/field-names.ts'
import type { BodyAssembler } from '../../http/message/response-head.ts'
import type { Request } from '../../http/request/request.ts'
import { defineSetting, defineSlot } from '../../http/request/slots.ts'
import { InPlaceSubrequest, orderedBody } from '../../http/subrequest/ordered-body.ts'
import { Subrequest, type SubrequestOwner } from '../../http/subrequest/subrequest.ts'
import { NO_BYTES } from '../../lib/bytes.ts'
import { ERROR } from '../../log/error-log.ts'

const RANGE = hashName('range')
const IF_RANGE = hashName('if-range')
const PARTIAL_CONTENT = 206
/** A status that closes the connection without a word. */
const CLOSE = 444
/** As long as less than this has come, the client gets nothing: the next slice may not be what it should be. */
const HELD_MAX = 1460
const CONTENT_RANGE = /^bytes *(\d{1,16}) *- *(\d{1,16}) *\/ *(?:(\d{1,16})|\*) *$/

/** The slices of one response. */
interface Slices {
  readonly size: number
  /** Where the next one begins. */
  next: number
  etag: string
  /** The length of the whole. */
  complete: number
  body: SliceBody | undefined
  /** The response was broken off because of one of them. */
  failed: boolean
}

/** What one request asks for: the main request, or the subrequest for a slice behind the first. */
interface Slice {
  readonly range: string
  readonly start: number
  readonly slices: Slices
}

const SIZE = defineSetting(0)
const slot = defineSlot<Slice>()

/** The module list's entry. */
export const sliceModule = httpModule({
  name: 'http_slice',
  doc: 'Responses that are asked for in slices.',
  directives: {
    slice: directive({
      in: ['http', 'server', 'location'],
      args: size,
      default: '0',
      doc: 'Size of the slices; 0: responses are asked for whole.',
    }),
  },
  variables: { slice_range: sliceRange },
  attach(conf, plan, at) {
    if (conf.slice === 0) return
    at.location.set(SIZE, conf.slice)
    plan.subrequests = true
    plan.headerFilter(joinSlices, undefined)
  },
})

/** `$slice_range`. Whoever asks for it first makes a response of slices. */
function sliceRange(r: Request): string | undefined {
  const known = sliceOf(r)
  if (known !== undefined) return known.range
  const sliceSize = r.location.get(SIZE)
  if (sliceSize === 0 || r !== r.main || r.headSent) return undefined
  const start = sliceSize * Math.floor(firstByte(r) / sliceSize)
  const slices: Slices = { size: sliceSize, next: start, etag: '', complete: 0, body: undefined, failed: false }
  const slice: Slice = { range: rangeOf(start, sliceSize), start, slices }
  r.set(slot, slice)
  return slice.range
}

/** A copy that renews a stale slice asks for the same one. */
function sliceOf(r: Request): Slice | undefined {
  const own = r.get(slot)
  if (own !== undefined) return own
  const { carrier } = r
  return carrier instanceof Subrequest ? carrier.original?.get(slot) : undefined
}

function rangeOf(start: number, sliceSize: number): string {
  return `bytes=${start}-${start + sliceSize - 1}`
}

/** Where a single range of the client begins, else 0. */
function firstByte({ headers }: Request): number {
  if (headers.find(IF_RANGE, 'if-range') >= 0) return 0
  const range = headers.valueOf(RANGE, 'range')
  if (range === undefined || range.length < 7 || range.includes(',')) return 0
  const [, start] = /^bytes= *(\d{1,16})/i.exec(range) ?? []
  return start === undefined || !Number.isSafeInteger(Number(start)) ? 0 : Number(start)
}

/** The answer for a slice becomes the response, or the next part of it. */
function joinSlices(r: Request): void {
  const slice = r.get(slot)
  if (slice === undefined) return
  const { out } = r
  const main = r === r.main
  if (out.status !== PARTIAL_CONTENT) {
    if (main) r.set(slot, undefined)
    else fail(r, slice, `unexpected status code ${out.status} in slice response`)
    return
  }
  const problem = checkSlice(r, slice)
  if (problem !== '') {
    fail(r, slice, problem)
    return
  }
  if (main) beginWhole(r, slice.slices, slice.start)
  else addSlice(r, slice)
}

/** What is wrong with an answer; notes where the next slice begins. */
function checkSlice({ out }: Request, { start, slices }: Slice): string {
  if (slices.etag !== '' && slices.etag !== out.etag) return 'etag mismatch in slice response'
  slices.etag = out.etag
  const [, from, to, whole] = CONTENT_RANGE.exec(out.field('content-range') ?? '') ?? []
  if (from === undefined) return 'invalid range in slice response'
  if (whole === undefined) return 'no complete length in slice response'
  // As nginx says it: where a slice would end that begins there.
  const end = Math.min(Number(from) + slices.size, Number(whole))
  if (Number(from) !== start || Number(to) + 1 !== end) {
    return `unexpected range in slice response: ${from}-${Number(to) + 1}, expected: ${start}-${end}`
  }
  if (slices.complete > 0 && slices.complete !== Number(whole)) {
    return `unexpected length in slice response: ${whole}, expected: ${slices.complete}`
  }
  slices.next = end
  slices.complete = Number(whole)
  return ''
}

function beginWhole(r: Request, slices: Slices, start: number): void {
  const { out } = r
  out.status = 200
  out.statusText = ''
  out.contentLength = slices.complete
  out.remove('content-range')
  out.remove('accept-ranges')
  out.allowRanges = out.singleRange = true
  // What is sent is no file, though it may come from one.
  out.seekable = false
  out.file = undefined
  const assembler: BodyAssembler = { part: undefined }
  out.assembler = assembler
  r.headHeld = HELD_MAX
  if (!r.headerOnly) r.addBodyFilter((next) => (slices.body = new SliceBody(next, r, slices, start, assembler)))
}

/** A slice behind the first: the part that is wanted of it. */
function addSlice(r: Request, { start, slices }: Slice): void {
  const { out } = r
  out.seekable = false
  out.file = undefined
  out.allowRanges = false
  const { from, to } = slices.body!
  slices.body!.begun = true
  r.addBodyFilter((next) => new CutBody(next, start, from, to))
}

/** The response ends here. The slice is not kept: the next client may have more luck. */
function fail(r: Request, { slices }: Slice, problem: string): void {
  slices.failed = true
  r.setMark(UNFIT, 1)
  r.logError(ERROR, `${problem} while reading response header from upstream`)
  if (r === r.main) r.refusal = CLOSE
  else r.main.breakOff()
}

/** Lets what is wanted of a slice pass. */
class CutBody extends BodyFilter {
  readonly #from: number
  readonly #to: number
  #at: number

  constructor(next: BodySink, at: number, from: number, to: number) {
    super(next)
    this.#at = at
    this.#from = from
    this.#to = to
  }

  write(bytes: Uint8Array, flags: number): boolean {
    const from = Math.max(0, this.#from - this.#at)
    const to = Math.min(bytes.length, this.#to - this.#at)
    this.#at += bytes.length
    if (from === 0 && to === bytes.length) return this.next.write(bytes, flags)
    if (to > from) return this.next.write(bytes.subarray(from, to), flags)
    return (flags & LAST) === 0 || this.next.write(NO_BYTES, LAST)
  }
}

/** The body of the first answer, and the others behind it. */
class SliceBody extends BodyFilter implements SubrequestOwner {
  readonly #r: Request
  readonly #slices: Slices
  readonly #assembler: BodyAssembler
  #at: number
  #range: ByteRange | undefined
  /** The slice that was asked for last has begun as it should. */
  begun = true

  constructor(next: BodySink, r: Request, slices: Slices, start: number, assembler: BodyAssembler) {
    super(next)
    this.#r = r
    this.#slices = slices
    this.#at = start
    this.#assembler = assembler
  }

  /** The part of the whole that the client gets; known when the head is sent. */
  #part(): ByteRange {
    this.#range ??= this.#assembler.part ?? { start: 0, end: this.#slices.complete }
    return this.#range
  }

  get from(): number {
    return this.#part().start
  }

  get to(): number {
    return this.#part().end
  }

  write(bytes: Uint8Array, flags: number): boolean {
    const from = Math.max(0, this.from - this.#at)
    const to = Math.min(bytes.length, this.to - this.#at)
    this.#at += bytes.length
    const room = to > from ? this.next.write(bytes.subarray(from, to), flags & ~LAST) : true
    if ((flags & LAST) === 0) return room
    this.#goOn()
    return true
  }

  /** Asks for the next slice, or ends. */
  #goOn(): void {
    const r = this.#r
    const slices = this.#slices
    // A range that begins behind the first slice, which had to be asked for nonetheless (If-Range).
    if (slices.next + slices.size <= this.from) slices.next = slices.size * Math.floor(this.from / slices.size)
    if (slices.next >= this.to) {
      this.next.write(NO_BYTES, LAST)
      return
    }
    const { next: start, size: sliceSize } = slices
    const sr = new InPlaceSubrequest(r, orderedBody(r)!, r.uri, r.args, this)
    sr.cloneOf(r, r.location.steps.at(-1)!)
    sr.r.set(slot, { range: rangeOf(start, sliceSize), start, slices })
    this.begun = false
    if (!sr.start()) r.breakOff()
  }

  onSubrequestEnd(sr: Request): void {
    const r = this.#r
    if (r.ended || this.#slices.failed) return
    if (!this.begun) r.logError(ERROR, 'missing slice response')
    if (this.begun && !sr.aborted) this.#goOn()
    else r.breakOff()
  }
}
