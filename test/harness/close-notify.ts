/**
 * TLS whose end is told apart from that of its socket: `end` of the TLS side says close_notify and nothing else, the socket
 * below ends when the test has it end. Node's own sockets do both at once.
 */
import { once } from 'node:events'
import net from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'

/** Passes everything on but the end. */
class Below extends Duplex {
  readonly #socket: net.Socket

  constructor(socket: net.Socket) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) socket.pause()
    })
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.#socket.write(bytes, () => done())
  }

  override _final(done: () => void): void {
    done()
  }
}

/** One side of a connection. What was received is kept. */
export class NotifyingSocket {
  readonly tls: tls.TLSSocket
  /** The socket below: its `end` is a FIN without a word of TLS, unless that was said before. */
  readonly socket: net.Socket
  /** All bytes so far, one per char. */
  received = ''
  /** The other side has said close_notify. */
  told = false
  readonly #below: Below
  #isOver = false

  private constructor(socket: net.Socket, secure: (below: Duplex) => tls.TLSSocket) {
    this.socket = socket
    const over = (): void => {
      this.#isOver = true
    }
    socket.on('end', over).on('error', over).on('close', over)
    this.#below = new Below(socket)
    this.tls = secure(this.#below)
    this.tls.on('error', () => {})
    this.tls.setEncoding('latin1').on('data', (text: string) => {
      this.received += text
    })
    this.tls.on('end', () => {
      this.told = true
    })
  }

  /** Connects as a client, and resolves when the handshake is over. */
  static async connect(port: number, options: tls.ConnectionOptions = {}): Promise<NotifyingSocket> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    await once(socket, 'connect')
    const made = new NotifyingSocket(socket, (below) =>
      tls.connect({ rejectUnauthorized: false, ...options, socket: below }),
    )
    await once(made.tls, 'secureConnect')
    return made
  }

  /** Takes over a connection that was accepted by a server with `allowHalfOpen`. */
  static accept(socket: net.Socket, options: tls.TLSSocketOptions): NotifyingSocket {
    return new NotifyingSocket(socket, (below) => new tls.TLSSocket(below, { ...options, isServer: true }))
  }

  /** The socket of the other side has ended, or was reset, and all that came is received. */
  get gone(): boolean {
    return this.#isOver && this.#below.readableLength === 0 && this.tls.readableLength === 0
  }

  write(text: string): void {
    this.tls.write(text, 'latin1')
  }

  /** Says close_notify behind all that was written, and resolves when that is with the kernel. */
  async notify(): Promise<void> {
    const finished = once(this.tls, 'finish')
    this.tls.end()
    await finished
  }

  [Symbol.dispose](): void {
    this.tls.destroy()
    this.socket.destroy()
  }
}
