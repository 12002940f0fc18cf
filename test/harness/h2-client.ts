/**
 * A client that speaks HTTP/2 frame by frame, so that tests can say what no well-behaved client says:
 *
 *     await using client = await H2Client.connect(server.prefix.port())
 *     client.request(1, { path: '/x' })
 *     const { status, body } = await client.response(1)
 */
import net from 'node:net'
import tls from 'node:tls'
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frameHead,
  GOAWAY,
  HEADERS,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  SETTINGS_ACK,
  settingsFrame,
  u24,
  u31,
  u32,
  WINDOW_UPDATE,
} from '../../src/http/h2/wire/frames.ts'
import { HpackDecoder } from '../../src/http/h2/wire/hpack-decoder.ts'
import { encodeField } from '../../src/http/h2/wire/hpack-encoder.ts'

const WAIT_MS = 8000
const SHOWN = 30

/** A frame as it came. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
  /** Decoded, for HEADERS (with what CONTINUATION adds). */
  readonly fields: readonly (readonly [string, string])[]
}

/** What a test says about a request. */
export interface RequestOptions {
  readonly method?: string
  readonly path?: string
  readonly authority?: string
  readonly fields?: readonly (readonly [string, string])[]
  /** All fields, pseudo-fields too, in place of the usual ones. */
  readonly raw?: readonly (readonly [string, string])[]
  readonly body?: string
  /** The client goes on after the head (and the body, if there is one). */
  readonly open?: boolean
}

/** A whole response. */
export interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly trailers: Readonly<Record<string, string>> | undefined
  readonly interim: readonly number[]
  /** The code of the RST_STREAM that ended it. */
  readonly reset: number | undefined
}

/** How a client connects. */
export interface ConnectOptions {
  readonly settings?: readonly (readonly [number, number])[]
  /** Sends nothing by itself, not even the preface. */
  readonly silent?: boolean
  /** Over TLS, with ALPN. */
  readonly tls?: boolean
  /** Windows are opened as DATA comes. */
  readonly greedy?: boolean
}

/** Joins fields to a block. */
export function blockOf(fields: readonly (readonly [string, string])[]): string {
  return fields.map(([name, value]) => encodeField(name, value)).join('')
}

/** A number of four bytes. */
export function u32Text(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}

/** The fields that every request has. */
export function requestFields(options: RequestOptions = {}): (readonly [string, string])[] {
  const { method = 'GET', path = '/', authority = 'localhost', fields = [] } = options
  return [[':method', method], [':scheme', 'http'], [':path', path], [':authority', authority], ...fields]
}

/** One connection to the server under test. */
export class H2Client {
  readonly socket: net.Socket
  /** All that has come. */
  readonly frames: Frame[] = []
  /** The server has closed the connection. */
  ended = false
  readonly #greedy: boolean
  #rest: Buffer = Buffer.alloc(0)
  readonly #decoder = new HpackDecoder(4096)
  #block: { stream: number; flags: number; bytes: Buffer } | undefined
  #waiting: (() => void)[] = []

