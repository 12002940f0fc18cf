/** HTTP/2 to a back end: what a response on a stream is made of, and where streams come from. */
import type { Wire } from '../../../net/wire.ts'
import type { Peer } from '../../../upstream/peer.ts'
import { type ConnectionPool, type ConnectOptions, PeerConnection } from '../../../upstream/pool.ts'
import { encodeField } from '../../h2/wire/hpack-encoder.ts'
import { HeaderTable } from '../../message/header-table.ts'
import { loggedField, loggedValue } from '../../message/logged-field.ts'
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
import { H2Session } from '../h2/session.ts'
import type { H2Stream, StreamReader } from '../h2/stream.ts'
import type { Link, Links } from '../link.ts'
import { HTTP1 } from './http1.ts'

const METHOD_HEAD = encodeField(':method', 'HEAD')
const EMPTY_STREAM = 'upstream prematurely closed stream'
/** Names that are known to be sound, so that they need not be looked at again. */
const soundNames = new Set<string>()
const SOUND_NAMES_MAX = 1024
const NAME = /^[^\0-\x20:A-Z\x7f][^\0-\x20:A-Z\x7f]*$/
const BROKEN_VALUE = /[\0\r\n]/
/** Heads before the final one. */
const INTERIMS_MAX = 100
const LENGTH = /^\d{1,15}$/

class Http2Codec implements Codec, StreamReader {
  readonly headers = new HeaderTable()
  readonly statusText = ''
  /** The head is no part of the bytes that come. */
  readonly headLength = 0
  readonly behindBody = 0
  readonly upgraded = false
  readonly endsWithConnection = false
  /** What becomes of the connection is the session's affair. */
  readonly keepAlive = true
  status = 0
  contentLength = -1
  problem = ''
  headMax = 0
  headBytes = 0
  refused = false
  #ended = false
  /** Body bytes in all, once the stream has ended. */
  #total = 0
  #failed = false
  /** A whole head is there: an interim one, or the final one. */
  #ready = false
  /** The final head has come: what follows is trailers. */
  #final = false
  /** Nothing follows the head. */
  #bare = false
  #size = 0
  #interims = 0
  #headOnly = false
  /** Body bytes that are expected, or -1. */
  #expected = -1
  #received = 0
  #trailers = ''

  begin(_r: Request, sent: string, headMax: number): void {
    this.headers.reset()
    this.status = 0
    this.contentLength = -1
    this.problem = ''
    this.headMax = headMax
    this.headBytes = 0
    this.refused = false
    this.#ended = false
    this.#total = 0
    this.#failed = false
    this.#ready = false
    this.#final = false
    this.#bare = false
    this.#size = 0
    this.#interims = 0
    // The method that was sent decides whether the answer has a body.
    this.#headOnly = sent.startsWith(METHOD_HEAD)
    this.#expected = -1
    this.#received = 0
    this.#trailers = ''
  }

  attach(wire: Wire): void {
    // Links of this protocol are streams.
    const stream = wire as H2Stream
    stream.reader = this
  }

  // ---- from the stream -----------------------------------------------------------------------

  beginBlock(size: number): void {
    this.headBytes += size
    this.#size = 0
  }

  onField(name: string, hash: number, value: string): void {
    if (this.#failed) return
    this.#size += name.length + value.length
    if (this.#size > this.headMax) return this.#fail('upstream sent too large http2 header')
    if (this.#final) this.#onTrailer(name, value)
    else if (name.charCodeAt(0) === 0x3a) this.#onStatus(name, value)
    else if (this.status === 0) this.#fail('upstream sent no :status header')
    else if (this.#isSound(name, value)) {
      if (name === 'content-length') this.#onLength(value)
      this.headers.addDecoded(name, hash, value)
    }
  }

  #isSound(name: string, value: string): boolean {
    if (soundNames.has(name) || (NAME.test(name) && remember(name))) {
      if (!BROKEN_VALUE.test(value)) return true
    }
    this.#fail(`upstream sent invalid header: "${shown(name)}: ${shown(loggedValue(name, value))}"`)
    return false
  }

  #onStatus(name: string, value: string): void {
    if (name !== ':status') return this.#fail(`upstream sent invalid header "${shown(loggedField(name, value))}"`)
    if (this.status !== 0) return this.#fail('upstream sent duplicate :status header')
    if (!/^\d{3}$/.test(value)) return this.#fail(`upstream sent invalid :status "${shown(value)}"`)
    const status = Number(value)
    if (status < 100 || status === 101) return this.#fail(`upstream sent unexpected :status "${value}"`)
    this.status = status
  }

  #onLength(value: string): void {
    if (this.contentLength >= 0) {
      const before = `previous value: "content-length: ${this.contentLength}"`
      return this.#fail(`upstream sent duplicate header line: "content-length: ${shown(value)}", ${before}`)
    }
    if (!LENGTH.test(value)) {
      return this.#fail(`upstream sent invalid "Content-Length" header: "content-length: ${shown(value)}"`)
    }
    this.contentLength = Number(value)
  }

