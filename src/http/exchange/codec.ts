/**
 * How one protocol speaks to a back end: what it sends for a request, and how it reads what comes back. The exchange
 * knows nothing of the protocol; HTTP/1, HTTP/2, FastCGI, uwsgi, SCGI and memcached are codecs.
 */
import type { Wire } from '../../net/wire.ts'
import type { HeaderTable } from '../message/header-table.ts'
import type { Request } from '../request/request.ts'
import type { Links } from './link.ts'

/** `parseHead`: more bytes are needed. */
export const HEAD_MORE = 0
/** `parseHead`: the head is complete; `headLength` bytes were used. */
export const HEAD_DONE = 1
/** `parseHead`: not a valid head; `problem` says why. */
export const HEAD_INVALID = 2
/** `parseHead`: an interim response (1xx) was read; go on with what follows it. */
export const HEAD_INTERIM = 3

/** `decodeBody`: the framing is broken. */
export const BODY_BROKEN = -1

/** Receives decoded body bytes; they are borrowed. */
export interface BodyReceiver {
  onBody(bytes: Uint8Array, start: number, end: number): void
  /** Bytes of the trailer section, line ends included, as they arrive. */
  onTrailer(bytes: Uint8Array, start: number, end: number): void
  /** The whole trailer section as lines, where trailers are no lines on the wire. */
  onTrailerText(text: string): void
}

/** One conversation; reused for the next by `begin`. */
export interface Codec {
  /** Fields of the response, valid from HEAD_DONE to `begin`. */
  readonly headers: HeaderTable
  readonly status: number
  /** Code and reason as the back end wrote them, or empty. */
  readonly statusText: string
  readonly headLength: number
  /** Length of the body when the back end said it, or -1. */
  readonly contentLength: number
  readonly problem: string
  /** How many of the bytes behind the last of the body still belong to the response; valid while that one is received. */
  readonly behindBody: number
  /** True once the last byte of the body was decoded. */
  readonly bodyDone: boolean
  /** A body that ends with the connection is complete when the connection ends. */
  readonly endsWithConnection: boolean
  /** The connection may serve another request after this response. */
  readonly keepAlive: boolean
  /** Bytes of the heads, where they do not come as bytes. */
  readonly headBytes?: number
  /** Why the back end may have closed the connection without an answer to this request, for logs; in brackets. */
  readonly silence?: string
  /** `parseHead` takes what it is given of a head that is not complete: those bytes do not come again. */
  readonly takesHead?: boolean
  /** The back end said that it has not worked on the request: it may be sent again, whatever it is. */
  readonly refused?: boolean
  /** The back end has left HTTP without being asked to: nobody who asked for that reads pages. */
  readonly left?: boolean
  /** With this response the connection becomes a tunnel, as the client has asked. */
  readonly upgraded: boolean

  /** Makes ready for a response to `sent`, the request of `r`; the head may have `headMax` bytes. */
  begin(r: Request, sent: string, headMax: number): void
  /** The conversation is on `wire`, which belongs to a link of this protocol. */
  attach?(wire: Wire): void
  parseHead(buffer: Buffer, start: number, end: number): number
  /** After HEAD_INTERIM: the head of the final response follows. */
  nextHead(): void
  /** Decodes body bytes; returns where it stopped (bytes behind belong to nobody), or BODY_BROKEN. */
  decodeBody(buffer: Buffer, start: number, end: number, to: BodyReceiver): number
  /** The head as cache files have it, where it is not kept as it came. */
  storedHead?(): Buffer
  /** Instead of that, when nobody wants the body: tells whether the bytes behind the head are all that is left of it. */
  endsWithin?(buffer: Buffer, start: number, end: number): boolean
}

/** How a protocol frames the body of a request; without it the body goes out as it is. */
export interface BodyRecords {
  /** Goes out behind the last byte, also when there is no body. */
  readonly end: string
  /** Sends a piece of the body; the bytes are borrowed unless `stable`. */
  write(wire: Wire, bytes: Uint8Array, stable: boolean): void
}

/** A protocol: makes the codecs for it. An exchange has one of each that it has spoken. */
export interface Protocol {
  /** Nothing is asked: a connection that is open is the answer, and from then on bytes pass both ways. */
  readonly tunnel: boolean
  /** Its wires are message wires (link.ts): they know where a request begins and ends. */
  readonly framed: boolean
  readonly links: Links
  readonly records?: BodyRecords
  /** The protocol whose heads stand in cache files, when this one's own cannot: their writer makes them of the fields. */
  readonly stored?: Protocol
  newCodec(): Codec
}
