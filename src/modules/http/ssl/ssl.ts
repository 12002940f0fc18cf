/** ngx_http_ssl_module: TLS for clients. What is done when a connection begins stands in `src/http/ssl/`. */

import { httpModule } from '../../../http/compile/module.ts'
import type { Request } from '../../../http/request/request.ts'
import { NEXT, type Verdict } from '../../../http/request/verdict.ts'
import { INFO } from '../../../log/error-log.ts'
import type { TlsServer } from '../../../net/tls-server.ts'
import { clientProblem, NO_CERTIFICATE } from '../../../tls/client-certificate.ts'
import { compileSslServer, declareZones } from '../../../tls/compile-server.ts'
import { checkPasswords } from '../../../tls/loader.ts'
import { type SslServer, VERIFY_OFF } from '../../../tls/server.ts'
import { sslDirectives } from '../../../tls/server-directives.ts'
import { sessionId } from '../../../tls/session-facts.ts'
import { changeable } from '../../../value/variables.ts'
import { sslVariables } from './variables.ts'

const CERTIFICATE_ERROR = 495
const CERTIFICATE_MISSING = 496

export const sslModule = httpModule({
  name: 'ngx_http_ssl_module',
  doc: 'TLS for clients: certificates, protocols, sessions, verification of clients.',
  directives: sslDirectives,
  variables: changeable(sslVariables),
  declare(_, tree, scope) {
    declareZones(scope.own(sslDirectives), tree)
    checkPasswords(sslDirectives.ssl_password_file, scope, tree)
  },
  attach(conf, plan, at) {
    if (at.location !== at.server.base) return
    const ssl = compileSslServer(conf, at)
    at.server.ssl = ssl
    if (ssl.verify !== VERIFY_OFF) plan.postread(checkClient, ssl)
  },
})

/** The session of a client that was refused is not resumed. */
function forget(tls: TlsServer, { context }: SslServer<Request>): void {
  const { session } = tls
  if (session !== undefined) context?.cache?.remove(Buffer.from(sessionId(session), 'hex').latin1Slice())
}

/** Refuses who did not prove who he is (ngx_http_process_request). */
function checkClient(r: Request, ssl: SslServer<Request>): Verdict {
  const { client } = r
  if (client.tls === undefined) return NEXT
  const problem = clientProblem(client, ssl)
  if (problem === '') return NEXT
  const missing = problem === NO_CERTIFICATE
  forget(client.tls, ssl)
  const text = missing ? problem : `client SSL certificate verify error: ${problem}`
  r.logError(INFO, `${text} while reading client request headers`)
  return missing ? CERTIFICATE_MISSING : CERTIFICATE_ERROR
}
