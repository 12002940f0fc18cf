/**
 * Traces in OpenTelemetry's protocol: an ExportTraceServiceRequest in protobuf, written span by span into one buffer.
 *
 *     resource_spans(1) { resource(1) { attributes(1)* }   scope_spans(2) { scope(1) { name(1) version(2) }   spans(2)* } }
 *
 * The length of a span is not known before its end, so it has three bytes whatever it is (a varint may be longer than it
 * must be). Texts are binary strings; what is no UTF-8 becomes U+FFFD, because decoders refuse a whole batch for it.
 */
import { soundUtf8 } from './bytes.ts'

/** What a span was. */
export const SERVER = 2
export const CLIENT = 3

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5
const SIZE_FIRST = 16_384
/** Longest text of an attribute; a span must fit into its three bytes of length. */
const TEXT_MAX = 16_384
const ATTRIBUTES_MAX = 100
const SPAN_SIZE_MAX = (1 << 21) - 1
const LENGTH_SIZE = 3
/** A varint, for a value below 2^32, takes no more. */
const ROOM = 64
const STATUS_ERROR = 2
const US_PER_MS = 1000
const NS_PER_US = 1000n
/** Trace flags, and that it is known whether the parent is of another process. */
const HAS_IS_REMOTE = 0x100
const IS_REMOTE = 0x200

/** Who a span is. Ids are hexadecimal; an empty parent is none. */
interface SpanHead {
  readonly kind: number
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  /** The parent is of another process. */
  readonly isRemote: boolean
  /** `tracestate`. */
  readonly state: string
  readonly startMs: number
  readonly endMs: number
}

/** A growing batch of spans. */
export class SpanBatch {
  #buffer = Buffer.allocUnsafeSlow(SIZE_FIRST)
  #at = 0
  #start = 0
  #attributes = 0
  count = 0

  /** Begins a span; attributes follow, then `end`. */
  begin(span: SpanHead): void {
    this.#room(ROOM)
    this.#tag(2, BYTES)
    this.#at += LENGTH_SIZE
    this.#start = this.#at
    this.#attributes = 0
    this.#id(1, span.traceId)
    this.#id(2, span.spanId)
    if (span.state !== '') this.#text(3, sound(span.state))
    if (span.parentId !== '') this.#id(4, span.parentId)
    this.#text(5, sound(span.name))
    this.#tag(6, VARINT)
    this.#varint(span.kind)
    this.#time(7, span.startMs)
    this.#time(8, span.endMs)
    this.#tag(16, FIXED32)
    this.#at = this.#buffer.writeUInt32LE(1 | HAS_IS_REMOTE | (span.isRemote ? IS_REMOTE : 0), this.#at)
  }

