/**
 * A request that no client sent: for variables that are asked when there is none, as in health checks. It has the
 * settings of a location and an address of this machine; nothing can be sent through it.
 */
import { HeaderTable } from '../message/header-table.ts'
import { GET } from '../message/method.ts'
import { RequestFacts } from '../message/request-facts.ts'
import { Attempts } from '../request/attempts.ts'
import type { Conversation } from '../request/conversation.ts'
import type { LocationConf } from '../request/location.ts'
import { NoCarrier } from '../request/no-carrier.ts'
import { Request } from '../request/request.ts'

/** What is known of the back ends: where the request would go, and what came back. */
export interface KnownOutcome {
  readonly host: string
  /** 0: nobody has answered. */
  readonly status: number
  readonly headers: HeaderTable | undefined
}

/** Makes such a request; `uri` is what it asks for. */
export function standInRequest(location: LocationConf, uri: string, known: KnownOutcome): Request {
  const r = new Request(new NoCarrier())
  r.reset()
  r.headers = new HeaderTable()
  r.facts = new RequestFacts()
  r.location = location
  r.server = location.server
  r.method = 'GET'
  r.methodBit = GET
  r.unparsedUri = r.uri = uri
  r.host = known.host
  r.conversation = new StandInConversation(known)
  return r
}

class StandInConversation implements Conversation {
  readonly attempts = new Attempts()
  readonly asked = ''
  readonly methodAsked = ''
  readonly keeping = false
  readonly responseFields: HeaderTable | undefined
  readonly responseTrailers = ''
  readonly targetHost: string
  readonly targetPort = ''
  readonly tls = undefined
  readonly caching = undefined

  constructor({ host, status, headers }: KnownOutcome) {
    this.targetHost = host
    this.responseFields = headers
    if (status > 0) this.attempts.add('', 0, false).status = status
  }

  release(): void {}
}
