/**
 * Two wires joined after 101 (or an answer to CONNECT): bytes pass both ways, and each side waits for the other. The
 * tunnel is over when one side has sent its end, when one is gone, when one takes nothing for the send time-out, or when
 * nothing moves for the read time-out, which does not run while the back end is not read for the client's sake; what was
 * received before leaves first (ngx_http_upstream_process_upgraded). With `half_close` a side that has sent its end may
 * still receive, and both have to end.
 */
import { clock } from '../lib/clock.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../net/timer-wheel.ts'
import type { Wire, WireOwner } from '../net/wire.ts'

/** Who hears of the tunnel's end. */
export interface TunnelOwner {
  onTunnelEnd(): void
  /** Bytes from the back end were passed on. */
  onTunnelBytes(count: number): void
  /** Somebody has said, or taken, nothing for too long; the end follows. */
  onTunnelTimeout(who: 'client' | 'upstream'): void
}

/** How long a tunnel lasts; times are milliseconds. */
interface TunnelOptions {
  /** Silence of both sides, of which neither takes anything. */
  readonly readTimeoutMs: number
  /** The back end takes nothing of what is there for it. */
  readonly sendTimeoutMs: number
  /** The same for the client. */
  readonly clientSendTimeoutMs: number
  /** A side that has sent its end may still receive. */
  readonly halfClose: boolean
}

export class WireTunnel implements Tunnel, WireOwner, TimerOwner {
  readonly #client: TunnelWire
  readonly #peer: Wire
  readonly #owner: TunnelOwner
  readonly #options: TunnelOptions
  readonly #silence = new Timer(this)
  readonly #peerStalls = new Timer(this)
  readonly #clientStalls = new Timer(this)
  #ended = false
  /** One side has sent its end. */
  #halfClosed = false

  constructor(client: TunnelWire, peer: Wire, owner: TunnelOwner, options: TunnelOptions) {
    this.#client = client
    this.#peer = peer
    this.#owner = owner
    this.#options = options
    peer.owner = this
    this.#alive()
  }

  #alive(): void {
    setTimer(this.#silence, this.#options.readTimeoutMs)
  }

  // From the back end.
  onBytes(buffer: Buffer, size: number): void {
    this.#alive()
    this.#owner.onTunnelBytes(size)
    this.#client.writeBytes(buffer.subarray(0, size), false)
    if (!this.#client.full) return
    this.#peer.pause()
    setTimer(this.#clientStalls, this.#options.clientSendTimeoutMs)
  }
  onDrain(): void {
    this.#alive()
    cancelTimer(this.#peerStalls)
    this.#client.resume()
  }
  onEnd(): void {
    this.#passEnd(this.#client)
  }
  onClose(): void {
    this.#end()
  }

  // From the client.
  onClientBytes(buffer: Buffer, start: number, end: number): void {
    this.#alive()
    this.#peer.writeBytes(buffer.subarray(start, end), false)
    if (!this.#peer.full) return
    this.#client.pause()
    setTimer(this.#peerStalls, this.#options.sendTimeoutMs)
  }
  onClientDrain(): void {
    this.#alive()
    cancelTimer(this.#clientStalls)
    this.#peer.resume()
  }
  onClientEnd(): void {
    this.#passEnd(this.#peer)
  }
  onClientClose(): void {
    this.#end()
  }

  onTimeout(timer: Timer): void {
    clock.update()
    if (this.#moves(timer)) return
    this.#owner.onTunnelTimeout(timer === this.#clientStalls ? 'client' : 'upstream')
    this.#end()
  }

  /** The time of `timer` is not over: it was armed anew. */
  #moves(timer: Timer): boolean {
    const { readTimeoutMs, sendTimeoutMs, clientSendTimeoutMs } = this.#options
    if (timer === this.#clientStalls) return this.#client.stillTakes(timer, clientSendTimeoutMs)
    if (timer === this.#peerStalls) return this.#peer.stillTakes(timer, sendTimeoutMs)
    if (!this.#clientStalls.active) {
      return this.#peer.stillTakes(timer, readTimeoutMs) || this.#client.stillTakes(timer, readTimeoutMs)
    }
    setTimer(timer, readTimeoutMs)
    return true
  }

  /** One side has sent its last byte; all before it has been handed to the other side's wire. */
  #passEnd(to: TunnelWire): void {
    if (this.#halfClosed || !this.#options.halfClose) return this.#end()
    this.#halfClosed = true
    to.end()
  }

  /** Ends both sides after what was written has left. */
  #end(): void {
    if (this.#ended) return
    this.#ended = true
    cancelTimer(this.#silence)
    cancelTimer(this.#peerStalls)
    cancelTimer(this.#clientStalls)
    this.#peer.closeAfterFlush(this.#options.sendTimeoutMs)
    this.#owner.onTunnelEnd()
  }
}

/** A wire as a tunnel sees it. */
export interface TunnelWire {
  readonly full: boolean
  writeBytes(bytes: Uint8Array, stable: boolean): void
  pause(): void
  resume(): void
  end(): void
  /** As `Wire.stillTakes`. */
  stillTakes(timer: Timer, timeoutMs: number): boolean
}

/** Takes over the bytes of a connection. Bytes are borrowed until `onClientBytes` returns. */
export interface Tunnel {
  onClientBytes(bytes: Buffer, start: number, end: number): void
  onClientDrain(): void
  onClientEnd(): void
  onClientClose(): void
}
