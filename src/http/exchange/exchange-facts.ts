/**
 * What others read of an exchange: where its request goes, what it is asked with, and what came back. Variables, the
 * makers of requests and the cache know an exchange by this.
 */
import type { NoTls, TlsTarget } from '../../net/tls-client.ts'
import type { ConnectOptions } from '../../upstream/pool.ts'
import type { HeaderTable } from '../message/header-table.ts'
import type { Attempts } from '../request/attempts.ts'
import type { Conversation } from '../request/conversation.ts'
import type { Request } from '../request/request.ts'
import { trace } from '../request/trace.ts'
import type { Caching } from './cache/caching.ts'
import { type Codec, HEAD_DONE, type Protocol } from './codec.ts'
import { HTTP1 } from './codecs/http1.ts'
import type { ExchangeConf } from './conf.ts'
import { PeerSearch } from './peer-search.ts'
import { Trailers } from './trailers.ts'

/** The facts; what an exchange does about them is its own affair. */
export abstract class ExchangeFacts implements Conversation {
  protected readonly search = new PeerSearch()
  r!: Request
  conf!: ExchangeConf
  protected protocol: Protocol = HTTP1
  codec: Codec = HTTP1.newCodec()
  /** Codecs of other protocols that this object has spoken. */
  readonly #codecs = new Map<Protocol, Codec>([[HTTP1, this.codec]])
  /** Fields of a response to this request, or of one that is coming. */
  #fields: HeaderTable | undefined
  readonly trailers = new Trailers()
  /** The URI that the back end is asked for, for logs; empty where the protocol has none to speak of. */
  uri = ''
  asked = ''
  /** Scheme, `$proxy_host`, `$proxy_port` and URI of `proxy_pass`, which may come from variables. */
  scheme = ''
  tls: TlsTarget | NoTls | undefined
  targetHost = ''
  targetPort = ''
  targetUri = ''
  /** What a cache's key has of the target. */
  targetKey = ''
  /** The method to ask with; empty: the request's own. */
  methodAsked = ''
  /** Where the location has a cache. */
  caching: Caching | undefined

  protected beginFacts(r: Request, conf: ExchangeConf): void {
    this.r = r
    this.conf = conf
    this.uri = this.asked = this.methodAsked = ''
    this.scheme = conf.scheme
    this.tls = undefined
    this.#fields = undefined
    this.search.begin()
    if (conf.protocol !== this.protocol) this.#speak(conf.protocol)
  }

  /** Notes who is asked, for logs; a socket's path ends with a colon (ngx_http_log_error_handler). */
  protected noteAsked(name: string): void {
    this.asked = this.scheme + name + (name.startsWith('unix:') ? ':' : '') + this.uri
  }

  #speak(protocol: Protocol): void {
    this.protocol = protocol
    this.codec = this.#codecs.get(protocol) ?? protocol.newCodec()
    this.#codecs.set(protocol, this.codec)
  }

  /** Makes the codec ready for a response to `sent`. */
  protected beginResponse(sent: string): void {
    this.#fields = this.codec.headers
    this.trailers.reset()
    this.codec.begin(this.r, sent, this.conf.transport.buffer_size)
  }

  /** Reads the head of a stored response, for which nobody is asked any more; the codec's verdict. */
  readStored(head: Buffer): number {
    const { stored } = this.protocol
    if (stored !== undefined) this.#speak(stored)
    this.#fields = this.codec.headers
    this.trailers.reset()
    this.codec.begin(this.r, 'GET ', Math.max(head.length, this.conf.transport.buffer_size))
    return this.codec.parseHead(head, 0, head.length)
  }

  /** The response has these fields, whoever has read them. */
  knows(fields: HeaderTable): void {
    this.#fields = fields
    this.trailers.reset()
  }

  /** The same without a trace in the exchange; undefined: it makes no sense. */
  peekStored(head: Buffer): Codec | undefined {
    const codec = (this.protocol.stored ?? this.protocol).newCodec()
    codec.begin(this.r, 'GET ', Math.max(head.length, this.conf.transport.buffer_size))
    return codec.parseHead(head, 0, head.length) === HEAD_DONE ? codec : undefined
  }

  get attempts(): Attempts {
    return this.search.attempts
  }

  get responseFields(): HeaderTable | undefined {
    return this.#fields
  }

  get responseTrailers(): string {
    return this.trailers.received
  }

  /** The request is to be made so that its response can be kept. */
  get keeping(): boolean {
    return this.caching?.cacheable === true
  }

  /** Tells who listens what is about to be asked. */
  protected tellAsked(head: string, peer: string, { tls }: ConnectOptions): void {
    const { r, asked: url } = this
    trace?.asking(r, { group: this.search.group.name, peer, url, head, tls: tls?.serverName })
  }

  abstract release(): void
}
