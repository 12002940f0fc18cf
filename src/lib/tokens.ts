/**
 * JSON Web Tokens (RFC 7519): key sets as JSON has them, and checks of tokens against them by `jose`, a library that is
 * loaded when the first token comes. Only what a key is made for is tried with it: no HMAC with the text of a public key,
 * never `alg: none`. A text that is wrong is a value, not an exception, and says nothing of what the token holds.
 */
import type { CryptoKey, JWK } from 'jose'
import { toBinary } from './bytes.ts'
import { Lru } from './lru.ts'

/** How a token is packed: `auth_jwt_type`. */
export type TokenKind = 'signed' | 'encrypted' | 'nested'

/** A JSON object that came from outside. */
export type Json = Readonly<Record<string, unknown>>

/** What is in a token, trusted or not. */
export interface Token {
  readonly header: Json
  readonly claims: Json
  /** What was decrypted: the claims as they came, or the signed token; binary. */
  readonly payload: string | undefined
  /** `exp` and `nbf` in seconds; undefined when the token does not say. */
  readonly expires: number | undefined
  readonly notBefore: number | undefined
}

/** Tokens that have been checked, of one key set. */
const CHECKED_MAX = 2000
/** Longer tokens are checked each time. */
const CHECKED_LENGTH_MAX = 2048
/** More keys would make a check of a token with an unknown key too expensive. */
const KEYS_MAX = 100
const BASE64URL = /^[A-Za-z0-9_-]+$/

/** The curve that `jose` leaves out: Node checks its signatures (RFC 8037, RFC 9864). */
const ED448 = 'Ed448'

/** Which members a key must have, and which of them are told to those who only check signatures. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  oct: ['k'],
  RSA: ['n', 'e'],
  EC: ['crv', 'x', 'y'],
  OKP: ['crv', 'x'],
}
/** The algorithms of signatures, and the type (and curves) of keys that each is for. */
const SIGNATURES: Readonly<Record<string, readonly [type: string, ...curves: string[]]>> = {
  HS256: ['oct'],
  HS384: ['oct'],
  HS512: ['oct'],
  RS256: ['RSA'],
  RS384: ['RSA'],
  RS512: ['RSA'],
  PS256: ['RSA'],
  PS384: ['RSA'],
  PS512: ['RSA'],
  ES256: ['EC', 'P-256'],
  ES384: ['EC', 'P-384'],
  ES512: ['EC', 'P-521'],
  EdDSA: ['OKP', 'Ed25519', ED448],
  Ed25519: ['OKP', 'Ed25519'],
  Ed448: ['OKP', ED448],
}
const KEY_MANAGEMENT: Readonly<Record<string, readonly string[]>> = {
  dir: ['oct'],
  A128KW: ['oct'],
  A192KW: ['oct'],
  A256KW: ['oct'],
  A128GCMKW: ['oct'],
  A192GCMKW: ['oct'],
  A256GCMKW: ['oct'],
  'RSA-OAEP': ['RSA'],
  'RSA-OAEP-256': ['RSA'],
  'RSA-OAEP-384': ['RSA'],
  'RSA-OAEP-512': ['RSA'],
  'ECDH-ES': ['EC', 'OKP'],
  'ECDH-ES+A128KW': ['EC', 'OKP'],
  'ECDH-ES+A192KW': ['EC', 'OKP'],
  'ECDH-ES+A256KW': ['EC', 'OKP'],
}
const ENCRYPTIONS: readonly string[] = [
  'A128CBC-HS256',
  'A192CBC-HS384',
  'A256CBC-HS512',
  'A128GCM',
  'A192GCM',
  'A256GCM',
]

type Jose = typeof import('jose')
let loading: Promise<Jose> | undefined

function jose(): Promise<Jose> {
  loading ??= import('jose')
  return loading
}

/** One key of a set. */
interface Key {
  readonly jwk: JWK
  readonly type: string
  /** Imported forms, by algorithm and use. */
  readonly forms: Map<string, Promise<CryptoKey | Uint8Array>>
}

/** The keys of one JSON Web Key Set, and the tokens that they have been found to fit. */
export class KeySet {
  readonly #keys: readonly Key[]
  readonly #checked = new Lru<string, Token>(CHECKED_MAX)

  constructor(keys: readonly JWK[]) {
    this.#keys = keys.map((jwk) => ({ jwk, type: jwk.kty!, forms: new Map() }))
  }

  /** A token that was checked before; its times must be looked at still. */
  recall(text: string, kind: TokenKind): Token | undefined {
    return this.#checked.get(memoryKey(text, kind))
  }

  /** Checks signature or encryption, not the times; a text says why the token is refused. */
  async check(text: string, kind: TokenKind): Promise<Token | string> {
    try {
      const token = await this.#open(text, kind)
      if (typeof token !== 'string' && text.length <= CHECKED_LENGTH_MAX) {
        this.#checked.set(memoryKey(text, kind), token)
      }
      return token
    } catch (error) {
      return error instanceof Error ? error.message : 'it cannot be read'
    }
  }

