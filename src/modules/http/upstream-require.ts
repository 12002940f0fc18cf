/** `require $variable ...` of a `match` block: variables are asked of a request that stands for the check's answer. */

import { Client } from '../../http/client.ts'
import { Attempts } from '../../http/exchange/attempts.ts'
import type { Exchange } from '../../http/exchange/exchange.ts'
import type { ResponseParser } from '../../http/h1/response-parser.ts'
import { HeaderTable } from '../../http/header-table.ts'
import type { LocationConf } from '../../http/location.ts'
import { GET } from '../../http/method.ts'
import type { TreeContext } from '../../http/module.ts'
import { type Carrier, Request } from '../../http/request.ts'
import { RequestFacts } from '../../http/request-facts.ts'
import { clock } from '../../lib/clock.ts'
import type { Wire } from '../../net/wire.ts'
import type { Requirement } from './upstream-match.ts'

/** Tells whether all of the variables are set to something other than 0; `location` lends the request its settings. */
export function compileRequirement(
  names: readonly string[],
  location: LocationConf,
  tree: TreeContext,
): Requirement | undefined {
  if (names.length === 0) return undefined
  const getters = names.map((name) => tree.variable(name.slice(1)))
  return (head, wire) => {
    const r = requestFor(head, wire, location)
    return getters.every((getter) => {
      const value = getter(r)
      return value !== undefined && value !== '' && value !== '0'
    })
  }
}

function requestFor(head: ResponseParser, wire: Wire, location: LocationConf): Request {
  // Getters look at the client and at fields of the request and the answer; nothing is sent through this carrier.
  const carrier = { client: new Client(0, wire, { address: '', port: 0, unixPath: '' }) } as unknown as Carrier
  const r = new Request(carrier)
  r.reset()
  r.headers = new HeaderTable()
  r.facts = new RequestFacts()
  r.location = location
  r.server = location.server
  r.method = 'GET'
  r.methodBit = GET
  r.begin(clock.now, clock.monotonic)
  const attempts = new Attempts()
  attempts.add('', clock.monotonic, false).status = head.status
  // Of an exchange the variables of `upstream` use these two.
  r.exchange = { attempts, codec: { headers: head.headers, status: head.status } } as unknown as Exchange
  return r
}
