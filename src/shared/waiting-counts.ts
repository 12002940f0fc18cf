/**
 * How often requests have had to wait for each server, counted by all threads without a lock: who holds a connection that
 * it does not need sees by it that others lack one. Servers whose names meet in one cell are taken for the same, which
 * costs a connection and nothing else.
 */
import { murmurHash2 } from '../lib/murmur.ts'
import { ZONE_HEADER_WORDS, ZONE_SIZE_MIN, Zone } from './zone.ts'

const KIND = 'waiting counts'
const CELLS = 1024

/** Memory that the counts take. */
export const WAITING_COUNTS_SIZE: number = ZONE_SIZE_MIN

/** The counts of one zone, as one thread sees them. */
export class WaitingCounts {
  readonly #words: Int32Array

  private constructor(zone: Zone) {
    this.#words = zone.words
  }

  /** The counts in this memory, which all threads have; undefined when it is something else. */
  static attach(buffer: SharedArrayBuffer): WaitingCounts | undefined {
    const zone = Zone.attach(KIND, buffer, KIND)
    return zone === undefined ? undefined : new WaitingCounts(zone)
  }

  /** The count of a server; only whether it has changed means anything. */
  of(server: string): number {
    return Atomics.load(this.#words, cellOf(server))
  }

  /** Counts one that waits; returns the count before. */
  add(server: string): number {
    return Atomics.add(this.#words, cellOf(server), 1)
  }
}

function cellOf(server: string): number {
  return ZONE_HEADER_WORDS + (murmurHash2(server) & (CELLS - 1))
}
