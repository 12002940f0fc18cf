/** What several checks ask of texts and places. */
import type { LocationHead, ServerName } from '../../http/settings/core-readers.ts'
import type { Model } from '../model/model.ts'
import type { Node } from '../model/node.ts'

/** Ways to back ends, by the prefix of their directives. */
export const GATEWAYS = ['proxy', 'fastcgi', 'uwsgi', 'scgi', 'grpc', 'memcached'] as const

/** What hands a request to somebody else or answers it outright. */
export const HANDLERS = [
  ...GATEWAYS.map((name) => `${name}_pass`),
  'return',
  'stub_status',
  'empty_gif',
  'mp4',
  'flv',
  'internal_redirect',
  'tunnel_pass',
]

/** Names of the variables in a text, in lower case; captures are digits. */
export function variablesIn(text: string): string[] {
  if (!text.includes('$')) return []
  return [...text.matchAll(/\$(?:\{(\w+)\}|([1-9])|([a-zA-Z_]\w*))/g)].map((match) =>
    (match[1] ?? match[2] ?? match[3])!.toLowerCase(),
  )
}

/** What follows `location`; undefined when it could not be read. */
export function headOf(location: Node): LocationHead | undefined {
  return location.name === 'location' ? (location.value as LocationHead | undefined) : undefined // as read by its declaration
}

/** The names of a server. */
export function namesOf(server: Node): ServerName[] {
  return server.own('server_name').flatMap((node) => (node.value ?? []) as ServerName[]) // as read by its declaration
}

/** A target such as `http://$host:80/path?x`, in parts; undefined when it is none. */
export interface Target {
  readonly scheme: string
  readonly host: string
  /** From the first slash, or variable with one, on; empty when there is none. */
  readonly uri: string
}

/** A URI in a variable begins with a slash, too. */
const TARGET =
  /^([a-z]+|\$\w+|\$\{\w+\}):\/\/(unix:[^:]*:?|(?:[^/?$]|\$(?!(?:request_uri|uri|document_uri)\b)\{?)*)(.*)$/i

/** Reads such a target. */
export function targetIn(text: string): Target | undefined {
  const match = TARGET.exec(text)
  return match === null ? undefined : { scheme: match[1]!.toLowerCase(), host: match[2]!, uri: match[3]! }
}

/** A host without its port. */
export function withoutPort(host: string): string {
  return host.replace(/:(?:\d+|\$\w+|\$\{\w+\})$/, '')
}

/** Nobody needs to look such a host up. */
export function isAddress(host: string): boolean {
  return /^\[|^\d+\.\d+\.\d+\.\d+$|^unix:|^localhost$/.test(host)
}

/** Nobody but the server itself asks for it. */
export function isInternal(location: Node | undefined): boolean {
  return location !== undefined && (location.has('internal') || headOf(location)?.kind === 'named')
}

/** Who may come is restricted somehow. */
export function isGuarded(model: Model, place: Node): boolean {
  if (isInternal(place.up('location'))) return true
  const effective = (name: string): boolean => model.effective(place, name).some(({ first }) => first !== 'off')
  if (['deny', 'auth_basic', 'auth_request', 'auth_jwt', 'auth_oidc'].some(effective)) return true
  const server = place.up('server')
  const listens = server?.own('listen') ?? []
  return listens.length > 0 && listens.every(({ first }) => /^(?:127\.|localhost|\[::1\]|unix:)/.test(first))
}

/** Where a `listen` accepts, written in one way. */
export function addressOf(listen: Node): string {
  const word = listen.first
  if (/^\d+$/.test(word)) return `0.0.0.0:${word}`
  return word
    .replace(/^\*:/, '0.0.0.0:')
    .replace(/^([\d.]+)$/, '$1:80')
    .replace(/^(\[[^\]]*\])$/, '$1:80')
}

/** The `listen` directives of HTTP servers by their addresses. */
export function listenersOf(model: Model): ReadonlyMap<string, readonly Node[]> {
  return Map.groupBy(
    model.all('listen').filter(({ context }) => context === 'server'),
    addressOf,
  )
}
