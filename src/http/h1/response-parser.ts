/**
 * Reads the head of a back end's HTTP/1 answer: status line, field lines, and what they say about the body and the
 * connection (ngx_http_proxy_process_status_line, ngx_http_proxy_process_header, ngx_http_upstream_process_*).
 * Incremental like the request parser. Lenient where nginx is: lines may end in a bare LF, odd names are kept.
 */

import { FieldRoles } from '../message/field-names.ts'
import type { LineRules } from '../message/head-limits.ts'
import { HeaderTable } from '../message/header-table.ts'
import { loggedField, loggedLine } from '../message/logged-field.ts'
import { DONE, NEED_MORE } from '../message/request-errors.ts'
import { parseLength } from '../message/request-facts.ts'
import { FieldLines, LINES_DONE, LINES_INVALID, LINES_MORE } from './field-lines.ts'
import { NOT_A_STATUS_LINE, StatusLine } from './status-line.ts'

/** The answer does not begin with a status line. nginx passes all of it on as an HTTP/0.9 body, which looks like a success. */
export const NO_STATUS_LINE = 2
/** The head does not fit into `proxy_buffer_size`. */
export const HEAD_TOO_BIG = 3
/** A field line is malformed. */
export const BAD_FIELD = 4
/** A second Content-Length or Transfer-Encoding. */
export const REPEATED_FRAMING = 5
/** Content-Length is not a number. */
export const BAD_LENGTH = 6
/** Both Content-Length and Transfer-Encoding. */
export const LENGTH_WITH_CODING = 7
/** A transfer coding other than chunked. */
export const BAD_CODING = 8
/** 103 in HTTP/1.0. */
export const HINTS_IN_HTTP10 = 9

/** Indexed by code; `%s` is the detail. */
const MESSAGES: readonly string[] = [
  '',
  '',
  'upstream sent no valid HTTP/1.0 header',
  'upstream sent too big header',
  'upstream sent invalid header: "%s..."',
  'upstream sent duplicate header line: %s',
  'upstream sent invalid "Content-Length" header: "%s"',
  'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time',
  'upstream sent unknown "Transfer-Encoding": "%s"',
  'upstream sent HTTP/1.0 response with early hints',
]

const RULES: LineRules = {
  underscores: true,
  dropInvalid: false,
  upstream: true,
  countMax: 0x7fffffff, // the size of the head is the limit
  bufferSize: 0,
}

const EARLY_HINTS = 103

const CONTENT_LENGTH = 1
const TRANSFER_ENCODING = 2
const CONNECTION = 3
const UPGRADE = 4
const ROLES = new FieldRoles([
  ['content-length', CONTENT_LENGTH],
  ['transfer-encoding', TRANSFER_ENCODING],
  ['connection', CONNECTION],
  ['upgrade', UPGRADE],
])

/** One upstream connection's parser; `reset()` before each head (interim responses are heads of their own). */
export class ResponseParser {
  readonly line = new StatusLine()
  readonly lines = new FieldLines()
  /** Where the fields go; may be exchanged before `reset()`. */
  headers: HeaderTable
  /** The length of the head with its blank line. */
  headLength = 0
  /** The number in Content-Length, or -1. */
  contentLength = -1
  /** The body comes in chunks. */
  chunked = false
  /** The back end will close the connection after this answer: it said so, or it speaks HTTP/1.0. */
  close = false
  /** Connection says keep-alive and not close: what lets an HTTP/1.0 back end stay connected. */
  keepAlive = false
  /** The index of the first Upgrade field, or -1. */
  upgradeIndex = -1
  #sizeMax = 0
  #inFields = false
  #code = NEED_MORE
  #errorIndex = -1
  /** Connection says close. */
  #closeSaid = false

  constructor(headers: HeaderTable = new HeaderTable()) {
    this.headers = headers
  }

  /** Forgets the answer; the next head may have `sizeMax` bytes. */
  reset(sizeMax: number): void {
    this.line.reset()
    this.headers.reset()
    this.headLength = 0
    this.contentLength = this.upgradeIndex = this.#errorIndex = -1
    this.chunked = this.close = this.keepAlive = this.#inFields = this.#closeSaid = false
    this.#sizeMax = sizeMax
    this.#code = NEED_MORE
  }

  /** The same for a head that has no status line, as in CGI. */
  resetFields(sizeMax: number): void {
    this.reset(sizeMax)
    this.#inFields = true
    this.lines.reset(0, sizeMax, 0)
  }

