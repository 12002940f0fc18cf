/**
 * Wires on a ring that is far too small for what they are asked for: full queues, no buffers, full sockets, peers that stop
 * reading, closing in the middle, numbers of descriptors that are used again. Every byte is compared.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'
import { beginEvent, flushWires } from '../../src/net/flush.ts'
import { Ring } from '../../src/net/ring.ts'
import { RingWire } from '../../src/net/ring-wire.ts'
import { type Calls, calls } from '../../src/sys/calls.ts'
import { Listener, NORMAL_RING, pattern, RingAcceptor, turnUntil } from '../harness/ring-acceptor.ts'

const system = calls()
const skip = typeof system === 'string' ? system : typeof Ring.open(system) === 'number' ? 'no io_uring' : ''
const options = skip === '' ? { timeout: 30_000 } : { skip }

type Accepted = Listener<RingWire>

/** A ring that accepts on a port of its own. */
class Bench extends RingAcceptor implements AsyncDisposable {
  readonly accepted: Accepted[] = []
  readonly #peers: net.Socket[] = []
  onAccept: (accepted: Accepted) => void = (accepted) => accepted.wire.resume()
  /** SO_SNDBUF of connections that are accepted; 0: the system's. */
  sendBuffer = 0

  constructor(sizes?: ConstructorParameters<typeof RingAcceptor>[1]) {
    super(system as Calls, sizes)
  }

  protected take(fd: number): void {
    if (this.sendBuffer > 0) this.calls.setOption(fd, 1, 7, new Uint8Array(Int32Array.of(this.sendBuffer).buffer))
    const one = new Listener(new RingWire(this.ring, fd, true))
    this.accepted.push(one)
    this.onAccept(one)
  }

  async connect(): Promise<net.Socket> {
    const socket = net.connect({ port: this.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {})
    this.#peers.push(socket)
    await once(socket, 'connect')
    return socket
  }

  /** Connects, and returns both ends. */
  async pair(): Promise<{ socket: net.Socket; one: Accepted }> {
    const socket = await this.connect()
    const port = socket.localPort
    await turnUntil(() => this.accepted.some((one) => one.wire.remotePort === port))
    return { socket, one: this.accepted.find((one) => one.wire.remotePort === port)! }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { wire } of this.accepted) wire.destroy()
    for (const socket of this.#peers) socket.destroy()
    await this.end(() => this.accepted.every(({ wire }) => wire.closed))
  }
}

async function readAll(socket: net.Socket): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of socket) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

/** Writes as the data plane does: in an event. */
function inEvent(work: () => void): void {
  beginEvent()
  work()
  flushWires()
}

/** Writes text and bytes by turns, in sizes on both sides of all that matters. */
function writeMixed(one: Accepted, bytes: Buffer): void {
  const sizes = [1, 700, 5000, 70_000, 3, 300_000]
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const part = bytes.subarray(at, at + sizes[i % sizes.length]!)
    if (i % 2 === 0) one.wire.write(part.latin1Slice())
    else one.wire.writeBytes(part, true)
    at += part.length
  }
}

test('a peer that reads late gets every byte in order, whatever the kernel took at once', options, async () => {
  await using bench = new Bench()
  const { socket, one } = await bench.pair()
  socket.pause()
  const bytes = pattern(9_000_000, 1)
  for (let at = 0; at < bytes.length; at += 1_000_000) {
    inEvent(() => writeMixed(one, bytes.subarray(at, at + 1_000_000)))
  }
  assert.ok(one.wire.full)
  let drained = 0
  one.drained = () => drained++
  inEvent(() => one.wire.end())
  assert.ok((await readAll(socket)).equals(bytes))
  await turnUntil(() => drained === 1 && one.wire.pendingBytes === 0)
})

for (const [who, isLate] of [
  ['at once', false],
  ['late', true],
] as const) {
  test(`bytes that were lent may be written over, whether a peer reads ${who} or not`, options, () => lends(isLate))
}

/** Each piece is overwritten by the next as soon as it is written, with texts and little pieces in between. */
async function lends(isLate: boolean): Promise<void> {
  await using bench = new Bench()
  const { socket, one } = await bench.pair()
  if (isLate) socket.pause()
  const bytes = pattern(6_000_000, 7)
  const lent = Buffer.alloc(65_536)
  const sizes = [65_536, 16_384, 16_385, 40_000, 5000, 100]
  const whole = readAll(socket)
  if (isLate) socket.pause()
  for (let at = 0, i = 0; at < bytes.length; i++) {
    inEvent(() => {
      for (let n = 0; n <= i % 3 && at < bytes.length; n++) {
        const size = sizes[(i + n) % sizes.length]!
        const part = bytes.subarray(at, at + size)
        part.copy(lent)
        one.wire.writeBytes(lent.subarray(0, part.length), false)
        lent.fill(0)
        one.wire.write(bytes.toString('latin1', at + part.length, at + part.length + 10))
        at += part.length + 10
      }
    })
    if (!isLate) await new Promise((resolve) => setImmediate(resolve))
  }
  inEvent(() => one.wire.end())
  if (isLate) {
    assert.ok(one.wire.full)
    socket.resume()
  }
  assert.ok((await whole).equals(bytes))
}

