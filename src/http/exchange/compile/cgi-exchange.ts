/** What a location decides about its exchanges with an application, the same for FastCGI, uwsgi and SCGI. */
import { UpstreamRegistry } from '../../../upstream/registry.ts'
import type { AttachContext } from '../../compile/module.ts'
import { compileSize } from '../../compile/size.ts'
import type { TempPath } from '../../files/temp-file.ts'
import type { Plan } from '../../request/plan.ts'
import type { Request } from '../../request/request.ts'
import { type CacheConf, type CacheContext, checkZone, compileCache } from '../cache/conf.ts'
import { attachPurge } from '../cache/purge-place.ts'
import type { Protocol } from '../codec.ts'
import { type ExchangeConf, hiddenFields, ignoreMask } from '../conf.ts'
import type { CgiConf } from '../directives/cgi.ts'
import { compileStore } from '../directives/store.ts'
import { transportConf } from '../directives/transport.ts'
import type { Exchange } from '../exchange.ts'
import { failureMask } from '../failure.ts'
import { standInRequest } from '../stand-in.ts'
import type { AddressTarget } from './address-target.ts'
import { tellsLength } from './cgi-params.ts'
import { PASSED, type PassedLocations } from './passed-locations.ts'
import { BARE, compileConnect, compileDenies, secured } from './passing.ts'
import type { SslTargets } from './ssl-targets.ts'

/** Fields of a response that clients do not get unless `fastcgi_pass_header` or its like says so. */
const HIDDEN = ['x-accel-expires', 'x-accel-redirect', 'x-accel-limit-rate', 'x-accel-buffering', 'x-accel-charset']

/** How one protocol differs from the others. */
export interface CgiWay {
  /** `fastcgi`, `uwsgi` or `scgi`. */
  readonly name: string
  readonly protocol: Protocol
  /** Clients do not get the field Status. */
  readonly hidesStatus: boolean
  /** The application is always told the length of the body. */
  readonly needsLength: boolean
  readonly cache: CacheConf | undefined
  readonly target: AddressTarget
  readonly tls: SslTargets | undefined
  /** The scheme with which TLS is spoken. */
  readonly secure: string
  /** The request, up to its body of `length` bytes (empty: there is none); empty: it cannot be made. */
  request(r: Request, length: string): string
}

function tempPathOf(name: string, { temp_path }: CgiConf, at: AttachContext): TempPath {
  return temp_path ?? { path: at.prefixed(`${name}_temp`), levels: [1, 2] }
}

/** What a location has of a family whether or not it passes requests on. */
export function attachCgi(name: string, conf: CgiConf, plan: Plan, at: AttachContext): void {
  at.tempPath(tempPathOf(name, conf, at).path)
  checkZone(name, conf.cache, at)
  attachPurge(name, conf.cache_purge, plan, at)
}

/** Compiles the cache of a location; undefined when it has none. `conf` has no prefixes. */
export function compileCgiCache(name: string, conf: CgiConf, given: object, at: AttachContext): CacheConf | undefined {
  const tempFolder = tempPathOf(name, conf, at).path
  const context: CacheContext = { prefix: name, bufferSize: conf.buffer_size, tempFolder, key: wholeUrl }
  const cache = compileCache(given, context, at)
  if (cache?.key === wholeUrl && at.role === 'master' && !at.checked)
    at.warn(`no "${name}_cache_key" for "${name}_cache"`)
  return cache
}

/** Without a key nginx has one object for all requests. */
function wholeUrl(r: Request): string {
  return `${r.scheme}${r.host}${r.unparsedUri}`
}

/** Compiles it; `conf` has no prefixes. */
export function compileCgiExchange(way: CgiWay, conf: CgiConf, given: object, at: AttachContext): ExchangeConf {
  const { name, target, tls, hidesStatus } = way
  const settings = transportConf(name, given, { half_close: false })
  const exchange: ExchangeConf = {
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
    store: way.cache === undefined ? compileStore(conf.store, conf.store_access, at) : undefined,
    cache: way.cache,
    ignore: ignoreMask(settings.ignore_headers ?? []),
    hidden: hiddenFields(hidesStatus ? ['status', ...HIDDEN] : HIDDEN, settings.hide_header, settings.pass_header),
    resolve: target.resolve,
    request: secured((r, exchange) => requestOf(r, exchange, way), tls, way.secure),
    rate: compileSize(settings.limit_rate, at),
    connectOptions: compileConnect(settings, tls !== undefined, at),
    denies: compileDenies(settings, at),
    perServer: settings.request_dynamic,
  }
  notePassed(way, exchange, at)
  return exchange
}

function requestOf(r: Request, exchange: Exchange, way: CgiWay): string {
  exchange.sender.frame(-1)
  exchange.uri = r.uri
  return way.request(r, exchange.sender.lengthText())
}

/** Notes for health checks where the location passes requests to, if that is a group known by now. */
function notePassed(way: CgiWay, exchange: ExchangeConf, at: AttachContext): void {
  const { location } = at
  const { host, scheme } = way.target
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
      return scheme === way.secure ? { ...options, tls: way.tls?.target(r, host) } : options
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
        return { r, text: way.request(r, '') }
      },
    },
  })
}
