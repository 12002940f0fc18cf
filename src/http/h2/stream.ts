/**
 * One HTTP/2 stream: carries one request, whose response it cuts into frames as the client's windows, the wire and the
 * other streams allow. Streams are used again and again, also by other connections of the thread, with their requests.
 *
 *   write -> frames, or held -> turns (the connection lets each send a piece in turn) -> drain (the producer goes on)
 *                          \--> no list: waits for the client to open the stream's window
 */

import { NO_BYTES } from '../../lib/bytes.ts'
import { INFO, WARN } from '../../log/error-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { Wire } from '../../net/wire.ts'
import type { Tunnel } from '../../upstream/tunnel.ts'
import { BodySink, LAST, LENT, STABLE } from '../message/body.ts'
import { HeaderTable } from '../message/header-table.ts'
import { RequestFacts } from '../message/request-facts.ts'
import type { Carrier } from '../request/carrier.ts'
import type { Client } from '../request/client.ts'
import { debugEnd } from '../request/debug-log.ts'
import { logRequest } from '../request/log-request.ts'
import { Request } from '../request/request.ts'
import { CUT_OFF } from '../server/client-connection.ts'
import { connectionCounters, NONE, WRITING } from '../server/connection-counters.ts'
import { BodyIntake, TAKEN, TOO_LONG } from './body-intake.ts'
import { RANK_DEFAULT, SHARE_DEFAULT } from './priorities.ts'
import { encodeHead, encodeLines } from './response-fields.ts'
import { leaveList, type TurnList, type Waiting } from './turns.ts'
import {
  DATA,
  END_STREAM,
  FRAME_HEAD_SIZE,
  frameHead,
  headersFrames,
  INTERNAL_ERROR,
  PROTOCOL_ERROR,
  rstStream,
  windowUpdate,
} from './wire/frames.ts'
import { encodeStatus } from './wire/hpack-encoder.ts'

/** Responses whose last bytes are at most so far behind are complete, for the log, when they are handed over. */
const HANDED_OVER_MAX = 65536
/** While other streams are open, one that has sent so much waits until the wire is empty. */
const TURN_BYTES_MAX = 65536
/** Bytes up to this size go into the text of the wire, and need no copy of their own. */
const COPIED_MAX = 4096

const BODY_TIMEOUT = 1
const SEND_TIMEOUT = 2
const BODY_CUT = 3

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly wire: Wire
  readonly client: Client
  readonly closing: boolean
  /** What the client takes on all streams together. */
  sendWindow: number
  /** The longest payload that the client takes. */
  readonly frameMax: number
  /** Streams that have something to send and may. */
  readonly turns: TurnList<H2Stream>
  /** Streams whose producer goes on when the wire is empty. */
  readonly awaitingDrain: TurnList<H2Stream>
  /** Streams that are open. */
  readonly open: number
  /** The wire is gone, or is not to be written any more. */
  readonly lost: boolean
  /** Writes frames that the client makes necessary, whether or not it takes them. */
  answer(frames: string): void
  /** What must stand before the next block of fields. */
  takeTableUpdate(): string
  /** Payload was sent; `windowBound`: a window let no more through. */
  sent(bytes: number, windowBound: boolean): void
  /** The response of a stream is out, and the rest of its request is not wanted. */
  resetLater(stream: number): void
  /** Calls `startNow` when the bytes at hand are all delivered. */
  startLater(stream: H2Stream): void
  /** Resets a stream because of what its client did. */
  endStream(stream: H2Stream, code: number): boolean
  /** The request is over and logged, and nothing of its response is left. */
  streamOver(stream: H2Stream): void
}

