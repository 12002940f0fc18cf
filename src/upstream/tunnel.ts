/**
 * Two wires joined after 101 (or an answer to CONNECT): bytes pass both ways, and each side waits for the other. A side
 * that sends its end may still receive: the end is passed on behind its last bytes, and the tunnel is over when both have
 * ended, when one is gone, or after the time-out (nginx ends both at once).
 */
import { clock } from '../lib/clock.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../net/timer-wheel.ts'
import type { Wire, WireOwner } from '../net/wire.ts'

/** Who hears of the tunnel's end. */
export interface TunnelOwner {
  onTunnelEnd(): void
  /** Bytes from the back end were passed on. */
  onTunnelBytes(count: number): void
}

/** Milliseconds: of silence on both sides, and for the last bytes to leave. */
export interface TunnelTimeouts {
  readonly read_timeout: number
  readonly send_timeout: number
}

export class WireTunnel implements Tunnel, WireOwner, TimerOwner {
  readonly #client: TunnelWire
  readonly #peer: Wire
  readonly #owner: TunnelOwner
  readonly #readTimeoutMs: number
  readonly #sendTimeoutMs: number
  readonly #timer = new Timer(this)
  #ended = false
  /** One side has sent its end. */
  #halfClosed = false

  constructor(client: TunnelWire, peer: Wire, owner: TunnelOwner, timeouts: TunnelTimeouts) {
    this.#client = client
    this.#peer = peer
    this.#owner = owner
    this.#readTimeoutMs = timeouts.read_timeout
    this.#sendTimeoutMs = timeouts.send_timeout
    peer.owner = this
    this.#alive()
  }

  #alive(): void {
    setTimer(this.#timer, this.#readTimeoutMs)
  }

  // From the back end.
  onBytes(buffer: Buffer, size: number): void {
    this.#alive()
    this.#owner.onTunnelBytes(size)
    this.#client.writeBytes(buffer.subarray(0, size), false)
    if (this.#client.full) this.#peer.pause()
  }
  onDrain(): void {
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
    if (this.#peer.full) this.#client.pause()
  }
  onClientDrain(): void {
    this.#peer.resume()
  }
  onClientEnd(): void {
    this.#passEnd(this.#peer)
  }
  onClientClose(): void {
    this.#end()
  }

  onTimeout(): void {
    clock.update()
    this.#end()
  }

  #passEnd(to: TunnelWire): void {
    if (this.#halfClosed) return this.#end()
    this.#halfClosed = true
    to.end()
  }

  /** Ends both sides after what was written has left. */
  #end(): void {
    if (this.#ended) return
    this.#ended = true
    cancelTimer(this.#timer)
    this.#peer.closeAfterFlush(this.#sendTimeoutMs)
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
}

/** Takes over the bytes of a connection. Bytes are borrowed until `onClientBytes` returns. */
export interface Tunnel {
  onClientBytes(bytes: Buffer, start: number, end: number): void
  onClientDrain(): void
  onClientEnd(): void
  onClientClose(): void
}