  /**
   * Reads `buffer[start, end)`. After NEED_MORE call again with the same bytes and more after them. Returns NEED_MORE,
   * DONE, NO_STATUS_LINE or another error code.
   */
  parse(buffer: Buffer, start: number, end: number): number {
    // What lies beyond the limit is not looked at, so that the answer does not depend on how much came at once.
    const stop = Math.min(end, start + this.#sizeMax)
    let code = NEED_MORE
    if (!this.#inFields) {
      code = this.line.parse(buffer, start, stop)
      if (code === NOT_A_STATUS_LINE) return (this.#code = NO_STATUS_LINE)
      if (code === DONE) {
        this.#inFields = true
        this.lines.reset(this.line.at, this.#sizeMax, 0)
      }
    }
    if (this.#inFields) code = this.#fields(buffer, start, stop)
    if (code === NEED_MORE && end - start >= this.#sizeMax) code = HEAD_TOO_BIG
    this.#code = code
    return code
  }

  /** The status code. */
  get status(): number {
    return this.line.status
  }

  /** Status code and reason phrase as they were sent (`$upstream_status` aside, what the client is to see). */
  get statusText(): string {
    return this.headers.text.slice(this.line.textStart, this.line.textEnd)
  }

  /** major * 1000 + minor. */
  get version(): number {
    return this.line.major * 1000 + this.line.minor
  }

  /** The line for the error log after an error code. */
  logMessage(): string {
    return MESSAGES[this.#code]!.replace('%s', () => this.#detail())
  }

  #fields(buffer: Buffer, start: number, end: number): number {
    const lines = this.lines.parse(buffer, start, end, this.headers, RULES)
    if (lines === LINES_MORE) return NEED_MORE
    this.headLength = this.lines.at
    this.headers.text = buffer.latin1Slice(start, start + this.lines.textEnd)
    if (lines === LINES_INVALID) return BAD_FIELD
    if (lines !== LINES_DONE) return HEAD_TOO_BIG
    if (this.version < 1001) {
      if (this.status === EARLY_HINTS) return HINTS_IN_HTTP10
      this.close = true
    }
    return this.status === EARLY_HINTS ? DONE : this.#examine()
  }

  #examine(): number {
    const { headers } = this
    let length = -1
    let coding = -1
    for (let i = 0; i < headers.count; i++) {
      const role = ROLES.of(headers.number(i))
      if (role === CONTENT_LENGTH) {
        if (length >= 0) return this.#refuse(REPEATED_FRAMING, i)
        if (coding >= 0) return this.#refuse(LENGTH_WITH_CODING, i)
        length = i
        this.contentLength = parseLength(headers, i)
        if (this.contentLength < 0) return this.#refuse(BAD_LENGTH, i)
      } else if (role === TRANSFER_ENCODING) {
        if (coding >= 0) return this.#refuse(REPEATED_FRAMING, i)
        if (length >= 0) return this.#refuse(LENGTH_WITH_CODING, i)
        coding = i
        if (!headers.valueIs(i, 'chunked')) return this.#refuse(BAD_CODING, i)
        this.chunked = true
      } else if (role === CONNECTION) this.#connection(i)
      else if (role === UPGRADE && this.upgradeIndex < 0) this.upgradeIndex = i
    }
    if (this.#closeSaid) this.keepAlive = false
    return DONE
  }

  #connection(index: number): void {
    if (this.headers.valueIs(index, 'keep-alive')) {
      this.keepAlive = true
      return
    }
    const lower = this.headers.value(index).toLowerCase()
    if (lower.includes('close')) this.close = this.#closeSaid = true
    if (lower.includes('keep-alive')) this.keepAlive = true
  }

  #refuse(code: number, index: number): number {
    this.#errorIndex = index
    return code
  }

  #detail(): string {
    const { headers, lines } = this
    const index = this.#errorIndex
    if (this.#code === BAD_FIELD) {
      const byte = headers.text.charCodeAt(lines.errorAt)
      return (
        loggedLine(headers.text.slice(lines.errorStart, lines.errorAt)) + '\\x' + byte.toString(16).padStart(2, '0')
      )
    }
    if (this.#code === BAD_CODING) return headers.value(index)
    const line = loggedField(headers.name(index), headers.value(index))
    if (this.#code !== REPEATED_FRAMING) return line
    const first = headers.find(headers.hash(index), headers.lowerName(index))
    return `"${line}", previous value: "${loggedField(headers.name(first), headers.value(first))}"`
  }
}
