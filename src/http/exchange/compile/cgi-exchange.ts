/** What a location decides about its exchanges with an application, the same for FastCGI, uwsgi and SCGI. */
import type { AttachContext } from '../../compile/module.ts'
import { compileSize } from '../../compile/size.ts'
import type { Request } from '../../request/request.ts'
import type { Protocol } from '../codec.ts'
import { type ExchangeConf, hiddenFields, ignoreMask } from '../conf.ts'
import type { CgiConf } from '../directives/cgi.ts'
import { compileStore } from '../directives/store.ts'
import { transportConf } from '../directives/transport.ts'
import type { Exchange } from '../exchange.ts'
import { failureMask } from '../failure.ts'
import type { AddressTarget } from './address-target.ts'
import { tellsLength } from './cgi-params.ts'
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
  readonly target: AddressTarget
  readonly tls: SslTargets | undefined
  /** The scheme with which TLS is spoken. */
  readonly secure: string
  /** The request, up to its body; empty: it cannot be made. */
  request(r: Request, exchange: Exchange): string
}

/** Compiles it; `conf` has no prefixes. */
export function compileCgiExchange(way: CgiWay, conf: CgiConf, given: object, at: AttachContext): ExchangeConf {
  const { name, target, tls, hidesStatus } = way
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
    tempPath: settings.temp_path ?? { path: at.prefixed(`${name}_temp`), levels: [1, 2] },
    store: compileStore(conf.store, conf.store_access, at),
    ignore: ignoreMask(settings.ignore_headers ?? []),
    hidden: hiddenFields(hidesStatus ? ['status', ...HIDDEN] : HIDDEN, settings.hide_header, settings.pass_header),
    resolve: target.resolve,
    request: secured((r, exchange) => way.request(r, exchange), tls, way.secure),
    rate: compileSize(settings.limit_rate, at),
    connectOptions: compileConnect(settings, tls !== undefined, at),
    denies: compileDenies(settings, at),
    perServer: settings.request_dynamic,
  }
}
