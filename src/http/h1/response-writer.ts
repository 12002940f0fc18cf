/**
 * The body of one HTTP/1 response on the wire: as many bytes as Content-Length promised, in chunks, or until the
 * connection ends. Tells its owner when the client stops taking bytes and when the last one has been handed over.
 */
import { NO_BYTES } from '../../lib/bytes.ts'
import type { FilePiece, Wire } from '../../net/wire.ts'
import { BodySink, LAST, LENT, STABLE } from '../message/body.ts'
import { CONNECT } from '../message/method.ts'
import { HTTP11 } from '../request/asked.ts'
import type { Request } from '../request/request.ts'
import { serializeHead } from './serializer.ts'

/** Responses up to this size are complete, for the log, when they are handed over. */
const HANDED_OVER_MAX = 65536

/** Hears how the response goes. */
export interface WriterOwner {
  /** The client takes nothing for now: the send time-out runs. */
  onResponseStalled(): void
  /** The client takes bytes again: the send time-out stops. */
  onResponseMoving(): void
}

export class ResponseWriter extends BodySink {
  readonly #r: Request
  #wire!: Wire
  #owner!: WriterOwner
  #chunked = false
  /** What is left of a head that is sent little by little. */
  #head = ''
  /** Body bytes that Content-Length still promises, or -1 when it promised nothing. */
  #promised = -1
  /** All is handed over, but the kernel has not taken it yet. */
  #awaitingDrain = false
  #ended = false

  /** `serve` follows. */
  constructor(r: Request) {
    super()
    this.#r = r
  }

  /** Writes to another connection from now on. */
  serve(wire: Wire, owner: WriterOwner): void {
    this.#wire = wire
    this.#owner = owner
  }

  /** Makes ready for the next response. */
  begin(): void {
    this.#chunked = false
    this.#head = ''
    this.#promised = -1
    this.#awaitingDrain = false
    this.#ended = false
  }

  /** Writes a head before the one that answers: 100 makes a client send its body, all else are early hints. */
  sendInterim(status: number, lines: string): void {
    const head = `HTTP/1.1 ${status} ${status === 100 ? 'Continue' : 'Early Hints'}\r\n${lines}\r\n`
    this.#r.bytesSent += head.length
    this.#wire.write(head)
  }

  /** Decides the framing and writes the head. */
  sendHead(): void {
    const r = this.#r
    const { out } = r
    this.#promised = -1
    if (!r.headerOnly) {
      // Trailers need chunks, even when the length is known.
      if (out.trailers !== undefined && !out.trailersOptional && r.version >= HTTP11 && !isTunnel(r))
        out.contentLength = -1
      if (out.contentLength >= 0) this.#promised = out.contentLength
      else if (!isTunnel(r)) this.#frameUnknownLength(r)
    }
    if (r.version < 10) return
    const head = serializeHead(r, this.#chunked)
    r.headLength = head.length
    if (r.headPaced) this.#head = head
    else {
      r.bytesSent += head.length
      this.#wire.write(head)
    }
  }

  /** Sends the next bytes of a head that is paced. */
  passHead(size: number): void {
    const head = this.#head
    this.#head = head.slice(size)
    this.#r.bytesSent += head.length - this.#head.length
    this.#wire.write(head.slice(0, size))
  }

  #frameUnknownLength(r: Request): void {
    if (r.version >= HTTP11 && r.location.core.chunked_transfer_encoding) this.#chunked = r.out.chunked = true
    else r.keepAlive = false
  }

  write(bytes: Uint8Array, flags: number): boolean {
    const wire = this.#wire
    if (this.#ended || wire.closed) return true
    const size = this.#r.headerOnly ? 0 : bytes.length
    if (size > 0) this.#writeBody(bytes, size, (flags & (STABLE | LENT)) !== 0)
    if ((flags & LAST) !== 0) this.#finish()
    if (!wire.full) return true
    if (!this.#ended) this.#owner.onResponseStalled()
    return false
  }

  override writeText(text: string, flags: number): boolean {
    if (this.#chunked || text.length !== this.#promised || this.#ended || this.#wire.closed) {
      return super.writeText(text, flags)
    }
    this.#promised = 0
    this.#r.bytesSent += text.length
    this.#wire.write(text)
    return this.write(NO_BYTES, flags)
  }

  override get takesFiles(): boolean {
    return this.#wire.takesFiles && !this.#chunked && !this.#r.headerOnly
  }

  override writeFile(piece: FilePiece, flags: number): boolean {
    const wire = this.#wire
    const size = piece.length
    if (this.#ended || wire.closed || (this.#promised >= 0 && size > this.#promised)) {
      piece.done(0)
      return this.write(NO_BYTES, flags)
    }
    if (this.#promised > 0) this.#promised -= size
    this.#r.bytesSent += size
    wire.writeFile(piece)
    return this.write(NO_BYTES, flags)
  }

  #writeBody(bytes: Uint8Array, size: number, stable: boolean): void {
    const wire = this.#wire
    const before = wire.bytesWritten
    if (this.#chunked) {
      wire.write(size.toString(16) + '\r\n')
      wire.writeBytes(bytes, stable)
      wire.write('\r\n')
    } else if (this.#promised >= 0 && size > this.#promised) {
      // More than was promised would be read as the next response.
      wire.writeBytes(bytes.subarray(0, this.#promised), stable)
      this.#promised = 0
    } else {
      wire.writeBytes(bytes, stable)
      if (this.#promised > 0) this.#promised -= size
    }
    this.#r.bytesSent += wire.bytesWritten - before
  }

  #finish(): void {
    const r = this.#r
    if (this.#chunked) {
      r.out.trailerLines = r.out.trailers?.() ?? ''
      const tail = '0\r\n' + r.out.trailerLines + '\r\n'
      this.#wire.write(tail)
      r.bytesSent += tail.length
    } else if (this.#promised > 0) {
      // Less than was promised: only closing tells the client.
      r.keepAlive = false
    }
    this.#ended = true
    r.completed = true
    if (this.#wire.pendingBytes <= HANDED_OVER_MAX) {
      r.end()
      return
    }
    this.#awaitingDrain = true
    this.#wire.wantDrain()
    this.#owner.onResponseStalled()
  }

  /** The body cannot be completed: what was sent must not look complete. */
  override abort(): void {
    this.#r.keepAlive = false
    this.#promised = -1
  }

  /** True while only the kernel has to do with the response: the client may have closed its side by then. */
  get draining(): boolean {
    return this.#awaitingDrain
  }

  /** The wire takes bytes again. */
  onDrain(): void {
    if (!this.#awaitingDrain) {
      this.#owner.onResponseMoving()
      this.#r.producer?.onDrain()
      return
    }
    if (this.#wire.pendingBytes > 0) return this.#wire.wantDrain()
    this.#awaitingDrain = false
    this.#owner.onResponseMoving()
    this.#r.end()
  }
}

/** No body follows the head, but a tunnel (RFC 9110, sections 9.3.6 and 15.2.2): it may have no framing fields. */
function isTunnel(r: Request): boolean {
  const { status } = r.out
  return status === 101 || (r.methodBit === CONNECT && status >= 200 && status < 300)
}
