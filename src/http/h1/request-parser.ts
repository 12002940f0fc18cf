/**
 * Reads one HTTP/1 request head: request line, field lines, and what they mean. Incremental: it stops where the bytes
 * end and goes on from there, so every byte is looked at once however the head is cut. The caller keeps the bytes of an
 * unfinished head contiguous; the parser keeps positions only and makes one string, the head's text, when it is done.
 */

import { REQUEST_LIMITS, type RequestLimits } from '../message/head-limits.ts'
import { HeaderTable } from '../message/header-table.ts'
import { loggedField, loggedLine } from '../message/logged-field.ts'
import { CONNECT, methodName } from '../message/method.ts'
import {
  CONNECT_REFUSED,
  CONNECT_WITH_BODY,
  DONE,
  DUPLICATE_FIELD,
  DUPLICATE_HOST,
  FIELD_TOO_LONG,
  INVALID_FIELD,
  INVALID_HOST,
  INVALID_REQUEST,
  INVALID_TARGET_HOST,
  NEED_MORE,
  REQUEST_ERRORS,
  TOO_MANY_FIELDS,
  URI_TOO_LONG,
} from '../message/request-errors.ts'
import { RequestFacts } from '../message/request-facts.ts'
import { CR, LF } from '../message/tokens.ts'
import { normalizeUri, type UriParts } from '../message/uri.ts'
import { FieldLines, LINES_DONE, LINES_INVALID, LINES_MORE, LINES_TOO_LONG } from './field-lines.ts'
import { RequestLine } from './request-line.ts'

/** One connection's parser; `reset()` before each request. Results are valid after DONE until the next `reset()`. */
export class RequestParser {
  readonly line = new RequestLine()
  readonly facts = new RequestFacts()
  readonly lines = new FieldLines()
  /** Where the fields go; may be exchanged before `reset()`, so that a request can own its table. */
  headers: HeaderTable
  limits: RequestLimits
  /** The length of the head with its blank line: the body begins at `start + headLength`. */
  headLength = 0
  #inFields = false
  #code = NEED_MORE

  constructor(limits: RequestLimits = REQUEST_LIMITS, headers: HeaderTable = new HeaderTable()) {
    this.limits = limits
    this.headers = headers
  }

  /** Forgets the request. */
  reset(): void {
    this.line.reset()
    this.headers.reset()
    this.facts.reset()
    this.headLength = 0
    this.#inFields = false
    this.#code = NEED_MORE
  }

