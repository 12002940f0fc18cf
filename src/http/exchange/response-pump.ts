/**
 * What goes to the client: body bytes of the peer at once while the client takes them, else held in a spool (buffering
 * on) or left with the peer (buffering off). The producer of the response.
 */
import { NO_BYTES } from '../../lib/bytes.ts'
import { clock } from '../../lib/clock.ts'
import { errnoText } from '../../lib/errno.ts'
import { CRIT, WARN } from '../../log/error-log.ts'
import { FLUSH, LAST, type Producer } from '../message/body.ts'
import type { Request } from '../request/request.ts'
import type { ExchangeConf } from './conf.ts'
import { Spool } from './spool.ts'
import { StoredFile } from './stored-file.ts'

const PIECE_SIZE = 65536

/** Hears what the client does; drives the peer. */
export interface PumpOwner {
  pausePeer(): void
  resumePeer(): void
  /** The client is gone. */
  onAbort(): void
}

/** A body that can be read again as far as it was kept. */
export interface KeptBody {
  /** How many bytes were read (0: there are none), or the name of an errno. */
  read(into: Uint8Array, size: number, position: number): number | string
}

/** Keeps a body while it passes. */
export interface BodyKeeper {
  /** Takes bytes; false: nothing is kept any more. */
  append(bytes: Uint8Array, start: number, end: number): boolean
  /** What was kept so far, to be read again; undefined: it cannot be. */
  written(): KeptBody | undefined
  /** The body is whole. Where no client is left, the request may be over when this returns. */
  complete(): void
  /** The client is served, and the request goes on for the body's sake. */
  outlast(): boolean
}

export class ResponsePump implements Producer {
  readonly #owner: PumpOwner
  #r!: Request
  #conf!: ExchangeConf
  #spool: Spool | undefined
  /** `proxy_store`: the copy of the response. */
  #store: StoredFile | undefined
  /** The cache that keeps the response. */
  #keeper: BodyKeeper | undefined
  /** Nobody reads what is received but the cache. */
  #deaf = false
  /** Bytes of the body that have come. */
  #received = 0
  /** What a slow client has not taken and the cache keeps anyway, from `#keptAt` to before `#keptEnd` of the body. */
  #kept: KeptBody | undefined
  #keptAt = 0
  #keptEnd = 0
  /** The client takes nothing for now. */
  stalled = false
  /** The peer has sent all. */
  #complete = false
  /** It has not, and nothing follows. */
  #broken = false
  /** `proxy_buffering`, or what the back end said instead. */
  buffering = true
  ignoresClientAbort = false
  /** `limit_rate` in bytes per second; 0: no limit. */
  #rate = 0
  #rateStartMs = 0
  #rateBytes = 0
  /** Bytes that the rate keeps back. */
  held: Buffer = NO_BYTES

  constructor(owner: PumpOwner) {
    this.#owner = owner
  }

  begin(r: Request, conf: ExchangeConf): void {
    this.#r = r
    this.#conf = conf
    this.close()
    this.stalled = this.#deaf = false
    this.#received = this.#keptAt = this.#keptEnd = 0
    this.#complete = this.#broken = false
    this.buffering = conf.transport.buffering
    this.ignoresClientAbort = conf.transport.ignore_client_abort || conf.store !== undefined
    this.#rate = 0
    this.#rateBytes = 0
    this.held = NO_BYTES
  }

  /** The head is out: the body may come, `length` bytes or (-1) who knows, at most `rate` bytes a second. */
  open(rate: number, length: number): void {
    const { store, tempPath } = this.#conf
    this.#rate = rate
    this.#rateStartMs = clock.monotonic
    if (store !== undefined) this.#store = StoredFile.begin(this.#r, store, tempPath, length)
  }

  /** The body goes into the cache, too. */
  keepIn(keeper: BodyKeeper): void {
    this.#keeper = keeper
  }

