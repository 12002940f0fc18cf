/** The variables of ngx_http_core_module: what was asked, by whom, and what was answered. */
import { hostname } from 'node:os'
import { parseSize } from '../../../config/units.ts'
import { argument } from '../../../http/message/arguments.ts'
import { cookieValue } from '../../../http/message/cookies.ts'
import { basicCredentials } from '../../../http/message/credentials.ts'
import { hashName } from '../../../http/message/field-names.ts'
import type { Request } from '../../../http/request/request.ts'
import { requestId } from '../../../http/request/request-id.ts'
import { filePath } from '../../../http/response/file-path.ts'
import { absoluteLocation } from '../../../http/response/location-field.ts'
import { clock } from '../../../lib/clock.ts'
import { errnoText } from '../../../lib/errno.ts'
import { realPath } from '../../../lib/file-status.ts'
import { formatHttpDate } from '../../../lib/http-date.ts'
import { secondsText } from '../../../lib/seconds.ts'
import { NGINX_VERSION } from '../../../lib/version.ts'
import { CRIT } from '../../../log/error-log.ts'
import { tlvValue } from '../../../net/proxy-protocol.ts'
import type { Getter, Variables } from '../../../value/variables.ts'

const HOSTNAME = hostname().toLowerCase()
const PID = String(process.pid)
const COOKIE = hashName('cookie')
const CONTENT_LENGTH = hashName('content-length')

const notEmpty = (value: string): string | undefined => (value === '' ? undefined : value)

const clientVariables: Variables<Request> = {
  remote_addr: (r) => r.client.address,
  remote_port: (r) => (r.client.port === 0 ? '' : String(r.client.port)),
  binary_remote_addr: (r) => r.client.binaryAddress,
  server_addr: (r) => r.client.serverAddress,
  server_port: (r) => (r.client.serverPort === 0 ? '' : String(r.client.serverPort)),
  connection: (r) => String(r.client.id),
  connection_requests: (r) => String(r.main.connectionRequests),
  connection_time: (r) => secondsText(clock.monotonic - r.client.startMs),
  proxy_protocol_addr: (r) => notEmpty(r.client.proxyAddress),
  proxy_protocol_port: (r) => proxyPort(r, r.client.proxyPort),
  proxy_protocol_server_addr: (r) => notEmpty(r.client.proxyServerAddress),
  proxy_protocol_server_port: (r) => proxyPort(r, r.client.proxyServerPort),
  pipe: (r) => (r.client.pipelined ? 'p' : '.'),
  remote_user: (r) => basicCredentials(r.headers, r.methodBit)?.user,
  tcpinfo_rtt: () => undefined,
  tcpinfo_rttvar: () => undefined,
  tcpinfo_snd_cwnd: () => undefined,
  tcpinfo_rcv_space: () => undefined,
}

const requestVariables: Variables<Request> = {
  host: (r) => (r.host !== '' ? r.host : r.server.name),
  content_length: (r) => contentLength(r),
  content_type: field('content-type'),
  http_cookie: (r) => r.headers.joined(COOKIE, 'cookie', '; '),
  server_protocol: (r) => protocolOf(r),
  scheme: (r) => r.scheme,
  https: (r) => (r.client.secure ? 'on' : ''),
  request_uri: (r) => notEmpty(r.unparsedUri),
  uri: uriOf,
  document_uri: uriOf,
  request: (r) => notEmpty(r.requestLine),
  request_method: (r) => notEmpty(r.main.method),
  query_string: (r) => notEmpty(r.args),
  args: {
    get: (r) => notEmpty(r.args),
    set: (r, value) => {
      r.args = value
      r.uriUnchanged = false
    },
  },
  is_args: (r) => (r.args === '' ? '' : '?'),
  request_port: (r) => (r.facts.port === 0 ? '' : String(r.facts.port)),
  is_request_port: (r) => (r.facts.port === 0 ? '' : ':'),
  server_name: (r) => r.server.name,
  request_id: requestId,
  request_length: (r) => String(r.requestLength),
  request_time: (r) => secondsText(Math.max(0, clock.monotonic - r.startMonotonic)),
  request_completion: (r) => (r.completed ? 'OK' : ''),
  request_body: (r) => bodyText(r),
  request_body_file: (r) => r.requestBody?.file?.path,
  document_root: (r) => documentRoot(r),
  realpath_root: (r) => realRoot(r),
  request_filename: (r) => filePath(r),
}

