/**
 * A FastCGI application made of a raw socket: keeps every request and answers what the test says, record by record.
 *
 *     await using peer = await FastcgiPeer.start(() => answer('Content-Type: text/plain\r\n\r\nhello'))
 *     ... fastcgi_pass 127.0.0.1:${peer.port};
 *     assert.equal(peer.requests[0].params.get('REQUEST_URI'), '/')
 */
import { once } from 'node:events'
import net from 'node:net'

/** The type of records of an answer. */
export const STDOUT = 6
/** The type of records for the log. */
export const STDERR = 7
const BEGIN = 1
const END = 3
const PARAMS = 4
const STDIN = 5

/** One request as the application saw it; text is one byte per char. */
export interface FastcgiRequest {
  /** The last value of each parameter. */
  readonly params: ReadonlyMap<string, string>
  /** Names and values in their order. */
  readonly pairs: readonly (readonly [string, string])[]
  readonly body: string
  /** The connection is to stay open. */
  readonly keep: boolean
  /** Counts connections from 0. */
  readonly connection: number
  readonly socket: net.Socket
}

/** What is sent back at once, all of it; undefined when the test writes to `request.socket` itself. */
export type FastcgiAnswer = (request: FastcgiRequest) => string | undefined

/** One record. */
export function record(type: number, content: string, padding = -content.length & 7): string {
  const head = String.fromCharCode(1, type, 0, 1, content.length >> 8, content.length & 255, padding, 0)
  return head + content + '\0'.repeat(padding)
}

/** The end of a request. */
export const END_OF_REQUEST = record(END, '\0'.repeat(8))

/** A complete answer. */
export function answer(stdout: string): string {
  return record(STDOUT, stdout) + record(STDOUT, '') + END_OF_REQUEST
}

interface Unfinished {
  params: string
  body: string
  keep: boolean
}

/** A listening application; its disposal ends every connection. */
export class FastcgiPeer implements AsyncDisposable {
  readonly requests: FastcgiRequest[] = []
  readonly sockets: net.Socket[] = []
  /** Heads of records as they came, `type:size`. */
  readonly records: string[] = []
  readonly #server: net.Server
  readonly #answer: FastcgiAnswer
  /** How many connections are served at once, as php-fpm has processes; the others wait until one is closed. */
  children = Number.POSITIVE_INFINITY
  readonly #waiting: (() => void)[] = []
  #served = 0
  #wake: (() => void)[] = []

  private constructor(answerOf: FastcgiAnswer) {
    this.#answer = answerOf
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => this.#onConnection(socket))
  }

  static async start(
    answerOf: FastcgiAnswer = () => answer('Content-Type: text/plain\r\n\r\nok'),
    at: net.ListenOptions = { port: 0, host: '127.0.0.1' },
  ): Promise<FastcgiPeer> {
    const peer = new FastcgiPeer(answerOf)
    await once(peer.#server.listen(at), 'listening')
    return peer
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  /** The only request there was. */
  get request(): FastcgiRequest {
    if (this.requests.length !== 1) throw new Error(`${this.requests.length} requests`)
    return this.requests[0]!
  }

  /** Resolves when `condition` holds after some records, connections or ends. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  #onConnection(socket: net.Socket): void {
    socket.on('error', () => {})
    if (this.#served < this.children) this.#serve(socket)
    else this.#waiting.push(() => this.#serve(socket))
  }

  #serve(socket: net.Socket): void {
    this.#served++
    socket.on('close', () => {
      this.#served--
      this.#waiting.shift()?.()
    })
    const connection = this.sockets.push(socket) - 1
    let rest = ''
    let under: Unfinished = { params: '', body: '', keep: false }
    socket.on('close', () => this.#changed())
    socket.on('end', () => socket.end())
    socket.setEncoding('latin1').on('data', (text: string) => {
      rest += text
      while (rest.length >= 8) {
        const size = rest.charCodeAt(4) * 256 + rest.charCodeAt(5)
        const end = 8 + size + rest.charCodeAt(6)
        if (rest.length < end) break
        const type = rest.charCodeAt(1)
        const content = rest.slice(8, 8 + size)
        rest = rest.slice(end)
        this.records.push(`${type}:${size}`)
        if (type === BEGIN) under = { params: '', body: '', keep: (content.charCodeAt(2) & 1) === 1 }
        else if (type === PARAMS) under.params += content
        else if (type === STDIN && size > 0) under.body += content
        else if (type === STDIN) this.#onRequest(under, connection, socket)
      }
      this.#changed()
    })
    this.#changed()
  }

  #onRequest({ params, body, keep }: Unfinished, connection: number, socket: net.Socket): void {
    const pairs = readPairs(params)
    const request = { params: new Map(pairs), pairs, body, keep, connection, socket }
    this.requests.push(request)
    const text = this.#answer(request)
    if (text === undefined) return
    if (keep) socket.write(text, 'latin1')
    else socket.end(text, 'latin1')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.sockets) socket.destroy()
    await closed
  }
}

function readPairs(text: string): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = []
  let at = 0
  const size = (): number => {
    const first = text.charCodeAt(at++)
    if (first < 128) return first
    const rest = [0, 1, 2].reduce((sum) => sum * 256 + text.charCodeAt(at++), 0)
    return (first & 127) * 0x1000000 + rest
  }
  while (at < text.length) {
    const nameSize = size()
    const valueSize = size()
    const name = text.slice(at, at + nameSize)
    at += nameSize
    pairs.push([name, text.slice(at, at + valueSize)])
    at += valueSize
  }
  return pairs
}
