/**
 * Connections to peers: opened here, kept here while nobody uses them (ngx_http_upstream_keepalive_module). The newest
 * idle connection is used first; the oldest goes when there are too many. One that gets bytes or an end while idle is
 * dropped: nothing it could say belongs to a request. A connection that carries several requests at once (HTTP/2) is
 * known here while it serves, too.
 */
import { assert } from '../lib/assert.ts'
import { clock } from '../lib/clock.ts'
import { errnoText } from '../lib/errno.ts'
import { soon } from '../lib/soon.ts'
import { type ConnectOwner, type LocalAddress, leadsNowhere } from '../net/connect.ts'
import { beginEvent, flushWires } from '../net/flush.ts'
import { openTlsWire, openWire } from '../net/open-wire.ts'
import type { StreamWire } from '../net/stream-wire.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../net/timer-wheel.ts'
import type { HandshakeOwner, NoTls, TlsClient, TlsTarget } from '../net/tls-client.ts'
import { type TlsFault, tlsFaultOf } from '../net/tls-fault.ts'
import { NOBODY, type WireOwner } from '../net/wire.ts'
import { type WireFailure, wireFailureText } from '../net/wire-failure.ts'
import type { GroupGauges } from './group-gauges.ts'
import type { Peer } from './peer.ts'
import { type PeerTlsField, peerTlsTotals } from './tls-counts.ts'

const CONNECTING = 'connecting to upstream'
/** Found when a handshake was complete. */
const CERTIFICATE_FAULTS: ReadonlySet<TlsFault> = new Set([
  'expired_cert',
  'revoked_cert',
  'hostname_mismatch',
  'other',
])
/** Requests at once until a peer has said how many (RFC 9113, 6.5.2 names this as the least it should allow). */
export const STREAMS_FIRST = 100

/** `keepalive` and its companions. */
export interface PoolOptions {
  /** Most idle connections of one worker. */
  readonly max: number
  /** Connections are reused only for the location that opened them. */
  readonly local: boolean
  readonly requestsMax: number
  readonly timeMs: number
  readonly timeoutMs: number
}

/** How a connection is opened. */
export interface ConnectOptions {
  /** Where it comes from; undefined: what the system chooses. */
  readonly from?: LocalAddress | undefined
  readonly keepAlive: boolean
  /** Sizes of the kernel's buffers, where they can be set; 0: the system's. */
  readonly sndbuf?: number
  readonly rcvbuf?: number
  /** TLS is spoken, in this way. */
  readonly tls?: TlsTarget | NoTls | undefined
}

/** Hears when a connection is open. */
export interface ConnectUser {
  onConnect(): void
}

/** What speaks a protocol over a connection that carries several requests at once; it listens while nobody asks, too. */
export interface Multiplexer extends WireOwner {
  /** Another request may begin. */
  readonly hasRoom: boolean
}

/** A connection to a peer; its wire belongs to the exchange that uses it, or to the pool. */
export class PeerConnection implements WireOwner, TimerOwner, ConnectOwner, HandshakeOwner {
  readonly wire: StreamWire
  readonly peer: Peer
  readonly startMs = clock.monotonic
  requests = 0
  /** Who may use it again, when the pool is local. */
  tag = ''
  user: ConnectUser | undefined
  /** Which connections are as good as this one: how TLS is spoken, and what it comes from, both or either empty. */
  readonly security: string
  readonly from: string
  /** Set when the connection carries several requests at once. */
  multiplexer: Multiplexer | undefined
  /** What is being done until the connection is there, for logs. */
  doing = CONNECTING
  readonly #keepAlive: boolean
  readonly #tls: TlsClient | undefined
  /** Why TLS cannot be spoken; empty: it can, or need not be. */
  readonly #problem: string
  /** The handshake has begun and come to nothing yet. */
  #shaking = false
  #pool: ConnectionPool | undefined
  readonly #timer = new Timer(this)
  /** Nobody knows yet whether bytes have come behind the last response. */
  #settling = false

  constructor(peer: Peer, options: ConnectOptions) {
    this.peer = peer
    this.#keepAlive = options.keepAlive
    const { from } = options
    const tls = leadsNowhere() ? undefined : options.tls
    this.security = tls === undefined ? '' : tls.key
    this.from = from === undefined ? '' : from.name
    this.#problem = tls !== undefined && 'problem' in tls ? tls.problem : ''
    if (tls === undefined || 'problem' in tls) this.wire = openWire(peer.address, options, this)
    else {
      this.#tls = openTlsWire(peer.address, options, { target: tls, peer: `${peer.group} ${peer.address.name}` }, this)
      this.wire = this.#tls
    }
  }

