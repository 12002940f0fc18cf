/**
 * One request's conversation with its upstream group: as many attempts as it takes, one peer at a time, whatever the
 * protocol (a Codec speaks it).
 *
 *   IDLE -> CONNECT -> SEND -> HEAD -> BODY -> DONE          TUNNEL after 101
 *             \---------+--------+-> next peer, or a status
 *
 * Exchanges are reused. Handing the last byte to the client may end the request, and with it this exchange, before the
 * call returns: whoever may have done that compares `#generation` afterwards.
 */
import { assert } from '../../lib/assert.ts'
import { clock } from '../../lib/clock.ts'
import { errnoText } from '../../lib/errno.ts'
import { INFO, ERROR as LOG_ERROR, WARN } from '../../log/error-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { WireOwner } from '../../net/wire.ts'
import { type PeerGroup, Selection } from '../../upstream/group.ts'
import { type ConnectUser, PeerConnection } from '../../upstream/pool.ts'
import { FLUSH, LAST, NO_BYTES, type Producer } from '../body.ts'
import type { Request } from '../request.ts'
import type { BodyConsumer } from '../request-body.ts'
import { DONE, type Verdict } from '../verdict.ts'
import { type Attempt, Attempts } from './attempts.ts'
import { BODY_BROKEN, type BodyReceiver, HEAD_DONE, HEAD_INTERIM, HEAD_INVALID, HEAD_MORE } from './codec.ts'
import type { ExchangeConf } from './conf.ts'
import {
  blamesPeer,
  ERROR,
  failureStatus,
  INVALID_HEADER,
  NO_PEER,
  NON_IDEMPOTENT,
  statusFailure,
  TIMEOUT,
} from './failure.ts'
import { Http1Codec } from './http1.ts'
import { applyResponseHead, interceptStatus, redirectedByBackEnd } from './response-head.ts'
import { Spool } from './spool.ts'
import { type TunnelOwner, WireTunnel } from './tunnel.ts'

const IDLE = 0
const CONNECT = 1
const SEND = 2
const READ_HEAD = 3
const READ_BODY = 4
const FINISHED = 5
const TUNNEL = 6

const CONNECT_TIMEOUT = 1
const SEND_TIMEOUT = 2
const READ_TIMEOUT = 3
const RATE_PAUSE = 4

/** Methods that must not be sent twice unless `non_idempotent` says so. */
const NON_IDEMPOTENT_METHODS = 0x8 | 0x1000 | 0x4000 // POST, LOCK, PATCH
/** How often a response that is held back by `limit_rate` goes on. */
const RATE_STEP_MS = 250
const FILE_PIECE = 65536
const NO_HEAD = Buffer.alloc(0)

const free: Exchange[] = []
const FREE_MAX = 1024

/** Takes an exchange for `r`; `release` gives it back when the request is logged. */
export function takeExchange(r: Request, conf: ExchangeConf): Exchange {
  const exchange = free.pop() ?? new Exchange()
  exchange.begin(r, conf)
  return exchange
}

export class Exchange implements WireOwner, TimerOwner, Producer, BodyConsumer, BodyReceiver, TunnelOwner, ConnectUser {
  readonly attempts = new Attempts()
  readonly codec = new Http1Codec()
  readonly #selection = new Selection()
  readonly #timer = new Timer(this)
  r!: Request
  conf!: ExchangeConf
  #generation = 0
  #state = IDLE
  #group!: PeerGroup
  #connection: PeerConnection | undefined
  #cached = false
  #attempt: Attempt | undefined
  #startMs = 0
  #newSeries = false
  /** The request as it is sent; built once, the same for every attempt. */
  #head = ''
  #requestSent = false
  #bodySent = false
  #fileAt = 0
  /** Bytes of a response head that came in parts. */
  #partial: Buffer = NO_HEAD
  #spool: Spool | undefined
  #clientFull = false
  #peerDone = false
  #buffered = true
  #inputEnd = 0
  #deciding = false
  ignoresClientAbort = false
  /** The URI that the back end is asked for, for logs. */
  uri = ''
  /** `$proxy_host`, `$proxy_port` and the URI of `proxy_pass`, which may come from variables. */
  targetHost = ''
  targetPort = ''
  targetUri = ''
  /** Length of the body that is sent, or -1 when it is chunked or there is none. */
  #bodyLength = -1
  #chunked = false
  #batch = ''
  /** `X-Accel-Buffering: no` and its like have been heard. */
  buffering = true
  #rate = 0
  #bodyStartMs = 0
  #rateBytes = 0
  /** Bytes that `limit_rate` keeps back. */
  #held: Buffer = NO_HEAD

