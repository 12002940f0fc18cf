/**
 * OpenID Connect as one who relies on a provider (authorization code flow), by `openid-client`, a library that is loaded
 * when somebody first logs in. What fails throws an error whose text may be logged: it holds no token and no secret.
 */
import type { ClientAuth, Configuration, IDToken } from 'openid-client'
import { type Trust, type WebClient, webClient } from './web-client.ts'

/** What is known of a provider before it is asked. */
interface ProviderSettings {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Undefined: where the issuer has it by its standard. */
  readonly configUrl: string | undefined
  readonly scope: string
  /** Undefined: when the provider says that it knows it. */
  readonly pkce: boolean | undefined
  readonly userinfo: boolean
  readonly trust: Trust
}

/** One attempt to log in, known to the browser and to us. */
export interface Attempt {
  /** Where the browser comes back to, absolute. */
  readonly redirectUri: string
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

/** What a provider gave. */
export interface Login {
  readonly idToken: string
  readonly accessToken: string
  readonly refreshToken: string
  /** Of the ID token, and of the user's data where they are asked for. */
  readonly claims: Readonly<Record<string, unknown>>
  /** As JSON; empty when it is not asked for. */
  readonly userinfo: string
  /** When the access token ends, in seconds since the epoch; 0: nobody knows. */
  readonly endsS: number
}

type Library = typeof import('openid-client')
const TIMEOUT_S = 10

/** One provider as one thread knows it. */
export class OidcProvider {
  readonly settings: ProviderSettings
  #ask: WebClient | undefined
  readonly #refreshing = new Map<string, Promise<Login>>()
  #discovered: Promise<Configuration> | undefined

  constructor(settings: ProviderSettings) {
    this.settings = settings
  }

  /** The address that a browser is sent to for a login. `extra` are further arguments, as they stand in a URL. */
  async loginUrl({ redirectUri, state, nonce, verifier }: Attempt, extra: string): Promise<string> {
    const [library, config] = await this.#open()
    const parameters = new URLSearchParams(extra)
    parameters.set('redirect_uri', redirectUri)
    parameters.set('scope', this.settings.scope)
    parameters.set('state', state)
    parameters.set('nonce', nonce)
    if (this.#usesPkce(config)) {
      parameters.set('code_challenge', await library.calculatePKCECodeChallenge(verifier))
      parameters.set('code_challenge_method', 'S256')
    }
    return library.buildAuthorizationUrl(config, parameters).href
  }