  onConnected(failure: WireFailure | undefined): void {
    if (failure !== undefined) {
      this.wire.fail(failure)
      return
    }
    if (this.#problem !== '') {
      this.wire.fail({ kind: 'tls', problem: this.#problem, begun: false })
      return
    }
    clock.update()
    beginEvent()
    this.wire.setNoDelay()
    if (this.#keepAlive) this.wire.setKeepAlive(0)
    if (this.#tls === undefined) this.user?.onConnect()
    else {
      this.doing = 'SSL handshaking to upstream'
      this.#shaking = true
      this.#tls.handshake(this)
    }
    flushWires()
  }

  onHandshake(reused: boolean): void {
    clock.update()
    beginEvent()
    this.#shaking = false
    this.#count('handshakes')
    if (reused) this.#count('session_reuses')
    this.user?.onConnect()
    flushWires()
  }

  onHandshakeFailed(failure: WireFailure | undefined): void {
    if (!this.#shaking) return
    this.#shaking = false
    const fault = failure?.kind === 'tls' ? tlsFaultOf(failure.problem) : undefined
    const complete = fault !== undefined && CERTIFICATE_FAULTS.has(fault)
    this.#count(complete ? 'handshakes' : 'handshakes_failed')
    if (fault !== undefined && fault !== 'no_common_cipher') this.#count(fault)
  }

  /** Whoever waits gives up: because of the peer when it was `late`, which counts as long as it has not answered in TLS. */
  retire(late: boolean): void {
    if (!late || !this.#shaking) return
    this.#shaking = false
    this.#count('handshakes_failed')
    this.#count('handshake_timeout')
  }

  #count(field: PeerTlsField): void {
    this.peer.counts?.countTls(field)
    peerTlsTotals()?.count(field)
  }

  /** What to log when it was closed before `user` heard that it is there; goes on with "while" and `doing`. */
  failureText(failure: WireFailure | undefined): string {
    if (this.doing === CONNECTING) return failure === undefined ? 'connect() failed' : wireFailureText(failure)
    if (failure?.kind === 'tls') return failure.problem
    return `peer closed connection in SSL handshake${failure === undefined ? '' : ` ${errnoText(failure.errno)}`}`
  }

  /**
   * Nothing of the requests that it has served is left on it, so that others may use it. What carries several requests at
   * once sorts out itself what belongs to whom, and may have something to say at any time.
   */
  get fresh(): boolean {
    return this.multiplexer === undefined ? this.wire.fresh : this.wire.intact
  }

  /** It may be taken. */
  get rested(): boolean {
    return !this.#settling && this.fresh
  }

  /** The pool takes it over until `wake`. */
  sleep(pool: ConnectionPool, timeoutMs: number): void {
    const { wire } = this
    this.#pool = pool
    this.user = undefined
    wire.owner = this.multiplexer ?? this
    if (!wire.reading) this.#settle()
    wire.renew()
    setTimer(this.#timer, timeoutMs)
    assert(this.fresh, 'a connection enters the pool fresh')
    assert(wire.reading, 'an idle connection is read')
  }

  /**
   * Reading was stopped, so that bytes behind the response may have arrived unseen: the kernel is asked first. It is when
   * the event loop comes to its sockets the next time, which is between these two.
   */
  #settle(): void {
    this.#settling = true
    soon(settling, this)
  }

  /** The kernel had nothing to say. */
  settled(): void {
    this.#settling = false
  }

  /** Leaves the pool for another request. */
  wake(): void {
    assert(this.wire.owner === (this.multiplexer ?? this), "an idle connection is nobody else's")
    assert(this.wire.reading, 'an idle connection was read')
    this.#pool = undefined
    this.#timer.purpose = 0
  }

  onBytes(): void {
    this.drop()
  }
  onDrain(): void {}
  onEnd(): void {
    this.drop()
  }
  onClose(): void {
    this.drop()
  }
  onTimeout(): void {
    if (this.#pool !== undefined) this.drop()
  }

  /** It is in a pool. */
  get idle(): boolean {
    return this.#pool !== undefined
  }

  /** Closes it if it is idle. */
  drop(): void {
    const pool = this.#pool
    if (pool === undefined) return
    this.#pool = undefined
    pool.forget(this)
    this.close()
  }

  /** Closes it for good; whoever used it is not told. */
  close(): void {
    cancelTimer(this.#timer)
    this.user = undefined
    this.wire.owner = NOBODY
    this.wire.destroy()
  }
}

function settling(connection: PeerConnection): void {
  soon(settled, connection)
}

function settled(connection: PeerConnection): void {
  connection.settled()
}

/** The idle connections of one group in one worker. */
export class ConnectionPool {
  readonly options: PoolOptions
  readonly #idle: PeerConnection[] = []
  /** How many requests at once a new connection may carry until its peer has said it: what the last one said. */
  streamsMax = STREAMS_FIRST
  /** Those that carry several requests at once, while they serve. */
  readonly #shared: PeerConnection[] = []
  #closed = false
  /** Where idle connections are counted for all workers together. */
  gauges: GroupGauges | undefined

  constructor(options: PoolOptions) {
    this.options = options
  }

  get idleCount(): number {
    return this.#idle.length
  }

  /** The newest idle connection to `peer`, if there is one. */
  take(peer: Peer, tag: string, options: ConnectOptions): PeerConnection | undefined {
    return this.#takeIdle(peer, tag, options, false)
  }

  /** A connection to `peer` that can carry one more request at once: one that serves, else an idle one. */
  takeShared(peer: Peer, tag: string, options: ConnectOptions): PeerConnection | undefined {
    for (let i = 0; i < this.#shared.length; i++) {
      const connection = this.#shared[i]!
      if (!connection.multiplexer!.hasRoom || this.#usedUp(connection)) continue
      if (this.#suits(connection, peer, tag, options)) return connection
    }
    const idle = this.#takeIdle(peer, tag, options, true)
    if (idle !== undefined) this.share(idle, tag)
    return idle
  }

  #takeIdle(peer: Peer, tag: string, options: ConnectOptions, shared: boolean): PeerConnection | undefined {
    const idle = this.#idle
    for (let i = idle.length - 1; i >= 0; i--) {
      const connection = idle[i]!
      if ((connection.multiplexer !== undefined) !== shared || connection.multiplexer?.hasRoom === false) continue
      // One that is closing is still here until the system has let go of it.
      if (!connection.rested || !this.#suits(connection, peer, tag, options)) continue
      if (i === idle.length - 1) idle.pop()
      else idle.splice(i, 1)
      this.gauges?.idle(-1)
      connection.wake()
      return connection
    }
    return undefined
  }

  #suits(connection: PeerConnection, peer: Peer, tag: string, { tls, from }: ConnectOptions): boolean {
    if (connection.peer.address.name !== peer.address.name) return false
    if (connection.security !== (tls === undefined ? '' : tls.key)) return false
    if (connection.from !== (from === undefined ? '' : from.name)) return false
    return !this.options.local || connection.tag === tag
  }

  #usedUp(connection: PeerConnection): boolean {
    const { requestsMax, timeMs } = this.options
    return connection.requests >= requestsMax || clock.monotonic - connection.startMs > timeMs
  }

  /** A connection that is open, or being opened, may be used by others at the same time, until `unshare` or `give`. */
  share(connection: PeerConnection, tag: string): void {
    connection.tag = tag
    this.#shared.push(connection)
  }

  unshare(connection: PeerConnection): void {
    const at = this.#shared.indexOf(connection)
    if (at >= 0) this.#shared.splice(at, 1)
  }

  /** Keeps a connection, or closes it when it has served its time, or something of its last request is left on it. */
  give(connection: PeerConnection, tag: string): void {
    const { max, timeoutMs } = this.options
    if (connection.multiplexer !== undefined) this.unshare(connection)
    if (this.#closed || !connection.fresh || this.#usedUp(connection)) {
      connection.close()
      return
    }
    if (this.#idle.length >= max) {
      const oldest = this.#idle.shift()
      if (oldest !== undefined) this.gauges?.idle(-1)
      oldest?.wake()
      oldest?.close()
      if (max === 0) {
        connection.close()
        return
      }
    }
    connection.tag = tag
    connection.sleep(this, timeoutMs)
    this.#idle.push(connection)
    this.gauges?.idle(1)
  }

  /** Moves another pool's idle connections to these peers here; the rest stays where it is. */
  adopt(other: ConnectionPool, peers: ReadonlySet<string>): void {
    const kept = other.#idle.filter((connection) => peers.has(connection.peer.address.name))
    for (const connection of kept) {
      other.forget(connection)
      connection.wake()
      this.give(connection, connection.tag)
    }
  }

  forget(connection: PeerConnection): void {
    const at = this.#idle.indexOf(connection)
    if (at < 0) return
    this.#idle.splice(at, 1)
    this.gauges?.idle(-1)
  }

  /** Closes every idle connection: the worker ends, or the group is gone. */
  close(): void {
    this.#closed = true
    for (const connection of this.#idle.splice(0)) {
      this.gauges?.idle(-1)
      connection.wake()
      connection.close()
    }
  }
}
