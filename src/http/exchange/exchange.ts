/**
 * One request's conversation with its upstream group: as many attempts as it takes, one peer at a time, whatever the
 * protocol (a Codec speaks it). What goes to the peer is the RequestSender's part, to the client the ResponsePump's.
 *
 *   IDLE -> CONNECT -> HEAD -> BODY -> FINISHED          TUNNEL after 101, QUEUED before CONNECT when no peer is free
 *             \---------+--> next peer, or a status
 *
 * Exchanges are reused. Handing the last byte to the client may end the request, and with it this exchange, before the
 * call returns: whoever may have done that compares `#generation` afterwards.
 */
import { clock } from '../../lib/clock.ts'
import { INFO, ERROR as LOG_ERROR, WARN } from '../../log/error-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { WireOwner } from '../../net/wire.ts'
import { isOurs, type WireFailure, wireFailureLevel } from '../../net/wire-failure.ts'
import { BLAMELESS, FAILED, GOOD, type Outcome, type PeerGroup } from '../../upstream/group.ts'
import type { ConnectUser } from '../../upstream/pool.ts'
import type { RequestQueue } from '../../upstream/queue.ts'
import type { Request } from '../request/request.ts'
import { trace } from '../request/trace.ts'
import { DONE, NEXT, type Verdict } from '../request/verdict.ts'
import { Caching } from './cache/caching.ts'
import { storedHead } from './cache/stored-head.ts'
import { BODY_BROKEN, type BodyReceiver, HEAD_INVALID, HEAD_MORE } from './codec.ts'
import type { ExchangeConf } from './conf.ts'
import { ExchangeFacts } from './exchange-facts.ts'
import {
  blamesPeer,
  ERROR,
  endText,
  failureStatus,
  INVALID_HEADER,
  NO_PEER,
  statusFailure,
  TIMEOUT,
} from './failure.ts'
import { HeadReader } from './head-reader.ts'
import { type Link, logNoLink } from './link.ts'
import { QueueSeat, type SeatOwner } from './queue-seat.ts'
import { RequestSender, type SenderOwner } from './request-sender.ts'
import { applyResponseHead, interceptStatus, redirectedByBackEnd } from './response-head.ts'
import { type PumpOwner, ResponsePump } from './response-pump.ts'
import { Upgraded, type UpgradedOwner } from './upgraded.ts'

const IDLE = 0
const CONNECT = 1
const HEAD = 2
const BODY = 3
const FINISHED = 4
const TUNNEL = 5
const QUEUED = 6

const CONNECT_TIMEOUT = 1
const SEND_TIMEOUT = 2
const READ_TIMEOUT = 3
const RATE_PAUSE = 4

/** How often a request goes elsewhere because a peer did not want it on a connection that served before. */
const REFUSALS_MAX = 3
/** How often a response that is held back by `limit_rate` goes on. */
const RATE_STEP_MS = 250

const free: Exchange[] = []
const FREE_MAX = 1024

/** Takes an exchange for `r`; `release` gives it back when the request is logged. */
export function takeExchange(r: Request, conf: ExchangeConf): Exchange {
  const exchange = free.pop() ?? new Exchange()
  exchange.begin(r, conf)
  return exchange
}

/** The exchange that leads the request's conversation, when there is one. */
export function exchangeOf(r: Request): Exchange | undefined {
  const { conversation } = r
  return conversation instanceof Exchange ? conversation : undefined
}

