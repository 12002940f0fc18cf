/** Texts that we give away and get back, or keep where others can read: encrypted, and nobody else can make one. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const IV_SIZE = 12
const TAG_SIZE = 16
const CIPHER = 'aes-256-gcm'

/** Encrypts a text with a key of 32 bytes; `bound` must be the same when it is opened. */
export function seal(key: Buffer, text: string, bound = ''): string {
  const iv = randomBytes(IV_SIZE)
  const cipher = createCipheriv(CIPHER, key, iv)
  cipher.setAAD(Buffer.from(bound))
  const sealed = [cipher.update(text, 'utf8'), cipher.final()]
  return Buffer.concat([iv, cipher.getAuthTag(), ...sealed]).toString('base64url')
}

/** The text, or undefined when this is none of ours. */
export function unseal(key: Buffer, sealed: string, bound = ''): string | undefined {
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length < IV_SIZE + TAG_SIZE) return undefined
  const cipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_SIZE), { authTagLength: TAG_SIZE })
  cipher.setAuthTag(bytes.subarray(IV_SIZE, IV_SIZE + TAG_SIZE))
  cipher.setAAD(Buffer.from(bound))
  const text = cipher.update(bytes.subarray(IV_SIZE + TAG_SIZE), undefined, 'utf8')
  try {
    return text + cipher.final('utf8')
  } catch {
    return undefined
  }
}
