/**
 * Ways to a name server: a UDP socket from a port of its own, or a TCP connection for answers that do not fit. Each
 * serves one lookup and is connected to one server, so that the kernel passes on nothing from anywhere else, and whoever
 * wants to forge an answer has to guess the port as well as the id.
 */

import dgram from 'node:dgram'
import type net from 'node:net'
import { NO_BYTES } from '../lib/bytes.ts'
import { clock } from '../lib/clock.ts'
import { errnoText } from '../lib/errno.ts'
import { beginEvent, flushWires } from './flush.ts'
import { SocketWire } from './socket-wire.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from './timer-wheel.ts'
import type { WireOwner } from './wire.ts'
import { type WireFailure, wireFailureText } from './wire-failure.ts'

/** Where a name server listens. */
export interface NameServer {
  readonly host: string
  readonly port: number
  /** For logs: `127.0.0.1:53`. */
  readonly name: string
}

/** Hears what a channel brings. */
export interface ChannelOwner {
  /** A message from the server; the bytes are borrowed. */
  onMessage(bytes: Uint8Array, tcp: boolean): void
  /** The channel is of no more use; `problem` is what nginx would log. */
  onBroken(channel: Channel, problem: string): void
}

/** A way to one server, for one lookup. */
export interface Channel {
  readonly server: NameServer
  readonly tcp: boolean
  send(query: Uint8Array): void
  /** Ends it; the owner hears nothing more. */
  close(): void
}

/** Opens a UDP channel. */
export class UdpChannel implements Channel {
  readonly server: NameServer
  readonly tcp = false
  readonly #socket: dgram.Socket
  readonly #waiting: Uint8Array[] = []
  #owner: ChannelOwner | undefined
  #connected = false
  /** A refusal of one query may be reported when the next is sent. */
  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.#broken(error)
  }

  constructor(server: NameServer, owner: ChannelOwner) {
    this.server = server
    this.#owner = owner
    this.#socket = dgram.createSocket(server.host.includes(':') ? 'udp6' : 'udp4')
    this.#socket.on('message', (bytes) => this.#received(bytes))
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#broken(error))
    this.#socket.on('connect', () => this.#opened())
    this.#socket.connect(server.port, server.host)
  }

  send(query: Uint8Array): void {
    if (this.#connected) this.#socket.send(query, this.#sent)
    else this.#waiting.push(query)
  }

  #opened(): void {
    if (this.#owner === undefined) return
    this.#connected = true
    for (const query of this.#waiting.splice(0)) this.#socket.send(query, this.#sent)
  }

  #received(bytes: Buffer): void {
    clock.update()
    beginEvent()
    this.#owner?.onMessage(bytes, false)
    flushWires()
  }

  #broken(error: NodeJS.ErrnoException): void {
    const owner = this.#owner
    if (owner === undefined) return
    this.close()
    clock.update()
    beginEvent()
    const call = error.syscall === 'send' || error.syscall === 'bind' ? error.syscall : 'recv'
    owner.onBroken(this, `${call}() failed ${errnoText(error.code ?? 'EIO')}`)
    flushWires()
  }

  close(): void {
    if (this.#owner === undefined) return
    this.#owner = undefined
    this.#socket.close()
  }
}

/** Time for a server to take a connection or to go on with an answer. */
const TCP_TIMEOUT_MS = 5000
const LENGTH_SIZE = 2

/** Opens a TCP channel; messages are preceded by their length (RFC 1035, section 4.2.2). */
export class TcpChannel implements Channel, WireOwner, TimerOwner {
  readonly server: NameServer
  readonly tcp = true
  readonly #wire = new SocketWire()
  readonly #timer = new Timer(this)
  #owner: ChannelOwner | undefined
  /** Bytes of a message that is not complete; at most one message, 64 KiB. */
  #partial: Buffer = NO_BYTES

  constructor(server: NameServer, owner: ChannelOwner) {
    this.server = server
    this.#owner = owner
    this.#wire.owner = this
    this.#wire.socket.once('connect', () => this.#wire.resume())
    const to: net.TcpNetConnectOpts = { host: server.host, port: server.port, noDelay: true }
    this.#wire.socket.connect(to)
    setTimer(this.#timer, TCP_TIMEOUT_MS)
  }

  send(query: Uint8Array): void {
    this.#wire.write(String.fromCharCode(query.length >> 8, query.length & 255))
    this.#wire.writeBytes(query, true)
  }

  onBytes(buffer: Buffer, size: number): void {
    setTimer(this.#timer, TCP_TIMEOUT_MS)
    const bytes = Buffer.concat([this.#partial, buffer.subarray(0, size)])
    let at = 0
    while (this.#owner !== undefined && bytes.length - at >= LENGTH_SIZE) {
      const end = at + LENGTH_SIZE + bytes.readUInt16BE(at)
      if (end > bytes.length) break
      this.#owner.onMessage(bytes.subarray(at + LENGTH_SIZE, end), true)
      at = end
    }
    this.#partial = bytes.subarray(at)
  }

  onDrain(): void {}

  onEnd(): void {
    this.#broken('')
  }

  onClose(failure: WireFailure | undefined): void {
    this.#broken(failure === undefined ? '' : wireFailureText(failure))
  }

  onTimeout(): void {
    this.#broken('')
  }

  #broken(problem: string): void {
    const owner = this.#owner
    this.close()
    owner?.onBroken(this, problem)
  }

  close(): void {
    if (this.#owner === undefined) return
    this.#owner = undefined
    cancelTimer(this.#timer)
    this.#wire.destroy()
  }
}
