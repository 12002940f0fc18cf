/**
 * What an exchange holds of a back end, so that it need not know whether a protocol has connections for itself (HTTP/1)
 * or streams of shared ones (HTTP/2).
 */
import type { Wire } from '../../net/wire.ts'
import type { WireFailure } from '../../net/wire-failure.ts'
import { connectHint } from '../../upstream/connect-hint.ts'
import type { Peer } from '../../upstream/peer.ts'
import { type ConnectionPool, type ConnectOptions, type ConnectUser, PeerConnection } from '../../upstream/pool.ts'
import type { Request } from '../request/request.ts'

/** A connection or a stream that serves one request at a time. */
export interface Link {
  /** Its owner is whoever holds the link. */
  readonly wire: Wire
  /** Requests that it has carried. */
  requests: number
  /** It was taken while its connection was being opened for others: `user` will hear. */
  readonly opening?: boolean
  /** Hears when it is open, if it was not yet. */
  user: ConnectUser | undefined
  /** What is being done until it is open, for logs. */
  readonly doing: string
  /** What to log when it was closed before `user` heard that it is there; goes on with "while" and `doing`. */
  failureText(failure: WireFailure | undefined): string
  /** What else uses the connection goes on, but nothing new begins: the peer was too `late`, or we leave. */
  retire(late: boolean): void
  /** Gives it up; what was not sent yet is lost, and the owner is not told. */
  close(): void
}

/** Logs that a link has not come to be. */
export function logNoLink(r: Request, link: Link, failure: WireFailure | undefined, level: number): void {
  r.logError(level, `${link.failureText(failure)} while ${link.doing}${connectHint(failure)}`)
}

/** A link whose wire knows where a request begins and ends. */
export interface MessageWire extends Wire {
  /** Sends the head; `last`: the request has no body, else `end` is called behind it. */
  sendHead(head: string, last: boolean): void
}

/** How a protocol comes by links. */
export interface Links {
  /** One to `peer` on a connection that is there, or is being opened. */
  take(pool: ConnectionPool | undefined, peer: Peer, tag: string, options: ConnectOptions): Link | undefined
  /** A new one, being opened. */
  open(pool: ConnectionPool | undefined, peer: Peer, tag: string, options: ConnectOptions): Link
  /** The request is over, and another one may use the link. */
  give(link: Link, pool: ConnectionPool, tag: string): void
}

/** Each request has a connection for itself. */
export const OWN_CONNECTIONS: Links = {
  take: (pool, peer, tag, options) => pool?.take(peer, tag, options),
  open: (_pool, peer, _tag, options) => new PeerConnection(peer, options),
  // Links of these protocols are made here.
  give: (link, pool, tag) => pool.give(link as PeerConnection, tag),
}
