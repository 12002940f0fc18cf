/** A provider as the configuration describes it, with what all workers know of those who have logged in. */

import type { BlockValue, ConfOf } from '../../../config/directive.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import { cookieValue } from '../../../http/message/cookies.ts'
import { hashName } from '../../../http/message/field-names.ts'
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { fromBinary } from '../../../lib/bytes.ts'
import { clock } from '../../../lib/clock.ts'
import { errnoText } from '../../../lib/errno.ts'
import { OidcProvider } from '../../../lib/oidc.ts'
import { ERROR, type ErrorLog } from '../../../log/error-log.ts'
import type { KeyvalRecords } from '../../../shared/keyval-records.ts'
import { RotatingKeys } from '../../../shared/rotating-keys.ts'
import { SessionRecords } from '../../../shared/session-records.ts'
import { ZONE_SIZE_MIN, Zone } from '../../../shared/zone.ts'
import { type KeyvalZone, keyvalZonesOf } from '../../../tree/keyval-zones.ts'
import { Attempts } from './attempts.ts'
import { providerDirectives } from './provider-directives.ts'
import { type SessionStore, Sessions } from './sessions.ts'

const HOST = hashName('host')
const TAG = 'oidc'
const KEYS_ZONE = 'oidc_keys'
const STORE_SIZE = 8 * 1024 * 1024
const HOST_NAME = /^[\w.-]+(?::\d+)?$|^\[[\da-fA-F:.]+\](?::\d+)?$/

type Conf = ConfOf<typeof providerDirectives>

/** One `oidc_provider`. */
export class Provider {
  readonly name: string
  readonly conf: Conf
  readonly oidc: OidcProvider
  readonly extraArgs: Text
  readonly redirectPath: string
  readonly logoutPath: string | undefined
  readonly frontPath: string | undefined
  readonly cookie: string
  /** The cookie that an attempt to log in belongs to. */
  readonly attemptCookie: string
  /** How browsers reach us, when `redirect_uri` says it: behind a proxy we cannot know. Else empty. */
  readonly #origin: string
  /** Undefined where nobody serves. */
  readonly sessions: Sessions | undefined
  readonly attempts: Attempts | undefined

  constructor({ args: name, scope, at }: BlockValue<string>, tree: HttpTree) {
    const conf = scope.resolve(providerDirectives)
    this.name = name
    this.conf = conf
    if (conf.issuer === undefined) tree.fail(`no "issuer" is defined in oidc_provider "${name}"`, at)
    if (conf.client_id === undefined) tree.fail(`no "client_id" is defined in oidc_provider "${name}"`, at)
    if (!conf.scope.includes('openid')) tree.fail(`"scope" of oidc_provider "${name}" must have "openid"`, at)
    this.oidc = new OidcProvider({
      issuer: fromBinary(conf.issuer ?? ''),
      clientId: fromBinary(conf.client_id ?? ''),
      clientSecret: fromBinary(conf.client_secret ?? ''),
      configUrl: conf.config_url,
      scope: fromBinary(conf.scope.join(' ')),
      pkce: conf.pkce,
      userinfo: conf.userinfo,
      trust: { certificates: pem(conf.ssl_trusted_certificate, tree), revoked: pem(conf.ssl_crl, tree) },
    })
    this.extraArgs = conf.extra_auth_args === undefined ? () => '' : tree.text(conf.extra_auth_args)
    this.redirectPath = pathOf(conf.redirect_uri)
    this.#origin = conf.redirect_uri.startsWith('/') ? '' : new URL(conf.redirect_uri).origin
    this.logoutPath = conf.logout_uri && pathOf(conf.logout_uri)
    this.frontPath = conf.frontchannel_logout_uri && pathOf(conf.frontchannel_logout_uri)
    this.cookie = conf.cookie_name
    this.attemptCookie = `${conf.cookie_name}_LOGIN`
    const store = sessionStore(name, conf, tree)
    this.sessions = store && new Sessions(store, name)
    this.attempts = attempts(tree)
  }

  /** The value of a cookie of the request, or ''. */
  cookieOf(r: Request, name: string): string {
    return cookieValue(r.headers, name.toLowerCase()) ?? ''
  }

