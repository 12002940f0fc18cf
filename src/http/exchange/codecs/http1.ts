/** HTTP/1.x to a back end. */
import { ChunkedDecoder, type ChunkSink, MALFORMED } from '../../h1/chunked.ts'
import { ResponseParser } from '../../h1/response-parser.ts'
import type { HeaderTable } from '../../message/header-table.ts'
import { DONE, NEED_MORE } from '../../message/request-errors.ts'
import type { Request } from '../../request/request.ts'
import {
  BODY_BROKEN,
  type BodyReceiver,
  type Codec,
  HEAD_DONE,
  HEAD_INTERIM,
  HEAD_INVALID,
  HEAD_MORE,
  type Protocol,
} from '../codec.ts'
import { OWN_CONNECTIONS } from '../link.ts'

const NONE = 0
const LENGTH = 1
const CHUNKED = 2
const UNTIL_CLOSE = 3

/** Heads before the final one. */
const INTERIMS_MAX = 100
const ASKS_UPGRADE = /^upgrade:/im

class Http1Codec implements Codec, ChunkSink {
  readonly #parser = new ResponseParser()
  readonly #decoder = new ChunkedDecoder()
  #headMax = 0
  #framing = NONE
  #remaining = 0
  #headOnly = false
  /** The client asks for another protocol; whether the back end was asked stands in `#sent`. */
  #upgradeWanted = false
  #sent = ''
  #interims = 0
  // While chunks are decoded: who gets their data, and where it stands.
  #receiver: BodyReceiver | undefined
  #bodyStart = 0
  #bodyEnd = 0
  problem = ''
  readonly behindBody = 0

  get headers(): HeaderTable {
    return this.#parser.headers
  }
  get status(): number {
    return this.#parser.status
  }
  get statusText(): string {
    return this.#parser.statusText
  }
  get headLength(): number {
    return this.#parser.headLength
  }
  get contentLength(): number {
    return this.#parser.contentLength
  }
  get left(): boolean {
    return this.#parser.status === 101 && !this.upgraded
  }
  get upgraded(): boolean {
    return this.#parser.status === 101 && this.#upgradeWanted && asksUpgrade(this.#sent)
  }
  get endsWithConnection(): boolean {
    return this.#framing === UNTIL_CLOSE
  }
  get bodyDone(): boolean {
    return this.#framing === NONE || (this.#framing === LENGTH && this.#remaining === 0) || this.#decoder.finished
  }
  get keepAlive(): boolean {
    const { close, keepAlive, version } = this.#parser
    return !(close && !keepAlive) && (version > 1000 || keepAlive) && this.#framing !== UNTIL_CLOSE
  }

  begin(r: Request, sent: string, headMax: number): void {
    this.#headMax = headMax
    // The method that was sent, which `proxy_method` may have replaced, decides whether the answer has a body.
    this.#headOnly = sent.startsWith('HEAD ')
    this.#upgradeWanted = r.facts.upgradeIndex >= 0
    this.#sent = sent
    this.#interims = 0
    this.#framing = NONE
    this.#remaining = 0
    this.problem = ''
    this.#decoder.reset()
    this.#parser.reset(headMax)
  }

  parseHead(buffer: Buffer, start: number, end: number): number {
    const parser = this.#parser
    const code = parser.parse(buffer, start, end)
    if (code === NEED_MORE) return HEAD_MORE
    if (code !== DONE) return this.#refuse(parser.logMessage())
    const { status } = parser
    if (status >= 200) this.#frame(status)
    else if (status !== 101) return this.#interim()
    else if (this.left) return this.#refuse('upstream sent unexpected status "101"')
    return HEAD_DONE
  }

  #interim(): number {
    return ++this.#interims > INTERIMS_MAX ? this.#refuse('upstream sent too many interim responses') : HEAD_INTERIM
  }

  #refuse(problem: string): number {
    this.problem = problem
    return HEAD_INVALID
  }

  nextHead(): void {
    this.#parser.reset(this.#headMax)
  }

  #frame(status: number): void {
    const { chunked, contentLength } = this.#parser
    if (this.#headOnly || status === 204 || status === 304) this.#framing = NONE
    else if (chunked) this.#framing = CHUNKED
    else if (contentLength >= 0) {
      this.#framing = LENGTH
      this.#remaining = contentLength
    } else this.#framing = UNTIL_CLOSE
  }

  decodeBody(buffer: Buffer, start: number, end: number, to: BodyReceiver): number {
    switch (this.#framing) {
      case LENGTH: {
        const stop = Math.min(end, start + this.#remaining)
        this.#remaining -= stop - start
        if (stop > start) to.onBody(buffer, start, stop)
        return stop
      }
      case CHUNKED:
        return this.#decodeChunks(buffer, start, end, to)
      case UNTIL_CLOSE:
        to.onBody(buffer, start, end)
        return end
      default:
        return start
    }
  }

  /** What one read brings is passed on in one piece: a back end may write a chunk for every few bytes. */
  #decodeChunks(buffer: Buffer, start: number, end: number, to: BodyReceiver): number {
    this.#receiver = to
    this.#bodyStart = this.#bodyEnd = start
    const stop = this.#decoder.decode(buffer, start, end, this)
    this.#receiver = undefined
    if (this.#bodyEnd > this.#bodyStart) to.onBody(buffer, this.#bodyStart, this.#bodyEnd)
    if (stop !== MALFORMED) return stop
    this.problem = 'upstream sent invalid chunked response'
    return BODY_BROKEN
  }

  /** The data of a chunk: moves up to that of the one before it, over the framing between them. */
  onBody(input: Uint8Array, start: number, end: number): void {
    if (this.#bodyEnd === this.#bodyStart) {
      this.#bodyStart = start
      this.#bodyEnd = end
      return
    }
    input.copyWithin(this.#bodyEnd, start, end)
    this.#bodyEnd += end - start
  }

  onTrailer(input: Uint8Array, start: number, end: number): void {
    this.#receiver!.onTrailer(input, start, end)
  }
}

/** `sent` is the request as it was sent, maybe with a body. */
function asksUpgrade(sent: string): boolean {
  return ASKS_UPGRADE.test(sent.slice(0, sent.indexOf('\r\n\r\n')))
}

/** HTTP/1.x as `proxy_pass` speaks it. */
export const HTTP1: Protocol = {
  tunnel: false,
  framed: false,
  links: OWN_CONNECTIONS,
  newCodec: () => new Http1Codec(),
}
