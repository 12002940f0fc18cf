/**
 * ngx_http_oidc_module of NGINX Plus: lets in who has logged in at an OpenID provider. Who has not is sent there, comes back
 * to `redirect_uri` with a code, which is exchanged for tokens, and gets a cookie.
 *
 *     request ---- session? ---- ALLOWED, $oidc_*                      a token that has ended is renewed before
 *        | no
 *        v
 *     302 to the provider, with `state` (attempts.ts) ... /oidc_callback?code&state ---> login -> session -> 302 back
 *
 * Differs from nginx: what the provider and users call (`redirect_uri`, `logout_uri` ...) is answered in every server that has
 * a location with `auth_oidc`, whatever its locations say.
 */
import { text } from '../../../config/args.ts'
import { block, directive } from '../../../config/directive.ts'
import { type HttpTree, httpModule } from '../../../http/compile/module.ts'
import type { ServerConf } from '../../../http/request/location.ts'
import type { Request } from '../../../http/request/request.ts'
import { defineSetting, defineSlot } from '../../../http/request/slots.ts'
import { ALLOWED, type Verdict } from '../../../http/request/verdict.ts'
import { toBinary } from '../../../lib/bytes.ts'
import { clock } from '../../../lib/clock.ts'
import { type Login, OidcFailure, settled } from '../../../lib/oidc.ts'
import { jsonText, memberOf } from '../../../lib/tokens.ts'
import { ERROR } from '../../../log/error-log.ts'
import { answerOwn, goToLogin, loginUrl } from './conversation.ts'
import { Provider } from './provider.ts'
import { providerDirectives } from './provider-directives.ts'
import type { Session } from './sessions.ts'

const HSL = ['http', 'server', 'location'] as const
const PROVIDERS = 'providers of auth_oidc'

/** The location's provider; undefined where `auth_oidc` is off. */
const OIDC = defineSetting<Provider | undefined>(undefined)
const sessions = defineSlot<Session>()
/** Where a browser is to be sent to for a login, or why that is not known. */
const logins = defineSlot<string | OidcFailure>()
/** The providers that some location of a server asks. */
const byServer = new WeakMap<ServerConf, Provider[]>()

const declared = {
  oidc_provider: block({ in: ['http'], args: text('name'), opens: 'oidc_provider', doc: 'An OpenID provider.' }),
  auth_oidc: directive({
    in: HSL,
    args: text('name | off'),
    default: 'off',
    doc: 'Lets in who has logged in at this provider.',
  }),
}

/** The module list's entry. */
export const authOidcModule = httpModule({
  name: 'http_oidc',
  doc: 'Access by login at an OpenID provider.',
  directives: { ...declared, ...providerDirectives },
  variables: {
    oidc_access_token: (r) => sessionOf(r)?.accessToken,
    oidc_id_token: (r) => sessionOf(r)?.idToken,
    oidc_userinfo: (r) => userinfo(sessionOf(r)),
  },
  prefixes: {
    oidc_claim_: (name) => (r) => {
      const session = sessionOf(r)
      return session && jsonText(memberOf(session.claims, name))
    },
  },
  init({ oidc_provider: blocks }, tree) {
    const providers = providersOf(tree)
    for (const one of blocks) {
      if (providers.has(one.args)) tree.fail(`duplicate oidc_provider "${one.args}"`, one.at)
      else providers.set(one.args, new Provider(one, tree))
    }
  },
  attach({ auth_oidc: name }, plan, at) {
    const providers = providersOf(at)
    if (providers.size === 0 && name === 'off') return
    let own = byServer.get(at.server)
    if (own === undefined) {
      own = []
      byServer.set(at.server, own)
      plan.postread(answerOwn, own)
    }
    if (name === 'off') return
    const provider = providers.get(name)
    if (provider === undefined) {
      at.fail(`oidc_provider "${name}" is not defined`, at.scope.positionOf(declared.auth_oidc))
      return
    }
    if (!own.includes(provider)) own.push(provider)
    at.location.set(OIDC, provider)
    plan.access(authenticate, provider)
  },
})

function providersOf(tree: HttpTree): Map<string, Provider> {
  return tree.shared(PROVIDERS, () => new Map<string, Provider>())
}

function userinfo(session: Session | undefined): string | undefined {
  return session === undefined || session.userinfo === '' ? undefined : toBinary(session.userinfo)
}

/** The session of a request, for variables; also before the access phase, since a session is its own proof. */
function sessionOf(r: Request): Session | undefined {
  const { main } = r
  const known = main.get(sessions)
  if (known !== undefined) return known
  const provider = main.location.get(OIDC)
  const found = provider && find(main, provider)
  if (found !== undefined) main.set(sessions, found)
  return found
}

function find(r: Request, provider: Provider): Session | undefined {
  const id = provider.cookieOf(r, provider.cookie)
  return id === '' ? undefined : provider.sessions?.find(id)
}

function authenticate(r: Request, provider: Provider): Verdict {
  const login = r.get(logins)
  if (login !== undefined) {
    r.set(logins, undefined)
    return goToLogin(r, login)
  }
  const session = r.get(sessions) ?? find(r, provider)
  if (session === undefined) return r.waitAndRetry(loginUrl(r, provider, returnUri(r), 0), keepLogin)
  if (hasEnded(session) && mayRenew(provider, session)) {
    return r.waitAndRetry(settled(provider.oidc.refresh(session)), keepRenewed)
  }
  r.set(sessions, session)
  return ALLOWED
}

function keepLogin(r: Request, login: string | OidcFailure): void {
  r.set(logins, login)
}

function hasEnded({ endsS, refreshToken }: Session): boolean {
  return endsS > 0 && refreshToken !== '' && clock.now >= endsS * 1000
}

/** One worker renews a session; the others go on with the old one, and all requests of that worker with the new one. */
function mayRenew(provider: Provider, { refreshToken }: Session): boolean {
  return provider.oidc.isRefreshing(refreshToken) || provider.sessions!.useOnce(refreshToken, RENEWAL_S)
}
const RENEWAL_S = 30

function keepRenewed(r: Request, renewed: Login | OidcFailure): void {
  const provider = r.location.get(OIDC)
  if (provider?.sessions === undefined) return
  const id = provider.cookieOf(r, provider.cookie)
  const before = provider.sessions.find(id)
  r.set(sessions, undefined)
  if (before === undefined) return
  if (renewed instanceof OidcFailure) {
    r.logError(ERROR, `OpenID Connect: the session could not be renewed: ${renewed.reason}`)
    provider.sessions.end(id)
    return
  }
  const session: Session = { ...renewed, untilS: Math.floor(clock.now / 1000) + provider.conf.session_timeout }
  if (provider.sessions.keep(id, session)) r.set(sessions, session)
}

/** Where a browser goes once it is known; never to another site. */
function returnUri({ unparsedUri }: Request): string {
  const ours = unparsedUri.startsWith('/') && !/^\/[/\\]/.test(unparsedUri)
  return ours && unparsedUri.length <= RETURN_URI_MAX ? unparsedUri : '/'
}
/** It is part of an address that browsers and providers must take. */
const RETURN_URI_MAX = 1024
