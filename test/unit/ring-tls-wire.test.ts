/**
 * TLS wires on a ring: both ends of a connection in one thread, which thus share OpenSSL's buffers, and clients of Node's.
 * Every byte is compared, and no connection of OpenSSL may be left.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { whyNoSsl } from '../../src/net/engine.ts'
import { beginEvent, flushWires } from '../../src/net/flush.ts'
import { Ring } from '../../src/net/ring.ts'
import { RingTlsClientWire } from '../../src/net/ring-tls-client-wire.ts'
import { RingTlsServerWire } from '../../src/net/ring-tls-server-wire.ts'
import type { RingTlsWire } from '../../src/net/ring-tls-wire.ts'
import type { SecureContextHandle } from '../../src/net/tls-wire.ts'
import { type ContextOptions, contextOf } from '../../src/net/tls-wire-context.ts'
import type { FilePiece } from '../../src/net/wire.ts'
import { type Calls, calls } from '../../src/sys/calls.ts'
import { internetAddress } from '../../src/sys/socket-address.ts'
import { sslCount } from '../../src/sys/ssl.ts'
import { Certificates } from '../harness/certificates.ts'
import { NotifyingSocket } from '../harness/close-notify.ts'
import { Listener, NORMAL_RING, pattern, RingAcceptor, turnUntil } from '../harness/ring-acceptor.ts'

const system = calls()
const why = typeof system === 'string' ? system : typeof Ring.open(system) === 'number' ? 'no io_uring' : whyNoSsl()
const options = why === '' ? { timeout: 60_000 } : { skip: why }

const certificates = new Certificates()
after(() => certificates.remove())
const pair = certificates.make('one.example')
const SETTINGS: ContextOptions = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  secureOptions: 0,
  ciphers: 'HIGH:!aNULL:!MD5',
  curves: '',
  signatureAlgorithms: '',
  trusted: '',
  crl: '',
  pairs: [],
}

function secure(settings: Partial<ContextOptions>): SecureContextHandle {
  const context = contextOf({ ...SETTINGS, ...settings })
  assert.ok('made' in context)
  return context.made
}

const own = secure({
  pairs: [{ certificate: pair.cert, key: pair.key }],
  server: {
    sessionIdContext: 'test',
    sessionIds: true,
    sessionTimeoutS: 300,
    dhparam: '',
    compression: false,
    earlyData: false,
    tickets: undefined,
  },
})

/** One end of a connection, with all that it has received. */
class End extends Listener<RingTlsWire> {
  secured = false

  onHandshake(): void {
    this.secured = true
  }
  onHandshakeFailed(): void {}
  override onBytes(buffer: Buffer, size: number): void {
    // The first that comes to a server is the beginning of TLS.
    if (!this.secured && this.wire instanceof RingTlsServerWire)
      return this.#secure(this.wire, buffer.subarray(0, size))
    super.onBytes(buffer, size)
  }
  #secure(wire: RingTlsServerWire, early: Buffer): void {
    const none = { session: undefined, store: undefined, ocsp: undefined, alpn: undefined, keyLog: undefined }
    wire.secure({ secure: own, requestCert: false, records: { largest: 16384, growing: undefined }, ...none }, this)
    wire.start(early, true)
  }
}

/** A ring that accepts on a port of its own. */
class Bench extends RingAcceptor implements AsyncDisposable {
  readonly servers: End[] = []
  readonly clients: End[] = []
  readonly #sockets: tls.TLSSocket[] = []

  constructor(sizes?: ConstructorParameters<typeof RingAcceptor>[1]) {
    super(system as Calls, sizes)
  }

  protected take(fd: number): void {
    const server = new End(new RingTlsServerWire(this.ring, fd, true))
    this.servers.push(server)
    server.wire.resume()
  }

  /** Both ends of a new connection on the ring. */
  async pair(): Promise<{ client: End; server: End }> {
    const client = await this.connect(this.port)
    await turnUntil(() => this.servers.at(-1)?.secured === true)
    return { client, server: this.servers.at(-1)! }
  }

  /** A connection to a server of TLS. */
  async connect(port: number): Promise<End> {
    const settings = { secure: secure({}), verify: false, depth: 1, sessions: undefined, keyLog: undefined }
    const target = { key: '', settings, serverName: 'one.example', name: '', alpn: '' }
    const fd = this.calls.socket(2, 0x80801)
    const wire = new RingTlsClientWire(this.ring, fd, true, { target, peer: 'test' })
    const client = new End(wire)
    this.clients.push(client)
    const onRingConnected = (result: number): void => {
      assert.equal(result, 0)
      wire.handshake(client)
    }
    wire.connect(internetAddress('127.0.0.1', port)!, { onRingConnected })
    await turnUntil(() => client.secured)
    return client
  }

