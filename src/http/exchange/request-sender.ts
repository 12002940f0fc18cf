/**
 * What goes to the peer: the head, then the body from memory, from its file, or as the client sends it. Back-pressure of
 * the peer reaches the client by not reading its body.
 */
import type { Wire } from '../../net/wire.ts'
import type { Request } from '../request/request.ts'
import type { BodyConsumer, RequestBody } from '../request/request-body.ts'
import type { BodyRecords, Protocol } from './codec.ts'
import type { MessageWire } from './link.ts'

const FILE_PIECE = 65536

/** Hears how sending goes. */
export interface SenderOwner {
  /** The last byte of the request was handed over. */
  onRequestSent(): void
  /** The peer takes no more for now: its send time-out runs. */
  onRequestStalled(): void
  /** The peer takes bytes again. */
  onRequestMoving(): void
}

/** Changes a request body on its way to the peer. */
export interface BodyDecoder {
  /** The body cannot be what it claims to be. */
  readonly failed: boolean
  /** The body begins anew, for another peer. */
  reset(): void
  decode(bytes: Uint8Array, start: number, end: number): Buffer
}

export class RequestSender implements BodyConsumer {
  readonly #owner: SenderOwner
  #r!: Request
  #wire: Wire | undefined
  /** The client's body belongs to the request. */
  #hasBody = false
  /** Length of the body that is sent, or -1 when there is none or it is not known. */
  #length = -1
  #fileAt = 0
  /** The body is streamed in chunks: the pieces of one read leave as one chunk. */
  chunked = false
  #batch = ''
  /** The wire frames the body itself (link.ts, MessageWire). */
  #framed = false
  #records: BodyRecords | undefined
  /** A body that replaces the client's, where it is not part of the head. */
  #ownBody = ''
  #decoder: BodyDecoder | undefined
  /** The last byte was handed over to this peer. */
  sent = false

  constructor(owner: SenderOwner) {
    this.#owner = owner
  }

  begin(r: Request, passBody: boolean, { framed, records }: Protocol): void {
    this.#r = r
    this.#wire = undefined
    this.#hasBody = passBody && (r.contentLength > 0 || r.chunked)
    this.#length = -1
    this.#fileAt = 0
    this.#batch = ''
    this.#framed = framed
    this.#records = records
    this.#ownBody = ''
    this.#decoder = undefined
    this.chunked = false
    this.sent = false
  }

  /** Decides how the request body is framed: `ownLength` is that of a body that replaces the client's, or -1. */
  frame(ownLength: number): void {
    const { contentLength, chunked, requestBody } = this.#r
    const whole = this.#hasBody && requestBody?.complete === true
    this.#length = ownLength >= 0 ? ownLength : whole ? requestBody.received : contentLength
    // A client of HTTP/2 may say that there is nothing before it ends its request.
    const unknown = ownLength < 0 && this.#hasBody && chunked && contentLength !== 0 && !whole
    this.chunked = unknown && !this.#framed && this.#records === undefined
  }

  /** The same for a wire that frames the body itself: `body` replaces the client's unless it is undefined. */
  replaceBody(body: string | undefined): void {
    this.frame(body === undefined ? -1 : body.length)
    this.#ownBody = body ?? ''
  }

  /** The client's body is sent as `decoder` makes it. */
  decodeBody(decoder: BodyDecoder): void {
    this.#decoder = decoder
  }

  /** All that a peer has seen of the body is still there, so that another one can be asked. */
  get repeatable(): boolean {
    const { requestBody } = this.#r
    return requestBody === undefined || !requestBody.streaming || requestBody.remembered
  }

  /** `$proxy_internal_body_length`. */
  lengthText(): string {
    return this.#length < 0 || this.chunked ? '' : String(this.#length)
  }

