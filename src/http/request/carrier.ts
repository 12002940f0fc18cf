/** What carries requests: the interface that HTTP/1 connections and HTTP/2 streams offer. */
import type { Tunnel, TunnelWire } from '../../upstream/tunnel.ts'
import type { Client } from './client.ts'
import type { Request } from './request.ts'

/** What a protocol gives to its requests; HTTP/1 connections and HTTP/2 streams implement it. */
export interface Carrier {
  readonly client: Client
  /** Serialises `r.out` and queues it; `r.body` is then this carrier's framing sink. */
  sendHead(r: Request): void
  /** Sends `size` bytes of a head that `r.headPaced` kept back; absent where heads are not paced. */
  passHead?(size: number): void
  /** Sends an interim response (100, 103) with the given header lines. */
  sendInterim(r: Request, status: number, lines: string): void
  /** True when written bytes only pile up. */
  readonly full: boolean
  /** Body bytes may now be delivered to `r.requestBody`. */
  startBody(r: Request): void
  /**
   * What has come of the body goes to `r.requestBody` now and, when nobody wants the body (`all`), what still comes at
   * once. Returns 0, or the status that answers a body that is not what it claims to be.
   */
  takeBody(r: Request, all: boolean): number
  pauseBody(): void
  resumeBody(): void
  /** The response is complete (or given up): log it, then serve what comes next. */
  requestEnded(r: Request): void
  /** The response is complete, and only copies of the request are under way: the carrier need not wait for `requestEnded`. */
  leaveBehind?(r: Request): void
  /**
   * Ends the connection (or the stream) without another byte: status 444, or a body that cannot be completed. With
   * `behindOutput` what was written is the client's yet, however slow it is.
   */
  abortRequest(r: Request, behindOutput?: boolean): void
  /** Answers a status in a way of its own; false: as usual. */
  answerStatus?(r: Request, status: number): boolean
  /** Turns the connection into a tunnel after 101 or an answer to CONNECT; undefined where the protocol has none. */
  startTunnel?(tunnel: Tunnel): void
  /** Where a tunnel writes to; undefined: the client's wire. */
  readonly tunnelWire?: TunnelWire
  /** Closes the connection that is a tunnel once the client has taken what was written to it. */
  endTunnel?(): void
  /** Bytes that the client has not taken yet. */
  readonly pendingBytes: number
  /** The worker is leaving: nothing is kept open for later. */
  readonly closing: boolean
}