test('closing behind output sends all of it; closing at once does not wait', options, async () => {
  await using bench = new Bench()
  const bytes = pattern(4_000_000, 2)
  const { socket, one } = await bench.pair()
  socket.pause()
  inEvent(() => {
    writeMixed(one, bytes)
    one.wire.closeAfterFlush(20_000)
  })
  assert.ok((await readAll(socket)).equals(bytes))
  const other = await bench.pair()
  inEvent(() => {
    other.one.wire.write('the last words')
    other.one.wire.destroy()
  })
  assert.equal((await readAll(other.socket)).latin1Slice(), 'the last words')
  const third = await bench.pair()
  third.socket.pause()
  inEvent(() => {
    writeMixed(third.one, bytes)
    third.one.wire.destroy()
  })
  await turnUntil(() => third.one.closed)
  const got = await readAll(third.socket)
  assert.ok(got.length < bytes.length && got.equals(bytes.subarray(0, got.length)))
})

test('closing leaves with the last bytes, and waits for them when they do not fit', options, async () => {
  await using bench = new Bench()
  const descriptors = fs.readdirSync('/proc/self/fd').length
  // Those that do not fit are closed once as they should be, and once at once.
  for (const [size, isHasty] of [[1], [3000], [100_000], [100_000, true]] as const) {
    bench.sendBuffer = 4608
    const { socket, one } = await bench.pair()
    const bytes = pattern(size, size)
    socket.pause()
    inEvent(() => {
      one.wire.write(bytes.latin1Slice())
      one.wire.closeAfterFlush(20_000)
      if (isHasty) one.wire.destroy()
    })
    // What fits has gone without another turn.
    assert.equal(one.wire.pendingBytes > 0, size === 100_000 && !isHasty, `${size} bytes`)
    const got = await readAll(socket)
    assert.ok(got.equals(isHasty ? bytes.subarray(0, got.length) : bytes))
    await turnUntil(() => one.wire.closed)
    socket.destroy()
  }
  await turnUntil(() => fs.readdirSync('/proc/self/fd').length <= descriptors)
})

test('closing behind output gives up on a peer that does not read', options, async () => {
  await using bench = new Bench()
  const { socket, one } = await bench.pair()
  socket.pause()
  inEvent(() => {
    writeMixed(one, pattern(9_000_000, 3))
    one.wire.closeAfterFlush(30)
  })
  await turnUntil(() => one.wire.closed)
  assert.equal(bench.ring.blocked, 0)
})

test('a wire that is paused takes in what has come, and no more', options, async () => {
  await using bench = new Bench()
  bench.onAccept = () => {}
  const { socket, one } = await bench.pair()
  one.onPiece = ({ wire }) => wire.pause()
  one.wire.resume()
  const bytes = pattern(20_000_000, 4)
  socket.end(bytes)
  await turnUntil(() => one.size > 0)
  // Turns in which a wire that goes on reading would take in everything.
  const before = socket.writableLength
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(socket.writableLength > 0 && before > 0, 'the kernel makes the peer wait')
  assert.ok(one.size <= 16384)
  one.onPiece = () => {}
  one.wire.resume()
  await turnUntil(() => one.ended)
  assert.ok(one.bytes.equals(bytes))
})

for (const [how, pieceByPiece, most] of [
  ['again and again', false, 33],
  ['piece by piece', true, 1],
] as const) {
  test(`what has come on a paused wire is bounded where the kernel receives ${how}`, options, () =>
    stays(pieceByPiece, most),
  )
}

/** A peer has said little before; then it says much, while the wire is paused, which keeps `most` pieces. */
async function stays(pieceByPiece: boolean, most: number): Promise<void> {
  await using bench = new Bench({ ...NORMAL_RING, inputs: 512, pieceByPiece })
  const { socket, one } = await bench.pair()
  for (let i = 1; i <= 3; i++) {
    socket.write('chat')
    await turnUntil(() => one.size === 4 * i)
  }
  one.wire.pause()
  const bytes = pattern(4_000_000, 6)
  socket.end(bytes)
  await turnUntil(() => !one.wire.intact)
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
  const sizes: number[] = []
  one.onPiece = ({ received }) => sizes.push(received.at(-1)!.length)
  one.wire.resume()
  await turnUntil(() => one.ended)
  assert.ok(one.bytes.subarray(12).equals(bytes))
  // What was kept is told first, in the pieces in which it came: the kernel receives one, and tries 32 times for more.
  const kept = sizes.findIndex((size) => size > 4096)
  assert.ok(kept > 0 && kept <= most, `${kept} pieces`)
}