  /**
   * Reads `buffer[start, end)`. After NEED_MORE call again with the same bytes and more after them (in any buffer, at any
   * `start`); bytes already read are not read again. Returns NEED_MORE, DONE or an error code (see request-errors.ts).
   */
  parse(buffer: Buffer, start: number, end: number): number {
    let code = NEED_MORE
    if (!this.#inFields) code = this.#requestLine(buffer, start, end)
    if (this.#inFields) {
      const lines = this.lines.parse(buffer, start, end, this.headers, this.limits)
      if (lines === LINES_MORE) return NEED_MORE
      this.headLength = this.lines.at
      this.headers.text = buffer.latin1Slice(start, start + this.lines.textEnd)
      code = this.#fields(lines)
    } else if (code !== NEED_MORE) {
      this.headLength = this.line.at
      if (code === DONE) this.headers.text = buffer.latin1Slice(start, start + this.headLength)
      else this.#brokenLine(buffer, start, end)
      if (code === DONE && !this.#targetHost()) code = INVALID_TARGET_HOST
    }
    this.#code = code
    return code
  }

  /** major * 1000 + minor; 9 for HTTP/0.9. */
  get version(): number {
    return this.line.major * 1000 + this.line.minor
  }

  /** The method as it was sent. */
  get method(): string {
    return methodName(this.line.method) || this.headers.text.slice(this.line.start, this.line.methodEnd)
  }

  /** The target without scheme and host, as it was sent (`$request_uri`); "/" when there is none. */
  get target(): string {
    if (this.line.method === CONNECT) return '/'
    return this.headers.text.slice(this.line.targetStart, this.line.targetEnd)
  }

  /**
   * Fills in path and arguments; faster than `normalizeUri(parser.target, ...)` because the scan of the line already
   * knows whether there is anything to do. False when the target must be refused (INVALID_REQUEST).
   */
  splitTarget(mergeSlashes: boolean, parts: UriParts): boolean {
    const { line, headers } = this
    if (line.complex) return normalizeUri(this.target, mergeSlashes, parts)
    const args = line.argsStart
    parts.args = args < 0 ? '' : headers.text.slice(args, line.targetEnd)
    if (line.method === CONNECT) parts.uri = '/'
    else parts.uri = headers.text.slice(line.targetStart, args < 0 ? line.targetEnd : args - 1)
    return true
  }

  /** The request line (`$request`); after an error all of it that has come. */
  get requestLine(): string {
    return this.headers.text.slice(this.line.start, this.line.end)
  }

  /** The head will not be completed: what there is of it, in `buffer`, can be asked for as after an error. */
  giveUp(buffer: Buffer): void {
    if (!this.#inFields) this.#brokenLine(buffer, 0, buffer.length)
    else this.headers.text = buffer.latin1Slice(0, this.lines.textEnd)
  }

  /** The host that a head names although it was refused or given up; empty when it cannot be told. */
  hostOfBroken(): string {
    const { facts, line } = this
    if (line.hostStart >= 0) {
      if (facts.host === '' && line.hostEnd >= 0) this.#targetHost()
    } else facts.findHost(this.headers)
    return facts.host
  }

  /** The request line has been read to its end, and is sound as such. */
  get lineUnderstood(): boolean {
    return this.#inFields || this.#code === INVALID_TARGET_HOST
  }

  /** After an error code: the line was refused, not the fields. */
  get refusedInLine(): boolean {
    return !this.#inFields || this.#code === INVALID_TARGET_HOST
  }

  /** `$request_length` of a head that was refused or given up: the lines that were understood, as nginx counts them. */
  get lengthUnderstood(): number {
    const { line, lines, facts, headers } = this
    if (!this.lineUnderstood) return 0
    switch (this.#code) {
      case INVALID_TARGET_HOST:
        return line.at - line.start
      case NEED_MORE:
        return lines.understood - line.start
      case INVALID_FIELD:
      case FIELD_TOO_LONG:
        return lines.errorStart - line.start
      case INVALID_HOST:
      case DUPLICATE_HOST:
      case DUPLICATE_FIELD:
        return headers.lineEnd(facts.errorIndex) - line.start
      default:
        return this.headLength - line.start
    }
  }

  /** The same of a sound head as far as the host that it names, or all of it when it names none. */
  get lengthToHost(): number {
    const { line, facts, headers } = this
    if (line.hostStart >= 0) return line.at - line.start
    return (facts.hostIndex < 0 ? this.headLength : headers.lineEnd(facts.hostIndex)) - line.start
  }

  /** The connection may carry another request after this one, as far as the client is concerned. */
  get keepAlive(): boolean {
    return this.facts.keepAlive(this.version)
  }

  /** Checks a CONNECT request once its server is known: `allowed` is `tunnel`'s permission. Returns DONE or an error. */
  checkConnect(allowed: boolean): number {
    if (this.line.method !== CONNECT) return DONE
    if (this.version !== 1001 || !allowed) return CONNECT_REFUSED
    return this.facts.contentLength > 0 || this.facts.chunked ? CONNECT_WITH_BODY : DONE
  }

  /** The line for the error log after an error code. */
  logMessage(): string {
    return REQUEST_ERRORS[this.#code]!.logMessage.replace('%s', () => this.#detail())
  }

  #requestLine(buffer: Buffer, start: number, end: number): number {
    const { line, limits } = this
    const code = line.parse(buffer, start, end)
    const first = limits.firstBufferSize
    const roomiest = Math.max(first, limits.bufferSize)
    // Empty lines before the request are not part of its line. nginx takes any number of them; here they have a limit,
    // because the caller keeps them.
    if (line.empty) return line.at > roomiest ? INVALID_REQUEST : NEED_MORE
    if ((code === NEED_MORE || code === DONE) && line.at - line.start > roomiest) return URI_TOO_LONG
    if (code !== DONE || line.major === 0) return code
    this.#inFields = true
    if (line.at <= first) this.lines.reset(line.at, first, limits.bufferCount)
    else this.lines.reset(line.at, line.start + roomiest, limits.bufferCount - 1)
    return NEED_MORE
  }

  /** A line that is not read to its end is told to its end all the same, so that logs show what it was. */
  #brokenLine(buffer: Buffer, base: number, end: number): void {
    const { line, limits } = this
    const from = base + line.start
    const stop = Math.min(end, from + Math.max(limits.firstBufferSize, limits.bufferSize))
    let at = from
    while (at < stop && buffer[at] !== CR && buffer[at] !== LF) at++
    line.end = at - base
    this.headers.text = buffer.latin1Slice(base, Math.max(at, Math.min(end, base + line.at)))
  }

  #targetHost(): boolean {
    const { hostStart, hostEnd } = this.line
    return hostEnd < 0 || this.facts.setHost(this.headers.text.slice(hostStart, hostEnd))
  }

  #fields(lines: number): number {
    if (!this.#targetHost()) return INVALID_TARGET_HOST
    const facts = this.facts.examine(this.headers, this.version, this.line.method)
    if (lines === LINES_DONE) return facts
    if (lines === LINES_INVALID) return INVALID_FIELD
    return lines === LINES_TOO_LONG ? FIELD_TOO_LONG : TOO_MANY_FIELDS
  }

  #detail(): string {
    const { lines, headers, facts } = this
    if (this.#code === INVALID_FIELD) {
      const byte = headers.text.charCodeAt(lines.errorAt)
      return (
        loggedLine(headers.text.slice(lines.errorStart, lines.errorAt)) + '\\x' + byte.toString(16).padStart(2, '0')
      )
    }
    if (this.#code === FIELD_TOO_LONG)
      return loggedLine(headers.text.slice(lines.errorStart, lines.errorStart + LOGGED_MAX))
    const index = facts.errorIndex
    if (index < 0) return ''
    const name = headers.lowerName(index)
    if (name === 'transfer-encoding' && headers.find(headers.hash(index), name) === index) return headers.value(index)
    const previous = headers.find(headers.hash(index), name)
    const before = loggedField(headers.name(previous), headers.value(previous))
    return `"${loggedField(headers.name(index), headers.value(index))}", previous value: "${before}"`
  }
}

const LOGGED_MAX = 2048 - 300
