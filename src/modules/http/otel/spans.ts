/** What is told of a request: its span, and those of its attempts with back ends. */
import { hashName } from '../../../http/message/field-names.ts'
import type { Attempt } from '../../../http/request/attempts.ts'
import type { Request } from '../../../http/request/request.ts'
import { clock } from '../../../lib/clock.ts'
import { CLIENT, SERVER, type SpanBatch } from '../../../lib/otlp.ts'
import type { Exporter } from './exporter.ts'
import { knownTrace, newSpanId, type OtelConf, type Trace } from './trace.ts'

const USER_AGENT = hashName('user-agent')
const SERVER_ERROR = 500

/** The step of the log phase. */
export function tellRequest(r: Request, conf: OtelConf): void {
  const trace = knownTrace(r)
  const { exporter } = conf
  if (trace === undefined || !trace.sampled || r !== r.main || exporter === undefined) return
  const batch = exporter.room()
  if (batch === undefined) return
  const { location } = r
  const route = conf.stable && location.name !== '' ? `${r.method} ${location.name}` : location.name
  batch.begin({
    kind: SERVER,
    name: conf.spanName === undefined ? route : conf.spanName(r),
    traceId: trace.traceId,
    spanId: trace.spanId,
    parentId: trace.parentId,
    isRemote: trace.parentId !== '',
    state: trace.state,
    startMs: r.startMs,
    endMs: wallMs(r, clock.monotonic),
  })
  const status = r.errorStatus !== 0 ? r.errorStatus : r.out.status
  if (conf.stable) stableAttributes(batch, r, status)
  else oldAttributes(batch, r, status)
  for (let i = 0; i < conf.attributes.length; i++) {
    const { name, isList, value } = conf.attributes[i]!
    if (isList) batch.list(name, value(r))
    else batch.text(name, value(r))
  }
  batch.end(status >= SERVER_ERROR)
  exporter.added()
  if (conf.upstreamSpans) tellAttempts(r, conf, trace, exporter)
}

/** As nginx's module has them: semantic conventions of 1.16. */
function oldAttributes(batch: SpanBatch, r: Request, status: number): void {
  const { client, location } = r
  batch.text('http.method', r.method)
  batch.text('http.target', r.unparsedUri)
  if (location.name !== '') batch.text('http.route', location.name)
  batch.text('http.scheme', r.scheme)
  if (r.version >= 10) batch.text('http.flavor', versionText(r))
  const agent = r.headers.valueOf(USER_AGENT, 'user-agent')
  if (agent !== undefined) batch.text('http.user_agent', agent)
  batch.integer('http.request_content_length', Math.max(0, r.contentLength))
  batch.integer('http.response_content_length', r.bodyBytesSent)
  if (status !== 0) batch.integer('http.status_code', status)
  batch.text('net.host.name', serverName(r))
  if (hasOwnPort(r)) batch.integer('net.host.port', client.serverPort)
  batch.text('net.sock.peer.addr', client.address)
  batch.integer('net.sock.peer.port', client.port)
}

/** `otel_semconv stable`: semantic conventions of HTTP 1.23 and later. */
function stableAttributes(batch: SpanBatch, r: Request, status: number): void {
  const { client, location, unparsedUri } = r
  const mark = unparsedUri.indexOf('?')
  batch.text('http.request.method', r.method)
  batch.text('url.scheme', r.scheme)
  batch.text('url.path', mark < 0 ? unparsedUri : unparsedUri.slice(0, mark))
  if (mark >= 0) batch.text('url.query', unparsedUri.slice(mark + 1))
  if (location.name !== '') batch.text('http.route', location.name)
  if (r.version >= 10) batch.text('network.protocol.version', r.version === 20 ? '2' : versionText(r))
  const agent = r.headers.valueOf(USER_AGENT, 'user-agent')
  if (agent !== undefined) batch.text('user_agent.original', agent)
  batch.integer('http.request.body.size', Math.max(0, r.contentLength))
  batch.integer('http.response.body.size', r.bodyBytesSent)
  if (status !== 0) batch.integer('http.response.status_code', status)
  if (status >= SERVER_ERROR) batch.text('error.type', String(status))
  batch.text('server.address', serverName(r))
  if (hasOwnPort(r)) batch.integer('server.port', client.serverPort)
  batch.text('client.address', client.address)
  batch.text('network.peer.address', client.address)
  batch.integer('network.peer.port', client.port)
}

/** A monotonic moment by the clock that the request began by: what happens within it lies within its span. */
function wallMs(r: Request, monotonic: number): number {
  return r.startMs + monotonic - r.startMonotonic
}

function versionText({ version }: Request): string {
  return `${Math.floor(version / 10)}.${version % 10}`
}

function serverName(r: Request): string {
  return r.server.name === '' ? r.host : r.server.name
}

function hasOwnPort({ client }: Request): boolean {
  return client.serverPort !== (client.secure ? 443 : 80)
}

function tellAttempts(r: Request, conf: OtelConf, trace: Trace, exporter: Exporter): void {
  const attempts = r.conversation?.attempts
  if (attempts === undefined) return
  for (let i = 0; i < attempts.count; i++) {
    const attempt = attempts.at(i)
    // What a cache answers for others has been no attempt.
    if (attempt.address === '') continue
    const batch = exporter.room()
    if (batch === undefined) return
    tellAttempt(batch, r, conf, trace, attempt)
    exporter.added()
  }
}

function tellAttempt(batch: SpanBatch, r: Request, { stable }: OtelConf, trace: Trace, attempt: Attempt): void {
  const startMs = wallMs(r, attempt.startMs)
  const method = r.conversation!.methodAsked === '' ? r.method : r.conversation!.methodAsked
  batch.begin({
    kind: CLIENT,
    name: stable ? method : `upstream ${attempt.server === '' ? attempt.address : attempt.server}`,
    traceId: trace.traceId,
    spanId: newSpanId(),
    parentId: trace.spanId,
    isRemote: false,
    state: trace.state,
    startMs,
    endMs: attempt.responseMs < 0 ? wallMs(r, clock.monotonic) : startMs + attempt.responseMs,
  })
  batch.text(stable ? 'http.request.method' : 'http.method', method)
  if (attempt.status !== 0) batch.integer(stable ? 'http.response.status_code' : 'http.status_code', attempt.status)
  if (attempt.server !== '') batch.text(stable ? 'server.address' : 'net.peer.name', attempt.server)
  batch.text(stable ? 'network.peer.address' : 'net.sock.peer.addr', attempt.address)
  if (attempt.queueMs >= 0) batch.integer('nginx.upstream.queue_ms', Math.round(attempt.queueMs))
  if (attempt.connectMs >= 0) batch.integer('nginx.upstream.connect_ms', Math.round(attempt.connectMs))
  if (attempt.headerMs >= 0) batch.integer('nginx.upstream.header_ms', Math.round(attempt.headerMs))
  batch.integer('nginx.upstream.bytes_sent', attempt.bytesSent)
  batch.integer('nginx.upstream.bytes_received', attempt.bytesReceived)
  batch.end(attempt.status === 0 || attempt.status >= SERVER_ERROR)
}
