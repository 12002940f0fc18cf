/** Random identifiers, drawn from the operating system in batches because one call costs more than many bytes. */
import { randomFillSync } from 'node:crypto'

const ID_DIGITS = 32
/** So many identifiers have one text behind them; who keeps one keeps that. */
const BATCH = 64
const BATCH_BYTES = (BATCH * ID_DIGITS) / 2
const pool = Buffer.allocUnsafeSlow(16 * BATCH_BYTES)
let used = pool.length
/** A batch of identifiers in digits: to cut a piece off is a tenth of a call that writes one. */
let digits = ''
let usedDigits = 0

/** Returns 32 lower-case hexadecimal digits: `$request_id`. */
export function randomId(): string {
  if (usedDigits === digits.length) {
    const at = take(BATCH_BYTES)
    digits = pool.hexSlice(at, at + BATCH_BYTES)
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
