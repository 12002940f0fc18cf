/**
 * TLS wires on a ring: both ends of a connection in one thread, which thus share OpenSSL's buffers, and clients of Node's.
 * Every byte is compared, and no connection of OpenSSL may be left.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type net from 'node:net'
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
import { type Calls, calls } from '../../src/sys/calls.ts'
import { internetAddress } from '../../src/sys/socket-address.ts'
import { sslCount } from '../../src/sys/ssl.ts'
import { Certificates } from '../harness/certificates.ts'
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
