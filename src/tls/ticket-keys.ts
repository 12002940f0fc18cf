/**
 * Keys of session tickets (ngx_ssl_ticket_key_callback): from files, the first for new tickets, or made here and shared
 * by all threads. OpenSSL asks for one per ticket; Node passes the question on and takes AES-128 only.
 *
 *     48 bytes: name 16, AES 16, HMAC 16        80 bytes: name 16, HMAC 32, AES 32
 */
import { createHash, randomFillSync } from 'node:crypto'
import { clock } from '../lib/clock.ts'
import type { TicketKeySource } from '../net/tls-wire-context.ts'
import type { RotatingKeys } from '../shared/rotating-keys.ts'

const NAME_SIZE = 16
const AES_SIZE = 16

/** The outcomes that OpenSSL knows: no such key, use it, use it and give the client a new ticket (in TLS 1.3 they are used once). */
const UNKNOWN = 0
const USE = 1
const RENEW = 2

/** Node looks at the keys before the outcome. */
const unknown = [UNKNOWN, Buffer.alloc(AES_SIZE), Buffer.alloc(AES_SIZE)]

/** Random bytes are asked for in bulk: one question costs more than a ticket. */
const RANDOM_SIZE = 4096
const random = Buffer.allocUnsafeSlow(RANDOM_SIZE)
let randomAt = RANDOM_SIZE

interface TicketKey {
  readonly name: Buffer
  readonly aes: Buffer
  readonly hmac: Buffer
}

/** Makes a key of a file's 48 or 80 bytes. */
function ticketKeyOf(bytes: Buffer): TicketKey {
  const name = bytes.subarray(0, NAME_SIZE)
  if (bytes.length === 48) return { name, aes: bytes.subarray(16, 32), hmac: bytes.subarray(32, 48) }
  return { name, hmac: bytes.subarray(16, 48), aes: bytes.subarray(48, 48 + AES_SIZE) }
}

/** Keys that stay the same. */
export class FileTicketKeys implements TicketKeySource {
  readonly id: string
  readonly #keys: readonly TicketKey[]

  constructor(files: readonly Buffer[]) {
    this.id = createHash('sha256').update(Buffer.concat(files)).digest('base64')
    this.#keys = files.map(ticketKeyOf)
  }

  answer(name: Buffer, encrypts: boolean, is13: boolean): unknown[] {
    const [first] = this.#keys
    if (encrypts) return encryption(first!)
    for (const key of this.#keys) if (key.name.equals(name)) return decryption(key, is13 || key !== first)
    return unknown
  }
}

/** Keys that all threads share and that change: a ticket lasts as long as `timeoutS` says. */
export class SharedTicketKeys implements TicketKeySource {
  readonly id: string
  readonly #keys: RotatingKeys
  readonly #timeoutS: number
  #current: TicketKey | undefined
  #bytes: Buffer | undefined

  constructor(keys: RotatingKeys, timeoutS: number) {
    this.id = `shared ${timeoutS}`
    this.#keys = keys
    this.#timeoutS = timeoutS
  }

  answer(name: Buffer, encrypts: boolean, is13: boolean): unknown[] {
    const keys = this.#keys
    keys.rotate(clock.seconds, this.#timeoutS)
    if (this.#bytes !== keys.current) {
      this.#bytes = keys.current
      this.#current = ticketKeyOf(keys.current)
    }
    const current = this.#current!
    if (encrypts) return encryption(current)
    if (current.name.equals(name)) return decryption(current, is13)
    const previous = keys.previous === undefined ? undefined : ticketKeyOf(keys.previous)
    return previous?.name.equals(name) === true ? decryption(previous, true) : unknown
  }
}

function encryption(key: TicketKey): unknown[] {
  if (randomAt === RANDOM_SIZE) {
    randomFillSync(random)
    randomAt = 0
  }
  randomAt += AES_SIZE
  return [USE, key.hmac, key.aes, key.name, random.subarray(randomAt - AES_SIZE, randomAt)]
}

function decryption(key: TicketKey, renew: boolean): unknown[] {
  return [renew ? RENEW : USE, key.hmac, key.aes]
}
