/**
 * FastCGI to an application: reads its records. STDOUT carries the answer of a CGI program, head and body cut anywhere;
 * STDERR may stand between any two of them and is logged; END_REQUEST is the end (ngx_http_fastcgi_process_header,
 * ngx_http_fastcgi_input_filter).
 */
import { NO_BYTES } from '../../../lib/bytes.ts'
import { ERROR } from '../../../log/error-log.ts'
import type { HeaderTable } from '../../message/header-table.ts'
import type { Request } from '../../request/request.ts'
import { defineSetting } from '../../request/slots.ts'
import {
  BODY_BROKEN,
  type BodyReceiver,
  type Codec,
  HEAD_DONE,
  HEAD_INVALID,
  HEAD_MORE,
  type Protocol,
} from '../codec.ts'
import { KEPT_LINKS } from '../kept-links.ts'
import { CgiHead } from './cgi-head.ts'
import {
  END_REQUEST,
  isKept,
  paramOf,
  RecordReader,
  STDERR,
  STDIN_RECORDS,
  STDOUT,
  stdoutRecords,
} from './fastcgi-record.ts'
import { SCRIPT_UNKNOWN, scriptHint } from './script-hint.ts'

/** `fastcgi_catch_stderr`: an answer whose STDERR contains one of these is none. */
export const CAUGHT = defineSetting<readonly string[]>([])

const UNKNOWN = -1
const SWITCHING = 101

class FastcgiCodec implements Codec {
  readonly #head = new CgiHead(false)
  readonly #record = new RecordReader()
  readonly takesHead = true
  readonly upgraded = false
  #r!: Request
  #headOnly = false
  #keep = false
  /** The request, without its body. */
  #sent = ''
  /** What has come of the head, where it is not in one piece. */
  #partial: Buffer = NO_BYTES
  headLength = 0
  problem = ''
  bodyDone = false
  keepAlive = false
  /** Bytes that are missing of the body, or UNKNOWN. */
  #rest = 0
  behindBody = 0
  /** There is more than Content-Length says. */
  #overlong = false
  // Data of records that come at once: where it stands.
  #bodyStart = 0
  #bodyEnd = 0

  get headers(): HeaderTable {
    return this.#head.headers
  }
  get status(): number {
    return this.#head.status
  }
  get statusText(): string {
    return this.#head.statusText
  }
  get contentLength(): number {
    return this.#head.contentLength
  }

  /** An application that is not to keep the connection may leave out END_REQUEST; it may not stop within other records. */
  get endsWithConnection(): boolean {
    const { length, type } = this.#record
    return this.#rest === 0 || (this.#rest === UNKNOWN && !this.#keep && (length === 0 || type === END_REQUEST))
  }

  begin(r: Request, sent: string, headMax: number): void {
    this.#r = r
    this.#headOnly = (r.conversation?.methodAsked || r.method) === 'HEAD'
    this.#keep = isKept(sent)
    this.#sent = sent
    this.#head.begin(headMax)
    this.#record.begin()
    this.#partial = NO_BYTES
    this.headLength = 0
    this.problem = ''
    this.bodyDone = this.keepAlive = false
    this.#rest = 0
    this.#overlong = false
  }

  nextHead(): void {}

  // ---- the head ------------------------------------------------------------------------------

  parseHead(buffer: Buffer, start: number, end: number): number {
    for (let at = start; at < end; ) {
      const record = this.#record
      if (!record.inside) {
        at = record.read(buffer, at, end)
        if (record.problem !== '') return this.#refuse(record.problem)
        if (record.inside && this.#misplaced()) return HEAD_INVALID
        continue
      }
      const stop = Math.min(end, at + record.length)
      if (record.length === 0) at = this.#skipPadding(at, end)
      else if (record.type === STDERR) {
        if (this.#stderr(buffer, at, stop, 'reading response header from upstream')) return HEAD_INVALID
        at = stop
      } else {
        const code = this.#headPart(buffer, at, stop)
        if (code === HEAD_INVALID) return code
        if (code === HEAD_DONE) {
          this.headLength += at - start
          return code
        }
        at = stop
      }
    }
    return HEAD_MORE
  }

  #refuse(problem: string): number {
    this.problem = problem
    return HEAD_INVALID
  }

  /** A record that cannot stand before the end of the head. */
  #misplaced(): boolean {
    const { type, length } = this.#record
    if (type === END_REQUEST) this.problem = `upstream sent unexpected FastCGI record: ${type}`
    else if (type === STDOUT && length === 0) this.problem = 'upstream prematurely closed FastCGI stdout'
    return this.problem !== ''
  }

