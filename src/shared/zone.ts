/**
 * A shared-memory zone: one SharedArrayBuffer, handed to every thread and, by name and size, from one configuration to
 * the next. Its first words say what it is, so that a thread which attaches to something else finds out at once. Memory
 * that is still blank becomes a zone by attaching to it; threads that do so at the same time write the same words.
 *
 *     words  0 magic   1 version   2 size in bytes   3 kind   4-7 lock   8 id   9... for the structure inside
 */

import { assert } from '../lib/assert.ts'
import { crc32 } from '../lib/crc32.ts'
import { randomUint32 } from '../lib/random.ts'
import { LOCK_WORDS, Lock } from './lock.ts'

const MAGIC = 0x76696164
/** Changes with every layout in this folder. */
const VERSION = 2
const LOCK_AT = 4
const ID_AT = LOCK_AT + LOCK_WORDS
/** Where the structure inside begins, in words. */
export const ZONE_HEADER_WORDS = ID_AT + 1
/** Smaller zones are refused, as in nginx (eight pages). */
export const ZONE_SIZE_MIN = 8 * 4096

/** One zone as one thread sees it. */
export class Zone {
  readonly name: string
  /** What threads exchange; `Zone.attach` makes a zone of it again. */
  readonly buffer: SharedArrayBuffer
  readonly lock: Lock
  /** The memory as integers, for the structures of this folder only. */
  readonly words: Int32Array

  private constructor(name: string, buffer: SharedArrayBuffer) {
    this.name = name
    this.buffer = buffer
    this.words = new Int32Array(buffer, 0, usableSize(buffer.byteLength) / 4)
    this.lock = new Lock(this.words, LOCK_AT)
  }

  /** Bytes of memory in use: what was asked for, rounded down to cells of 64. */
  get size(): number {
    return this.words.length * 4
  }

  /** A number that no other zone has. */
  get id(): number {
    return this.words[ID_AT]!
  }

  /** Tells whether `kind` is the zone's. */
  is(kind: string): boolean {
    return this.words[3] === kindOf(kind)
  }

  /** A zone of whatever kind; undefined when the memory is something else. */
  static find(name: string, buffer: SharedArrayBuffer): Zone | undefined {
    if (buffer.byteLength < ZONE_SIZE_MIN) return undefined
    const zone = new Zone(name, buffer)
    return zone.words[0] === MAGIC && zone.words[1] === VERSION ? zone : undefined
  }

  /** Makes an empty zone. `kind` names its use (`limit_req` ...): zones of different kinds are never confused. */
  static create(name: string, size: number, kind: string): Zone {
    assert(size >= ZONE_SIZE_MIN, 'a zone has at least eight pages')
    const zone = new Zone(name, new SharedArrayBuffer(size))
    zone.#begin(kind)
    return zone
  }

  /** Attaches to another thread's zone, or to blank memory; undefined when the memory is something else. */
  static attach(name: string, buffer: SharedArrayBuffer, kind: string): Zone | undefined {
    if (buffer.byteLength < ZONE_SIZE_MIN) return undefined
    const zone = new Zone(name, buffer)
    const [magic, version, size, found] = zone.words
    if (magic === 0) zone.#begin(kind)
    else if (magic !== MAGIC || version !== VERSION || size !== zone.size || found !== kindOf(kind)) return undefined
    return zone
  }

  #begin(kind: string): void {
    this.words[1] = VERSION
    this.words[2] = this.size
    this.words[3] = kindOf(kind)
    // Of threads that begin at the same time the first one says which.
    Atomics.compareExchange(this.words, ID_AT, 0, randomUint32() | 1)
    Atomics.store(this.words, 0, MAGIC)
  }
}

function usableSize(size: number): number {
  return size - (size % 64)
}

function kindOf(kind: string): number {
  return crc32(kind) | 0
}
