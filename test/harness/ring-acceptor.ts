/** What tests of wires on a ring have in common: a ring that accepts on a port of its own, and who hears a wire. */
import assert from 'node:assert/strict'
import { ASKED, Ring, type RingUser } from '../../src/net/ring.ts'
import type { RingWire } from '../../src/net/ring-wire.ts'
import type { WireOwner } from '../../src/net/wire.ts'
import type { WireFailure } from '../../src/net/wire-failure.ts'
import type { Calls } from '../../src/sys/calls.ts'
import { internetAddress, portIn } from '../../src/sys/socket-address.ts'

/** The sizes of a ring that is small, and large enough. */
export const NORMAL_RING = { entries: 64, completions: 256, inputs: 32, output: 1 << 18 }

/** Keeps everything that came on a wire. */
export class Listener<W extends RingWire> implements WireOwner {
  readonly wire: W
  received: Buffer[] = []
  size = 0
  ended = false
  closed = false
  failure: WireFailure | undefined
  /** Called on each piece, and when the kernel has taken everything. */
  onPiece: (listener: this) => void = () => {}
  drained: () => void = () => {}

  constructor(wire: W) {
    this.wire = wire
    wire.owner = this
  }

  onBytes(buffer: Buffer, size: number): void {
    this.received.push(Buffer.from(buffer.subarray(0, size)))
    this.size += size
    this.onPiece(this)
  }
  onDrain(): void {
    this.drained()
  }
  onEnd(): void {
    this.ended = true
  }
  onClose(failure: WireFailure | undefined): void {
    this.closed = true
    this.failure = failure
  }
  get bytes(): Buffer {
    return Buffer.concat(this.received)
  }
}

/** A ring that accepts; what becomes of a connection is for who extends it. */
export abstract class RingAcceptor implements RingUser {
  readonly isPatient = true
  readonly ring: Ring
  readonly port: number
  protected readonly calls: Calls
  readonly #fd: number
  readonly #slot: number
  #accepting = true

  /** `fd`: a socket that listens already. */
  constructor(calls: Calls, sizes: Parameters<typeof Ring.open>[1] = NORMAL_RING, fd = listening(calls)) {
    this.calls = calls
    const ring = Ring.open(calls, sizes)
    assert.ok(typeof ring !== 'number', `io_uring_setup: ${ring as number}`)
    this.ring = ring
    ring.start(undefined)
    this.#fd = fd
    calls.socketName(this.#fd)
    this.port = portIn(calls.name)
    this.#slot = ring.enter(this)
    ring.accept(this.#slot, this.#fd)
  }

  protected abstract take(fd: number): void

  completed(_operation: number, result: number, flags: number): void {
    if (result >= 0) this.take(result)
    if ((flags & 2) !== 0) return
    this.#accepting = result !== -125
    if (this.#accepting) this.ring.accept(this.#slot, this.#fd)
  }
  settled(): void {}
  attend(): void {}

  /** Ends when wires, which were told to close, have done so; nothing may be left on the ring. */
  protected async end(closed: () => boolean): Promise<void> {
    this.ring.cancel(this.#slot, ASKED.ACCEPT)
    await turnUntil(() => !this.#accepting && closed())
    this.ring.leave(this.#slot)
    await turnUntil(() => this.ring.userCount === 0)
    this.calls.close(this.#fd)
    this.ring.close()
  }
}

/** A socket that listens on any port. */
function listening(calls: Calls): number {
  const fd = calls.socket(2, 0x80001)
  assert.equal(calls.bind(fd, internetAddress('127.0.0.1', 0)!), 0)
  assert.equal(calls.listen(fd, 511), 0)
  return fd
}

/** Resolves when `condition` holds, looking again at once; fails when it does not in half a minute. */
export async function turnUntil(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`timeout: ${condition.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** Bytes that are nowhere the same. */
export function pattern(size: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4))
  let x = seed * 2654435761 + 12345
  for (let i = 0; i < words.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) | 0
    words[i] = x
  }
  return Buffer.from(words.buffer, 0, size)
}
