/**
 * Where OpenSSL puts what is to be sent: a memory BIO that all connections of a thread share, over memory of ours, so that what
 * was made is had without a call and without a copy. It writes behind what is there and is told to begin anew, by its `length`.
 *
 *     | BUF_MEM | pieces that were taken, and somebody holds | what was made since |
 *
 * Its memory is never made larger, and so never moves: it is more than one call can fill. Pages that nobody has touched cost
 * nothing, and from `COPIED_FROM` on pieces are copied when they are taken, which bounds how many are.
 */
import { assert } from '../lib/assert.ts'
import type { Calls } from './calls.ts'
import type { OpenSsl } from './openssl.ts'

/** More than the largest message of a handshake, 16 MB, with all that surrounds it. */
const SIZE = 24 << 20
/** struct buf_mem_st (openssl/buffer.h) has four words of 8 bytes: length, data, max, flags. */
const HEAD = 64
const LENGTH = 0
const DATA = 2
const MAX = 4
const HIGH = 2 ** 32
const COPIED_FROM = 1 << 21

const BIO_RESET = 1
const BIO_C_SET_BUF_MEM = 114
/** BUF_MEM is not the BIO's own. */
const BIO_NOCLOSE = 0
/** BIO_FLAGS_NONCLEAR_RST: beginning anew is taking over the length, and nothing is overwritten with zeros. */
const BIO_KEEPS = 0x400

/** Size of the memory. */
export const SSL_OUTPUT_SIZE: number = SIZE

/** The output of one thread. */
export class SslOutput {
  /** Where the memory is. */
  readonly address: number
  /** The BIO. */
  readonly bio: number
  readonly #c: OpenSsl
  readonly #words: Uint32Array
  readonly #bytes: Buffer
  /** Made and taken; relative to the head. */
  #taken = 0
  #holders = 0

  private constructor(c: OpenSsl, bio: number, address: number, memory: ArrayBuffer) {
    this.#c = c
    this.bio = bio
    this.address = address
    this.#words = new Uint32Array(memory, 0, HEAD >> 2)
    this.#bytes = Buffer.from(memory, HEAD)
    this.#setAddress(DATA, address + HEAD)
    this.#setAddress(MAX, SIZE - HEAD)
    c.BIO_set_flags(bio, BIO_KEEPS)
    c.BIO_ctrl(bio, BIO_C_SET_BUF_MEM, BIO_NOCLOSE, address)
    this.#check()
  }

  /** What is relied on here is how OpenSSL does it, and not all of it is written down. */
  #check(): void {
    for (let round = 0; round < 2; round++) {
      this.#c.BIO_write(this.bio, this.address, HEAD)
      const piece = this.take()
      assert(piece?.length === HEAD && piece.byteOffset === HEAD, 'a memory BIO writes where it is told to')
      this.giveBack(piece)
    }
  }

  /** Makes one. */
  static make(c: OpenSsl, calls: Calls): SslOutput {
    const bio = c.BIO_new(c.BIO_s_mem())
    const memory = calls.map(SIZE, -1, 0)
    assert(bio !== 0 && typeof memory !== 'number', 'there is memory for the output')
    return new SslOutput(c, bio, memory.address, memory.bytes)
  }

  #setAddress(word: number, value: number): void {
    this.#words[word] = value % HIGH
    this.#words[word + 1] = Math.floor(value / HIGH)
  }

  /** Takes what was made since the last time; whoever keeps it longer than this call `hold`s. */
  take(): Buffer | undefined {
    const start = this.#taken
    const end = this.#words[LENGTH]!
    if (end === start) return undefined
    this.#taken = end
    const piece = this.#bytes.subarray(start, end)
    if (end < COPIED_FROM) return piece
    const copy = Buffer.from(piece)
    this.#beginAt(start)
    return copy
  }

  /** A piece that was taken last is not needed any more: its place is free again. */
  giveBack(piece: Buffer): void {
    const start = piece.byteOffset - HEAD
    if (this.#isOurs(piece) && start + piece.length === this.#taken) this.#beginAt(start)
  }

  /** Somebody has pieces of what was taken. */
  hold(): void {
    this.#holders++
  }

  /** He does not need them any more. When nobody does, which is mostly after each event, all of the place is free again. */
  release(): void {
    assert(this.#holders > 0, 'who holds pieces lets them go once')
    if (--this.#holders === 0 && this.#taken > 0) this.#beginAt(0)
  }

  /** Makes a piece that lasts of one that may be overwritten once nobody holds any. */
  lasting(piece: Buffer): Buffer {
    return this.#isOurs(piece) ? Buffer.from(piece) : piece
  }

  #isOurs(piece: Buffer): boolean {
    return piece.buffer === this.#bytes.buffer
  }

  #beginAt(at: number): void {
    assert(this.#words[LENGTH] === this.#taken, 'nothing was made that nobody has taken')
    this.#taken = this.#words[LENGTH] = at
    this.#c.BIO_ctrl(this.bio, BIO_RESET, 0, 0)
  }
}
