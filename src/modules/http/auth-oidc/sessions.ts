/**
 * Who is logged in: sessions in a zone that all workers share. The zone knows a session by a digest of the browser's
 * cookie, and its data are encrypted with a key made of the same cookie: whoever can read the zone, a state file or the API
 * can neither take a session over nor read its tokens.
 */
import { createHash, randomBytes } from 'node:crypto'
import { clock } from '../../../lib/clock.ts'
import { Lru } from '../../../lib/lru.ts'
import type { Login } from '../../../lib/oidc.ts'
import { seal, unseal } from '../../../lib/sealed-text.ts'

/** Where the data are; names and values are binary strings, times are in seconds. */
export interface SessionStore {
  find(name: string): string | undefined
  /** False when there is no room. */
  add(name: string, value: string, lastsS: number): boolean
  remove(name: string): void
}

/** A login as it is kept. */
export interface Session extends Login {
  /** When it ends, in seconds since the epoch. */
  readonly untilS: number
}

const NAME_LENGTH = 32
const OPENED_MAX = 500

/** The sessions of one provider. */
export class Sessions {
  readonly #store: SessionStore
  readonly #provider: string
  /** What has been decrypted, as long as the store has the same. */
  readonly #opened = new Lru<string, { readonly sealed: string; readonly session: Session }>(OPENED_MAX)

  constructor(store: SessionStore, provider: string) {
    this.#store = store
    this.#provider = provider
  }

  /** The session of a cookie's value. */
  find(id: string): Session | undefined {
    const name = this.#name('session', id)
    const sealed = this.#store.find(name)
    if (sealed === undefined) return undefined
    const known = this.#opened.get(name)
    if (known?.sealed === sealed) return alive(known.session)
    const text = unseal(this.#key(id), sealed)
    if (text === undefined) return undefined
    const session = JSON.parse(text) as Session // only who knows the cookie can have encrypted it
    this.#opened.set(name, { sealed, session })
    return alive(session)
  }

  /** Keeps a login and returns the value for a cookie; undefined when there is no room. */
  begin(login: Login, lastsS: number): string | undefined {
    const id = randomBytes(24).toString('base64url')
    return this.keep(id, { ...login, untilS: Math.floor(clock.now / 1000) + lastsS }) ? id : undefined
  }

  /** Keeps what has become of a session. */
  keep(id: string, session: Session): boolean {
    const name = this.#name('session', id)
    const lastsS = session.untilS - Math.floor(clock.now / 1000)
    if (lastsS <= 0 || !this.#store.add(name, seal(this.#key(id), JSON.stringify(session)), lastsS)) return false
    // The provider names sessions by a number of its own when it ends them.
    const { sid } = session.claims
    if (typeof sid === 'string') this.#store.add(this.#name('sid', sid), name, lastsS)
    return true
  }

  end(id: string): void {
    this.#drop(this.#name('session', id))
  }

  /** Ends the session that the provider calls `sid`. */
  endBySid(sid: string): void {
    const at = this.#name('sid', sid)
    const name = this.#store.find(at)
    if (name === undefined) return
    this.#drop(name)
    this.#store.remove(at)
  }

  /** True for the first who asks: what is to be used once has not been used yet. */
  useOnce(what: string, lastsS: number): boolean {
    return !this.wasUsed(what) && this.#store.add(this.#name('used', what), '1', lastsS)
  }

  wasUsed(what: string): boolean {
    return this.#store.find(this.#name('used', what)) !== undefined
  }

  #drop(name: string): void {
    this.#store.remove(name)
    this.#opened.delete(name)
  }

  #name(kind: string, text: string): string {
    return digest(`${kind} ${this.#provider} ${text}`).toString('base64url').slice(0, NAME_LENGTH)
  }

  #key(id: string): Buffer {
    return digest(`key ${this.#provider} ${id}`)
  }
}

function alive(session: Session): Session | undefined {
  return session.untilS * 1000 > clock.now ? session : undefined
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