  begin(r: Request, conf: ExchangeConf): void {
    this.#generation++
    this.r = r
    this.conf = conf
    this.#state = IDLE
    this.#connection = undefined
    this.#cached = false
    this.#attempt = undefined
    this.#head = ''
    this.#requestSent = false
    this.#bodySent = false
    this.#fileAt = 0
    this.#batch = ''
    this.#partial = NO_HEAD
    this.#spool = undefined
    this.#clientFull = false
    this.#peerDone = false
    this.#inputEnd = 0
    this.#startMs = clock.monotonic
    this.#rateBytes = 0
    this.#held = NO_HEAD
    this.#rate = 0
    this.uri = ''
    this.ignoresClientAbort = conf.transport.ignore_client_abort
    this.#buffered = conf.transport.buffering
    this.#newSeries = this.attempts.count > 0
  }

  /** The request is logged: everything goes back. */
  release(): void {
    this.#generation++
    this.#closePeer()
    this.#spool?.close()
    this.#spool = undefined
    cancelTimer(this.#timer)
    this.#state = IDLE
    this.attempts.reset()
    if (free.length < FREE_MAX) free.push(this)
  }

  /** A new series of attempts for the same request, after an internal redirect. */
  restart(r: Request, conf: ExchangeConf): void {
    this.#closePeer()
    this.#spool?.close()
    this.begin(r, conf)
  }

  // ---- the request ---------------------------------------------------------------------------

  /** Begins; DONE when the exchange is under way. */
  start(): Verdict {
    const { r, conf } = this
    const group = conf.resolve(r)
    if (typeof group === 'number') return group
    this.#group = group
    this.#selection.begin(group, conf.transport.next_upstream_tries)
    if (r.contentLength <= 0 && !r.chunked) return this.#ready()
    if (!conf.passBody) {
      r.discardBody()
      return this.#ready()
    }
    if (conf.transport.request_buffering) return r.readBody(onBodyRead)
    return this.#ready()
  }

  /** Decides how the request body is framed: `ownLength` is that of a body that replaces the client's, or -1. */
  frameRequest(ownLength: number, chunkedAllowed: boolean): void {
    const { r, conf } = this
    const body = r.requestBody
    if (ownLength >= 0) this.#bodyLength = ownLength
    else if (!conf.passBody) this.#bodyLength = r.contentLength
    else if (body?.complete === true && (r.chunked || r.contentLength > 0)) this.#bodyLength = body.received
    else this.#bodyLength = r.contentLength
    this.#chunked = ownLength < 0 && conf.passBody && r.chunked && body?.complete !== true && chunkedAllowed
  }

  /** `$proxy_internal_body_length`. */
  bodyLengthText(): string {
    return this.#bodyLength < 0 || this.#chunked ? '' : String(this.#bodyLength)
  }

  get chunkedRequest(): boolean {
    return this.#chunked
  }

  /** The request body is there (or streams): asks the first peer. */
  #ready(): Verdict {
    const { r, conf } = this
    r.producer = this
    this.#head = conf.request(r, this)
    if (this.#head === '') {
      r.producer = undefined
      return 500
    }
    return this.#tryPeer()
  }

  /** Goes on after the request body was read. */
  bodyRead(): Verdict {
    return this.#ready()
  }

