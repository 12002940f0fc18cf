/**
 * HTTP/2 to a back end: one connection and the streams on it. A session with a pool is shared by as many requests as the
 * peer allows; without one it carries a single request. What the peer says of the connection is answered here, what
 * belongs to a stream goes to it. The texts of errors are those of ngx_http_grpc_module.
 *
 *   connecting (shared: streams wait) -> open (shared) -> [retired: no more streams] -> closed
 *                                            \-> idle in the pool -> open ...
 */
import { clock } from '../../../lib/clock.ts'
import type { WireOwner } from '../../../net/wire.ts'
import type { WireFailure } from '../../../net/wire-failure.ts'
import {
  type ConnectionPool,
  type ConnectUser,
  type Multiplexer,
  type PeerConnection,
  STREAMS_FIRST,
} from '../../../upstream/pool.ts'
import { type FrameOwner, type FrameProblem, FrameReader } from '../../h2/wire/frame-reader.ts'
import {
  ACK,
  COMPRESSION_ERROR,
  CONTINUATION,
  ENABLE_PUSH,
  END_HEADERS,
  END_STREAM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_DEFAULT,
  FRAME_SIZE_ERROR,
  frameHead,
  GOAWAY,
  goAway,
  HEADERS,
  headersFrames,
  INITIAL_WINDOW_SIZE,
  MAX_CONCURRENT_STREAMS,
  NO_ERROR,
  PING,
  PREFACE,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  pingAck,
  REFUSED_STREAM,
  RST_STREAM,
  rstStream,
  SETTINGS,
  SETTINGS_ACK,
  STREAM_CLOSED,
  settingsFrame,
  TABLE_SIZE_DEFAULT,
  u31,
  u32,
  WINDOW_DEFAULT,
  WINDOW_MAX,
  WINDOW_UPDATE,
} from '../../h2/wire/frames.ts'
import { HeaderBlock } from '../../h2/wire/header-block.ts'
import { headersPayload, readHeadersPayload, sizeBeforeBlock } from '../../h2/wire/headers-payload.ts'
import { type FieldReceiver, HpackDecoder } from '../../h2/wire/hpack-decoder.ts'
import { OwedBytes } from '../../h2/wire/owed-bytes.ts'
import { readSettings, SETTING_SIZE, type SettingsReceiver } from '../../h2/wire/settings.ts'
import { StreamTable } from '../../h2/wire/stream-table.ts'
import { ConnectionWindow, overflows } from '../../h2/wire/windows.ts'
import { H2Stream, STREAM_WINDOW, type StreamSession } from './stream.ts'

const STREAM_ID_MAX = 0x7fffffff
/** SETTINGS and PING without anything between them that belongs to a request. */
const CONTROL_FRAMES_MAX = 1000
/** A header block may be joined up to this size for each byte that the head may have, and a little. */
const BLOCK_FACTOR = 2
const BLOCK_SIZE_MIN = 16384

const CONNECTION_START =
  PREFACE +
  settingsFrame([
    [ENABLE_PUSH, 0],
    [INITIAL_WINDOW_SIZE, STREAM_WINDOW],
  ]) +
  ConnectionWindow.firstUpdate()

/** Frames that have one length only, as nginx calls them. */
const FRAME_NAMES: Readonly<Record<number, string>> = {
  [PRIORITY]: 'priority',
  [RST_STREAM]: 'rst stream',
  [PING]: 'ping',
  [GOAWAY]: 'goaway',
  [WINDOW_UPDATE]: 'window update',
}
const PING_DATA = 'still up'
/** Streams that were given up and may still get frames, as far as they are remembered one by one. */
const GIVEN_UP_MAX = 256
const NOBODY: FieldReceiver = { onField() {} }

