/**
 * Which servers answer on which socket, and by which names (ngx_http_add_listen, ngx_http_optimize_servers): servers
 * with the same address share it; an address whose port also has a wildcard socket shares that socket.
 */
import type { Scope } from '../config/scope.ts'
import type { Position } from '../config/source.ts'
import type { HttpTree } from '../http/compile/module.ts'
import { type ServerNameEntry, type ServerPlace, VirtualServers } from '../http/server/listener.ts'
import { structure } from '../http/settings/core-directives.ts'
import { LISTEN_DEFAULTS, type Listen, type ServerName } from '../http/settings/core-readers.ts'
import type { Steps } from '../lib/steps.ts'
import type { SocketOption } from '../net/listen-on.ts'
import { sslDirectives } from '../tls/server-directives.ts'
import { ListenProtocols } from './listen-protocols.ts'

/** One socket with its servers: `byAddress` holds addresses that share a wildcard socket. */
export interface EndpointPlan {
  readonly spec: ListenSpec
  readonly servers: VirtualServers
  readonly byAddress: ReadonlyMap<string, VirtualServers>
  readonly soKeepalive: Listen['soKeepalive']
}

interface ServerBlock {
  readonly place: ServerPlace
  readonly scope: Scope
}

/** All servers of one address while it is collected. */
interface AddressGroup {
  readonly listen: Listen
  options: Listen | undefined
  defaultServer: ServerBlock
  explicitDefault: boolean
  /** What one of its `listen` lines says holds for all. */
  readonly protocols: ListenProtocols
  readonly members: { readonly server: ServerBlock; readonly names: readonly ServerName[] }[]
}

const IMPLICIT_PORT = process.getuid?.() === 0 ? 80 : 8000

/** Groups the servers by address and checks them against each other. */
export function* planEndpoints(servers: readonly ServerBlock[], builder: HttpTree): Steps<EndpointPlan[]> {
  const groups = new Map<string, AddressGroup>()
  for (const server of servers) {
    collect(server, groups, builder)
    yield
  }
  const virtual = new Map<string, VirtualServers>()
  for (const [key, group] of groups) virtual.set(key, yield* virtualServers(key, group, builder))
  if (!builder.checked) for (const group of groups.values()) if (group.protocols.ssl) checkCertificates(group, builder)
  const plans: EndpointPlan[] = []
  for (const [key, group] of groups) {
    if (wildcardOf(group, groups) !== undefined) continue
    const byAddress = new Map<string, VirtualServers>()
    for (const [other, member] of groups) {
      if (wildcardOf(member, groups) === key && member.listen.address.kind === 'tcp') {
        byAddress.set(member.listen.address.host, virtual.get(other)!)
      }
    }
    plans.push({
      spec: specOf(key, group),
      servers: virtual.get(key)!,
      byAddress,
      soKeepalive: group.options?.soKeepalive,
    })
  }
  return plans
}

function collect(server: ServerBlock, groups: Map<string, AddressGroup>, builder: HttpTree): void {
  const { listen, server_name } = server.scope.head.resolve(structure)
  const names = server_name.flat()
  const seen = new Set<string>()
  for (const item of listen.length > 0 ? listen.flat() : [implicitListen(server.scope.at)]) {
    if (refused(item, builder)) continue
    if (seen.has(item.key)) {
      builder.fail(`a duplicate listen ${item.key}`, item.at)
      continue
    }
    seen.add(item.key)
    const group = groups.get(item.key)
    if (group === undefined) {
      groups.set(item.key, {
        listen: item,
        options: item.set ? item : undefined,
        defaultServer: server,
        explicitDefault: item.defaultServer,
        protocols: new ListenProtocols(item),
        members: [{ server, names }],
      })
      continue
    }
    join(group, item, server, builder)
    group.members.push({ server, names })
  }
}

function join(group: AddressGroup, item: Listen, server: ServerBlock, builder: HttpTree): void {
  if (group.protocols.add(item, group.options !== undefined)) {
    builder.warn(`protocol options redefined for ${item.key}`, item.at)
  }
  if (item.set) {
    if (group.options !== undefined) builder.fail(`duplicate listen options for ${item.key}`, item.at)
    group.options = item
  }
  if (!item.defaultServer) return
  if (group.explicitDefault) builder.fail(`a duplicate default server for ${item.key}`, item.at)
  group.explicitDefault = true
  group.defaultServer = server
}

/** There is a certificate for whatever name a client asks for, or clients are sent away (ngx_http_ssl_init). */
function checkCertificates({ defaultServer, members }: AddressGroup, builder: HttpTree): void {
  if (hasCertificate(defaultServer)) return
  const without = defaultServer.place.server.ssl.rejects
    ? members.find(({ server }) => !hasCertificate(server) && !server.place.server.ssl.rejects)?.server
    : defaultServer
  if (without === undefined) return
  const { file, line } = without.scope.at
  builder.fail(`no "ssl_certificate" is defined for the "listen ... ssl" directive in ${file}:${line}`)
}

function hasCertificate({ scope }: ServerBlock): boolean {
  return scope.resolve(sslDirectives).ssl_certificate.length > 0
}

