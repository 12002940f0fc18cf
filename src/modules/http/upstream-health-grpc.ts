/**
 * A health check by gRPC: the Check call of grpc.health.v1.Health. A server is well when it says that it serves, or when
 * the call ends with the status that servers without this service are known to answer (`grpc_status`).
 */
import type { BodyReceiver } from '../../http/exchange/codec.ts'
import { BODY_BROKEN, HEAD_DONE, HEAD_INTERIM, HEAD_INVALID } from '../../http/exchange/codec.ts'
import { H2Session } from '../../http/exchange/h2-session.ts'
import { HTTP2 } from '../../http/exchange/http2.ts'
import { hashName } from '../../http/header-table.ts'
import type { ProbeOwner } from '../../upstream/health.ts'
import { type ProbeOptions, TcpProbe } from '../../upstream/health-probe.ts'
import type { PeerConnection } from '../../upstream/pool.ts'

/** The call that is made. */
export const CHECK_PATH = '/grpc.health.v1.Health/Check'

const HEAD_SIZE_MAX = 32768
const ANSWER_SIZE_MAX = 4096
const GRPC_STATUS = hashName('grpc-status')
const STATUS_LINE = /^grpc-status: *(\d+)\r\n/im
/** Field 1 of HealthCheckResponse, a varint: SERVING. */
const SERVING = '\x08\x01'
const MESSAGE_HEAD = 5

/** How a server is asked. */
export interface GrpcProbeOptions extends ProbeOptions {
  /** The header block of the call. */
  head(): string
  /** Empty: the server as a whole. */
  readonly service: string
  /** The status of the call that a server without the service answers, and is well; 0: none. */
  readonly status: number
}

/** Asks one server at a time. */
export class GrpcProbe extends TcpProbe implements BodyReceiver {
  readonly #grpc: GrpcProbeOptions
  readonly #codec = HTTP2.newCodec()
  #inBody = false
  #body = ''
  #trailers = ''

  constructor(owner: ProbeOwner, options: GrpcProbeOptions) {
    super(owner, options)
    this.#grpc = options
  }

  protected override onOpen(connection: PeerConnection): void {
    const { service } = this.#grpc
    this.#inBody = false
    this.#body = this.#trailers = ''
    const session = new H2Session(connection, undefined, '')
    const stream = session.newStream()
    stream.owner = this
    session.onConnect()
    const head = this.#grpc.head()
    // This protocol's codec does not look at the request.
    this.#codec.begin(undefined as never, head, HEAD_SIZE_MAX)
    this.#codec.attach?.(stream)
    stream.sendHead(head, false)
    stream.write(message(service === '' ? '' : `\x0a${String.fromCharCode(service.length)}${service}`))
    stream.end()
    stream.flush()
    this.doing = 'reading response header from upstream'
    this.alive()
  }

  protected override get answered(): boolean {
    return this.#inBody
  }

  override onBytes(buffer: Buffer, size: number): void {
    this.alive()
    if (this.#inBody) return this.#readBody(buffer, size)
    const code = this.#codec.parseHead(buffer, 0, size)
    if (code === HEAD_INVALID) this.result(false, this.#codec.problem)
    else if (code === HEAD_INTERIM) this.#codec.nextHead()
    else if (code === HEAD_DONE) {
      this.#inBody = true
      this.doing = 'reading upstream'
      if (this.#codec.status !== 200) this.#judge('checking status code', false)
      else if (this.#codec.bodyDone) this.#complete()
    }
  }

  #readBody(buffer: Buffer, size: number): void {
    if (this.#codec.decodeBody(buffer, 0, size, this) === BODY_BROKEN) this.result(false, this.#codec.problem)
    else if (this.#codec.bodyDone) this.#complete()
  }

  onBody(bytes: Uint8Array, start: number, end: number): void {
    // The codec passes on the bytes that it was given, which are a Buffer's.
    if (this.#body.length < ANSWER_SIZE_MAX) this.#body += (bytes as Buffer).latin1Slice(start, end)
  }

  onTrailer(): void {}

  onTrailerText(text: string): void {
    this.#trailers = text
  }

  #complete(): void {
    const inHead = this.#codec.headers.valueOf(GRPC_STATUS, 'grpc-status')
    const status = inHead ?? STATUS_LINE.exec(this.#trailers)?.[1]
    if (status === '0') this.#judge('checking serving status', this.#body.slice(MESSAGE_HEAD) === SERVING)
    else this.#judge('checking grpc status', this.#grpc.status !== 0 && status === String(this.#grpc.status))
  }

  #judge(doing: string, passed: boolean): void {
    this.doing = doing
    this.result(passed)
  }
}

function message(bytes: string): string {
  return `\0\0\0\0${String.fromCharCode(bytes.length)}${bytes}`
}