  #skipPadding(at: number, end: number): number {
    const record = this.#record
    const stop = Math.min(end, at + record.padding)
    record.padding -= stop - at
    if (record.padding === 0) record.next()
    return stop
  }

  /** Content of STDOUT: `headLength` becomes what the head takes of it. */
  #headPart(buffer: Buffer, start: number, end: number): number {
    const record = this.#record
    const head = this.#head
    const before = this.#partial.length
    const code =
      before === 0
        ? head.parse(buffer, start, end)
        : head.parse(
            (this.#partial = Buffer.concat([this.#partial, buffer.subarray(start, end)])),
            0,
            this.#partial.length,
          )
    if (code === HEAD_INVALID) return this.#refuse(head.problem)
    if (code === HEAD_MORE) {
      if (before === 0) this.#partial = Buffer.from(buffer.subarray(start, end))
      record.length -= end - start
      return code
    }
    this.headLength = head.length - before
    record.length -= this.headLength
    this.#partial = NO_BYTES
    return this.#begins()
  }

  #begins(): number {
    const { status, contentLength } = this.#head
    if (status === SWITCHING) return this.#refuse('upstream sent unexpected status "101"')
    if (status === 204 || status === 304) this.#rest = 0
    else this.#rest = this.#headOnly ? UNKNOWN : contentLength
    return HEAD_DONE
  }

  /** nginx's cache files have the head as it came: as the content of a record. */
  storedHead(): Buffer {
    const { headers } = this.#head
    let text = ''
    for (let i = 0; i < headers.count; i++) {
      if (!headers.hidden(i)) text += headers.name(i) + ': ' + headers.value(i) + '\r\n'
    }
    return Buffer.from(stdoutRecords(text + '\r\n'), 'latin1')
  }

  // ---- STDERR --------------------------------------------------------------------------------

  /** Logs what came; true when `fastcgi_catch_stderr` catches it. */
  #stderr(buffer: Buffer, start: number, end: number, doing: string): boolean {
    this.#record.length -= end - start
    let last = end
    while (last > start + 1 && isTrailing(buffer[last - 1]!)) last--
    const text = buffer.latin1Slice(start, last)
    this.#r.logError(ERROR, `FastCGI sent in stderr: "${text}" while ${doing}`)
    if (text.includes(SCRIPT_UNKNOWN)) {
      this.#r.logError(ERROR, `${scriptHint(paramOf(this.#sent, 'SCRIPT_FILENAME'))} while ${doing}`)
    }
    for (const caught of this.#r.location.get(CAUGHT)) if (text.includes(caught)) return true
    return false
  }

  // ---- the body ------------------------------------------------------------------------------

  /** What one read brings is passed on in one piece, over the heads of records in it. */
  decodeBody(buffer: Buffer, start: number, end: number, to: BodyReceiver): number {
    this.#bodyStart = this.#bodyEnd = start
    const at = this.#decode(buffer, start, end)
    this.behindBody = at - this.#bodyEnd
    if (this.#bodyEnd > this.#bodyStart) to.onBody(buffer, this.#bodyStart, this.#bodyEnd)
    return at
  }

  endsWithin(buffer: Buffer, start: number, end: number): boolean {
    this.#bodyStart = this.#bodyEnd = start
    return this.#decode(buffer, start, end) === end && this.bodyDone
  }

  #decode(buffer: Buffer, start: number, end: number): number {
    const record = this.#record
    let at = start
    while (!this.bodyDone) {
      if (!record.inside) {
        if (at === end) return at
        at = record.read(buffer, at, end)
        if (record.problem !== '') return this.#break(record.problem)
        if (record.inside && !this.#mayFollow()) return BODY_BROKEN
      } else if (record.length === 0) {
        // The end of the request is seen with its last byte, padding included.
        at = this.#skipPadding(at, end)
        if (!record.between) return at
        if (record.type === END_REQUEST) this.#finish(this.#keep)
      } else if (at === end) return at
      else at = this.#content(buffer, at, Math.min(end, at + record.length))
    }
    if (at === end || this.#overlong) return at
    // Whatever follows the end of a request makes its connection useless, but the answer is not to blame.
    this.keepAlive = false
    return end
  }

  #break(problem: string): number {
    this.problem = problem
    return BODY_BROKEN
  }

  #finish(keepAlive: boolean): void {
    this.bodyDone = true
    this.keepAlive = keepAlive
  }

  /** The head of a record was read: false when the answer cannot be complete. */
  #mayFollow(): boolean {
    const { type, length } = this.#record
    const closes = type === STDOUT && length === 0
    if (!closes && type !== END_REQUEST) return true
    if (this.#rest > 0) {
      this.problem = `upstream prematurely closed FastCGI ${closes ? 'stdout' : 'request'}`
      return false
    }
    return true
  }

  #content(buffer: Buffer, start: number, end: number): number {
    const record = this.#record
    if (record.type === STDERR) this.#stderr(buffer, start, end, 'reading upstream')
    else if (record.type === END_REQUEST) record.length -= end - start
    else return this.#data(buffer, start, end)
    return end
  }

  /** Data of the body; bytes beyond its length end the answer, and are left. */
  #data(buffer: Buffer, start: number, end: number): number {
    const rest = this.#rest
    const stop = rest === UNKNOWN ? end : Math.min(end, start + rest)
    this.#record.length -= stop - start
    if (rest !== UNKNOWN) this.#rest -= stop - start
    if (stop < end) {
      this.#overlong = true
      this.#finish(false)
    }
    if (this.#bodyEnd === this.#bodyStart) {
      this.#bodyStart = start
      this.#bodyEnd = stop
    } else {
      buffer.copyWithin(this.#bodyEnd, start, stop)
      this.#bodyEnd += stop - start
    }
    return stop
  }
}

/** What nginx leaves out at the end of a message. */
function isTrailing(byte: number): boolean {
  return byte === 0x0a || byte === 0x0d || byte === 0x2e || byte === 0x20
}

/** FastCGI as `fastcgi_pass` speaks it. */
export const FASTCGI: Protocol = {
  tunnel: false,
  framed: false,
  links: KEPT_LINKS,
  records: STDIN_RECORDS,
  newCodec: () => new FastcgiCodec(),
}
