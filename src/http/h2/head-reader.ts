/**
 * From HEADERS and CONTINUATION frames to decoded fields, and what becomes of them: a new request, one that is refused,
 * the trailers of a request, or nothing. Every block is decoded, because the client's table depends on all of them.
 */
import { assert } from '../../lib/assert.ts'
import { HeaderTable } from '../message/header-table.ts'
import type { ClosedStreams } from './closed-streams.ts'
import { type FieldLimits, RequestFields } from './request-fields.ts'
import type { H2Stream } from './stream.ts'
import {
  COMPRESSION_ERROR,
  END_HEADERS,
  ENHANCE_YOUR_CALM,
  FRAME_SIZE_ERROR,
  PROTOCOL_ERROR,
  STREAM_CLOSED,
  TABLE_SIZE_DEFAULT,
  u31,
} from './wire/frames.ts'
import { HeaderBlock } from './wire/header-block.ts'
import { headersPayload, readHeadersPayload, sizeBeforeBlock } from './wire/headers-payload.ts'
import { HpackDecoder } from './wire/hpack-decoder.ts'

/** What to do with the fields of a block. */
const SERVE = 0
const REFUSE = 1
const TRAILERS = 2
const IGNORE = 3

/** There is one for the thread: a block is decoded and used in one go. */
const fields = new RequestFields()
/** Takes fields that belong to no new request. */
const otherFields = new HeaderTable()

/** The connection that the heads are read for. Methods that answer false have ended it. */
export interface HeadHost {
  readonly closedStreams: ClosedStreams
  readonly limits: FieldLimits
  /** The highest number of a stream that the client has begun. */
  lastStream: number
  /** GOAWAY was sent: new streams are not looked at. */
  readonly leaving: boolean
  stream(id: number): H2Stream | undefined
  /** A stream for the fields to go to; `serve` or `dropStream` follows. */
  makeStream(id: number): H2Stream
  dropStream(stream: H2Stream): void
  /** Begins the request; `size` is that of the block. */
  serve(stream: H2Stream, fields: RequestFields, flags: number, size: number): void
  /** Why a new stream is to be refused, or an empty text. */
  refusal(flags: number): string
  refuse(id: number, reason: string): boolean
  /** Fields came on an open stream. */
  trailers(stream: H2Stream, fields: RequestFields, table: HeaderTable, flags: number): boolean
  /** The client says where a stream stands among the others. */
  prioritize(id: number, buffer: Buffer, at: number): void
  idleFrame(name: string): boolean
  fail(code: number, message: string): false
}

/** One connection's reader. */
export class HeadReader {
  readonly #host: HeadHost
  readonly #block = new HeaderBlock()
  #decoder: HpackDecoder | undefined
  /** What to do with the block at hand. */
  #action = SERVE

  constructor(host: HeadHost) {
    this.#host = host
  }

  /** The stream whose block has begun and is not whole: nothing but its CONTINUATION may come. 0 when there is none. */
  get stream(): number {
    return this.#block.stream
  }

  /** The same stream if the block is that of a request to be served; otherwise 0. */
  get served(): number {
    return this.#action === SERVE ? this.#block.stream : 0
  }

  /** Nobody waits for the block at hand any more. */
  forsake(): void {
    this.#action = IGNORE
  }

  headers(flags: number, id: number, buffer: Buffer, start: number, end: number): boolean {
    const host = this.#host
    assert(end - start >= sizeBeforeBlock(flags), 'the length of a frame was judged before')
    const sound = readHeadersPayload(flags, buffer, start, end)
    const { blockStart: at, blockEnd: stop, padding, priorityAt } = headersPayload
    if (!sound) {
      const text = `client sent padded HEADERS frame with incorrect length: ${end - at}, padding: ${padding}`
      return host.fail(PROTOCOL_ERROR, text)
    }
    if (priorityAt >= 0 && u31(buffer, priorityAt) === id) {
      return host.fail(PROTOCOL_ERROR, `client sent HEADERS frame for stream ${id} with incorrect dependency`)
    }
    if (host.stream(id) !== undefined) this.#action = TRAILERS
    else {
      if (!this.#admit(id, flags)) return false
      if (priorityAt >= 0 && this.#action === SERVE) host.prioritize(id, buffer, priorityAt)
    }
    if ((flags & END_HEADERS) !== 0) return this.#decode(id, flags, buffer, at, stop)
    this.#block.begin(id, flags, buffer, at, stop)
    return true
  }

  /** Decides what becomes of a stream that is not open; false: the connection ends. */
  #admit(id: number, flags: number): boolean {
    const host = this.#host
    this.#action = IGNORE
    if (id <= host.lastStream || id % 2 === 0) {
      if (host.closedStreams.byServer(id)) return host.idleFrame('HEADERS')
      const code = host.closedStreams.byClient(id) ? STREAM_CLOSED : PROTOCOL_ERROR
      const text = `client sent HEADERS frame with incorrect identifier ${id}, the last was ${host.lastStream}`
      return host.fail(code, text)
    }
    if (host.leaving) return host.idleFrame('HEADERS')
    host.lastStream = id
    const reason = host.refusal(flags)
    this.#action = reason === '' ? SERVE : REFUSE
    return reason === '' || host.refuse(id, reason)
  }

  continuation(flags: number, id: number, buffer: Buffer, start: number, end: number, sizeMax: number): boolean {
    const host = this.#host
    const block = this.#block
    assert(block.stream === id, 'where a frame belongs was judged before')
    if (!block.add(buffer, start, end, sizeMax)) {
      return host.fail(ENHANCE_YOUR_CALM, 'client sent too many or too large CONTINUATION frames')
    }
    if ((flags & END_HEADERS) === 0) return true
    const { bytes, size } = block
    const first = block.flags
    block.end()
    return this.#decode(id, first, bytes, 0, size)
  }

  #decode(id: number, flags: number, buffer: Buffer, start: number, end: number): boolean {
    const host = this.#host
    const action = this.#action
    this.#decoder ??= new HpackDecoder(TABLE_SIZE_DEFAULT)
    const decoder = this.#decoder
    const stream = action === SERVE ? host.makeStream(id) : undefined
    fields.begin(stream?.headers ?? otherFields, host.limits, action === TRAILERS)
    const sound = decoder.decode(buffer, start, end, fields, host.limits.bufferSize)
    fields.end()
    if (!sound || fields.excess !== '') {
      if (stream !== undefined) host.dropStream(stream)
      return sound ? this.#excess() : this.#malformed(decoder)
    }
    if (stream !== undefined) host.serve(stream, fields, flags, end - start)
    else if (action === TRAILERS) {
      const open = host.stream(id)
      if (open !== undefined) return host.trailers(open, fields, otherFields, flags)
    }
    return true
  }

  #malformed(decoder: HpackDecoder): false {
    if (decoder.tooLong) return this.#host.fail(ENHANCE_YOUR_CALM, 'client sent too large header field')
    const code = decoder.truncated ? FRAME_SIZE_ERROR : COMPRESSION_ERROR
    return this.#host.fail(code, `client sent header block with ${decoder.problem}`)
  }

  #excess(): false {
    const code = fields.nameless ? PROTOCOL_ERROR : ENHANCE_YOUR_CALM
    return this.#host.fail(code, `client ${fields.excess}`)
  }
}