  /** Who asked wants no body: what comes is for the cache alone. False: there is none. */
  keepsOnly(): boolean {
    if (this.#keeper?.outlast() !== true) return false
    this.#deaf = true
    this.#r.producer = undefined
    this.#r.body.write(NO_BYTES, LAST)
    return true
  }

  /** The client has left; what comes is for the cache alone. */
  deafen(): void {
    this.#deaf = true
    this.#spool?.close()
    this.#spool = undefined
    this.#keptAt = this.#keptEnd
    if (!this.stalled) return
    this.stalled = false
    if (this.held.length === 0) this.#owner.resumePeer()
  }

  close(): void {
    this.#keeper = undefined
    this.#kept = undefined
    this.#store?.discard()
    this.#store = undefined
    this.#spool?.close()
    this.#spool = undefined
  }

  /** Passes bytes on; with `last` nothing follows, and the request may have ended when this returns. */
  push(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    this.#store?.append(bytes, start, end)
    if (this.#keeper?.append(bytes, start, end) === false) this.#keeper = undefined
    const from = this.#received
    this.#received += end - start
    if (this.#deaf) return this.#endDeaf(last)
    const left = this.stalled && this.#leave(from)
    if (last) this.#endCopies()
    if (this.stalled) {
      if (!left) this.#hold(bytes as Buffer, start, end)
      if (last) this.#complete = true
      return
    }
    let flags = this.buffering ? 0 : FLUSH
    if (last) {
      this.#r.producer = undefined
      flags = LAST
    }
    const more = this.#r.body.write(bytes.subarray(start, end), flags)
    if (last || more) return
    this.stalled = true
    if (!this.buffering) this.#owner.pausePeer()
  }

  /** Nothing follows; the response ends when the client has taken what is held. What is not whole is not kept. */
  end(whole = true): void {
    this.#complete = true
    if (!whole) this.#keeper = undefined
    if (this.#deaf) return this.#endDeaf(true)
    this.#endCopies()
    if (this.stalled || !this.#nothingHeld()) return
    this.#r.producer = undefined
    this.#r.body.write(NO_BYTES, LAST)
  }

  /**
   * Nothing follows, and the body is not whole. True: the client takes what has come before it is cut off, as in
   * ngx_http_upstream_finalize_request; false: it has all of that, also what filters held back. The request may be over
   * when this returns.
   */
  breakOff(): boolean {
    if (this.#deaf) return false
    if (!this.stalled && this.#r.body.write(NO_BYTES, FLUSH)) return false
    this.stalled = true
    this.#keeper = undefined
    this.#store?.discard()
    this.#store = undefined
    this.#broken = true
    return true
  }

  #endCopies(): void {
    const store = this.#store
    const keeper = this.#keeper
    this.#store = this.#keeper = undefined
    store?.complete()
    keeper?.complete()
  }

  /** Nobody listens: goes on as long as something is kept. The request may be over when this returns. */
  #endDeaf(last: boolean): void {
    if (last) this.#endCopies()
    else if (this.#keeper === undefined) this.#owner.onAbort()
  }

  #nothingHeld(): boolean {
    return this.#keptAt === this.#keptEnd && (this.#spool === undefined || this.#spool.empty)
  }

  /** Leaves what has come since `from` to the cache's file, unless there is none, or other bytes stand before it. */
  #leave(from: number): boolean {
    if (this.#keeper === undefined || (this.#spool !== undefined && !this.#spool.empty)) return false
    this.#kept ??= this.#keeper.written()
    if (this.#kept === undefined) return false
    if (this.#keptAt === this.#keptEnd) this.#keptAt = from
    this.#keptEnd = this.#received
    return true
  }

  #hold(bytes: Buffer, start: number, end: number): void {
    let spool = this.#spool
    if (spool === undefined) {
      spool = this.#makeSpool()
      this.#spool = spool
    }
    const problem = spool.push(bytes, start, end)
    if (problem !== '') this.#r.logError(CRIT, `${problem} while reading upstream`)
    if (spool.full) this.#owner.pausePeer()
  }

  #makeSpool(): Spool {
    const { buffers, max_temp_file_size } = this.#conf.transport
    const fileMax = this.buffering ? max_temp_file_size : 0
    const spool = new Spool(buffers.count * buffers.size, fileMax, this.#conf.tempPath)
    spool.onFile = (path) =>
      this.#r.logError(WARN, `an upstream response is buffered to a temporary file ${path} while reading upstream`)
    return spool
  }

  /** The client takes bytes again: what is held goes first. */
  onDrain(): void {
    this.stalled = false
    const r = this.#r
    while (!this.#nothingHeld()) {
      const piece = this.#keptAt < this.#keptEnd ? this.#readKept() : this.#spool!.shift()!
      if (piece === undefined) return
      const last = this.#nothingHeld() && this.#complete
      if (last) r.producer = undefined
      const more = r.body.write(piece, last ? LAST : this.#broken && this.#nothingHeld() ? FLUSH : 0)
      if (last) return
      if (!more) {
        this.stalled = true
        return
      }
    }
    if (this.#broken) {
      r.producer = undefined
      r.breakOff()
    } else if (this.#complete) this.end()
    else if (this.held.length === 0) this.#owner.resumePeer()
  }

  /** The next bytes out of the cache's file; undefined: it cannot be read, and the response ends here. */
  #readKept(): Buffer | undefined {
    const size = Math.min(PIECE_SIZE, this.#keptEnd - this.#keptAt)
    const piece = Buffer.allocUnsafe(size)
    const count = this.#kept!.read(piece, size, this.#keptAt)
    if (typeof count === 'string' || count === 0) {
      this.#r.logError(CRIT, `pread() of a response that is being cached failed ${count === 0 ? '' : errnoText(count)}`)
      this.#r.producer = undefined
      this.#owner.onAbort()
      this.#r.breakOff()
      return undefined
    }
    this.#keptAt += count
    return count === size ? piece : piece.subarray(0, count)
  }

  onAbort(): void {
    this.#owner.onAbort()
  }

  /** Keeps back what exceeds the rate, in `held`; returns where the bytes that may pass end. */
  paced(buffer: Buffer, start: number, end: number): number {
    if (this.#rate === 0) return end
    const seconds = Math.floor((clock.monotonic - this.#rateStartMs) / 1000) + 1
    const allowed = Math.max(0, this.#rate * seconds - this.#rateBytes)
    const size = Math.min(end - start, allowed)
    this.#rateBytes += size
    if (size === end - start) return end
    this.held = Buffer.from(buffer.subarray(start + size, end))
    this.#owner.pausePeer()
    return start + size
  }

  /** Takes what was kept back. */
  takeHeld(): Buffer {
    const { held } = this
    this.held = NO_BYTES
    return held
  }
}