const responseVariables: Variables<Request> = {
  status: (r) => statusOf(r),
  bytes_sent: (r) => String(r.bytesSent),
  body_bytes_sent: (r) => String(r.bodyBytesSent),
  limit_rate: {
    get: (r) => String(Math.max(0, r.limitRate)),
    set: (r, value) => {
      r.limitRate = parseSize(value) ?? -1
    },
  },
  sent_http_content_type: (r) => sentContentType(r),
  sent_http_content_length: (r) => (r.out.contentLength >= 0 ? String(r.out.contentLength) : undefined),
  sent_http_location: (r) => (r.out.location === '' ? sentField(r, 'location') : absoluteLocation(r)),
  sent_http_last_modified: (r) =>
    r.out.lastModified >= 0 ? formatHttpDate(r.out.lastModified) : sentField(r, 'last_modified'),
  sent_http_etag: (r) => (r.out.etag === '' ? sentField(r, 'etag') : r.out.etag),
  sent_http_content_encoding: (r) =>
    r.out.contentEncoding === '' ? sentField(r, 'content_encoding') : r.out.contentEncoding,
  sent_http_connection: (r) => (r.out.status === 101 ? 'upgrade' : r.keepAlive ? 'keep-alive' : 'close'),
  sent_http_keep_alive: (r) => keepAliveSent(r),
  sent_http_transfer_encoding: (r) => (r.out.chunked ? 'chunked' : undefined),
}

const serverVariables: Variables<Request> = {
  nginx_version: () => NGINX_VERSION,
  hostname: () => HOSTNAME,
  pid: () => PID,
  msec: () => secondsText(clock.now),
  time_iso8601: () => clock.isoTime,
  time_local: () => clock.logTime,
}

/** Built-in variables of the http core. */
export const coreVariables: Variables<Request> = {
  ...clientVariables,
  ...requestVariables,
  ...responseVariables,
  ...serverVariables,
}

/** Families of variables: by prefix, what makes the getter of the rest. */
export const corePrefixes: Readonly<Record<string, (rest: string) => Getter<Request>>> = {
  http_: (rest) => field(rest.replaceAll('_', '-'), rest),
  sent_http_: (rest) => (r) => sentField(r, rest),
  sent_trailer_: (rest) => (r) => r.out.trailer(rest),
  cookie_: (rest) => (r) => cookieValue(r.headers, rest),
  arg_: (rest) => (r) => (rest === '' ? undefined : argument(r.args, rest)),
  proxy_protocol_tlv_: (rest) => (r) => (r.client.proxyTlvs === '' ? undefined : tlvValue(r.client.proxyTlvs, rest)),
}

/** A getter for a request field; fields whose own name has underscores are found in a second round. */
function field(name: string, variable = name): Getter<Request> {
  const hash = hashName(name)
  return (r) => {
    const { headers } = r
    const index = headers.find(hash, name)
    if (index < 0) {
      const { underscores_in_headers, ignore_invalid_headers } = r.location.core
      if (variable === name || (!underscores_in_headers && ignore_invalid_headers)) return undefined
      const other = headers.findVariable(variable)
      return other < 0 ? undefined : headers.value(other)
    }
    return headers.find(hash, name, index + 1) < 0 ? headers.value(index) : headers.joined(hash, name, ', ')
  }
}

