/** Groups for addresses that variables make: what they name is known only when a request is there. */
import type { Address } from '../../../lib/address.ts'
import { parseIp } from '../../../lib/ip.ts'
import { ERROR } from '../../../log/error-log.ts'
import { leadsNowhere } from '../../../net/connect.ts'
import type { NameWaiter, Resolver } from '../../../net/resolver.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import type { UpstreamRegistry } from '../../../upstream/registry.ts'
import type { Request } from '../../request/request.ts'
import { WAIT } from '../../request/verdict.ts'
import { type Exchange, exchangeOf } from '../exchange.ts'

/** Stands for what nobody is asked for (RFC 5737). */
const NOT_ASKED: readonly string[] = ['192.0.2.1']

/**
 * The group behind an address that variables made: an upstream, an IP address, or a name that is resolved now. WAIT when
 * the exchange goes on later; a status when there is none.
 */
export function dynamicGroup(
  r: Request,
  address: Address,
  authority: string,
  registry: UpstreamRegistry,
  resolver: Resolver | undefined,
): PeerGroup | number {
  if (address.kind === 'unix' || parseIp(address.host) !== undefined)
    return registry.implicit(address, authority) ?? 502
  const named = registry.find(address.host)
  if (named !== undefined && !address.hasPort) return named
  const known = registry.findImplicit(address)
  if (known !== undefined) return known
  if (resolver === undefined) {
    r.logError(ERROR, `no resolver defined to resolve ${address.host}`)
    return 502
  }
  const addresses = leadsNowhere() ? NOT_ASKED : resolver.known(address.host)
  if (addresses !== undefined) return registry.transient(address, authority, addresses)
  resolver.resolve(address.host, new NameWait(r, address, authority, registry))
  return WAIT
}

/** One request that waits for a name. */
class NameWait implements NameWaiter {
  readonly #r: Request
  readonly #address: Address & { readonly kind: 'tcp' }
  readonly #authority: string
  readonly #registry: UpstreamRegistry
  readonly #exchange: Exchange
  readonly #generation: number

  constructor(r: Request, address: Address & { readonly kind: 'tcp' }, authority: string, registry: UpstreamRegistry) {
    this.#r = r
    this.#address = address
    this.#authority = authority
    this.#registry = registry
    this.#exchange = exchangeOf(r)!
    this.#generation = this.#exchange.generation
  }

  onResolved(addresses: readonly string[], error: string): void {
    // The request may have ended meanwhile, and its exchange may serve another one.
    if (this.#exchange.generation !== this.#generation || this.#r.ended) return
    if (error !== '') {
      this.#r.logError(ERROR, `${this.#address.host} could not be resolved (${error})`)
      this.#r.resume(502)
      return
    }
    const group = this.#registry.transient(this.#address, this.#authority, addresses)
    // Once for a name that had to be looked up.
    this.#r.resumeBy(() => this.#exchange.resolved(group))
  }
}
