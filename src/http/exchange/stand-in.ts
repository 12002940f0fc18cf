/**
 * A request that no client sent: for variables that are asked when there is none, as in health checks. It has the
 * settings of a location and an address of this machine; nothing can be sent through it.
 */
import type { Wire } from '../../net/wire.ts'
import { HeaderTable } from '../message/header-table.ts'
import { GET } from '../message/method.ts'
import { RequestFacts } from '../message/request-facts.ts'
import { Client } from '../request/client.ts'
import type { LocationConf } from '../request/location.ts'
import { type Carrier, Request } from '../request/request.ts'
import { Attempts } from './attempts.ts'
import type { Exchange } from './exchange.ts'

const LOCAL = { address: '127.0.0.1', port: 0, unixPath: '' }

/** What is known of the back ends: where the request would go, and what came back. */
export interface OwnExchange {
  readonly host: string
  readonly status: number
  readonly headers: HeaderTable | undefined
}

/** Makes such a request; `uri` is what it asks for. */
export function ownRequest(location: LocationConf, uri: string, known: OwnExchange): Request {
  // Getters look at these and no more; one that does is caught by `ownValue`.
  const wire = { remoteAddress: '127.0.0.1', remotePort: 0, localAddress: '127.0.0.1' } as unknown as Wire
  const r = new Request({ client: new Client(0, wire, LOCAL) } as unknown as Carrier)
  r.reset()
  r.headers = new HeaderTable()
  r.facts = new RequestFacts()
  r.location = location
  r.server = location.server
  r.method = 'GET'
  r.methodBit = GET
  r.unparsedUri = r.uri = uri
  r.host = known.host
  const attempts = new Attempts()
  if (known.status > 0) attempts.add('', 0, false).status = known.status
  const { headers = new HeaderTable(), status, host } = known
  const exchange = { attempts, codec: { headers, status }, targetHost: host, targetPort: '', targetUri: '' }
  r.exchange = exchange as unknown as Exchange
  return r
}

/** The value of a variable or template for such a request; empty when it cannot be told without a client. */
export function ownValue(get: (r: Request) => string | undefined, r: Request): string {
  // tidy: once per check; a variable may ask for what only a connection has, and that must not end the worker.
  try {
    return get(r) ?? ''
  } catch {
    return ''
  }
}