  /** A client of Node's, and our end. */
  async socket(settings: tls.ConnectionOptions = {}): Promise<{ socket: tls.TLSSocket; server: End }> {
    const socket = tls.connect({ port: this.port, host: '127.0.0.1', rejectUnauthorized: false, ...settings })
    socket.on('error', () => {})
    this.#sockets.push(socket)
    await once(socket, 'secureConnect')
    await turnUntil(() => this.servers.at(-1)?.secured === true)
    return { socket, server: this.servers.at(-1)! }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { wire } of [...this.servers, ...this.clients]) wire.destroy()
    for (const socket of this.#sockets) socket.destroy()
    await this.end(() => [...this.servers, ...this.clients].every(({ wire }) => wire.closed))
    assert.equal(sslCount(), 0, 'every connection is freed')
  }
}

/** Writes as the data plane does: in an event. */
function inEvent(work: () => void): void {
  beginEvent()
  work()
  flushWires()
}

/** Writes text and bytes by turns, in sizes on both sides of all that matters. */
function writeMixed(end: End, bytes: Buffer): void {
  const sizes = [1, 700, 5000, 70_000, 3, 16_383, 16_384, 300_000]
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const part = bytes.subarray(at, at + sizes[i % sizes.length]!)
    if (i % 2 === 0) end.wire.write(part.latin1Slice())
    else end.wire.writeBytes(part, true)
    at += part.length
  }
}

for (const [what, sizes] of [
  ['room for all', NORMAL_RING],
  ['few buffers for input', { ...NORMAL_RING, inputs: 2 }],
  ['hardly room for anything', { entries: 2, completions: 4, inputs: 2, output: 4096 }],
] as const) {
  test(`many connections whose ends are in one thread, with ${what}`, options, async () => {
    await using bench = new Bench(sizes)
    const pairs: { client: End; server: End }[] = []
    for (let i = 0; i < 8; i++) pairs.push(await bench.pair())
    for (const [i, { client, server }] of pairs.entries()) {
      inEvent(() => writeMixed(client, pattern(200_000 + i, i)))
      inEvent(() => writeMixed(server, pattern(400_000 + i, i + 100)))
    }
    await turnUntil(() =>
      pairs.every(({ client, server }, i) => server.size === 200_000 + i && client.size === 400_000 + i),
    )
    for (const [i, { client, server }] of pairs.entries()) {
      assert.ok(server.bytes.equals(pattern(200_000 + i, i)), `to server ${i}`)
      assert.ok(client.bytes.equals(pattern(400_000 + i, i + 100)), `to client ${i}`)
    }
    for (const { client } of pairs) inEvent(() => client.wire.end())
    await turnUntil(() => pairs.every(({ server }) => server.ended))
  })
}

test('an owner that pauses at every piece gets all of them', options, async () => {
  await using bench = new Bench({ ...NORMAL_RING, inputs: 4 })
  const { client, server } = await bench.pair()
  let pieces = 0
  server.onPiece = ({ wire }) => {
    wire.pause()
    if (pieces++ % 3 === 0) wire.resume()
    else setImmediate(() => wire.resume())
  }
  const bytes = pattern(2_000_000, 1)
  inEvent(() => {
    writeMixed(client, bytes)
    client.wire.end()
  })
  await turnUntil(() => server.ended)
  assert.ok(server.bytes.equals(bytes))
})

test('what waits for an owner comes before the end of the socket, wherever it was cut', options, async () => {
  await using bench = new Bench()
  for (let size = 160_000; size < 265_000; size += 5000) {
    const count = bench.servers.length
    using client = await NotifyingSocket.connect(bench.port)
    await turnUntil(() => bench.servers[count]?.secured === true)
    const server = bench.servers.at(-1)!
    server.onPiece = ({ wire }) => wire.pause()
    const bytes = pattern(size, size)
    client.tls.write(bytes, () => client.socket.end())
    while (!server.ended) {
      // All that is on its way has come by then, or comes later: both are tried.
      await new Promise((resolve) => setTimeout(resolve, 5))
      server.wire.resume()
    }
    assert.equal(server.size, size)
    assert.ok(server.bytes.equals(bytes))
  }
})

test('what comes with the end of the handshake waits for an owner that pauses there', options, async () => {
  await using bench = new Bench()
  const { socket, server } = await bench.socket({ maxVersion: 'TLSv1.3' })
  server.wire.pause()
  const bytes = pattern(100_000, 7)
  socket.write(bytes)
  await turnUntil(() => !server.wire.intact)
  assert.equal(server.size, 0)
  server.wire.resume()
  await turnUntil(() => server.size === bytes.length)
  assert.ok(server.bytes.equals(bytes))
})

