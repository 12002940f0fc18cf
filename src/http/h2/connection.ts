/**
 * One HTTP/2 client connection: settings, windows, the table of streams, and the limits that keep a client from having
 * more done than it asks for. Requests are the streams' business (stream.ts).
 *
 *   OPEN -> LEAVING (GOAWAY is sent, open streams end) -> LINGERING (what the client still sends is dropped) -> CLOSED
 */

import { assert } from '../../lib/assert.ts'
import { clock } from '../../lib/clock.ts'
import { INFO, type LogContext } from '../../log/error-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { Wire, WireOwner } from '../../net/wire.ts'
import type { RequestLimits } from '../message/head-limits.ts'
import type { HeaderTable } from '../message/header-table.ts'
import type { Client } from '../request/client.ts'
import type { ServerConf } from '../request/location.ts'
import type { ClientConnection } from '../server/client-connection.ts'
import { connectionCounters, NONE, WAITING, WRITING } from '../server/connection-counters.ts'
import type { HttpListener } from '../server/listener.ts'
import { type Reusable, reusableConnections } from '../server/reusable.ts'
import { HTTP2_DEFAULTS, type Http2Conf } from '../settings/http2.ts'
import { ClientSettings } from './client-settings.ts'
import { ClosedStreams } from './closed-streams.ts'
import { type DataHost, DataReader } from './data-reader.ts'
import { FloodGuard } from './flood-guard.ts'
import { fault, judgeFrame } from './frame-rules.ts'
import { type HeadHost, HeadReader } from './head-reader.ts'
import { LateResets } from './late-resets.ts'
import { logLateHead, openRequest } from './open-request.ts'
import { Priorities } from './priorities.ts'
import { blockSizeMax, type RequestFields } from './request-fields.ts'
import type { H2Stream, StreamHost } from './stream.ts'
import { giveStream, takeStream } from './stream-pool.ts'
import { TurnList } from './turns.ts'
import { type FrameOwner, type FrameProblem, FrameReader, frameProblemText } from './wire/frame-reader.ts'
import {
  ACK,
  CANCEL,
  CONTINUATION,
  ENABLE_CONNECT_PROTOCOL,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_LIMIT,
  GOAWAY,
  goAway,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  INTERNAL_ERROR,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_SIZE,
  NO_ERROR,
  PING,
  PREFACE,
  PRIORITY,
  PROTOCOL_ERROR,
  pingAck,
  REFUSED_STREAM,
  RST_STREAM,
  rstStream,
  SETTINGS,
  SETTINGS_ACK,
  STREAM_CLOSED,
  settingsFrame,
  u31,
  u32,
  WINDOW_DEFAULT,
  WINDOW_UPDATE,
} from './wire/frames.ts'
import { OwedBytes } from './wire/owed-bytes.ts'
import { readSettings } from './wire/settings.ts'
import { StreamTable } from './wire/stream-table.ts'
import { ConnectionWindow, overflows } from './wire/windows.ts'

const OPEN = 0
const LEAVING = 1
const LINGERING = 2
const CLOSED = 3

const HEADER_TIMEOUT = 1
const KEEPALIVE_TIMEOUT = 2
const LINGERING_TIMEOUT = 3
const HEAD_TIMEOUT = 4

/** nginx's measure of a flood: that much more than an eighth of all bytes is no payload. */
const OVERHEAD_BYTES_MAX = 1048576
/** Padding, its length and priority of a HEADERS frame. */
const HEADERS_EXTRA_MAX = 262

const TABLE_UPDATE = '\x20'

