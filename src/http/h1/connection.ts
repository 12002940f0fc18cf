/**
 * One HTTP/1 client connection: cuts the byte stream into requests, serves one at a time, frames the responses, and
 * decides what follows: another request, a lingering close, or the end.
 *
 *   HEAD -> (BODY) -> BUSY -> HEAD ...      BUSY: the request works, its body is read or not wanted yet
 *                        \-> DRAINING       the response is out, the rest of the request body is still being dropped
 *                        \-> LINGERING -> closed
 */

import { assert } from '../../lib/assert.ts'
import { NO_BYTES } from '../../lib/bytes.ts'
import { clock } from '../../lib/clock.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { Wire, WireOwner } from '../../net/wire.ts'
import { type WireFailure, wireFailureText } from '../../net/wire-failure.ts'
import type { Tunnel } from '../../upstream/tunnel.ts'
import { methodName } from '../message/method.ts'
import { NEED_MORE, DONE as PARSED, REQUEST_ERRORS } from '../message/request-errors.ts'
import { normalizeUri, type UriParts } from '../message/uri.ts'
import { mustNotKeepAlive } from '../request/browser-quirks.ts'
import type { Carrier } from '../request/carrier.ts'
import type { Client } from '../request/client.ts'
import { debugEnd, debugHead } from '../request/debug-log.ts'
import type { ServerConf } from '../request/location.ts'
import { logRequest } from '../request/log-request.ts'
import { Request } from '../request/request.ts'
import type { ClientConnection } from '../server/client-connection.ts'
import { connectionCounters, NONE, READING, WAITING, WRITING } from '../server/connection-counters.ts'
import type { HttpListener } from '../server/listener.ts'
import { misdirected } from '../server/misdirected.ts'
import { type Reusable, reusableConnections } from '../server/reusable.ts'
import { BAD_BODY, BodyReader } from './body-reader.ts'
import { RequestParser } from './request-parser.ts'
import { ResponseWriter, type WriterOwner } from './response-writer.ts'

const HEAD = 0
const BODY = 1
const BUSY = 2
const DRAINING = 3
const LINGERING = 4
const TUNNEL = 5
const CLOSED = 6

const HEADER_TIMEOUT = 1
const KEEPALIVE_TIMEOUT = 2
const BODY_TIMEOUT = 3
const SEND_TIMEOUT = 4
const LINGERING_TIMEOUT = 5

/** Bytes that came early (pipelined requests, a body nobody asked for yet) beyond this make the client wait. */
const EARLY_BYTES_MAX = 65536

const target: UriParts = { uri: '', args: '' }

const LOG_INFO = 7

export class H1Connection implements WireOwner, TimerOwner, Carrier, WriterOwner, ClientConnection {
  readonly client: Client
  readonly wire: Wire
  readonly #listener: HttpListener
  readonly #parser: RequestParser
  readonly #request: Request
  readonly #timer = new Timer(this)
  readonly #startedMs = clock.monotonic
  countedAs = NONE
  reusableBefore: Reusable | undefined = undefined
  reusableAfter: Reusable | undefined = undefined
  #state = HEAD
  /** Bytes that came but are not consumed: a head in parts, a pipelined request, an early body. */
  #rest: Buffer = NO_BYTES
  #paused = false
  /** True while `#consume` runs: a request that ends inside it must not start another round. */
  #consuming = false
  readonly #body: BodyReader
  readonly #writer: ResponseWriter
  #lingerUntil = 0
  /** Where the request at hand ends cannot be told: nothing behind it is served. */
  #framingLost = false
  /** The last request asked for another protocol. */
  #upgradeAsked = false
  #tunnel: Tunnel | undefined

  constructor(wire: Wire, listener: HttpListener, client: Client) {
    this.wire = wire
    this.#listener = listener
    this.client = client
    this.#parser = new RequestParser(listener.limits)
    this.#request = new Request(this)
    this.#request.headers = this.#parser.headers
    this.#request.facts = this.#parser.facts
    this.#body = new BodyReader(this.#request)
    this.#writer = new ResponseWriter(this.#request, wire, this)
    wire.owner = this
    listener.opened(this)
    this.#count(WAITING)
  }