test('who says little has its turn among many who have much to say', options, async () => {
  await using bench = new Bench({ ...NORMAL_RING, inputs: 512 })
  const quiet = await bench.pair()
  let waited = 0
  let waiting = false
  bench.onAccept = (one) => {
    one.onPiece = ({ received }) => {
      const { length } = received.pop()!
      if (waiting) waited += length
      else if (length > 4096 && quiet.one.size === 0) {
        waiting = true
        quiet.socket.write('!')
      }
    }
  }
  const many = await Promise.all(Array.from({ length: 150 }, () => bench.connect()))
  await turnUntil(() => bench.accepted.length === 151)
  for (const socket of many) socket.end(pattern(400_000, 7))
  quiet.one.onPiece = () => {
    waiting = false
  }
  for (const { wire } of bench.accepted) wire.resume()
  await turnUntil(() => quiet.one.size === 1)
  assert.ok(waited > 0 && waited < 3_000_000, `${waited} bytes came first`)
})

test('pausing and going on at every piece loses nothing', options, async () => {
  await using bench = new Bench({ ...NORMAL_RING, inputs: 4 })
  const bytes = pattern(3_000_000, 5)
  const { socket, one } = await bench.pair()
  let pieces = 0
  one.onPiece = ({ wire }) => {
    wire.pause()
    if (pieces++ % 3 === 0) wire.resume()
    else setImmediate(() => wire.resume())
  }
  socket.end(bytes)
  await turnUntil(() => one.ended)
  assert.ok(one.bytes.equals(bytes))
})

test('an end that comes while a wire is paused is told when it goes on', options, async () => {
  await using bench = new Bench()
  const { socket, one } = await bench.pair()
  one.wire.pause()
  socket.end('bye')
  await turnUntil(() => !one.wire.intact)
  assert.deepEqual([one.size, one.ended], [0, false])
  assert.equal(one.wire.fresh, false)
  one.wire.resume()
  await turnUntil(() => one.ended)
  assert.equal(one.bytes.latin1Slice(), 'bye')
})

for (const [what, sizes] of [
  ['buffers for input', { ...NORMAL_RING, inputs: 2 }],
  ['room for completions', { ...NORMAL_RING, entries: 4, completions: 8 }],
  ['room for what is asked for', { ...NORMAL_RING, entries: 2, completions: 64 }],
  ['room for output', { ...NORMAL_RING, output: 8192 }],
  ['anything', { entries: 2, completions: 4, inputs: 2, output: 4096 }],
] as const) {
  test(`many that send and receive at once, without enough ${what}`, options, async () => {
    await using bench = new Bench(sizes)
    // Everybody is answered with the same bytes.
    bench.onAccept = (one) => {
      one.onPiece = ({ wire, received }) => wire.writeBytes(received.at(-1)!, false)
      one.wire.resume()
    }
    const sockets = await Promise.all(Array.from({ length: 40 }, () => bench.connect()))
    const sent = sockets.map((_, i) => pattern(150_000 + i * 1000, i + 10))
    const answers = sockets.map(async (socket, i) => {
      socket.write(sent[i]!)
      const pieces: Buffer[] = []
      let size = 0
      while (size < sent[i]!.length) {
        const [piece] = (await once(socket, 'data')) as [Buffer]
        pieces.push(piece)
        size += piece.length
      }
      return Buffer.concat(pieces)
    })
    const got = await Promise.all(answers)
    for (const [i, bytes] of got.entries()) assert.ok(bytes.equals(sent[i]!), `connection ${i}`)
  })
}

test('nothing of a connection reaches the one that has its number next', options, async () => {
  await using bench = new Bench()
  for (let round = 0; round < 100; round++) {
    const { socket, one } = await bench.pair()
    socket.write(pattern(100_000, round))
    inEvent(() => one.wire.write(`old ${round}`))
    if (round % 3 === 0) await turnUntil(() => one.size > 0)
    if (round % 2 === 0) one.wire.destroy()
    else one.wire.reset()
    const next = await bench.pair()
    assert.equal(next.one.size, 0)
    next.socket.write('new')
    inEvent(() => next.one.wire.write(`answer ${round}`))
    const [data] = (await once(next.socket, 'data')) as [Buffer]
    assert.equal(data.latin1Slice(), `answer ${round}`)
    await turnUntil(() => next.one.size > 0)
    assert.equal(next.one.bytes.latin1Slice(), 'new')
    next.one.wire.destroy()
    socket.destroy()
    next.socket.destroy()
  }
  const left = fs.readdirSync('/proc/self/fd').length
  assert.ok(left < 100, `${left} descriptors`)
})

test('a reset is a failure, for who reads and for who writes', options, async () => {
  await using bench = new Bench()
  const reading = await bench.pair()
  reading.socket.resetAndDestroy()
  await turnUntil(() => reading.one.closed)
  assert.deepEqual(reading.one.failure, { kind: 'system', call: 'recv', errno: 'ECONNRESET', on: '' })
  const writing = await bench.pair()
  writing.one.wire.pause()
  writing.socket.resetAndDestroy()
  await once(writing.socket, 'close')
  while (!writing.one.closed) {
    inEvent(() => writing.one.wire.write('anybody?'))
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(writing.one.failure?.kind, 'system')
})

test('a ring that nothing happens on costs nothing', options, async () => {
  await using bench = new Bench()
  await bench.pair()
  const before = process.cpuUsage()
  await new Promise((resolve) => setTimeout(resolve, 300))
  const { user, system: kernel } = process.cpuUsage(before)
  assert.ok(user + kernel < 100_000, `${user + kernel} us`)
})
