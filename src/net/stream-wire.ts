/** A wire to a client or a back end, whatever drives its socket: what its users ask beyond reading and writing. */
import type { StreamHandle } from './handle-wire.ts'
import { Wire } from './wire.ts'
import type { WireFailure } from './wire-failure.ts'

export abstract class StreamWire extends Wire {
  /** Closes because of `failure`, which the owner is told; ignored once the wire is closing. */
  abstract fail(failure: WireFailure): void
  /** Bytes of the peer are read, and nobody has stopped that. */
  abstract get reading(): boolean
  /** Both directions are open, and the owner has got all that was received. */
  abstract get intact(): boolean
  /**
   * Gives its handle away, to lay something over it; this wire is then dead, and its owner hears no more of it. Whoever
   * may want that asks for a wire on a handle.
   */
  abstract release(): StreamHandle

  /** Another conversation may begin: nothing of the last one is left on the way in either direction. */
  get fresh(): boolean {
    return this.intact && this.still
  }

  /** Takes a fresh wire out of the state that the last conversation has left it in: it reads, and waits for nothing. */
  renew(): void {
    this.forgetDrain()
    this.resume()
  }
}
