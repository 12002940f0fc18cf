/** Random identifiers, drawn from the operating system in batches because one call costs more than many bytes. */
import { randomFillSync } from 'node:crypto'

const ID_BYTES = 16
const pool = Buffer.alloc(ID_BYTES * 256)
let used = pool.length

/** Returns 32 lower-case hexadecimal digits: `$request_id`. */
export function randomId(): string {
  const at = take(ID_BYTES)
  return pool.toString('hex', at, at + ID_BYTES)
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
