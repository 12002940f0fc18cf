/**
 * memcached's text protocol, as far as `get` goes (ngx_http_memcached_module.c):
 *
 *   VALUE key flags length CRLF  bytes  CRLF END CRLF        found: 200
 *   END CRLF                                                 not found: 404
 */
import { INFO, ERROR as LOG_ERROR } from '../../../log/error-log.ts'
import { HeaderTable } from '../../message/header-table.ts'
import type { Request } from '../../request/request.ts'
import { type BodyReceiver, type Codec, HEAD_DONE, HEAD_INVALID, HEAD_MORE, type Protocol } from '../codec.ts'
import { OWN_CONNECTIONS } from '../link.ts'

const LF = 0x0a
const TRAILER = '\r\nEND\r\n'
/** What every request begins with; the key and a line end follow. */
export const MEMCACHED_GET = 'get '
const NOT_FOUND = 'END\r'
const NUMBER = /^\d{1,15}$/

class MemcachedCodec implements Codec {
  readonly #gzipFlag: number
  readonly headers = new HeaderTable()
  readonly statusText = ''
  readonly endsWithConnection = false
  readonly upgraded = false
  status = 0
  headLength = 0
  contentLength = -1
  problem = ''
  behindBody = 0
  #r!: Request
  /** The key that was asked for, escaped. */
  #key = ''
  #headMax = 0
  #remaining = 0
  #trailerRead = 0
  #found = false
  #badTrailer = false

  constructor(gzipFlag: number) {
    this.#gzipFlag = gzipFlag
  }

  begin(r: Request, sent: string, headMax: number): void {
    this.#r = r
    this.#key = sent.slice(MEMCACHED_GET.length, -2)
    this.#headMax = headMax
    this.headers.reset()
    this.status = 0
    this.headLength = 0
    this.contentLength = -1
    this.problem = ''
    this.#remaining = 0
    this.#trailerRead = 0
    this.#found = false
    this.#badTrailer = false
  }

  nextHead(): void {}

  get bodyDone(): boolean {
    return !this.#found || this.#badTrailer || (this.#remaining === 0 && this.#trailerRead === TRAILER.length)
  }

  get keepAlive(): boolean {
    return !this.#badTrailer && this.bodyDone
  }

  parseHead(buffer: Buffer, start: number, end: number): number {
    const lineFeed = buffer.indexOf(LF, start)
    if (lineFeed < 0 || lineFeed >= end) {
      if (end - start < this.#headMax) return HEAD_MORE
      this.problem = 'upstream sent too big header'
      return HEAD_INVALID
    }
    const line = buffer.latin1Slice(start, lineFeed)
    this.headLength = lineFeed + 1 - start
    if (line === NOT_FOUND) return this.#notFound()
    return this.#value(line) ? HEAD_DONE : HEAD_INVALID
  }

  #notFound(): number {
    this.#r.logError(INFO, `key: "${this.#key}" was not found by memcached`)
    this.status = 404
    this.contentLength = 0
    return HEAD_DONE
  }

  /** `VALUE key flags length`, and what more a `gets` would say. */
  #value(line: string): boolean {
    const shown = line.endsWith('\r') ? line.slice(0, -1) : line
    if (!line.endsWith('\r') || !shown.startsWith('VALUE ')) {
      return this.#invalid(`memcached sent invalid response: "${shown}"`)
    }
    const rest = shown.slice('VALUE '.length)
    const about = `in response "${shown}" for key "${this.#key}"`
    if (!rest.startsWith(this.#key)) return this.#invalid(`memcached sent invalid key ${about}`)
    const [, flags, length] = /^ ([^ ]*) (.*)$/s.exec(rest.slice(this.#key.length)) ?? []
    if (flags === undefined) return this.#invalid(`memcached sent invalid response: "${shown}"`)
    if (this.#gzipFlag !== 0 && !NUMBER.test(flags)) return this.#invalid(`memcached sent invalid flags ${about}`)
    if (!NUMBER.test(length!)) return this.#invalid(`memcached sent invalid length ${about}`)
    if (this.#gzipFlag !== 0 && (Number(flags) & this.#gzipFlag) !== 0) this.#r.out.contentEncoding = 'gzip'
    this.status = 200
    this.contentLength = Number(length)
    this.#remaining = this.contentLength
    this.#found = true
    return true
  }

  #invalid(problem: string): false {
    this.problem = problem
    return false
  }

  decodeBody(buffer: Buffer, start: number, end: number, to: BodyReceiver): number {
    const stop = Math.min(end, start + this.#remaining)
    this.#remaining -= stop - start
    const at = this.#remaining > 0 ? stop : this.#trailer(buffer, stop, end)
    this.behindBody = at - stop
    // The trailer is looked at first: the last byte of the value may end the request.
    if (stop > start) to.onBody(buffer, start, stop)
    return at
  }

  /** Reads as much of the trailer as is there. A wrong one costs the connection, not the value, which is whole. */
  #trailer(buffer: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + TRAILER.length - this.#trailerRead)
    const text = buffer.latin1Slice(start, stop)
    this.#badTrailer = end > stop || !TRAILER.startsWith(text, this.#trailerRead)
    this.#trailerRead += text.length
    if (this.#badTrailer) this.#r.logError(LOG_ERROR, 'memcached sent invalid trailer while reading upstream')
    return end
  }
}

const protocols = new Map<number, Protocol>()

/** memcached whose values with one of the bits `gzipFlag` among their flags are compressed (`memcached_gzip_flag`). */
export function memcached(gzipFlag: number): Protocol {
  const known = protocols.get(gzipFlag)
  if (known !== undefined) return known
  const protocol: Protocol = {
    tunnel: false,
    framed: false,
    links: OWN_CONNECTIONS,
    newCodec: () => new MemcachedCodec(gzipFlag),
  }
  protocols.set(gzipFlag, protocol)
  return protocol
}
