/**
 * A wire over net.Socket: for connections whose speed does not matter. `onread` reads into the thread's one buffer
 * instead of allocating one per read.
 */
import net from 'node:net'
import { readBuffer, Wire } from './wire.ts'
import type { WireFailure } from './wire-failure.ts'

export class SocketWire extends Wire {
  readonly socket: net.Socket
  #failure: WireFailure | undefined

  constructor() {
    super()
    const callback = (size: number): boolean => {
      this.received(size)
      return true
    }
    this.socket = new net.Socket({
      allowHalfOpen: true,
      onread: { buffer: readBuffer, callback },
    } as net.SocketConstructorOpts)
    this.socket.on('drain', () => this.drained())
    this.socket.on('end', () => this.ended())
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      const call = error.syscall === 'connect' ? 'connect' : 'recv'
      this.#failure = { kind: 'system', call, errno: error.code ?? 'EIO', on: '' }
    })
    this.socket.on('close', () => this.lost(this.#failure))
  }

  protected send(text: string, pieces: readonly (string | Buffer)[] | undefined): void {
    const { socket } = this
    if (pieces === undefined) {
      socket.write(text, 'latin1')
      return
    }
    socket.cork()
    for (const piece of pieces) {
      if (typeof piece === 'string') socket.write(piece, 'latin1')
      else socket.write(piece)
    }
    socket.uncork()
  }

  protected sendEnd(): void {
    this.socket.end()
  }

  protected closeNow(): void {
    this.socket.destroy()
  }

  protected closeWhenFlushed(): void {
    this.socket.end(() => this.socket.destroy())
  }

  protected get kernelBytes(): number {
    return this.socket.writableLength
  }

  protected get backedUp(): boolean {
    return this.socket.writableNeedDrain
  }

  protected get dead(): boolean {
    return this.socket.destroyed
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  setNoDelay(): void {
    this.socket.setNoDelay(true)
  }

  setKeepAlive(idleSeconds: number): void {
    this.socket.setKeepAlive(true, idleSeconds * 1000)
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  get remoteAddress(): string {
    return this.socket.remoteAddress ?? ''
  }

  get remotePort(): number {
    return this.socket.remotePort ?? 0
  }

  get localAddress(): string {
    return this.socket.localAddress ?? ''
  }
}
