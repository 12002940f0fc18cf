/** ngx_http_tunnel_module: CONNECT, so that clients reach other servers through this one (RFC 9110, section 9.3.6). */
import { bits, size } from '../../config/args.ts'
import { type Args, type ConfOf, type Context, directive, family } from '../../config/directive.ts'
import { type AttachContext, httpModule } from '../../http/compile/module.ts'
import { TUNNEL } from '../../http/exchange/codecs/tunnel.ts'
import { dynamicGroup } from '../../http/exchange/compile/dynamic-group.ts'
import { BARE, compileConnect, compileDenies, passOn } from '../../http/exchange/compile/passing.ts'
import type { ExchangeConf } from '../../http/exchange/conf.ts'
import { connecting, transport, transportConf } from '../../http/exchange/directives/transport.ts'
import { failureMask } from '../../http/exchange/failure.ts'
import { CONNECT } from '../../http/message/method.ts'
import type { Request } from '../../http/request/request.ts'
import type { Verdict } from '../../http/request/verdict.ts'
import { parseAddress } from '../../lib/address.ts'
import { INFO } from '../../log/error-log.ts'
import { resolverOf } from '../../tree/resolver.ts'
import type { PeerGroup } from '../../upstream/group.ts'
import { UpstreamRegistry } from '../../upstream/registry.ts'
import { parseTemplate, readTemplate, type Template } from '../../value/template.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']

/** What is tunnelled to when nothing is said: what the client asks for. */
const ASKED_FOR = '$host:$request_port'
const NO_PORT = 0

const address: Args<Template> = {
  syntax: '[address]',
  min: 0,
  max: 1,
  read([word], at) {
    if (word !== undefined) return readTemplate(word, at)
    return parseTemplate(ASKED_FOR, (message) => at.fail(message), at.directive)
  },
}

const directives = {
  ...family('tunnel', {
    ...connecting,
    socket_sndbuf: transport.socket_sndbuf,
    socket_rcvbuf: transport.socket_rcvbuf,
    half_close: transport.half_close,
    send_lowat: transport.send_lowat,
  }),
  tunnel_pass: directive({
    in: ['server', 'location', 'if'],
    args: address,
    inheritance: 'pseudo',
    doc: 'Answers CONNECT by passing bytes between the client and this address; by default the one that it asks for.',
  }),
  tunnel_buffer_size: directive({
    in: HSL,
    args: size,
    default: '4k',
    doc: 'Memory for each direction.',
    withoutEffect: 'Bytes are passed as they are read; a side that is slow makes the other one wait.',
  }),
  tunnel_next_upstream: directive({
    in: HSL,
    args: bits('error', 'timeout', 'denied', 'off'),
    default: 'error timeout',
    doc: 'When the next server is tried.',
  }),
}
type Conf = ConfOf<typeof directives>

/** What a tunnel has no directives for. */
const FIXED = {
  buffering: false,
  request_buffering: false,
  pass_request_body: false,
  pass_request_headers: false,
  intercept_errors: false,
  ignore_client_abort: false,
  force_ranges: false,
  max_temp_file_size: 0,
  buffer_size: 0,
}

/** The module list's entry. */
export const tunnelModule = httpModule({
  name: 'http_tunnel',
  doc: 'Tunnels for CONNECT.',
  directives,
  attach(conf, plan, at) {
    if (conf.tunnel_pass === undefined) return
    const resolve = compileTarget(conf.tunnel_pass, at)
    if (resolve === undefined) return
    at.location.server.allowsConnect = true
    plan.own(openTunnel, compileExchange(conf, resolve, at))
  },
})

/** The location's content handler. */
function openTunnel(r: Request, conf: ExchangeConf): Verdict {
  if (r.methodBit !== CONNECT) return 405
  return passOn(r, conf)
}

type Resolve = (r: Request) => PeerGroup | number

function compileTarget(written: Template, at: AttachContext): Resolve | undefined {
  const registry = at.shared('upstreams', () => new UpstreamRegistry())
  if (written.constant === undefined) return dynamicTarget(written, registry, at)
  const to = parseAddress(written.constant, NO_PORT)
  const group = 'error' in to ? `${to.error} in upstream "${written.constant}"` : registry.target(to, written.constant)
  if (typeof group !== 'string') return () => group
  at.fail(group, written.at)
  return undefined
}

function dynamicTarget(written: Template, registry: UpstreamRegistry, at: AttachContext): Resolve {
  const text = at.text(written)
  const resolver = resolverOf(at.scope, at)
  return (r) => {
    const authority = text(r)
    const to = parseAddress(authority, NO_PORT)
    if ('error' in to) {
      r.logError(INFO, `${to.error} in upstream "${authority}"`)
      return 500
    }
    if (to.kind === 'tcp' && to.port === NO_PORT && registry.find(to.host) === undefined) {
      r.logError(INFO, `no port in upstream "${authority}"`)
      return 500
    }
    return dynamicGroup(r, to, authority, registry, resolver)
  }
}

function compileExchange(conf: Conf, resolve: Resolve, at: AttachContext): ExchangeConf {
  const settings = transportConf('tunnel', conf, FIXED)
  return {
    ...BARE,
    protocol: TUNNEL,
    intercept404: false,
    transport: settings,
    tag: 'tunnel',
    nextMask: failureMask(conf.tunnel_next_upstream),
    scheme: '',
    resolve,
    request: () => '',
    connectOptions: compileConnect(settings, false, at),
    denies: compileDenies(settings, at),
  }
}
