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

const NOT_IN_HOST = /[\0-\x20\x7f]/

/** nginx's words for what is wrong. */
export type AddressError = { readonly error: string }

/**
 * Reads `text`. With `listen`, a bare port and `*` are addresses; otherwise a bare number is a host, as in nginx.
 * `family` is 0 for a name that must be looked up.
 */
export function parseAddress(text: string, defaultPort: number, listen = false): Address | AddressError {
  if (text.slice(0, 5).toLowerCase() === 'unix:') {
    const path = text.slice(5)
    if (path === '') return { error: 'no path in the unix domain socket' }
    return path.length > 107 ? { error: 'too long path in the unix domain socket' } : { kind: 'unix', path }
  }
  return text.startsWith('[') ? parseBracketed(text, defaultPort) : parsePlain(text, defaultPort, listen)
}

function parseBracketed(text: string, defaultPort: number): Address | AddressError {
  const end = text.indexOf(']')
  if (end < 0) return { error: 'invalid host' }
  const bytes = parseIpv6(text.slice(1, end))
  if (bytes === undefined) return { error: 'invalid IPv6 address' }
  const rest = text.slice(end + 1)
  const host = formatIp(bytes)
  if (rest === '') return { kind: 'tcp', host, port: defaultPort, hasPort: false, family: 6 }
  if (!rest.startsWith(':')) return { error: 'invalid host' }
  const port = parsePort(rest.slice(1))
  return port < 0 ? { error: 'invalid port' } : { kind: 'tcp', host, port, hasPort: true, family: 6 }
}

function parsePlain(text: string, defaultPort: number, listen: boolean): Address | AddressError {
  const colon = text.indexOf(':')
  if (colon < 0 && listen && /^\d+$/.test(text)) {
    const port = parsePort(text)
    return port < 0 ? { error: 'invalid port' } : { kind: 'tcp', host: '0.0.0.0', port, hasPort: true, family: 4 }
  }
  let host = colon < 0 ? text : text.slice(0, colon)
  const port = colon < 0 ? defaultPort : parsePort(text.slice(colon + 1))
  if (port < 0) return { error: 'invalid port' }
  if (host === '') return { error: 'no host' }
  // A variable may hold what no name has: it would become a Host field, too.
  if (NOT_IN_HOST.test(host)) return { error: 'invalid host' }
  if (listen && host === '*') host = '0.0.0.0'
  const family = parseIpv4(host) !== undefined ? 4 : 0
  return { kind: 'tcp', host, port, hasPort: colon >= 0, family }
}

function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text)) return -1
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