/** Protocols that are parsed but not spoken yet. */
function refused(item: Listen, builder: HttpTree): boolean {
  const parameter = item.quic ? 'quic' : ''
  if (parameter === '') return false
  builder.fail(`the "${parameter}" parameter of the "listen" directive is not supported yet by Viaduct`, item.at)
  return true
}

function implicitListen(at: Position): Listen {
  return {
    ...LISTEN_DEFAULTS,
    address: { kind: 'tcp', host: '0.0.0.0', port: IMPLICIT_PORT, hasPort: true, family: 4 },
    key: `0.0.0.0:${IMPLICIT_PORT}`,
    at,
  }
}

/** The key of the wildcard socket that an address shares, or undefined when it has a socket of its own. */
function wildcardOf(group: AddressGroup, groups: ReadonlyMap<string, AddressGroup>): string | undefined {
  const { address } = group.listen
  if (address.kind !== 'tcp' || group.options !== undefined) return undefined
  const key = address.family === 6 ? `[::]:${address.port}` : `0.0.0.0:${address.port}`
  return key !== group.listen.key && groups.has(key) ? key : undefined
}

function specOf(key: string, group: AddressGroup): ListenSpec {
  const { address, at } = group.listen
  const options = group.options ?? group.listen
  const { backlog, reuseport, ipv6only } = options
  const tcp = address.kind === 'tcp' ? address : undefined
  return {
    key,
    kind: address.kind,
    host: tcp?.host ?? '',
    port: tcp?.port ?? 0,
    path: address.kind === 'unix' ? address.path : '',
    backlog,
    reuseport,
    ipv6only,
    socketOptions: socketOptionsOf(options),
    at,
  }
}

/** In nginx's order. What is set on a listening socket holds for the connections that it accepts. */
function socketOptionsOf({ rcvbuf, sndbuf, soKeepalive, fastopen, deferred }: Listen): readonly SocketOption[] {
  const found: SocketOption[] = []
  const add = (name: SocketOption['name'], value: number): void => void found.push({ name, value })
  if (rcvbuf !== -1) add('SO_RCVBUF', rcvbuf)
  if (sndbuf !== -1) add('SO_SNDBUF', sndbuf)
  if (typeof soKeepalive === 'object') {
    if (soKeepalive.intervalSeconds > 0) add('TCP_KEEPINTVL', soKeepalive.intervalSeconds)
    if (soKeepalive.count > 0) add('TCP_KEEPCNT', soKeepalive.count)
  }
  if (fastopen !== -1) add('TCP_FASTOPEN', fastopen)
  if (deferred) add('TCP_DEFER_ACCEPT', 1)
  return found
}

function* virtualServers(key: string, group: AddressGroup, builder: HttpTree): Steps<VirtualServers> {
  const entries: ServerNameEntry[] = []
  const seen = new Set<string>()
  // One server is asked for nothing by name: nginx does not look at them, unless one captures something.
  const alone = group.members.length === 1 && !captures(group.members[0]!.names)
  for (const { server, names } of group.members) {
    yield
    for (const name of names.length > 0 ? names : [UNNAMED]) {
      if (name.kind === 'invalid') {
        if (!alone) builder.fail(`invalid server name or wildcard "${name.text}" on ${key}`, name.at)
        continue
      }
      for (const entry of entriesOf(name, server.place, builder)) {
        const id = `${entry.kind}:${entry.name}`
        if (entry.kind !== 'regex' && seen.has(id)) {
          if (!alone) builder.warn(`conflicting server name "${name.text}" on ${key}, ignored`)
          continue
        }
        seen.add(id)
        entries.push(entry)
      }
    }
  }
  const { place } = group.defaultServer
  return new VirtualServers(place, entries, group.protocols)
}

/** The last regular expression decides, as in nginx. */
function captures(names: readonly ServerName[]): boolean {
  const last = names.findLast((name) => name.kind === 'regex')
  return last !== undefined && last.pattern.captureCount > 0
}

type ValidName = Exclude<ServerName, { readonly kind: 'invalid' }>

const UNNAMED: Pick<ServerName & { kind: 'exact' }, 'kind' | 'name' | 'text'> = { kind: 'exact', name: '', text: '' }

function entriesOf(name: ValidName | typeof UNNAMED, place: ServerPlace, builder: HttpTree): ServerNameEntry[] {
  if (name.kind === 'regex') return [{ kind: 'regex', name: name.text, regex: builder.pattern(name.pattern), place }]
  const entry = { regex: undefined, place }
  if (name.kind !== 'dot') return [{ ...entry, kind: name.kind, name: name.name }]
  return [
    { ...entry, kind: 'exact', name: name.name },
    { ...entry, kind: 'suffix', name: '.' + name.name },
  ]
}

/** One address to listen on. */
export interface ListenSpec {
  /** `127.0.0.1:80`, `[::]:80`, `unix:/path`. */
  readonly key: string
  readonly kind: 'tcp' | 'unix' | 'udp'
  readonly host: string
  readonly port: number
  readonly path: string
  readonly backlog: number
  readonly reuseport: boolean
  readonly ipv6only: boolean
  readonly socketOptions: readonly SocketOption[]
  readonly at: Position
}
