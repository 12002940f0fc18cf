/**
 * ngx_http_grpc_module: passes requests to gRPC servers over HTTP/2. Messages pass as they come, both ways at once, and
 * trailers follow the response. With `grpc_web` browsers are understood too (grpc-web.ts), which nginx cannot.
 */

import { type ConfOf, type Context, directive, directives, family } from '../../../config/directive.ts'
import { type AttachContext, httpModule } from '../../../http/compile/module.ts'
import { HTTP2 } from '../../../http/exchange/codecs/http2.ts'
import { type AddressTarget, compileAddressTarget } from '../../../http/exchange/compile/address-target.ts'
import { FieldEncoder, requestStart } from '../../../http/exchange/compile/h2-request-fields.ts'
import { BARE, compileConnect, compileDenies, passOn, secured } from '../../../http/exchange/compile/passing.ts'
import { compileFields, setHeader, wholeTarget } from '../../../http/exchange/compile/request-fields.ts'
import { compileSsl, type SslTargets } from '../../../http/exchange/compile/ssl-targets.ts'
import { type ExchangeConf, hiddenFields, IGNORE_BUFFERING, ignoreMask } from '../../../http/exchange/conf.ts'
import { grpcNext } from '../../../http/exchange/directives/conditions.ts'
import { ssl, sslConf } from '../../../http/exchange/directives/ssl.ts'
import { connecting, transport, transportConf } from '../../../http/exchange/directives/transport.ts'
import type { Exchange } from '../../../http/exchange/exchange.ts'
import { failureMask } from '../../../http/exchange/failure.ts'
import { encodeField } from '../../../http/h2/wire/hpack-encoder.ts'
import { hashName } from '../../../http/message/field-names.ts'
import { escapeUri } from '../../../http/message/uri.ts'
import type { Plan } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { checkPasswords } from '../../../tls/loader.ts'
import { UpstreamRegistry } from '../../../upstream/registry.ts'
import { template } from '../../../value/template.ts'
import { noteGrpcPassed } from './check.ts'
import { GRPCS, SCHEMES } from './schemes.ts'
import { attachWeb, webDirectives, webRequest } from './web.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']

const shared = {
  ...connecting,
  socket_sndbuf: transport.socket_sndbuf,
  socket_rcvbuf: transport.socket_rcvbuf,
  request_dynamic: transport.request_dynamic,
  buffer_size: transport.buffer_size,
  next_upstream: { ...transport.next_upstream, args: grpcNext },
  intercept_errors: transport.intercept_errors,
  hide_header: transport.hide_header,
  pass_header: transport.pass_header,
  ignore_headers: transport.ignore_headers,
}

const allDirectives = {
  ...family('grpc', shared),
  ...family('grpc', ssl),
  ...webDirectives,
  grpc_pass: directive({
    in: ['location', 'if'],
    args: template('address'),
    inheritance: 'pseudo',
    doc: 'The address of a gRPC server, or the upstream group of several; grpcs:// before it speaks TLS.',
  }),
  grpc_set_header: directives({
    in: HSL,
    args: setHeader,
    doc: 'Sets or (with an empty value) removes a field of the request that is passed on.',
  }),
}
type Conf = ConfOf<typeof allDirectives>

/** What gRPC has no directives for: messages pass as they come. */
const FIXED = {
  buffering: false,
  request_buffering: false,
  pass_request_body: true,
  pass_request_headers: true,
  ignore_client_abort: false,
  force_ranges: false,
  max_temp_file_size: 0,
  // What came when the client stopped to take more: beyond it the back end waits.
  buffers: { count: 8, size: 4096 },
}

/** Fields that are never the client's, with what is sent instead; empty: nothing. */
const DEFAULTS: readonly (readonly [string, string])[] = [
  ['Content-Length', '$grpc_internal_length'],
  ['TE', '$grpc_internal_trailers'],
  ['Connection', ''],
  ['Proxy-Connection', ''],
  ['Transfer-Encoding', ''],
  ['Keep-Alive', ''],
  ['Expect', ''],
  ['Upgrade', ''],
]

/** The same for gRPC-Web, whose client knows no trailers and whose body may change its length. */
const WEB_DEFAULTS: readonly (readonly [string, string])[] = [
  ['TE', 'trailers'],
  ['Content-Type', ''],
  ['Content-Length', ''],
  ['Accept', ''],
  ...DEFAULTS,
]

