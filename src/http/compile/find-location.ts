/** The step that finds a request's location and checks what depends on it (ngx_http_core_find_config_phase). */

import { ERROR } from '../../log/error-log.ts'
import { CONNECT } from '../message/method.ts'
import { escapeUri } from '../message/uri.ts'
import { debugLocation } from '../request/debug-log.ts'
import { REDIRECT, type ServerConf } from '../request/location.ts'
import type { Request } from '../request/request.ts'
import { trace } from '../request/trace.ts'
import { NEXT, type Verdict } from '../request/verdict.ts'

export function findLocation(r: Request, server: ServerConf): Verdict {
  r.uriChanged = false
  r.location = server.base
  const outcome = server.locations.find(r)
  if (r.givenUp) return NEXT
  if (trace !== undefined) trace.located(r, server, outcome)
  const found = r.location
  if (found.internal && !r.internal) return 404
  if (found.limitExcept !== undefined && (found.limitExcept.methods & r.methodBit) === 0) {
    r.location = found.limitExcept.location
  }
  debugLocation(r)
  const max = r.location.core.client_max_body_size
  if (max > 0 && r.contentLength > max && r.requestBody === undefined) {
    r.logError(ERROR, `client intended to send too large body: ${r.contentLength} bytes`)
    r.discardBody()
    return 413
  }
  if (outcome === REDIRECT && r.methodBit !== CONNECT) {
    const path = escapeUri(found.name, 'uri')
    r.out.location = r.args === '' ? path : `${path}?${r.args}`
    return 301
  }
  r.enter(r.location)
  return NEXT
}
