/**
 * One listening address of a worker: accepts connections and knows which server answers which host. The listener
 * outlives reloads; its virtual servers are replaced in place, so that open connections follow.
 */

import { Roster } from '../../lib/roster.ts'
import type { CapturePattern } from '../../tree/context.ts'
import type { RequestLimits } from '../message/head-limits.ts'
import type { Client } from '../request/client.ts'
import type { ServerConf } from '../request/location.ts'
import type { Request } from '../request/request.ts'
import type { ClientConnection } from './client-connection.ts'
import { connectionCounters, NONE } from './connection-counters.ts'
import { reusableConnections } from './reusable.ts'

/** What is spoken on an address, by its `listen` lines. */
export interface AddressProtocols {
  readonly proxyProtocol: boolean
  readonly ssl: boolean
  readonly http2: boolean
}

/** A server that is compiled when it is first asked for. */
export class ServerPlace {
  #server: ServerConf | undefined
  #make: (() => ServerConf) | undefined

  constructor(made: ServerConf | (() => ServerConf)) {
    this.#server = typeof made === 'function' ? undefined : made
    this.#make = typeof made === 'function' ? made : undefined
  }

  get server(): ServerConf {
    return this.#server ?? this.#compile()
  }

  #compile(): ServerConf {
    const made = this.#make!()
    this.#make = undefined
    this.#server = made
    return made
  }
}

/** The servers of one address by name (ngx_http_find_virtual_server). */
export class VirtualServers {
  readonly defaultServer: ServerConf
  /** Connections begin with a header of the PROXY protocol. */
  readonly proxyProtocol: boolean
  /** Connections begin with the handshake of TLS. */
  readonly ssl: boolean
  /** A `listen` line says `http2`: HTTP/2 is spoken whatever the servers say. */
  readonly http2Listen: boolean
  readonly #exact = new Map<string, ServerPlace>()
  /** `*.example.com` by its `.example.com`. */
  readonly #suffixes = new Map<string, ServerPlace>()
  /** `www.*` by its `www.`. */
  readonly #prefixes = new Map<string, ServerPlace>()
  readonly #regexes: { readonly regex: CapturePattern; readonly place: ServerPlace }[] = []
  readonly #single: boolean

  constructor(defaultPlace: ServerPlace, names: readonly ServerNameEntry[], protocols: Partial<AddressProtocols> = {}) {
    this.defaultServer = defaultPlace.server
    this.proxyProtocol = protocols.proxyProtocol ?? false
    this.ssl = protocols.ssl ?? false
    this.http2Listen = protocols.http2 ?? false
    for (const entry of names) this.#add(entry)
    this.#single = this.#regexes.length === 0 && names.every((n) => n.place === defaultPlace)
  }

