/** What all modules that pass requests on have in common, whatever they speak: how a request begins, and where from. */

import { parseLocalAddress } from '../../../lib/address.ts'
import { ERROR } from '../../../log/error-log.ts'
import type { LocalAddress } from '../../../net/connect.ts'
import type { ConnectOptions } from '../../../upstream/pool.ts'
import type { AttachContext } from '../../compile/module.ts'
import { FieldRoles } from '../../message/field-names.ts'
import type { Request } from '../../request/request.ts'
import { defineSlot } from '../../request/slots.ts'
import type { Verdict } from '../../request/verdict.ts'
import type { ExchangeConf } from '../conf.ts'
import type { Bind, TransportConf } from '../directives/transport.ts'
import { exchangeOf, takeExchange } from '../exchange.ts'
import type { SslTargets } from './ssl-targets.ts'

const BOUND = defineSlot<{ readonly local: LocalAddress | undefined }>()

/** Passes the request on; a content handler. */
export function passOn(r: Request, conf: ExchangeConf): Verdict {
  let exchange = exchangeOf(r)
  if (exchange === undefined) {
    exchange = takeExchange(r, conf)
    r.conversation = exchange
  } else exchange.restart(r, conf)
  return exchange.start()
}

/** Compiles how connections are made: from where (`bind`), with SO_KEEPALIVE, and with TLS where the exchange says so. */
export function compileConnect(
  { bind, bind_dynamic, socket_keepalive, socket_sndbuf, socket_rcvbuf }: TransportConf,
  mayUseTls: boolean,
  at: AttachContext,
): (r: Request) => ConnectOptions {
  const local = bind === undefined ? undefined : boundOnce(compileLocal(bind, at), bind_dynamic)
  const plain: ConnectOptions = {
    keepAlive: socket_keepalive,
    // Who has no directives for these has no settings either.
    sndbuf: socket_sndbuf ?? 0,
    rcvbuf: socket_rcvbuf ?? 0,
    from: undefined,
    tls: undefined,
  }
  let latest = plain
  return (r) => {
    const tls = mayUseTls ? r.conversation!.tls : undefined
    const from = local?.(r)
    if (tls === undefined && from === undefined) return plain
    // Mostly one target is asked again and again, from one address.
    if (latest.tls !== tls || latest.from?.name !== from?.name) latest = { ...plain, from, tls }
    return latest
  }
}

type Local = (r: Request) => LocalAddress | undefined

/** A value that is no address is logged, and the system chooses, as in ngx_http_upstream_set_local. */
function compileLocal(bind: Bind, at: AttachContext): Local {
  const { transparent, constant: name } = bind
  if (transparent) at.keepNetRaw()
  if (name !== undefined) {
    // The directive has refused what is none.
    const constant: LocalAddress = { name, ...parseLocalAddress(name)!, transparent }
    return () => constant
  }
  const text = at.text(bind)
  return (r) => {
    const found = text(r)
    if (found === '') return undefined
    const local = parseLocalAddress(found)
    if (local !== undefined) return { name: found, host: local.host, port: local.port, transparent }
    r.logError(ERROR, `invalid local address "${found}" while connecting to upstream`)
    return undefined
  }
}

/** The request of a location that may speak TLS, which it does for targets of `scheme`. */
export function secured(
  request: ExchangeConf['request'],
  tls: SslTargets | undefined,
  scheme: string,
): ExchangeConf['request'] {
  if (tls === undefined) return request
  return (r, exchange) => {
    exchange.tls = exchange.scheme === scheme ? tls.target(r, exchange.targetHost) : undefined
    return request(r, exchange)
  }
}

/** The local address that a request has found first, unless each connection is to find its own (`bind_dynamic`). */
function boundOnce(local: Local, dynamic: boolean): Local {
  if (dynamic) return local
  return (r) => {
    const known = r.get(BOUND)
    if (known !== undefined) return known.local
    const found = local(r)
    r.set(BOUND, { local: found })
    return found
  }
}

/** Compiles `allow_upstream`: a server may be asked when no value is empty or 0. */
export function compileDenies(
  { allow_upstream }: TransportConf,
  at: AttachContext,
): ((r: Request) => boolean) | undefined {
  if (allow_upstream === undefined) return undefined
  const values = allow_upstream.map((value) => at.text(value))
  return (r) => {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!(r)
      if (value === '' || value === '0') return true
    }
    return false
  }
}

/** What holds for protocols that know no fields, no request bodies and no copies of responses. */
export const BARE = {
  passBody: false,
  passTrailers: false,
  chunkedAllowed: false,
  ownBody: false,
  tempPath: { path: '', levels: [] },
  store: undefined,
  cache: undefined,
  aim: () => 0,
  ignore: 0,
  hidden: new FieldRoles(),
  onlyTheirDate: false,
  onlyTheirServer: false,
  rate: () => 0,
  rewriteRedirect: () => undefined,
  rewriteCookie: undefined,
  denies: undefined,
  perServer: false,
} satisfies Partial<ExchangeConf>
