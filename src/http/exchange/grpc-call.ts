/** Calls of gRPC that this program makes itself: one message there, its status back; calls share a connection. */
import { clock } from '../../lib/clock.ts'
import { beginEvent, flushWires } from '../../net/flush.ts'
import type { NameWaiter, Resolver } from '../../net/resolver.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { WireOwner } from '../../net/wire.ts'
import { type WireFailure, wireFailureText } from '../../net/wire-failure.ts'
import { privateState } from '../../upstream/group-state.ts'
import { Peer } from '../../upstream/peer.ts'
import { ConnectionPool, type ConnectOptions, type ConnectUser } from '../../upstream/pool.ts'
import { PEER_DEFAULTS, peerAddress } from '../../upstream/registry.ts'
import { encodeField, encodeNeverIndexed } from '../h2/wire/hpack-encoder.ts'
import { hashName } from '../message/field-names.ts'
import type { Request } from '../request/request.ts'
import { BODY_BROKEN, type BodyReceiver, type Codec, HEAD_DONE, HEAD_INTERIM, HEAD_INVALID } from './codec.ts'
import { HTTP2 } from './codecs/http2.ts'
import type { Link, MessageWire } from './link.ts'

const HEAD_SIZE_MAX = 32768
const ANSWER_SIZE_MAX = 65536
const GRPC_STATUS = hashName('grpc-status')
const GRPC_MESSAGE = hashName('grpc-message')
const STATUS_LINE = /^grpc-status: *(\d+)\r\n/im
const MESSAGE_LINE = /^grpc-message: *(.*)\r\n/im
const POOL = { max: 1, local: false, requestsMax: 10_000, timeMs: 3_600_000, timeoutMs: 60_000 }

/** Hears what came of a call; an empty problem is none. */
export interface CallOwner {
  onCallEnd(problem: string): void
}

/** A name that is looked up while serving. */
interface ServerName {
  readonly host: string
  readonly port: number
  readonly resolver: Resolver
}

/** Where calls go, and what they say besides their message. */
export interface GrpcTarget {
  /** The server as it was known when the configuration was loaded. */
  readonly peer: Peer | undefined
  /** Asked when there is no peer, and again when a call has failed; undefined: the address is a number. */
  readonly name: ServerName | undefined
  readonly connect: ConnectOptions
  readonly authority: string
  readonly secure: boolean
  readonly path: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly timeoutMs: number
}

/** Makes one call at a time. */
export class GrpcCaller implements WireOwner, ConnectUser, TimerOwner, BodyReceiver, NameWaiter {
  readonly #target: GrpcTarget
  readonly #head: string
  readonly #pool = new ConnectionPool(POOL)
  readonly #timer = new Timer(this)
  readonly #codec: Codec = HTTP2.newCodec()
  #peer: Peer | undefined
  /** The last call failed: the server may be elsewhere by now. */
  #doubted = false
  #link: Link | undefined
  #owner: CallOwner | undefined
  #message: Buffer | undefined
  #opening = false
  #headDone = false
  #received = 0
  #trailers = ''

  constructor(target: GrpcTarget) {
    this.#target = target
    this.#peer = target.peer
    this.#head =
      encodeField(':method', 'POST') +
      encodeField(':scheme', target.secure ? 'https' : 'http') +
      encodeField(':path', target.path) +
      encodeField(':authority', target.authority) +
      encodeField('content-type', 'application/grpc') +
      encodeField('te', 'trailers') +
      target.fields.map(([name, value]) => encodeNeverIndexed(name, value)).join('')
  }

