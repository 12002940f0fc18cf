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
import { ERROR, INFO, WARN } from '../../log/error-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { Wire, WireOwner } from '../../net/wire.ts'
import { type WireFailure, wireFailureText } from '../../net/wire-failure.ts'
import type { Tunnel } from '../../upstream/tunnel.ts'
import { NEED_MORE, DONE as PARSED } from '../message/request-errors.ts'
import { HTTP11 } from '../request/asked.ts'
import type { Carrier } from '../request/carrier.ts'
import type { Client } from '../request/client.ts'
import { debugEnd } from '../request/debug-log.ts'
import { staysAlive } from '../request/keep-alive.ts'
import type { ServerConf } from '../request/location.ts'
import { logRequest } from '../request/log-request.ts'
import type { Request } from '../request/request.ts'
import { type ClientConnection, CUT_OFF } from '../server/client-connection.ts'
import { connectionCounters, NONE, READING, WAITING, WRITING } from '../server/connection-counters.ts'
import type { HttpListener } from '../server/listener.ts'
import { type Reusable, reusableConnections } from '../server/reusable.ts'
import { logSilentEnd } from '../server/silent-end.ts'
import { BAD_BODY } from './body-reader.ts'
import { giveUpRequest, type OpenHost, openRequest } from './open-request.ts'
import { BenchHolder, type Workbench } from './workbench.ts'

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
const BODY_CUT = 6

/** Bytes that came early (pipelined requests, a body nobody asked for yet) beyond this make the client wait. */
const EARLY_BYTES_MAX = 65536
/** Beyond, the connection waits for the copies of its requests, as nginx does for each. */
const LEFT_BEHIND_MAX = 16

const TIMED_OUT = 'client timed out (110: Connection timed out)'
const LEFT = 'client prematurely closed connection'

export class H1Connection extends BenchHolder implements WireOwner, TimerOwner, Carrier, OpenHost, ClientConnection {
  readonly client: Client
  readonly wire: Wire
  readonly listener: HttpListener
  readonly #timer = new Timer(this)
  /** A graceful stop leaves the waiting connection alone until then (`keepalive_min_timeout`). */
  #keptUntilMs = 0
  countedAs = NONE
  rosterPlace = -1
  reusableBefore: Reusable | undefined = undefined
  reusableAfter: Reusable | undefined = undefined
  #state = HEAD
  /** Bytes that came but are not consumed: a head in parts, a pipelined request, an early body. */
  #rest: Buffer = NO_BYTES
  /** While a request begins: the bytes behind its head that came with it. Otherwise empty. */
  #input: Buffer = NO_BYTES
  #inputAt = 0
  #inputEnd = 0
  #paused = false
  /** True while `#consume` runs: a request that ends inside it must not start another round. */
  #consuming = false
  #lingerUntil = 0
  /** Where the request at hand ends cannot be told: nothing behind it is served. */
  #framingLost = false
  /** The last request asked for another protocol. */
  #upgradeAsked = false
  /** Requests that are answered and logged, but whose copies are still under way. */
  #leftBehind = 0
  #tunnel: Tunnel | undefined

  constructor(wire: Wire, listener: HttpListener, client: Client) {
    super()
    this.wire = wire
    this.listener = listener
    this.client = client
    wire.owner = this
    listener.opened(this)
    this.#count(WAITING)
  }

  protected serveBench(bench: Workbench): void {
    bench.serve(this, this.listener.limitsFor(this.client))
  }

