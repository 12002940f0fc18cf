/** A real OpenID provider (npm `oidc-provider`) on a port of its own, and a browser with cookies that logs in there. */
import { once } from 'node:events'
import type http from 'node:http'
import { createServer } from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'

/** The part of the provider that is used; the package has no types. */
interface RealProvider {
  callback(): http.RequestListener
  on(event: string, listener: (...args: readonly unknown[]) => void): void
}
type ProviderClass = new (issuer: string, configuration: object) => RealProvider

const require = createRequire(import.meta.url)

/** A running provider. */
export interface OidcServer extends AsyncDisposable {
  readonly issuer: string
  /** Paths that were asked for. */
  readonly asked: readonly string[]
  /** What went wrong in it. */
  readonly problems: readonly string[]
}

/** Starts a provider with these clients; with a certificate it is `https://localhost`. */
export async function startOidc(
  port: number,
  clients: readonly object[],
  more: object = {},
  pair?: { readonly cert: string; readonly key: string },
): Promise<OidcServer> {
  const issuer = pair === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`
  const { Provider } = (await import(require.resolve('oidc-provider'))) as { Provider: ProviderClass } // it has no types
  const provider = new Provider(issuer, {
    clients,
    claims: { openid: ['sub'], profile: ['name', 'groups'] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, name: `Name of ${id}`, groups: ['staff', 'chiefs'] }),
    }),
    cookies: { keys: ['a key of the test'] },
    ...more,
  })
  const asked: string[] = []
  const problems: string[] = []
  for (const event of ['server_error', 'grant.error', 'authorization.error']) {
    provider.on(event, (...args) => problems.push(`${event}: ${args.map(String).join(' ')}`))
  }
  const listener = provider.callback()
  const onRequest: http.RequestListener = (request, response) => {
    asked.push(request.url ?? '')
    listener(request, response)
  }
  const server = pair === undefined ? createServer(onRequest) : https.createServer(pair, onRequest)
  // A port that somebody else has taken is an error, and nothing to wait for.
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return {
    issuer,
    asked,
    problems,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A browser: cookies by port, redirects followed when asked. */
export class Browser {
  readonly #jars = new Map<string, Map<string, string>>()

  cookie(url: string, name: string): string | undefined {
    return this.#jar(url).get(name)
  }

  setCookie(url: string, name: string, value: string): void {
    this.#jar(url).set(name, value)
  }

  /** Asks once. */
  async get(url: string, init: RequestInit = {}): Promise<Response> {
    const jar = this.#jar(url)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
      if (/max-age=0|expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name!)
      else jar.set(name!, value!)
    }
    return response
  }

  /** Follows redirects until `stop` says so, or there is none; returns the last answer and its address. */
  async follow(
    url: string,
    stop: (url: string) => boolean = () => false,
    init: RequestInit = {},
  ): Promise<{ url: string; response: Response }> {
    let at = url
    let response = await this.get(at, init)
    for (let i = 0; i < 20 && response.status >= 300 && response.status < 400; i++) {
      await response.arrayBuffer()
      at = new URL(response.headers.get('location')!, at).href
      if (stop(at)) break
      response = await this.get(at)
    }
    return { url: at, response }
  }

  /** Asks for a page, logs in at the provider and agrees, and stops before `stop`. */
  async login(
    url: string,
    user: string,
    stop?: (url: string) => boolean,
  ): Promise<{ url: string; response: Response }> {
    let { url: at, response } = await this.follow(url, stop)
    for (let i = 0; i < 3 && at.includes('/interaction/'); i++) {
      const page = await response.text()
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1] ?? ''
      const action = new URL(/action="([^"]+)"/.exec(page)![1]!, at).href
      const body = new URLSearchParams({ prompt, login: user, password: 'x' })
      ;({ url: at, response } = await this.follow(action, stop, { method: 'POST', body }))
    }
    return { url: at, response }
  }

  #jar(url: string): Map<string, string> {
    const { port } = new URL(url)
    let jar = this.#jars.get(port)
    if (jar === undefined) {
      jar = new Map()
      this.#jars.set(port, jar)
    }
    return jar
  }
}