  /** Picks a peer and connects. Returns DONE, or a status when no attempt can be made. */
  #tryPeer(): Verdict {
    const { r, conf } = this
    const peer = this.#selection.next(conf.key(r))
    if (peer === undefined) {
      this.#attempt = this.attempts.add(this.#group.name, clock.monotonic, this.#newSeries)
      this.#newSeries = false
      this.#attempt.status = 502
      this.#attempt.responseMs = 0
      r.upstreamAddress = conf.scheme + this.#group.name + this.uri
      r.logError(LOG_ERROR, 'no live upstreams while connecting to upstream')
      return this.#giveUp(failureStatus(NO_PEER))
    }
    const { name } = peer.address
    this.#attempt = this.attempts.add(name, clock.monotonic, this.#newSeries)
    this.#newSeries = false
    r.upstreamAddress = conf.scheme + name + this.uri
    this.codec.begin(r, conf.transport.buffer_size)
    this.#partial = NO_HEAD
    this.#fileAt = 0
    const kept = this.#group.pool?.take(peer, conf)
    if (kept !== undefined) {
      this.#connection = kept
      this.#cached = true
      this.#attempt.connectMs = 0
      kept.wire.owner = this
      this.#send()
      return DONE
    }
    this.#cached = false
    const connection = new PeerConnection(peer, conf.connectOptions(r))
    this.#connection = connection
    connection.user = this
    connection.wire.owner = this
    this.#state = CONNECT
    this.#arm(CONNECT_TIMEOUT, conf.transport.connect_timeout)
    return DONE
  }

  onConnect(): void {
    if (this.#state !== CONNECT) return
    const connection = this.#connection!
    connection.user = undefined
    this.#attempt!.connectMs = clock.monotonic - this.#attempt!.startMs
    connection.wire.resume()
    this.#send()
  }

  #send(): void {
    const { r, conf } = this
    const { wire } = this.#connection!
    this.#state = SEND
    this.#requestSent = true
    this.#connection!.requests++
    this.#attempt!.bytesSent = wire.bytesWritten
    wire.write(this.#head)
    if (!conf.passBody || (r.contentLength <= 0 && !r.chunked)) {
      this.#sent()
      return
    }
    const body = r.ensureBody()
    if (!body.complete) {
      if (!body.streaming) body.stream(this)
      this.#arm(SEND_TIMEOUT, conf.transport.send_timeout)
      this.#state = READ_HEAD
      return
    }
    if (body.file !== undefined) this.#pumpFile()
    else {
      const { bytes } = body
      if (bytes.length > 0) wire.writeBytes(bytes, true)
      this.#sent()
    }
  }

  /** Sends a request body from its file as fast as the peer takes it. */
  #pumpFile(): void {
    const { wire } = this.#connection!
    const file = this.r.requestBody!.file!
    while (this.#fileAt < file.size) {
      if (wire.full) {
        this.#arm(SEND_TIMEOUT, this.conf.transport.send_timeout)
        this.#state = this.#state === SEND ? READ_HEAD : this.#state
        return
      }
      const piece = Buffer.allocUnsafe(Math.min(FILE_PIECE, file.size - this.#fileAt))
      const count = file.read(piece, this.#fileAt)
      this.#fileAt += count
      wire.writeBytes(piece.subarray(0, count), true)
    }
    this.#sent()
  }

  /** The request has been handed over completely. */
  #sent(): void {
    this.#bodySent = true
    if (this.#state === SEND) this.#state = READ_HEAD
    this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
  }

  onBodyBytes(bytes: Uint8Array, start: number, end: number): void {
    const wire = this.#connection?.wire
    if (wire === undefined || this.#state === FINISHED) return
    // The pieces of one read leave as one chunk.
    if (this.#chunked) this.#batch += (bytes as Buffer).latin1Slice(start, end)
    else wire.writeBytes(bytes.subarray(start, end), false)
  }

  onBodyPause(): void {
    const wire = this.#connection?.wire
    if (wire === undefined || this.#state === FINISHED) return
    this.#sendBatch()
    if (!wire.full) return
    this.r.carrier.pauseBody()
    this.#arm(SEND_TIMEOUT, this.conf.transport.send_timeout)
  }

  #sendBatch(): void {
    const batch = this.#batch
    if (batch === '') return
    this.#batch = ''
    this.#connection!.wire.write(batch.length.toString(16) + '\r\n' + batch + '\r\n')
  }

  onBodyEnd(): void {
    const wire = this.#connection?.wire
    if (wire === undefined || this.#state === FINISHED) return
    if (this.#chunked) {
      this.#sendBatch()
      wire.write('0\r\n\r\n')
    }
    this.#sent()
  }

  // ---- the peer's side -----------------------------------------------------------------------

  /** The peer's wire takes bytes again. */
  onDrain(): void {
    if (this.#deciding) return
    if (this.r.producer === this && this.#clientFull) this.#onClientDrain()
    else this.#onPeerDrain()
  }

  #onPeerDrain(): void {
    if (this.#bodySent || this.#connection === undefined) return
    const body = this.r.requestBody
    if (body?.complete === true && body.file !== undefined) this.#pumpFile()
    else if (body?.streaming === true) {
      this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
      this.r.carrier.resumeBody()
    }
  }

  onBytes(buffer: Buffer, size: number): void {
    if (this.#state === FINISHED || this.#state === IDLE) return
    this.#attempt!.bytesReceived += size
    if (this.#state === READ_BODY) {
      this.#body(buffer, 0, size)
      return
    }
    if (this.#partial.length === 0) {
      const used = this.#readHead(buffer, 0, size)
      if (used >= 0 && used < size) this.#body(buffer, used, size)
      return
    }
    const joined = Buffer.concat([this.#partial, buffer.subarray(0, size)])
    this.#partial = joined
    const used = this.#readHead(joined, 0, joined.length)
    if (used >= 0 && used < joined.length) this.#body(joined, used, joined.length)
  }

  /** Returns where the body begins, or -1 when there is nothing more to do with these bytes. */
  #readHead(buffer: Buffer, start: number, end: number): number {
    const { codec } = this
    for (let at = start; ; ) {
      const code = codec.parseHead(buffer, at, end)
      switch (code) {
        case HEAD_MORE:
          if (this.#partial.length === 0 || at > start) this.#partial = Buffer.from(buffer.subarray(at, end))
          this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
          return -1
        case HEAD_INVALID:
          this.r.logError(LOG_ERROR, `${codec.problem} while reading response header from upstream`)
          this.#fail(INVALID_HEADER)
          return -1
        case HEAD_INTERIM:
          at += codec.headLength
          codec.nextHead()
          this.#partial = NO_HEAD
          continue
        default:
          assert(code === HEAD_DONE, 'the codec answers with one of its codes')
          return this.#onHead(at + codec.headLength, end) ? at + codec.headLength : -1
      }
    }
  }

  /** The head is complete: retry, intercept or pass it on. True when body bytes may follow. */
  #onHead(_bodyAt: number, _end: number): boolean {
    const { r, conf, codec } = this
    const attempt = this.#attempt!
    this.#partial = NO_HEAD
    attempt.status = codec.status
    attempt.headerMs = clock.monotonic - attempt.startMs
    if (codec.problem !== '') r.logError(LOG_ERROR, `${codec.problem} while reading response header from upstream`)
    const kind = statusFailure(codec.status)
    if (kind !== 0 && this.#selection.triesLeft > 1 && this.#mayRetry(kind)) {
      this.#next(kind)
      return false
    }
    const intercepted = interceptStatus(r, conf, codec)
    if (intercepted !== 0) {
      this.#finishPeer(false)
      this.#state = FINISHED
      r.producer = undefined
      r.finish(intercepted)
      return false
    }
    const generation = this.#generation
    this.#deciding = true
    const redirected = redirectedByBackEnd(r, conf, codec)
    this.#deciding = false
    if (redirected !== undefined) {
      this.#finishPeer(false)
      this.#state = FINISHED
      r.producer = undefined
      redirected()
      return false
    }
    this.buffering = this.#buffered
    applyResponseHead(r, conf, this)
    this.#rate = conf.rate(r)
    this.#bodyStartMs = clock.monotonic
    if (codec.upgraded && r.facts.upgradeIndex >= 0) return this.#startTunnel()
    r.sendHead()
    if (generation !== this.#generation || r.aborted) return false
    this.#state = READ_BODY
    this.#arm(READ_TIMEOUT, conf.transport.read_timeout)
    if (codec.bodyDone || r.headerOnly) {
      this.#finishPeer(codec.bodyDone)
      this.#endClient()
      return false
    }
    return true
  }

  #body(buffer: Buffer, start: number, inputEnd: number): void {
    if (this.#state === TUNNEL) return
    const end = this.#rate > 0 ? this.#paced(buffer, start, inputEnd) : inputEnd
    const generation = this.#generation
    const { codec } = this
    this.#inputEnd = end
    const at = codec.decodeBody(buffer, start, end, this)
    if (generation !== this.#generation || this.#state !== READ_BODY) return
    if (at === BODY_BROKEN) {
      this.r.logError(LOG_ERROR, 'upstream sent invalid chunked response while reading upstream')
      this.#breakOff()
      return
    }
    if (codec.bodyDone) {
      if (at < end) this.#extraData()
      this.#finishPeer(at === end)
      this.#endClient()
      return
    }
    if (this.#held.length === 0) this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
  }

  onBody(bytes: Uint8Array, start: number, end: number): void {
    const { r, codec } = this
    this.#attempt!.responseLength += end - start
    if (this.#clientFull) {
      this.#hold(bytes as Buffer, start, end)
      return
    }
    let flags = this.buffering ? 0 : FLUSH
    if (codec.contentLength >= 0 && codec.bodyDone) {
      // The last byte is here: the peer is free before the client is told, since that may end the request.
      if (end < this.#inputEnd) this.#extraData()
      this.#finishPeer(end === this.#inputEnd)
      this.#state = FINISHED
      r.producer = undefined
      flags = LAST
    }
    const more = r.body.write(bytes.subarray(start, end), flags)
    if (flags === LAST || more) return
    this.#clientFull = true
    if (!this.buffering) this.#connection?.wire.pause()
  }

  /** Keeps bytes that the client cannot take yet. */
  #hold(bytes: Buffer, start: number, end: number): void {
    const { conf, r } = this
    let spool = this.#spool
    if (spool === undefined) {
      const { buffers, max_temp_file_size } = conf.transport
      spool = new Spool(buffers.count * buffers.size, this.buffering ? max_temp_file_size : 0, conf.tempPath)
      spool.onFile = (path) =>
        r.logError(WARN, `an upstream response is buffered to a temporary file ${path} while reading upstream`)
      this.#spool = spool
    }
    spool.push(bytes, start, end)
    if (spool.full) this.#connection?.wire.pause()
  }

  /** The client takes bytes again: what is held goes first. */
  #onClientDrain(): void {
    const { r } = this
    this.#clientFull = false
    const spool = this.#spool
    while (spool !== undefined && !spool.empty) {
      const piece = spool.shift()!
      const last = spool.empty && this.#peerDone
      if (last) {
        this.#state = FINISHED
        r.producer = undefined
      }
      const more = r.body.write(piece, last ? LAST : 0)
      if (last) return
      if (!more) {
        this.#clientFull = true
        return
      }
    }
    if (this.#peerDone) this.#endClient()
    else this.#connection?.wire.resume()
  }

  /** Everything that the peer will send is here: ends the response when the client has taken what is held. */
  #endClient(): void {
    const { r } = this
    this.#peerDone = true
    if (this.#spool !== undefined && !this.#spool.empty) return
    this.#state = FINISHED
    r.producer = undefined
    r.body.write(NO_BYTES, LAST)
  }

  #extraData(): void {
    this.r.logError(WARN, 'upstream sent more data than specified in "Content-Length" header while reading upstream')
  }

  /** Keeps back what exceeds `limit_rate`; returns where the bytes that may pass end. */
  #paced(buffer: Buffer, start: number, end: number): number {
    const seconds = Math.floor((clock.monotonic - this.#bodyStartMs) / 1000) + 1
    const allowed = Math.max(0, this.#rate * seconds - this.#rateBytes)
    const size = Math.min(end - start, allowed)
    this.#rateBytes += size
    if (size === end - start) return end
    this.#held = Buffer.from(buffer.subarray(start + size, end))
    this.#connection?.wire.pause()
    this.#arm(RATE_PAUSE, RATE_STEP_MS)
    return start + size
  }

  /** Time has passed: goes on with what was kept back, then reads on. */
  #unpace(): void {
    const held = this.#held
    this.#held = NO_HEAD
    this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
    if (held.length > 0) this.#body(held, 0, held.length)
    if (this.#held.length === 0 && this.#state === READ_BODY) this.#connection?.wire.resume()
  }

  onEnd(): void {
    this.#peerEnded('')
  }

  onClose(error: string | undefined): void {
    this.#peerEnded(error ?? '')
  }

  #peerEnded(error: string): void {
    switch (this.#state) {
      case CONNECT: {
        const why = error === '' ? '' : ` ${errnoText(error)}`
        this.r.logError(LOG_ERROR, `connect() failed${why} while connecting to upstream`)
        this.#fail(ERROR)
        return
      }
      case SEND:
      case READ_HEAD:
        this.#logHeadEnd(error)
        this.#fail(ERROR)
        return
      case READ_BODY:
        this.#bodyEnded(error)
    }
  }

  #logHeadEnd(error: string): void {
    // A kept connection may have been closed by the peer at any time: that is no error worth a line above info.
    const level = this.#cached && this.#attempt!.bytesReceived === 0 ? INFO : LOG_ERROR
    const message = error === '' ? 'upstream prematurely closed connection' : `recv() failed ${errnoText(error)}`
    this.r.logError(level, `${message} while reading response header from upstream`)
  }

  #bodyEnded(error: string): void {
    const { codec } = this
    if (error === '' && codec.endsWithConnection) {
      this.#finishPeer(false)
      this.#endClient()
      return
    }
    const message = error === '' ? 'upstream prematurely closed connection' : `recv() failed ${errnoText(error)}`
    this.r.logError(LOG_ERROR, `${message} while reading upstream`)
    this.#breakOff()
  }

  /** The response cannot be completed: the client must notice. */
  #breakOff(): void {
    this.#finishPeer(false)
    this.#state = FINISHED
    const { r } = this
    r.producer = undefined
    r.breakOff()
  }

  // ---- failures ------------------------------------------------------------------------------

  /** An attempt failed: the next peer, or the end. */
  #fail(kind: number): void {
    // A kept connection that died before it answered says nothing about the peer: another attempt is free.
    const stale = this.#cached && kind === ERROR && this.#attempt!.bytesReceived === 0
    if (stale) this.#selection.triesLeft++
    this.#attempt!.status = failureStatus(kind)
    this.#endAttempt()
    this.#selection.done(blamesPeer(kind), this.r.location.log, this.r)
    this.#closePeer()
    if (stale) this.#selection.tried?.clear()
    if (this.#selection.triesLeft > 0 && this.#mayRetry(kind)) this.#again()
    else this.#finishWith(failureStatus(kind))
  }

  /** A response that is not to be passed on: the next peer. */
  #next(kind: number): void {
    this.#endAttempt()
    this.#selection.done(blamesPeer(kind), this.r.location.log, this.r)
    this.#closePeer()
    this.#again()
  }

  #again(): void {
    this.#state = IDLE
    const verdict = this.#tryPeer()
    if (verdict !== DONE) this.#finishWith(verdict)
  }

  #mayRetry(kind: number): boolean {
    const { conf, r } = this
    let needed = kind
    if (this.#requestSent && (r.methodBit & NON_IDEMPOTENT_METHODS) !== 0) needed |= NON_IDEMPOTENT
    if ((conf.nextMask & needed) !== needed) return false
    if (this.#requestSent && r.requestBody?.streaming === true) return false
    const limit = conf.transport.next_upstream_timeout
    return limit === 0 || clock.monotonic - this.#startMs < limit
  }

  #giveUp(status: number): Verdict {
    this.#state = FINISHED
    this.r.producer = undefined
    return status
  }

  #finishWith(status: number): void {
    this.#state = FINISHED
    cancelTimer(this.#timer)
    const { r } = this
    r.producer = undefined
    r.finish(status)
  }

  #endAttempt(): void {
    const attempt = this.#attempt!
    if (attempt.responseMs >= 0) return
    attempt.responseMs = clock.monotonic - attempt.startMs
    const wire = this.#connection?.wire
    if (wire !== undefined) attempt.bytesSent = wire.bytesWritten - attempt.bytesSent
  }

  /** The peer has done its part: its connection is kept when it may be. */
  #finishPeer(reusable: boolean): void {
    const connection = this.#connection
    this.#endAttempt()
    this.#timer.purpose = 0
    this.#selection.done(false, this.r.location.log, this.r)
    this.#connection = undefined
    if (connection === undefined) return
    const { pool } = this.#group
    if (reusable && pool !== undefined && this.#bodySent && this.codec.keepAlive && !this.r.carrier.closing) {
      pool.give(connection, this.conf)
    } else {
      connection.wire.owner = IGNORE
      connection.close()
    }
  }

  #closePeer(): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.#connection = undefined
    connection.user = undefined
    connection.wire.owner = IGNORE
    connection.close()
  }

  // ---- tunnels -------------------------------------------------------------------------------

  #startTunnel(): boolean {
    const { r, conf } = this
    r.keepAlive = false
    r.sendHead()
    this.#state = TUNNEL
    this.#timer.purpose = 0
    const { wire } = this.#connection!
    const tunnel = new WireTunnel(r.client.wire, wire, this, conf.transport.read_timeout)
    r.carrier.startTunnel!(tunnel)
    if (this.#state !== TUNNEL) return false
    return true
  }

  /** Bytes that came behind the 101 head belong to the tunnel. */
  onTunnelBytes(count: number): void {
    const attempt = this.#attempt!
    attempt.bytesReceived += count
    attempt.responseLength += count
    this.r.bytesSent += count
  }

  onTunnelEnd(): void {
    const { r } = this
    this.#endAttempt()
    this.#selection.done(false, r.location.log, r)
    this.#connection = undefined
    this.#state = FINISHED
    r.producer = undefined
    r.carrier.abortRequest(r)
    r.end()
  }

  // ---- the client's side ---------------------------------------------------------------------

  onAbort(): void {
    if (this.#state === FINISHED || this.#state === IDLE) return
    this.#endAttempt()
    this.#selection.done(false, this.r.location.log, this.r)
    this.#closePeer()
    cancelTimer(this.#timer)
    this.#state = FINISHED
  }

  #arm(purpose: number, ms: number): void {
    this.#timer.purpose = purpose
    setTimer(this.#timer, ms)
  }

  onTimeout(timer: Timer): void {
    switch (timer.purpose) {
      case RATE_PAUSE:
        return this.#unpace()
      case CONNECT_TIMEOUT:
        return this.#timedOut('connecting to upstream')
      case SEND_TIMEOUT:
        return this.#timedOut('sending request to upstream')
      case READ_TIMEOUT:
        return this.#readTimedOut()
    }
  }

  #readTimedOut(): void {
    // A client that is slow makes the back end wait: that is not the back end's time.
    if (this.#clientFull) return this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
    if (this.#state !== READ_BODY) return this.#timedOut('reading response header from upstream')
    this.r.logError(LOG_ERROR, 'upstream timed out (110: Connection timed out) while reading upstream')
    this.#breakOff()
  }

  #timedOut(doing: string): void {
    this.r.logError(LOG_ERROR, `upstream timed out (110: Connection timed out) while ${doing}`)
    this.#fail(TIMEOUT)
  }
}

const IGNORE: WireOwner = { onBytes() {}, onDrain() {}, onEnd() {}, onClose() {} }

/** Continues an exchange when the whole request body is there. */
function onBodyRead(r: Request): Verdict {
  return r.exchange!.bodyRead()
}
