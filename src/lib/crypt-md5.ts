/** The MD5-based password hash of crypt(3) (`$1$`) and of Apache (`$apr1$`): the same but for the prefix. */
import { createHash } from 'node:crypto'
import { encode24 } from './crypt-base64.ts'

const ROUNDS = 1000
const SALT_MAX = 8
const DIGEST = 16
/** Which bytes of the digest stand together in the text. */
const GROUPS = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
] as const

const md5 = (...parts: readonly Buffer[]): Buffer => createHash('md5').update(Buffer.concat(parts)).digest()

/** Hashes a password with the prefix and salt of `stored`. */
export function md5Crypt(password: Buffer, stored: string): string {
  const magic = stored.startsWith('$apr1$') ? '$apr1$' : '$1$'
  const salt = stored.slice(magic.length).split('$', 1)[0]!.slice(0, SALT_MAX)
  const saltBytes = Buffer.from(salt, 'latin1')
  let digest = md5(password, saltBytes, password)
  const parts = [password, Buffer.from(magic), saltBytes]
  for (let left = password.length; left > 0; left -= DIGEST) parts.push(digest.subarray(0, Math.min(left, DIGEST)))
  for (let i = password.length; i > 0; i >>= 1) parts.push((i & 1) === 1 ? Buffer.alloc(1) : password.subarray(0, 1))
  digest = md5(...parts)
  for (let i = 0; i < ROUNDS; i++) {
    const odd = (i & 1) === 1
    const round = [odd ? password : digest]
    if (i % 3 !== 0) round.push(saltBytes)
    if (i % 7 !== 0) round.push(password)
    round.push(odd ? digest : password)
    digest = md5(...round)
  }
  const at = (i: number): number => digest[i]!
  const text = GROUPS.map(([a, b, c]) => encode24((at(a) << 16) | (at(b) << 8) | at(c), 4)).join('')
  return `${magic}${salt}$${text}${encode24(at(11), 2)}`
}
