/** Requests for another server than the one that TLS was agreed on with (ngx_http_set_virtual_server). */
import { INFO } from '../../log/error-log.ts'
import { VERIFY_OFF } from '../../tls/server.ts'
import type { Request } from '../request/request.ts'

const PROBLEM =
  'client attempted to request the server name different from the one that was negotiated while reading client request headers'

/**
 * True when the server of `r`, found by its host, verifies clients, and TLS was set up for another name: what the client
 * proved there does not count here, and the answer is 421. It was logged.
 */
export function misdirected(r: Request): boolean {
  const { sniName } = r.client
  if (sniName === '' || r.host === '' || r.host === sniName || r.server.ssl.verify === VERIFY_OFF) return false
  r.location = r.server.base
  r.logError(INFO, PROBLEM)
  return true
}
