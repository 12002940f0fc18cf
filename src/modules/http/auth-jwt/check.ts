/** One request's token: what it says of itself until it is checked, and the check. */
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { defineSetting, defineSlot } from '../../../http/request/slots.ts'
import { NEXT, type Verdict, WAIT } from '../../../http/request/verdict.ts'
import { clock } from '../../../lib/clock.ts'
import { checkToken, type KeySet, peekToken, type Token, type TokenKind } from '../../../lib/tokens.ts'
import { ERROR } from '../../../log/error-log.ts'
import type { Demand } from '../../../value/requirements.ts'
import { type KeyCache, KeyRequest, keysOfFile } from './keys.ts'

/** What a location says about tokens. */
export interface JwtConf {
  readonly realm: Text
  readonly token: Text
  readonly kind: TokenKind
  readonly leeway: number
  readonly files: readonly Text[]
  readonly requests: readonly Text[]
  readonly cache: KeyCache
  readonly cacheMs: number
  readonly demands: readonly Demand<Request>[]
}

/** The location's; undefined where `auth_jwt` is off. */
export const JWT = defineSetting<JwtConf | undefined>(undefined)

const checks = defineSlot<TokenCheck>()

/** The state of a request's token, made when it is first asked for; undefined where nobody looks at tokens. */
export function tokenOf(r: Request): TokenCheck | undefined {
  const conf = r.main.location.get(JWT)
  return conf && checkOf(r.main, conf)
}

/** The same for the step of a location, which may be another one than the request was at when a variable asked. */
export function checkOf(r: Request, conf: JwtConf): TokenCheck {
  let check = r.get(checks)
  if (check?.conf === conf) return check
  check = new TokenCheck(r, conf)
  r.set(checks, check)
  return check
}

/** What is known of one request's token in one location. */
class TokenCheck {
  readonly conf: JwtConf
  /** Empty: the client sent none. */
  readonly text: string
  /** Why the token does not let in; empty as long as it may. */
  refusal = ''
  #told: Token | undefined
  #peeked = false
  #checked: Token | undefined
  #keys: KeySet[] = []
  /** How many of the places of keys were asked. */
  #asked = 0
  #request: KeyRequest | undefined

  constructor(r: Request, conf: JwtConf) {
    this.conf = conf
    this.text = conf.token(r)
  }

  /** What variables may tell. */
  get visible(): Token | undefined {
    if (this.#checked !== undefined || this.refusal !== '') return this.#checked
    if (!this.#peeked) {
      this.#peeked = true
      this.#told = peekToken(this.text, this.conf.kind)
    }
    return this.#told
  }

  /** The token lets nobody in: variables do not speak of it any more. */
  refuse(why: string): void {
    this.refusal = why
    this.#checked = undefined
  }

  /** The access phase is over. */
  forgetUnchecked(): void {
    if (this.#checked === undefined && this.refusal === '') this.refuse('it was not checked')
  }

  /** NEXT once the token is checked, whatever came out; WAIT while something is on its way; 500 without keys. */
  run(r: Request): Verdict {
    if (this.#checked !== undefined || this.refusal !== '') return NEXT
    const verdict = this.#gather(r)
    if (verdict !== NEXT) return verdict
    const { kind } = this.conf
    for (const keys of this.#keys) {
      const known = keys.recall(this.text, kind)
      if (known === undefined) continue
      this.#accept(known)
      return NEXT
    }
    return r.waitAndRetry(checkToken(this.#keys, this.text, kind), keepOutcome)
  }

  accept(outcome: Token | string): void {
    if (typeof outcome === 'string') this.refuse(outcome)
    else this.#accept(outcome)
  }

  #accept(token: Token): void {
    const { leeway } = this.conf
    const now = clock.now / 1000
    if (token.expires !== undefined && now >= token.expires + leeway) this.refuse('it has expired')
    else if (token.notBefore !== undefined && now < token.notBefore - leeway) this.refuse('it is not valid yet')
    else this.#checked = token
  }

  /** Asks one place after the other; each of them must have keys. */
  #gather(r: Request): Verdict {
    const { files, requests } = this.conf
    while (this.#asked < files.length + requests.length) {
      const n = this.#asked - files.length
      const found = n < 0 ? this.#fromFile(r, files[this.#asked]!(r)) : this.#fromRequest(r, requests[n]!)
      if (typeof found === 'number') return found
      this.#keys.push(found)
      this.#asked++
    }
    if (this.#keys.length > 0) return NEXT
    r.logError(ERROR, 'no "auth_jwt_key_file" or "auth_jwt_key_request" where "auth_jwt" is on')
    return 500
  }

  #fromFile(r: Request, path: string): KeySet | Verdict {
    const { cache, cacheMs } = this.conf
    const kept = cache.get(path)
    if (kept !== undefined) return kept
    const keys = keysOfFile(r, path)
    if (keys === undefined) return 500
    cache.keep(path, keys, cacheMs)
    return keys
  }

  #fromRequest(r: Request, place: Text): KeySet | Verdict {
    const { cache, cacheMs } = this.conf
    const { done, uri, keys } = this.#request ?? { done: false, uri: place(r), keys: undefined }
    if (done) {
      this.#request = undefined
      if (keys === undefined) return 500
      cache.keep(uri, keys, cacheMs)
      return keys
    }
    const kept = cache.get(uri)
    if (kept !== undefined) return kept
    this.#request = new KeyRequest(r, uri)
    return this.#request.start() ? WAIT : 500
  }
}

function keepOutcome(r: Request, outcome: Token | string): void {
  r.get(checks)?.accept(outcome)
}
