/** Server and location zones as NGINX Plus's API shows them. */
import type { HttpTree } from '../compile/module.ts'
import { statusZonesOf, type ZoneOf } from '../server/status-zones.ts'
import type { ZoneNumbers } from '../server/zone-counts.ts'
import { clientTlsObject } from './tls.ts'

/** Responses by class and by status. */
export interface Responses {
  readonly '1xx': number
  readonly '2xx': number
  readonly '3xx': number
  readonly '4xx': number
  readonly '5xx': number
  readonly codes: Readonly<Record<string, number>>
  readonly total: number
}

/** What is counted of a location zone. */
interface LocationZone {
  readonly requests: number
  readonly responses: Responses
  readonly discarded: number
  readonly received: number
  readonly sent: number
}

/** What is counted of a server zone. */
interface ServerZone extends LocationZone {
  readonly processing: number
  readonly ssl: object
}

/** Names and numbers of all zones of a kind. */
export function zoneNumbers(tree: HttpTree, of: ZoneOf): ReadonlyMap<string, ZoneNumbers> {
  return new Map([...statusZonesOf(tree).all(of)].map(([name, counts]) => [name, counts.read()]))
}

/** Makes the object of a location zone. */
export function locationZone(numbers: ZoneNumbers): LocationZone {
  const { discarded, received, sent } = numbers
  const responses = responsesOf(numbers.classes, numbers.codes)
  return { requests: responses.total + discarded, responses, discarded, received, sent }
}

/** Makes the object of a server zone. */
export function serverZone(numbers: ZoneNumbers): ServerZone {
  const { processing, discarded, received, sent } = numbers
  const responses = responsesOf(numbers.classes, numbers.codes)
  const requests = responses.total + discarded + processing
  return { processing, requests, responses, discarded, received, sent, ssl: clientTlsObject(numbers.tls) }
}

/** Makes the object of responses by class. */
export function responsesOf(classes: readonly number[], codes: ReadonlyMap<number, number>): Responses {
  const [c1 = 0, c2 = 0, c3 = 0, c4 = 0, c5 = 0] = classes
  const byCode = Object.fromEntries([...codes].map(([code, count]) => [String(code), count]))
  return { '1xx': c1, '2xx': c2, '3xx': c3, '4xx': c4, '5xx': c5, codes: byCode, total: c1 + c2 + c3 + c4 + c5 }
}
