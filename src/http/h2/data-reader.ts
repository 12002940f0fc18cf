/**
 * DATA frames on their way from one client to the streams they belong to: windows are counted, and bytes of streams that
 * are over are dropped. Heads are head-reader.ts's.
 */
import { type FrameContext, isIdle } from './frame-rules.ts'
import type { H2Stream } from './stream.ts'
import { END_STREAM, FLOW_CONTROL_ERROR, PROTOCOL_ERROR, STREAM_CLOSED } from './wire/frames.ts'
import { ConnectionWindow } from './wire/windows.ts'

/** The connection that the bytes come by. Methods that answer false have ended it. */
export interface DataHost extends FrameContext {
  /** Writes frames that the client makes necessary. */
  answer(frames: string): void
  /** Nothing is read any more. */
  readonly lost: boolean
  stream(id: number): H2Stream | undefined
  /** Bytes of a body came. */
  received(bytes: number): void
  /** The client broke a rule on one stream: `what` goes on after "client sent". */
  violated(stream: H2Stream, code: number, what: string): boolean
  /** Resets a stream because of its client. */
  endStream(stream: H2Stream, code: number): boolean
  idleFrame(name: string): boolean
  fail(code: number, message: string): false
  logInfo(message: string): void
}

/** One connection's reader. */
export class DataReader {
  readonly #host: DataHost
  /** What the client may send on all streams together. */
  readonly #window = new ConnectionWindow()
  /** The stream of the frame at hand, when somebody takes its bytes. */
  #stream: H2Stream | undefined
  #flags = 0
  #bytes = 0
  /** Streams whose bodies got bytes by the read at hand. */
  readonly #fed: H2Stream[] = []

  constructor(host: DataHost) {
    this.#host = host
  }

  head(id: number, flags: number, size: number): boolean {
    const host = this.#host
    this.#stream = undefined
    this.#flags = flags
    this.#bytes = 0
    if (host.headStream !== 0) {
      return host.fail(PROTOCOL_ERROR, 'client sent inappropriate frame while CONTINUATION was expected')
    }
    if (id === 0) return host.fail(PROTOCOL_ERROR, 'client sent DATA frame with incorrect identifier')
    if (!this.#window.take(size)) {
      const text = `received DATA frame length ${size}, available window ${this.#window.left}`
      return host.fail(FLOW_CONTROL_ERROR, `client violated connection flow control: ${text}`)
    }
    const more = this.#window.refill()
    if (more !== '') host.answer(more)
    const stream = host.stream(id)
    return stream === undefined ? this.#onClosed(id) : this.#begin(stream, size)
  }

  #begin(stream: H2Stream, size: number): boolean {
    const host = this.#host
    const { intake, id } = stream
    if (intake.ended) return host.violated(stream, STREAM_CLOSED, `DATA frame for half-closed stream ${id}`)
    // A body that comes with its head counts on what the request will allow it, as with nginx.
    if (size > intake.window) stream.startNow()
    if (size > intake.window) {
      const text = `received DATA frame length ${size}, available window ${intake.window}`
      host.logInfo(`client violated flow control for stream ${id}: ${text}`)
      return host.endStream(stream, FLOW_CONTROL_ERROR)
    }
    intake.window -= size
    this.#stream = stream
    return true
  }

  /** Bytes that were on their way when the stream was ended are dropped. */
  #onClosed(id: number): boolean {
    const host = this.#host
    if (isIdle(id, host)) return host.fail(PROTOCOL_ERROR, `client sent DATA frame for idle stream ${id}`)
    if (!host.closedStreams.byClient(id)) return host.idleFrame('DATA')
    return host.fail(STREAM_CLOSED, `client sent DATA frame for closed stream ${id}`)
  }

  bytes(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    const host = this.#host
    const size = end - start
    const ended = last && (this.#flags & END_STREAM) !== 0
    this.#bytes += size
    if (last && !ended && this.#bytes === 0 && !host.idleFrame('empty DATA')) return false
    const stream = this.#stream
    if (stream === undefined) return true
    host.received(size)
    if (last) this.#stream = undefined
    if (stream.onData(buffer, start, end, ended)) this.#fed.push(stream)
    return !host.lost
  }

  /** The body of a stream has ended with its trailers; `lines` are their fields. */
  trailers(stream: H2Stream, lines: string): void {
    if (stream.onTrailers(lines)) this.#fed.push(stream)
  }

  /** The bytes of one read are all delivered. */
  readEnded(): void {
    const fed = this.#fed
    if (fed.length === 0) return
    for (let i = 0; i < fed.length; i++) fed[i]!.onReadEnd()
    fed.length = 0
  }

  /** The stream takes nothing any more. */
  forget(stream: H2Stream): void {
    if (this.#stream === stream) this.#stream = undefined
  }
}
