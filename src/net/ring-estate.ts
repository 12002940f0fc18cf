/**
 * What a thread with a ring leaves behind when it dies: no code of it runs any more, and nobody else knows its descriptors.
 * They are noted in memory that the engine's main thread has too, which closes them then. A new number is noted after the
 * system has given it and forgotten before it is given back, so that nobody else's is ever closed.
 *
 *   words:  RING_AT  the ring's descriptor + 1    MAPS_AT  its memory, three times: address in two halves, size
 *           QUEUE_AT where the completion queue is in the first of these: head, tail, mask, entries, in words
 *           TLS_AT   the address of a table of what is OpenSSL's (sys/ssl-estate.ts), in two halves
 *           BITS_AT  a bit for each descriptor
 */
import type { Calls, Mapping } from '../sys/calls.ts'

/** Most descriptors that a process may have where nobody has raised the system's own limit (fs.nr_open). */
const DESCRIPTORS_MAX = 1 << 20
const RING_AT = 0
const MAPS_AT = 1
const MAP_WORDS = 3
const MAPS = 3
const QUEUE_AT = 10
const TLS_AT = 14
const BITS_AT = 16
const HIGH = 2 ** 32

/** Size of the memory of one estate in bytes. */
export const ESTATE_SIZE: number = BITS_AT * 4 + DESCRIPTORS_MAX / 8

/** Where a completion queue is in its memory, in words. */
interface QueuePlace {
  readonly head: number
  readonly tail: number
  readonly mask: number
  readonly entries: number
}

/** The notes, as both threads see them. */
export class Estate {
  readonly #words: Uint32Array

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Uint32Array(memory)
  }

  /** Notes the ring itself; the queues are in the first of `maps`. */
  setRing(fd: number, maps: readonly Mapping[], { head, tail, mask, entries }: QueuePlace): void {
    for (let i = 0; i < MAPS; i++) {
      const { address, bytes } = maps[i]!
      this.#words.set([address % HIGH, Math.floor(address / HIGH), bytes.byteLength], MAPS_AT + i * MAP_WORDS)
    }
    this.#words.set([head, tail, mask, entries], QUEUE_AT)
    this.#words[RING_AT] = fd + 1
  }

  /** Notes where the table of what is OpenSSL's is. */
  setTls(address: number): void {
    this.#words.set([address % HIGH, Math.floor(address / HIGH)], TLS_AT)
  }

  /** The address of that table; 0: there is none. */
  get tls(): number {
    return this.#words[TLS_AT]! + this.#words[TLS_AT + 1]! * HIGH
  }

  /** There is a ring. */
  get used(): boolean {
    return this.#words[RING_AT] !== 0
  }

  add(fd: number): void {
    if (fd < DESCRIPTORS_MAX) this.#words[BITS_AT + (fd >>> 5)]! |= 1 << (fd & 31)
  }

  delete(fd: number): void {
    if (fd < DESCRIPTORS_MAX) this.#words[BITS_AT + (fd >>> 5)]! &= ~(1 << (fd & 31))
  }

  /**
   * Closes and gives back everything, and leaves the memory blank; the thread must be gone. `accept`: the operation whose
   * results are descriptors.
   */
  settle(calls: Calls, accept: number): void {
    const words = this.#words
    calls.close(words[RING_AT]! - 1)
    for (const fd of this.#descriptors()) {
      calls.close(fd)
      this.delete(fd)
    }
    const maps = Array.from({ length: MAPS }, (_, i) => this.#map(i))
    for (const fd of this.#unheard(calls, maps[0]!, accept)) calls.close(fd)
    for (const { address, size } of maps) calls.unmap(address, size)
    words.fill(0, 0, BITS_AT)
  }

  #map(index: number): { readonly address: number; readonly size: number } {
    const [low, high, size] = this.#words.subarray(MAPS_AT + index * MAP_WORDS)
    return { address: low! + high! * HIGH, size: size! }
  }

  #descriptors(): number[] {
    const found: number[] = []
    for (let at = BITS_AT; at < this.#words.length; at++) {
      const word = this.#words[at]!
      if (word === 0) continue
      for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) found.push((at - BITS_AT) * 32 + bit)
    }
    return found
  }

  /** Connections that were accepted, and the thread has not heard of it. */
  #unheard(calls: Calls, { address, size }: { address: number; size: number }, accept: number): number[] {
    const [head, tail, mask, entries] = this.#words.subarray(QUEUE_AT) as unknown as [number, number, number, number]
    const queue = new Uint32Array(calls.view(address, size))
    const found: number[] = []
    for (let at = queue[head]!; at !== queue[tail]!; at = (at + 1) >>> 0) {
      const i = entries + (at & mask) * 4
      const result = queue[i + 2]! | 0
      if (queue[i + 1] === accept && result >= 0) found.push(result)
    }
    return found
  }
}
