/** Random identifiers, drawn from the operating system in batches because one call costs more than many bytes. */
import { randomFillSync } from 'node:crypto'

const ID_DIGITS = 32
/** So many identifiers have one text behind them; who keeps one keeps that. */
const BATCH = 64
const pool = Buffer.alloc(4096)
let used = pool.length
/** A batch of identifiers in digits: to cut a piece off is a tenth of a call that writes one. */
let digits = ''
let usedDigits = 0

/** Returns 32 lower-case hexadecimal digits: `$request_id`. */
export function randomId(): string {
  if (usedDigits === digits.length) {
    digits = randomFillSync(Buffer.allocUnsafe((BATCH * ID_DIGITS) / 2)).toString('hex')
    usedDigits = 0
  }
  usedDigits += ID_DIGITS
  return digits.slice(usedDigits - ID_DIGITS, usedDigits)
}

/** Returns a random unsigned 32-bit integer, for choices that a client must not predict. */
export function randomUint32(): number {
  return pool.readUInt32LE(take(4))
}

function take(count: number): number {
  if (used + count > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const at = used
  used += count
  return at
}
