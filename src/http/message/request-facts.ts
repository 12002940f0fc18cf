/**
 * What the fields of a request head say about the request itself: its host, the length of its body, whether the
 * connection stays. Checked here for every protocol, in nginx's order (ngx_http_headers_in, then
 * ngx_http_process_request_header), because a doubt about any of them is how one request hides inside another.
 */
import { FieldRoles, hashName } from './field-names.ts'
import type { HeaderTable } from './header-table.ts'
import { TRACE } from './method.ts'
import {
  CODING_IN_HTTP10,
  DONE,
  DUPLICATE_FIELD,
  DUPLICATE_HOST,
  INVALID_HOST,
  INVALID_LENGTH,
  LENGTH_AND_CODING,
  NO_HOST,
  TRACE_REFUSED,
  UNKNOWN_CODING,
} from './request-errors.ts'
import { type HostParts, validateHost } from './uri.ts'

/** The Connection field says nothing that matters here. */
const CONNECTION_NONE = 0
/** The Connection field asks to close. */
const CONNECTION_CLOSE = 1
/** The Connection field asks to stay. */
const CONNECTION_KEEP_ALIVE = 2

const HOST = 1
const CONNECTION = 2
const CONTENT_LENGTH = 3
const TRANSFER_ENCODING = 4
const EXPECT = 5
const UPGRADE = 6

/** The names that mean something here, in the order of their numbers; those after `upgrade` only may not be repeated. */
const NAMES = [
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'expect',
  'upgrade',
  'if-modified-since',
  'if-unmodified-since',
  'if-match',
  'if-none-match',
  'content-range',
  'if-range',
  'authorization',
  'proxy-authorization',
] as const
const HOST_HASH = hashName(NAMES[0])
const ROLES = new FieldRoles(NAMES.map((name, i) => [name, i + 1]))

/** The facts about one request; `reset()` makes it ready for the next. */
export class RequestFacts implements HostParts {
  /** The host in lower case, without port: from the target if it is absolute, else from Host; may be empty before HTTP/1.1. */
  host = ''
  /** The port that came with `host`; 0 when none. */
  port = 0
  /** The index of the Host field, or -1. */
  hostIndex = -1
  /** The number in Content-Length, or -1. */
  contentLength = -1
  /** The body comes in chunks. */
  chunked = false
  /** One of CONNECTION_*. */
  connection = CONNECTION_NONE
  /** The index of the first Upgrade field, or -1. */
  upgradeIndex = -1
  /** The client waits for 100 (Continue) before it sends the body. */
  expectContinue = false
  /** The field that made `examine` refuse the head, or -1. */
  errorIndex = -1
  #seen = 0
  #lengthIndex = -1
  #codingIndex = -1
  #lastHost = ''
  #last: HostParts = { host: '', port: 0 }

  /** Forgets the request. */
  reset(): void {
    this.host = ''
    this.port = 0
    this.hostIndex = this.contentLength = this.upgradeIndex = this.errorIndex = -1
    this.chunked = this.expectContinue = false
    this.connection = CONNECTION_NONE
    this.#seen = 0
    this.#lengthIndex = this.#codingIndex = -1
  }

  /**
   * Takes the facts from the table; `version` is major * 1000 + minor, `method` a bit. A host that came with the target
   * must have been set before (`setHost`). Returns DONE or an error code.
   */
  examine(table: HeaderTable, version: number, method: number): number {
    for (let i = 0; i < table.count; i++) {
      const known = ROLES.of(table.number(i))
      if (known === 0) continue
      const code = this.#field(table, i, known, version)
      if (code === DONE) continue
      this.errorIndex = i
      return code
    }
    if (this.hostIndex < 0 && version > 1000) return NO_HOST
    const code = this.#body(table, version)
    return code === DONE && method === TRACE ? TRACE_REFUSED : code
  }

  /** Whether the connection may carry another request after this one (nginx's ngx_http_handler). */
  keepAlive(version: number): boolean {
    return this.connection === CONNECTION_NONE ? version > 1000 : this.connection === CONNECTION_KEEP_ALIVE
  }

  /** Sets host and port from a text such as `Example.com:80`; false when it is malformed. */
  setHost(text: string): boolean {
    if (text !== this.#lastHost || text === '') {
      if (!validateHost(text, this.#last)) return false
      this.#lastHost = text
    }
    this.host = this.#last.host
    this.port = this.#last.port
    return true
  }

  /** Takes the host of a head that `examine` did not read to its end. */
  findHost(table: HeaderTable): void {
    if (this.hostIndex < 0) this.hostIndex = table.find(HOST_HASH, NAMES[0])
    if (this.host === '' && this.hostIndex >= 0) this.setHost(table.value(this.hostIndex))
  }

  #field(table: HeaderTable, index: number, known: number, version: number): number {
    const bit = 1 << known
    const repeated = (this.#seen & bit) !== 0
    this.#seen |= bit
    switch (known) {
      case HOST:
        return repeated ? DUPLICATE_HOST : this.#host(table, index)
      case CONNECTION:
        this.#connection(table, index)
        return DONE
      case UPGRADE:
        if (!repeated) this.upgradeIndex = index
        return DONE
      case CONTENT_LENGTH:
        this.#lengthIndex = index
        break
      case TRANSFER_ENCODING:
        this.#codingIndex = index
        break
      case EXPECT:
        this.expectContinue = version > 1000 && table.valueIs(index, '100-continue')
        break
    }
    return repeated ? DUPLICATE_FIELD : DONE
  }

  #host(table: HeaderTable, index: number): number {
    this.hostIndex = index
    const text = table.valueLike(index, this.#lastHost)
    if (this.host === '') return this.setHost(text) ? DONE : INVALID_HOST
    return text === this.#lastHost || validateHost(text, { host: '', port: 0 }) ? DONE : INVALID_HOST
  }

  /** As in nginx the words are looked for anywhere in the value, and a later field overrides an earlier one. */
  #connection(table: HeaderTable, index: number): void {
    if (table.valueIs(index, 'keep-alive')) {
      this.connection = CONNECTION_KEEP_ALIVE
      return
    }
    const lower = table.value(index).toLowerCase()
    if (lower.includes('close')) this.connection = CONNECTION_CLOSE
    else if (lower.includes('keep-alive')) this.connection = CONNECTION_KEEP_ALIVE
  }

  #body(table: HeaderTable, version: number): number {
    if (this.#lengthIndex >= 0) {
      this.contentLength = parseLength(table, this.#lengthIndex)
      if (this.contentLength < 0) return INVALID_LENGTH
    }
    if (this.#codingIndex < 0) return DONE
    this.errorIndex = this.#codingIndex
    if (version < 1001) return CODING_IN_HTTP10
    if (!table.valueIs(this.#codingIndex, 'chunked')) return UNKNOWN_CODING
    if (this.#lengthIndex >= 0) return LENGTH_AND_CODING
    this.chunked = true
    this.errorIndex = -1
    return DONE
  }
}

/** Reads a Content-Length: digits only, no sign, no list, at most 2^53 - 1; -1 for anything else. */
export function parseLength(table: HeaderTable, index: number): number {
  const apart = table.valueStart(index) < 0
  const text = apart ? table.value(index) : table.text
  const start = apart ? 0 : table.valueStart(index)
  const end = table.valueEnd(index)
  if (start === end) return -1
  let length = 0
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
    if (length > Number.MAX_SAFE_INTEGER) return -1
  }
  return length
}
