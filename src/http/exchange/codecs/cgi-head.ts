/**
 * The head of a CGI program's answer, whatever carried it: field lines, of which Status gives the code, else Location
 * means 302, else it is 200 (ngx_http_fastcgi_process_header, ngx_http_uwsgi_process_header). Where the protocol allows
 * it, a status line as in HTTP may come first.
 */
import { NO_STATUS_LINE, ResponseParser } from '../../h1/response-parser.ts'
import { hashName } from '../../message/field-names.ts'
import type { HeaderTable } from '../../message/header-table.ts'
import { loggedLine } from '../../message/logged-field.ts'
import { DONE, NEED_MORE } from '../../message/request-errors.ts'
import { HEAD_DONE, HEAD_INVALID, HEAD_MORE } from '../codec.ts'

const STATUS = hashName('status')
const LOCATION = hashName('location')
const SWITCHING = 101
/** A status with a reason that can stand in a status line; nginx passes on whatever it is. */
const REASON = /^\d{3} [\t\x20-\x7e\x80-\xff]*$/

/** One head; `begin` makes it ready for the next. */
export class CgiHead {
  readonly #parser = new ResponseParser()
  readonly #lineAllowed: boolean
  #headMax = 0
  #lineTried = false
  status = 0
  statusText = ''
  /** Why it is not valid. */
  problem = ''

  constructor(lineAllowed: boolean) {
    this.#lineAllowed = lineAllowed
  }

  get headers(): HeaderTable {
    return this.#parser.headers
  }
  /** The length of the head, valid when it is complete. */
  get length(): number {
    return this.#parser.headLength
  }
  get contentLength(): number {
    return this.#parser.contentLength
  }

  begin(headMax: number): void {
    this.#headMax = headMax
    this.status = 0
    this.statusText = this.problem = ''
    this.#lineTried = !this.#lineAllowed
    if (this.#lineAllowed) this.#parser.reset(headMax)
    else this.#parser.resetFields(headMax)
  }

  /** Reads `buffer[start, end)`: after HEAD_MORE call again with the same bytes and more after them. */
  parse(buffer: Buffer, start: number, end: number): number {
    const parser = this.#parser
    let code = parser.parse(buffer, start, end)
    if (code === NO_STATUS_LINE && !this.#lineTried) {
      this.#lineTried = true
      parser.resetFields(this.#headMax)
      code = parser.parse(buffer, start, end)
    }
    if (code === NEED_MORE) return HEAD_MORE
    if (code !== DONE) return this.#refuse(parser.logMessage())
    return this.#decide() ? HEAD_DONE : HEAD_INVALID
  }

  #refuse(problem: string): number {
    this.problem = problem
    return HEAD_INVALID
  }

  /** Finds the status; false when there is none that can be passed on. An interim one can stand in a status line only. */
  #decide(): boolean {
    const { headers, status: inLine } = this.#parser
    const field = headers.valueOf(STATUS, 'status')
    if (inLine > 0) {
      this.status = inLine
      this.statusText = this.#parser.statusText
    } else if (field !== undefined) {
      this.status = /^[1-9]\d\d/.test(field) ? Number(field.slice(0, 3)) : 0
      this.statusText = REASON.test(field) ? field : ''
    } else if (headers.find(LOCATION, 'location') >= 0) {
      this.status = 302
      this.statusText = '302 Moved Temporarily'
    } else {
      this.status = 200
      this.statusText = '200 OK'
    }
    if (this.status >= 200 || this.status === SWITCHING || inLine >= 100) return true
    this.problem = `upstream sent invalid status "${loggedLine(field ?? this.statusText)}"`
    return false
  }
}