export class H2Session implements WireOwner, ConnectUser, FrameOwner, SettingsReceiver, Multiplexer, StreamSession {
  readonly connection: PeerConnection
  /** Where the connection goes when nobody uses it; undefined: it serves one request. */
  pool: ConnectionPool | undefined
  readonly #tag: string
  readonly #reader = new FrameReader(this, FRAME_SIZE_DEFAULT, FRAME_SIZE_DEFAULT)
  readonly #decoder = new HpackDecoder(TABLE_SIZE_DEFAULT)
  readonly #streams = new StreamTable<H2Stream>()
  /** Streams that we have given up: what the peer sent before it knew is theirs. Ascending. */
  readonly #givenUp = new Set<number>()
  /** Streams up to this one are not remembered any more. */
  #forgotten = 0
  /** Streams that wait for the connection; undefined once it is open. */
  #waiting: Set<H2Stream> | undefined = new Set()
  #nextId = 1
  #streamsMax: number
  sendWindow = WINDOW_DEFAULT
  initialWindow = WINDOW_DEFAULT
  readonly #receiveWindow = new ConnectionWindow()
  /** Streams with something to send that windows or the wire did not let through, in order. */
  readonly #blocked = new Set<H2Stream>()
  /** Streams whose end came with the bytes at hand. */
  readonly #ended: H2Stream[] = []
  /** No more streams: the peer goes away, is broken, or does not answer. */
  #retired = false
  #closed = false
  /** It was asked for a sign of life. */
  #doubted = false
  #pinged = false
  #controlFrames = 0
  readonly #owed = new OwedBytes()
  #lastReadMs = clock.monotonic
  readonly #block = new HeaderBlock()
  // The DATA frame being received.
  #dataStream: H2Stream | undefined
  #dataFlags = 0
  #dataLeft = 0

  constructor(connection: PeerConnection, pool: ConnectionPool | undefined, tag: string) {
    this.connection = connection
    this.pool = pool
    this.#tag = tag
    this.#streamsMax = pool?.streamsMax ?? 1
    connection.multiplexer = this
    connection.user = this
    connection.wire.owner = this
    pool?.share(connection, tag)
  }

