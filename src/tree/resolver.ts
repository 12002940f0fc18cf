/** `resolver` and `resolver_timeout`, which several modules use. */
import { milliseconds, raw } from '../config/args.ts'
import { mapped } from '../config/combine.ts'
import { type Context, directive, type ReadContext, type ScopeView } from '../config/directive.ts'
import type { Word } from '../config/source.ts'
import { parseMilliseconds, parseSeconds } from '../config/units.ts'
import { formatAddress, parseAddress } from '../lib/address.ts'
import { parseIp } from '../lib/ip.ts'
import { resolveHost } from '../lib/resolve-host.ts'
import type { NameServer } from '../net/dns-channel.ts'
import { Resolver, type ResolverOptions } from '../net/resolver.ts'
import type { TreeServices } from './context.ts'
import { resolverCounts } from './resolver-counts.ts'

const DNS_PORT = 53
const IN: readonly Context[] = ['http', 'server', 'location', 'upstream']

/** The same with the zone that it is counted in, or ''. */
interface ZonedOptions extends ResolverOptions {
  readonly statusZone: string
}

type Draft = { -readonly [K in keyof ZonedOptions]: ZonedOptions[K] } & { servers: NameServer[] }

function readOptions(words: readonly Word[], at: ReadContext): ZonedOptions {
  const draft: Draft = { servers: [], validMs: -1, ipv4: true, ipv6: true, statusZone: '' }
  for (const word of words) {
    const { text } = word
    if (text.startsWith('valid=')) {
      const seconds = parseSeconds(text.slice(6)) ?? 0
      if (seconds === 0 && parseMilliseconds(text.slice(6)) !== 0) at.fail(`invalid parameter: ${text}`, word)
      draft.validMs = seconds * 1000
    } else if (text === 'ipv4=on' || text === 'ipv4=off') draft.ipv4 = text === 'ipv4=on'
    else if (text === 'ipv6=on' || text === 'ipv6=off') draft.ipv6 = text === 'ipv6=on'
    else if (/^ipv[46]=/.test(text)) at.fail(`invalid parameter: ${text}`, word)
    else if (text.startsWith('status_zone=')) draft.statusZone = text.slice('status_zone='.length)
    else for (const server of serverAddresses(word, at)) draft.servers.push(server)
  }
  if (!draft.ipv4 && !draft.ipv6) at.fail('"ipv4" and "ipv6" cannot both be "off"')
  if (draft.servers.length === 0) at.fail('no name servers defined')
  return draft
}

function serverAddresses(word: Word, at: ReadContext): NameServer[] {
  const address = parseAddress(word.text, DNS_PORT)
  if ('error' in address) return at.fail(`${address.error} in resolver "${word.text}"`, word)
  if (address.kind === 'unix') return at.fail(`invalid host in resolver "${word.text}"`, word)
  const hosts = resolveHost(address.host)
  if (hosts.length === 0) at.fail(`host not found in resolver "${word.text}"`, word)
  return hosts.map((host) => ({
    host,
    port: address.port,
    name: formatAddress({ ...address, host, family: host.includes(':') ? 6 : 4 }),
  }))
}

/** The directives; part of the core module for locations and of the upstream module for groups. */
export const resolverDirectives = {
  resolver: directive({
    in: IN,
    args: mapped(
      raw('address ... [valid=time] [ipv4=on|off] [ipv6=on|off] [status_zone=zone]', { min: 1 }),
      (words, _, at) => readOptions(words, at),
    ),
    doc: 'DNS servers for names that are looked up while serving.',
  }),
  resolver_timeout: directive({ in: IN, args: milliseconds, default: '30s', doc: 'Longest wait for a DNS answer.' }),
}

/** The resolver that holds in a block; blocks with the same settings share one and its memory. */
export function resolverOf(scope: ScopeView, tree: TreeServices): Resolver | undefined {
  const { resolver, resolver_timeout } = scope.resolve(resolverDirectives)
  return resolver === undefined ? undefined : sharedResolver(resolver, resolver_timeout, tree)
}

/** The resolver of a block without one: it asks the name servers that the system asks. */
export function systemResolver(scope: ScopeView, tree: TreeServices): Resolver {
  const { resolver_timeout } = scope.resolve(resolverDirectives)
  const servers = nameServersOf(tree.readFile(RESOLV_CONF).text)
  return sharedResolver({ servers, validMs: -1, ipv4: true, ipv6: true, statusZone: '' }, resolver_timeout, tree)
}

/** Where the system's name servers stand. */
export const RESOLV_CONF = '/etc/resolv.conf'
/** Who is asked when none are named (resolv.conf(5)). */
const LOCAL = '127.0.0.1'
const NAME_SERVER = /^nameserver\s+(\S+)/gm

/** The `nameserver` lines of a resolv.conf. */
export function nameServersOf(text: string): NameServer[] {
  const listed = [...text.matchAll(NAME_SERVER)].map(([, host]) => host!).filter((host) => parseIp(host) !== undefined)
  return (listed.length === 0 ? [LOCAL] : listed).map((host) => ({
    host,
    port: DNS_PORT,
    name: formatAddress({ kind: 'tcp', host, port: DNS_PORT, hasPort: true, family: host.includes(':') ? 6 : 4 }),
  }))
}

function sharedResolver(options: ZonedOptions, timeoutMs: number, tree: TreeServices): Resolver {
  return tree.shared(`resolver ${JSON.stringify(options)} ${timeoutMs}`, () => {
    const made = new Resolver(options, timeoutMs, tree.log)
    if (options.statusZone !== '') made.counts = resolverCounts(options.statusZone, tree)
    tree.onExit(() => made.close())
    return made
  })
}
