/** Requests for another server than the one that TLS was agreed on with (ngx_http_set_virtual_server). */
import { INFO } from '../../log/error-log.ts'
import { VERIFY_OFF } from '../../tls/server.ts'
import type { Request } from '../request/request.ts'

const PROBLEM = 'client attempted to request the server name different from the one that was negotiated'

/**
 * True when the server of `r`, found by its host or for want of one, verifies clients, and TLS was set up for another name:
 * what the client proved there does not count here. It was logged, and the server that TLS was agreed on with has the request,
 * to answer 421: as far as that one knows, no host was named. `where` is the part of the head that was read.
 */
export function misdirected(r: Request, where: 'line' | 'headers'): boolean {
  const { sniName, sniServer } = r.client
  if (sniServer === undefined || r.host === sniName || r.server.ssl.verify === VERIFY_OFF) return false
  r.server = sniServer
  r.location = sniServer.base
  r.host = ''
  r.logError(INFO, `${PROBLEM} while reading client request ${where}`)
  return true
}
