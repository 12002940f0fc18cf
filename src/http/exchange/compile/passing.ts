/** What all modules that pass requests on have in common, whatever they speak: how a request begins, and where from. */

import type { ConnectOptions } from '../../../upstream/pool.ts'
import type { AttachContext } from '../../compile/module.ts'
import type { Text } from '../../request/plan.ts'
import type { Request } from '../../request/request.ts'
import { defineSlot } from '../../request/slots.ts'
import type { Verdict } from '../../request/verdict.ts'
import type { ExchangeConf } from '../conf.ts'
import type { TransportConf } from '../directives/transport.ts'
import { exchangeOf, takeExchange } from '../exchange.ts'
import type { SslTargets } from './ssl-targets.ts'

const BOUND = defineSlot<string>()

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
  { bind, bind_dynamic, socket_keepalive }: TransportConf,
  mayUseTls: boolean,
  at: AttachContext,
): (r: Request) => ConnectOptions {
  const localAddress = bind === undefined ? undefined : boundOnce(at.text(bind), bind_dynamic)
  const plain: ConnectOptions = { keepAlive: socket_keepalive }
  let latest = plain
  return (r) => {
    const tls = mayUseTls ? r.conversation!.tls : undefined
    const address = localAddress?.(r)
    if (address !== undefined && address !== '') return { ...plain, tls, localAddress: address }
    if (tls === undefined) return plain
    // Mostly one target is asked again and again.
    if (latest.tls !== tls) latest = { ...plain, tls }
    return latest
  }
}

/** The request of a location that may speak TLS, which it does for targets of `scheme`; empty when it cannot. */
export function secured(
  request: ExchangeConf['request'],
  tls: SslTargets | undefined,
  scheme: string,
): ExchangeConf['request'] {
  if (tls === undefined) return request
  return (r, exchange) => {
    const secure = exchange.scheme === scheme
    exchange.tls = secure ? tls.target(r, exchange.targetHost) : undefined
    return secure && exchange.tls === undefined ? '' : request(r, exchange)
  }
}

/** The local address that a request has found first, unless each connection is to find its own (`bind_dynamic`). */
function boundOnce(address: Text, dynamic: boolean): Text {
  if (dynamic) return address
  return (r) => {
    const found = r.get(BOUND) ?? address(r)
    r.set(BOUND, found)
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
  ignore: 0,
  hidden: new Map(),
  rate: () => 0,
  rewriteRedirect: () => undefined,
  rewriteCookie: undefined,
  denies: undefined,
  perServer: false,
} satisfies Partial<ExchangeConf>