  /** Another request may begin. */
  get hasRoom(): boolean {
    if (this.#retired || this.#doubted || this.#nextId > STREAM_ID_MAX) return false
    // One that is closing is here until the system has let go of it.
    if (this.#waiting === undefined && !this.connection.wire.intact) return false
    return this.#streams.count + (this.#waiting?.size ?? 0) < this.#streamsMax
  }

  get opening(): boolean {
    return this.#waiting !== undefined
  }

  /** A stream that is not open yet; it may have to wait for the connection. */
  newStream(): H2Stream {
    const stream = new H2Stream(this)
    if (this.#waiting === undefined) this.connection.wire.owner = this
    else this.#waiting.add(stream)
    return stream
  }

  onConnect(): void {
    const { wire } = this.connection
    this.connection.user = undefined
    wire.resume()
    wire.write(CONNECTION_START)
    const waiting = [...(this.#waiting ?? [])]
    this.#waiting = undefined
    for (const stream of waiting) stream.user?.onConnect()
  }

  // ---- what streams ask for ------------------------------------------------------------------

  open(stream: H2Stream, block: string, last: boolean): void {
    const id = this.#nextId
    this.#nextId += 2
    stream.id = id
    this.#streams.add(stream)
    this.connection.requests++
    this.connection.wire.write(headersFrames(id, block, last ? END_STREAM : 0, FRAME_SIZE_DEFAULT))
  }

  block(stream: H2Stream): void {
    this.#blocked.add(stream)
  }

  leave(stream: H2Stream, code: number): void {
    this.#blocked.delete(stream)
    if (this.#waiting?.delete(stream) === true && this.#waiting.size === 0) return this.#close()
    if (!this.#streams.delete(stream.id) || this.#closed) return
    if (code >= 0) {
      this.connection.wire.write(rstStream(stream.id, code))
      this.#remember(stream)
      if (this.#lastReadMs < stream.openedMs) this.#doubt()
    }
    if (this.#streams.count > 0) return
    if (this.#retired || this.pool === undefined) this.#close()
    else this.pool.give(this.connection, this.#tag)
  }

  #remember({ id, remoteEnded }: H2Stream): void {
    if (remoteEnded) return
    const ids = this.#givenUp
    ids.add(id)
    if (ids.size <= GIVEN_UP_MAX) return
    for (const oldest of ids) {
      ids.delete(oldest)
      this.#forgotten = Math.max(this.#forgotten, oldest)
      return
    }
  }

  /**
   * A peer that was silent for the whole life of a stream that was given up may be gone: until it says something, others
   * shall not wait for it too.
   */
  #doubt(): void {
    if (this.#doubted) return
    this.#doubted = this.#pinged = true
    this.connection.wire.write(frameHead(PING_DATA.length, PING, 0, 0) + PING_DATA)
  }

  retire(): void {
    this.#retired = true
    this.pool?.unshare(this.connection)
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.retire()
    this.#reader.stop()
    this.connection.drop()
    this.connection.close()
  }

  /** The connection cannot go on: what is under way fails. */
  #fail(problem: string, code: number): false {
    this.connection.wire.write(goAway(0, code))
    this.retire()
    const streams = this.#streams.all()
    this.#streams.clear()
    for (const stream of streams) stream.fail(problem, false)
    this.#close()
    return false
  }

  // ---- the connection ------------------------------------------------------------------------

  onBytes(buffer: Buffer, size: number): void {
    this.#lastReadMs = clock.monotonic
    this.#doubted = false
    this.#reader.read(buffer, 0, size)
    // What the peer says behind the end of a stream may still take it back.
    const ended = this.#ended
    for (let i = 0; i < ended.length; i++) ended[i]!.deliverEnd()
    ended.length = 0
  }

  onDrain(): void {
    this.#unblock()
  }

  onEnd(): void {
    this.#lost(undefined)
  }

  onClose(failure: WireFailure | undefined): void {
    this.#lost(failure)
  }

  #lost(failure: WireFailure | undefined): void {
    const streams = [...this.#streams.all(), ...(this.#waiting ?? [])]
    this.#waiting?.clear()
    this.#streams.clear()
    this.#close()
    for (const stream of streams) stream.lose(failure)
  }

  /** Lets streams send again, each in its turn. */
  #unblock(): void {
    if (this.#blocked.size === 0) return
    const streams = [...this.#blocked]
    this.#blocked.clear()
    for (const stream of streams) stream.pump()
  }

  // ---- frames --------------------------------------------------------------------------------

  onFrameError(problem: FrameProblem): void {
    this.#fail(problemText(problem), problem.code)
  }

  /** Nine bytes are enough to see that a frame must not be, or not here. */
  onFrameHead(type: number, flags: number, id: number, size: number): boolean {
    if (this.#block.stream !== 0 ? type !== CONTINUATION || id !== this.#block.stream : type === CONTINUATION) {
      return this.#unexpected(type)
    }
    switch (type) {
      case HEADERS:
        return this.#headersMay(flags, id, size)
      case SETTINGS:
        return this.#settingsMay(flags, id, size)
      case PING:
        if (id !== 0) return this.#notOfStreams('ping', id)
        if ((flags & ACK) === 0 || this.#pinged) return true
        return this.#fail('upstream sent ping frame with ack flag', PROTOCOL_ERROR)
      case GOAWAY:
        return id === 0 || this.#notOfStreams('goaway', id)
      case RST_STREAM:
        return this.#wasOpen(id) || this.#misdirected('frame', id)
      case WINDOW_UPDATE:
        return id === 0 || this.#wasOpen(id) || this.#misdirected('frame', id)
      case PUSH_PROMISE:
        return this.#fail('upstream sent unexpected push promise frame', PROTOCOL_ERROR)
      default:
        return true
    }
  }

  #notOfStreams(what: string, id: number): false {
    return this.#fail(`upstream sent ${what} frame with non-zero stream id: ${id}`, PROTOCOL_ERROR)
  }

  #headersMay(flags: number, id: number, size: number): boolean {
    const stream = this.#streams.get(id)
    if (stream === undefined ? !this.#wasGivenUp(id) : stream.remoteEnded) return this.#misdirected('frame', id)
    if (size >= sizeBeforeBlock(flags)) return true
    return this.#fail(`upstream sent headers frame with invalid length: ${size}`, FRAME_SIZE_ERROR)
  }

  #settingsMay(flags: number, id: number, size: number): boolean {
    if (id !== 0) return this.#notOfStreams('settings', id)
    const what = 'upstream sent settings frame with'
    if ((flags & ACK) !== 0) {
      return size === 0 || this.#fail(`${what} ack flag and non-zero length: ${size}`, FRAME_SIZE_ERROR)
    }
    return size % SETTING_SIZE === 0 || this.#fail(`${what} invalid length: ${size}`, FRAME_SIZE_ERROR)
  }

  onDataHead(id: number, flags: number, size: number): boolean {
    if (this.#block.stream !== 0) return this.#unexpected(0)
    const stream = this.#streams.get(id)
    if (stream === undefined && !this.#wasGivenUp(id)) return this.#misdirected('data frame', id)
    this.#controlFrames = 0
    const window = this.#receiveWindow
    if (!window.take(size)) return this.#violated('connection', size, window.left)
    const more = window.refill()
    if (more !== '') this.connection.wire.write(more)
    this.#dataStream = stream
    this.#dataFlags = flags
    this.#dataLeft = size
    if (stream === undefined) return this.#ignored(id, flags)
    if (stream.remoteEnded) return this.#misdirected('data frame', id)
    if (!stream.headReceived) return this.#unexpected(0)
    if (size > stream.receiveWindow) return this.#violated('stream', size, stream.receiveWindow)
    stream.receiveWindow -= size
    return true
  }

  #violated(what: string, size: number, window: number): false {
    const text = `upstream violated ${what} flow control, received ${size} data frame with window ${window}`
    return this.#fail(text, FLOW_CONTROL_ERROR)
  }

  onData(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    const stream = this.#dataStream
    if (stream === undefined) return true
    this.#dataLeft -= end - start
    const ends = last && (this.#dataFlags & END_STREAM) !== 0
    if (ends) stream.onLastData(buffer, start, end)
    else if (end > start) stream.onData(buffer, start, end)
    if (!last) return true
    this.#dataStream = undefined
    if (ends) this.#endOf(stream)
    else if (this.#dataLeft > 0) stream.credit(this.#dataLeft)
    return true
  }

  #endOf(stream: H2Stream): void {
    stream.remoteEnded = true
    this.#ended.push(stream)
  }

  onFrame(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): boolean {
    switch (type) {
      case HEADERS:
        return this.#onHeaders(flags, id, buffer, start, end)
      case CONTINUATION:
        return this.#onContinuation(flags, buffer, start, end)
      case SETTINGS:
        return this.#onSettings(flags, buffer, start, end)
      case WINDOW_UPDATE:
        return this.#onWindowUpdate(id, u31(buffer, start))
      case RST_STREAM:
        return this.#onReset(id, u32(buffer, start))
      case PING:
        return this.#onPing(flags, buffer, start, end)
      case GOAWAY:
        return this.#onGoAway(u31(buffer, start), u32(buffer, start + 4))
      default:
        return true
    }
  }

  #unexpected(type: number): false {
    return this.#fail(`upstream sent unexpected http2 frame: ${type}`, PROTOCOL_ERROR)
  }

  /** A stream that we have opened, and that may be over for us. */
  #wasOpen(id: number): boolean {
    return (id & 1) === 1 && id < this.#nextId
  }

  /** A stream that is over for us, and was not for the peer, as far as that is known. */
  #wasGivenUp(id: number): boolean {
    return this.#wasOpen(id) && (id <= this.#forgotten || this.#givenUp.has(id))
  }

  /** A frame of a stream that was given up. */
  #ignored(id: number, flags: number): true {
    if ((flags & END_STREAM) !== 0) this.#givenUp.delete(id)
    return true
  }

  /** Part of a response that has ended, or that nobody asked for: others shall not get it. */
  #misdirected(what: string, id: number): false {
    if (this.#wasOpen(id)) return this.#fail(`upstream sent frame for closed stream ${id}`, STREAM_CLOSED)
    return this.#fail(`upstream sent ${what} for unknown stream ${id}`, PROTOCOL_ERROR)
  }

  // ---- header blocks -------------------------------------------------------------------------

  #onHeaders(flags: number, id: number, buffer: Buffer, start: number, end: number): boolean {
    const sound = readHeadersPayload(flags, buffer, start, end)
    const { blockStart, blockEnd, padding } = headersPayload
    if (!sound) {
      const text = `upstream sent http2 frame with too long padding: ${padding} in frame ${end - blockStart}`
      return this.#fail(text, PROTOCOL_ERROR)
    }
    if ((flags & END_HEADERS) !== 0) return this.#onBlock(flags, id, buffer, blockStart, blockEnd)
    this.#block.begin(id, flags, buffer, blockStart, blockEnd)
    return true
  }

  #onContinuation(flags: number, buffer: Buffer, start: number, end: number): boolean {
    const block = this.#block
    const { stream, flags: first } = block
    const headMax = this.#streams.get(stream)?.reader?.headMax ?? 0
    if (!block.add(buffer, start, end, BLOCK_SIZE_MIN + headMax * BLOCK_FACTOR)) {
      return this.#fail('upstream sent too large http2 header', PROTOCOL_ERROR)
    }
    if ((flags & END_HEADERS) === 0) return true
    const { bytes, size } = block
    block.end()
    return this.#onBlock(first, stream, bytes, 0, size)
  }

  #onBlock(flags: number, id: number, buffer: Buffer, start: number, end: number): boolean {
    this.#controlFrames = 0
    const stream = this.#streams.get(id)
    const reader = stream?.reader
    reader?.beginBlock(end - start)
    if (!this.#decoder.decode(buffer, start, end, reader ?? NOBODY)) {
      return this.#fail(`upstream sent invalid header: ${this.#decoder.problem}`, COMPRESSION_ERROR)
    }
    if (stream === undefined || reader === undefined) return this.#ignored(id, flags)
    const ends = (flags & END_STREAM) !== 0
    reader.endBlock(ends)
    if (ends) this.#endOf(stream)
    else stream.deliverHead()
    return true
  }

  // ---- frames about the connection -------------------------------------------------------------

  #onSettings(flags: number, buffer: Buffer, start: number, end: number): boolean {
    if ((flags & ACK) !== 0) return true
    if (++this.#controlFrames > CONTROL_FRAMES_MAX) {
      return this.#fail('upstream sent too many settings frames', PROTOCOL_ERROR)
    }
    if (!readSettings(buffer, start, end, this)) return false
    this.#unblock()
    return this.#answer(SETTINGS_ACK)
  }

  onSetting(name: number, value: number): boolean {
    if (name === MAX_CONCURRENT_STREAMS) this.#setStreamsMax(value)
    else if (name === INITIAL_WINDOW_SIZE && !this.#setInitialWindow(value)) {
      const text = `upstream sent settings frame with too large initial window size: ${value}`
      return this.#fail(text, FLOW_CONTROL_ERROR)
    }
    return true
  }

  /** Connections that are opened later begin with it. */
  #setStreamsMax(value: number): void {
    this.#streamsMax = value
    if (this.pool !== undefined && value > 0) this.pool.streamsMax = Math.min(value, STREAMS_FIRST)
  }

  /** The windows of open streams change with it, and may become negative. */
  #setInitialWindow(value: number): boolean {
    if (value > WINDOW_MAX) return false
    const change = value - this.initialWindow
    this.initialWindow = value
    for (const stream of this.#streams.all()) {
      stream.sendWindow += change
      if (stream.sendWindow > WINDOW_MAX) return false
    }
    return true
  }

  #onPing(flags: number, buffer: Buffer, start: number, end: number): boolean {
    if ((flags & ACK) !== 0) return true
    if (++this.#controlFrames > CONTROL_FRAMES_MAX) {
      return this.#fail('upstream sent too many ping frames', PROTOCOL_ERROR)
    }
    return this.#answer(pingAck(buffer.latin1Slice(start, end)))
  }

