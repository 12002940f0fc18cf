/**
 * The SHA-based password hashes of crypt(3), `$5$` and `$6$`, after Ulrich Drepper's specification. With thousands of
 * rounds they take many milliseconds: the loop lets others run in between.
 */
import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { encode24 } from './crypt-base64.ts'

const ROUNDS_DEFAULT = 5000
const ROUNDS_MIN = 1000
const ROUNDS_MAX = 999_999_999
const SALT_MAX = 16
/** Rounds between two looks at the event loop: about a millisecond. */
const ROUNDS_PER_TURN = 500

interface Variant {
  readonly prefix: string
  readonly algorithm: string
  /** Which bytes of the digest stand together in the text. */
  readonly groups: readonly (readonly number[])[]
}

const SHA256: Variant = { prefix: '$5$', algorithm: 'sha256', groups: [...triples(10, 2), [31, 30]] }
const SHA512: Variant = { prefix: '$6$', algorithm: 'sha512', groups: [...triples(21, 1), [63]] }

/** Bytes `i`, `i + count` and `i + 2 * count`, each triple turned `step` places further than the one before. */
function triples(count: number, step: number): number[][] {
  return Array.from({ length: count }, (_, i) => {
    const triple = [i, i + count, i + 2 * count]
    const turn = (i * step) % 3
    return [...triple.slice(turn), ...triple.slice(0, turn)]
  })
}

/** Hashes a password with the prefix, rounds and salt of `stored`. */
export async function shaCrypt(password: Buffer, stored: string): Promise<string> {
  const variant = stored.startsWith(SHA256.prefix) ? SHA256 : SHA512
  const rest = stored.slice(variant.prefix.length)
  const given = /^rounds=(\d+)\$/.exec(rest)
  const rounds = Math.min(Math.max(Number(given?.[1] ?? ROUNDS_DEFAULT), ROUNDS_MIN), ROUNDS_MAX)
  const salt = rest
    .slice(given?.[0].length ?? 0)
    .split('$', 1)[0]!
    .slice(0, SALT_MAX)
  const digest = await stretch(password, Buffer.from(salt, 'latin1'), rounds, variant)
  const head = given === null ? variant.prefix : `${variant.prefix}rounds=${rounds}$`
  return `${head}${salt}$${encodeDigest(digest, variant)}`
}

function encodeDigest(digest: Buffer, variant: Variant): string {
  return variant.groups
    .map((group) => {
      const value = group.reduce((bits, byte) => (bits << 8) | digest[byte]!, 0)
      return encode24(value, group.length + 1)
    })
    .join('')
}

async function stretch(password: Buffer, salt: Buffer, rounds: number, { algorithm }: Variant): Promise<Buffer> {
  const hash = (parts: readonly Buffer[]): Buffer => createHash(algorithm).update(Buffer.concat(parts)).digest()
  const repeated = (digest: Buffer, length: number): Buffer => Buffer.alloc(length, digest)
  const b = hash([password, salt, password])
  const start = [password, salt, repeated(b, password.length)]
  for (let i = password.length; i > 0; i >>= 1) start.push((i & 1) === 1 ? b : password)
  let digest = hash(start)
  const p = repeated(hash(new Array<Buffer>(password.length).fill(password)), password.length)
  const s = repeated(hash(new Array<Buffer>(16 + digest[0]!).fill(salt)), salt.length)
  for (let i = 0; i < rounds; i++) {
    const odd = (i & 1) === 1
    const round = [odd ? p : digest]
    if (i % 3 !== 0) round.push(s)
    if (i % 7 !== 0) round.push(p)
    round.push(odd ? digest : p)
    digest = hash(round)
    if (i % ROUNDS_PER_TURN === ROUNDS_PER_TURN - 1) await nextTurn()
  }
  return digest
}
