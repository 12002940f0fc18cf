/** The upstream groups of one tree by name, and those that come into being by being named in an address. */
import { type Address, formatAddress } from '../lib/address.ts'
import { resolveHost } from '../lib/resolve-host.ts'
import { RoundRobin } from './balancers/round-robin.ts'
import { PeerGroup } from './group.ts'
import { privateState } from './group-state.ts'
import { Peer } from './peer.ts'
import type { PeerAddress, PeerOptions } from './peer-row.ts'

const IMPLICIT_MAX = 4096

/** What a `server` line without parameters means. */
export const PEER_DEFAULTS: PeerOptions = {
  weight: 1,
  maxConns: 0,
  maxFails: 1,
  failTimeoutS: 10,
  down: false,
  drain: false,
  route: '',
  slowStartMs: 0,
}

/** The groups of one tree: those of `upstream` blocks, and one for each address given elsewhere. */
export class UpstreamRegistry {
  readonly #named = new Map<string, PeerGroup>()
  readonly #implicit = new Map<string, PeerGroup>()

  /** Adds an `upstream` block; false when the name is taken. */
  add(group: PeerGroup): boolean {
    const key = group.name.toLowerCase()
    if (this.#named.has(key)) return false
    this.#named.set(key, group)
    return true
  }

  /** The group of that name, in any case. */
  find(name: string): PeerGroup | undefined {
    return this.#named.get(name.toLowerCase())
  }

  get groups(): Iterable<PeerGroup> {
    return this.#named.values()
  }

  /** The group that an address has already made, if it has. */
  findImplicit(address: Address): PeerGroup | undefined {
    return this.#implicit.get(formatAddress(address))
  }

  /** The group that a constant address means, or what is wrong with it. `written` is the address as configured. */
  target(address: Address, written: string): PeerGroup | string {
    if (address.kind === 'tcp') {
      const named = this.find(address.host)
      if (named !== undefined) {
        return address.hasPort ? `upstream "${address.host}" may not have port ${address.port}` : named
      }
      if (address.port === 0) return `no port in upstream "${written}"`
    }
    const host = address.kind === 'tcp' ? address.host : written
    return this.implicit(address, written) ?? `host not found in upstream "${host}"`
  }

  /** The group behind an address that is no upstream's name; undefined when its host does not resolve. */
  implicit(address: Address, name: string): PeerGroup | undefined {
    const key = formatAddress(address)
    const known = this.#implicit.get(key)
    if (known !== undefined) return known
    const addresses = peerAddresses(address)
    if (addresses.length === 0) return undefined
    const state = privateState(addresses.length)
    const peers = addresses.map((to, i) => new Peer(to, PEER_DEFAULTS, key, state, i))
    const group = new PeerGroup(name, peers, [], (list) => new RoundRobin(list), undefined)
    this.#remember(key, group)
    return group
  }

  /**
   * A group of resolved addresses, which come in another order each time. As in nginx their failures are forgotten with
   * the request; a group of one address has no state that matters, and is kept.
   */
  transient(address: Address & { readonly kind: 'tcp' }, name: string, hosts: readonly string[]): PeerGroup {
    const key = hosts.length === 1 ? `${formatAddress(address)} ${hosts[0]}` : ''
    const known = hosts.length === 1 ? this.#implicit.get(key) : undefined
    if (known !== undefined) return known
    const state = privateState(hosts.length)
    const peers = hosts.map((host, i) => new Peer(peerAddress(host, address.port), PEER_DEFAULTS, name, state, i))
    const group = new PeerGroup(name, peers, [], (list) => new RoundRobin(list), undefined)
    if (hosts.length === 1) this.#remember(key, group)
    return group
  }

  #remember(key: string, group: PeerGroup): void {
    // Addresses made of variables could be without end: then the oldest goes.
    if (this.#implicit.size >= IMPLICIT_MAX) this.#implicit.delete(this.#implicit.keys().next().value!)
    this.#implicit.set(key, group)
  }

  /** Takes over idle connections of groups that have the same name, to servers that they still have. */
  inherit(previous: unknown): void {
    if (!(previous instanceof UpstreamRegistry)) return
    for (const [name, group] of this.#named) {
      const before = previous.#named.get(name)?.pool
      if (before !== undefined) group.pool?.adopt(before, new Set(group.peers.map((peer) => peer.address.name)))
    }
  }

  /** Closes what idles. */
  close(): void {
    for (const group of this.#named.values()) group.pool?.close()
  }
}

/** Where an address leads: one entry for each of its host's addresses. */
export function peerAddresses(address: Address): readonly PeerAddress[] {
  if (address.kind === 'unix') return [{ name: `unix:${address.path}`, host: '', port: 0, path: address.path }]
  return resolveHost(address.host).map((host) => peerAddress(host, address.port))
}

/** A numeric address. */
export function peerAddress(host: string, port: number): PeerAddress {
  return { name: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, host, port, path: '' }
}
