/**
 * What a thread has of OpenSSL's, noted where its death does not lose it: a table of addresses in memory of its own, which the
 * engine's main thread walks when the thread is gone. Nothing of OpenSSL's is in the middle of a call then: a thread is
 * only ended while it runs JavaScript.
 *
 *     words of 8 bytes:  how many places were ever taken | address + kind | 0 | address + kind ...
 */
import type { Calls } from './calls.ts'
import { openssl } from './openssl.ts'
import { SSL_OUTPUT_SIZE } from './ssl-output.ts'

/** Kinds, told by the lowest bits of addresses, which are 0. */
export const SSL_CONNECTION = 0
export const SSL_CONTEXT = 1
export const SSL_BUFFER = 2
/** The memory of an output. */
export const SSL_MEMORY = 3

/** More than a process can have connections. Pages that nobody has touched cost nothing. */
const PLACES = 1 << 20
const SIZE = PLACES * 8

/** The table of one thread. */
export class SslEstate {
  /** Where the table is. */
  readonly address: number
  readonly #table: Float64Array
  readonly #free: number[] = []

  private constructor(address: number, table: Float64Array) {
    this.address = address
    this.#table = table
    table[0] = 1
  }

  /** Makes a table; undefined when there is no memory for one. */
  static make(calls: Calls): SslEstate | undefined {
    const memory = calls.map(SIZE, -1, 0)
    return typeof memory === 'number' ? undefined : new SslEstate(memory.address, new Float64Array(memory.bytes))
  }

  /** Notes something; returns its place. */
  add(address: number, kind: number): number {
    const place = this.#free.pop() ?? this.#table[0]!++
    if (place < PLACES) this.#table[place] = address + kind
    return place
  }

  /** Forgets what is at a place, which is about to be freed; 0 is where nothing is noted. */
  delete(place: number): void {
    if (place === 0) return
    if (place < PLACES) this.#table[place] = 0
    this.#free.push(place)
  }
}

/** Frees everything that a thread has left in the table at an address; the thread must be gone. */
export function settleSsl(calls: Calls, address: number): void {
  const c = openssl()
  if (typeof c === 'string') return
  const table = new Float64Array(calls.view(address, SIZE))
  const end = Math.min(table[0]!, PLACES)
  const free = [c.SSL_free, c.SSL_CTX_free, c.BIO_free]
  const memories: number[] = []
  for (let place = 1; place < end; place++) {
    const word = table[place]!
    const kind = word % 4
    if (kind === SSL_MEMORY) memories.push(word - kind)
    else if (word !== 0) free[kind]!(word - kind)
  }
  // The last to go: connections that are freed in the middle of a handshake look into their output once more.
  for (const memory of memories) calls.unmap(memory, SSL_OUTPUT_SIZE)
  calls.unmap(address, SIZE)
}