export class H2Connection
  implements WireOwner, TimerOwner, FrameOwner, HeadHost, DataHost, StreamHost, ClientConnection, LogContext
{
  readonly client: Client
  readonly wire: Wire
  countedAs = NONE
  rosterPlace = -1
  reusableBefore: Reusable | undefined = undefined
  reusableAfter: Reusable | undefined = undefined
  sendWindow = WINDOW_DEFAULT
  open = 0
  readonly turns = new TurnList<H2Stream>()
  readonly awaitingDrain = new TurnList<H2Stream>()
  readonly #listener: HttpListener
  readonly #reader: FrameReader
  readonly #settings = new ClientSettings()
  readonly #guard = new FloodGuard()
  readonly #owed = new OwedBytes()
  readonly closedStreams = new ClosedStreams()
  readonly #heads = new HeadReader(this)
  readonly #data = new DataReader(this)
  readonly #timer = new Timer(this)
  #streams: StreamTable<H2Stream> | undefined
  #priorities: Priorities | undefined
  #lateResets: LateResets | undefined
  #state = OPEN
  /** Bytes of the preface that have come. */
  #preface = 0
  lastStream = 0
  #acknowledged = false
  /** Streams whose requests begin when the bytes at hand are all delivered. */
  readonly #due: H2Stream[] = []
  /** Streams begun by the bytes of one read. */
  #newStreams = 0
  #refusedStreams = 0
  /** What the client knows of, whatever a reload has changed meanwhile. */
  #told: Http2Conf = HTTP2_DEFAULTS
  #totalBytes = 0
  #payloadBytes = 0
  #lingerUntil = 0

  constructor(wire: Wire, listener: HttpListener, client: Client) {
    this.wire = wire
    this.client = client
    this.#listener = listener
    this.#reader = new FrameReader(this, FRAME_SIZE_LIMIT, blockSizeMax(this.limits) + HEADERS_EXTRA_MAX)
    wire.owner = this
    listener.opened(this)
    this.#count(WAITING)
  }

  /** The server whose settings hold for the connection, but for those that it was told of. */
  #server(): ServerConf {
    return this.client.sniServer ?? this.#listener.serversFor(this.client).defaultServer
  }

  #count(as: number): void {
    connectionCounters.move(this.countedAs, as)
    this.countedAs = as
    if (as === WAITING) reusableConnections.add(this)
    else reusableConnections.remove(this)
  }

  /** Tells the client the settings, and begins to read. Its preface comes first. */
  start(): void {
    const { connection, http2 } = this.#server()
    this.#told = http2
    const settings = settingsFrame([
      [MAX_CONCURRENT_STREAMS, http2.streamsMax],
      [INITIAL_WINDOW_SIZE, http2.prereadSize],
      [MAX_FRAME_SIZE, FRAME_SIZE_LIMIT],
      [ENABLE_CONNECT_PROTOCOL, 1],
    ])
    this.wire.write(settings + ConnectionWindow.firstUpdate())
    if (this.#server().base.core.tcp_nodelay) this.wire.setNoDelay()
    this.#arm(HEADER_TIMEOUT, connection.client_header_timeout)
    if (this.closing) this.shutDown()
    this.wire.resume()
  }

  // ---- bytes in ------------------------------------------------------------------------------

  onBytes(buffer: Buffer, size: number): void {
    if (this.#state === LINGERING) return this.#armLinger()
    if (this.#state === CLOSED) return
    let at = 0
    while (this.#preface < PREFACE.length && at < size) {
      if (buffer[at++] === PREFACE.charCodeAt(this.#preface)) this.#preface++
      else {
        this.fail(PROTOCOL_ERROR, 'invalid connection preface')
        return
      }
    }
    this.#newStreams = 0
    this.#totalBytes += size
    const goesOn = this.#reader.read(buffer, at, size)
    if (this.#due.length > 0) this.#startDue()
    this.#data.readEnded()
    if (!goesOn || this.lost) return
    if (this.#owed.excessive) {
      this.fail(ENHANCE_YOUR_CALM, 'client does not read what it makes us answer')
      return
    }
    if (this.#totalBytes / 8 > this.#payloadBytes + OVERHEAD_BYTES_MAX) {
      this.fail(NO_ERROR, 'http2 flood detected')
      return
    }
    this.#pump()
    this.#watchHead()
  }

  answer(frames: string): void {
    this.wire.write(frames)
    this.#owed.add(this.wire, frames.length)
  }

  startLater(stream: H2Stream): void {
    this.#due.push(stream)
  }

  #startDue(): void {
    const due = this.#due
    for (let i = 0; i < due.length && !this.lost; i++) due[i]!.startNow()
    due.length = 0
  }

  /** A head that has begun has to be complete in time, or its stream is reset. */
  #watchHead(): void {
    const { purpose } = this.#timer
    if (this.#headAtHand() !== 0) {
      if (purpose !== HEAD_TIMEOUT) this.#arm(HEAD_TIMEOUT, this.#server().connection.client_header_timeout)
      reusableConnections.remove(this)
    } else if (purpose === HEAD_TIMEOUT) this.#headOver()
  }

  #headOver(): void {
    if (this.open > 0) this.#timer.purpose = 0
    else if (this.#state === OPEN) this.#idle()
  }

  /** The new stream whose head has begun and is not complete; 0 when there is none. */
  #headAtHand(): number {
    if (this.headStream !== 0) return this.#heads.served
    const id = this.#reader.headersStream
    return id > this.lastStream && !this.leaving ? id : 0
  }

  /** What still comes of the head is read for the sake of the table, and nothing else. */
  #headTimedOut(): void {
    const id = this.#headAtHand()
    assert(id !== 0, 'the time of a head runs while there is one')
    this.#heads.forsake()
    this.lastStream = id
    this.client.requests++
    connectionCounters.request()
    const stream = this.makeStream(id)
    logLateHead(stream, this.#server())
    stream.sendReset(PROTOCOL_ERROR)
    giveStream(stream)
    this.closedStreams.add(id, false)
    if (!this.#guard.reset()) this.fail(ENHANCE_YOUR_CALM, 'client caused too many stream resets')
    else this.#headOver()
  }

  onFrameError(problem: FrameProblem): void {
    this.fail(problem.code, `client ${frameProblemText(problem)}`)
  }

  onFrameHead(type: number, flags: number, id: number, size: number): boolean {
    return judgeFrame(type, flags, id, size, this) || this.fail(fault.code, `client sent ${fault.text}`)
  }

  onFrame(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): boolean {
    switch (type) {
      case HEADERS:
        return this.#heads.headers(flags, id, buffer, start, end)
      case CONTINUATION:
        return this.#heads.continuation(flags, id, buffer, start, end, blockSizeMax(this.limits))
      case PRIORITY:
        return this.#priority(id, buffer, start)
      case RST_STREAM:
        return this.#rstStream(id, u32(buffer, start))
      case SETTINGS:
        return this.#settingsFrame(flags, buffer, start, end)
      case PING:
        return this.#ping(flags, buffer, start)
      case GOAWAY:
        return this.idleFrame('GOAWAY')
      case WINDOW_UPDATE:
        return this.#windowUpdate(id, u31(buffer, start))
      default:
        return this.idleFrame('unknown')
    }
  }

  /** A frame that asks for nothing; false: there were too many. */
  idleFrame(name: string): boolean {
    return this.#guard.idleFrame() || this.fail(ENHANCE_YOUR_CALM, `client sent too many ${name} frames`)
  }

  // ---- heads ---------------------------------------------------------------------------------

  get limits(): RequestLimits {
    return this.#listener.limitsFor(this.client)
  }

  get leaving(): boolean {
    return this.#state !== OPEN
  }

  /** The stream whose block of fields is not whole; 0 when there is none. */
  get headStream(): number {
    return this.#heads.stream
  }

  isOpen(id: number): boolean {
    return this.#streams?.get(id) !== undefined
  }

  stream(id: number): H2Stream | undefined {
    return this.#streams?.get(id)
  }

  makeStream(id: number): H2Stream {
    const stream = takeStream(this)
    stream.begin(this, id, this.#settings.initialWindow)
    return stream
  }

  dropStream(stream: H2Stream): void {
    giveStream(stream)
  }

  refusal(flags: number): string {
    const { streamsMax, prereadSize } = this.#told
    if (this.open >= streamsMax) return `concurrent streams exceeded ${this.open}`
    if (this.#newStreams++ >= 2 * streamsMax) return 'client sent too many streams at once'
    if (!this.#acknowledged && (flags & END_STREAM) === 0 && prereadSize < WINDOW_DEFAULT) {
      return 'client sent stream with data before settings were acknowledged'
    }
    return ''
  }

  refuse(id: number, reason: string): boolean {
    this.logInfo(reason)
    this.answer(rstStream(id, REFUSED_STREAM))
    if (this.#refusedStreams++ <= Math.max(this.#told.streamsMax, 100)) return true
    return this.fail(ENHANCE_YOUR_CALM, 'client sent too many refused streams')
  }

  serve(stream: H2Stream, fields: RequestFields, flags: number, size: number): void {
    const { client } = this
    const { core } = this.#server().base
    this.#streams ??= new StreamTable()
    this.#streams.add(stream)
    if (this.open++ === 0) {
      this.#count(NONE)
      this.#timer.purpose = 0
    }
    if (this.#priorities !== undefined) {
      this.#priorities.opened(stream.id)
      this.#priorities.place(stream)
    }
    client.requests++
    connectionCounters.request()
    connectionCounters.move(NONE, WRITING)
    this.#guard.request()
    this.#payloadBytes += size
    stream.request.requestLength = size
    stream.intake.begin(this.#told.prereadSize, (flags & END_STREAM) !== 0)
    const tooOld = clock.monotonic - this.client.startMs > core.keepalive_time
    if (core.keepalive_timeout.timeoutMs === 0 || client.requests >= core.keepalive_requests || tooOld) {
      this.#state = LEAVING
      this.wire.write(goAway(this.lastStream, NO_ERROR))
    }
    openRequest(stream, fields, this.#listener)
  }

  trailers(stream: H2Stream, fields: RequestFields, table: HeaderTable, flags: number): boolean {
    const { id } = stream
    if (stream.intake.ended) return this.violated(stream, STREAM_CLOSED, `HEADERS frame for half-closed stream ${id}`)
    if ((flags & END_STREAM) === 0)
      return this.violated(stream, PROTOCOL_ERROR, `trailers that do not end stream ${id}`)
    if (fields.status !== 0) {
      stream.request.logError(INFO, `client ${fields.problem}`)
      return this.endStream(stream, PROTOCOL_ERROR)
    }
    let lines = ''
    for (let i = 0; i < table.count; i++) lines += table.name(i) + ': ' + table.value(i) + '\r\n'
    this.#data.trailers(stream, lines)
    return true
  }

  // ---- bodies --------------------------------------------------------------------------------

  onDataHead(id: number, flags: number, size: number): boolean {
    return this.#data.head(id, flags, size)
  }

  onData(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    return this.#data.bytes(buffer, start, end, last)
  }

  received(bytes: number): void {
    this.#payloadBytes += bytes
    this.#guard.payload(bytes, false)
  }

  // ---- control frames ------------------------------------------------------------------------

  #priority(id: number, buffer: Buffer, start: number): boolean {
    if (u31(buffer, start) === id) {
      return this.fail(PROTOCOL_ERROR, `client sent PRIORITY frame for stream ${id} with incorrect dependency`)
    }
    if (!this.idleFrame('PRIORITY')) return false
    this.prioritize(id, buffer, start)
    return true
  }

  prioritize(id: number, buffer: Buffer, at: number): void {
    this.#priorities ??= new Priorities(this.#streams?.all())
    const priorities = this.#priorities
    priorities.set(id, u31(buffer, at), buffer[at + 4]! + 1, buffer[at]! >= 0x80)
    if (this.#streams === undefined) return
    for (const stream of this.#streams.all()) {
      priorities.place(stream)
      if (this.turns.has(stream)) this.turns.add(stream)
    }
  }

  #rstStream(id: number, code: number): boolean {
    const stream = this.#streams?.get(id)
    if (stream === undefined) return this.idleFrame('RST_STREAM')
    const how =
      code === CANCEL
        ? `client canceled stream ${id}`
        : code === INTERNAL_ERROR
          ? `client terminated stream ${id} due to internal error`
          : `client terminated stream ${id} with status ${code}`
    stream.request.logError(INFO, how)
    stream.intake.ended = true
    stream.clientLeft()
    return this.#guard.reset() || this.fail(ENHANCE_YOUR_CALM, 'client sent too many RST_STREAM frames')
  }

  #settingsFrame(flags: number, buffer: Buffer, start: number, end: number): boolean {
    if ((flags & ACK) !== 0) {
      this.#acknowledged = true
      return this.idleFrame('SETTINGS')
    }
    if (!this.idleFrame('SETTINGS')) return false
    const settings = this.#settings
    const before = settings.initialWindow
    if (!readSettings(buffer, start, end, settings)) return this.fail(settings.code, settings.problem)
    this.answer(SETTINGS_ACK)
    return settings.initialWindow === before || this.#moveWindows(settings.initialWindow - before)
  }

  /** The windows of open streams move by as much as the initial one does; they may become negative. */
  #moveWindows(delta: number): boolean {
    if (this.#streams === undefined) return true
    for (const stream of this.#streams.all()) {
      if (!overflows(stream.sendWindow, delta)) stream.widen(delta)
      else if (!this.violated(stream, FLOW_CONTROL_ERROR, 'SETTINGS frame that overflows a window')) return false
    }
    return true
  }

  #ping(flags: number, buffer: Buffer, start: number): boolean {
    if (!this.idleFrame('PING')) return false
    if ((flags & ACK) === 0) this.answer(pingAck(buffer.latin1Slice(start, start + 8)))
    return true
  }

  #windowUpdate(id: number, count: number): boolean {
    if (count === 0) {
      return this.fail(PROTOCOL_ERROR, 'client sent WINDOW_UPDATE frame with incorrect window increment 0')
    }
    if (!this.idleFrame('WINDOW_UPDATE')) return false
    if (id === 0) {
      if (overflows(this.sendWindow, count)) {
        const text = `received WINDOW_UPDATE frame with window increment ${count} not allowed for window ${this.sendWindow}`
        return this.fail(FLOW_CONTROL_ERROR, `client violated connection flow control: ${text}`)
      }
      this.sendWindow += count
      return true
    }
    const stream = this.#streams?.get(id)
    if (stream === undefined) return true
    if (overflows(stream.sendWindow, count)) {
      const text = `received WINDOW_UPDATE frame with window increment ${count} not allowed for window ${stream.sendWindow}`
      this.logInfo(`client violated flow control for stream ${id}: ${text}`)
      return this.endStream(stream, FLOW_CONTROL_ERROR)
    }
    stream.widen(count)
    return true
  }

  // ---- streams -------------------------------------------------------------------------------

  /** The client broke a rule on one stream: `what` goes on after "client sent". */
  violated(stream: H2Stream, code: number, what: string): boolean {
    stream.request.logError(INFO, `client sent ${what}`)
    return this.endStream(stream, code)
  }

  /** Resets a stream because of its client, who must not make that a habit. */
  endStream(stream: H2Stream, code: number): boolean {
    stream.sendReset(code)
    stream.clientLeft()
    return this.#guard.reset() || this.fail(ENHANCE_YOUR_CALM, 'client caused too many stream resets')
  }

  get closing(): boolean {
    return this.#listener.closing || this.client.leaving
  }

  get frameMax(): number {
    return this.#settings.frameMax
  }

  get lost(): boolean {
    return this.#state >= LINGERING
  }

  takeTableUpdate(): string {
    if (!this.#settings.tableUpdate) return ''
    this.#settings.tableUpdate = false
    return TABLE_UPDATE
  }

  sent(bytes: number, windowBound: boolean): void {
    this.#totalBytes += bytes
    this.#payloadBytes += bytes
    this.#guard.payload(bytes, windowBound)
  }

  resetLater(stream: number): void {
    this.#lateResets ??= new LateResets(this)
    this.#lateResets.add(stream)
  }

  streamOver(stream: H2Stream): void {
    this.#data.forget(stream)
    this.#streams?.delete(stream.id)
    this.closedStreams.add(stream.id, stream.intake.ended)
    giveStream(stream)
    if (--this.open > 0 || this.lost) return
    if (this.#state === LEAVING) return this.#linger()
    if (this.#timer.purpose !== HEAD_TIMEOUT) this.#idle()
  }

  /** Waits for the next request. */
  #idle(): void {
    assert(this.open === 0 && this.#state === OPEN, 'an idle connection has no streams and takes new ones')
    this.#count(WAITING)
    this.#arm(KEEPALIVE_TIMEOUT, this.#server().base.core.keepalive_timeout.timeoutMs)
  }

  /** Lets streams send what they hold, a frame each in turn. */
  #pump(): void {
    const { turns, wire } = this
    while (turns.count > 0 && this.sendWindow > 0 && !wire.full) {
      const stream = turns.take()!
      if (stream.turn()) turns.add(stream)
    }
  }

  onDrain(): void {
    if (this.lost) return
    this.#pump()
    for (let left = this.awaitingDrain.count; left > 0; left--) this.awaitingDrain.take()?.goOn()
  }

  // ---- the end -------------------------------------------------------------------------------

  get idle(): boolean {
    return this.open === 0 && this.client.requests > 0
  }

  shutDown(): void {
    if (this.#state === LINGERING) return this.close()
    if (this.#state !== OPEN) return
    this.#state = LEAVING
    this.wire.write(goAway(this.lastStream, NO_ERROR))
    if (this.open === 0) this.#linger()
  }

  reuse(): void {
    this.shutDown()
  }

  /** The client broke the protocol: nothing more is done for it. Always false, as the reader wants it. */
  fail(code: number, message: string): false {
    if (this.lost) return false
    this.logInfo(message)
    if (this.#state === OPEN || code !== NO_ERROR) this.wire.write(goAway(this.lastStream, code))
    this.#reader.stop()
    this.#state = LINGERING
    this.#dropStreams()
    this.#linger()
    return false
  }

  #dropStreams(): void {
    if (this.#streams === undefined) return
    for (const stream of this.#streams.all()) stream.clientLeft()
  }

  /** Ends the output; what the client has on its way is read, so that it gets to see the last frames. */
  #linger(): void {
    const { core } = this.#server().base
    if (core.lingering_close === 'off') {
      this.#state = CLOSED
      cancelTimer(this.#timer)
      this.#listener.closed(this)
      this.wire.closeAfterFlush(core.send_timeout)
      return
    }
    this.#state = LINGERING
    this.#lingerUntil = clock.monotonic + core.lingering_time
    this.#count(NONE)
    reusableConnections.add(this)
    this.wire.end()
    this.#armLinger()
  }

  #armLinger(): void {
    const left = this.#lingerUntil - clock.monotonic
    if (left <= 0) return this.close()
    this.#arm(LINGERING_TIMEOUT, Math.min(left, this.#server().base.core.lingering_timeout))
  }

  close(): void {
    if (this.#state === CLOSED) return
    this.#ended()
    this.wire.destroy()
  }

  cutOff(): void {
    for (const stream of this.#streams?.all() ?? []) stream.cutOff()
    this.close()
  }

  onEnd(): void {
    if (!this.lost && (this.open > 0 || this.#reader.incomplete)) this.logInfo('client prematurely closed connection')
    this.close()
  }

  onClose(): void {
    if (this.#state !== CLOSED) this.#ended()
  }

  #ended(): void {
    this.#state = CLOSED
    this.#reader.stop()
    cancelTimer(this.#timer)
    this.#dropStreams()
    this.#listener.closed(this) // With the last one a worker may end, and look whether anything is left.
  }

  #arm(purpose: number, ms: number): void {
    this.#timer.purpose = purpose
    setTimer(this.#timer, ms)
  }

  onTimeout(timer: Timer): void {
    switch (timer.purpose) {
      case LINGERING_TIMEOUT:
        this.close()
        return
      case HEADER_TIMEOUT:
        this.#waitedInVain(this.#preface < PREFACE.length)
        return
      case HEAD_TIMEOUT:
        this.#headTimedOut()
        return
      case KEEPALIVE_TIMEOUT:
        if (this.open === 0) this.#waitedInVain(false)
        return
    }
  }

  /** No request came in time; `early`: not even the preface. */
  #waitedInVain(early: boolean): void {
    if (early || this.#reader.incomplete) this.fail(PROTOCOL_ERROR, 'client timed out')
    else this.shutDown()
  }

  // ---- logs ----------------------------------------------------------------------------------

  logInfo(message: string): void {
    this.#server().base.log.write(INFO, message, this)
  }

  get connection(): number {
    return this.client.id
  }

  get debugConnection(): boolean {
    return this.client.debug
  }

  describe(): string {
    return ` while processing HTTP/2 connection, client: ${this.client.address}, server: ${this.#listener.key}`
  }
}