  #onTrailer(name: string, value: string): void {
    if (name.charCodeAt(0) === 0x3a) this.#fail(`upstream sent invalid trailer "${shown(name)}: ${shown(value)}"`)
    else if (this.#isSound(name, value)) this.#trailers += `${name}: ${value}\r\n`
  }

  endBlock(ends: boolean): void {
    if (this.#failed) return
    if (this.#final) {
      if (!ends) this.#fail('upstream sent trailer without end stream flag')
      return
    }
    if (this.status === 0) return this.#fail('upstream sent no :status header')
    this.#ready = true
    if (this.status < 200) {
      if (ends) this.#fail(EMPTY_STREAM)
      else if (++this.#interims > INTERIMS_MAX) this.#fail('upstream sent too many interim responses')
      return
    }
    this.#final = true
    this.#bare = ends
    const { status } = this
    if (this.#headOnly || status === 204 || status === 304) this.#expected = 0
    else this.#expected = this.contentLength
    if (!ends) return
    // HEAD and 304 speak of a body that is somewhere else, and its length may not be known.
    if (this.contentLength < 0 && !this.#headOnly && status !== 304) this.contentLength = 0
    if (this.#expected > 0) this.#fail(EMPTY_STREAM)
  }

  onStreamEnd(size: number): void {
    this.#ended = true
    this.#total = this.#received + size
  }

  get bodyDone(): boolean {
    return this.#ended && this.#received >= this.#total && !this.#isShort()
  }

  /** Less came than was promised; a body that was never to come is not missed. */
  #isShort(): boolean {
    return this.#expected > this.#total && !this.#bare
  }

  onFailure(problem: string, refused: boolean): void {
    this.refused = refused
    this.#fail(problem)
  }

  #fail(problem: string): void {
    this.#failed = true
    this.problem = problem
  }

  // ---- for the exchange ----------------------------------------------------------------------

  parseHead(_buffer: Buffer, start: number, end: number): number {
    if (this.#failed) return HEAD_INVALID
    if (end > start) {
      this.problem = 'upstream sent unexpected http2 frame: 0'
      return HEAD_INVALID
    }
    if (!this.#ready) return HEAD_MORE
    return this.status < 200 ? HEAD_INTERIM : HEAD_DONE
  }

  nextHead(): void {
    this.headers.reset()
    this.status = 0
    this.#ready = false
  }

  decodeBody(buffer: Buffer, start: number, end: number, to: BodyReceiver): number {
    if (this.#failed) return BODY_BROKEN
    this.#received += end - start
    if (this.#expected >= 0 && this.#received > this.#expected) {
      this.problem = 'upstream sent response body larger than indicated content length'
      return BODY_BROKEN
    }
    if (end > start) to.onBody(buffer, start, end)
    if (!this.#ended || this.#received < this.#total) return end
    if (this.#isShort()) {
      this.problem = EMPTY_STREAM
      return BODY_BROKEN
    }
    if (this.#trailers !== '') to.onTrailerText(this.#trailers)
    return end
  }
}

function remember(name: string): true {
  if (soundNames.size >= SOUND_NAMES_MAX) soundNames.clear()
  soundNames.add(name)
  return true
}

/** What a log may show of a text that a peer made up. */
function shown(text: string): string {
  return text.slice(0, 256).replace(/[^ -~]/g, '?')
}

/** Streams of connections that the pool of a group has; without a pool a connection has one stream. */
const STREAMS: Links = {
  take(pool: ConnectionPool | undefined, peer: Peer, tag: string, options: ConnectOptions): Link | undefined {
    const connection = pool?.takeShared(peer, tag, options)
    if (connection === undefined) return undefined
    // Sessions are the only multiplexers.
    const session = connection.multiplexer as H2Session
    session.pool = pool
    return session.newStream()
  },

  open(pool: ConnectionPool | undefined, peer: Peer, tag: string, options: ConnectOptions): Link {
    return new H2Session(new PeerConnection(peer, options), pool, tag).newStream()
  },

  // The session gives the connection to the pool when its last stream is over.
  give: (link) => link.close(),
}

/** HTTP/2 as `grpc_pass` and `proxy_http_version 2` speak it. */
export const HTTP2: Protocol = {
  tunnel: false,
  framed: true,
  links: STREAMS,
  stored: HTTP1,
  newCodec: () => new Http2Codec(),
}
