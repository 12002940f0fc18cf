/**
 * gRPC-Web, which browsers speak because they cannot read trailers: messages are those of gRPC, and the trailers follow
 * them as one more message. In its text form all is base64. nginx does not have it; `grpc_web on` in a location with
 * `grpc_pass` translates both ways. CORS is up to `add_header`.
 *
 *   application/grpc-web[-text][+proto]  ->  application/grpc[+proto]
 *   messages, 0x80 length trailers       <-  messages, trailers
 */

import { flag } from '../../../config/args.ts'
import { directive } from '../../../config/directive.ts'
import type { BodyDecoder } from '../../../http/exchange/request-sender.ts'
import { BodyFilter, type BodySink, FLUSH, LAST } from '../../../http/message/body.ts'
import { hashName } from '../../../http/message/field-names.ts'
import { UNKNOWN } from '../../../http/message/response-head.ts'
import type { Plan } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { NO_BYTES } from '../../../lib/bytes.ts'

const CONTENT_TYPE = hashName('content-type')
const ACCEPT = hashName('accept')
const TYPE = /^application\/grpc-web(-text)?(\+[\w.-]+)?\s*(?:;|$)/i
const GRPC_TYPE = /^application\/grpc(\+[\w.-]+)?\s*(?:;|$)/i
const DEFAULT_SUFFIX = '+proto'
const TRAILERS_FLAG = 0x80

/** The directive, mounted by the gRPC module. */
export const webDirectives = {
  grpc_web: directive({
    in: ['http', 'server', 'location'],
    args: flag,
    default: 'off',
    doc: 'Understands gRPC-Web, in both of its forms, and passes it on as gRPC.',
  }),
}

/** A request in gRPC-Web. */
export interface WebRequest {
  /** Its content type in gRPC. */
  readonly contentType: string
  /** Decodes its body, if that is base64. */
  readonly decoder: BodyDecoder | undefined
}

/** What a request is translated to; undefined when it is not gRPC-Web. */
export function webRequest(r: Request): WebRequest | undefined {
  const match = TYPE.exec(r.headers.valueOf(CONTENT_TYPE, 'content-type') ?? '')
  if (match === null) return undefined
  const contentType = `application/grpc${match[2] ?? DEFAULT_SUFFIX}`
  return { contentType, decoder: match[1] === undefined ? undefined : new Base64Decoder() }
}

/** Translates the responses of a location. */
export function attachWeb(plan: Plan): void {
  plan.headerFilter(translate, undefined)
}

function translate(r: Request): void {
  const asked = TYPE.exec(r.headers.valueOf(CONTENT_TYPE, 'content-type') ?? '')
  const answered = GRPC_TYPE.exec(r.out.contentType)
  if (asked === null || answered === null) return
  const accepted = TYPE.exec(r.headers.valueOf(ACCEPT, 'accept') ?? '') ?? asked
  const asText = accepted[1] !== undefined
  const { out } = r
  out.contentType = `application/grpc-web${asText ? '-text' : ''}${answered[1] ?? DEFAULT_SUFFIX}`
  const { trailers } = out
  // A status that stands in the head is found there.
  if (trailers === undefined) return
  out.trailers = undefined
  out.contentLength = UNKNOWN
  r.addBodyFilter((next) => new WebBody(next, trailers, asText))
}

/** Puts the trailers behind the messages, and all into base64 if need be. */
class WebBody extends BodyFilter {
  readonly #trailers: () => string
  readonly #asText: boolean

  constructor(next: BodySink, trailers: () => string, asText: boolean) {
    super(next)
    this.#trailers = trailers
    this.#asText = asText
  }

  write(bytes: Uint8Array, flags: number): boolean {
    if ((flags & LAST) === 0) return this.#write(bytes, flags)
    if (bytes.length > 0) this.#write(bytes, flags & ~LAST)
    return this.#write(trailerMessage(this.#trailers()), LAST | FLUSH)
  }

  /** Each piece is padded for itself, which clients have to understand. */
  #write(bytes: Uint8Array, flags: number): boolean {
    if (!this.#asText || bytes.length === 0) return this.next.write(bytes, flags)
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    return this.next.writeText(buffer.toString('base64'), flags)
  }
}

/** `lines` as a message of its own kind; empty when there are none. */
function trailerMessage(lines: string): Buffer {
  if (lines === '') return NO_BYTES
  const text = Buffer.from(lines.replaceAll(/^([^:\r\n]+): /gm, '$1:'), 'latin1')
  const message = Buffer.allocUnsafe(5 + text.length)
  message[0] = TRAILERS_FLAG
  message.writeUInt32BE(text.length, 1)
  text.copy(message, 5)
  return message
}

/** Decodes base64 that comes in pieces, each of which may have padding of its own. */
class Base64Decoder implements BodyDecoder {
  /** Characters that wait for the rest of their group of four. */
  #pending = ''
  failed = false

  reset(): void {
    this.#pending = ''
    this.failed = false
  }

  decode(bytes: Uint8Array, start: number, end: number): Buffer {
    // The body's bytes are those of a Buffer.
    const text = this.#pending + (bytes as Buffer).latin1Slice(start, end)
    const whole = text.length - (text.length % 4)
    this.#pending = text.slice(whole)
    if (whole === 0 || this.failed) return NO_BYTES
    const parts: Buffer[] = []
    // Where padding stands, a piece ends.
    for (const piece of text.slice(0, whole).match(/[^=]*=*/g) ?? []) {
      if (piece === '') continue
      if (piece.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(piece)) {
        this.failed = true
        return NO_BYTES
      }
      parts.push(Buffer.from(piece, 'base64'))
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }
}