export class H2Stream extends BodySink implements Carrier, TimerOwner, Waiting {
  readonly request: Request
  readonly headers = new HeaderTable()
  readonly facts = new RequestFacts()
  readonly intake: BodyIntake
  host: StreamHost
  client: Client
  id = 0
  /** What the client takes on this stream. */
  sendWindow = 0
  /** An extended CONNECT: the answer to its 101 is 200. */
  extended = false
  waitsIn: TurnList<never> | undefined
  before: Waiting = this
  after: Waiting = this
  rank = RANK_DEFAULT
  share = SHARE_DEFAULT
  readonly #bodyTimer = new Timer(this)
  readonly #sendTimer = new Timer(this)
  /** Bytes of the body that are promised and not written yet, or -1. */
  #promised = -1
  /** The last bytes were written; they may be held. */
  #written = false
  /** The client was told that nothing follows, or will not be told any more. */
  #closed = true
  /** The client has reset the stream, or was told of a reset. */
  #reset = false
  /** Held and sent, but the kernel has not taken it yet. */
  #awaitingDrain = false
  /** The producer waits for `onDrain`. */
  #stalled = false
  /** The client was too slow, or is not to be answered: as nginx has it, the reset says PROTOCOL_ERROR. */
  #timedOut = false
  /** A response to nobody goes on because its location says so. */
  #unheard = false
  #held: Uint8Array[] = []
  #heldBytes = 0
  /** Sent since the wire was empty. */
  #turnBytes = 0
  /** Where in the wire's bytes this stream's last stand. */
  #position = 0
  #borrowed = false
  #tunnel: Tunnel | undefined
  /** The request is logged, but its last bytes wait for the client. */
  #lingers = false
  /** The body turned out to be malformed before it was wanted. */
  #bodyBroken = false
  /** The request is served when the read that brought its head is over. */
  #startDue = false

  constructor(host: StreamHost) {
    super()
    this.host = host
    this.client = host.client
    this.request = new Request(this)
    this.request.headers = this.headers
    this.request.facts = this.facts
    this.intake = new BodyIntake(this.request)
  }

