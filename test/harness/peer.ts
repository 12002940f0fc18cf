/**
 * A back end made of a raw socket: keeps every request exactly as it came and answers what the test says.
 *
 *     await using peer = await Peer.start(() => reply('hello'))
 *     ... proxy_pass http://127.0.0.1:${peer.port};
 *     assert.equal(peer.requests[0].line, 'GET / HTTP/1.1')
 */
import { once } from 'node:events'
import net from 'node:net'

const WAIT_TIMEOUT_MS = 10_000

/** One request as the peer saw it; text is one byte per char. */
export interface PeerRequest {
  readonly line: string
  /** Names and values in their order, as they were written. */
  readonly fields: readonly (readonly [string, string])[]
  /** The body as it was framed: chunked bodies are not decoded. */
  readonly rawBody: string
  readonly body: string
  /** Counts connections from 0. */
  readonly connection: number
  readonly socket: net.Socket
  /** The value of a field, or undefined; several are joined by `, `. */
  field(name: string): string | undefined
}

/** What is sent back at once; undefined when the test writes to `request.socket` itself. */
export type Answer = (request: PeerRequest) => string | undefined

/** A complete response with a length. */
export function reply(body: string, fields: readonly string[] = [], status = '200 OK'): string {
  return [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n')
}

/** A listening back end; its disposal ends every connection. */
export class Peer implements AsyncDisposable {
  readonly requests: PeerRequest[] = []
  /** Open and ended connections, in order. */
  readonly sockets: net.Socket[] = []
  /** What came on each connection, all of it. */
  readonly received: string[] = []
  readonly #server: net.Server
  readonly #answer: Answer
  #wake: (() => void)[] = []

  private constructor(answer: Answer) {
    this.#answer = answer
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => this.#onConnection(socket))
  }

  /** Listens on a free port, or where `at` says. */
  static async start(answer: Answer = () => reply('ok'), at: net.ListenOptions = {}): Promise<Peer> {
    const peer = new Peer(answer)
    const where = at.path === undefined ? { port: 0, host: '127.0.0.1', ...at } : at
    await once(peer.#server.listen(where), 'listening')
    return peer
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  /** The only request there was. */
  get request(): PeerRequest {
    if (this.requests.length !== 1) throw new Error(`${this.requests.length} requests`)
    return this.requests[0]!
  }

  /** Resolves when `condition` holds after some bytes, connections or ends. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(WAIT_TIMEOUT_MS)
    while (!condition()) {
      const change = new Promise<void>((resolve) => this.#wake.push(resolve))
      const late = new Promise<never>((_, reject) => {
        deadline.onabort = () => reject(new Error(`the peer got only ${JSON.stringify(this.received).slice(0, 1000)}`))
      })
      await Promise.race([change, late])
    }
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  #onConnection(socket: net.Socket): void {
    const connection = this.sockets.push(socket) - 1
    this.received.push('')
    let rest = ''
    let tunnel = false
    socket.on('error', () => {})
    socket.on('close', () => this.#changed())
    socket.on('end', () => {
      socket.end()
      this.#changed()
    })
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.received[connection] += text
      if (!tunnel) rest += text
      for (let cut = cutRequest(rest); cut > 0 && !tunnel; cut = cutRequest(rest)) {
        const request = readRequest(rest.slice(0, cut), connection, socket)
        rest = rest.slice(cut)
        this.requests.push(request)
        const answer = this.#answer(request)
        if (answer !== undefined) socket.write(answer, 'latin1')
        tunnel ||= answer?.startsWith('HTTP/1.1 101 ') === true
      }
      this.#changed()
    })
    this.#changed()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.sockets) socket.destroy()
    await closed
  }
}

/** Length of the first complete request, or 0. Strict: what is ambiguous is a failure of the test. */
function cutRequest(text: string): number {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return 0
  const head = text.slice(0, headEnd)
  const bodyAt = headEnd + 4
  const lengths = [...head.matchAll(/^content-length:[ \t]*(.*)$/gim)].map((match) => match[1]!.trim())
  const chunked = /^transfer-encoding:[ \t]*chunked[ \t\r]*$/im.test(head)
  if (lengths.length > 1 || (chunked && lengths.length > 0) || (!chunked && /^transfer-encoding:/im.test(head))) {
    throw new Error(`ambiguous framing: ${JSON.stringify(head)}`)
  }
  if (!chunked) {
    const length = Number(lengths[0] ?? 0)
    return text.length >= bodyAt + length ? bodyAt + length : 0
  }
  for (let at = bodyAt; ; ) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return 0
    const line = text.slice(at, lineEnd)
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`bad chunk size ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    at = lineEnd + 2 + size + 2
    if (text.length < at) return 0
    if (text.slice(at - 2, at) !== '\r\n') throw new Error('a chunk without its end')
    if (size === 0) return at
  }
}

function readRequest(text: string, connection: number, socket: net.Socket): PeerRequest {
  const headEnd = text.indexOf('\r\n\r\n')
  const [line = '', ...lines] = text.slice(0, headEnd).split('\r\n')
  const fields = lines.map((one): [string, string] => {
    const colon = one.indexOf(':')
    return [one.slice(0, colon), one.slice(colon + 1).replace(/^ /, '')]
  })
  const rawBody = text.slice(headEnd + 4)
  const field = (name: string): string | undefined => {
    const found = fields.filter(([one]) => one.toLowerCase() === name.toLowerCase())
    return found.length === 0 ? undefined : found.map(([, value]) => value).join(', ')
  }
  const body = field('transfer-encoding') === undefined ? rawBody : decodeChunks(rawBody)
  return { line, fields, rawBody, body, connection, socket, field }
}

function decodeChunks(text: string): string {
  let body = ''
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf('\r\n', at)
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (size === 0) return body
    body += text.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 2 + size + 2
  }
}
