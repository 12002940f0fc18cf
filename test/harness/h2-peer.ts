/**
 * An HTTP/2 back end made of a raw socket: what it sends is up to the test, frame by frame.
 *
 *     await using peer = await H2Peer.start((stream) => stream.reply('hello'))
 *     ... proxy_http_version 2; proxy_pass http://127.0.0.1:${peer.port};
 *     assert.equal(peer.streams[0].fields.get(':path'), '/')
 */
import { once } from 'node:events'
import net from 'node:net'
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frameHead,
  goAway,
  HEADERS,
  PING,
  PREFACE,
  pingAck,
  rstStream,
  SETTINGS,
  settingsFrame,
  windowUpdate,
} from '../../src/http/h2/wire/frames.ts'
import { HpackDecoder } from '../../src/http/h2/wire/hpack-decoder.ts'
import { encodeField } from '../../src/http/h2/wire/hpack-encoder.ts'

const WAIT_TIMEOUT_MS = 10_000

/** A frame as it came. */
export interface H2Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

type Field = readonly [name: string, value: string]

/** One header block, in as many frames as `pieces` says. */
export function headFrames(id: number, fields: readonly Field[], last = false, pieces = 1): string {
  const block = fields.map(([name, value]) => encodeField(name, value)).join('')
  const size = Math.ceil(block.length / pieces)
  let frames = ''
  for (let i = 0; i < pieces; i++) {
    const part = block.slice(i * size, (i + 1) * size)
    const flags = (i === pieces - 1 ? END_HEADERS : 0) | (i === 0 && last ? END_STREAM : 0)
    frames += frameHead(part.length, i === 0 ? HEADERS : CONTINUATION, flags, id) + part
  }
  return frames
}

/** One DATA frame. */
export function dataFrame(id: number, data: string, last = false): string {
  return frameHead(data.length, DATA, last ? END_STREAM : 0, id) + data
}

/** A request as the peer saw it, and the way to answer it. */
export class PeerStream {
  readonly connection: PeerConnection
  readonly id: number
  readonly fields = new Map<string, string>()
  body = ''
  ended = false
  /** The code of an RST_STREAM, or -1. */
  resetWith = -1

  constructor(connection: PeerConnection, id: number) {
    this.connection = connection
    this.id = id
  }

  get path(): string {
    return this.fields.get(':path') ?? ''
  }

  send(frames: string): void {
    this.connection.send(frames)
  }

  head(fields: readonly Field[] = [], last = false): void {
    this.send(headFrames(this.id, [[':status', '200'], ...fields], last))
  }

  data(text: string, last = false): void {
    this.send(dataFrame(this.id, text, last))
  }

  trailers(fields: readonly Field[]): void {
    this.send(headFrames(this.id, fields, true))
  }

  /** A whole response. */
  reply(body: string, fields: readonly Field[] = []): void {
    this.send(
      headFrames(this.id, [[':status', '200'], ['content-length', String(body.length)], ...fields]) +
        dataFrame(this.id, body, true),
    )
  }

  reset(code: number): void {
    this.send(rstStream(this.id, code))
  }
}

/** One connection to the peer. */
export class PeerConnection {
  readonly peer: H2Peer
  readonly socket: net.Socket
  /** Counts from 0. */
  readonly number: number
  readonly frames: H2Frame[] = []
  readonly streams = new Map<number, PeerStream>()
  closed = false
  readonly #decoder = new HpackDecoder(4096)
  #bytes: Buffer = Buffer.alloc(0)
  #preface = false
  #block: Buffer = Buffer.alloc(0)
  #blockFlags = 0

