/**
 * From the fields of an HTTP/2 head to a request that runs: the checks of nginx's ngx_http_v2_run_request in their order,
 * with its words. An extended CONNECT (RFC 8441) becomes the request that a WebSocket makes over HTTP/1.1, so that
 * everything behind this file serves both alike.
 */

import { clock } from '../../lib/clock.ts'
import { randomId } from '../../lib/random.ts'
import { INFO } from '../../log/error-log.ts'
import { hashName } from '../message/field-names.ts'
import { loggedField } from '../message/logged-field.ts'
import { CONNECT, GET, methodBit } from '../message/method.ts'
import { DONE, NO_HOST, REQUEST_ERRORS } from '../message/request-errors.ts'
import type { RequestFacts } from '../message/request-facts.ts'
import { normalizeUri, type UriParts } from '../message/uri.ts'
import { debugHead } from '../request/debug-log.ts'
import type { ServerConf } from '../request/location.ts'
import { logRequest } from '../request/log-request.ts'
import type { Request } from '../request/request.ts'
import type { HttpListener } from '../server/listener.ts'
import { misdirected } from '../server/misdirected.ts'
import type { RequestFields } from './request-fields.ts'
import type { H2Stream } from './stream.ts'

/** As RequestFacts counts versions: major * 1000 + minor. */
const VERSION = 2000
const HOST = hashName('host')
const WEBSOCKET_KEY = hashName('sec-websocket-key')
const target: UriParts = { uri: '', args: '' }

/** Serves the head in `fields` on `stream`, which has begun; the request may be over when this returns. */
export function openRequest(stream: H2Stream, fields: RequestFields, listener: HttpListener): void {
  const r = stream.request
  const servers = listener.serversFor(stream.client)
  r.begin(clock.now, clock.monotonic)
  r.connectionRequests = stream.client.requests
  r.version = 20
  r.method = fields.method
  r.methodBit = methodBit(fields.method)
  r.unparsedUri = fields.path
  r.server = stream.client.sniServer ?? servers.defaultServer
  if (fields.method !== '' && fields.path !== '') r.requestLine = fields.method + ' ' + fields.path + ' HTTP/2.0'
  const hostSound = findServer(r, fields, listener)
  r.host = r.facts.host
  r.location = r.server.base
  const pathSound = fields.pathSound && readPath(r)
  for (const name of fields.dropped) {
    r.logError(INFO, `client sent invalid header: "${name}" while reading client request headers`)
  }
  if (fields.status !== 0) return refuse(r, fields.status, `client ${fields.problem}`)
  if (!hostSound) return refuse(r, 400, 'client sent invalid ":authority" header')
  if (!r.server.http2.on && !servers.http2Listen) {
    const problem = 'client attempted to request the server name for which the negotiated protocol is disabled'
    return refuse(r, 421, problem)
  }
  if (fields.protocol !== '' && !extend(stream, fields)) return
  if (!examine(r, fields)) return
  const { facts } = r
  r.contentLength = stream.intake.expected = facts.contentLength
  r.expectContinue = facts.expectContinue
  if (misdirected(r, 'headers')) return r.finish(421)
  const { ended } = stream.intake
  if (ended && r.contentLength > 0) return refuse(r, 400, 'client prematurely closed stream')
  // Without a length there is a body when the client goes on after its head; so there is one, if an empty one, with 0.
  r.chunked = r.contentLength <= 0 && !ended && !stream.extended
  if (r.methodBit === CONNECT) return refuse(r, 405, 'client sent CONNECT method')
  if (!pathSound) return refuse(r, 400, 'client sent invalid request')
  debugHead(r)
  // A body that came together with its head can be looked at before anything is answered.
  if (ended || stream.extended) r.start(r.server)
  else stream.startLater()
}

/** Logs a request whose head did not come in time. */
export function logLateHead(stream: H2Stream, server: ServerConf): void {
  const r = stream.request
  r.begin(clock.now, clock.monotonic)
  r.connectionRequests = stream.client.requests
  r.version = 20
  r.malformed = true
  r.server = server
  r.location = server.base
  r.logError(INFO, 'client timed out (110: Connection timed out)')
  r.out.status = 408
  logRequest(r)
}

/** Also a request that will be refused is told with its path; false: that is malformed. */
function readPath(r: Request): boolean {
  if (!normalizeUri(r.unparsedUri, r.server.connection.merge_slashes, target)) return false
  r.uri = target.uri
  r.args = target.args
  return true
}

/** Finds the server by what is known of the host, also for a head that will be refused; false when `:authority` is malformed. */
function findServer(r: Request, fields: RequestFields, listener: HttpListener): boolean {
  const { facts } = r
  if (fields.authority !== '') {
    if (!facts.setHost(fields.authority)) return false
  } else facts.findHost(r.headers)
  if (facts.host !== '' || fields.status === 0) r.server = listener.serversFor(r.client).find(facts.host, r)
  return true
}

function refuse(r: Request, status: number, message: string): void {
  r.malformed = status === 400
  if (r.host !== '') misdirected(r, 'headers')
  r.logError(INFO, `${message} while reading client request headers`)
  r.finish(status)
}

/** What the fields say about the request; false: it was refused. */
function examine(r: Request, fields: RequestFields): boolean {
  const { facts, headers } = r
  const { authority } = fields
  if (authority !== '') {
    const host = headers.find(HOST, 'host')
    if (host < 0) headers.addDecoded('host', HOST, authority)
    else if (headers.value(host) !== authority) {
      refuse(r, 400, 'client sent ":authority" and "Host" headers with different values')
      return false
    }
  }
  const code = facts.examine(headers, VERSION, r.methodBit)
  if (code === DONE) return true
  const { status, logMessage } = REQUEST_ERRORS[code]!
  const message =
    code === NO_HOST
      ? 'client sent neither ":authority" nor "Host" header'
      : logMessage.replace('%s', () => detail(facts, r))
  refuse(r, status, message)
  return false
}

/** The field that a message is about, and the one before it of the same name. */
function detail(facts: RequestFacts, r: Request): string {
  const { headers } = r
  const index = facts.errorIndex
  if (index < 0) return ''
  const name = headers.lowerName(index)
  const previous = headers.find(headers.hash(index), name)
  return `"${loggedField(name, headers.value(index))}", previous value: "${loggedField(name, headers.value(previous))}"`
}

/** Turns an extended CONNECT into the upgrade of HTTP/1.1; false: it was refused. */
function extend(stream: H2Stream, fields: RequestFields): boolean {
  const r = stream.request
  if (r.methodBit !== CONNECT || stream.intake.ended) {
    refuse(r, 400, 'client sent :protocol header without an open CONNECT request')
    return false
  }
  if (fields.protocol !== 'websocket') {
    refuse(r, 501, `client sent unknown :protocol header: "${fields.protocol}"`)
    return false
  }
  stream.extended = true
  r.method = 'GET'
  r.methodBit = GET
  const { headers } = r
  headers.addString('upgrade', 'websocket')
  headers.addString('connection', 'upgrade')
  // What answers the key is of no use to this client, but a server of HTTP/1.1 wants one.
  if (headers.find(WEBSOCKET_KEY, 'sec-websocket-key') < 0) {
    headers.addString('sec-websocket-key', Buffer.from(randomId(), 'hex').toString('base64'))
  }
  return true
}
