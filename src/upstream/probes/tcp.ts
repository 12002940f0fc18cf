/** Asking a server over a connection of its own: opening it, time-outs, and what went wrong in nginx's words. */
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { WireOwner } from '../../net/wire.ts'
import { type WireFailure, wireFailureText } from '../../net/wire-failure.ts'
import { privateState } from '../group-state.ts'
import type { Probe, ProbeOwner } from '../health.ts'
import { Peer } from '../peer.ts'
import { type ConnectOptions, type ConnectUser, PeerConnection } from '../pool.ts'
import { peerAddress } from '../registry.ts'

const CONNECTING = 'connecting to upstream'

/** How a probe connects, and how long it waits. */
export interface ProbeOptions {
  /** 0: the server's own port. */
  readonly port: number
  readonly connectTimeoutMs: number
  /** Between two reads; or, as `whole`, for everything. */
  readonly readTimeoutMs: number
  /** One time-out, `connectTimeoutMs`, is for the whole check. */
  readonly whole: boolean
  connect(): ConnectOptions
}

/** The server is well when it accepts a connection; probes that ask for more derive from this. */
export class TcpProbe implements Probe, WireOwner, ConnectUser, TimerOwner {
  protected readonly options: ProbeOptions
  protected connection: PeerConnection | undefined
  /** What is being done, for logs. */
  protected doing = ''
  readonly #owner: ProbeOwner
  readonly #timer = new Timer(this)
  #asking = false
  /** The server that is asked, over a connection that was kept: it may have gone unnoticed. */
  #again: Peer | undefined
  #target: Peer | undefined

  constructor(owner: ProbeOwner, options: ProbeOptions) {
    this.#owner = owner
    this.options = options
  }

  start(peer: Peer): void {
    this.#asking = true
    setTimer(this.#timer, this.options.connectTimeoutMs)
    if (this.connection !== undefined) {
      this.#again = peer
      this.onOpen(this.connection)
      return
    }
    this.#again = undefined
    this.doing = CONNECTING
    const connection = new PeerConnection(this.#targetOf(peer), this.options.connect())
    this.connection = connection
    connection.user = this
    connection.wire.owner = this
  }

  stop(): void {
    this.#asking = false
    cancelTimer(this.#timer)
    this.close()
  }

  /** Another port is another server, of which nothing else is known. */
  #targetOf(peer: Peer): Peer {
    const { port } = this.options
    const { address, options, server } = peer
    if (port === 0 || address.path !== '') return peer
    if (this.#target?.address.host !== address.host) {
      this.#target = new Peer(peerAddress(address.host, port), options, server, privateState(1), 0)
    }
    return this.#target
  }

  onConnect(): void {
    const { connection } = this
    if (connection === undefined) return
    connection.user = undefined
    connection.wire.resume()
    this.onOpen(connection)
  }

  /** The connection is there. */
  protected onOpen(_connection: PeerConnection): void {
    this.result(true)
  }

  /** Bytes came, or were sent: the server gets its time anew. */
  protected alive(): void {
    if (!this.options.whole) setTimer(this.#timer, this.options.readTimeoutMs)
  }

  /** The check is over; the connection goes unless `keep`. */
  protected result(passed: boolean, problem = '', keep = false): void {
    if (!this.#asking) return
    this.#asking = false
    cancelTimer(this.#timer)
    if (!keep) this.close()
    this.#owner.onResult(passed, this.doing, problem)
  }

  protected close(): void {
    const { connection } = this
    this.connection = undefined
    connection?.close()
  }

  onBytes(_buffer: Buffer, _size: number): void {}
  onDrain(): void {}

  onEnd(): void {
    this.#ended(undefined)
  }

  onClose(failure: WireFailure | undefined): void {
    this.#ended(failure)
  }

  #ended(failure: WireFailure | undefined): void {
    if (!this.#asking) {
      this.close()
      return
    }
    if (this.#again !== undefined && !this.answered) {
      this.close()
      this.start(this.#again)
      return
    }
    if (failure === undefined && this.onPeerEnd()) return
    if (this.doing === CONNECTING) this.#notOpened(failure)
    else this.result(false, failure === undefined ? 'upstream prematurely closed connection' : wireFailureText(failure))
  }

  /** The connection says what it was doing, because there may be more to opening one than to connect. */
  #notOpened(failure: WireFailure | undefined): void {
    const { connection } = this
    if (connection === undefined) return
    this.doing = connection.doing
    this.result(false, connection.failureText(failure))
  }

  /** Some of an answer has come. */
  protected get answered(): boolean {
    return false
  }

  /** The server closed the connection; true when that is how its answer ends. */
  protected onPeerEnd(): boolean {
    return false
  }

  onTimeout(): void {
    this.connection?.retire(true)
    if (this.doing === CONNECTING && this.connection !== undefined) this.doing = this.connection.doing
    this.result(false, 'upstream timed out (110: Connection timed out)')
  }
}
