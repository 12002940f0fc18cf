/**
 * `grpc_pass`, `fastcgi_pass` and their like: from an address without a URI to the group of servers (ngx_http_grpc_pass,
 * ngx_http_grpc_eval, ngx_http_fastcgi_eval, ngx_http_uwsgi_eval).
 */
import { type Address, parseAddress } from '../../../lib/address.ts'
import { ERROR } from '../../../log/error-log.ts'
import { resolverOf } from '../../../tree/resolver.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import type { UpstreamRegistry } from '../../../upstream/registry.ts'
import type { Template } from '../../../value/template.ts'
import type { AttachContext } from '../../compile/module.ts'
import type { Request } from '../../request/request.ts'
import { exchangeOf } from '../exchange.ts'
import { dynamicGroup } from './dynamic-group.ts'

const NO_PORT = 0

/** What may stand before an address. */
export interface Schemes {
  /** The scheme when none is given. */
  readonly plain: string
  /** The one with which TLS is spoken; undefined: no scheme may be given at all. */
  readonly secure: string | undefined
}

/** An address after compiling. */
export interface AddressTarget {
  readonly scheme: string
  /** TLS may be spoken: it is, or variables decide. */
  readonly mayUseTls: boolean
  /** As written; empty when variables decide. */
  readonly host: string
  /** Finds the group, and notes scheme and host at the exchange. A status when there is none. */
  readonly resolve: (r: Request) => PeerGroup | number
}

/** Compiles; problems are reported, and then there is no target. */
export function compileAddressTarget(
  written: Template,
  schemes: Schemes,
  registry: UpstreamRegistry,
  at: AttachContext,
): AddressTarget | undefined {
  if (written.constant === undefined) return dynamicTarget(written, schemes, registry, at)
  const { scheme, authority } = split(written.constant, schemes)
  const address = parseAddress(authority, NO_PORT)
  const group = 'error' in address ? `${address.error} in upstream "${authority}"` : registry.target(address, authority)
  if (typeof group === 'string' || 'error' in address) {
    at.fail(String(group), written.at)
    return undefined
  }
  const host = hostOf(address, authority)
  return {
    scheme,
    mayUseTls: scheme === schemes.secure,
    host,
    resolve: (r) => {
      note(r, scheme, host)
      return group
    },
  }
}

function dynamicTarget(
  written: Template,
  schemes: Schemes,
  registry: UpstreamRegistry,
  at: AttachContext,
): AddressTarget {
  const text = at.text(written)
  const resolver = resolverOf(at.scope, at)
  return {
    scheme: schemes.plain,
    mayUseTls: schemes.secure !== undefined,
    host: '',
    resolve: (r) => {
      const { scheme, authority } = split(text(r), schemes)
      const address = parseAddress(authority, NO_PORT)
      if ('error' in address) {
        r.logError(ERROR, `${address.error} in upstream "${authority}"`)
        return 500
      }
      note(r, scheme, hostOf(address, authority))
      if (address.kind === 'tcp' && address.port === NO_PORT && registry.find(address.host) === undefined) {
        r.logError(ERROR, `no port in upstream "${authority}"`)
        return 500
      }
      return dynamicGroup(r, address, authority, registry, resolver)
    },
  }
}

function split(written: string, { plain, secure }: Schemes): { scheme: string; authority: string } {
  if (secure !== undefined) {
    for (const scheme of [plain, secure]) {
      if (written.slice(0, scheme.length).toLowerCase() === scheme) {
        return { scheme, authority: written.slice(scheme.length) }
      }
    }
  }
  return { scheme: plain, authority: written }
}

function hostOf(address: Address, authority: string): string {
  return address.kind === 'unix' ? 'localhost' : authority
}

function note(r: Request, scheme: string, host: string): void {
  const exchange = exchangeOf(r)!
  exchange.scheme = scheme
  exchange.targetHost = host
}
