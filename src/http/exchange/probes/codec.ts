/**
 * A health check by any protocol that has a codec and a connection per request: FastCGI, uwsgi, SCGI. It is asked as
 * requests of clients are, and the answer is judged as one of HTTP would be.
 */
import { NO_BYTES } from '../../../lib/bytes.ts'
import type { ProbeOwner } from '../../../upstream/health.ts'
import type { PeerConnection } from '../../../upstream/pool.ts'
import { type ProbeOptions, TcpProbe } from '../../../upstream/probes/tcp.ts'
import type { Request } from '../../request/request.ts'
import {
  BODY_BROKEN,
  type BodyReceiver,
  type Codec,
  HEAD_DONE,
  HEAD_INTERIM,
  HEAD_MORE,
  type Protocol,
} from '../codec.ts'
import type { Expectation } from './http1.ts'

const HEAD_SIZE_MAX = 32768
/** What is looked at of a body. */
const BODY_SIZE_MAX = 262144

/** A request of our own. */
export interface OwnRequest {
  readonly r: Request
  /** What is sent for it, without a body. */
  readonly text: string
}

/** How a server is asked. */
interface CodecProbeOptions extends ProbeOptions {
  readonly protocol: Protocol
  ask(): OwnRequest
  readonly expectation: Expectation
}

export class CodecProbe extends TcpProbe implements BodyReceiver {
  readonly #asking: CodecProbeOptions
  readonly #codec: Codec
  /** What has come of a head that is not complete. */
  #partial: Buffer = NO_BYTES
  #inBody = false
  #body = ''

  constructor(owner: ProbeOwner, options: CodecProbeOptions) {
    super(owner, options)
    this.#asking = options
    this.#codec = options.protocol.newCodec()
  }

  protected override onOpen(connection: PeerConnection): void {
    const { r, text } = this.#asking.ask()
    this.#partial = NO_BYTES
    this.#inBody = false
    this.#body = ''
    this.#codec.begin(r, text, HEAD_SIZE_MAX)
    connection.wire.write(text + (this.#asking.protocol.records?.end ?? ''))
    this.doing = 'reading response header from upstream'
    this.alive()
  }

  override onBytes(buffer: Buffer, size: number): void {
    this.alive()
    if (this.#inBody) this.#readBody(buffer, 0, size)
    else if (this.#partial.length === 0) this.#readHead(buffer, size)
    else {
      const joined = Buffer.concat([this.#partial, buffer.subarray(0, size)])
      this.#readHead(joined, joined.length)
    }
  }

  #readHead(buffer: Buffer, size: number): void {
    const codec = this.#codec
    let start = 0
    let code = codec.parseHead(buffer, start, size)
    for (; code === HEAD_INTERIM; code = codec.parseHead(buffer, start, size)) {
      start += codec.headLength
      codec.nextHead()
    }
    if (code === HEAD_MORE) {
      if (codec.takesHead !== true) this.#partial = Buffer.from(buffer.subarray(start, size))
      return
    }
    if (code !== HEAD_DONE) {
      this.result(false, codec.problem)
      return
    }
    const { expectation } = this.#asking
    const wrong = expectation.judgeHead(codec)
    if (wrong !== '' || !expectation.needsBody) return this.#judged(wrong)
    this.#inBody = true
    this.doing = 'reading upstream'
    this.#readBody(buffer, start + codec.headLength, size)
  }

  #readBody(buffer: Buffer, start: number, end: number): void {
    const codec = this.#codec
    const at = codec.bodyDone ? end : codec.decodeBody(buffer, start, end, this)
    if (at === BODY_BROKEN) this.result(false, codec.problem)
    else if (codec.bodyDone || this.#body.length >= BODY_SIZE_MAX) this.#judgeBody()
  }

  onBody(bytes: Uint8Array, start: number, end: number): void {
    // Codecs pass on the bytes that they were given, which are a Buffer's.
    if (this.#body.length < BODY_SIZE_MAX) this.#body += (bytes as Buffer).latin1Slice(start, end)
  }

  onTrailer(): void {}
  onTrailerText(): void {}

  protected override onPeerEnd(): boolean {
    if (!this.#inBody || !this.#codec.endsWithConnection) return false
    this.#judgeBody()
    return true
  }

  #judgeBody(): void {
    this.#judged(this.#asking.expectation.judgeBody(this.#body.slice(0, BODY_SIZE_MAX)))
  }

  #judged(wrong: string): void {
    this.doing = wrong === '' ? this.#asking.expectation.lastDoing : wrong
    this.result(wrong === '')
  }
}
