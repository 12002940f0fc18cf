/** ngx_http_memcached_module: answers with values from memcached, found by `$memcached_key`. */
import { bits, number } from '../../config/args.ts'
import { type ConfOf, type Context, directive, family } from '../../config/directive.ts'
import { type AttachContext, httpModule } from '../../http/compile/module.ts'
import { MEMCACHED_GET, memcached } from '../../http/exchange/codecs/memcached.ts'
import { PASSED, type PassedLocations } from '../../http/exchange/compile/passed-locations.ts'
import { BARE, compileConnect, compileDenies, passOn } from '../../http/exchange/compile/passing.ts'
import type { ExchangeConf } from '../../http/exchange/conf.ts'
import { connecting, transport, transportConf } from '../../http/exchange/directives/transport.ts'
import { failureMask } from '../../http/exchange/failure.ts'
import { standInRequest } from '../../http/exchange/stand-in.ts'
import { GET, HEAD } from '../../http/message/method.ts'
import { escapeUri } from '../../http/message/uri.ts'
import type { Request } from '../../http/request/request.ts'
import type { Verdict } from '../../http/request/verdict.ts'
import { setContentType } from '../../http/response/content-type.ts'
import { parseAddress } from '../../lib/address.ts'
import { ERROR } from '../../log/error-log.ts'
import type { PeerGroup } from '../../upstream/group.ts'
import { UpstreamRegistry } from '../../upstream/registry.ts'
import { template } from '../../value/template.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']

const shared = {
  ...connecting,
  buffer_size: transport.buffer_size,
}

const allDirectives = {
  ...family('memcached', shared),
  memcached_pass: directive({
    in: ['location', 'if'],
    args: template('address'),
    inheritance: 'pseudo',
    doc: 'The address of memcached, or the upstream group of several.',
  }),
  memcached_next_upstream: directive({
    in: HSL,
    args: bits('error', 'timeout', 'denied', 'invalid_response', 'not_found', 'off'),
    default: 'error timeout',
    doc: 'When the next server is asked.',
  }),
  memcached_gzip_flag: directive({
    in: HSL,
    args: number('flag', { min: 0 }),
    default: '0',
    doc: 'Values with this bit among their flags are compressed: they get Content-Encoding: gzip. 0: none.',
  }),
}
type Conf = ConfOf<typeof allDirectives>

/** Names of `memcached_next_upstream`, and what the exchange calls them. */
const CONDITIONS: Readonly<Record<string, string>> = { invalid_response: 'invalid_header', not_found: 'http_404' }

const NO_PORT = 0

/** What memcached has no directives for: a value goes to the client as it comes, and ranges of it may be asked for. */
const FIXED = {
  buffering: false,
  request_buffering: true,
  intercept_errors: true,
  force_ranges: true,
  pass_request_body: false,
  pass_request_headers: false,
  ignore_client_abort: false,
  max_temp_file_size: 0,
}

/** The module list's entry. */
export const memcachedModule = httpModule({
  name: 'http_memcached',
  doc: 'Answers with values from memcached.',
  directives: allDirectives,
  attach(conf, plan, at) {
    if (conf.memcached_pass === undefined) return
    const registry = at.shared('upstreams', () => new UpstreamRegistry())
    const written = conf.memcached_pass.source
    const address = parseAddress(written, NO_PORT)
    const group = 'error' in address ? `${address.error} in upstream "${written}"` : registry.target(address, written)
    if (typeof group === 'string') return at.fail(group, conf.memcached_pass.at)
    const exchange = compileExchange(conf, group, at)
    plan.own(passToMemcached, exchange)
    if (registry.find(group.name) === group) notePassed(group, exchange, at)
    if (at.location.name.endsWith('/') && at.location.regex === undefined) plan.autoRedirect = true
  },
})

/** The location's content handler. */
function passToMemcached(r: Request, conf: ExchangeConf): Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0) return 405
  const broken = r.discardBody()
  if (broken !== 0) return broken
  setContentType(r)
  return passOn(r, conf)
}

/** Notes for health checks where the location passes requests to: they ask for the key that is their `uri`. */
function notePassed(group: PeerGroup, exchange: ExchangeConf, at: AttachContext): void {
  const { location } = at
  const known = { host: group.name, status: 0, headers: undefined }
  at.shared(PASSED, (): PassedLocations => new Map()).set(location, {
    group,
    connectTimeoutMs: exchange.transport.connect_timeout,
    readTimeoutMs: exchange.transport.read_timeout,
    connect: () => exchange.connectOptions(standInRequest(location, '/', known)),
    request: () => '',
    own: {
      protocol: exchange.protocol,
      ask: (uri) => ({ r: standInRequest(location, uri, known), text: askFor(uri) }),
    },
  })
}

function askFor(key: string): string {
  return `${MEMCACHED_GET}${escapeUri(key, 'memcached')}\r\n`
}

function compileExchange(conf: Conf, group: PeerGroup, at: AttachContext): ExchangeConf {
  const key = at.variable('memcached_key')
  const settings = transportConf('memcached', conf, FIXED)
  return {
    ...BARE,
    protocol: memcached(conf.memcached_gzip_flag),
    intercept404: true,
    transport: settings,
    tag: `memcached ${at.server.name} ${at.location.name} ${settings.bind?.source ?? ''}`,
    nextMask: failureMask(conf.memcached_next_upstream.map((name) => CONDITIONS[name] ?? name)),
    scheme: 'memcached://',
    resolve: () => group,
    request(r) {
      const value = key(r)
      if (value !== undefined && value !== '') return askFor(value)
      r.logError(ERROR, 'the "$memcached_key" variable is not set')
      return ''
    },
    connectOptions: compileConnect(settings, false, at),
    denies: compileDenies(settings, at),
  }
}