  /** Each server once, the default one first. */
  get all(): readonly ServerConf[] {
    const places = [...this.#exact.values(), ...this.#suffixes.values(), ...this.#prefixes.values()]
    const servers = [...places, ...this.#regexes.map(({ place }) => place)].map(({ server }) => server)
    return [...new Set([this.defaultServer, ...servers])]
  }

  /** There are several servers, which are told apart by the name that is asked for. */
  get hasNames(): boolean {
    return !this.#single
  }

  /** Clients may speak HTTP/2 here. */
  get http2(): boolean {
    return this.http2Listen || this.defaultServer.http2.on
  }

  #add({ kind, name, regex, place }: ServerNameEntry): void {
    if (regex !== undefined) this.#regexes.push({ regex, place })
    else if (kind === 'suffix') this.#suffixes.set(name, place)
    else if (kind === 'prefix') this.#prefixes.set(name, place)
    else this.#exact.set(name, place)
  }

  /** The server for a host (lower case, no port); captures of a regular expression are set on `r`. */
  find(host: string, r: Request): ServerConf {
    if (this.#single || host === '')
      return (host === '' ? this.#exact.get('')?.server : undefined) ?? this.defaultServer
    const place = this.#exact.get(host) ?? this.#wildcard(host) ?? this.#regex(host, r)
    return place?.server ?? this.defaultServer
  }

  /** Where the server is of a name that is asked for when there is no request yet; undefined: none has it. */
  placeByName(host: string): ServerPlace | undefined {
    const found = this.#exact.get(host) ?? this.#wildcard(host)
    if (found !== undefined) return found
    for (const { regex, place } of this.#regexes) if (regex.pattern.exec(host)) return place
    return undefined
  }

  #wildcard(host: string): ServerPlace | undefined {
    if (this.#suffixes.size > 0) {
      for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
        const place = this.#suffixes.get(host.slice(dot))
        if (place !== undefined && dot > 0) return place
      }
    }
    if (this.#prefixes.size > 0) {
      for (let dot = host.lastIndexOf('.'); dot > 0; dot = host.lastIndexOf('.', dot - 1)) {
        const place = this.#prefixes.get(host.slice(0, dot + 1))
        if (place !== undefined) return place
      }
    }
    return undefined
  }

  #regex(host: string, r: Request): ServerPlace | undefined {
    // Until one is found: a match that is given up is logged there.
    r.server = this.defaultServer
    r.location = r.server.base
    for (const { regex, place } of this.#regexes) if (r.match(regex, host)) return place
    return undefined
  }
}

/** One name of one server on one address. */
export interface ServerNameEntry {
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'regex'
  readonly name: string
  readonly regex: CapturePattern | undefined
  readonly place: ServerPlace
}

let connectionIds = 0

/** Who answers on an address. */
type AddressServers = Pick<HttpListener, 'servers' | 'byAddress'>

/** One address that a worker accepts on. */
export class HttpListener {
  readonly key: string
  /** Bound address, empty for a wildcard. */
  readonly address: string
  readonly port: number
  readonly unixPath: string
  readonly connections = new Roster<ClientConnection>()
  servers: VirtualServers
  /** Addresses that share this wildcard socket. */
  byAddress: ReadonlyMap<string, VirtualServers> = new Map()
  /** Called when the last connection is gone. */
  onEmpty: () => void = () => {}
  /** The worker is leaving or the address was removed: no request is added to a connection. */
  closing = false

  /** TLS may be spoken. */
  get secure(): boolean {
    if (this.servers.ssl) return true
    if (this.byAddress.size > 0) for (const servers of this.byAddress.values()) if (servers.ssl) return true
    return false
  }

  constructor(
    key: string,
    end: { readonly address: string; readonly port: number; readonly unixPath: string },
    servers: VirtualServers,
  ) {
    this.key = key
    this.address = end.address
    this.port = end.port
    this.unixPath = end.unixPath
    this.servers = servers
  }

  get defaultServer(): ServerConf {
    return this.servers.defaultServer
  }

  nextConnectionId(): number {
    return ++connectionIds
  }

  /** What the heads of a connection may be: as the server says that SNI names, else the default one of the address. */
  limitsFor(client: Client): RequestLimits {
    return (client.sniServer ?? this.serversFor(client).defaultServer).headLimits
  }

  /** The servers for a connection. */
  serversFor(client: Client): VirtualServers {
    return HttpListener.choose(this, client)
  }

  /** The servers of an address for a connection: they may depend on the address that it came to. */
  static choose({ servers, byAddress }: AddressServers, client: Client): VirtualServers {
    return byAddress.size === 0 ? servers : (byAddress.get(client.serverAddress) ?? servers)
  }

  opened(connection: ClientConnection): void {
    this.connections.add(connection)
    connectionCounters.open()
  }

  /** Idempotent: a connection may end in several ways at once. */
  closed(connection: ClientConnection): void {
    if (!this.connections.delete(connection)) return
    connectionCounters.close()
    reusableConnections.remove(connection)
    connectionCounters.move(connection.countedAs, NONE)
    connection.countedAs = NONE
    if (this.connections.count === 0) this.onEmpty()
  }

  /** Accepts no more work: idle connections close now, busy ones after their request. */
  shutDown(): void {
    this.closing = true
    for (const connection of this.connections.all()) connection.shutDown()
  }
}
