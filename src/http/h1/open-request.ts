/**
 * From an HTTP/1 head that was read, or given up, to a request that runs: its server, and the checks of nginx's
 * ngx_http_process_request_header in their order, with its words. Over HTTP/2 it is ../h2/open-request.ts.
 */

import { clock } from '../../lib/clock.ts'
import { INFO } from '../../log/error-log.ts'
import { loggedLine } from '../message/logged-field.ts'
import { methodName } from '../message/method.ts'
import { DONE, INVALID_09_METHOD, REQUEST_ERRORS } from '../message/request-errors.ts'
import { normalizeUri, type UriParts } from '../message/uri.ts'
import type { Client } from '../request/client.ts'
import { debugHead } from '../request/debug-log.ts'
import type { Request } from '../request/request.ts'
import type { HttpListener } from '../server/listener.ts'
import { misdirected } from '../server/misdirected.ts'
import type { BodyReader } from './body-reader.ts'
import type { RequestParser } from './request-parser.ts'

/** What nginx says it was doing when a head is refused. */
const IN_LINE = ' while reading client request line'
const IN_FIELDS = ' while reading client request headers'
const target: UriParts = { uri: '', args: '' }

/** The connection that the head came by. */
export interface OpenHost {
  readonly client: Client
  readonly listener: HttpListener
  readonly body: BodyReader
  /** Where the request ends cannot be told, or is nobody's business: nothing behind it is served. */
  loseFraming(): void
}

/** Serves the head that `parser` has read with this outcome; the request may be over when this returns. */
export function openRequest(r: Request, parser: RequestParser, code: number, host: OpenHost): void {
  const { line, facts } = parser
  r.begin(clock.now, clock.monotonic)
  r.connectionRequests = r.client.requests
  r.requestLine = parser.requestLine
  // Empty lines before a request are no part of it.
  r.requestLength = parser.headLength - line.start
  // HTTP/1.2 and later are spoken to as 1.1.
  r.version = line.major * 10 + Math.min(line.minor, 1)
  r.methodBit = line.method
  host.body.begin(0, false)
  if (code !== DONE) return refuse(r, parser, code, host)
  r.method = methodName(line.method) || parser.method
  r.unparsedUri = parser.target
  if (line.major === 0) return open09(r, host)
  r.host = facts.host
  r.contentLength = facts.contentLength
  r.chunked = facts.chunked
  r.expectContinue = facts.expectContinue
  chooseServer(r, host)
  const elsewhere = misdirected(r, line.hostStart < 0 ? 'headers' : 'line')
  if (parser.lines.dropped.length > 0) logDropped(r, parser)
  // What follows the head is the request's body, whatever becomes of the request.
  host.body.begin(facts.contentLength, facts.chunked)
  if (elsewhere) {
    r.requestLength = parser.lengthToHost
    return r.finish(421)
  }
  const sound = takeTarget(r, r.server.connection.merge_slashes)
  if (host.client.plainOnTls) return refusePlain(r, IN_FIELDS)
  if (!sound) {
    r.requestLength = line.at - line.start
    r.unparsedUri = ''
    r.logError(INFO, `client sent invalid request${IN_LINE}`)
    return r.finish(400)
  }
  const connect = parser.checkConnect(r.server.allowsConnect)
  if (connect !== DONE) return refuseConnect(r, connect, host)
  r.keepAlive = parser.keepAlive && mayKeepAlive(r, host)
  debugHead(r)
  r.start(r.server)
}

/** The same of a head that will not be completed, of which `rest` has come: it is known as far as it goes, and logged. */
export function giveUpRequest(r: Request, parser: RequestParser, rest: Buffer, problem: string, host: OpenHost): void {
  parser.giveUp(rest)
  takeBroken(r, parser, host)
  r.logError(INFO, `${problem} while reading client request ${parser.lineUnderstood ? 'headers' : 'line'}`)
  r.begin(clock.now, clock.monotonic)
  r.connectionRequests = r.client.requests
}

/**
 * Fills in what is known of a head that was refused or given up, and the server that it names as far as it can be told.
 * As in nginx, a line that was not understood to its end says nothing, and a sound one everything.
 */
function takeBroken(r: Request, parser: RequestParser, host: OpenHost): void {
  r.requestLine = parser.requestLine
  r.requestLength = parser.lengthUnderstood
  r.malformed = true
  r.host = parser.hostOfBroken()
  chooseServer(r, host)
  if (r.host !== '') misdirected(r, parser.line.hostStart < 0 ? 'headers' : 'line')
  else if (host.client.sniServer !== undefined) r.location = (r.server = host.client.sniServer).base
  if (!parser.lineUnderstood) return
  r.method = parser.method
  r.unparsedUri = parser.target
  if (!takeTarget(r, r.server.connection.merge_slashes)) r.unparsedUri = ''
  if (parser.lines.dropped.length > 0) logDropped(r, parser)
}

/** Lines that were left out, whose names nobody expects: who misses a field looks here. */
function logDropped(r: Request, parser: RequestParser): void {
  const { dropped } = parser.lines
  for (let i = 0; i < dropped.length; i += 2) {
    const text = loggedLine(parser.headers.text.slice(dropped[i], dropped[i + 1]))
    r.logError(INFO, `client sent invalid header line: "${text}"${IN_FIELDS}`)
  }
}

function chooseServer(r: Request, { listener, client }: OpenHost): void {
  r.server = listener.serversFor(client).find(r.host, r)
  r.location = r.server.base
}

function takeTarget(r: Request, mergeSlashes: boolean): boolean {
  if (!normalizeUri(r.unparsedUri, mergeSlashes, target)) return false
  r.uri = target.uri
  r.args = target.args
  // `http://host?args` has no path: what goes on is made of the URI, which has one.
  if (r.unparsedUri.startsWith('?')) r.uriUnchanged = false
  return true
}

function refuse(r: Request, parser: RequestParser, code: number, host: OpenHost): void {
  takeBroken(r, parser, host)
  if (parser.line.major !== 1) r.version = code === INVALID_09_METHOD ? 9 : 11
  host.loseFraming()
  r.logError(INFO, parser.logMessage() + (parser.refusedInLine ? IN_LINE : IN_FIELDS))
  r.finish(REQUEST_ERRORS[code]!.status)
}

/** What follows may be meant for the tunnel that was asked for. */
function refuseConnect(r: Request, code: number, host: OpenHost): void {
  host.loseFraming()
  r.logError(INFO, REQUEST_ERRORS[code]!.logMessage + IN_FIELDS)
  r.finish(REQUEST_ERRORS[code]!.status)
}

/** Plain HTTP where TLS is spoken: the answer can tell what to do instead. */
function refusePlain(r: Request, where: string): void {
  r.logError(INFO, `client sent plain HTTP request to HTTPS port${where}`)
  r.finish(497)
}

/** HTTP/0.9 is answered without a head, as nginx does. */
function open09(r: Request, host: OpenHost): void {
  r.version = 9
  chooseServer(r, host)
  if (misdirected(r, 'line')) return r.finish(421)
  const sound = takeTarget(r, true)
  if (host.client.plainOnTls) return refusePlain(r, IN_LINE)
  if (!sound) return r.finish(400)
  r.start(r.server)
}

function mayKeepAlive(r: Request, { listener, client }: OpenHost): boolean {
  return !listener.closing && !client.leaving && r.location.core.keepalive_timeout.timeoutMs > 0
}