  /** Begins to serve stream `id` of `host`. The request is empty then. */
  begin(host: StreamHost, id: number, sendWindow: number): void {
    this.host = host
    this.client = host.client
    this.id = id
    this.sendWindow = sendWindow
    this.extended = false
    this.rank = RANK_DEFAULT
    this.share = SHARE_DEFAULT
    this.#promised = -1
    this.#written = this.#closed = this.#reset = this.#awaitingDrain = this.#stalled = false
    this.#timedOut = this.#unheard = this.#borrowed = false
    this.#heldBytes = this.#turnBytes = this.#position = 0
    if (this.#held.length !== 0) this.#held.length = 0
    this.#tunnel = undefined
    this.#lingers = this.#bodyBroken = this.#startDue = false
    this.request.reset()
    this.facts.reset()
  }

  /** Nothing remembers this object's last request: it may serve another one. */
  get reusable(): boolean {
    return !this.#borrowed || this.pendingBytes === 0
  }

  // ---- the response --------------------------------------------------------------------------

  get full(): boolean {
    return this.#heldBytes > 0 || this.host.wire.full
  }

  get closing(): boolean {
    return this.host.closing
  }

  get pendingBytes(): number {
    const { wire } = this.host
    const behind = wire.closed ? 0 : this.#position - (wire.bytesWritten - wire.pendingBytes)
    return this.#heldBytes + Math.max(0, behind)
  }

  sendHead(r: Request): void {
    const { out } = r
    r.body = this
    r.keepAlive = false
    let { status } = out
    if (this.extended) {
      if (status === 101) {
        out.remove('sec-websocket-accept')
        out.status = status = 200
        out.contentLength = -1
      } else if (status >= 200 && status < 300) {
        // To this client it would mean that the tunnel is there.
        out.status = status = 501
      }
    }
    const bare = r.headerOnly || (out.contentLength === 0 && out.trailers === undefined)
    if (!r.headerOnly) this.#promised = out.contentLength
    if (this.#unheard) return
    const size = this.#writeFields(encodeHead(r, status), bare)
    r.bytesSent += size
    r.headLength = size
    if (bare) this.#closed = true
  }

  sendInterim(r: Request, status: number, lines: string): void {
    if (this.#closed || r.headSent) return
    const fields = encodeLines(lines)
    if (fields !== '' || status === 100) this.#writeFields(encodeStatus(status) + fields, false)
  }

  /** Writes a block of fields in as many frames as it takes; returns their size. */
  #writeFields(fields: string, last: boolean): number {
    const { host, id } = this
    const { wire, frameMax } = host
    const block = host.takeTableUpdate() + fields
    const flags = last ? END_STREAM : 0
    const before = wire.bytesWritten
    wire.write(headersFrames(id, block, flags, frameMax))
    this.#position = wire.bytesWritten
    return this.#position - before
  }

  write(bytes: Uint8Array, flags: number): boolean {
    const r = this.request
    const last = (flags & LAST) !== 0
    if (this.#written) return true
    if (last) this.#written = true
    if (this.#closed || this.#unheard) {
      if (last) this.#finish()
      return true
    }
    let size = bytes.length
    if (this.#promised >= 0) {
      // More than was promised would make the response malformed.
      if (size > this.#promised) size = this.#promised
      this.#promised -= size
      if (last && this.#promised > 0) {
        r.abort(r.out.status)
        return true
      }
    }
    if ((flags & LENT) !== 0) this.#borrowed = true
    return this.#pass(size === bytes.length ? bytes : bytes.subarray(0, size), (flags & (STABLE | LENT)) !== 0)
  }

  override writeText(text: string, flags: number): boolean {
    const { host, request: r } = this
    const size = text.length
    const whole = (flags & LAST) !== 0 && size === this.#promised && r.out.trailers === undefined
    if (!whole || this.#closed || this.#unheard || size === 0 || size > this.#room(size) || host.turns.count > 0) {
      return super.writeText(text, flags)
    }
    this.#written = true
    this.#promised = 0
    host.wire.write(frameHead(size, DATA, END_STREAM, this.id) + text)
    this.#closed = true
    this.#count(size)
    this.#finish()
    return true
  }

  /** Sends what may be sent now and holds the rest; false: the producer waits. */
  #pass(bytes: Uint8Array, stable: boolean): boolean {
    const { host } = this
    const size = bytes.length
    // Cut after they are copied, not copied piece by piece.
    const own = stable || size <= COPIED_MAX ? bytes : Buffer.from(bytes)
    const kept = stable || own !== bytes
    const at = this.#heldBytes > 0 || host.turns.count > 0 ? 0 : this.#frames(own, size, kept)
    if (at < size || this.#heldBytes > 0) {
      if (at < size) this.#hold(at === 0 ? own : own.subarray(at), kept)
      this.#wait()
      return false
    }
    if (this.#written) {
      this.#finish()
      return true
    }
    if (!host.wire.full && (this.#turnBytes < TURN_BYTES_MAX || host.open === 1)) return true
    this.#awaitDrain()
    return false
  }

  #hold(bytes: Uint8Array, stable: boolean): void {
    this.#held.push(stable ? bytes : Buffer.from(bytes))
    this.#heldBytes += bytes.length
  }

  /** Something is held: the stream gets its turn when the client and the wire let it. */
  #wait(): void {
    this.#stalled = true
    if (!this.#sendTimer.active) setTimer(this.#sendTimer, this.request.location.core.send_timeout)
    this.#sendTimer.purpose = SEND_TIMEOUT
    if (this.sendWindow <= 0) return
    this.host.turns.add(this)
    this.host.wire.wantDrain()
  }

  /** All is sent, but others want to send too, or the kernel is slow. */
  #awaitDrain(): void {
    this.#stalled = true
    this.host.wire.wantDrain()
    this.host.awaitingDrain.add(this)
    this.#sendTimer.purpose = SEND_TIMEOUT
    setTimer(this.#sendTimer, this.request.location.core.send_timeout)
  }

  /** How much of `size` bytes may go into one frame now. */
  #room(size: number): number {
    const { host } = this
    let room = Math.min(size, host.frameMax, this.request.location.http2ChunkSize)
    if (room > this.sendWindow) room = this.sendWindow
    if (room > host.sendWindow) room = host.sendWindow
    return room
  }

  /** Writes bytes in frames as far as windows and wire allow; returns where it stopped. */
  #frames(bytes: Uint8Array, end: number, stable: boolean): number {
    const { wire } = this.host
    let at = 0
    while (at < end) {
      const size = this.#room(end - at)
      if (size <= 0 || wire.full) return at
      this.#frame(bytes, at, at + size, end, stable)
      at += size
    }
    return at
  }

  /** One DATA frame; the stream ends with it when nothing is to follow. */
  #frame(bytes: Uint8Array, start: number, stop: number, end: number, stable: boolean): void {
    const { wire } = this.host
    const size = stop - start
    const last = this.#written && stop === end && this.#heldBytes <= size && this.request.out.trailers === undefined
    wire.write(frameHead(size, DATA, last ? END_STREAM : 0, this.id))
    wire.writeBytes(start === 0 && stop === bytes.length ? bytes : bytes.subarray(start, stop), stable)
    if (last) this.#closed = true
    this.#count(size)
  }

  /** A DATA frame was written. */
  #count(size: number): void {
    const { host, request: r } = this
    this.sendWindow -= size
    host.sendWindow -= size
    host.sent(size, this.sendWindow <= 0 || host.sendWindow <= 0)
    this.#turnBytes += size
    this.#position = host.wire.bytesWritten
    // A tunnel counts its bytes itself.
    r.bytesSent += this.#tunnel === undefined ? FRAME_HEAD_SIZE + size : FRAME_HEAD_SIZE
    r.headLength += FRAME_HEAD_SIZE
  }