  /** Adds a text. */
  text(key: string, value: string): void {
    if (this.#full()) return
    const text = sound(value)
    const size = textSize(text)
    this.#key(key, size)
    this.#text(1, text)
  }

  /** Adds a list of one text. */
  list(key: string, value: string): void {
    if (this.#full()) return
    const text = sound(value)
    const inner = textSize(text)
    const array = 1 + varintSize(inner) + inner
    this.#key(key, 1 + varintSize(array) + array)
    this.#tag(5, BYTES)
    this.#varint(array)
    this.#tag(1, BYTES)
    this.#varint(inner)
    this.#text(1, text)
  }

  /** Adds an integer from 0 on. */
  integer(key: string, value: number): void {
    if (this.#full()) return
    this.#key(key, 1 + varintSize(value))
    this.#tag(3, VARINT)
    this.#varint(value)
  }

  /** Ends the span. */
  end(isError: boolean): void {
    this.#room(ROOM)
    if (isError) {
      this.#tag(15, BYTES)
      this.#varint(2)
      this.#tag(3, VARINT)
      this.#varint(STATUS_ERROR)
    }
    const size = this.#at - this.#start
    const at = this.#start - LENGTH_SIZE
    this.#buffer[at] = (size & 0x7f) | 0x80
    this.#buffer[at + 1] = ((size >> 7) & 0x7f) | 0x80
    this.#buffer[at + 2] = size >> 14
    this.count++
  }

  /** The message. `resource` and `scope` are what `resourceOf` and `scopeOf` made. */
  finish(resource: Buffer, scope: Buffer): Buffer {
    const spans = this.#buffer.subarray(0, this.#at)
    const scopeSpans = scope.length + spans.length
    const lead = new SpanBatch()
    const whole = resource.length + 1 + varintSize(scopeSpans) + scopeSpans
    lead.#tag(1, BYTES)
    lead.#varint(whole)
    const first = lead.#at
    lead.#tag(2, BYTES)
    lead.#varint(scopeSpans)
    const outer = lead.#buffer.subarray(0, first)
    return Buffer.concat([outer, resource, lead.#buffer.subarray(first, lead.#at), scope, spans])
  }

  /** A message of a resource, to be given to `finish`. */
  static resourceOf(attributes: ReadonlyMap<string, string>): Buffer {
    const inner = new SpanBatch()
    for (const [name, value] of attributes) {
      const text = sound(value)
      inner.#key(name, textSize(text), 1)
      inner.#text(1, text)
    }
    return inner.#inside(1)
  }

  static scopeOf(name: string, version: string): Buffer {
    const inner = new SpanBatch()
    inner.#text(1, sound(name))
    inner.#text(2, sound(version))
    return inner.#inside(1)
  }

  /** All of it as one field. */
  #inside(field: number): Buffer {
    const lead = new SpanBatch()
    lead.#tag(field, BYTES)
    lead.#varint(this.#at)
    return Buffer.concat([lead.#buffer.subarray(0, lead.#at), this.#buffer.subarray(0, this.#at)])
  }

  /** No more attributes fit into this span. */
  #full(): boolean {
    return ++this.#attributes > ATTRIBUTES_MAX || this.#at - this.#start > SPAN_SIZE_MAX - 3 * TEXT_MAX - ROOM
  }

  /** `field: { key(1), value(2): { ... size bytes that follow } }`; attributes of spans are field 9. */
  #key(key: string, size: number, field = 9): void {
    const value = 1 + varintSize(size) + size
    this.#room(key.length + size + ROOM)
    this.#tag(field, BYTES)
    this.#varint(textSize(key) + value)
    this.#text(1, key)
    this.#tag(2, BYTES)
    this.#varint(size)
  }

  #text(field: number, text: string): void {
    this.#room(text.length + ROOM)
    this.#tag(field, BYTES)
    this.#varint(text.length)
    this.#at += this.#buffer.latin1Write(text, this.#at)
  }

  #id(field: number, hex: string): void {
    this.#tag(field, BYTES)
    this.#varint(hex.length >> 1)
    this.#at += this.#buffer.write(hex, this.#at, 'hex')
  }

  #time(field: number, ms: number): void {
    this.#tag(field, FIXED64)
    this.#at = this.#buffer.writeBigUInt64LE(BigInt(Math.round(ms * US_PER_MS)) * NS_PER_US, this.#at)
  }

  #tag(field: number, type: number): void {
    this.#varint((field << 3) | type)
  }

  #varint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#at++] = rest
  }

  #room(size: number): void {
    if (this.#at + size <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#at + size))
    this.#buffer.copy(larger, 0, 0, this.#at)
    this.#buffer = larger
  }
}

/** A message in the frame of gRPC. */
export function grpcMessage(message: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

const SHOWN_MAX = 200

/** What a collector says, as far as a log may show it; `grpc-message` has some characters as `%20`. */
export function shownText(text: string): string {
  const plain = text.slice(0, SHOWN_MAX).replace(/%([\da-fA-F]{2})/g, (_, hex: string) => {
    return String.fromCharCode(Number.parseInt(hex, 16))
  })
  return plain.replace(/[^\x20-\x7e]/g, '?')
}

function textSize(text: string): number {
  return 1 + varintSize(text.length) + text.length
}

function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) size++
  return size
}

/** The text with nothing in it that is no UTF-8, and not too long. */
function sound(text: string): string {
  return soundUtf8(text.length > TEXT_MAX ? text.slice(0, TEXT_MAX) : text)
}