  constructor(peer: H2Peer, socket: net.Socket, number: number) {
    this.peer = peer
    this.socket = socket
    this.number = number
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
    socket.on('end', () => this.#close())
    socket.on('close', () => this.#close())
  }

  send(frames: string): void {
    if (!this.socket.destroyed) this.socket.write(frames, 'latin1')
  }

  goAway(last: number, code: number): void {
    this.send(goAway(last, code))
  }

  window(stream: number, count: number): void {
    this.send(windowUpdate(stream, count))
  }

  settings(pairs: readonly (readonly [number, number])[]): void {
    this.send(settingsFrame(pairs))
  }

  #close(): void {
    if (this.closed) return
    this.closed = true
    this.socket.end()
    this.peer.changed()
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    if (!this.#preface) {
      if (this.#bytes.length < PREFACE.length) return
      if (this.#bytes.latin1Slice(0, PREFACE.length) !== PREFACE) return this.socket.destroy() as unknown as undefined
      this.#preface = true
      this.#bytes = this.#bytes.subarray(PREFACE.length)
      this.send(this.peer.greeting)
    }
    while (this.#bytes.length >= 9) {
      const size = this.#bytes.readUIntBE(0, 3)
      if (this.#bytes.length < 9 + size) break
      const frame = {
        type: this.#bytes[3]!,
        flags: this.#bytes[4]!,
        stream: this.#bytes.readUInt32BE(5) & 0x7fffffff,
        payload: this.#bytes.subarray(9, 9 + size),
      }
      this.#bytes = this.#bytes.subarray(9 + size)
      this.#onFrame(frame)
    }
    this.peer.changed()
  }

  #onFrame(frame: H2Frame): void {
    this.frames.push(frame)
    const { type, flags, stream: id, payload } = frame
    const stream = this.streams.get(id)
    if (type === SETTINGS && (flags & 1) === 0) this.send(frameHead(0, SETTINGS, 1, 0))
    else if (type === PING && (flags & 1) === 0 && this.peer.answersPings) {
      this.send(pingAck(payload.latin1Slice()))
    } else if (type === HEADERS || type === CONTINUATION) this.#onHeaders(frame)
    else if (type === DATA && stream !== undefined) {
      stream.body += payload.latin1Slice()
      if (this.peer.opensWindows && payload.length > 0)
        this.send(windowUpdate(0, payload.length) + windowUpdate(id, payload.length))
      if ((flags & END_STREAM) !== 0) this.#ended(stream)
      else this.peer.onData(stream)
    } else if (type === 3 && stream !== undefined) stream.resetWith = payload.readUInt32BE()
  }

  #onHeaders({ type, flags, stream: id, payload }: H2Frame): void {
    this.#block = type === HEADERS ? Buffer.from(payload) : Buffer.concat([this.#block, payload])
    if (type === HEADERS) this.#blockFlags = flags
    if ((flags & END_HEADERS) === 0) return
    const stream = new PeerStream(this, id)
    const to = { onField: (name: string, _hash: number, value: string) => void stream.fields.set(name, value) }
    if (!this.#decoder.decode(this.#block, 0, this.#block.length, to)) throw new Error(this.#decoder.problem)
    this.streams.set(id, stream)
    this.peer.streams.push(stream)
    this.peer.onHead(stream)
    if ((this.#blockFlags & END_STREAM) !== 0) this.#ended(stream)
  }

  #ended(stream: PeerStream): void {
    stream.ended = true
    this.peer.onRequest(stream)
  }
}

/** A listening back end; its disposal ends every connection. */
export class H2Peer implements AsyncDisposable {
  readonly streams: PeerStream[] = []
  readonly connections: PeerConnection[] = []
  /** What is sent first. */
  greeting: string = settingsFrame([])
  /** Gives back the window for all that comes. */
  opensWindows = true
  answersPings = true
  /** A request has begun. */
  onHead: (stream: PeerStream) => void = () => {}
  onData: (stream: PeerStream) => void = () => {}
  /** A request is complete. */
  onRequest: (stream: PeerStream) => void
  readonly #server: net.Server
  #wake: (() => void)[] = []

  private constructor(onRequest: (stream: PeerStream) => void) {
    this.onRequest = onRequest
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.connections.push(new PeerConnection(this, socket, this.connections.length))
      this.changed()
    })
  }

  static async start(onRequest: (stream: PeerStream) => void = (stream) => stream.reply('ok')): Promise<H2Peer> {
    const peer = new H2Peer(onRequest)
    await once(peer.#server.listen({ port: 0, host: '127.0.0.1' }), 'listening')
    return peer
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  /** Resolves when `condition` holds after some bytes, connections or ends. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(WAIT_TIMEOUT_MS)
    while (!condition()) {
      const change = new Promise<void>((resolve) => this.#wake.push(resolve))
      const late = new Promise<never>((_, reject) => {
        deadline.onabort = () =>
          reject(new Error(`the peer got only ${this.streams.map(({ path }) => path).join(' ')}`))
      })
      await Promise.race([change, late])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.connections) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
