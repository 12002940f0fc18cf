/**
 * A wire on Node's bare stream handle: a net.Socket around it would cost half of what a short connection costs and most
 * of the memory of an idle one (docs/adr/0009). It drives the handle as node:net does:
 *
 *   reading   the handle fills `readBuffer` and calls `onread`; the size, or a negative errno, stands in a shared array
 *   writing   most writes are taken by the kernel at once; for the rest the handle keeps the bytes and calls back
 */
import { getSystemErrorName } from 'node:util'
import { StreamWire } from './stream-wire.ts'
import type { Timer } from './timer-wheel.ts'
import { NOBODY, readBuffer } from './wire.ts'
import type { SystemCall, WireFailure } from './wire-failure.ts'

/** What a peer has to take before its producers go on, in bytes. */
const BACKED_UP_BYTES = 65536
const UV_EOF = -4095

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void
  wire: HandleWire | undefined
  bytes: number
  /** Keeps what is being written alive until the kernel has it. */
  held: unknown
}

interface ShutdownRequest {
  oncomplete: (status: number) => void
}

interface AddressInfo {
  address?: string
  port?: number
}

/** Node's stream handle, as far as it is used here. */
export interface StreamHandle {
  onread: (this: StreamHandle) => void
  wire?: HandleWire | undefined
  readonly fd: number
  /** Bytes that the kernel has not taken, of all writes. */
  readonly writeQueueSize: number
  useUserBuffer(buffer: Buffer): void
  readStart(): number
  readStop(): number
  writeLatin1String(request: WriteRequest, text: string): number
  writeBuffer(request: WriteRequest, buffer: Buffer): number
  writev(request: WriteRequest, chunks: readonly unknown[], allBuffers: boolean): number
  shutdown(request: ShutdownRequest): number
  close(done?: () => void): void
  reset?(done?: () => void): number
  setNoDelay?(on: boolean): number
  setKeepAlive?(on: boolean, seconds: number): number
  getpeername?(out: AddressInfo): number
  getsockname?(out: AddressInfo): number
}

interface StreamBinding {
  WriteWrap: new () => WriteRequest
  ShutdownWrap: new () => ShutdownRequest
  streamBaseState: Int32Array
  kReadBytesOrError: number
  kLastWriteWasAsync: number
}

const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = (
  process as unknown as { binding(name: string): StreamBinding }
).binding('stream_wrap')

/** A wire on one handle. */
export class HandleWire extends StreamWire {
  readonly #handle: StreamHandle
  #reading = false
  #atEnd = false
  #pending = 0
  /** What the kernel had not taken when that was last looked at. */
  #untaken = 0
  #dead = false
  #ending = false
  #closeWhenFlushed = false
  #failure: WireFailure | undefined
  #peer: AddressInfo | undefined

  constructor(handle: StreamHandle) {
    super()
    this.#handle = handle
    handle.wire = this
    handle.useUserBuffer(readBuffer)
    handle.onread = onread
  }

  override release(): StreamHandle {
    this.pause()
    this.#dead = true
    this.owner = NOBODY
    const handle = this.#handle
    handle.wire = undefined
    return handle
  }

  /** The handle has read, or cannot read any more. */
  onRead(result: number): void {
    if (result > 0) this.received(result)
    else if (result === UV_EOF) this.#onEof()
    else if (result < 0) this.#fail('recv', result)
  }