  async #open(text: string, kind: TokenKind): Promise<Token | string> {
    if (kind === 'signed') return this.#verify(text)
    const opened = await this.#decrypt(text)
    if (typeof opened === 'string') return opened
    const plain = opened.bytes.toString('utf8')
    if (kind === 'encrypted') return makeToken(opened.header, plain, toBinary(plain))
    const inner = await this.#verify(plain)
    return typeof inner === 'string' ? inner : { ...inner, header: opened.header, payload: toBinary(plain) }
  }

  async #verify(text: string): Promise<Token | string> {
    const header = headerOf(text, 3)
    if (header === undefined) return 'it is no JWS'
    const { alg } = header
    const fits = typeof alg === 'string' && Object.hasOwn(SIGNATURES, alg) ? SIGNATURES[alg] : undefined
    if (fits === undefined) return `signatures with ${named(alg)} are not accepted`
    const [type, ...curves] = fits
    const keys = this.#candidates(header, 'sig', [type]).filter(
      ({ jwk }) => curves.length === 0 || curves.includes(jwk.crv ?? ''),
    )
    const { compactVerify } = await jose()
    for (const key of keys) {
      if (key.jwk.crv === ED448) {
        const payload = await payloadByEd448(text, header, key.jwk).catch(nothing)
        if (payload !== undefined) return makeToken(header, payload, undefined)
        continue
      }
      const form = await formOf(key, alg as string, false)
      if (form === undefined) continue
      const found = await compactVerify(text, form, { algorithms: [alg as string] }).catch(nothing)
      if (found !== undefined) return makeToken(header, Buffer.from(found.payload).toString('utf8'), undefined)
    }
    return keys.length === 0 ? `no key for ${named(alg)} fits` : 'its signature is wrong'
  }

  async #decrypt(text: string): Promise<{ readonly header: Json; readonly bytes: Buffer } | string> {
    const header = headerOf(text, 5)
    if (header === undefined) return 'it is no JWE'
    const { alg, enc, zip } = header
    const types = typeof alg === 'string' && Object.hasOwn(KEY_MANAGEMENT, alg) ? KEY_MANAGEMENT[alg] : undefined
    if (types === undefined) return `encryption of keys with ${named(alg)} is not accepted`
    if (typeof enc !== 'string' || !ENCRYPTIONS.includes(enc)) return `encryption with ${named(enc)} is not accepted`
    // A small token may grow without bound.
    if (zip !== undefined) return 'it is compressed'
    const keys = this.#candidates(header, 'enc', types)
    const { compactDecrypt } = await jose()
    const accepted = { keyManagementAlgorithms: [alg as string], contentEncryptionAlgorithms: [enc] }
    for (const key of keys) {
      const form = await formOf(key, alg === 'dir' ? enc : (alg as string), true)
      if (form === undefined) continue
      const found = await compactDecrypt(text, form, accepted).catch(nothing)
      if (found !== undefined) return { header, bytes: Buffer.from(found.plaintext) }
    }
    return keys.length === 0 ? `no key for ${named(alg)} fits` : 'it cannot be decrypted'
  }

  #candidates({ kid, alg, enc }: Json, use: string, types: readonly string[]): Key[] {
    return this.#keys.filter(({ jwk, type }) => {
      if (!types.includes(type) || (jwk.use !== undefined && jwk.use !== use)) return false
      if (kid !== undefined && jwk.kid !== undefined && jwk.kid !== kid) return false
      return jwk.alg === undefined || jwk.alg === alg || (alg === 'dir' && jwk.alg === enc)
    })
  }
}

function memoryKey(text: string, kind: TokenKind): string {
  return kind === 'signed' ? text : `${kind} ${text}`
}

function nothing(): undefined {
  return undefined
}

function named(algorithm: unknown): string {
  return typeof algorithm === 'string' && /^[\w+-]{1,20}$/.test(algorithm) ? `"${algorithm}"` : 'what it names'
}

/** What a token says whose signature this key of Ed448 has made; undefined when it has not. */
async function payloadByEd448(text: string, header: Json, { kty, crv, x }: JWK): Promise<string | undefined> {
  // Who signs may demand that the reader knows a rule (RFC 7515, 4.1.11): we know none.
  if (header['crit'] !== undefined || header['b64'] !== undefined) return undefined
  const [head, payload, signature] = text.split('.') as [string, string, string] // `headerOf` has counted them
  if (!BASE64URL.test(payload) || !BASE64URL.test(signature)) return undefined
  const { createPublicKey, verify } = await import('node:crypto')
  const key = createPublicKey({ format: 'jwk', key: { kty: kty!, crv: crv!, x: x! } })
  const right = await new Promise<boolean>((resolve, reject) => {
    verify(null, Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url'), (error, valid) => {
      if (error === null) resolve(valid)
      else reject(error)
    })
  })
  return right ? Buffer.from(payload, 'base64url').toString('utf8') : undefined
}

