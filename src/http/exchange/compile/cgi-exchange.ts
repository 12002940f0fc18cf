/** What a location decides about its exchanges with an application, the same for FastCGI, uwsgi and SCGI. */
import type { Directives } from '../../../config/directive.ts'
import { UpstreamRegistry } from '../../../upstream/registry.ts'
import type { Template } from '../../../value/template.ts'
import type { AttachContext } from '../../compile/module.ts'
import { compileSize } from '../../compile/size.ts'
import type { TempPath } from '../../files/temp-file.ts'
import type { Plan } from '../../request/plan.ts'
import type { Request } from '../../request/request.ts'
import { type CacheConf, type CacheContext, checkZone, compileCache } from '../cache/conf.ts'
import { attachPurge } from '../cache/purge-place.ts'
import { storesInstead } from '../cache/store-or-cache.ts'
import type { Protocol } from '../codec.ts'
import { type ExchangeConf, hiddenFields, ignoreMask } from '../conf.ts'
import { type CgiConf, cgiConf } from '../directives/cgi.ts'
import { sslConf } from '../directives/ssl.ts'
import { compileStore } from '../directives/store.ts'
import { transportConf } from '../directives/transport.ts'
import type { Exchange } from '../exchange.ts'
import { failureMask } from '../failure.ts'
import { standInRequest } from '../stand-in.ts'
import { type AddressTarget, compileAddressTarget, type Schemes } from './address-target.ts'
import { type CgiParams, compileParams, tellsLength } from './cgi-params.ts'
import { PASSED, type PassedLocations } from './passed-locations.ts'
import { BARE, compileConnect, compileDenies, passOn, secured } from './passing.ts'
import { compileSsl, type SslTargets } from './ssl-targets.ts'

/** Fields of a response that clients do not get unless `fastcgi_pass_header` or its like says so. */
const HIDDEN = ['x-accel-expires', 'x-accel-redirect', 'x-accel-limit-rate', 'x-accel-buffering', 'x-accel-charset']

/** How one protocol differs from the others. */
export interface CgiWay {
  /** `fastcgi`, `uwsgi` or `scgi`. */
  readonly name: string
  /** Those of its module. */
  readonly directives: Directives
  /** Where to, if this location passes requests on. */
  readonly pass: Template | undefined
  readonly schemes: Schemes
  readonly protocol: Protocol
  /** Clients do not get the field Status. */
  readonly hidesStatus: boolean
  /** The application is always told the length of the body. */
  readonly needsLength: boolean
  /** Compiles how a request is made of parameters. */
  compile(params: CgiParams): MakeRequest
}

/** Makes a request, up to its body of `length` bytes (empty: there is none); empty: it cannot be made. */
type MakeRequest = (r: Request, length: string) => string

/** What a location with one of the protocols is, once it is known where its requests go. */
interface Passing {
  readonly way: CgiWay
  readonly conf: CgiConf
  readonly target: AddressTarget
  readonly tls: SslTargets | undefined
  readonly cache: CacheConf | undefined
  readonly make: MakeRequest
}

/** Attaches what a location has of the protocol; `given` are its settings, with the prefix. */
export function attachCgi(way: CgiWay, given: object, plan: Plan, at: AttachContext): void {
  const { name, pass } = way
  const conf = cgiConf(name, given)
  at.tempPath(tempPathOf(name, conf, at).path)
  checkZone(name, conf.cache, at)
  if (pass !== undefined) attachPass(way, pass, conf, given, plan, at)
  attachPurge(name, conf.cache_purge, plan, at)
}

function attachPass(way: CgiWay, pass: Template, conf: CgiConf, given: object, plan: Plan, at: AttachContext): void {
  const { location } = at
  const { name, schemes, directives } = way
  const registry = at.shared('upstreams', () => new UpstreamRegistry())
  const target = compileAddressTarget(pass, schemes, registry, at)
  if (target === undefined) return
  const stores = storesInstead(name, directives, at.scope)
  const cache = stores ? undefined : compileCgiCache(name, conf, given, at)
  const tls = target.mayUseTls ? compileSsl(name, sslConf(name, given), at, '') : undefined
  const make = way.compile(compileParams(conf.param, conf.pass_request_headers, cache !== undefined, at))
  const passing = { way, conf, target, tls, cache, make }
  const exchange = compileExchange(passing, given, at)
  notePassed(passing, exchange, at)
  plan.own(passOn, exchange)
  if (location.name.endsWith('/') && location.regex === undefined) plan.autoRedirect = true
}

