/** What the log says of connections that end while nobody asks anything (ngx_http_wait_request_handler, ngx_http_keepalive_handler). */
import { INFO, type LogContext } from '../../log/error-log.ts'
import type { Client } from '../request/client.ts'
import type { ServerConf } from '../request/location.ts'
import type { HttpListener } from './listener.ts'

/** Tells that the client has closed its connection, or with a `problem` that it was found broken. `server` is whose log has it. */
export function logSilentEnd(client: Client, listener: HttpListener, server: ServerConf, problem = ''): void {
  const { log } = server.base
  if (!log.enabled(INFO)) return
  const kept = client.requests > 0
  if (kept && problem === '')
    log.write(INFO, `client ${client.address} closed keepalive connection`, contextOf(client, ''))
  else {
    const text = `${problem || 'client closed connection'} while ${kept ? 'keepalive' : 'waiting for request'}`
    log.write(INFO, text, contextOf(client, `, client: ${client.address}, server: ${listener.key}`))
  }
}

function contextOf({ id, debug }: Client, description: string): LogContext {
  return { connection: id, debugConnection: debug, describe: () => description }
}
