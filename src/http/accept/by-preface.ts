/**
 * Chooses between HTTP/1 and HTTP/2 where both are spoken in the clear: a client that knows beforehand that it may
 * (RFC 9113, 3.3) begins with HTTP/2's preface, whose first difference from it makes the connection one of HTTP/1.
 */
import { NO_BYTES } from '../../lib/bytes.ts'
import { errnoText } from '../../lib/errno.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { Wire, WireOwner } from '../../net/wire.ts'
import { H1Connection } from '../h1/connection.ts'
import { H2Connection } from '../h2/connection.ts'
import { PREFACE } from '../h2/wire/frames.ts'
import type { Client } from '../request/client.ts'
import type { ClientConnection } from '../server/client-connection.ts'
import { connectionCounters, NONE, WAITING } from '../server/connection-counters.ts'
import type { HttpListener } from '../server/listener.ts'
import { type Reusable, reusableConnections } from '../server/reusable.ts'
import { logSilentEnd } from '../server/silent-end.ts'

/** A connection that HTTP is spoken on; reading begins with `start`, bytes that came before follow by `onBytes`. */
export interface HttpConnection extends ClientConnection {
  start(): void
  onBytes(buffer: Buffer, size: number): void
}

/** Makes the connection for a client that speaks in the clear. */
export function plainConnection(wire: Wire, listener: HttpListener, client: Client): HttpConnection {
  const both = listener.serversFor(client).http2
  return both ? new ByPreface(wire, listener, client) : new H1Connection(wire, listener, client)
}

class ByPreface implements WireOwner, TimerOwner, HttpConnection {
  readonly client: Client
  countedAs = NONE
  rosterPlace = -1
  reusableBefore: Reusable | undefined = undefined
  reusableAfter: Reusable | undefined = undefined
  readonly idle = false
  readonly #wire: Wire
  readonly #listener: HttpListener
  readonly #timer = new Timer(this)
  /** As much of the preface as has come. */
  #rest: Buffer = NO_BYTES
  #over = false

  constructor(wire: Wire, listener: HttpListener, client: Client) {
    this.#wire = wire
    this.#listener = listener
    this.client = client
    wire.owner = this
    listener.opened(this)
    connectionCounters.move(NONE, WAITING)
    this.countedAs = WAITING
    reusableConnections.add(this)
  }

  start(): void {
    setTimer(this.#timer, this.#listener.serversFor(this.client).defaultServer.connection.client_header_timeout)
    this.#wire.resume()
  }

  onBytes(buffer: Buffer, size: number): void {
    reusableConnections.remove(this)
    const fresh = this.#rest.length === 0
    const bytes = fresh ? buffer : Buffer.concat([this.#rest, buffer.subarray(0, size)])
    const count = fresh ? size : bytes.length
    const compared = Math.min(count, PREFACE.length)
    for (let i = 0; i < compared; i++) {
      if (bytes[i] !== PREFACE.charCodeAt(i)) return this.#goOn(H1Connection, bytes, count)
    }
    if (compared === PREFACE.length) this.#goOn(H2Connection, bytes, count)
    else this.#rest = Buffer.from(bytes.subarray(0, count))
  }

  #goOn(kind: typeof H1Connection | typeof H2Connection, bytes: Buffer, size: number): void {
    const connection = new kind(this.#wire, this.#listener, this.client)
    this.#leave()
    connection.start()
    connection.onBytes(bytes, size)
  }

  onDrain(): void {}

  onEnd(): void {
    this.#logSilent('')
    this.close()
  }

  onClose(): void {
    this.#leave()
  }

  onTimeout(): void {
    this.#logSilent(`client timed out ${errnoText('ETIMEDOUT')}`)
    this.close()
  }

  #logSilent(problem: string): void {
    const { defaultServer } = this.#listener.serversFor(this.client)
    if (this.#rest.length === 0) logSilentEnd(this.client, this.#listener, defaultServer, problem)
  }

  /** A client that has just come is about to ask something: it is served, or its time runs out. */
  shutDown(): void {}

  reuse(): void {
    this.close()
  }

  cutOff(): void {
    this.close()
  }

  close(): void {
    if (this.#over) return
    this.#leave()
    this.#wire.destroy()
  }

  #leave(): void {
    if (this.#over) return
    this.#over = true
    cancelTimer(this.#timer)
    this.#listener.closed(this)
  }
}
