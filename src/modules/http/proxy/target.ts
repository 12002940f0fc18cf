/** `proxy_pass`: from its URL to the group of servers and the URI that they are asked for (ngx_http_proxy_pass). */

import type { AttachContext } from '../../../http/compile/module.ts'
import { dynamicGroup } from '../../../http/exchange/compile/dynamic-group.ts'
import { type Exchange, exchangeOf } from '../../../http/exchange/exchange.ts'
import type { LocationConf } from '../../../http/request/location.ts'
import type { Request } from '../../../http/request/request.ts'
import { type Address, parseAddress } from '../../../lib/address.ts'
import { ERROR } from '../../../log/error-log.ts'
import { resolverOf } from '../../../tree/resolver.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import type { UpstreamRegistry } from '../../../upstream/registry.ts'
import type { Template } from '../../../value/template.ts'
import { proxyDirectives } from './directives.ts'

const HTTP_PORT = 80
const HTTPS_PORT = 443
/** The scheme with which TLS is spoken to the back end. */
export const HTTPS = 'https://'

/** A `proxy_pass` after compiling. */
export interface ProxyTarget {
  readonly scheme: string
  /** TLS may be spoken: it is, or variables decide. */
  readonly mayUseTls: boolean
  /** `$proxy_host`; empty when variables decide. */
  readonly host: string
  /** The URI that replaces the location's name; empty: the client's own URI is passed on. */
  readonly uri: string
  /** The whole URL, when it has no variables: what `proxy_redirect default` looks for. */
  readonly url: string | undefined
  readonly location: LocationConf
  /** Notes host and URI at the exchange: where requests go, without the group. 0, or a status when that is nowhere. */
  readonly aim: (r: Request) => number
  /** Finds the group too. A status when there is none. */
  readonly resolve: (r: Request) => PeerGroup | number
}

interface Url {
  readonly scheme: string
  /** What a cache's key has of the server: the host with its port unless that is the usual one, or the socket. */
  readonly key: string
  /** As written, for `$proxy_host`. */
  readonly authority: string
  readonly uri: string
  readonly address: Address
}

/** Compiles; problems are reported, and then there is no target. */
export function compileTarget(
  url: Template,
  location: LocationConf,
  registry: UpstreamRegistry,
  at: AttachContext,
): ProxyTarget | undefined {
  const where = url.at
  if (url.constant === undefined) return dynamicTarget(url, location, registry, at)
  const parsed = parseUrl(url.constant)
  if (typeof parsed === 'string') {
    at.fail(parsed, where)
    return undefined
  }
  if (parsed.uri !== '' && !mayHaveUri(location, at)) {
    at.fail(
      '"proxy_pass" cannot have URI part in location given by regular expression, or inside named location, ' +
        'or inside "if" statement, or inside "limit_except" block',
      where,
    )
    return undefined
  }
  const group = registry.target(parsed.address, parsed.authority)
  if (typeof group === 'string') {
    at.fail(group, where)
    return undefined
  }
  const { scheme, authority, uri } = parsed
  const port = portOf(parsed.address)
  return {
    scheme,
    mayUseTls: scheme === HTTPS,
    host: authority,
    uri,
    url: url.constant,
    location,
    aim: (r) => {
      note(exchangeOf(r)!, parsed, port)
      return 0
    },
    resolve: (r) => {
      note(exchangeOf(r)!, parsed, port)
      return group
    },
  }
}

/** An `if` that has it from its location replaces what the location does. */
function mayHaveUri(location: LocationConf, at: AttachContext): boolean {
  if (location.pseudo) return !at.scope.has(proxyDirectives.proxy_pass)
  return location.regex === undefined && !location.name.startsWith('@')
}

function note(exchange: Exchange, { scheme, key, authority, uri }: Url, port: string): void {
  exchange.scheme = scheme
  exchange.targetKey = key
  exchange.targetHost = authority
  exchange.targetPort = port
  exchange.targetUri = uri
}

function portOf(address: Address): string {
  return address.kind === 'unix' ? '' : String(address.port)
}

function dynamicTarget(
  url: Template,
  location: LocationConf,
  registry: UpstreamRegistry,
  at: AttachContext,
): ProxyTarget {
  const text = at.text(url)
  const resolver = resolverOf(at.scope, at)
  return {
    scheme: url.source.toLowerCase().startsWith(HTTPS) ? HTTPS : 'http://',
    mayUseTls: true,
    host: '',
    uri: '',
    url: undefined,
    location,
    aim: (r) => (noteValue(r, text(r)) === undefined ? 500 : 0),
    resolve: (r) => {
      const url = noteValue(r, text(r))
      return url === undefined ? 500 : dynamicGroup(r, url.address, url.authority, registry, resolver)
    },
  }
}

/** Notes a URL that variables made; undefined when it is none, which is logged. */
function noteValue(r: Request, value: string): Url | undefined {
  const url = parseUrl(value)
  if (typeof url === 'string') {
    r.logError(ERROR, `${url} in "${value}"`)
    return undefined
  }
  note(exchangeOf(r)!, url, portOf(url.address))
  return url
}

/** Splits a URL; a text says what is wrong with it. */
function parseUrl(url: string): Url | string {
  const match = /^(https?):\/\/(.*)$/is.exec(url)
  if (match === null) return 'invalid URL prefix'
  const scheme = `${match[1]!.toLowerCase()}://`
  const rest = match[2]!
  const { authority, uri } = /^unix:/i.test(rest) ? splitUnix(rest) : splitAuthority(rest)
  const usual = scheme === HTTPS ? HTTPS_PORT : HTTP_PORT
  const address = parseAddress(authority, usual)
  if ('error' in address) return `${address.error} in upstream "${rest}"`
  if (address.kind === 'unix') return { scheme, key: `unix:${address.path}:`, authority: 'localhost', uri, address }
  const key = address.hasPort && address.port === usual ? authority.slice(0, authority.lastIndexOf(':')) : authority
  return { scheme, key, authority, uri, address }
}

function splitAuthority(rest: string): { authority: string; uri: string } {
  const end = rest.search(/[/?]/)
  if (end < 0) return { authority: rest, uri: '' }
  const uri = rest.slice(end)
  return { authority: rest.slice(0, end), uri: uri.startsWith('?') ? '/' + uri : uri }
}

/** `unix:/path:/uri`: a second colon ends the path. */
function splitUnix(rest: string): { authority: string; uri: string } {
  const colon = rest.indexOf(':', 5)
  return colon < 0 ? { authority: rest, uri: '' } : { authority: rest.slice(0, colon), uri: rest.slice(colon + 1) }
}
