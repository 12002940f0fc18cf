/**
 * bcrypt (`$2a$`, `$2b$`, `$2y$`), the hash of `htpasswd -B`: Blowfish with a key schedule that is repeated until it is
 * slow. Blowfish begins with the digits of pi, which are computed when the first such password is checked.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'

const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const FORM = /^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22})/
const COST_MIN = 4
const COST_MAX = 31
const KEY_MAX = 72
const SUBKEYS = 18
const BOXES = 1024
const TEXT = Buffer.from('OrpheanBeholderScryDoubt')
/** The last byte of the result is not part of the hash. */
const RESULT_SIZE = 23
/** Key schedules between two looks at the event loop: about a millisecond. */
const ROUNDS_PER_TURN = 16

/** Hashes a password with cost and salt of `stored`; undefined when these are malformed. */
export function bcrypt(password: Buffer, stored: string): Promise<string> | undefined {
  const form = FORM.exec(stored)
  const cost = Number(form?.[1])
  if (form === null || cost < COST_MIN || cost > COST_MAX) return undefined
  return hash(password, form[0], cost, decode(form[2]!))
}

async function hash(password: Buffer, head: string, cost: number, salt: Buffer): Promise<string> {
  const key = Buffer.concat([password.subarray(0, KEY_MAX - 1), Buffer.alloc(1)])
  const none = Buffer.alloc(salt.length)
  const cipher = new Blowfish()
  cipher.expand(key, salt)
  const rounds = 2 ** cost
  for (let i = 0; i < rounds; i++) {
    cipher.expand(key, none)
    cipher.expand(salt, none)
    if (i % ROUNDS_PER_TURN === ROUNDS_PER_TURN - 1) await nextTurn()
  }
  const result = Buffer.alloc(TEXT.length)
  for (let at = 0; at < TEXT.length; at += 8) {
    cipher.left = TEXT.readInt32BE(at)
    cipher.right = TEXT.readInt32BE(at + 4)
    for (let i = 0; i < 64; i++) cipher.encrypt()
    result.writeInt32BE(cipher.left, at)
    result.writeInt32BE(cipher.right, at + 4)
  }
  return head + encode(result.subarray(0, RESULT_SIZE))
}

/** One state of the cipher; `left` and `right` are the block that `encrypt` works on. */
class Blowfish {
  left = 0
  right = 0
  readonly #keys = digits().slice(0, SUBKEYS)
  readonly #boxes = digits().slice(SUBKEYS)

  /** Mixes key and salt into the state. */
  expand(key: Buffer, salt: Buffer): void {
    const keys = this.#keys
    for (let i = 0; i < SUBKEYS; i++) keys[i]! ^= wordAt(key, i * 4)
    this.left = 0
    this.right = 0
    this.#refill(keys, salt, 0)
    this.#refill(this.#boxes, salt, SUBKEYS)
  }

  /** Replaces words by the cipher's own output; `done` words were replaced before. */
  #refill(words: Int32Array, salt: Buffer, done: number): void {
    for (let i = 0; i < words.length; i += 2) {
      this.left ^= wordAt(salt, (done + i) * 4)
      this.right ^= wordAt(salt, (done + i + 1) * 4)
      this.encrypt()
      words[i] = this.left
      words[i + 1] = this.right
    }
  }

  encrypt(): void {
    const keys = this.#keys
    const boxes = this.#boxes
    let left = this.left ^ keys[0]!
    let right = this.right
    for (let i = 1; i < SUBKEYS - 1; i += 2) {
      right ^= mix(boxes, left) ^ keys[i]!
      left ^= mix(boxes, right) ^ keys[i + 1]!
    }
    this.left = right ^ keys[SUBKEYS - 1]!
    this.right = left
  }
}

function mix(boxes: Int32Array, word: number): number {
  const sum = (boxes[word >>> 24]! + boxes[256 + ((word >>> 16) & 255)]!) | 0
  return ((sum ^ boxes[512 + ((word >>> 8) & 255)]!) + boxes[768 + (word & 255)]!) | 0
}

/** Four bytes of an endless repetition of `bytes`. */
function wordAt(bytes: Buffer, at: number): number {
  const { length } = bytes
  const byte = (i: number): number => bytes[(at + i) % length]!
  return (byte(0) << 24) | (byte(1) << 16) | (byte(2) << 8) | byte(3)
}

let pi: Int32Array | undefined

/** The digits of pi behind the point, 32 bits each, by Machin's formula. */
function digits(): Int32Array {
  if (pi !== undefined) return pi
  const size = (SUBKEYS + BOXES) * 32
  const scale = BigInt(size + 64)
  const value = 16n * arctangent(5n, scale) - 4n * arctangent(239n, scale)
  const fraction = (value - (3n << scale)) >> 64n
  const bytes = Buffer.from(fraction.toString(16).padStart(size / 4, '0'), 'hex')
  pi = Int32Array.from({ length: SUBKEYS + BOXES }, (_, i) => bytes.readInt32BE(i * 4))
  return pi
}

/** The arctangent of 1/x, scaled by 2^scale. */
function arctangent(x: bigint, scale: bigint): bigint {
  let power = (1n << scale) / x
  let sum = power
  for (let n = 3n; power !== 0n; n += 2n) {
    power /= x * x
    sum += (n & 2n) === 0n ? power / n : -(power / n)
  }
  return sum
}

/** Six bits per character, most significant first: not as in the other forms of crypt(3). */
function encode(bytes: Buffer): string {
  return bytes
    .toString('base64')
    .replace(/=+$/, '')
    .replace(/./g, (c) => ALPHABET[STANDARD.indexOf(c)]!)
}

function decode(text: string): Buffer {
  return Buffer.from(
    text.replace(/./g, (c) => STANDARD[ALPHABET.indexOf(c)]!),
    'base64',
  )
}
