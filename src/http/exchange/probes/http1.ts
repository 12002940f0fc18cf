/**
 * A health check by HTTP/1: a request as text, and what the answer must be like. Reads no more of the answer than that
 * takes, unless the connection is to be kept for the next check.
 */

import { NO_BYTES } from '../../../lib/bytes.ts'
import { clock } from '../../../lib/clock.ts'
import type { ProbeOwner } from '../../../upstream/health.ts'
import type { PeerConnection } from '../../../upstream/pool.ts'
import { type ProbeOptions, TcpProbe } from '../../../upstream/probes/tcp.ts'
import { ChunkedDecoder, MALFORMED } from '../../h1/chunked.ts'
import { NO_STATUS_LINE, ResponseParser } from '../../h1/response-parser.ts'
import { DONE, NEED_MORE } from '../../message/request-errors.ts'

const HEAD_SIZE_MAX = 32768
/** What is looked at of a body. */
const BODY_SIZE_MAX = 262144

/** What is looked at of the head of an answer. */
export type AnswerHead = Pick<ResponseParser, 'status' | 'headers'>

/** What an answer must be like. */
export interface Expectation {
  readonly needsBody: boolean
  /** Judges status and fields: empty when they are right, else what was being checked (`checking status code`). */
  judgeHead(head: AnswerHead): string
  /** The same for the body, a binary string. */
  judgeBody(body: string): string
  /** What a check that passed has checked last. */
  readonly lastDoing: string
}

/** How a server is asked. */
interface HttpProbeOptions extends ProbeOptions {
  request(): string
  readonly expectation: Expectation
  /** Uses of a connection, and how long it may live. */
  readonly requestsMax: number
  readonly keepTimeMs: number
}

export class HttpProbe extends TcpProbe {
  readonly #http: HttpProbeOptions
  readonly #parser = new ResponseParser()
  readonly #decoder = new ChunkedDecoder()
  #bytes: Buffer = NO_BYTES
  #inBody = false
  #body = ''
  #bodySize = 0
  #headOnly = false
  /** Bytes stand behind the answer: the next one on this connection could not be told from them. */
  #extra = false

  constructor(owner: ProbeOwner, options: HttpProbeOptions) {
    super(owner, options)
    this.#http = options
  }

  protected override onOpen(connection: PeerConnection): void {
    this.#bytes = NO_BYTES
    this.#inBody = false
    this.#body = ''
    this.#bodySize = 0
    this.#extra = false
    this.#parser.reset(HEAD_SIZE_MAX)
    this.#decoder.reset()
    connection.requests++
    const request = this.#http.request()
    this.#headOnly = request.startsWith('HEAD ')
    connection.wire.write(request)
    this.doing = 'reading response header from upstream'
    this.alive()
  }

  protected override get answered(): boolean {
    return this.#inBody || this.#bytes.length > 0
  }

  override onBytes(buffer: Buffer, size: number): void {
    if (this.doing === '') return this.close()
    this.alive()
    if (this.#inBody) return this.#readBody(buffer.subarray(0, size))
    this.#bytes = Buffer.concat([this.#bytes, buffer.subarray(0, size)])
    this.#readHead()
  }

  #readHead(): void {
    const parser = this.#parser
    for (;;) {
      const code = parser.parse(this.#bytes, 0, this.#bytes.length)
      if (code === NEED_MORE) return
      if (code !== DONE) {
        this.result(false, code === NO_STATUS_LINE ? 'upstream sent no valid HTTP/1.0 header' : parser.logMessage())
        return
      }
      const rest = this.#bytes.subarray(parser.headLength)
      if (parser.status >= 200 || parser.status === 101) return this.#onHead(rest)
      this.#bytes = rest
      parser.reset(HEAD_SIZE_MAX)
    }
  }

  #onHead(rest: Buffer): void {
    const { expectation } = this.#http
    const wrong = expectation.judgeHead(this.#parser)
    if (wrong !== '') return this.#judged(wrong)
    if (!expectation.needsBody && !this.#wantsToKeep()) return this.#judged('')
    this.#inBody = true
    this.doing = 'reading upstream'
    this.#readBody(rest)
  }

  #readBody(bytes: Buffer): void {
    const { chunked, contentLength, status } = this.#parser
    const bodyless = status === 204 || status === 304 || this.#headOnly
    if (bodyless) {
      this.#extra = bytes.length > 0
      return this.#complete()
    }
    if (chunked) {
      const at = this.#decoder.decode(bytes, 0, bytes.length, this)
      this.#extra = at < bytes.length
      if (at === MALFORMED) {
        this.result(false, 'upstream sent invalid chunked response')
      } else if (this.#decoder.finished || this.#bodySize >= BODY_SIZE_MAX) this.#complete()
      return
    }
    this.onBody(bytes, 0, bytes.length)
    this.#extra = contentLength >= 0 && this.#bodySize > contentLength
    if ((contentLength >= 0 && this.#bodySize >= contentLength) || this.#bodySize >= BODY_SIZE_MAX) this.#complete()
  }

  onBody(bytes: Uint8Array, start: number, end: number): void {
    this.#bodySize += end - start
    // The decoder passes on the bytes that it was given, which are a Buffer's.
    if (this.#body.length < BODY_SIZE_MAX) this.#body += (bytes as Buffer).latin1Slice(start, end)
  }

  protected override onPeerEnd(): boolean {
    const { chunked, contentLength } = this.#parser
    if (!this.#inBody || chunked || contentLength >= 0) return false
    this.#complete()
    return true
  }

  #complete(): void {
    this.#judged(this.#http.expectation.judgeBody(this.#body.slice(0, BODY_SIZE_MAX)))
  }

  #judged(wrong: string): void {
    this.doing = wrong === '' ? this.#http.expectation.lastDoing : wrong
    this.result(wrong === '', '', wrong === '' && this.#inBody && this.#wantsToKeep())
    this.doing = ''
  }

  #wantsToKeep(): boolean {
    const { requestsMax, keepTimeMs } = this.#http
    const { connection } = this
    if (this.#extra || connection === undefined || connection.requests >= requestsMax) return false
    const { close, keepAlive, version, chunked, contentLength } = this.#parser
    if (close && !keepAlive) return false
    if (version <= 1000 && !keepAlive) return false
    if (!chunked && contentLength < 0) return false
    return this.#bodySize < BODY_SIZE_MAX && clock.monotonic - connection.startMs < keepTimeMs
  }
}
