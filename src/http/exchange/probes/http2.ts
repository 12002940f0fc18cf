/** Health checks over HTTP/2: one request on a connection of its own, and what the answer must be like. */

import type { ProbeOwner } from '../../../upstream/health.ts'
import type { PeerConnection } from '../../../upstream/pool.ts'
import { type ProbeOptions, TcpProbe } from '../../../upstream/probes/tcp.ts'
import { hashName } from '../../message/field-names.ts'
import { BODY_BROKEN, type BodyReceiver, type Codec, HEAD_DONE, HEAD_INTERIM, HEAD_INVALID } from '../codec.ts'
import { HTTP2 } from '../codecs/http2.ts'
import { H2Session } from '../h2/session.ts'
import type { Expectation } from './http1.ts'

/** The call that checks of gRPC servers make. */
export const CHECK_PATH = '/grpc.health.v1.Health/Check'

const HEAD_SIZE_MAX = 32768
/** What is looked at of a body. */
const BODY_SIZE_MAX = 262144
const GRPC_STATUS = hashName('grpc-status')
const STATUS_LINE = /^grpc-status: *(\d+)\r\n/im
/** Field 1 of HealthCheckResponse, a varint: SERVING. */
const SERVING = '\x08\x01'
const MESSAGE_HEAD = 5
const PASSED = ''

/** How a server is asked. */
interface H2ProbeOptions extends ProbeOptions {
  /** The header block of the request. */
  head(): string
}

/** Asks one server at a time; how its answer is judged is up to the kinds. */
abstract class H2Probe extends TcpProbe implements BodyReceiver {
  readonly #h2: H2ProbeOptions
  protected readonly codec: Codec = HTTP2.newCodec()
  #inBody = false
  protected body = ''
  protected trailers = ''

  constructor(owner: ProbeOwner, options: H2ProbeOptions) {
    super(owner, options)
    this.#h2 = options
  }

  /** The body of the request; empty: none. */
  protected abstract get sent(): string
  /** Judges status and fields: empty when they are right so far, else what was being checked. */
  protected abstract judgeHead(): string
  /** The same for the whole answer. */
  protected abstract judge(): string
  /** What a check that passed has checked last. */
  protected abstract get lastDoing(): string
  /** The body has to be read. */
  protected abstract get needsBody(): boolean

  protected override onOpen(connection: PeerConnection): void {
    this.#inBody = false
    this.body = this.trailers = ''
    const session = new H2Session(connection, undefined, '')
    const stream = session.newStream()
    stream.owner = this
    session.onConnect()
    const head = this.#h2.head()
    // This protocol's codec does not look at the request.
    this.codec.begin(undefined as never, head, HEAD_SIZE_MAX)
    this.codec.attach?.(stream)
    const { sent } = this
    stream.sendHead(head, sent === '')
    if (sent !== '') {
      stream.write(sent)
      stream.end()
      stream.flush()
    }
    this.doing = 'reading response header from upstream'
    this.alive()
  }

  protected override get answered(): boolean {
    return this.#inBody
  }

  override onBytes(buffer: Buffer, size: number): void {
    this.alive()
    if (this.#inBody) return this.#readBody(buffer, size)
    const code = this.codec.parseHead(buffer, 0, size)
    if (code === HEAD_INVALID) this.result(false, this.codec.problem)
    else if (code === HEAD_INTERIM) this.codec.nextHead()
    else if (code === HEAD_DONE) this.#onHead()
  }

  #onHead(): void {
    const wrong = this.judgeHead()
    if (wrong !== PASSED) return this.#judged(wrong)
    this.#inBody = true
    this.doing = 'reading upstream'
    if (this.codec.bodyDone || !this.needsBody) this.#judged(this.judge())
  }

  #readBody(buffer: Buffer, size: number): void {
    if (this.codec.decodeBody(buffer, 0, size, this) === BODY_BROKEN) this.result(false, this.codec.problem)
    else if (this.codec.bodyDone || this.body.length >= BODY_SIZE_MAX) this.#judged(this.judge())
  }

  onBody(bytes: Uint8Array, start: number, end: number): void {
    // The codec passes on the bytes that it was given, which are a Buffer's.
    if (this.body.length < BODY_SIZE_MAX) this.body += (bytes as Buffer).latin1Slice(start, end)
  }

  onTrailer(): void {}

  onTrailerText(text: string): void {
    this.trailers = text
  }

  #judged(wrong: string): void {
    this.doing = wrong === PASSED ? this.lastDoing : wrong
    this.result(wrong === PASSED)
  }
}

/** How a server is asked by a plain request. */
interface Http2ProbeOptions extends H2ProbeOptions {
  readonly expectation: Expectation
}

/** A check by `health_check` where `proxy_http_version 2` is spoken. */
export class Http2Probe extends H2Probe {
  readonly #expectation: Expectation
  protected readonly sent = ''

  constructor(owner: ProbeOwner, options: Http2ProbeOptions) {
    super(owner, options)
    this.#expectation = options.expectation
  }

  protected get needsBody(): boolean {
    return this.#expectation.needsBody
  }

  protected get lastDoing(): string {
    return this.#expectation.lastDoing
  }

  protected judgeHead(): string {
    return this.#expectation.judgeHead(this.codec)
  }

  protected judge(): string {
    return this.#expectation.judgeBody(this.body.slice(0, BODY_SIZE_MAX))
  }
}

/** How a gRPC server is asked. */
export interface GrpcProbeOptions extends H2ProbeOptions {
  /** Empty: the server as a whole. */
  readonly service: string
  /** The status of the call that a server without the service answers, and is well; 0: none. */
  readonly status: number
}

/**
 * A check by the Check call of grpc.health.v1.Health. A server is well when it says that it serves, or when the call ends
 * with the status that servers without this service are known to answer (`grpc_status`).
 */
export class GrpcProbe extends H2Probe {
  readonly #status: number
  protected readonly sent: string
  protected readonly needsBody = true
  protected readonly lastDoing = 'checking serving status'

  constructor(owner: ProbeOwner, options: GrpcProbeOptions) {
    super(owner, options)
    const { service, status } = options
    this.#status = status
    this.sent = message(service === '' ? '' : `\x0a${String.fromCharCode(service.length)}${service}`)
  }

  protected judgeHead(): string {
    return this.codec.status === 200 ? PASSED : 'checking status code'
  }

  protected judge(): string {
    const inHead = this.codec.headers.valueOf(GRPC_STATUS, 'grpc-status')
    const status = inHead ?? STATUS_LINE.exec(this.trailers)?.[1]
    if (status === '0') return this.body.slice(MESSAGE_HEAD) === SERVING ? PASSED : 'checking serving status'
    return this.#status !== 0 && status === String(this.#status) ? PASSED : 'checking grpc status'
  }
}

function message(bytes: string): string {
  return `\0\0\0\0${String.fromCharCode(bytes.length)}${bytes}`
}
