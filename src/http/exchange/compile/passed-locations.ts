/**
 * Where locations pass their requests, for modules that ask the same servers for reasons of their own: health checks.
 * Modules such as `proxy` note it while they attach; it is complete when all locations are attached.
 */
import type { PeerGroup } from '../../../upstream/group.ts'
import type { ConnectOptions } from '../../../upstream/pool.ts'
import type { LocationConf } from '../../request/location.ts'
import type { Protocol } from '../codec.ts'
import type { OwnRequest } from '../probes/codec.ts'

/** One location's back ends and how it speaks to them. */
export interface PassedTo {
  readonly group: PeerGroup
  readonly connectTimeoutMs: number
  readonly readTimeoutMs: number
  connect(): ConnectOptions
  /** An HTTP request of our own to them, with the fields that requests of clients would get; `keep` the connection. */
  request(uri: string, keep: boolean): string
  /** The header block of such a request, where HTTP/2 is spoken. */
  readonly http2?: ((uri: string) => string) | undefined
  /** The same by another protocol than HTTP. */
  readonly own?: { readonly protocol: Protocol; ask(uri: string): OwnRequest }
  /** The header block of a gRPC call of our own, where gRPC is spoken. */
  readonly grpc?: (path: string) => string
}

/** The key of the tree's shared map. */
export const PASSED = 'passed locations'

/** By location; only those whose group is an `upstream` block known at load. */
export type PassedLocations = Map<LocationConf, PassedTo>
