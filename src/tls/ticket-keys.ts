/**
 * Keys of session tickets (ngx_ssl_ticket_key_callback): from files, the first for new tickets, or made here and shared
 * by all threads. OpenSSL asks for one per ticket. Node's engine passes the question on and takes AES-128 only, so it uses
 * half of the longer keys.
 *
 *     48 bytes: name 16, AES 16, HMAC 16        80 bytes: name 16, HMAC 32, AES 32
 */
import { createHash, randomFillSync } from 'node:crypto'
import { clock } from '../lib/clock.ts'
import type { TicketKeySource } from '../net/tls-wire-context.ts'
import type { RotatingKeys } from '../shared/rotating-keys.ts'
import type { TicketKey, TicketKeys } from '../sys/ssl-thread.ts'

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

/** Makes a key of a file's 48 or 80 bytes. */
function ticketKeyOf(bytes: Buffer): TicketKey {
  const name = bytes.subarray(0, NAME_SIZE)
  if (bytes.length === 48) return { name, aes: bytes.subarray(16, 32), hmac: bytes.subarray(32, 48) }
  return { name, hmac: bytes.subarray(16, 48), aes: bytes.subarray(48) }
}

/** Keys that stay the same. */
export class FileTicketKeys implements TicketKeySource {
  readonly id: string
  readonly #keys: readonly TicketKey[]

  constructor(files: readonly Buffer[]) {
    this.id = createHash('sha256').update(Buffer.concat(files)).digest('base64')
    this.#keys = files.map(ticketKeyOf)
  }

  newest(): TicketKey {
    return this.#keys[0]!
  }

  find(name: Buffer): TicketKey | undefined {
    return this.#keys.find((key) => key.name.equals(name))
  }

  answer(name: Buffer, encrypts: boolean, is13: boolean): unknown[] {
    return answerFrom(this, name, encrypts, is13)
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

  newest(): TicketKey {
    const keys = this.#keys
    keys.rotate(clock.seconds, this.#timeoutS)
    if (this.#bytes !== keys.current) {
      this.#bytes = keys.current
      this.#current = ticketKeyOf(keys.current)
    }
    return this.#current!
  }

  find(name: Buffer): TicketKey | undefined {
    const current = this.newest()
    if (current.name.equals(name)) return current
    const { previous } = this.#keys
    const key = previous === undefined ? undefined : ticketKeyOf(previous)
    return key?.name.equals(name) === true ? key : undefined
  }

  answer(name: Buffer, encrypts: boolean, is13: boolean): unknown[] {
    return answerFrom(this, name, encrypts, is13)
  }
}

/** Answers in Node's way. */
function answerFrom(keys: TicketKeys, name: Buffer, encrypts: boolean, is13: boolean): unknown[] {
  const newest = keys.newest()
  if (encrypts) return encryption(newest)
  const key = keys.find(name)
  return key === undefined ? unknown : decryption(key, is13 || key !== newest)
}

function encryption(key: TicketKey): unknown[] {
  if (randomAt === RANDOM_SIZE) {
    randomFillSync(random)
    randomAt = 0
  }
  randomAt += AES_SIZE
  return [USE, key.hmac, key.aes.subarray(0, AES_SIZE), key.name, random.subarray(randomAt - AES_SIZE, randomAt)]
}

function decryption(key: TicketKey, renew: boolean): unknown[] {
  return [renew ? RENEW : USE, key.hmac, key.aes.subarray(0, AES_SIZE)]
}
