/**
 * A thread that stays with its ring while events are near: whatever else happens in the thread is not late for that, and when
 * nothing happens any more it sleeps and wakes as ever.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import net from 'node:net'
import { test } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { soon } from '../../src/lib/soon.ts'
import { beginEvent, flushWires } from '../../src/net/flush.ts'
import { Ring, type Vigil } from '../../src/net/ring.ts'
import { RingVigil } from '../../src/net/ring-vigil.ts'
import { RingWire } from '../../src/net/ring-wire.ts'
import { type Calls, calls } from '../../src/sys/calls.ts'
import { internetAddress } from '../../src/sys/socket-address.ts'
import { Listener, RingAcceptor, turnUntil } from '../harness/ring-acceptor.ts'

const system = calls()
const skip = typeof system === 'string' ? system : typeof Ring.open(system) === 'number' ? 'no io_uring' : ''
const options = skip === '' ? { timeout: 30_000 } : { skip }

/** A slow machine stays as a fast one does. */
const PACE = { turn: 20, quick: 900 }

/** Counts the vigils of another one, and how often the thread waited in them. */
class Counted implements Vigil {
  begun = 0
  waits = 0
  readonly #vigil: Vigil

  constructor(vigil: Vigil) {
    this.#vigil = vigil
  }
  begin(): boolean {
    const begins = this.#vigil.begin()
    if (begins) this.begun++
    return begins
  }
  get isOver(): boolean {
    return this.#vigil.isOver
  }
  beforeWait(): void {
    this.#vigil.beforeWait()
    this.waits++
  }
  end(stayed: boolean): boolean {
    return this.#vigil.end(stayed)
  }
}

/** A ring with two ends of a connection that send a byte to and fro, as fast as it goes, until they are told to stop. */
class Bench extends RingAcceptor implements AsyncDisposable {
  readonly vigil: Counted
  readonly #own: RingVigil
  readonly #ends: Listener<RingWire>[] = []
  playing = false
  /** How often the byte was passed on. */
  count = 0
  accepted = 0
  onByte: () => void = () => {}

  constructor() {
    super(system as Calls)
    this.#own = new RingVigil(this.ring, this.ring.bell, PACE)
    this.vigil = new Counted(this.#own)
    this.ring.vigil = this.vigil
  }

  protected take(fd: number): void {
    this.accepted++
    this.#add(new RingWire(this.ring, fd, true)).wire.resume()
  }

  #add(wire: RingWire): Listener<RingWire> {
    const end = new Listener(wire)
    end.onPiece = () => {
      end.received.length = 0
      this.count++
      this.onByte()
      if (this.playing) wire.write('x')
    }
    this.#ends.push(end)
    return end
  }

  /** A vigil lasts, or another one follows. */
  get isAtWork(): boolean {
    return this.#own.isAtWork
  }

  /** Waits until no vigil follows another one any more; resolves with their number. */
  async sleep(): Promise<number> {
    for (let begun = -1; begun !== this.vigil.begun; ) {
      begun = this.vigil.begun
      await new Promise((resolve) => setTimeout(resolve, 5 * PACE.turn))
    }
    return this.vigil.begun
  }

  /** Begins. */
  async play(): Promise<void> {
    this.playing = true
    const wire = new RingWire(this.ring, this.calls.socket(2, 0x80801), true)
    const { promise, resolve } = Promise.withResolvers<number>()
    this.#add(wire)
    wire.connect(internetAddress('127.0.0.1', this.port)!, { onRingConnected: resolve })
    assert.equal(await promise, 0)
    beginEvent()
    wire.resume()
    wire.write('x')
    flushWires()
    const { begun } = this.vigil
    await turnUntil(() => this.vigil.begun > begun + 3)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.playing = false
    for (const { wire } of this.#ends) wire.destroy()
    await turnUntil(() => this.#ends.every(({ wire }) => wire.closed) && !this.#own.isAtWork)
    this.#own.close()
    await this.end(() => true)
  }
}

test(
  'timers, promises, ticks, immediates, ports and the thread pool have their turn while events follow each other',
  options,
  async () => {
    await using bench = new Bench()
    await bench.play()
    const { port1, port2 } = new MessageChannel()
    for (let i = 0; i < 20; i++) {
      const begun = bench.vigil.begun
      const count = bench.count
      await new Promise((resolve) => setTimeout(resolve, 1))
      await new Promise((resolve) => setImmediate(resolve))
      await new Promise<void>((resolve) => soon(resolve, undefined))
      await new Promise<void>((resolve) => process.nextTick(resolve))
      await fs.stat('/')
      port1.postMessage('x')
      await once(port2, 'message')
      await turnUntil(() => bench.count > count && bench.vigil.begun > begun)
    }
    port1.close()
    assert.ok(bench.vigil.waits > bench.vigil.begun, 'the thread has waited by the ring')
  },
)

test('what is promised in an event goes on before the next wait', options, async () => {
  await using bench = new Bench()
  await bench.play()
  for (let i = 0; i < 100; i++) {
    const { promise, resolve } = Promise.withResolvers<number>()
    bench.onByte = async () => {
      bench.onByte = () => {}
      const { waits } = bench.vigil
      await undefined
      await new Promise<void>((done) => process.nextTick(done))
      resolve(bench.vigil.waits - waits)
    }
    assert.equal(await promise, 0, 'waits in between')
  }
})

test('a thread that has slept hears of a connection, whatever has woken it meanwhile', options, async () => {
  await using bench = new Bench()
  for (let round = 0; round < 3; round++) {
    await bench.play()
    bench.playing = false
    const begun = await bench.sleep()
    // Wakes by the thread pool and by a port, which ring bells of their own.
    const { port1, port2 } = new MessageChannel()
    for (let i = 0; i < 10; i++) {
      await fs.stat('/')
      port1.postMessage('x')
      await once(port2, 'message')
    }
    port1.close()
    assert.equal(bench.vigil.begun, begun, 'it slept')
    const before = bench.accepted
    const socket = net.connect({ port: bench.port, host: '127.0.0.1' })
    await once(socket, 'connect')
    await turnUntil(() => bench.accepted > before)
    socket.destroy()
  }
})

test('a thread with little to do does not stay', options, async () => {
  await using bench = new Bench()
  await bench.play()
  bench.playing = false
  await turnUntil(() => !bench.isAtWork)
  const { begun } = bench.vigil
  for (let i = 0; i < 5; i++) {
    const socket = net.connect({ port: bench.port, host: '127.0.0.1' })
    await once(socket, 'connect')
    socket.destroy()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.equal(bench.vigil.begun, begun)
})
