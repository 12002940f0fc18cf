/**
 * What uwsgi and SCGI have in common: a request in one piece with its body behind it, and the answer of a CGI program,
 * which may begin with HTTP's status line, and whose body ends with the connection or after Content-Length bytes. The
 * application ends the connection after each request.
 */
import type { HeaderTable } from '../../message/header-table.ts'
import type { Request } from '../../request/request.ts'
import { type BodyReceiver, type Codec, HEAD_DONE, HEAD_INTERIM, HEAD_INVALID, type Protocol } from '../codec.ts'
import { OWN_CONNECTIONS } from '../link.ts'
import { CgiHead } from './cgi-head.ts'

/** There is no length: the body ends with the connection. */
const UNTIL_CLOSE = -1
const SWITCHING = 101
/** Heads before the final one. */
const INTERIMS_MAX = 100

/** Parameters that uWSGI takes, unless its `buffer-size` says something else. */
const UWSGI_BLOCK_MAX = 4096
const UWSGI_HEAD = 4

class CgiCodec implements Codec {
  readonly #uwsgi: boolean
  readonly #head = new CgiHead(true)
  readonly keepAlive = false
  readonly behindBody = 0
  #headOnly = false
  /** The client asks for another protocol, of which the application was told. */
  #upgradeWanted = false
  /** Bytes that are missing of the body, or UNTIL_CLOSE. */
  #remaining = 0
  /** Of the request without its body. */
  #size = 0
  #headMax = 0
  #interims = 0
  problem = ''

  get headers(): HeaderTable {
    return this.#head.headers
  }
  get status(): number {
    return this.#head.status
  }
  get statusText(): string {
    return this.#head.statusText
  }
  get headLength(): number {
    return this.#head.length
  }
  get contentLength(): number {
    return this.#head.contentLength
  }
  get bodyDone(): boolean {
    return this.#remaining === 0
  }
  get endsWithConnection(): boolean {
    return this.#remaining === UNTIL_CLOSE
  }
  get left(): boolean {
    return this.#head.status === SWITCHING && !this.#upgradeWanted
  }
  get upgraded(): boolean {
    return this.#head.status === SWITCHING && this.#upgradeWanted
  }

  constructor(uwsgi: boolean) {
    this.#uwsgi = uwsgi
  }

  get silence(): string {
    const size = this.#size
    if (!this.#uwsgi || size <= UWSGI_BLOCK_MAX) return ''
    const advice = `uWSGI takes ${UWSGI_BLOCK_MAX} unless its "buffer-size" says more`
    return ` (the parameters of the request have ${size} bytes: ${advice})`
  }

  begin(r: Request, sent: string, headMax: number): void {
    this.#headMax = headMax
    this.#interims = 0
    this.#head.begin(headMax)
    this.#headOnly = (r.conversation?.methodAsked || r.method) === 'HEAD'
    this.#upgradeWanted = r.facts.upgradeIndex >= 0
    this.#remaining = 0
    this.#size = sent.length - UWSGI_HEAD
    this.problem = ''
  }

  nextHead(): void {
    this.#head.begin(this.#headMax)
  }

  parseHead(buffer: Buffer, start: number, end: number): number {
    const head = this.#head
    const code = head.parse(buffer, start, end)
    if (code === HEAD_INVALID) this.problem = head.problem
    if (code !== HEAD_DONE) return code
    if (this.left) {
      this.problem = 'upstream sent unexpected status "101"'
      return HEAD_INVALID
    }
    const { status, contentLength } = head
    if (status < 200 && status !== SWITCHING) return this.#interim()
    if (this.#headOnly || status === 204 || status === 304) this.#remaining = 0
    else this.#remaining = contentLength >= 0 ? contentLength : UNTIL_CLOSE
    return HEAD_DONE
  }

  #interim(): number {
    if (++this.#interims <= INTERIMS_MAX) return HEAD_INTERIM
    this.problem = 'upstream sent too many interim responses'
    return HEAD_INVALID
  }

  decodeBody(buffer: Buffer, start: number, end: number, to: BodyReceiver): number {
    if (this.#remaining === UNTIL_CLOSE) {
      to.onBody(buffer, start, end)
      return end
    }
    const stop = Math.min(end, start + this.#remaining)
    this.#remaining -= stop - start
    if (stop > start) to.onBody(buffer, start, stop)
    return stop
  }
}

const common = { tunnel: false, framed: false, links: OWN_CONNECTIONS }

/** The answers to requests of `uwsgi_pass`; what those are like, the module knows. */
export const UWSGI: Protocol = { ...common, newCodec: () => new CgiCodec(true) }
/** The same for `scgi_pass`. */
export const SCGI: Protocol = { ...common, newCodec: () => new CgiCodec(false) }
