/** What browsers and providers say to each other by way of this server: logins, their ends, logouts. */
import type { Request } from '../../../http/request/request.ts'
import { NEXT, type Verdict } from '../../../http/request/verdict.ts'
import { sendText } from '../../../http/response/send-text.ts'
import { fromBinary, toBinary } from '../../../lib/bytes.ts'
import { type Login, OidcFailure, settled } from '../../../lib/oidc.ts'
import { randomId } from '../../../lib/random.ts'
import { ERROR } from '../../../log/error-log.ts'
import { ATTEMPT_S, isOf } from './attempts.ts'
import type { Provider } from './provider.ts'

/** A browser without cookies is sent round that often. */
const TRIES_MAX = 2
const LOGGED_OUT = 'You are logged out.\n'
const WORDS = 'OpenID Connect:'

/** Answers what is called by its URI, whatever locations there are. */
export function answerOwn(r: Request, providers: readonly Provider[]): Verdict {
  for (let i = 0; i < providers.length; i++) {
    const provider = providers[i]!
    if (r.uri === provider.redirectPath) return callback(r, providers)
    if (r.uri === provider.logoutPath) return logout(r, provider)
    if (r.uri === provider.frontPath) return frontChannel(r, provider)
  }
  return NEXT
}

/** Begins an attempt for the browser; its answer must be sent with `goToLogin`. */
export function loginUrl(r: Request, provider: Provider, uri: string, tries: number): Promise<string | OidcFailure> {
  let browser = provider.cookieOf(r, provider.attemptCookie)
  if (!/^[\da-f]{32}$/.test(browser)) {
    browser = randomId()
    provider.setCookie(r, provider.attemptCookie, browser, ATTEMPT_S)
  }
  const attempt = provider.attempts!.begin(provider.name, uri, tries, browser, provider.redirectUri(r))
  return settled(provider.oidc.loginUrl(attempt, provider.extraArgs(r)))
}

/** Sends the browser to the provider. */
export function goToLogin(r: Request, url: string | OidcFailure): Verdict {
  if (url instanceof OidcFailure) return failed(r, 'nobody can log in', url, 502)
  return redirect(r, url)
}

function redirect(r: Request, url: string): Verdict {
  r.out.add('Cache-Control', 'no-store')
  return sendText(r, 302, toBinary(url))
}

function failed(r: Request, what: string, { reason }: OidcFailure, status: number): Verdict {
  r.logError(ERROR, `${WORDS} ${what}: ${reason}`)
  return status
}

function refused(r: Request, why: string, status: number): Verdict {
  r.logError(ERROR, `${WORDS} ${why}`)
  return status
}

/** The browser comes back with a code, or with what the provider has against it. */
function callback(r: Request, providers: readonly Provider[]): Verdict {
  const args = fromBinary(r.args)
  const state = new URLSearchParams(args).getAll('state')
  const known = state.length === 1 ? providers[0]!.attempts?.read(state[0]!) : undefined
  if (known === undefined) return refused(r, 'the "state" of a login is none of ours, or too old', 403)
  const { began } = known
  const provider = providers.find(({ name }) => name === began.provider)
  if (provider === undefined) return refused(r, 'a login was begun for another server', 403)
  const { sessions } = provider
  if (sessions === undefined) return 500
  if (sessions.wasUsed(began.id)) return refused(r, 'the "state" of a login was used before', 403)
  if (!isOf(provider.cookieOf(r, provider.attemptCookie), began)) {
    if (began.tries >= TRIES_MAX) return refused(r, 'a login was begun by another browser, or without cookies', 403)
    return r.waitFor(loginUrl(r, provider, began.uri, began.tries + 1), goToLogin)
  }
  if (!sessions.useOnce(began.id, ATTEMPT_S)) return refused(r, 'the "state" of a login was used before', 403)
  const attempt = known.attempt(provider.redirectUri(r))
  const ended = new LoginEnd(provider, began.uri)
  return r.waitFor(settled(provider.oidc.login(attempt, args)), (back, login) => ended.answer(back, login))
}

/** The last step of a login. */
class LoginEnd {
  readonly #provider: Provider
  readonly #uri: string

  constructor(provider: Provider, uri: string) {
    this.#provider = provider
    this.#uri = uri
  }

  answer(r: Request, login: Login | OidcFailure): Verdict {
    const provider = this.#provider
    if (login instanceof OidcFailure) return failed(r, 'a login failed', login, 403)
    const before = provider.cookieOf(r, provider.cookie)
    if (before !== '') provider.sessions!.end(before)
    const id = provider.sessions!.begin(login, provider.conf.session_timeout)
    if (id === undefined) return refused(r, `there is no room for a session of "${provider.name}"`, 500)
    provider.setCookie(r, provider.cookie, id, 0)
    return redirect(r, provider.absolute(r, this.#uri))
  }
}

/** A user logs out. */
function logout(r: Request, provider: Provider): Verdict {
  const id = provider.cookieOf(r, provider.cookie)
  const session = id === '' ? undefined : provider.sessions?.find(id)
  if (id !== '') provider.sessions?.end(id)
  provider.setCookie(r, provider.cookie, '', 0)
  const hint = provider.conf.logout_token_hint ? (session?.idToken ?? '') : ''
  const backTo = provider.postLogoutUri(r)
  return r.waitFor(settled(provider.oidc.logoutUrl(hint, backTo)), (out, url) => loggedOut(out, url, backTo))
}

function loggedOut(r: Request, url: string | undefined | OidcFailure, backTo: string): Verdict {
  if (url instanceof OidcFailure) r.logError(ERROR, `${WORDS} a user is logged out here only: ${url.reason}`)
  const next = typeof url === 'string' ? url : backTo
  if (next !== '') return redirect(r, next)
  r.out.add('Cache-Control', 'no-store')
  r.out.contentType = 'text/plain'
  return sendText(r, 200, LOGGED_OUT)
}

/** The provider has ended a session, and has the browser say so (OpenID Connect Front-Channel Logout). */
function frontChannel(r: Request, provider: Provider): Verdict {
  const args = new URLSearchParams(fromBinary(r.args))
  const [issuer, sid] = [args.get('iss'), args.get('sid')]
  if (issuer !== null && issuer !== provider.conf.issuer) return refused(r, 'a logout came from another issuer', 400)
  if (sid !== null && issuer !== null) provider.sessions?.endBySid(sid)
  const id = provider.cookieOf(r, provider.cookie)
  if (id !== '' && sid === null) provider.sessions?.end(id)
  provider.setCookie(r, provider.cookie, '', 0)
  r.out.add('Cache-Control', 'no-store')
  return sendText(r, 200, '')
}
