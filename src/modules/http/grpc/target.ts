/** `grpc_pass`: from its address to the group of servers (ngx_http_grpc_pass, ngx_http_grpc_eval). */

import type { AttachContext } from '../../../http/compile/module.ts'
import { dynamicGroup } from '../../../http/exchange/compile/dynamic-group.ts'
import { exchangeOf } from '../../../http/exchange/exchange.ts'
import type { Request } from '../../../http/request/request.ts'
import { type Address, parseAddress } from '../../../lib/address.ts'
import { ERROR } from '../../../log/error-log.ts'
import { resolverOf } from '../../../tree/resolver.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import type { UpstreamRegistry } from '../../../upstream/registry.ts'
import type { Template } from '../../../value/template.ts'

const NO_PORT = 0
const GRPC = 'grpc://'
/** The scheme with which TLS is spoken to the back end. */
export const GRPCS = 'grpcs://'

/** A `grpc_pass` after compiling. */
export interface GrpcTarget {
  readonly scheme: string
  /** TLS may be spoken: it is, or variables decide. */
  readonly mayUseTls: boolean
  /** As written; empty when variables decide. */
  readonly host: string
  /** Finds the group, and notes scheme and host at the exchange. A status when there is none. */
  readonly resolve: (r: Request) => PeerGroup | number
}

/** Compiles; problems are reported, and then there is no target. */
export function compileGrpcTarget(
  written: Template,
  registry: UpstreamRegistry,
  at: AttachContext,
): GrpcTarget | undefined {
  if (written.constant === undefined) return dynamicTarget(written, registry, at)
  const { scheme, authority } = split(written.constant)
  const address = parseAddress(authority, NO_PORT)
  const group = 'error' in address ? `${address.error} in upstream "${authority}"` : registry.target(address, authority)
  if (typeof group === 'string' || 'error' in address) {
    at.fail(String(group), written.at)
    return undefined
  }
  const host = hostOf(address, authority)
  return {
    scheme,
    mayUseTls: scheme === GRPCS,
    host,
    resolve: (r) => {
      note(r, scheme, host)
      return group
    },
  }
}

function dynamicTarget(written: Template, registry: UpstreamRegistry, at: AttachContext): GrpcTarget {
  const text = at.text(written)
  const resolver = resolverOf(at.scope, at)
  return {
    scheme: GRPC,
    mayUseTls: true,
    host: '',
    resolve: (r) => {
      const { scheme, authority } = split(text(r))
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

function split(written: string): { scheme: string; authority: string } {
  for (const scheme of [GRPC, GRPCS]) {
    if (written.slice(0, scheme.length).toLowerCase() === scheme) {
      return { scheme, authority: written.slice(scheme.length) }
    }
  }
  return { scheme: GRPC, authority: written }
}

function hostOf(address: Address, authority: string): string {
  return address.kind === 'unix' ? 'localhost' : authority
}

function note(r: Request, scheme: string, host: string): void {
  const exchange = exchangeOf(r)!
  exchange.scheme = scheme
  exchange.targetHost = host
}
