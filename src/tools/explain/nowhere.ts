/** Connections that lead nowhere: a client whose request is given, and back ends whose answers are. */

import { type ConnectOwner, connectBy, connectFailure } from '../../net/connect.ts'
import { type StreamHandle, wroteAtOnce } from '../../net/handle-wire.ts'
import { NOBODY, readBuffer, Wire } from '../../net/wire.ts'

/** A client: what it says is given to `say`, what it is told is in `heard`. */
export class ClientWire extends Wire {
  readonly remoteAddress: string
  readonly remotePort = 50_000
  readonly localAddress: string
  heard = ''
  #closed = false
  /** Called when the server has closed the connection. */
  onGone: () => void = () => {}

  constructor(from: string, to: string) {
    super()
    this.remoteAddress = from
    this.localAddress = to
  }

  /** Has the server read `bytes`, as they come from a network. */
  say(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.#closed; at += readBuffer.length) {
      this.received(bytes.copy(readBuffer, 0, at, Math.min(bytes.length, at + readBuffer.length)))
    }
  }

  protected send(text: string, pieces: readonly (string | Buffer)[] | undefined): void {
    this.heard += text
    for (const piece of pieces ?? []) this.heard += typeof piece === 'string' ? piece : piece.latin1Slice()
  }
  protected sendEnd(): void {}
  protected closeNow(): void {
    if (this.#closed) return
    this.#closed = true
    this.owner = NOBODY
    this.onGone()
  }
  protected closeWhenFlushed(): void {
    this.closeNow()
  }
  protected get kernelBytes(): number {
    return 0
  }
  protected get backedUp(): boolean {
    return false
  }
  protected get dead(): boolean {
    return this.#closed
  }
  pause(): void {}
  resume(): void {}
  setNoDelay(): void {}
  setKeepAlive(): void {}
  reset(): void {
    this.closeNow()
  }
}

/** What a back end says, and whether it closes the connection behind that. */
export interface Answer {
  readonly bytes: Buffer
  readonly closes: boolean
}

/** Gets all that a back end has been sent so far; answers undefined while more must come. */
export type Answering = (sent: string) => Answer | undefined

const EOF = -4095

/** What a connection leads to: who answers on it, that it is refused, or nothing ever. */
export type Destination = Answering | 'refused' | 'nothing'

/** Lets connections lead to what `destination` says; each asks for itself. What comes back has all of them hang up. */
export function answerConnections(destination: () => Destination): () => void {
  const handles: BackEndHandle[] = []
  connectBy((_to, owner: ConnectOwner) => {
    const to = destination()
    const handle = new BackEndHandle(typeof to === 'string' ? () => undefined : to)
    handles.push(handle)
    if (to !== 'nothing') {
      const failure = to === 'refused' ? connectFailure('connect', 'ECONNREFUSED', '') : undefined
      setImmediate(() => owner.onConnected(failure))
    }
    return handle
  })
  return () => {
    for (const handle of handles) handle.hangUp()
  }
}

/** A stream handle of Node's whose other end is a function. */
class BackEndHandle implements StreamHandle {
  onread: StreamHandle['onread'] = () => {}
  wire: StreamHandle['wire']
  readonly fd = -1
  readonly writeQueueSize = 0
  readonly #answering: Answering
  #sent = ''
  #reading = false
  #waiting: Buffer | undefined
  #ends = false
  #over = false

  constructor(answering: Answering) {
    this.#answering = answering
  }

  #take(text: string): number {
    this.#sent += text
    const answer = this.#over ? undefined : this.#answering(this.#sent)
    if (answer !== undefined) {
      const { bytes, closes } = answer
      this.#waiting = this.#waiting === undefined ? bytes : Buffer.concat([this.#waiting, bytes])
      this.#ends = closes
      if (this.#reading) setImmediate(() => this.#deliver())
    }
    wroteAtOnce()
    return 0
  }

  #deliver(): void {
    const bytes = this.#waiting
    if (bytes === undefined || !this.#reading || this.#over) return
    const size = bytes.copy(readBuffer)
    this.#waiting = size < bytes.length ? bytes.subarray(size) : undefined
    if (size > 0) this.wire?.onRead(size)
    if (this.#waiting !== undefined) setImmediate(() => this.#deliver())
    else if (this.#ends && !this.#over) {
      this.#over = true
      this.wire?.onRead(EOF)
    }
  }

  /** Closes the connection, which may be kept for a next request. */
  hangUp(): void {
    if (this.#over) return
    this.#over = true
    this.wire?.onRead(EOF)
  }

  useUserBuffer(): void {}
  readStart(): number {
    this.#reading = true
    if (this.#waiting !== undefined) setImmediate(() => this.#deliver())
    return 0
  }
  readStop(): number {
    this.#reading = false
    return 0
  }
  writeLatin1String(_request: unknown, text: string): number {
    return this.#take(text)
  }
  writeBuffer(_request: unknown, buffer: Buffer): number {
    return this.#take(buffer.latin1Slice())
  }
  writev(_request: unknown, chunks: readonly unknown[]): number {
    return this.#take(
      chunks
        .filter((_, i) => i % 2 === 0)
        .map((piece) => (typeof piece === 'string' ? piece : (piece as Buffer).latin1Slice()))
        .join(''),
    )
  }
  shutdown(): number {
    return 0
  }
  close(done?: () => void): void {
    this.#over = true
    if (done !== undefined) setImmediate(done)
  }
}