function tempPathOf(name: string, { temp_path }: CgiConf, at: AttachContext): TempPath {
  return temp_path ?? { path: at.prefixed(`${name}_temp`), levels: [1, 2] }
}

function compileCgiCache(name: string, conf: CgiConf, given: object, at: AttachContext): CacheConf | undefined {
  const tempFolder = tempPathOf(name, conf, at).path
  const context: CacheContext = { prefix: name, bufferSize: conf.buffer_size, tempFolder, key: wholeUrl }
  const cache = compileCache(given, context, at)
  const first = at.role === 'master' && !at.checked
  if (cache?.key === wholeUrl && first) at.warn(`no "${name}_cache_key" for "${name}_cache"`)
  return cache
}

/** Without a key nginx has one object for all requests. */
function wholeUrl(r: Request): string {
  return `${r.scheme}${r.host}${r.unparsedUri}`
}

function compileExchange(passing: Passing, given: object, at: AttachContext): ExchangeConf {
  const { way, conf, target, tls, cache, make } = passing
  const { name, hidesStatus, schemes } = way
  const settings = transportConf(name, given, { half_close: false })
  return {
    ...BARE,
    protocol: way.protocol,
    intercept404: false,
    transport: settings,
    tag: `${name} ${at.server.name} ${at.location.name} ${settings.bind?.source ?? ''}`,
    nextMask: failureMask(settings.next_upstream),
    scheme: target.scheme,
    passBody: settings.pass_request_body,
    // An application that counts on CONTENT_LENGTH would take a body of unknown length for an empty one.
    chunkedAllowed: !way.needsLength && !tellsLength(conf.param),
    tempPath: tempPathOf(name, conf, at),
    store: cache === undefined ? compileStore(conf.store, conf.store_access, at) : undefined,
    cache,
    ignore: ignoreMask(settings.ignore_headers ?? []),
    hidden: hiddenFields(hidesStatus ? ['status', ...HIDDEN] : HIDDEN, settings.hide_header, settings.pass_header),
    resolve: target.resolve,
    request: secured((r, exchange) => requestOf(r, exchange, make), tls, schemes.secure ?? ''),
    rate: compileSize(settings.limit_rate, at),
    connectOptions: compileConnect(settings, tls !== undefined, at),
    denies: compileDenies(settings, at),
    perServer: settings.request_dynamic,
  }
}

function requestOf(r: Request, exchange: Exchange, make: MakeRequest): string {
  exchange.sender.frame(-1)
  return make(r, exchange.sender.lengthText())
}

/** Notes for health checks where the location passes requests to, if that is a group known by now. */
function notePassed({ way, target, tls, make }: Passing, exchange: ExchangeConf, at: AttachContext): void {
  const { location } = at
  const { host, scheme } = target
  const group = at.shared('upstreams', () => new UpstreamRegistry()).find(host)
  if (group === undefined) return
  const known = { host, status: 0, headers: undefined }
  at.shared(PASSED, (): PassedLocations => new Map()).set(location, {
    group,
    connectTimeoutMs: exchange.transport.connect_timeout,
    readTimeoutMs: exchange.transport.read_timeout,
    connect: () => {
      const r = standInRequest(location, '/', known)
      const options = exchange.connectOptions(r)
      return scheme === way.schemes.secure ? { ...options, tls: tls?.target(r, host) } : options
    },
    request: () => '',
    own: {
      protocol: way.protocol,
      ask(uri) {
        const question = uri.indexOf('?')
        const r = standInRequest(location, uri, known)
        if (question >= 0) {
          r.uri = uri.slice(0, question)
          r.args = uri.slice(question + 1)
        }
        return { r, text: make(r, '') }
      },
    },
  })
}
