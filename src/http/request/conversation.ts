/**
 * What a request knows of its back ends, whoever speaks with them: an exchange, or a stand-in where nobody was asked.
 * Variables read it; how the conversation is led is a matter of exchange/.
 */
import type { NoTls, TlsTarget } from '../../net/tls-client.ts'
import type { HeaderTable } from '../message/header-table.ts'
import type { Attempts } from './attempts.ts'

/** What the cache had to say. */
export interface CacheFacts {
  /** `$upstream_cache_status`. */
  readonly statusText: string | undefined
  readonly key: string
  /** The response is to be kept, with or without its client. */
  readonly cacheable: boolean
  /** What an expired response is revalidated by: seconds since the epoch (-1: by no date), and an entity tag. */
  readonly lastModified: number
  readonly etag: string
  /** Seconds since the response was stored; -1: it was not. */
  readonly age: number
}

/** From the first attempt until the request is logged. */
export interface Conversation {
  /** The method to ask back ends with; empty: the request's own. */
  readonly methodAsked: string
  /** Back ends are to be asked so that the response can be kept. */
  readonly keeping: boolean
  readonly attempts: Attempts
  /** Who is being asked, for error messages: `http://127.0.0.1:8000/x`; empty before the first attempt. */
  readonly asked: string
  /** Fields of the last response; undefined when there was none. */
  readonly responseFields: HeaderTable | undefined
  /** The trailer section that followed it, in lines as they came. */
  readonly responseTrailers: string
  /** Host and port as the location names them, which may come from variables (`$proxy_host`, `$proxy_port`). */
  readonly targetHost: string
  readonly targetPort: string
  /** How the back end is spoken to in TLS; undefined: in the clear. */
  readonly tls: TlsTarget | NoTls | undefined
  /** Undefined where there is no cache. */
  readonly caching: CacheFacts | undefined
  /** The request is logged: everything goes back. Called once. */
  release(): void
}
