/**
 * What a TLS connection is made of, decided by what the client said first: which server, which of its certificates, which
 * session (ngx_http_ssl_servername, ngx_http_ssl_certificate).
 */
import { HeaderTable } from '../message/header-table.ts'
import { RequestFacts } from '../message/request-facts.ts'
import type { Client } from '../request/client.ts'
import type { ServerConf } from '../request/location.ts'
import { NoCarrier } from '../request/no-carrier.ts'
import { Request } from '../request/request.ts'
import type { VirtualServers } from '../server/listener.ts'

/** A fatal alert in plain text, sent when there is no engine: unrecognized_name. */
export const UNRECOGNIZED_NAME = '\x15\x03\x03\x00\x02\x02\x70'
/** The same: internal_error. */
export const INTERNAL_ERROR = '\x15\x03\x03\x00\x02\x02\x50'

/** Names that clients ask for are read as hosts are. */
const facts = new RequestFacts()

/** Sets what the client asked for; returns the server whose settings hold, the default one when no other is asked for. */
export function chooseByName(client: Client, servers: VirtualServers, name: string): ServerConf {
  facts.reset()
  const host = name !== '' && facts.setHost(name) ? facts.host : ''
  const place = host === '' ? undefined : servers.placeByName(host)
  if (place === undefined) return servers.defaultServer
  client.sniName = host
  client.sniPlace = place
  return place.server
}

/** A request that stands for a connection: for variables in the names of certificates. */
export function connectionRequest(client: Client, server: ServerConf): Request {
  const r = new Request(new NoCarrier(client))
  r.reset()
  r.headers = new HeaderTable()
  r.facts = new RequestFacts()
  r.server = server
  r.location = server.base
  return r
}

/** Protocols in the form that ALPN has. */
function protocols(...names: readonly string[]): Buffer {
  return Buffer.concat(names.flatMap((name) => [Buffer.from([name.length]), Buffer.from(name)]))
}

const HTTP1 = protocols('http/1.1', 'http/1.0', 'http/0.9')
const HTTP2 = protocols('h2', 'http/1.1', 'http/1.0', 'http/0.9')

/** The protocols that we speak, the preferred one first. */
export function alpnFor(http2: boolean): Buffer {
  return http2 ? HTTP2 : HTTP1
}