test('a peer that reads late gets every byte, and then the end', options, async () => {
  await using bench = new Bench()
  const { socket, server } = await bench.socket()
  socket.pause()
  const bytes = pattern(5_000_000, 3)
  let drained = 0
  server.drained = () => drained++
  inEvent(() => writeMixed(server, bytes))
  assert.ok(server.wire.full)
  inEvent(() => server.wire.closeAfterFlush(30_000))
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece)).resume()
  await once(socket, 'end')
  assert.ok(Buffer.concat(pieces).equals(bytes))
  assert.equal(drained, 0, 'nobody is told any more')
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${version}: the end is told properly, by either side`, options, async () => {
    await using bench = new Bench()
    const only = { minVersion: version, maxVersion: version }
    const first = await bench.socket(only)
    assert.deepEqual(
      [first.socket.getProtocol(), (first.server.wire as RingTlsServerWire).protocol],
      [version, version],
    )
    let text = ''
    first.socket.on('data', (piece: Buffer) => {
      text += piece.latin1Slice()
    })
    inEvent(() => {
      first.server.wire.write('the last words')
      first.server.wire.destroy()
    })
    // Without the word that ends the connection this would be an error.
    await once(first.socket, 'end')
    assert.equal(text, 'the last words')
    const second = await bench.socket(only)
    second.socket.end('bye')
    await turnUntil(() => second.server.ended)
    assert.equal(second.server.bytes.latin1Slice(), 'bye')
    assert.equal(second.server.failure, undefined)
  })
}

test('a wrong record is a failure, with what OpenSSL says', options, async () => {
  await using bench = new Bench()
  const { socket, server } = await bench.socket()
  const raw = (socket as unknown as { _handle: { _parent: { writeLatin1String(r: object, t: string): number } } })
    ._handle
  raw._parent.writeLatin1String({ oncomplete() {} }, `\x17\x03\x03\x00\x20${'x'.repeat(32)}`)
  await turnUntil(() => server.closed)
  assert.ok(server.failure?.kind === 'tls')
  assert.match(
    server.failure.problem,
    /^SSL_read\(\) failed \(SSL: error:0A000119:SSL routines::decryption failed or bad record mac/,
  )
})

test('a server that begins another handshake in the middle gets everything', options, async () => {
  await using bench = new Bench()
  const pieces: Buffer[] = []
  let again = false
  const server = tls.createServer({ cert: pair.cert, key: pair.key, maxVersion: 'TLSv1.2' }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', (piece: Buffer) => {
      if (pieces.push(piece) > 1) return
      socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, (error) => {
        again = error === null
      })
      socket.write('go on')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = await bench.connect((server.address() as net.AddressInfo).port)
  const bytes = pattern(500_000, 5)
  inEvent(() => client.wire.writeBytes(bytes.subarray(0, 1000), true))
  // What is written while the client's part of the handshake is on its way must wait.
  await turnUntil(() => client.size > 0)
  for (let at = 1000; at < bytes.length; at += 49_900) {
    inEvent(() => writeMixed(client, bytes.subarray(at, at + 49_900)))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await turnUntil(() => pieces.reduce((sum, piece) => sum + piece.length, 0) === bytes.length)
  assert.ok(Buffer.concat(pieces).equals(bytes))
  assert.equal(again, true)
  client.wire.destroy()
  server.close()
})

/** A file of those bytes on the disk, and parts of it, which say when they are not needed any more. */
class TestFile implements Disposable {
  readonly #path = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-file-')), 'file')
  readonly #fd: number
  /** What was missing of each part that is done. */
  readonly told: number[] = []

  constructor(bytes: Buffer) {
    fs.writeFileSync(this.#path, bytes)
    this.#fd = fs.openSync(this.#path, 'r')
  }

  part(at: number, length: number): FilePiece {
    return { fd: this.#fd, at, length, done: (missing) => this.told.push(missing) }
  }

  shorten(size: number): void {
    fs.truncateSync(this.#path, size)
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.#fd)
    fs.rmSync(path.dirname(this.#path), { recursive: true })
  }
}

for (const [what, records] of [
  ['large records', { largest: 16_384, growing: undefined }],
  ['records of a size that divides nothing', { largest: 5_000, growing: undefined }],
  ['records that grow', { largest: 16_384, growing: { low: 1369, high: 4229, threshold: 7, timeoutMs: 1e9 } }],
] as const) {
  test(`files and bytes by turns, to peers that read now and then, in ${what}`, options, async () => {
    await using bench = new Bench()
    const bytes = pattern(3_000_001, 11)
    using file = new TestFile(bytes)
    const sizes = [1, 300, 40_000, 16_384, 700_000, 65_536, 5]
    const ends = [await bench.socket({ maxVersion: 'TLSv1.2' }), await bench.socket(), await bench.socket()]
    const got = ends.map(() => [] as Buffer[])
    for (const [n, { socket, server }] of ends.entries()) {
      socket.pause()
      Object.assign(server.wire, { recordSizes: records })
      let parts = 0
      for (let at = 0, i = n; at < bytes.length; i++) {
        const size = Math.min(sizes[i % sizes.length]!, bytes.length - at)
        inEvent(() => {
          if (i % 3 === 0) server.wire.write(bytes.latin1Slice(at, at + size))
          else if (i % 3 === 1) server.wire.writeBytes(bytes.subarray(at, at + size), true)
          else server.wire.writeFile(file.part(at, size))
        })
        if (i % 3 === 2) parts++
        at += size
      }
      assert.ok(server.wire.full)
      inEvent(() => server.wire.end())
      socket.on('data', (piece: Buffer) => {
        got[n]!.push(piece)
        if (got[n]!.length % 16 !== 0) return
        socket.pause()
        setImmediate(() => socket.resume())
      })
      assert.ok(parts > 0)
    }
    for (const { socket } of ends) socket.resume()
    await Promise.all(ends.map(({ socket }) => once(socket, 'end')))
    for (const [n, pieces] of got.entries()) assert.ok(Buffer.concat(pieces).equals(bytes), `to peer ${n}`)
    assert.ok(file.told.every((missing) => missing === 0))
  })
}

test('what a peer does not take is not encrypted: it waits as a file', options, async () => {
  await using bench = new Bench()
  using file = new TestFile(pattern(200_000, 1))
  const { socket, server } = await bench.socket()
  socket.pause()
  // More than the buffers of both sides can have.
  let parts = 0
  for (; parts < 200; parts++) inEvent(() => server.wire.writeFile(file.part(0, 200_000)))
  await turnUntil(() => server.wire.pendingBytes < 200 * 200_000)
  let before = 0
  await turnUntil(() => before === (before = file.told.length) && before > 0)
  assert.ok(file.told.length < 200)
  inEvent(() => server.wire.destroy())
  await turnUntil(() => server.closed)
  assert.deepEqual(file.told, new Array(200).fill(0), 'given back by a wire that is closed')
})

/** Relays to a port, and keeps the types of the records that come from there. */
async function relay(port: number): Promise<{ port: number; types: number[]; close(): void }> {
  const types: number[] = []
  let rest = Buffer.alloc(0)
  const server = net.createServer((client) => {
    const back = net.connect(port, '127.0.0.1')
    for (const one of [client, back]) one.on('error', () => {})
    client.pipe(back).pipe(client)
    back.on('data', (piece) => {
      rest = Buffer.concat([rest, piece])
      for (
        ;
        rest.length >= 5 && rest.length >= 5 + rest.readUInt16BE(3);
        rest = rest.subarray(5 + rest.readUInt16BE(3))
      )
        types.push(rest[0]!)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as net.AddressInfo).port, types, close: () => server.close() }
}

test('a file that has become shorter ends the connection, and not properly', options, async () => {
  await using bench = new Bench()
  using file = new TestFile(pattern(300_000, 1))
  const between = await relay(bench.port)
  const { socket, server } = await bench.socket({ port: between.port, maxVersion: 'TLSv1.2' })
  let size = 0
  socket.on('data', (piece: Buffer) => {
    size += piece.length
  })
  file.shorten(100_000)
  inEvent(() => {
    server.wire.write('a head')
    server.wire.writeFile(file.part(0, 300_000))
  })
  await once(socket, 'close')
  between.close()
  assert.deepEqual([size, file.told, server.closed], [100_006, [200_000], true])
  // Data: an alert would have said that this was all.
  assert.equal(between.types.at(-1), 23)
})

test('connections that are closed at any moment leave nothing behind', options, async () => {
  await using bench = new Bench()
  for (let round = 0; round < 60; round++) {
    const { client, server } = await bench.pair()
    inEvent(() => writeMixed(client, pattern(50_000, round)))
    inEvent(() => writeMixed(server, pattern(50_000, round)))
    if (round % 3 === 0) await turnUntil(() => server.size > 0)
    const one = round % 2 === 0 ? client : server
    if (round % 5 === 0) one.wire.reset()
    else one.wire.destroy()
    await turnUntil(() => one.closed)
  }
})