  private constructor(socket: net.Socket, greedy: boolean) {
    this.socket = socket
    this.#greedy = greedy
    socket.on('data', (bytes) => this.#read(bytes))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.ended = true
      this.#wake()
    })
    socket.on('end', () => {
      this.ended = true
      this.#wake()
    })
  }

  /** Connects, and sends preface and settings. */
  static async connect(port: number, options: ConnectOptions = {}): Promise<H2Client> {
    const { settings = [], silent = false, greedy = true } = options
    const socket = options.tls
      ? tls.connect({ port, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false })
      : net.connect(port, '127.0.0.1')
    await new Promise<void>((resolve, reject) => {
      socket.once(options.tls ? 'secureConnect' : 'connect', resolve)
      socket.once('error', reject)
    })
    socket.setNoDelay(true)
    const client = new H2Client(socket, greedy)
    if (silent) return client
    client.write(PREFACE + settingsFrame(settings))
    await client.waitFor((frame) => frame.type === SETTINGS && frame.flags === 0)
    client.write(SETTINGS_ACK)
    return client
  }

  write(text: string | Buffer): void {
    if (!this.socket.destroyed) this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  }

  /** Sends a frame. */
  frame(type: number, flags: number, stream: number, payload = ''): void {
    this.write(frameHead(payload.length, type, flags, stream) + payload)
  }

  request(stream: number, options: RequestOptions = {}): void {
    const { body, open = false } = options
    const block = blockOf(options.raw ?? requestFields(options))
    const last = body === undefined && !open
    let text = frameHead(block.length, HEADERS, END_HEADERS | (last ? END_STREAM : 0), stream) + block
    if (body !== undefined) text += frameHead(body.length, DATA, open ? 0 : END_STREAM, stream) + body
    this.write(text)
  }

  data(stream: number, body: string, last = false): void {
    this.frame(DATA, last ? END_STREAM : 0, stream, body)
  }

  /** The first frame, of those that came or will come, that `wanted` holds for. */
  async waitFor(wanted: (frame: Frame) => boolean): Promise<Frame> {
    let at = 0
    for (;;) {
      for (; at < this.frames.length; at++) if (wanted(this.frames[at]!)) return this.frames[at]!
      if (this.ended) throw new Error(`the connection ended; came:\n${this.#shown()}`)
      await this.#more()
    }
  }

  /** Waits until the response on `stream` is over. */
  async response(stream: number): Promise<Response> {
    await this.waitFor((f) => f.stream === stream && (f.type === RST_STREAM || isLast(f)))
    return this.soFar(stream)
  }

  /** What has come of the response on `stream`. */
  soFar(stream: number): Response {
    const mine = this.frames.filter((frame) => frame.stream === stream)
    const heads = mine.filter((frame) => frame.type === HEADERS)
    const statusOf = (frame: Frame | undefined) => Number(frame?.fields.find(([name]) => name === ':status')?.[1] ?? 0)
    const final = heads.findIndex((frame) => statusOf(frame) >= 200)
    const tail = final >= 0 ? heads[final + 1] : undefined
    const body = mine.filter((frame) => frame.type === DATA).map((frame) => frame.payload.toString('latin1'))
    return {
      status: statusOf(heads[final]),
      headers: Object.fromEntries(heads[final]?.fields ?? []),
      body: body.join(''),
      trailers: tail === undefined ? undefined : Object.fromEntries(tail.fields),
      interim: heads.slice(0, Math.max(final, 0)).map(statusOf),
      reset: mine.find((frame) => frame.type === RST_STREAM)?.payload.readUInt32BE(0),
    }
  }

  /** The code and the last stream of GOAWAY. */
  async goAway(): Promise<{ readonly last: number; readonly code: number }> {
    const { payload } = await this.waitFor((frame) => frame.type === GOAWAY)
    return { last: u31(payload, 0), code: u32(payload, 4) }
  }

  /** The code of the RST_STREAM on `stream`. */
  async reset(stream: number): Promise<number> {
    return (await this.waitFor((frame) => frame.type === RST_STREAM && frame.stream === stream)).payload.readUInt32BE(0)
  }

  /** Waits until everything that was sent has been worked off, by a PING; the answer's place in `frames`. */
  async settled(): Promise<void> {
    const mark = Math.random().toString(36).slice(2, 10).padEnd(8, 'x')
    this.frame(PING, 0, 0, mark)
    await this.waitFor((frame) => frame.type === PING && frame.payload.toString('latin1') === mark)
  }

  /** Waits until the server has closed the connection. */
  async closed(): Promise<void> {
    while (!this.ended) await this.#more()
  }

  close(): void {
    this.socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  async #more(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => reject(new Error(`nothing more came; so far:\n${this.#shown()}`)), WAIT_MS)
    this.#waiting.push(resolve)
    await promise.finally(() => clearTimeout(timer))
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  #shown(): string {
    return this.frames
      .slice(-SHOWN)
      .map((f) => `${f.type} ${f.flags} ${f.stream} ${f.payload.length} ${f.payload.toString('hex', 0, 12)}`)
      .join('\n')
  }

  #read(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (this.#rest.length >= 9) {
      const size = u24(this.#rest, 0)
      if (this.#rest.length < 9 + size) break
      const head = this.#rest
      const payload = head.subarray(9, 9 + size)
      this.#rest = head.subarray(9 + size)
      this.#take(head[3]!, head[4]!, u31(head, 5), payload)
    }
    this.#wake()
  }

  #take(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === HEADERS || type === CONTINUATION) {
      const before = this.#block
      const bytes = before === undefined ? payload : Buffer.concat([before.bytes, payload])
      const block = { stream, flags: (before?.flags ?? 0) | flags, bytes }
      this.#block = (flags & END_HEADERS) === 0 ? block : undefined
      if (this.#block === undefined) {
        this.frames.push({ type: HEADERS, flags: block.flags, stream, payload: bytes, fields: this.#decode(bytes) })
      }
      return
    }
    this.frames.push({ type, flags, stream, payload, fields: [] })
    if (type === SETTINGS && (flags & 1) === 0 && this.frames.length > 1) this.write(SETTINGS_ACK)
    if (type !== DATA || !this.#greedy || payload.length === 0) return
    const text = u32Text(payload.length)
    this.frame(WINDOW_UPDATE, 0, 0, text)
    if ((flags & END_STREAM) === 0) this.frame(WINDOW_UPDATE, 0, stream, text)
  }

  #decode(bytes: Buffer): (readonly [string, string])[] {
    const fields: (readonly [string, string])[] = []
    const sound = this.#decoder.decode(bytes, 0, bytes.length, {
      onField: (name, _hash, value) => fields.push([name, value]),
    })
    if (!sound) throw new Error(`the server sent a malformed block: ${bytes.toString('hex')}`)
    return fields
  }
}

function isLast(frame: Frame): boolean {
  return (frame.type === HEADERS || frame.type === DATA) && (frame.flags & END_STREAM) !== 0
}