  /** The connection gives this stream a turn: one frame. True: it has more and may send it. */
  turn(): boolean {
    const bytes = this.#held[0]
    if (bytes === undefined) return false
    const size = this.#room(bytes.length)
    if (size > 0) {
      this.#frame(bytes, 0, size, this.#held.length === 1 ? bytes.length : size + 1, true)
      this.#heldBytes -= size
      if (size === bytes.length) this.#held.shift()
      else this.#held[0] = bytes.subarray(size)
      setTimer(this.#sendTimer, this.request.location.core.send_timeout)
    }
    if (this.#heldBytes > 0) return this.sendWindow > 0
    if (this.#written) this.#finish()
    else this.#awaitDrain()
    return false
  }

  /** The client has opened this stream's window, or the windows of all. */
  widen(count: number): void {
    const before = this.sendWindow
    this.sendWindow += count
    if (before <= 0 && this.sendWindow > 0 && this.#heldBytes > 0) this.host.turns.add(this)
  }

  /** The wire is empty: the producer goes on. */
  goOn(): void {
    this.#turnBytes = 0
    if (this.#awaitingDrain) {
      this.#awaitingDrain = false
      this.#over()
      return
    }
    this.#stalled = false
    cancelTimer(this.#sendTimer)
    if (this.#tunnel !== undefined) this.#tunnel.onClientDrain()
    else this.request.producer?.onDrain()
  }

  /** The last bytes were sent: trailers, or the end. */
  #finish(): void {
    const r = this.request
    if (!this.#closed && !this.#unheard) {
      r.out.trailerLines = r.out.trailers?.() ?? ''
      const trailers = r.out.trailerLines === '' ? '' : encodeLines(r.out.trailerLines)
      if (trailers !== '') {
        const size = this.#writeFields(trailers, true)
        r.bytesSent += size
        r.headLength += size
      } else {
        this.host.wire.write(frameHead(0, DATA, END_STREAM, this.id))
        this.#count(0)
      }
      this.#closed = true
    }
    r.completed = true
    if (this.#tunnel !== undefined) return
    if (this.pendingBytes <= HANDED_OVER_MAX) return this.#over()
    this.#awaitingDrain = true
    this.#awaitDrain()
  }

  #over(): void {
    cancelTimer(this.#sendTimer)
    if (this.#lingers) this.#leave()
    else this.request.end()
  }

  /** The response is out: log, then the stream goes. */
  requestEnded(r: Request): void {
    debugEnd(r)
    logRequest(r)
    r.cleanUp()
    if (this.#heldBytes > 0 && this.#written && !this.#closed && !r.aborted && !this.host.lost) this.#lingers = true
    else this.#leave()
  }

  /** The stream is over for the client too. */
  #leave(): void {
    const { host } = this
    cancelTimer(this.#bodyTimer)
    cancelTimer(this.#sendTimer)
    leaveList(this)
    this.intake.stop()
    this.#held.length = 0
    this.#heldBytes = 0
    if (!this.#reset && !host.lost) {
      if (!this.#closed) this.sendReset(this.#timedOut ? PROTOCOL_ERROR : INTERNAL_ERROR)
      else if (!this.intake.ended) {
        this.#reset = true
        host.resetLater(this.id)
      }
    }
    this.#closed = true
    connectionCounters.move(WRITING, NONE)
    host.streamOver(this)
  }

  /** Serves the request when the bytes that came with its head are known. */
  startLater(): void {
    this.#startDue = true
    this.host.startLater(this)
  }

  /** The bytes of the read that brought the head are all delivered. */
  startNow(): void {
    const r = this.request
    if (!this.#startDue || r.ended) return
    this.#startDue = false
    r.start(r.server)
  }

  /** Tells the client that the stream is reset. */
  sendReset(code: number): void {
    if (this.#reset) return
    this.#reset = this.#closed = true
    this.host.answer(rstStream(this.id, code))
  }

  /** The body cannot be completed. */
  override abort(): void {
    this.#promised = -1
  }

  abortRequest(r: Request): void {
    const { status } = r.out
    if (status === 444 && !r.headSent) this.#timedOut = true
    r.abort(status === 0 ? 499 : status)
  }

  /** The worker cannot wait for the request to end. */
  cutOff(): void {
    this.request.logError(WARN, CUT_OFF)
    this.#reset = this.#closed = true
    if (this.#tunnel === undefined && !this.#lingers) this.request.abort(0)
  }

  /** The client has reset the stream, or is gone. */
  clientLeft(): void {
    const r = this.request
    this.#reset = this.#closed = true
    this.#written ||= this.#tunnel !== undefined
    if (this.#tunnel !== undefined) return this.#tunnel.onClientClose()
    if (this.#lingers) return this.#leave()
    if (r.ended) return
    const { requestBody } = r
    // As nginx has it: who breaks off a body that is being passed on has sent a bad request, whoever ignores leaving.
    if (requestBody?.streaming === true && !requestBody.complete) return r.abort(400)
    if (r.producer?.ignoresClientAbort === true) {
      this.#unheard = true
      this.intake.stop()
      if (this.#written) return this.#over()
      const waited = this.#stalled
      leaveList(this)
      cancelTimer(this.#sendTimer)
      this.#held.length = 0
      this.#heldBytes = 0
      this.#stalled = false
      if (waited) r.producer.onDrain()
      return
    }
    const reads = this.intake.wanted && !this.intake.discarding && requestBody?.complete === false
    if (reads) r.logError(INFO, 'client prematurely closed stream')
    r.abort(499)
  }

  // ---- the request body ----------------------------------------------------------------------

  startBody(r: Request): void {
    if (this.#unheard) {
      this.#bodyTimer.purpose = BODY_CUT
      return setTimer(this.#bodyTimer, 0)
    }
    if (r.expectContinue && !r.headSent && this.intake.received === 0 && !this.intake.ended) {
      r.expectContinue = false
      this.sendInterim(r, 100, '')
    }
    this.resumeBody()
  }

  takeBody(_: Request, all: boolean): number {
    if (this.#bodyBroken) return 400
    // To nginx a body comes after its head, even if both are in one packet.
    if (!all) return 0
    cancelTimer(this.#bodyTimer)
    this.intake.discarding = true
    this.intake.open()
    return 0
  }

  pauseBody(): void {
    this.intake.close()
    cancelTimer(this.#bodyTimer)
  }

  resumeBody(): void {
    if (this.#bodyBroken) return this.request.bodyFailed(400)
    this.intake.open()
    this.#bodyMoved()
  }

  /** A part of the body came. True: `onReadEnd` is due when the bytes of this read are all delivered. */
  onData(buffer: Buffer, start: number, end: number, ended: boolean): boolean {
    const { intake } = this
    const due = intake.pauseDue
    const outcome = intake.take(buffer, start, end, ended)
    if (outcome === TAKEN) this.#bodyMoved()
    else this.#bodyBad(outcome)
    return intake.pauseDue && !due
  }

  /** Bodies are passed on in pieces as large as reads, not as frames. */
  onReadEnd(): void {
    if (!this.intake.pauseDue) return
    this.intake.pause()
    this.#bodyMoved()
  }

  #bodyBad(outcome: number): void {
    const r = this.request
    const text =
      outcome === TOO_LONG
        ? 'client intended to send body data larger than declared'
        : `client prematurely closed stream: only ${this.intake.received} out of ${this.intake.expected} bytes of request body received`
    r.logError(INFO, text)
    this.intake.stop()
    cancelTimer(this.#bodyTimer)
    if (!this.intake.wanted) this.#bodyBroken = true
    else if (!this.intake.discarding) r.bodyFailed(400)
    else if (!r.headSent) r.discardedBodyFailed(400)
    else this.host.endStream(this, PROTOCOL_ERROR)
  }

  /** Trailers ended the body; `lines` are their fields. Answers as `onData`. */
  onTrailers(lines: string): boolean {
    if (lines !== '') this.request.ensureBody().trailers = lines
    return this.onData(NO_BYTES, 0, 0, true)
  }

  /** Lets the client send more, and looks after the time. */
  #bodyMoved(): void {
    const { intake, request: r } = this
    if (r.ended || !intake.wanted || intake.dropping || intake.discarding) {
      cancelTimer(this.#bodyTimer)
      return
    }
    const { core } = r.location
    const more = intake.grant(Math.max(r.server.http2.prereadSize, core.client_body_buffer_size))
    if (more > 0) this.host.answer(windowUpdate(this.id, more))
    if (this.#tunnel !== undefined) return
    this.#bodyTimer.purpose = BODY_TIMEOUT
    setTimer(this.#bodyTimer, core.client_body_timeout)
  }

  // ---- tunnels -------------------------------------------------------------------------------

  /** Where a tunnel writes to, in place of the wire that all streams share. */
  get tunnelWire(): this {
    return this
  }

  startTunnel(tunnel: Tunnel): void {
    this.#tunnel = tunnel
    this.#promised = -1
    this.intake.tunnel = tunnel
    this.resumeBody()
  }

  endTunnel(): void {
    if (!this.#written) this.write(NO_BYTES, LAST)
    this.#tunnel = undefined
  }

  writeBytes(bytes: Uint8Array, stable: boolean): void {
    this.write(bytes, stable ? STABLE : 0)
  }

  pause(): void {
    this.pauseBody()
  }

  resume(): void {
    this.resumeBody()
  }

  end(): void {
    this.write(NO_BYTES, LAST)
  }

  // ---- the clock -----------------------------------------------------------------------------

  /** What the windows do not let through, the client does not take. */
  stillTakes(timer: Timer, timeoutMs: number): boolean {
    const { host } = this
    const shut = this.#heldBytes > 0 && (this.sendWindow <= 0 || host.sendWindow <= 0)
    return !shut && host.wire.stillTakes(timer, timeoutMs)
  }

  onTimeout(timer: Timer): void {
    const r = this.request
    if (timer.purpose === BODY_CUT) return r.abort(400)
    if (timer.purpose === SEND_TIMEOUT && this.stillTakes(timer, r.location.core.send_timeout)) return
    r.logError(INFO, 'client timed out (110: Connection timed out)')
    this.#timedOut = true
    if (timer.purpose === BODY_TIMEOUT) this.intake.stop()
    if (this.#tunnel !== undefined) {
      this.#written = true
      this.#tunnel.onClientClose()
    } else if (this.#lingers) this.#leave()
    else r.abort(408)
  }
}