  #onEof(): void {
    this.#atEnd = true
    this.pause()
    this.ended()
  }

  /** A system call has failed with a negative errno. */
  #fail(call: SystemCall, errno: number): void {
    this.fail({ kind: 'system', call, errno: getSystemErrorName(errno), on: '' })
  }

  override fail(failure: WireFailure): void {
    if (this.#dead) return
    this.#failure ??= failure
    this.closeNow()
  }

  protected send(text: string, pieces: readonly (string | Buffer)[] | undefined): void {
    const request = spare
    const handle = this.#handle
    let bytes = text.length
    let error: number
    if (pieces === undefined) error = handle.writeLatin1String(request, text)
    else {
      request.held = pieces
      bytes = sizeOf(pieces)
      const [only] = pieces
      if (pieces.length === 1 && typeof only === 'object') error = handle.writeBuffer(request, only)
      else error = handle.writev(request, withEncodings(pieces), false)
    }
    if (error !== 0) return this.#failLater('writev', error)
    if (streamBaseState[kLastWriteWasAsync] === 0) {
      if (pieces !== undefined) request.held = undefined
      return
    }
    spare = newRequest()
    request.wire = this
    request.bytes = bytes
    this.#pending += bytes
    this.#untaken = this.untaken
  }

  protected get untaken(): number {
    return this.#handle.writeQueueSize
  }

  /** The handle tells of whole writes only: that the kernel takes parts of one shows by what is left. */
  override stillTakes(timer: Timer, timeoutMs: number): boolean {
    const { untaken } = this
    if (untaken < this.#untaken) this.noteTaken()
    this.#untaken = untaken
    return super.stillTakes(timer, timeoutMs)
  }

  /** Errors of a write are told like those of the peer: not from within the call. */
  #failLater(call: SystemCall, errno: number): void {
    setImmediate(() => this.#fail(call, errno))
  }

  /** The kernel has taken a write that it did not take at once. */
  onWritten(bytes: number, status: number): void {
    this.#pending -= bytes
    if (this.#dead) return
    if (status < 0) return this.#fail('writev', status)
    if (this.#pending > 0) return
    if (this.#closeWhenFlushed) this.closeNow()
    else this.drained()
  }

  protected sendEnd(): void {
    if (this.#ending) return
    this.#ending = true
    const request = new ShutdownWrap()
    request.oncomplete = ignore
    this.#handle.shutdown(request)
  }

  protected closeNow(): void {
    if (this.#dead) return
    this.#dead = true
    this.#handle.close(() => this.lost(this.#failure))
  }

  protected closeWhenFlushed(): void {
    this.#closeWhenFlushed = true
    this.pause()
  }

  protected get kernelBytes(): number {
    return this.#pending
  }

  protected get backedUp(): boolean {
    return this.#pending >= BACKED_UP_BYTES
  }

  protected get dead(): boolean {
    return this.#dead
  }

  pause(): void {
    if (!this.#reading || this.#dead) return
    this.#reading = false
    this.#handle.readStop()
  }

  resume(): void {
    if (this.#reading || this.#dead || this.#atEnd) return
    this.#reading = true
    const error = this.#handle.readStart()
    if (error !== 0) this.#failLater('recv', error)
  }

  override get reading(): boolean {
    return this.#reading
  }

  override get intact(): boolean {
    return !this.#dead && !this.#atEnd && !this.#ending
  }

  setNoDelay(): void {
    if (!this.#dead) this.#handle.setNoDelay?.(true)
  }

  setKeepAlive(idleSeconds: number): void {
    this.#handle.setKeepAlive?.(true, idleSeconds)
  }

  reset(): void {
    if (this.#dead) return
    if (this.#handle.reset === undefined) return this.closeNow()
    this.#dead = true
    if (this.#handle.reset(() => this.lost(this.#failure)) === 0) return
    this.#dead = false
    this.closeNow()
  }

  #peerName(): AddressInfo {
    if (this.#peer === undefined) {
      this.#peer = {}
      this.#handle.getpeername?.(this.#peer)
    }
    return this.#peer
  }

  get remoteAddress(): string {
    return this.#peerName().address ?? ''
  }

  get remotePort(): number {
    return this.#peerName().port ?? 0
  }

  get localAddress(): string {
    const info: AddressInfo = {}
    this.#handle.getsockname?.(info)
    return info.address ?? ''
  }
}

/** The handle keeps a request only when the kernel does not take all at once; until then the same one serves again. */
let spare = newRequest()

function newRequest(): WriteRequest {
  const request = new WriteWrap()
  request.oncomplete = onwritten
  return request
}

function onread(this: StreamHandle): void {
  this.wire!.onRead(streamBaseState[kReadBytesOrError]!)
}

function onwritten(this: WriteRequest, status: number): void {
  const { wire, bytes } = this
  this.held = undefined
  this.wire = undefined
  wire?.onWritten(bytes ?? 0, status)
}

function ignore(): void {}

function sizeOf(pieces: readonly (string | Buffer)[]): number {
  let size = 0
  for (const piece of pieces) size += piece.length
  return size
}

/** Node's form for mixed pieces: each followed by its encoding. */
function withEncodings(pieces: readonly (string | Buffer)[]): unknown[] {
  const chunks: unknown[] = []
  for (const piece of pieces) chunks.push(piece, typeof piece === 'string' ? 'latin1' : 'buffer')
  return chunks
}

/** For handles that are not Node's: says that the write which returns now is over, as a kernel that took everything does. */
export function wroteAtOnce(): void {
  streamBaseState[kLastWriteWasAsync] = 0
}
