/** A back end that speaks TLS: a raw node:tls server that keeps what came and answers each request with one text. */
import { once } from 'node:events'
import type net from 'node:net'
import tls from 'node:tls'

/** One request as the back end saw it. */
export interface TlsPeerRequest {
  readonly head: string
  readonly body: string
  readonly socket: tls.TLSSocket
  /** Counts connections from 0. */
  readonly connection: number
}

/** What is sent back; undefined when the test writes to the socket itself. */
export type TlsAnswer = (request: TlsPeerRequest) => string | undefined

/** A listening back end; its disposal ends every connection. */
export class TlsPeer implements AsyncDisposable {
  readonly requests: TlsPeerRequest[] = []
  readonly sockets: tls.TLSSocket[] = []
  readonly #server: tls.Server
  readonly #answer: TlsAnswer
  readonly #raw = new Set<net.Socket>()

  private constructor(options: tls.TlsOptions, answer: TlsAnswer) {
    this.#answer = answer
    this.#server = tls.createServer(options, (socket) => this.#onConnection(socket))
    this.#server.on('connection', (socket) => this.#raw.add(socket))
    this.#server.on('tlsClientError', () => {})
  }

  /** Listens on a free port, or where `at` says. */
  static async start(
    options: tls.TlsOptions,
    answer: TlsAnswer,
    at: net.ListenOptions = { port: 0, host: '127.0.0.1' },
  ): Promise<TlsPeer> {
    const peer = new TlsPeer(options, answer)
    await once(peer.#server.listen(at), 'listening')
    return peer
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  #onConnection(socket: tls.TLSSocket): void {
    const connection = this.sockets.push(socket) - 1
    const pieces: Buffer[] = []
    let size = 0
    let needed = -1
    socket.on('error', () => {})
    socket.on('data', (piece: Buffer) => {
      pieces.push(piece)
      size += piece.length
      if (needed < 0) {
        const text = Buffer.concat(pieces).latin1Slice()
        const end = text.indexOf('\r\n\r\n')
        if (end < 0) return
        needed = end + 4 + Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0)
      }
      if (size < needed) return
      const text = Buffer.concat(pieces.splice(0)).latin1Slice()
      size = 0
      needed = -1
      const end = text.indexOf('\r\n\r\n') + 4
      const request = { head: text.slice(0, end), body: text.slice(end), socket, connection }
      this.requests.push(request)
      const answer = this.#answer(request)
      if (answer !== undefined) socket.write(answer, 'latin1')
      if (answer?.startsWith('HTTP/1.1 101 ') === true) socket.removeAllListeners('data')
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#raw) socket.destroy()
    await closed
  }
}
