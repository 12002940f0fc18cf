/**
 * Keeps pages of other sites from using the API through the browser of somebody who may.
 *
 * A page can have a browser send anything a form can send to any address (cross-site request forgery), but the browser
 * says where the page is from: writes from elsewhere are refused, and so are the bodies that only forms have. A page whose
 * name is made to lead to this server while it is open (DNS rebinding) is of the same origin, but its name is one that
 * nobody gave to this server: a browser that comes with such a name is refused, for reading too. Tools that are no
 * browsers may use any name.
 */
import type { AttachContext } from '../../../http/compile/module.ts'
import { hashName } from '../../../http/message/field-names.ts'
import type { Request } from '../../../http/request/request.ts'
import { structure } from '../../../http/settings/core-directives.ts'
import type { ServerName } from '../../../http/settings/core-readers.ts'
import { parseIp } from '../../../lib/ip.ts'
import { type Problem, problem } from './answer.ts'

const FOREIGN = problem(403, 'ForeignOrigin', 'requests from pages of another origin are refused')
const FORM = problem(415, 'JsonError', 'bodies of forms are refused, send application/json')
const UNKNOWN_HOST = problem(
  403,
  'UnknownHost',
  'browsers are answered by address or by a name of the server: add the name to "server_name"',
)

/** Endings of names that cannot be had in public. */
const PRIVATE = /(?:^|\.)(?:localhost|local|internal|home\.arpa)$/
/** A pattern that means this name means any. */
const NOBODYS = 'nobody.invalid'

/** The names that somebody gave to a server. */
export type OwnNames = readonly ServerName[]

/** The names of the server of a location; patterns that stand for all names are none. */
export function ownNames({ server }: AttachContext): OwnNames {
  const names = server.base.scope.resolve(structure).server_name.flat()
  return names.filter((name) => name.kind !== 'regex' || !name.pattern.exec(NOBODYS))
}

/** What is against a request; undefined: nothing. */
export function refusalOf(r: Request, names: OwnNames, writes: boolean): Problem | undefined {
  if (isBrowser(r) && !isOwnName(r.host, names)) return UNKNOWN_HOST
  if (!writes) return undefined
  const site = field(r, 'sec-fetch-site')
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return FOREIGN
  const origin = field(r, 'origin')
  if (origin !== undefined && !isOwnOrigin(r, origin)) return FOREIGN
  const from = field(r, 'referer')
  if (origin === undefined && from !== undefined && !isOwnOrigin(r, originOf(from))) return FOREIGN
  return /^multipart\//i.test(field(r, 'content-type') ?? '') ? FORM : undefined
}

function field(r: Request, name: string): string | undefined {
  return r.headers.valueOf(hashName(name), name)
}

/** Browsers say in which languages they would like their answers, and what they are. */
function isBrowser(r: Request): boolean {
  if (field(r, 'origin') !== undefined || field(r, 'sec-fetch-site') !== undefined) return true
  if (field(r, 'referer') !== undefined || /^Mozilla\//.test(field(r, 'user-agent') ?? '')) return true
  return (field(r, 'accept-language') ?? '*') !== '*'
}

/** An address, a name that nobody can have in public, or one of the server's. */
function isOwnName(host: string, names: OwnNames): boolean {
  if (host === '' || isAddress(host) || !host.includes('.') || PRIVATE.test(host)) return true
  return names.some((name) => matches(host, name))
}

function isAddress(host: string): boolean {
  return parseIp(host.startsWith('[') ? host.slice(1, -1) : host) !== undefined
}

function matches(host: string, server: ServerName): boolean {
  switch (server.kind) {
    case 'regex':
      return server.pattern.exec(host)
    case 'dot':
      return host === server.name || host.endsWith(`.${server.name}`)
    case 'suffix':
      return host.endsWith(server.name)
    case 'prefix':
      return host.startsWith(server.name)
    default:
      return host === server.name
  }
}

/** The scheme is not looked at: who speaks TLS with the browser may be another server before this one. */
function isOwnOrigin(r: Request, origin: string): boolean {
  const [, port, from] = /^http(s?):\/\/(.+)$/.exec(origin.toLowerCase()) ?? []
  if (from === undefined) return false
  const host = (field(r, 'host') ?? r.host).toLowerCase()
  return from === host || `${from}:${port === 's' ? 443 : 80}` === host
}

function originOf(url: string): string {
  return /^[a-z]+:\/\/[^/?#]*/i.exec(url)?.[0] ?? ''
}
