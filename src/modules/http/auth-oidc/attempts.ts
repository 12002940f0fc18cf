/**
 * Logins under way. Nothing is kept of them: all that must be known when the browser comes back is in the `state` that
 * travels with it, encrypted with a key that all workers have in common; what the provider must prove (nonce) and what we
 * must prove (PKCE) is derived from it. So whoever begins a million logins takes nobody's place.
 *
 * An attempt belongs to the browser that began it, which has a cookie, and is used up when it has come back.
 */
import { createHash, createHmac } from 'node:crypto'
import { clock } from '../../../lib/clock.ts'
import type { Attempt } from '../../../lib/oidc.ts'
import { randomId } from '../../../lib/random.ts'
import { seal, unseal } from '../../../lib/sealed-text.ts'
import type { RotatingKeys } from '../../../shared/rotating-keys.ts'

/** How long people may take for a login. */
export const ATTEMPT_S = 600
const KEY_SIZE = 32

/** What comes back in `state`. */
interface Began {
  readonly id: string
  readonly provider: string
  /** Where the browser wanted to go, with arguments. */
  readonly uri: string
  /** How often its cookie was not there when it came back. */
  readonly tries: number
  readonly browser: string
  readonly atS: number
}

/** Makes attempts and knows them again. */
export class Attempts {
  readonly #keys: RotatingKeys

  constructor(keys: RotatingKeys) {
    this.#keys = keys
  }

  begin(provider: string, uri: string, tries: number, browser: string, redirectUri: string): Attempt {
    const atS = Math.floor(clock.now / 1000)
    this.#keys.rotate(atS, ATTEMPT_S)
    const began: Began = { id: randomId(), provider, uri, tries, browser: digest(browser), atS }
    return attemptOf(this.#keys.current, began, redirectUri, seal(keyOf(this.#keys.current), JSON.stringify(began)))
  }

  /** What a `state` says; undefined when it is none of ours, or too old. */
  read(state: string): { readonly began: Began; attempt(redirectUri: string): Attempt } | undefined {
    const nowS = Math.floor(clock.now / 1000)
    this.#keys.rotate(nowS, ATTEMPT_S)
    const { current, previous = current } = this.#keys
    for (const key of [current, previous]) {
      const text = unseal(keyOf(key), state)
      if (text === undefined) continue
      const began = JSON.parse(text) as Began // we have encrypted it
      if (nowS - began.atS > ATTEMPT_S) return undefined
      return { began, attempt: (redirectUri) => attemptOf(key, began, redirectUri, state) }
    }
    return undefined
  }
}

/** Tells whether an attempt was begun by the browser with this cookie. */
export function isOf(browser: string, began: Began): boolean {
  return browser !== '' && digest(browser) === began.browser
}

function attemptOf(key: Buffer, { id }: Began, redirectUri: string, state: string): Attempt {
  return { redirectUri, state, nonce: derive(key, `nonce ${id}`), verifier: derive(key, `verifier ${id}`) }
}

function keyOf(key: Buffer): Buffer {
  return key.subarray(0, KEY_SIZE)
}

function derive(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