  /** Sends the request to a peer; may be called again for another one. */
  send(wire: Wire, head: string): void {
    this.#wire = wire
    this.#fileAt = 0
    this.sent = false
    this.#decoder?.reset()
    if (!this.#framed) wire.write(head)
    else {
      // Links of such protocols have message wires.
      const message = wire as MessageWire
      message.sendHead(head, !this.#hasBody && this.#ownBody === '')
      if (this.#ownBody !== '') wire.write(this.#ownBody)
    }
    if (!this.#hasBody) return this.#done()
    const body = this.#r.ensureBody()
    if (!body.complete) return this.#stream(wire, body)
    if (body.file !== undefined) return this.#pumpFile()
    const { bytes } = body
    if (bytes.length > 0 && !this.#write(wire, bytes, true)) return
    this.#done()
  }

  /** The body is passed on as it comes; a peer before this one may have seen its beginning. */
  #stream(wire: Wire, body: RequestBody): void {
    this.#owner.onRequestMoving()
    if (!body.streaming) body.stream(this)
    else if (body.bytes.length > 0) {
      if (!this.#write(wire, body.bytes, false)) return
      if (this.#framed) wire.flush()
    }
  }

  /** Writes bytes of the client's body; false: they make no sense, and the request was answered. */
  #write(wire: Wire, bytes: Uint8Array, stable: boolean): boolean {
    const decoder = this.#decoder
    if (this.#records !== undefined) this.#records.write(wire, bytes, stable)
    else if (decoder === undefined) wire.writeBytes(bytes, stable)
    else {
      const decoded = decoder.decode(bytes, 0, bytes.length)
      if (decoder.failed) return this.#refuse()
      if (decoded.length > 0) wire.writeBytes(decoded, true)
    }
    return true
  }

  #refuse(): false {
    this.detach()
    this.#r.cancelContent(400)
    return false
  }

  /** The peer is no longer there. */
  detach(): void {
    this.#wire = undefined
  }

  #done(): void {
    this.sent = true
    const wire = this.#wire
    if (this.#framed && wire !== undefined && (this.#hasBody || this.#ownBody !== '')) {
      wire.end()
      // Now, so that it leaves together with the head.
      wire.flush()
    }
    if (this.#records !== undefined) wire?.write(this.#records.end)
    this.#owner.onRequestSent()
  }

  /** Sends a body from its file as fast as the peer takes it. */
  #pumpFile(): void {
    const wire = this.#wire!
    const file = this.#r.requestBody!.file!
    while (this.#fileAt < file.size) {
      if (wire.full) return this.#owner.onRequestStalled()
      const piece = Buffer.allocUnsafe(Math.min(FILE_PIECE, file.size - this.#fileAt))
      const count = file.read(piece, this.#fileAt)
      this.#fileAt += count
      if (!this.#write(wire, piece.subarray(0, count), true)) return
    }
    this.#done()
  }

  /** The peer's wire takes bytes again. */
  onWireDrain(): void {
    if (this.sent || this.#wire === undefined) return
    const body = this.#r.requestBody
    if (body === undefined) return
    if (body.complete && body.file !== undefined) return this.#pumpFile()
    if (!body.streaming) return
    this.#owner.onRequestMoving()
    this.#r.carrier.resumeBody()
  }

  onBodyBytes(bytes: Uint8Array, start: number, end: number): void {
    if (this.#wire === undefined) return
    if (this.chunked) this.#batch += (bytes as Buffer).latin1Slice(start, end)
    else this.#write(this.#wire, bytes.subarray(start, end), false)
  }

  onBodyPause(): void {
    const wire = this.#wire
    if (wire === undefined) return
    if (this.#framed) wire.flush()
    else this.#sendBatch(wire)
    if (!wire.full) return
    this.#r.carrier.pauseBody()
    this.#owner.onRequestStalled()
  }

  onBodyEnd(): void {
    const wire = this.#wire
    if (wire === undefined) return
    if (this.chunked) {
      this.#sendBatch(wire)
      wire.write('0\r\n\r\n')
    }
    this.#done()
  }

  #sendBatch(wire: Wire): void {
    const batch = this.#batch
    if (batch === '') return
    this.#batch = ''
    wire.write(batch.length.toString(16) + '\r\n' + batch + '\r\n')
  }
}