/** The load balancer has told of a client, but not of a port (ngx_http_variable_proxy_protocol_port). */
function proxyPort(r: Request, port: number): string | undefined {
  if (port !== 0) return String(port)
  return r.client.proxyAddress === '' ? undefined : ''
}

/** As the client sent it, in subrequests too; of a body without, what was read once all of it was. */
function contentLength({ headers, main }: Request): string | undefined {
  const sent = headers.valueOf(CONTENT_LENGTH, 'content-length')
  if (sent !== undefined || !main.chunked) return sent
  const body = main.requestBody
  return body?.complete === true && (body.whole || body.streaming) ? String(body.received) : undefined
}

function protocolOf(r: Request): string | undefined {
  if (r.malformed && r.version !== 20 && r.main.method === '') return undefined
  switch (r.version) {
    case 9:
      // Such a request has no word for it.
      return undefined
    case 10:
      return 'HTTP/1.0'
    case 20:
      return 'HTTP/2.0'
    case 30:
      return 'HTTP/3.0'
    default:
      return version1(r.main.requestLine)
  }
}

/** HTTP/1.2 and later are spoken to as 1.1, and told as they were sent. */
function version1(requestLine: string): string {
  if (requestLine.endsWith(' HTTP/1.1')) return 'HTTP/1.1'
  const at = requestLine.lastIndexOf(' HTTP/1.')
  return at < 0 ? 'HTTP/1.1' : requestLine.slice(at + 1).trimEnd()
}

function statusOf(r: Request): string {
  const status = r.errorStatus !== 0 && !r.headSent ? r.errorStatus : r.out.status
  if (status !== 0) return String(status).padStart(3, '0')
  return r.version === 9 ? '009' : '000'
}

function bodyText(r: Request): string | undefined {
  const { requestBody } = r.main
  if (requestBody === undefined || requestBody.file !== undefined) return undefined
  const { bytes } = requestBody
  return bytes.length === 0 ? undefined : bytes.latin1Slice()
}

function documentRoot(r: Request): string {
  return r.location.root(r)
}

function realRoot(r: Request): string | undefined {
  const path = documentRoot(r)
  const real = realPath(path)
  if (real.startsWith('/')) return real
  r.logError(CRIT, `realpath() "${path}" failed ${errnoText(real)}`)
  return undefined
}

function sentContentType(r: Request): string | undefined {
  const { contentType, charset } = r.out
  if (contentType === '') return sentField(r, 'content_type')
  return charset === '' ? contentType : `${contentType}; charset=${charset}`
}

function keepAliveSent(r: Request): string | undefined {
  const { headerSeconds } = r.location.core.keepalive_timeout
  return r.keepAlive && headerSeconds > 0 ? `timeout=${headerSeconds}` : undefined
}

/** A response field by the name that its variable has; what a back end sent counts too, unless it was taken out. */
function sentField(r: Request, name: string): string | undefined {
  const { out } = r
  if (name === 'accept_ranges' && out.acceptRanges) return 'bytes'
  const found = passedField(out.lines, name)
  for (let i = 0; i < out.names.length; i++) {
    if (variableName(out.names[i]!) === name) found.push(out.values[i]!)
  }
  if (found.length > 0) return found.join(', ')
  if (name === 'server') return out.server
  if (name === 'date') return out.date
  return undefined
}

/** The values of a field among verbatim lines. */
function passedField(lines: string, name: string): string[] {
  const found: string[] = []
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf('\r\n', at)
    const colon = lines.indexOf(':', at)
    if (colon === at + name.length && variableName(lines.slice(at, colon)) === name) {
      found.push(lines.slice(colon + 1, end).trim())
    }
    at = end + 2
  }
  return found
}

function variableName(name: string): string {
  return name.toLowerCase().replaceAll('-', '_')
}

/** Empty when the line was understood and its target is none; without a line there is no URI at all. */
function uriOf(r: Request): string | undefined {
  return r.uri !== '' || r.main.method !== '' ? r.uri : undefined
}