  #count(as: number): void {
    connectionCounters.move(this.countedAs, as)
    this.countedAs = as
    if (as === WAITING) reusableConnections.add(this)
    else reusableConnections.remove(this)
  }

  /** The server whose settings hold while no request tells another. */
  #server(): ServerConf {
    return this.client.sniServer ?? this.listener.serversFor(this.client).defaultServer
  }

  /** Begins to read. */
  start(): void {
    this.#arm(HEADER_TIMEOUT, this.#server().connection.client_header_timeout)
    this.wire.resume()
  }

  // ---- bytes in ------------------------------------------------------------------------------

  onBytes(buffer: Buffer, size: number): void {
    if (this.#state === LINGERING) return this.#armLinger()
    if (this.#state === TUNNEL) return this.#tunnel!.onClientBytes(buffer, 0, size)
    if (this.#state === CLOSED) return
    if (this.#rest.length === 0) {
      const at = this.#consume(buffer, 0, size)
      if (at < size) this.#keep(buffer.subarray(at, size))
    } else {
      const joined = Buffer.concat([this.#rest, buffer.subarray(0, size)])
      this.#rest = NO_BYTES
      const at = this.#consume(joined, 0, joined.length)
      if (at < joined.length) this.#keep(at === 0 ? joined : joined.subarray(at), at === 0)
    }
    this.#rested()
  }

  /** Nothing more can be done with what came. */
  #rested(): void {
    if (this.#state !== HEAD && this.#state !== DRAINING) return
    // A client that ended its side during the last request has said all by now.
    if (this.benchTaken?.body.cut === true) this.onEnd()
    else if (this.idle) this.leaveBench()
  }

  /** Keeps what could not be used yet. `owned`: the bytes are ours already. */
  #keep(bytes: Buffer, owned = false): void {
    if (this.#state === CLOSED || this.#state === LINGERING) return
    if (this.#state === TUNNEL) return this.#tunnel!.onClientBytes(bytes, 0, bytes.length)
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
        at = this.#doubtful() ? this.#leaveDoubtful(end) : this.#head(buffer, at, end)
      } else if (state === BODY || state === DRAINING || (state === BUSY && this.body.wanted && !this.body.done)) {
        at = this.#readBody(buffer, at, end)
      } else break
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
    if (rest.length > 0) {
      this.#rest = NO_BYTES
      const at = this.#consume(rest, 0, rest.length)
      if (at < rest.length) this.#keep(at === 0 ? rest : rest.subarray(at), true)
    }
    this.#rested()
  }

  /**
   * The last request asked for another protocol and was answered in this one. Bytes that came before the answer may be
   * meant for the other protocol, so nothing is taken for a request any more.
   */
  #doubtful(): boolean {
    return this.#upgradeAsked && this.client.pipelined
  }

  #leaveDoubtful(end: number): number {
    this.request.logError(INFO, 'client sent bytes behind a request for an upgrade before the answer')
    this.#startLinger(this.request)
    return end
  }

  #head(buffer: Buffer, at: number, end: number): number {
    const { parser, request } = this.bench
    if (this.#timer.purpose === KEEPALIVE_TIMEOUT) {
      request.startMs = clock.now
      request.startMonotonic = clock.monotonic
      this.#arm(HEADER_TIMEOUT, this.#server().connection.client_header_timeout)
    }
    const code = parser.parse(buffer, at, end)
    if (code === NEED_MORE) {
      this.#count(READING)
      return at
    }
    this.#input = buffer
    this.#inputAt = at + parser.headLength
    this.#inputEnd = end
    this.#begin(code)
    this.#input = NO_BYTES
    return code === PARSED ? this.#inputAt : end
  }

  // ---- a request -----------------------------------------------------------------------------

  #begin(code: number): void {
    assert(this.#state === HEAD, 'a request begins where the last one has ended')
    this.client.requests++
    if (this.client.pipelined) this.client.pipelines = true
    connectionCounters.request()
    this.#count(WRITING)
    this.#state = BUSY
    const { bench } = this
    bench.begin()
    this.#timer.purpose = 0
    this.#framingLost = false
    openRequest(bench.request, bench.parser, code, this)
  }

  loseFraming(): void {
    this.#framingLost = true
    this.request.keepAlive = false
  }

  // ---- the request body ----------------------------------------------------------------------

  startBody(r: Request): void {
    if (this.body.done) {
      r.requestBody!.onEnd()
      return
    }
    if (r.expectContinue && !r.headSent) {
      r.expectContinue = false
      this.sendInterim(r, 100, '')
    }
    this.body.wanted = true
    if (this.#state === BUSY) this.#state = BODY
    if (this.body.cut) return this.#arm(BODY_CUT, 0)
    this.#arm(BODY_TIMEOUT, r.location.core.client_body_timeout)
    this.#resumeInput()
  }

  takeBody(r: Request, all: boolean): number {
    if (this.body.done) return 0
    assert(this.#state === BUSY || this.#state === BODY, 'a request is under way')
    this.body.wanted = all
    this.#state = BUSY
    const begins = this.#input !== NO_BYTES
    const buffer = begins ? this.#input : this.#rest
    const end = begins ? this.#inputEnd : buffer.length
    const at = begins ? this.#inputAt : 0
    if (!all && end - at > r.location.core.client_body_buffer_size) return 0
    const stop = at === end ? at : this.body.read(buffer, at, end)
    const after = stop === BAD_BODY ? end : stop
    if (begins) this.#inputAt = after
    else {
      this.#rest = after === end ? NO_BYTES : buffer.subarray(after)
      this.#unpause()
    }
    if (stop === BAD_BODY) return this.#brokenBody(r)
    if (this.body.done) r.requestBody!.onEnd()
    return 0
  }

  pauseBody(): void {
    this.body.wanted = false
    this.#pause()
    this.#timer.purpose = 0
  }

  resumeBody(): void {
    this.body.wanted = true
    this.#arm(BODY_TIMEOUT, this.request.location.core.client_body_timeout)
    this.#resumeInput()
  }

  #readBody(buffer: Buffer, at: number, end: number): number {
    if (!this.body.wanted) return at
    const r = this.request
    const stop = this.body.read(buffer, at, end)
    // Who got the bytes may have refused them: the answer is out by now, or on its way without the body.
    if (this.#state === LINGERING || this.#state === CLOSED) return end
    if (stop === BAD_BODY) return this.#badBody(end)
    if (this.#state === BODY && r.requestBody!.discarded) {
      this.#state = BUSY
      this.#timer.purpose = 0
    }
    if (this.#state === DRAINING && !r.keepAlive) this.#startLinger(r)
    else if (this.body.done) this.#bodyDone()
    else if (this.#state === BODY) {
      this.#arm(BODY_TIMEOUT, r.location.core.client_body_timeout)
      r.requestBody!.onPause()
    } else if (this.#state === DRAINING) this.#armLinger()
    return stop
  }

  #bodyDone(): void {
    const r = this.request
    if (this.#state === DRAINING) return this.#next()
    assert(this.#state === BODY || this.#state === BUSY, 'a body ends while its request is served')
    if (this.#state === BODY) this.#timer.purpose = 0
    this.#state = BUSY
    r.requestBody!.onEnd()
  }

  #badBody(end: number): number {
    const r = this.request
    const status = this.#brokenBody(r)
    if (this.#state === DRAINING) this.#startLinger(r)
    else if (this.#state === BUSY) r.discardedBodyFailed(status)
    else {
      this.#state = BUSY
      this.#timer.purpose = 0
      r.bodyFailed(status)
    }
    return end
  }

  /** Nothing behind a body whose end cannot be found is read. Returns the status that answers it. */
  #brokenBody(r: Request): number {
    this.body.stop()
    this.loseFraming()
    r.logError(ERROR, 'client sent invalid chunked body')
    return 400
  }

  // ---- the response --------------------------------------------------------------------------

  get full(): boolean {
    return this.wire.full
  }

  get closing(): boolean {
    return this.listener.closing || this.client.leaving
  }

  get pendingBytes(): number {
    return this.wire.pendingBytes
  }

  sendHead(r: Request): void {
    if (!staysAlive(r)) r.keepAlive = false
    const { writer } = this.bench
    r.body = writer
    writer.sendHead()
  }

  passHead(size: number): void {
    this.bench.writer.passHead(size)
  }

  sendInterim(r: Request, status: number, lines: string): void {
    if (r.version >= HTTP11) this.bench.writer.sendInterim(status, lines)
  }

  onResponseStalled(): void {
    this.#arm(SEND_TIMEOUT, this.request.location.core.send_timeout)
  }

  onResponseMoving(): void {
    if (this.#timer.purpose === SEND_TIMEOUT) this.#timer.purpose = 0
  }

  onDrain(): void {
    if (this.#state === TUNNEL) this.#tunnel!.onClientDrain()
    else if (this.#state !== CLOSED) this.benchTaken?.writer.onDrain()
  }

  /** Ends the connection and the request without another byte. */
  abortRequest(r: Request, behindOutput = false): void {
    r.keepAlive = false
    const { status } = r.out
    const told = status >= 400 && !r.headSent ? status : 499
    if (told === 444) this.#timeOut(told)
    else this.#closeWith(told, behindOutput && r.headSent ? r.location.core.send_timeout : 0)
  }

  /** The response is out: log, then next request, lingering or close. */
  requestEnded(r: Request): void {
    if (r !== this.benchTaken?.request) return this.#copiesEnded(r)
    debugEnd(r)
    logRequest(r)
    r.cleanUp()
    this.#goOn(r)
  }

  /** Copies of a request (mirror) need its object as long as they run: the connection goes on with another one. */
  leaveBehind(r: Request): void {
    if (this.#state !== BUSY || r.aborted || !this.body.done || this.#leftBehind >= LEFT_BEHIND_MAX) return
    debugEnd(r)
    // As in nginx, the log tells what the back end came to; with copies of mirrors it need not wait.
    r.logsLate = r.asking
    if (!r.logsLate) logRequest(r)
    this.#leftBehind++
    const { cut } = this.body
    this.loseBench()
    this.body.cut = cut
    const next = this.request
    next.server = r.server
    next.location = r.location
    next.keepAlive = r.keepAlive
    this.#goOn(next)
  }

  #copiesEnded(r: Request): void {
    if (r.logsLate) logRequest(r)
    r.cleanUp()
    this.#leftBehind--
    assert(this.#leftBehind >= 0, 'who was left behind ends once')
    if (this.#leftBehind === 0 && this.#state === CLOSED) this.listener.closed(this)
  }

  /** The response is out: what comes next? */
  #goOn(r: Request): void {
    if (this.#state === CLOSED) return this.clearBench()
    if (this.#state === TUNNEL) return
    if (r.aborted) return this.close()
    if (!this.body.done) return this.#bodyLeft(r)
    if (r.keepAlive) return this.#next()
    if (this.#wantsLingering(r)) return this.#startLinger(r)
    this.#endOutput()
  }

  /** The response is out, but the client still sends a body nobody wants. */
  #bodyLeft(r: Request): void {
    const body = r.ensureBody()
    if (!body.discarded) body.discard()
    const { core } = r.location
    this.#lingerUntil = clock.monotonic + core.lingering_time
    if (!r.keepAlive || core.lingering_close === 'off') {
      if (core.lingering_close === 'off' || this.body.cut) this.#endOutput()
      else this.#startLinger(r)
      return
    }
    this.#state = DRAINING
    this.body.wanted = true
    this.#armLinger()
    this.#resumeInput()
  }

  /** More than what was answered has come or may come: closing at once would reset the connection (ngx_http_finalize_connection). */
  #wantsLingering(r: Request): boolean {
    const { lingering_close } = r.location.core
    if (lingering_close === 'off' || this.body.cut) return false
    return lingering_close === 'always' || this.#rest.length > 0 || this.client.pipelines || this.#framingLost
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

  #armLinger(): void {
    const { core } = this.request.location
    const left = this.#lingerUntil - clock.monotonic
    if (left <= 0) return this.close()
    this.#arm(LINGERING_TIMEOUT, Math.min(left, core.lingering_timeout))
  }

  #endOutput(): void {
    this.#over()
    this.wire.closeAfterFlush(this.request.location.core.send_timeout)
    this.clearBench()
  }

  #next(): void {
    const r = this.request
    assert(!this.#framingLost, 'a request follows only where the last one is known to end')
    const { core } = r.location
    const timeout = core.keepalive_timeout.timeoutMs
    if (this.closing && this.#rest.length === 0) return this.#endOutput()
    this.#state = HEAD
    this.#keptUntilMs = core.keepalive_min_timeout === 0 ? 0 : clock.monotonic + core.keepalive_min_timeout
    this.body.wanted = false
    const { bench } = this
    this.#upgradeAsked = bench.parser.facts.upgradeIndex >= 0
    bench.parser.limits = this.listener.limitsFor(this.client)
    this.client.pipelined = this.#rest.length > 0
    bench.reset()
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
    if (this.body.cut) this.#arm(BODY_CUT, 0)
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

  /** A connection that has just been kept stays for `keepalive_min_timeout`: a request may be on its way. */
  shutDown(): void {
    if (!this.idle) return
    const left = this.#keptUntilMs - clock.monotonic
    if (left > 0) this.#arm(KEEPALIVE_TIMEOUT, left)
    else this.close()
  }

  reuse(): void {
    assert(this.#state === HEAD || this.#state === LINGERING, 'nobody works for a connection that is reused')
    this.close()
  }

  /** Closes at once; a request under way is told. */
  close(): void {
    this.#closeWith(499)
  }

  cutOff(): void {
    const state = this.#state
    if (state === BUSY || state === BODY || state === TUNNEL) this.request.logError(WARN, CUT_OFF)
    // As in nginx such a request has no status unless it was answered.
    this.#closeWith(0)
  }

  #closeWith(status: number, flushMs = 0): void {
    // Whoever asks twice does not wait for copies either.
    if (this.#state === CLOSED) return this.listener.closed(this)
    const state = this.#state
    this.#over()
    // What was written before a response had to be broken off is the client's, however slow it is.
    if (flushMs > 0) this.wire.closeAfterFlush(flushMs)
    else this.wire.destroy()
    this.#tellRequest(state, status)
    this.clearBench()
  }

  /** Nothing is expected of this connection any more. */
  #over(): void {
    assert(this.#state !== CLOSED, 'a connection ends once')
    this.#state = CLOSED
    cancelTimer(this.#timer)
    if (this.#leftBehind === 0) this.listener.closed(this)
    else reusableConnections.remove(this)
  }

  #tellRequest(state: number, status: number): void {
    if (state === TUNNEL) this.#tunnel!.onClientClose()
    else if (state === BUSY || state === BODY) this.request.abort(status)
  }

  onEnd(): void {
    switch (this.#state) {
      case TUNNEL:
        return this.#tunnel!.onClientEnd()
      case HEAD:
        this.#headEnds(LEFT)
        return this.#closeBehind(400)
      case BUSY:
        this.body.cut = true
        // What TLS alone says is read when more is wanted of the client; the socket is looked at (ngx_http_test_reading).
        if (!this.wire.mayListen || this.request.requestBody?.cutAtOnce === true) this.onGone()
        return
      case BODY:
        return this.#bodyCut()
      default:
        this.#closeBehind(499)
    }
  }

  onGone(): void {
    // What is complete reaches a client that only closed its own side.
    if (this.#state === BUSY && !this.bench.writer.draining) this.request.clientEnded()
  }

  /** Closes when the client has what is on its way to it. */
  #closeBehind(status: number): void {
    this.#closeWith(status, this.pendingBytes > 0 ? this.#server().connection.send_timeout : 0)
  }

  #bodyCut(): void {
    this.request.logError(INFO, LEFT)
    this.#closeWith(400)
  }

  #logBroken(failure: WireFailure): void {
    const state = this.#state
    const isTls = failure.kind === 'tls'
    // To OpenSSL who was reset was closed.
    const error = this.client.secure && !isTls ? LEFT : wireFailureText(failure)
    if (state === BODY || (state !== HEAD && isTls)) this.request.logError(INFO, error)
    else if (state === HEAD && (this.#rest.length > 0 || this.client.secure || this.client.requests === 0)) {
      this.#headEnds(error)
    }
  }

  onClose(failure: WireFailure | undefined): void {
    if (this.#state === CLOSED) return
    const before = this.#state
    if (failure !== undefined) this.#logBroken(failure)
    const state = this.#state
    this.#over()
    // As nginx has it, 499 is for those who leave while somebody works for them.
    const cut = before === HEAD || state === BODY || (state === BUSY && this.request.requestBody?.cutAtOnce === true)
    this.#tellRequest(state, cut ? 400 : 499)
    this.clearBench()
  }

  #arm(purpose: number, ms: number): void {
    this.#timer.purpose = purpose
    setTimer(this.#timer, ms)
  }

  onTimeout(timer: Timer): void {
    switch (timer.purpose) {
      case KEEPALIVE_TIMEOUT:
      case LINGERING_TIMEOUT:
        return this.close()
      case BODY_CUT:
        return this.onEnd()
      case HEADER_TIMEOUT:
        this.#headEnds(TIMED_OUT)
        return this.#state === BUSY ? this.#timeOut(408) : this.close()
      case BODY_TIMEOUT:
      case SEND_TIMEOUT:
        if (timer.purpose === SEND_TIMEOUT && this.wire.stillTakes(timer, this.request.location.core.send_timeout))
          return
        this.request.logError(INFO, TIMED_OUT)
        return this.#timeOut(408)
    }
  }

  /** No head will come. One that does not come to its end is a request, too: whoever ends the connection now ends a request. */
  #headEnds(problem: string): void {
    if (this.#rest.length === 0) {
      return logSilentEnd(this.client, this.listener, this.#server(), problem === LEFT ? '' : problem)
    }
    const { bench } = this
    this.client.requests++
    connectionCounters.request()
    bench.begin()
    giveUpRequest(bench.request, bench.parser, this.#rest, problem, this)
    this.#state = BUSY
  }

  /** Ends a connection as `reset_timedout_connection` says, which holds for 444 too. */
  #timeOut(status: number): void {
    if (this.#state === CLOSED) return
    const state = this.#state
    const { core } = this.request.location
    this.#over()
    if (core.reset_timedout_connection) this.wire.reset()
    else this.wire.destroy()
    this.#tellRequest(state, status)
    this.clearBench()
  }
}
