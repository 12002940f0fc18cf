/**
 * Buffers for pieces of files, used again and again: fresh ones cost page faults and garbage collection, which is most
 * of the price of sending a large file. A buffer that was written with LENT is free when its carrier has nothing pending;
 * what is still on its way when a response ends waits here for that moment.
 */
import type { Carrier } from '../request/carrier.ts'

/** Bytes in each. */
export const LENT_SIZE = 65536
/** Buffers kept for later use: 8 MiB per thread. */
const FREE_MAX = 128
/** Responses whose last buffers are waited for; beyond that they are left to the garbage collector. */
const WAITING_MAX = 64

interface Waiting {
  readonly carrier: Pick<Carrier, 'pendingBytes'>
  readonly buffers: Buffer[]
}

const free: Buffer[] = []
let waiting: Waiting[] = []

/** Gives a buffer; its content is arbitrary. */
export function lend(): Buffer {
  if (free.length === 0 && waiting.length > 0) collect()
  return free.pop() ?? Buffer.allocUnsafeSlow(LENT_SIZE)
}

/** Takes buffers back that nobody reads any more, and empties the list. */
export function giveBack(buffers: Buffer[]): void {
  for (const buffer of buffers) if (free.length < FREE_MAX) free.push(buffer)
  buffers.length = 0
}

/** Takes buffers back as soon as their carrier has sent what is pending. */
export function giveBackLater(carrier: Pick<Carrier, 'pendingBytes'>, buffers: Buffer[]): void {
  if (buffers.length === 0) return
  if (waiting.length >= WAITING_MAX) collect()
  if (waiting.length < WAITING_MAX) waiting.push({ carrier, buffers })
}

function collect(): void {
  const still: Waiting[] = []
  for (const entry of waiting) {
    if (entry.carrier.pendingBytes === 0) giveBack(entry.buffers)
    else still.push(entry)
  }
  // A connection that broke off never gets rid of its bytes; the oldest are given up in favour of the new ones.
  waiting = still.length < WAITING_MAX ? still : still.slice(WAITING_MAX / 2)
}