/** The conversation of one request with its back ends; `release` ends it for good. */
export class Exchange
  extends ExchangeFacts
  implements WireOwner, TimerOwner, SenderOwner, PumpOwner, BodyReceiver, UpgradedOwner, ConnectUser, SeatOwner
{
  readonly pump = new ResponsePump(this)
  readonly sender = new RequestSender(this)
  readonly #timer = new Timer(this)
  readonly #upgraded = new Upgraded(this)
  readonly #seat = new QueueSeat(this, this.search)
  #generation = 0
  #state = IDLE
  #link: Link | undefined
  /** The connection was there before: it may have died unnoticed. */
  #cached = false
  /** It was opened for another request, or is there for others too. */
  #joined = false
  /** How often peers have turned this request away without a look at it. */
  #refusals = 0
  /** The request as it is sent; built once, the same for every attempt. */
  #head = ''
  /** A peer has seen some of the request. */
  #requestSent = false
  readonly #headReader = new HeadReader()
  #inputEnd = 0
  #ownCaching: Caching | undefined

  begin(r: Request, conf: ExchangeConf): void {
    this.#generation++
    this.beginFacts(r, conf)
    this.#state = IDLE
    this.#link = undefined
    this.#cached = this.#joined = false
    this.#refusals = 0
    this.#head = ''
    this.#requestSent = false
    this.#headReader.begin()
    this.#inputEnd = 0
    if (this.caching !== undefined || conf.cache !== undefined) this.#beginCaching(r, conf)
    this.pump.begin(r, conf)
    this.sender.begin(r, conf.passBody, conf.protocol)
  }

  #beginCaching(r: Request, conf: ExchangeConf): void {
    this.caching?.release()
    this.caching = undefined
    if (conf.cache === undefined) return
    this.caching = this.#ownCaching ??= new Caching(this)
    this.caching.begin(r, conf.cache)
  }

  /** The request is logged: everything goes back. */
  release(): void {
    this.#generation++
    this.caching?.release()
    this.caching = undefined
    if (this.#state === QUEUED) this.#seat.leave()
    this.#closePeer()
    this.pump.close()
    cancelTimer(this.#timer)
    this.#state = IDLE
    this.attempts.reset()
    if (free.length < FREE_MAX) free.push(this)
  }

  /** A new series of attempts for the same request, after an internal redirect. */
  restart(r: Request, conf: ExchangeConf): void {
    this.#closePeer()
    this.begin(r, conf)
  }

  /** Changes whenever this object begins with, or lets go of, a request. */
  get generation(): number {
    return this.#generation
  }

  // ---- the request ---------------------------------------------------------------------------

  /** Begins; DONE when the exchange is under way, WAIT when a name, the request body or another request is waited for. */
  start(): Verdict {
    const { r, conf } = this
    if (this.caching === undefined) return this.fetch()
    const status = conf.aim(r)
    return status === 0 ? this.#needBody() : status
  }

  /** Finds the group, once it is certain that a back end is asked. */
  fetch(): Verdict {
    const group = this.conf.resolve(this.r)
    return typeof group === 'number' ? group : this.resolved(group)
  }

  /** The group is known: goes on with the request body (which the cache has waited for) and the first peer. */
  resolved(group: PeerGroup): Verdict {
    this.search.resolved(group, this.conf.transport.next_upstream_tries)
    return this.caching === undefined ? this.#needBody() : this.#ask()
  }

  #needBody(): Verdict {
    const { r, conf } = this
    if (r.contentLength < 0 && !r.chunked) {
      r.noBody()
      return this.bodyRead()
    }
    // One that is not passed on is read first too: what is wrong with it is the client's fault, and no back end is asked.
    const mayStream = r.chunked ? conf.chunkedAllowed : r.contentLength > 0
    const streamed = mayStream && conf.passBody && !conf.transport.request_buffering
    return streamed ? r.ensureBody().takeFirst() || this.bodyRead() : r.readBody(onBodyRead)
  }

  /** The request body is there, or will be streamed: asks the cache, then the first peer. */
  bodyRead(): Verdict {
    if (this.caching === undefined) return this.#ask()
    const verdict = this.caching.lookUp()
    return verdict === NEXT ? this.fetch() : verdict
  }

  #ask(): Verdict {
    const { r, conf } = this
    if (!conf.perServer) this.#head = conf.request(r, this)
    if (this.#head === '' && !conf.protocol.tunnel && !conf.perServer) return 500
    r.producer = this.pump
    return this.#tryPeer()
  }

  /** Picks a peer and connects. Returns DONE, or a status when no attempt can be made. */
  #tryPeer(): Verdict {
    const { queue } = this.search.group
    if ((queue === undefined || queue.size === 0) && this.usePeer()) return DONE
    return queue === undefined || this.search.denied ? this.noPeer('no live upstreams') : this.#wait(queue)
  }

  /** Begins an attempt with the next peer; false when there is none. */
  usePeer(): boolean {
    const { r, conf } = this
    const { links } = conf.protocol
    const { pool } = this.search.group
    const peer = this.search.next(r, conf)
    if (peer === undefined) return false
    if (conf.perServer) this.#head = conf.request(r, this)
    this.noteAsked(peer.address.name)
    this.beginResponse(this.#head)
    this.#headReader.begin()
    const options = conf.connectOptions(r)
    if (trace !== undefined) this.tellAsked(this.#head, peer.address.name, options)
    const kept = links.take(pool, peer, conf.tag, options)
    this.#cached = false
    this.#joined = kept !== undefined
    if (kept === undefined || kept.opening === true) {
      this.#connect(kept ?? links.open(pool, peer, conf.tag, options))
      return true
    }
    this.#cached = true
    this.#link = kept
    this.search.attempt.connectMs = 0
    kept.wire.owner = this
    this.#send(kept)
    return true
  }

  #wait(queue: RequestQueue): Verdict {
    if (!this.#seat.enter(queue)) return this.noPeer('upstream queue is full')
    this.#state = QUEUED
    return DONE
  }

  /** No server can be had: the status of that, or DONE when the cache answers. */
  noPeer(why: string): Verdict {
    if (!this.search.denied) {
      this.noteAsked(this.search.group.name)
      this.search.failWithout(this.r, `${why} while connecting to upstream`)
    }
    this.#state = FINISHED
    this.r.producer = undefined
    const status = failureStatus(NO_PEER)
    return this.caching === undefined ? status : this.caching.settleFor(NO_PEER, status)
  }

  #connect(link: Link): void {
    this.#link = link
    link.user = this
    link.wire.owner = this
    this.#state = CONNECT
    this.#arm(CONNECT_TIMEOUT, this.conf.transport.connect_timeout)
  }

  onConnect(): void {
    if (this.#state !== CONNECT) return
    const link = this.#link!
    const { attempt } = this.search
    link.user = undefined
    this.#cached = this.#joined
    attempt.connectMs = clock.monotonic - attempt.startMs
    link.wire.resume()
    if (this.protocol.tunnel) {
      this.#state = HEAD
      this.#onHead()
    } else this.#send(link)
  }

  #send(link: Link): void {
    const { wire } = link
    this.#state = HEAD
    this.#requestSent = true
    this.#timer.purpose = 0
    link.requests++
    this.search.attempt.sentBefore = wire.bytesWritten
    this.codec.attach?.(wire)
    this.sender.send(wire, this.#head)
  }

  onRequestSent(): void {
    if (this.#state === HEAD) this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
  }

  onRequestStalled(): void {
    this.#arm(SEND_TIMEOUT, this.conf.transport.send_timeout)
  }

  /** While the client sends, its own time-out runs. */
  onRequestMoving(): void {
    if (this.#state === BODY) this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
    else this.#timer.purpose = 0
  }

  onDrain(): void {
    this.sender.onWireDrain()
  }

  // ---- the response --------------------------------------------------------------------------

  onBytes(buffer: Buffer, size: number): void {
    if (this.#state === BODY) {
      const { attempt } = this.search
      attempt.bytesReceived += size
      if (!this.conf.protocol.framed) attempt.responseLength += size
      this.#body(buffer, 0, size)
      return
    }
    if (this.#state !== HEAD) return
    this.search.attempt.bytesReceived += size
    const { codec } = this
    const head = this.#headReader
    switch (head.read(this.r, this.conf, codec, buffer, size)) {
      case HEAD_MORE:
        return this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
      case HEAD_INVALID:
        this.#logHead(this.#refusedBeforeWork() ? INFO : LOG_ERROR, codec.problem)
        // nginx passes such a 101 on, without a body.
        if (codec.left === true) this.r.withoutPage = true
        return this.#fail(INVALID_HEADER)
      default:
        if (this.#onHead() && head.more) this.#body(head.buffer, head.at, head.end)
    }
  }

  /** The head is complete: retry, intercept or pass it on. True when body bytes may follow. */
  #onHead(): boolean {
    const { r, conf, codec } = this
    const { attempt, selection } = this.search
    attempt.status = codec.status
    attempt.bytesReceived += codec.headBytes ?? 0
    this.search.onHead(this.#link?.wire)
    this.#logHead(LOG_ERROR, codec.problem)
    const kind = statusFailure(codec.status)
    if (kind !== 0 && selection.triesLeft > 1 && this.#mayRetry(kind)) {
      this.#endPeer(blamesPeer(kind))
      this.#again()
      return false
    }
    if ((this.caching !== undefined && this.#answeredByCache(kind)) || this.#answeredElsewhere()) return false
    this.search.onPassed(r)
    if (!conf.protocol.framed && (r.method !== 'HEAD' || this.keeping)) attempt.responseLength += this.#headReader.size
    if (r.ended) return this.#keepOnly(this.caching!)
    const generation = this.#generation
    applyResponseHead(r, conf, this)
    if (codec.upgraded) return this.#startTunnel()
    r.sendHead()
    if (generation !== this.#generation) return false
    if (r.aborted) return this.#state !== FINISHED && this.#keepOnly(this.caching!)
    this.pump.open(conf.rate(r), codec.contentLength)
    if (this.caching !== undefined) this.#keep(this.caching)
    this.#state = BODY
    this.#arm(READ_TIMEOUT, conf.transport.read_timeout)
    if (!codec.bodyDone && (!r.headerOnly || this.pump.keepsOnly())) return true
    this.#finishPeer(this.#endsWithHead())
    this.pump.end(codec.bodyDone)
    return false
  }

  /** The stored response answers in place of what came: a failure, or the word that nothing has changed. */
  #answeredByCache(kind: number): boolean {
    const caching = this.caching!
    caching.judge()
    if (!caching.standsIn(kind, this.codec.status)) return false
    this.#finishPeer(this.#endsWithHead())
    this.r.producer = undefined
    caching.answer()
    return true
  }

  #keep(caching: Caching): boolean {
    caching.keep(storedHead(this.protocol, this.codec, this.#headReader), this.codec.contentLength)
    if (caching.storing) this.pump.keepIn(caching)
    return caching.storing
  }

  /** The client has left: the rest is received for the cache alone. */
  #keepOnly(caching: Caching): boolean {
    this.pump.open(0, this.codec.contentLength)
    if (!this.#keep(caching)) return this.#giveUp()
    this.#state = BODY
    this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
    if (!this.codec.bodyDone) return true
    this.#finishPeer(this.#endsWithHead())
    this.pump.end()
    return false
  }

  /** The head was the whole response; false: there is a body, or something behind a response that has none. */
  #endsWithHead(): boolean {
    if (!this.codec.bodyDone) return this.#headReader.isLast(this.codec)
    if (this.#headReader.more) this.#extraData(false)
    return !this.#headReader.more
  }

  /** `error_page` for a status of the back end, or its X-Accel-Redirect: the response itself is not passed on. */
  #answeredElsewhere(): boolean {
    const { r, conf, codec } = this
    const intercepted = interceptStatus(r, conf, codec)
    const redirected = intercepted === 0 ? redirectedByBackEnd(r, conf, codec) : undefined
    if (intercepted === 0 && redirected === undefined) return false
    this.#finishPeer(this.#endsWithHead())
    r.producer = undefined
    this.caching?.intercepted(intercepted)
    if (redirected === undefined) r.finish(intercepted)
    else if (!r.ended) redirected()
    return true
  }

  #body(buffer: Buffer, start: number, inputEnd: number): void {
    if (this.#state === TUNNEL) {
      // Bytes that came behind the 101 head.
      this.#link?.wire.owner.onBytes(buffer.subarray(start), inputEnd - start)
      return
    }
    if (this.#state !== BODY) return
    const generation = this.#generation
    const { codec } = this
    const end = this.pump.paced(buffer, start, inputEnd)
    this.#inputEnd = end
    const at = codec.decodeBody(buffer, start, end, this)
    if (generation !== this.#generation || this.#state !== BODY) return
    if (at === BODY_BROKEN) {
      this.r.logError(LOG_ERROR, `${codec.problem} while reading upstream`)
      this.#breakOff()
    } else if (codec.bodyDone) {
      // What is behind the end may have been kept back by the rate.
      const extra = at < end || this.pump.held.length > 0
      if (extra) this.#extraData(codec.contentLength < 0)
      if (!this.trailers.pass(this.r, this.conf)) return this.#breakOff()
      this.#finishPeer(!extra)
      this.pump.end()
    } else if (this.pump.held.length > 0) this.#arm(RATE_PAUSE, RATE_STEP_MS)
    else this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
  }

  onBody(bytes: Uint8Array, start: number, end: number): void {
    const { codec } = this
    if (this.conf.protocol.framed) this.search.attempt.responseLength += end - start
    const last = codec.contentLength >= 0 && codec.bodyDone && this.pump.held.length === 0
    if (last) {
      // The peer is free before the client is told, since that may end the request.
      const at = end + codec.behindBody
      if (at < this.#inputEnd) this.#extraData(false)
      this.#finishPeer(at === this.#inputEnd)
    }
    this.pump.push(bytes, start, end, last)
  }

  onTrailer(bytes: Uint8Array, start: number, end: number): void {
    if (this.conf.passTrailers) this.trailers.received += (bytes as Buffer).latin1Slice(start, end)
  }

  onTrailerText(text: string): void {
    this.trailers.received = text
  }

  #extraData(chunked: boolean): void {
    const what = chunked ? 'data after final chunk' : 'more data than specified in "Content-Length" header'
    this.r.logError(WARN, `upstream sent ${what} while reading upstream`)
  }

  pausePeer(): void {
    this.#link?.wire.pause()
  }

  resumePeer(): void {
    this.#link?.wire.resume()
  }

  /** A pause for the rate is over: goes on with what was kept back, then reads on. */
  #unpace(): void {
    const held = this.pump.takeHeld()
    this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
    if (held.length > 0) this.#body(held, 0, held.length)
    if (this.#state === BODY && this.pump.held.length === 0 && !this.pump.stalled) this.resumePeer()
  }

  // ---- ends and failures ---------------------------------------------------------------------

  onEnd(): void {
    this.#peerEnded(undefined)
  }

  onClose(failure: WireFailure | undefined): void {
    this.#peerEnded(failure)
  }

  #peerEnded(failure: WireFailure | undefined): void {
    const level = failure === undefined ? LOG_ERROR : wireFailureLevel(failure)
    if (this.#state === CONNECT) {
      logNoLink(this.r, this.#link!, failure, level)
      if (failure === undefined || !isOurs(failure)) return this.#fail(ERROR)
      this.#endPeer(false)
      this.#finishWith(500)
    } else if (this.#state === HEAD) {
      // A kept connection may be closed by the peer at any time: that is no error worth a line above info.
      const stale = this.#cached && this.search.attempt.bytesReceived === 0
      this.#logHead(stale ? INFO : level, endText(failure), this.codec.silence)
      this.#fail(ERROR)
    } else if (this.#state === BODY) this.#bodyEnded(failure, level)
  }

  #bodyEnded(failure: WireFailure | undefined, level: number): void {
    if (failure === undefined && this.codec.endsWithConnection) {
      this.#finishPeer(false)
      return this.pump.end()
    }
    this.r.logError(level, `${endText(failure)} while reading upstream`)
    this.#breakOff()
  }

  /** The response cannot be completed: the client must notice. */
  #breakOff(): void {
    this.#finishPeer(false)
    this.caching?.settle()
    const generation = this.#generation
    if (this.pump.breakOff() || generation !== this.#generation) return
    this.r.producer = undefined
    this.r.breakOff()
  }

  #logHead(level: number, problem: string, hint = ''): void {
    if (problem !== '') this.r.logError(level, `${problem} while reading response header from upstream${hint}`)
  }

  /** The peer does not want requests on this connection any more, and has not looked at this one. */
  #refusedBeforeWork(): boolean {
    return this.#cached && this.codec.refused === true && this.#refusals < REFUSALS_MAX
  }

  /** An attempt failed: the next peer, or the end. */
  #fail(kind: number): void {
    const { attempt, selection } = this.search
    const refused = this.#refusedBeforeWork()
    if (refused) this.#refusals++
    // A kept connection that died before it answered says nothing about the peer: another attempt is free.
    const stale = refused || (this.#cached && kind === ERROR && attempt.bytesReceived === 0)
    attempt.status = failureStatus(kind)
    this.#endPeer(blamesPeer(kind) && !stale)
    if (stale) selection.forgive()
    if (selection.triesLeft > 0 && (refused ? this.sender.repeatable : this.#mayRetry(kind))) this.#again()
    else this.#finishWith(this.caching?.settleFor(kind, failureStatus(kind)) ?? failureStatus(kind))
  }

  #again(): void {
    this.#state = IDLE
    const verdict = this.#tryPeer()
    if (verdict !== DONE) this.#finishWith(verdict)
  }

  #mayRetry(kind: number): boolean {
    return this.search.mayRetry(this.r, this.conf, kind, this.#requestSent)
  }

  #finishWith(status: number): void {
    const { r } = this
    this.#state = FINISHED
    this.#timer.purpose = 0
    r.producer = undefined
    r.finish(status)
  }

  #endAttempt(outcome: Outcome): void {
    this.search.endAttempt(this.#link?.wire)
    this.search.endSelection(this.r, outcome)
  }

  /** The attempt is over without a response to pass on. */
  #endPeer(failed: boolean): void {
    this.#endAttempt(failed ? FAILED : BLAMELESS)
    this.#closePeer()
  }

  /** The peer has done its part: its connection is kept when it may be. */
  #finishPeer(reusable: boolean): void {
    const link = this.#link
    const { pool } = this.search.group
    this.#state = FINISHED
    this.#timer.purpose = 0
    this.#endAttempt(GOOD)
    if (reusable && pool !== undefined && this.sender.sent && this.codec.keepAlive && !this.r.carrier.closing) {
      this.#link = undefined
      this.sender.detach()
      if (link !== undefined) this.protocol.links.give(link, pool, this.conf.tag)
    } else {
      if (this.r.carrier.closing) link?.retire(false)
      this.#closePeer()
    }
  }

  #closePeer(): void {
    const link = this.#link
    this.sender.detach()
    if (link === undefined) return
    this.#link = undefined
    link.close()
  }

  // ---- tunnels -------------------------------------------------------------------------------

  #startTunnel(): boolean {
    const { r } = this
    if (r.carrier.startTunnel === undefined) {
      r.logError(LOG_ERROR, 'connection upgrade in subrequest')
      r.sendHead()
      this.#breakOff()
      return false
    }
    this.#state = TUNNEL
    this.#timer.purpose = 0
    this.#upgraded.start(r, this.conf, this.#link!.wire, this.search.attempt)
    return true
  }

  /** Both sides of the tunnel are over. */
  tunnelEnded(): void {
    const { r } = this
    this.#endAttempt(GOOD)
    this.#link = undefined
    this.#state = FINISHED
    r.producer = undefined
    r.carrier.endTunnel!()
    r.end()
  }

  // ---- the client and the clock --------------------------------------------------------------

  onAbort(): void {
    if (this.#state === FINISHED || this.#state === IDLE) return
    if (this.#state === QUEUED || !this.#outlastsClient()) this.#giveUp()
  }

  #giveUp(): false {
    if (this.#state === QUEUED) this.#seat.leave()
    else this.#endPeer(false)
    this.#timer.purpose = 0
    this.#state = FINISHED
    this.caching?.settle()
    return false
  }

  /** The client has left, but the cache wants the response. */
  #outlastsClient(): boolean {
    if (!this.r.aborted || this.caching?.outlast() !== true) return false
    this.pump.deafen()
    return true
  }

  /** An exchange for a copy of the request. */
  another(r: Request): Exchange {
    return takeExchange(r, this.conf)
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
        return this.#timedOut(this.#link!.doing)
      case SEND_TIMEOUT:
        if (this.#link!.wire.stillTakes(timer, this.conf.transport.send_timeout)) return
        return this.#timedOut('sending request to upstream')
      case READ_TIMEOUT:
        return this.#readTimedOut()
    }
  }

  #readTimedOut(): void {
    // A client that is slow makes the back end wait: that is not the back end's time.
    if (this.pump.stalled) return this.#arm(READ_TIMEOUT, this.conf.transport.read_timeout)
    this.#timedOut(this.#state === BODY ? 'reading upstream' : 'reading response header from upstream')
  }

  #timedOut(doing: string): void {
    this.r.logError(LOG_ERROR, `upstream timed out (110: Connection timed out) while ${doing}`)
    this.#link?.retire(true)
    if (this.#state === BODY) this.#breakOff()
    else this.#fail(TIMEOUT)
  }
}

/** Continues an exchange when the whole request body is there. */
function onBodyRead(r: Request): Verdict {
  return exchangeOf(r)!.bodyRead()
}