  /** Sends a framed message; must not be called again before the owner has heard of the end. */
  call(message: Buffer, owner: CallOwner): void {
    const { name, timeoutMs } = this.#target
    this.#owner = owner
    this.#message = message
    this.#headDone = false
    this.#received = 0
    this.#trailers = ''
    setTimer(this.#timer, timeoutMs)
    if (this.#peer !== undefined && !(this.#doubted && name !== undefined)) this.#open(this.#peer)
    else if (name !== undefined) name.resolver.resolve(name.host, this)
    else this.#end('there is no address')
  }

  onResolved(addresses: readonly string[], error: string): void {
    if (this.#owner === undefined) return
    const { host, port } = this.#target.name!
    const [first] = addresses
    if (first !== undefined) {
      const address = peerAddress(first, port)
      if (address.name !== this.#peer?.address.name)
        this.#peer = new Peer(address, PEER_DEFAULTS, host, privateState(1), 0)
    }
    if (this.#peer === undefined) this.#end(`${host} could not be resolved (${error})`)
    else this.#open(this.#peer)
  }

  #open(peer: Peer): void {
    const { connect } = this.#target
    const kept = HTTP2.links.take(this.#pool, peer, '', connect)
    const link = kept ?? HTTP2.links.open(this.#pool, peer, '', connect)
    this.#link = link
    link.wire.owner = this
    this.#opening = kept === undefined
    if (this.#opening) link.user = this
    else this.#send()
  }

  /** Lets go of what idles. */
  close(): void {
    this.#pool.close()
  }

  onConnect(): void {
    this.#opening = false
    this.#send()
  }

  #send(): void {
    const message = this.#message!
    this.#message = undefined
    // This protocol's codec does not look at the request.
    this.#codec.begin(undefined as unknown as Request, this.#head, HEAD_SIZE_MAX)
    // Links of HTTP/2 are streams.
    const stream = this.#link!.wire as MessageWire
    this.#codec.attach?.(stream)
    stream.sendHead(this.#head, false)
    stream.writeBytes(message, true)
    stream.end()
    stream.flush()
  }

  onBytes(buffer: Buffer, size: number): void {
    if (this.#headDone) return this.#readBody(buffer, size)
    const code = this.#codec.parseHead(buffer, 0, size)
    if (code === HEAD_INVALID) this.#end(this.#codec.problem)
    else if (code === HEAD_INTERIM) this.#codec.nextHead()
    else if (code === HEAD_DONE) this.#onHead()
  }

  #onHead(): void {
    const { status, headers } = this.#codec
    if (status !== 200) return this.#end(`the answer has the HTTP status ${status}`)
    this.#headDone = true
    const inHead = headers.valueOf(GRPC_STATUS, 'grpc-status')
    if (inHead !== undefined) this.#judge(inHead, headers.valueOf(GRPC_MESSAGE, 'grpc-message') ?? '')
    else if (this.#codec.bodyDone) this.#judge('', '')
  }

  #readBody(buffer: Buffer, size: number): void {
    if (this.#codec.decodeBody(buffer, 0, size, this) === BODY_BROKEN) return this.#end(this.#codec.problem)
    if (this.#received > ANSWER_SIZE_MAX) return this.#end('the answer is too long')
    if (!this.#codec.bodyDone) return
    this.#judge(STATUS_LINE.exec(this.#trailers)?.[1] ?? '', MESSAGE_LINE.exec(this.#trailers)?.[1] ?? '')
  }

  onBody(_bytes: Uint8Array, start: number, end: number): void {
    this.#received += end - start
  }

  onTrailer(): void {}

  onTrailerText(text: string): void {
    this.#trailers = text
  }

  #judge(status: string, message: string): void {
    if (status === '0') this.#end('')
    else
      this.#end(status === '' ? 'the answer has no status' : `status ${status}${message === '' ? '' : `: ${message}`}`)
  }

  onDrain(): void {}

  onEnd(): void {
    this.#end('the connection was closed before the answer')
  }

  onClose(failure: WireFailure | undefined): void {
    const link = this.#link
    if (link === undefined) return
    if (this.#opening) this.#end(`${link.failureText(failure)} while ${link.doing}`)
    else this.#end(failure === undefined ? 'the connection was closed before the answer' : wireFailureText(failure))
  }

  onTimeout(): void {
    clock.update()
    beginEvent()
    this.#link?.retire(true)
    this.#end('timed out (110: Connection timed out)')
    flushWires()
  }

  #end(problem: string): void {
    const owner = this.#owner
    if (owner === undefined) return
    this.#owner = undefined
    this.#doubted = problem !== ''
    cancelTimer(this.#timer)
    const link = this.#link
    this.#link = undefined
    this.#message = undefined
    link?.close()
    owner.onCallEnd(problem)
  }
}
