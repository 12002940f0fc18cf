/**
 * Stands between an accepted socket and what is spoken on it: reads what comes before HTTP, then hands the wire over.
 *
 *   PREAMBLE -> HTTP/1        PREAMBLE: the header of the PROXY protocol
 *
 * A listener that expects nothing of the kind gets its HTTP/1 connections without it.
 */
import { ERROR, type LogContext } from '../log/error-log.ts'
import { PROXY_BROKEN, PROXY_MORE, parseProxyHeader, proxyHeader } from '../net/proxy-protocol.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../net/timer-wheel.ts'
import type { Wire, WireOwner } from '../net/wire.ts'
import { Client } from './client.ts'
import type { ClientConnection } from './client-connection.ts'
import { NONE } from './connection-counters.ts'
import { H1Connection } from './h1/connection.ts'
import type { HttpListener } from './listener.ts'

const NO_BYTES = Buffer.alloc(0)

/** A connection that was just accepted. Reading begins with `start`. */
export interface Accepted {
  readonly client: Client
  start(): void
}

/** Takes an accepted wire. */
export function acceptClient(wire: Wire, listener: HttpListener): Accepted {
  const client = new Client(listener.nextConnectionId(), wire, listener)
  const servers = listener.serversFor(client)
  return servers.proxyProtocol ? new Front(wire, listener, client) : new H1Connection(wire, listener, client)
}

class Front implements WireOwner, TimerOwner, ClientConnection, LogContext, Accepted {
  readonly client: Client
  countedAs = NONE
  readonly idle = false
  readonly #wire: Wire
  readonly #listener: HttpListener
  readonly #timer = new Timer(this)
  /** Bytes that came but are not used yet; bounded by what the longest preamble may have. */
  #rest: Buffer = NO_BYTES
  #closed = false

  constructor(wire: Wire, listener: HttpListener, client: Client) {
    this.#wire = wire
    this.#listener = listener
    this.client = client
    wire.owner = this
    listener.opened(this)
  }

  start(): void {
    setTimer(this.#timer, this.#listener.defaultServer.connection.client_header_timeout)
    this.#wire.resume()
  }

  onBytes(buffer: Buffer, size: number): void {
    if (this.#rest.length === 0) return this.#preamble(buffer, size)
    const joined = Buffer.concat([this.#rest, buffer.subarray(0, size)])
    this.#preamble(joined, joined.length)
  }

  #preamble(buffer: Buffer, size: number): void {
    const { client } = this
    const header = proxyHeader()
    const length = parseProxyHeader(buffer, 0, size, header)
    if (length === PROXY_MORE) {
      this.#rest = Buffer.from(buffer.subarray(0, size))
      return
    }
    if (length === PROXY_BROKEN) {
      this.#log(ERROR, `${header.problem} while reading PROXY protocol`)
      return this.close()
    }
    client.proxyAddress = header.source
    client.proxyPort = header.sourcePort
    client.proxyServerAddress = header.destination
    client.proxyServerPort = header.destinationPort
    client.proxyTlvs = header.tlvs
    this.#serve(new H1Connection(this.#wire, this.#listener, client), buffer.subarray(length, size))
  }

  /** Lets another one go on; it has taken over the wire, and `early` is what the wire brought already. */
  #serve(connection: H1Connection, early: Buffer): void {
    this.#closed = true
    cancelTimer(this.#timer)
    this.#listener.closed(this)
    connection.start()
    if (early.length > 0) connection.onBytes(early, early.length)
  }

  onDrain(): void {}

  onEnd(): void {
    this.close()
  }

  onClose(): void {
    this.#leave()
  }

  onTimeout(): void {
    this.close()
  }

  /** A client that has just come is about to ask something: it is served, or its time runs out. */
  shutDown(): void {}

  close(): void {
    if (this.#closed) return
    this.#leave()
    this.#wire.destroy()
  }

  #leave(): void {
    if (this.#closed) return
    this.#closed = true
    cancelTimer(this.#timer)
    this.#listener.closed(this)
  }

  // ---- logs ------------------------------------------------------------------------------------

  #log(level: number, message: string): void {
    this.#listener.defaultServer.base.log.write(level, message, this)
  }

  get connection(): number {
    return this.client.id
  }

  get debugConnection(): boolean {
    return this.client.debug
  }

  describe(): string {
    return `, client: ${this.client.address}, server: ${this.#listener.key}`
  }
}