  /** Turns what the provider sent the browser back with into tokens. `args` is the query of that request. */
  async login({ redirectUri, state, nonce, verifier }: Attempt, args: string): Promise<Login> {
    return this.#telling(async (library, config) => {
      const came = new URL(redirectUri)
      came.search = args
      const pkce = this.#usesPkce(config) ? { pkceCodeVerifier: verifier } : {}
      const checks = { expectedState: state, expectedNonce: nonce, idTokenExpected: true, ...pkce }
      const tokens = await library.authorizationCodeGrant(config, came, checks)
      const claims = tokens.claims()
      if (claims === undefined) throw new Error('there is no ID token')
      return this.#complete(library, config, claims, {
        idToken: tokens.id_token ?? '',
        accessToken: tokens.access_token,
        refreshToken: tokens.refresh_token ?? '',
        endsS: endOf(tokens.expiresIn()),
      })
    })
  }

  isRefreshing(refreshToken: string): boolean {
    return this.#refreshing.has(refreshToken)
  }

  /** New tokens for a refresh token, which may be good for once; the user stays the same. */
  refresh(before: Login): Promise<Login> {
    const { refreshToken } = before
    let renewed = this.#refreshing.get(refreshToken)
    if (renewed === undefined) {
      renewed = this.#refresh(before).finally(() => this.#refreshing.delete(refreshToken))
      this.#refreshing.set(refreshToken, renewed)
    }
    return renewed
  }

  async #refresh(before: Login): Promise<Login> {
    return this.#telling(async (library, config) => {
      const tokens = await library.refreshTokenGrant(config, before.refreshToken)
      const claims = tokens.claims() ?? (before.claims as IDToken) // they came from an ID token
      if (claims.sub !== before.claims['sub']) throw new Error('the new ID token is for somebody else')
      return this.#complete(library, config, claims, {
        idToken: tokens.id_token ?? before.idToken,
        accessToken: tokens.access_token,
        refreshToken: tokens.refresh_token ?? before.refreshToken,
        endsS: endOf(tokens.expiresIn()),
      })
    })
  }

  /** The address where a browser is logged out at the provider; undefined when that has none. */
  async logoutUrl(idToken: string, backTo: string): Promise<string | undefined> {
    const [library, config] = await this.#open()
    if (config.serverMetadata().end_session_endpoint === undefined) return undefined
    return library.buildEndSessionUrl(config, {
      ...(idToken === '' ? {} : { id_token_hint: idToken }),
      ...(backTo === '' ? {} : { post_logout_redirect_uri: backTo }),
    }).href
  }

  async #complete(
    library: Library,
    config: Configuration,
    claims: IDToken,
    tokens: Omit<Login, 'claims' | 'userinfo'>,
  ): Promise<Login> {
    if (!this.settings.userinfo) return { ...tokens, claims, userinfo: '' }
    const userinfo = await library.fetchUserInfo(config, tokens.accessToken, claims.sub)
    return { ...tokens, claims: { ...userinfo, ...claims }, userinfo: JSON.stringify(userinfo) }
  }

  #usesPkce(config: Configuration): boolean {
    return this.settings.pkce ?? config.serverMetadata().code_challenge_methods_supported?.includes('S256') ?? false
  }

  async #telling<T>(run: (library: Library, config: Configuration) => Promise<T>): Promise<T> {
    const [library, config] = await this.#open()
    try {
      return await run(library, config)
    } catch (error) {
      throw new Error(reasonOf(error))
    }
  }

  async #open(): Promise<[Library, Configuration]> {
    const library = await import('openid-client')
    this.#discovered ??= this.#discover(library)
    try {
      return [library, await this.#discovered]
    } catch (error) {
      // The provider may be there the next time.
      this.#discovered = undefined
      throw new Error(`the provider's configuration: ${reasonOf(error)}`)
    }
  }

  async #discover(library: Library): Promise<Configuration> {
    const { issuer, clientId, clientSecret, configUrl, trust } = this.settings
    this.#ask ??= webClient(trust)
    const from = new URL(configUrl ?? issuer)
    const insecure = from.protocol === 'http:' ? [library.allowInsecureRequests] : []
    const authentication: ClientAuth = clientSecret === '' ? library.None() : secretIn(library, clientSecret)
    const config = await library.discovery(from, clientId, undefined, authentication, {
      [library.customFetch]: this.#ask as never, // the part of fetch that the library uses
      execute: [...insecure, library.enableNonRepudiationChecks],
      timeout: TIMEOUT_S,
    })
    const { issuer: said } = config.serverMetadata()
    if (said !== issuer) throw new Error(`it is for the issuer "${said}"`)
    return config
  }
}

/** By the header field where the provider takes that, which it does unless it says otherwise. */
function secretIn(library: Library, secret: string): ClientAuth {
  const basic = library.ClientSecretBasic(secret)
  const post = library.ClientSecretPost(secret)
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported
    const takesBasic = methods === undefined || methods.includes('client_secret_basic')
    return (takesBasic ? basic : post)(server, client, body, headers)
  }
}

function endOf(expiresIn: number | undefined): number {
  return expiresIn === undefined ? 0 : Math.floor(Date.now() / 1000) + expiresIn
}

/** Why something failed, in words of the library; what a provider says is its `error` and no more. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it failed'
  const said = 'error' in error && typeof error.error === 'string' ? ` "${error.error.slice(0, 40)}"` : ''
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return `${error.message}${said}${cause}`.replace(/[^\x20-\x7e]/g, '?')
}

/** What could not be done. */
export class OidcFailure {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

/** What a promise comes to, for those who catch nothing. */
export async function settled<T>(promise: Promise<T>): Promise<T | OidcFailure> {
  try {
    return await promise
  } catch (error) {
    return new OidcFailure(error instanceof Error ? error.message : 'it failed')
  }
}