  /** Says what the back end asks for; false: it leaves too much of that unread. */
  #answer(frame: string): boolean {
    const { wire } = this.connection
    wire.write(frame)
    this.#owed.add(wire, frame.length)
    return !this.#owed.excessive || this.#fail('upstream does not read what it makes us answer', PROTOCOL_ERROR)
  }

  #onWindowUpdate(id: number, count: number): boolean {
    if (count === 0) return this.#fail('upstream sent zero window update', PROTOCOL_ERROR)
    if (id === 0) {
      if (overflows(this.sendWindow, count)) {
        return this.#fail('upstream sent too large window update', FLOW_CONTROL_ERROR)
      }
      this.sendWindow += count
      this.#unblock()
      return true
    }
    const stream = this.#streams.get(id)
    if (stream === undefined) return true
    if (overflows(stream.sendWindow, count)) {
      return this.#fail('upstream sent too large window update', FLOW_CONTROL_ERROR)
    }
    stream.sendWindow += count
    if (this.#blocked.delete(stream)) stream.pump()
    return true
  }

  #onReset(id: number, code: number): boolean {
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      this.#givenUp.delete(id)
      return true
    }
    // The response is there, and the peer does not want the rest of the request.
    if (stream.remoteEnded && code === NO_ERROR && !stream.wasReset) {
      stream.wasReset = true
      return true
    }
    stream.wasReset = true
    stream.fail(`upstream rejected request with error ${code}`, code === REFUSED_STREAM)
    return true
  }

  /** The peer works on no stream above `last`, and on no new ones. */
  #onGoAway(last: number, code: number): boolean {
    this.retire()
    const text = `upstream sent goaway with error ${code}`
    for (const stream of this.#streams.all()) {
      if (stream.id <= last) continue
      stream.wasReset = true
      stream.fail(text, code === NO_ERROR)
    }
    if (this.#streams.count === 0) this.#close()
    return !this.#closed
  }
}

/** What is wrong with a frame, in nginx's words for back ends. */
function problemText(problem: FrameProblem): string {
  switch (problem.kind) {
    case 'too long':
      return `upstream sent too large http2 frame: ${problem.size}`
    case 'too long to keep':
      return 'upstream sent too large http2 header'
    case 'impossible length':
      return `upstream sent ${FRAME_NAMES[problem.type]} frame with invalid length: ${problem.size}`
    case 'no padding length':
      return 'upstream sent too short http2 frame'
    case 'padding':
      return `upstream sent http2 frame with too long padding: ${problem.padding} in frame ${problem.size - 1}`
  }
}
