/**
 * Checks a password against what a password file says: `{PLAIN}`, `{SHA}`, `{SSHA}`, `$apr1$`, and the forms of crypt(3)
 * that can be computed here: DES, `$1$`, `$2y$`, `$5$`, `$6$`. What is slow runs in turns, and its success is remembered.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { bcrypt } from './crypt-bcrypt.ts'
import { desCrypt } from './crypt-des.ts'
import { md5Crypt } from './crypt-md5.ts'
import { shaCrypt } from './crypt-sha.ts'
import { Lru } from './lru.ts'

const SHA_SIZE = 20
const REMEMBERED_MAX = 1000

/** Passwords that fitted, as keyed digests: neither they nor their hashes can be told from these. */
const remembered = new Lru<string, true>(REMEMBERED_MAX)
const digestKey = randomBytes(32)

/** Forms of crypt(3) that cannot be computed here: the right password would be refused. */
const NOT_BUILT = /^\$(?:y|gy|7|3|sha1|md5)[$,]/

/**
 * Tells whether `password` (a binary string) is the one that `stored` stands for; undefined when the form of `stored` is
 * not built. What is no hash at all (`!`, nothing) fits no password, as with crypt(3). A promise when it takes long.
 */
export function checkPassword(password: string, stored: string): boolean | undefined | Promise<boolean> {
  const bytes = Buffer.from(password, 'latin1')
  if (stored.startsWith('{PLAIN}')) return same(password, stored.slice(7))
  if (stored.startsWith('{SHA}')) return same(sha1(bytes).toString('base64'), stored.slice(5))
  if (stored.startsWith('{SSHA}')) return checkSalted(bytes, Buffer.from(stored.slice(6), 'base64'))
  if (stored.startsWith('$apr1$') || stored.startsWith('$1$')) return same(md5Crypt(bytes, stored), stored)
  if (stored.startsWith('$5$') || stored.startsWith('$6$')) return checkSlowly(bytes, stored, shaCrypt)
  if (stored.startsWith('$2')) return checkSlowly(bytes, stored, bcrypt)
  if (NOT_BUILT.test(stored)) return undefined
  const des = stored.startsWith('$') ? undefined : desCrypt(bytes, stored)
  return des !== undefined && same(des, stored)
}

function checkSalted(password: Buffer, stored: Buffer): boolean {
  const digest = sha1(Buffer.concat([password, stored.subarray(SHA_SIZE)]))
  return stored.length >= SHA_SIZE && timingSafeEqual(digest, stored.subarray(0, SHA_SIZE))
}

type SlowHash = (password: Buffer, stored: string) => Promise<string> | undefined

function checkSlowly(password: Buffer, stored: string, slowHash: SlowHash): boolean | Promise<boolean> {
  const key = createHmac('sha256', digestKey).update(stored).update('\0').update(password).digest('base64')
  if (remembered.get(key) === true) return true
  const hashing = slowHash(password, stored)
  if (hashing === undefined) return false
  return hashing.then((hash) => {
    const fits = same(hash, stored)
    if (fits) remembered.set(key, true)
    return fits
  })
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest()
}

/** Compares in a time that tells nothing but the length. */
function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'))
}