/** Fields of a response that clients do not get unless `grpc_pass_header` says so. */
const HIDDEN = [
  'date',
  'server',
  'x-accel-expires',
  'x-accel-redirect',
  'x-accel-limit-rate',
  'x-accel-buffering',
  'x-accel-charset',
]

const TE = hashName('te')

/** The module list's entry. */
export const grpcModule = httpModule({
  name: 'http_grpc',
  doc: 'Passes requests to gRPC servers.',
  directives: allDirectives,
  declare(_, tree, scope) {
    checkPasswords(allDirectives.grpc_ssl_password_file, scope, tree)
  },
  variables: {
    grpc_internal_length: lengthOf,
    grpc_internal_trailers: (r) =>
      r.headers.valueOf(TE, 'te')?.toLowerCase().includes('trailers') === true ? 'trailers' : undefined,
  },
  attach(conf, plan, at) {
    if (conf.grpc_pass !== undefined) attachGrpc(conf, plan, at)
  },
})

/** Not $content_length, which in a subrequest is that of a body which does not go along. */
function lengthOf({ contentLength, chunked, requestBody }: Request): string | undefined {
  if (contentLength >= 0) return String(contentLength)
  return chunked && requestBody?.complete === true ? String(requestBody.received) : undefined
}

function attachGrpc(conf: Conf, plan: Plan, at: AttachContext): void {
  const { location } = at
  const registry = at.shared('upstreams', () => new UpstreamRegistry())
  const target = compileAddressTarget(conf.grpc_pass!, SCHEMES, registry, at)
  if (target === undefined) return
  const tls = target.mayUseTls ? compileSsl('grpc', sslConf('grpc', conf), at, 'h2') : undefined
  const exchange = compileExchange(conf, target, tls, at)
  plan.own(passOn, exchange)
  noteGrpcPassed(conf.grpc_set_header, target, exchange, tls, at)
  if (conf.grpc_web) attachWeb(plan)
  if (location.name.endsWith('/') && location.regex === undefined) plan.autoRedirect = true
}

function compileExchange(
  conf: Conf,
  target: AddressTarget,
  tls: SslTargets | undefined,
  at: AttachContext,
): ExchangeConf {
  const settings = transportConf('grpc', conf, FIXED)
  const request = compileRequest(conf, at)
  return {
    ...BARE,
    protocol: HTTP2,
    intercept404: false,
    transport: settings,
    tag: `grpc ${at.server.name} ${at.location.name} ${settings.bind?.source ?? ''}`,
    nextMask: failureMask(settings.next_upstream),
    scheme: target.scheme,
    passBody: true,
    passTrailers: true,
    chunkedAllowed: true,
    ignore: ignoreMask(settings.ignore_headers ?? []) | IGNORE_BUFFERING,
    hidden: hiddenFields(HIDDEN, settings.hide_header, settings.pass_header),
    onlyTheirDate: false,
    onlyTheirServer: false,
    resolve: target.resolve,
    request: secured(request, tls, GRPCS),
    connectOptions: compileConnect(settings, tls !== undefined, at),
    denies: compileDenies(settings, at),
    perServer: settings.request_dynamic,
  }
}

/** The head of a request (ngx_http_grpc_create_request). */
function compileRequest(conf: Conf, at: AttachContext): (r: Request, exchange: Exchange) => string {
  const fields = compileFields(conf.grpc_set_header, DEFAULTS, at)
  const encoder = new FieldEncoder(fields)
  const webEncoder = conf.grpc_web ? new FieldEncoder(compileFields(conf.grpc_set_header, WEB_DEFAULTS, at)) : undefined
  const { host } = fields
  return (r, exchange) => {
    const path = requestPath(r)
    exchange.sender.replaceBody(undefined)
    const authority = host?.(r) || exchange.targetHost
    const start = requestStart(r.method, exchange.scheme === GRPCS ? 'https' : 'http', path, authority)
    const web = webEncoder === undefined ? undefined : webRequest(r)
    if (web === undefined) return start + encoder.encode(r, true)
    if (web.decoder !== undefined) exchange.sender.decodeBody(web.decoder)
    return start + encodeField('content-type', web.contentType) + webEncoder!.encode(r, true)
  }
}

function requestPath(r: Request): string {
  if (r.uriUnchanged) return wholeTarget(r.unparsedUri, r)
  const path = escapeUri(r.uri, 'uri')
  return wholeTarget(r.args === '' ? path : `${path}?${r.args}`, r)
}