  /** Gives the browser a cookie; an empty value takes it back. */
  setCookie(r: Request, name: string, value: string, lastsS: number): void {
    const age = value === '' ? '; Max-Age=0' : lastsS > 0 ? `; Max-Age=${lastsS}` : ''
    const secure = this.#originOf(r).startsWith('https:') ? '; Secure' : ''
    r.out.add('Set-Cookie', `${name}=${value}; Path=/${age}; HttpOnly; SameSite=Lax${secure}`)
  }

  redirectUri(r: Request): string {
    return this.absolute(r, this.conf.redirect_uri)
  }

  postLogoutUri(r: Request): string {
    return this.conf.post_logout_uri === undefined ? '' : this.absolute(r, this.conf.post_logout_uri)
  }

  /** A place of this server as browsers must name it. */
  absolute(r: Request, place: string): string {
    return place.startsWith('/') ? this.#originOf(r) + place : place
  }

  #originOf(r: Request): string {
    if (this.#origin !== '') return this.#origin
    const host = r.headers.valueOf(HOST, 'host') ?? r.host
    return `${r.scheme}://${HOST_NAME.test(host) ? host : r.server.name}`
  }
}

function pathOf(place: string): string {
  const path = place.startsWith('/') ? place : new URL(place).pathname
  return path.replace(/[?#].*$/, '')
}

function pem(path: string | undefined, tree: HttpTree): string | undefined {
  if (path === undefined) return undefined
  const { text, errno } = tree.readFile(path)
  if (errno !== '') tree.fail(`cannot load certificate "${path}": ${errnoText(errno)}`)
  return text
}

function sessionStore(name: string, conf: Conf, tree: HttpTree): SessionStore | undefined {
  if (conf.session_store !== undefined) return keyvalStore(name, conf.session_store, tree)
  const zoneName = `oidc_default_store_${name}`
  const buffer = tree.zone(zoneName, STORE_SIZE, TAG)
  const zone = buffer && Zone.attach(zoneName, buffer, TAG)
  return zone && tree.shared(zoneName, () => new ZoneStore(new SessionRecords(zone)))
}

/** `session_store`. Its zone may belong to others too: names of sessions are digests. */
function keyvalStore(name: string, zoneName: string, tree: HttpTree): SessionStore | undefined {
  const zone = keyvalZonesOf(tree).find(zoneName)
  if (zone === undefined) tree.fail(`unknown keyval zone "${zoneName}" in "session_store" of oidc_provider "${name}"`)
  else if (zone.spec.type !== 'string') tree.fail(`keyval zone "${zoneName}" of "session_store" must have type=string`)
  return zone?.records && new KeyvalStore(zone, zone.records, tree.log)
}

function attempts(tree: HttpTree): Attempts | undefined {
  const buffer = tree.zone(KEYS_ZONE, ZONE_SIZE_MIN, TAG)
  const zone = buffer && Zone.attach(KEYS_ZONE, buffer, KEYS_ZONE)
  return zone && tree.shared(KEYS_ZONE, () => new Attempts(new RotatingKeys(zone)))
}

/** Sessions in a zone of the provider's own. */
class ZoneStore implements SessionStore {
  readonly #records: SessionRecords

  constructor(records: SessionRecords) {
    this.#records = records
  }

  find(name: string): string | undefined {
    return this.#records.find(name, clock.seconds)
  }

  add(name: string, value: string, lastsS: number): boolean {
    return this.#records.add(name, value, clock.seconds, clock.seconds + lastsS)
  }

  remove(name: string): void {
    this.#records.remove(name)
  }
}

/** Sessions in a `keyval_zone`, which may keep them over restarts. */
class KeyvalStore implements SessionStore {
  readonly #zone: KeyvalZone
  readonly #records: KeyvalRecords
  readonly #log: ErrorLog

  constructor(zone: KeyvalZone, records: KeyvalRecords, log: ErrorLog) {
    this.#zone = zone
    this.#records = records
    this.#log = log
  }

  find(name: string): string | undefined {
    return this.#records.find(name, clock.now)
  }

  add(name: string, value: string, lastsS: number): boolean {
    const pair = { key: name, value, expiresMs: clock.now + lastsS * 1000 }
    const outcome = this.#records.add(pair, clock.now)
    const done = outcome === 'exists' ? this.#records.change(name, pair, clock.now) : outcome
    this.#save()
    return done === 'done'
  }

  remove(name: string): void {
    this.#records.remove(name, clock.now)
    this.#save()
  }

  #save(): void {
    const problem = this.#zone.save(clock.now)
    if (problem !== '') this.#log.write(ERROR, problem)
  }
}
