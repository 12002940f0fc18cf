/** Addresses as configurations write them: `host`, `host:port`, `[::1]:80`, `*:80`, `80`, `unix:/path` (ngx_parse_url). */
import { formatIp, parseIp, parseIpv4, parseIpv6 } from './ip.ts'

/** What an address text says; `host` is a name, an IPv4 text, or an IPv6 text without brackets. */
export type Address =
  | {
      readonly kind: 'tcp'
      readonly host: string
      readonly port: number
      readonly hasPort: boolean
      readonly family: 4 | 6 | 0
    }
  | { readonly kind: 'unix'; readonly path: string }

const ANY_IPV4 = '0.0.0.0'
const NOT_IN_HOST = /[\0-\x20\x7f]/

/** nginx's words for what is wrong. */
export type AddressError = { readonly error: string }

/** Reads an address to connect to; `family` is 0 for a name that must be looked up. */
export function parseAddress(text: string, defaultPort: number): Address | AddressError {
  if (text.slice(0, 5).toLowerCase() === 'unix:') {
    const path = text.slice(5)
    if (path === '') return { error: 'no path in the unix domain socket' }
    return path.length > 107 ? { error: 'too long path in the unix domain socket' } : { kind: 'unix', path }
  }
  return text.startsWith('[') ? parseBracketed(text, defaultPort) : parsePlain(text, defaultPort)
}

/**
 * Reads the address of a `listen` line: here a bare port and `*` are addresses, and ports may be a range (`8000-8010`).
 * One entry for each port; a name is still to be looked up.
 */
export function parseListenAddresses(text: string, defaultPort: number): readonly Address[] | AddressError {
  const { host, ports } = splitPorts(text)
  if (ports === undefined) return single(parseAddress(host, defaultPort))
  const [first, last = first] = ports
  if (first < 0 || last < 0) return { error: 'invalid port' }
  if (first > last) return { error: 'invalid port range' }
  const address = parseAddress(host, defaultPort)
  if ('error' in address || address.kind === 'unix') return single(address)
  return Array.from({ length: last - first + 1 }, (_, i) => ({ ...address, port: first + i, hasPort: true }))
}

function single(address: Address | AddressError): readonly Address[] | AddressError {
  return 'error' in address ? address : [address]
}

/** What stands before the port or ports of a `listen` line; a port that is none is -1. */
function splitPorts(text: string): { readonly host: string; readonly ports?: readonly [number, number?] } {
  // A path, or something that `parseAddress` refuses.
  if (/[/?]/.test(text)) return { host: text }
  const bare = /^(\d+)(?:-(\d+))?$/.exec(text)
  // A number that is too large for nginx is a name to it.
  if (bare !== null && BigInt(bare[1]!) < 1n << 63n) return { host: ANY_IPV4, ports: portRange(bare[1]!, bare[2]) }
  const [, host, from, to] = /^(\[[^\]]*\]|[^[:]*):([^-]*)(?:-(.*))?$/s.exec(text) ?? []
  if (host === undefined || host.toLowerCase() === 'unix') return { host: text === '*' ? ANY_IPV4 : text }
  return { host: host === '*' ? ANY_IPV4 : host, ports: portRange(from!, to) }
}

function portRange(from: string, to: string | undefined): readonly [number, number?] {
  return to === undefined ? [parsePort(from)] : [parsePort(from), parsePort(to)]
}

function parseBracketed(text: string, defaultPort: number): Address | AddressError {
  const end = text.indexOf(']')
  if (end < 0) return { error: 'invalid host' }
  const rest = text.slice(end + 1)
  if (/[/?]/.test(rest)) return { error: 'invalid host' }
  if (end === 1) return { error: 'no host' }
  const bytes = parseIpv6(text.slice(1, end))
  if (bytes === undefined) return { error: 'invalid IPv6 address' }
  const host = formatIp(bytes)
  if (rest === '') return { kind: 'tcp', host, port: defaultPort, hasPort: false, family: 6 }
  if (!rest.startsWith(':')) return { error: 'invalid host' }
  const port = parsePort(rest.slice(1))
  return port < 0 ? { error: 'invalid port' } : { kind: 'tcp', host, port, hasPort: true, family: 6 }
}

function parsePlain(text: string, defaultPort: number): Address | AddressError {
  // Who takes a URI behind an address has cut it off.
  if (/[/?]/.test(text)) return { error: 'invalid host' }
  const colon = text.indexOf(':')
  const host = colon < 0 ? text : text.slice(0, colon)
  const port = colon < 0 ? defaultPort : parsePort(text.slice(colon + 1))
  if (port < 0) return { error: 'invalid port' }
  if (host === '') return { error: 'no host' }
  // A variable may hold what no name has: it would become a Host field, too.
  if (NOT_IN_HOST.test(host)) return { error: 'invalid host' }
  const family = parseIpv4(host) !== undefined ? 4 : 0
  return { kind: 'tcp', host, port, hasPort: colon >= 0, family }
}

function parsePort(text: string): number {
  if (!/^\d+$/.test(text)) return -1
  const port = Number(text)
  return port >= 1 && port <= 65535 ? port : -1
}

/** `host:port` with brackets around IPv6, or `unix:path`. */
export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  return address.family === 6 ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/**
 * Reads the address of this machine that a connection is to come from: numeric, with or without a port
 * (ngx_parse_addr_port). Undefined when it is none; port 0 is any.
 */
export function parseLocalAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  if (parseIp(text) !== undefined) return { host: text, port: 0 }
  const address = parseAddress(text, 0)
  if ('error' in address || address.kind === 'unix' || address.family === 0) return undefined
  return { host: address.host, port: address.port }
}