  #count(as: number): void {
    connectionCounters.move(this.countedAs, as)
    this.countedAs = as
    if (as === WAITING) reusableConnections.add(this)
    else reusableConnections.remove(this)
  }

  /** The server whose settings hold while no request tells another. */
  get #server(): ServerConf {
    return this.client.sniServer ?? this.#listener.serversFor(this.client).defaultServer
  }

  /** Begins to read. */
  start(): void {
    this.#arm(HEADER_TIMEOUT, this.#server.connection.client_header_timeout)
    this.wire.resume()
  }

  // ---- bytes in ------------------------------------------------------------------------------

  onBytes(buffer: Buffer, size: number): void {
    if (this.#state === LINGERING) return this.#linger()
    if (this.#state === TUNNEL) return this.#tunnel!.onClientBytes(buffer, 0, size)
    if (this.#state === CLOSED) return
    if (this.#rest.length === 0) {
      const at = this.#consume(buffer, 0, size)
      if (at < size) this.#keep(buffer.subarray(at, size))
      return
    }
    const joined = Buffer.concat([this.#rest, buffer.subarray(0, size)])
    this.#rest = NO_BYTES
    const at = this.#consume(joined, 0, joined.length)
    if (at < joined.length) this.#keep(at === 0 ? joined : joined.subarray(at), at === 0)
  }

  /** Keeps what could not be used yet. `owned`: the bytes are ours already. */
  #keep(bytes: Buffer, owned = false): void {
    if (this.#state === CLOSED || this.#state === LINGERING) return
    if (this.#state === TUNNEL) {
      this.#tunnel!.onClientBytes(bytes, 0, bytes.length)
      return
    }
    this.#rest = owned ? bytes : Buffer.from(bytes)
    if (this.#state !== HEAD && this.#rest.length >= EARLY_BYTES_MAX) this.#pause()
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.wire.pause()
  }

  #unpause(): void {
    if (!this.#paused) return
    this.#paused = false
    this.wire.resume()
  }

  /** Uses as much of `buffer[at, end)` as the state takes; returns where it stopped. */
  #consume(buffer: Buffer, start: number, end: number): number {
    let at = start
    this.#consuming = true
    while (at < end) {
      const before = at
      const state = this.#state
      if (state === HEAD) {
        if (at > start && this.client.requests > 0) this.client.pipelined = true
        at = this.#doubtful ? this.#leaveDoubtful(end) : this.#head(buffer, at, end)
      } else if (state === BODY || state === DRAINING) at = this.#readBody(buffer, at, end)
      else break
      if (at === before && state === this.#state) break
    }
    this.#consuming = false
    return at
  }

  /** Works off what was kept, after the state has changed. */
  #resumeInput(): void {
    if (this.#consuming) return
    this.#unpause()
    const rest = this.#rest
    if (rest.length === 0) return
    this.#rest = NO_BYTES
    const at = this.#consume(rest, 0, rest.length)
    if (at < rest.length) this.#keep(at === 0 ? rest : rest.subarray(at), true)
  }

  /**
   * The last request asked for another protocol and was answered in this one. Bytes that came before the answer may be
   * meant for the other protocol, so nothing is taken for a request any more.
   */
  get #doubtful(): boolean {
    return this.#upgradeAsked && this.client.pipelined
  }

  #leaveDoubtful(end: number): number {
    const r = this.#request
    r.logError(LOG_INFO, 'client sent bytes behind a request for an upgrade before the answer')
    this.#startLinger(r)
    return end
  }

  #head(buffer: Buffer, at: number, end: number): number {
    const parser = this.#parser
    if (this.#timer.purpose === KEEPALIVE_TIMEOUT) {
      this.#request.startMs = clock.now
      this.#request.startMonotonic = clock.monotonic
      this.#arm(HEADER_TIMEOUT, this.#server.connection.client_header_timeout)
    }
    const code = parser.parse(buffer, at, end)
    if (code === NEED_MORE) {
      this.#count(READING)
      return at
    }
    const after = at + parser.headLength
    this.#begin(code)
    return code === PARSED ? after : end
  }

  // ---- a request -----------------------------------------------------------------------------

  #begin(code: number): void {
    const parser = this.#parser
    const r = this.#request
    const { line, facts } = parser
    this.client.requests++
    connectionCounters.request()
    this.#count(WRITING)
    r.begin(clock.now, clock.monotonic)
    r.requestLine = parser.requestLine
    r.requestLength = parser.headLength
    // HTTP/1.2 and later are spoken to as 1.1.
    r.version = line.major * 10 + Math.min(line.minor, 1)
    r.methodBit = line.method
    this.#state = BUSY
    this.#writer.begin()
    this.#body.begin(0, false)
    this.#timer.purpose = 0
    this.#framingLost = false
    if (code !== PARSED) return this.#refuse(code)
    r.method = methodName(line.method) || parser.method
    r.unparsedUri = parser.target
    if (line.major === 0) return this.#refuse09()
    r.host = facts.host
    r.contentLength = facts.contentLength
    r.chunked = facts.chunked
    r.expectContinue = facts.expectContinue
    this.#chooseServer(r)
    // What follows the head is the request's body, whatever becomes of the request.
    this.#body.begin(facts.contentLength, facts.chunked)
    if (this.client.secure && misdirected(r)) return r.finish(421)
    if (this.client.plainOnTls) return this.#refusePlain()
    if (!normalizeUri(r.unparsedUri, r.server.connection.merge_slashes, target)) {
      r.logError(LOG_INFO, 'client sent invalid request')
      return r.finish(400)
    }
    r.uri = target.uri
    r.args = target.args
    const connect = parser.checkConnect(r.server.allowsConnect)
    if (connect !== PARSED) return this.#refuseConnect(connect)
    r.keepAlive = this.#mayKeepAlive(parser.keepAlive)
    debugHead(r)
    r.start(r.server)
  }

  #chooseServer(r: Request): void {
    r.server = this.#listener.serversFor(this.client).find(r.host === '' ? this.client.sniName : r.host, r)
    r.location = r.server.base
  }

  /** Answers a head that makes no sense, by the settings of the server that it names as far as that can be told. */
  #refuse(code: number): void {
    const r = this.#request
    this.#chooseServerOfBroken(r)
    r.method = methodName(r.methodBit)
    if (this.#parser.line.major === 0) r.version = 11
    r.malformed = true
    this.#framingLost = true
    r.logError(LOG_INFO, this.#parser.logMessage())
    r.finish(REQUEST_ERRORS[code]!.status)
  }

  #chooseServerOfBroken(r: Request): void {
    r.host = this.#parser.hostOfBroken()
    this.#chooseServer(r)
    if (!this.client.secure || !misdirected(r)) return
    r.server = this.#server
    r.location = r.server.base
  }

  /** What follows may be meant for the tunnel that was asked for: none of it is a request. */
  #refuseConnect(code: number): void {
    const r = this.#request
    this.#framingLost = true
    r.logError(LOG_INFO, REQUEST_ERRORS[code]!.logMessage)
    r.finish(REQUEST_ERRORS[code]!.status)
  }

  /** Plain HTTP where TLS is spoken: the answer can tell what to do instead. */
  #refusePlain(): void {
    const r = this.#request
    r.logError(LOG_INFO, 'client sent plain HTTP request to HTTPS port')
    if (normalizeUri(r.unparsedUri, r.server.connection.merge_slashes, target)) {
      r.uri = target.uri
      r.args = target.args
    }
    r.finish(497)
  }

  /** HTTP/0.9 is answered without a head, as nginx does. */
  #refuse09(): void {
    const r = this.#request
    r.version = 9
    this.#chooseServer(r)
    if (!normalizeUri(r.unparsedUri, true, target)) return r.finish(400)
    r.uri = target.uri
    r.args = target.args
    r.start(r.server)
  }

  #mayKeepAlive(asked: boolean): boolean {
    if (!asked || this.#listener.closing) return false
    const { core } = this.#request.location
    return core.keepalive_timeout.timeoutMs > 0 || core.keepalive_min_timeout > 0
  }

  // ---- the request body ----------------------------------------------------------------------

  startBody(r: Request): void {
    if (this.#body.done) {
      r.requestBody!.onEnd()
      return
    }
    if (r.expectContinue && this.#rest.length === 0 && !r.headSent) {
      r.expectContinue = false
      if (r.version === 11) this.wire.write('HTTP/1.1 100 Continue\r\n\r\n')
    }
    this.#body.wanted = true
    if (this.#state === BUSY) this.#state = BODY
    this.#arm(BODY_TIMEOUT, r.location.core.client_body_timeout)
    this.#resumeInput()
  }

  pauseBody(): void {
    this.#body.wanted = false
    this.#pause()
    this.#timer.purpose = 0
  }

  resumeBody(): void {
    this.#body.wanted = true
    this.#arm(BODY_TIMEOUT, this.#request.location.core.client_body_timeout)
    this.#resumeInput()
  }

  #readBody(buffer: Buffer, at: number, end: number): number {
    if (!this.#body.wanted) return at
    const r = this.#request
    const stop = this.#body.read(buffer, at, end)
    if (stop === BAD_BODY) return this.#badBody(end)
    if (this.#body.done) this.#bodyDone()
    else if (this.#state === BODY) {
      this.#arm(BODY_TIMEOUT, r.location.core.client_body_timeout)
      r.requestBody!.onPause()
    } else if (this.#state === DRAINING) this.#armLinger()
    return stop
  }

  #bodyDone(): void {
    const r = this.#request
    if (this.#state === DRAINING) {
      this.#next()
      return
    }
    this.#state = BUSY
    this.#timer.purpose = 0
    r.requestBody!.onEnd()
  }

  #badBody(end: number): number {
    const r = this.#request
    this.#body.stop()
    r.keepAlive = false
    if (this.#state === DRAINING) {
      this.close()
      return end
    }
    this.#state = BUSY
    r.logError(LOG_INFO, 'client sent invalid chunked body')
    r.bodyFailed(400)
    return end
  }

  // ---- the response --------------------------------------------------------------------------

  get full(): boolean {
    return this.wire.full
  }

  get closing(): boolean {
    return this.#listener.closing
  }

  get pendingBytes(): number {
    return this.wire.pendingBytes
  }

  sendHead(r: Request): void {
    if (!this.#staysAlive(r)) r.keepAlive = false
    r.body = this.#writer
    this.#writer.sendHead()
  }

  passHead(size: number): void {
    this.#writer.passHead(size)
  }

  #staysAlive(r: Request): boolean {
    if (!r.keepAlive) return false
    const { core, keepAliveDisabled } = r.location
    if (this.client.requests >= core.keepalive_requests) return false
    if (keepAliveDisabled !== 0 && mustNotKeepAlive(r, keepAliveDisabled)) return false
    if (core.keepalive_timeout.timeoutMs === 0 && core.keepalive_min_timeout === 0) return false
    return clock.monotonic - this.#startedMs < core.keepalive_time && !this.#listener.closing
  }

  sendInterim(r: Request, status: number, lines: string): void {
    if (r.version >= 11) this.wire.write(`HTTP/1.1 ${status} Early Hints\r\n${lines}\r\n`)
  }

  onResponseStalled(): void {
    this.#arm(SEND_TIMEOUT, this.#request.location.core.send_timeout)
  }

  onResponseMoving(): void {
    if (this.#timer.purpose === SEND_TIMEOUT) this.#timer.purpose = 0
  }

  onDrain(): void {
    if (this.#state === TUNNEL) this.#tunnel!.onClientDrain()
    else if (this.#state !== CLOSED) this.#writer.onDrain()
  }

  /** Ends the connection and the request without another byte. */
  abortRequest(r: Request): void {
    r.keepAlive = false
    this.close()
  }

  /** The response is out: log, then next request, lingering or close. */
  requestEnded(r: Request): void {
    debugEnd(r)
    logRequest(r)
    r.cleanUp()
    if (this.#state === CLOSED || this.#state === TUNNEL) return
    if (r.aborted) return this.close()
    if (!this.#body.done) return this.#bodyLeft(r)
    if (r.keepAlive) return this.#next()
    if (this.#wantsLingering(r)) return this.#startLinger(r)
    this.#endOutput()
  }

  /** The response is out, but the client still sends a body nobody wants. */
  #bodyLeft(r: Request): void {
    r.ensureBody().discard()
    const { core } = r.location
    this.#lingerUntil = clock.monotonic + core.lingering_time
    if (!r.keepAlive || core.lingering_close === 'off') {
      if (core.lingering_close === 'off') this.#endOutput()
      else this.#startLinger(r)
      return
    }
    this.#state = DRAINING
    this.#body.wanted = true
    this.#armLinger()
    this.#resumeInput()
  }

  #wantsLingering(r: Request): boolean {
    const { lingering_close } = r.location.core
    if (lingering_close === 'off') return false
    return lingering_close === 'always' || this.#rest.length > 0 || this.#framingLost
  }

  #startLinger(r: Request): void {
    this.#state = LINGERING
    reusableConnections.add(this)
    this.#rest = NO_BYTES
    this.#lingerUntil = clock.monotonic + r.location.core.lingering_time
    this.wire.end()
    this.#unpause()
    this.#armLinger()
  }

  #linger(): void {
    this.#armLinger()
  }

  #armLinger(): void {
    const { core } = this.#request.location
    const left = this.#lingerUntil - clock.monotonic
    if (left <= 0) return this.close()
    this.#arm(LINGERING_TIMEOUT, Math.min(left, core.lingering_timeout))
  }

  #endOutput(): void {
    this.#over()
    this.wire.closeAfterFlush(this.#request.location.core.send_timeout)
  }

  #next(): void {
    const r = this.#request
    assert(!this.#framingLost, 'a request follows only where the last one is known to end')
    const { core } = r.location
    const timeout = core.keepalive_timeout.timeoutMs || core.keepalive_min_timeout
    if (this.#listener.closing && this.#rest.length === 0) return this.#endOutput()
    this.#state = HEAD
    this.#body.wanted = false
    this.#upgradeAsked = this.#parser.facts.upgradeIndex >= 0
    this.#parser.reset()
    this.#parser.limits = this.#listener.limits
    this.client.pipelined = this.#rest.length > 0
    r.reset()
    this.#count(WAITING)
    if (this.client.requests === 1 && core.tcp_nodelay) this.wire.setNoDelay()
    this.#arm(KEEPALIVE_TIMEOUT, timeout)
    this.#resumeInput()
  }

  // ---- tunnels -------------------------------------------------------------------------------

  /** Hands the connection over after 101 or CONNECT; bytes that came early follow at once. */
  startTunnel(tunnel: Tunnel): void {
    this.#state = TUNNEL
    this.#tunnel = tunnel
    this.#timer.purpose = 0
    const rest = this.#rest
    this.#rest = NO_BYTES
    this.#unpause()
    if (rest.length > 0) tunnel.onClientBytes(rest, 0, rest.length)
  }

  endTunnel(): void {
    if (this.#state === TUNNEL) this.#endOutput()
  }

  // ---- the end -------------------------------------------------------------------------------

  get idle(): boolean {
    return this.#state === HEAD && this.#rest.length === 0 && this.client.requests > 0
  }

  shutDown(): void {
    if (this.idle) this.close()
  }

  reuse(): void {
    assert(this.#state === HEAD || this.#state === LINGERING, 'nobody works for a connection that is reused')
    this.close()
  }

  /** Closes at once; a request under way is told. */
  close(): void {
    this.#closeWith(499)
  }

  #closeWith(status: number): void {
    if (this.#state === CLOSED) return
    const state = this.#state
    this.#over()
    this.wire.destroy()
    this.#tellRequest(state, status)
  }

  /** Nothing is expected of this connection any more. */
  #over(): void {
    assert(this.#state !== CLOSED, 'a connection ends once')
    this.#state = CLOSED
    cancelTimer(this.#timer)
    this.#listener.closed(this)
  }

  #tellRequest(state: number, status: number): void {
    if (state === TUNNEL) {
      this.#tunnel!.onClientClose()
      return
    }
    if (state === BUSY || state === BODY) this.#request.abort(status)
  }

  onEnd(): void {
    switch (this.#state) {
      case TUNNEL:
        this.#tunnel!.onClientEnd()
        return
      case HEAD:
        if (this.#rest.length > 0) this.#logEarly(LOG_INFO, 'client prematurely closed connection')
        this.close()
        return
      case BUSY:
        // What is complete reaches a client that only closed its own side.
        if (!this.#writer.draining) this.#request.clientEnded()
        return
      case BODY:
        this.#request.logError(LOG_INFO, 'client prematurely closed connection')
        this.#closeWith(400)
        return
      default:
        this.close()
    }
  }

  #logBroken(error: string): void {
    if (this.#state !== HEAD) this.#request.logError(LOG_INFO, error)
    else this.#logEarly(LOG_INFO, `${error} while ${this.client.requests > 0 ? 'keepalive' : 'waiting for request'}`)
  }

  /** Logs before there is a request. */
  #logEarly(level: number, message: string): void {
    const r = this.#request
    r.server = this.#server
    r.location = r.server.base
    r.logError(level, message)
  }

  onClose(failure: WireFailure | undefined): void {
    if (this.#state === CLOSED) return
    const state = this.#state
    if (failure?.kind === 'tls') this.#logBroken(failure.problem)
    else if (failure !== undefined && state === BODY) this.#request.logError(LOG_INFO, wireFailureText(failure))
    this.#over()
    // As nginx has it, 499 is for those who leave while somebody works for them.
    this.#tellRequest(state, state === BODY ? 400 : 499)
  }

  #arm(purpose: number, ms: number): void {
    this.#timer.purpose = purpose
    setTimer(this.#timer, ms)
  }

  onTimeout(timer: Timer): void {
    const r = this.#request
    switch (timer.purpose) {
      case KEEPALIVE_TIMEOUT:
      case LINGERING_TIMEOUT:
        this.close()
        return
      case HEADER_TIMEOUT:
        this.#headerTimedOut()
        return
      case BODY_TIMEOUT:
      case SEND_TIMEOUT:
        r.logError(LOG_INFO, 'client timed out')
        this.#timeOut(408)
        return
    }
  }

  #headerTimedOut(): void {
    if (this.#rest.length === 0) {
      this.close()
      return
    }
    const r = this.#request
    this.#parser.giveUp(this.#rest)
    r.requestLine = this.#parser.requestLine
    r.method = methodName(this.#parser.line.method)
    r.requestLength = this.#rest.length
    r.malformed = true
    this.#chooseServerOfBroken(r)
    r.logError(LOG_INFO, 'client timed out')
    r.begin(clock.now, clock.monotonic)
    this.#state = BUSY
    this.#timeOut(408)
  }

  #timeOut(status: number): void {
    const state = this.#state
    const { core } = this.#request.location
    this.#over()
    if (core.reset_timedout_connection) this.wire.reset()
    else this.wire.destroy()
    this.#tellRequest(state, status)
  }
}