/** The key as the algorithm wants it; undefined: it cannot be used so. */
async function formOf(key: Key, alg: string, secret: boolean): Promise<CryptoKey | Uint8Array | undefined> {
  const name = `${secret ? 'enc' : 'sig'} ${alg}`
  let form = key.forms.get(name)
  if (form === undefined) {
    form = importKey(key, alg, secret)
    key.forms.set(name, form)
  }
  return form.catch(nothing)
}

async function importKey({ jwk, type }: Key, alg: string, secret: boolean): Promise<CryptoKey | Uint8Array> {
  const { importJWK } = await jose()
  if (type === 'oct') return Buffer.from(jwk.k!, 'base64url')
  // What the key may be used for is looked at already; a public key is made of a private one where that is given.
  const { kid: _kid, use: _use, key_ops: _ops, alg: _alg, ...rest } = jwk
  if (secret) return importJWK({ ...rest, kty: type } as JWK, alg)
  const members = Object.fromEntries(MEMBERS[type]!.map((name) => [name, (rest as Json)[name]]))
  return importJWK({ ...members, kty: type } as JWK, alg)
}

/** Reads a JSON Web Key Set (RFC 7517); a text says what is wrong with it. */
export function readKeySet(text: string): KeySet | string {
  const set = parseObject(text)
  const keys = set?.['keys']
  if (!Array.isArray(keys)) return 'no JSON object with "keys"'
  if (keys.length > KEYS_MAX) return `more than ${KEYS_MAX} keys`
  const usable: JWK[] = []
  for (const [index, key] of (keys as unknown[]).entries()) {
    const problem = isObject(key) ? keyProblem(key) : 'it is no object'
    if (problem !== undefined) return `key ${index + 1}: ${problem}`
    const { kty } = key as Json
    // Types that are not known are ignored, as RFC 7517 has it.
    if (typeof kty === 'string' && Object.hasOwn(MEMBERS, kty)) usable.push(key as unknown as JWK)
  }
  return new KeySet(usable)
}

function keyProblem(key: Json): string | undefined {
  const { kty } = key
  if (typeof kty !== 'string') return 'it has no "kty"'
  const members = Object.hasOwn(MEMBERS, kty) ? MEMBERS[kty]! : []
  for (const name of members) {
    const value = key[name]
    if (typeof value !== 'string' || (name !== 'crv' && !BASE64URL.test(value)))
      return `"${name}" is missing or no Base64`
  }
  for (const name of ['kid', 'use', 'alg']) {
    if (key[name] !== undefined && typeof key[name] !== 'string') return `"${name}" is no string`
  }
  return undefined
}

/** What a signed token says, unchecked; only the header of an encrypted one can be read. Undefined: it is no token. */
export function peekToken(text: string, kind: TokenKind): Token | undefined {
  if (kind !== 'signed') {
    const header = headerOf(text, 5)
    return header && { header, claims: {}, payload: undefined, expires: undefined, notBefore: undefined }
  }
  const header = headerOf(text, 3)
  if (header === undefined) return undefined
  const claims = parseObject(Buffer.from(text.split('.', 2)[1]!, 'base64url').toString('utf8'))
  return claims && { header, claims, payload: undefined, expires: undefined, notBefore: undefined }
}

/** The header of a token in compact form with that many parts. */
function headerOf(text: string, parts: number): Json | undefined {
  const split = text.split('.', parts + 1)
  if (split.length !== parts || !BASE64URL.test(split[0]!)) return undefined
  return parseObject(Buffer.from(split[0]!, 'base64url').toString('utf8'))
}

function makeToken(header: Json, text: string, payload: string | undefined): Token | string {
  const claims = parseObject(text)
  if (claims === undefined) return 'its payload is no JSON object'
  const { exp, nbf } = claims
  if (!isTime(exp)) return '"exp" is no number'
  if (!isTime(nbf)) return '"nbf" is no number'
  return { header, claims, payload, expires: exp, notBefore: nbf }
}

function isTime(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === 'number' && Number.isFinite(value))
}

function parseObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value of a JSON object as a variable has it: lists are joined by commas, `false` is 0, so that it fails as a condition. */
export function jsonText(value: unknown): string | undefined {
  if (typeof value === 'string') return toBinary(value)
  if (value === undefined || value === null) return undefined
  if (value === false) return '0'
  if (Array.isArray(value)) return value.map((one) => jsonText(one) ?? '').join(',')
  return toBinary(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

/** A member of an object, by a name that may be spelled in other letters: names of variables have no case. */
export function memberOf(object: Json, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name]
  for (const key of Object.keys(object)) if (key.toLowerCase() === name) return object[key]
  return undefined
}

/** Checks a token against several sets; what the last of them says when none has its key. */
export async function checkToken(sets: readonly KeySet[], text: string, kind: TokenKind): Promise<Token | string> {
  let outcome: Token | string = 'there are no keys'
  for (const keys of sets) {
    outcome = await keys.check(text, kind)
    if (typeof outcome !== 'string') break
  }
  return outcome
}
