/**
 * The head of a stored response as one location passes it on, made once and kept with the object in memory: a hit then
 * copies some twenty values in place of reading, hiding and joining fields. Only heads are prepared whose every field goes
 * to every client as it is.
 */
import type { CachedObject } from '../../cache/cached-object.ts'
import { hashName } from '../../message/field-names.ts'
import type { HeaderTable } from '../../message/header-table.ts'
import type { ResponseHead } from '../../message/response-head.ts'
import type { ExchangeConf } from '../conf.ts'
import type { Exchange } from '../exchange.ts'

/** Fields whose value may be another one for each request, or that do something to it. */
const CHANGING: ReadonlySet<number> = new Set(
  [
    'location',
    'refresh',
    'set-cookie',
    'upgrade',
    'x-accel-redirect',
    'x-accel-limit-rate',
    'x-accel-buffering',
    'x-accel-charset',
  ].map(hashName),
)

/** As many locations as pass the same object on; those of a configuration that is gone fall out. */
const LOCATIONS_MAX = 4
const NONE: PreparedHead[] = []

function listOf({ parsed }: CachedObject): PreparedHead[] {
  // Nobody else writes the slot.
  return parsed === undefined ? NONE : (parsed as PreparedHead[])
}

export class PreparedHead {
  /** Of the location; the configuration itself must not live as long as the object. */
  readonly token: object
  /** For variables. */
  readonly fields: HeaderTable
  readonly #status: number
  readonly #statusText: string
  readonly #contentType: string
  readonly #contentLength: number
  readonly #lastModified: number
  readonly #lastModifiedSent: boolean
  readonly #etag: string
  readonly #server: string | undefined
  readonly #date: string | undefined
  readonly #contentEncoding: string
  readonly #allowRanges: boolean
  readonly #lines: string

  private constructor(token: object, fields: HeaderTable, out: ResponseHead) {
    this.token = token
    this.fields = fields
    this.#status = out.status
    this.#statusText = out.statusText
    this.#contentType = out.contentType
    this.#contentLength = out.contentLength
    this.#lastModified = out.lastModified
    this.#lastModifiedSent = out.lastModifiedSent
    this.#etag = out.etag
    this.#server = out.server
    this.#date = out.date
    this.#contentEncoding = out.contentEncoding
    this.#allowRanges = out.allowRanges
    this.#lines = out.lines
  }

  /** Keeps what `out` has become of the object's head, when that is always the same; called before filters change it. */
  static keep(object: CachedObject, exchange: Exchange, out: ResponseHead): void {
    const { cache } = exchange.conf
    if (cache === undefined || !object.hot || cache.rfc9111 || out.names.length > 0 || out.overrideCharset !== '')
      return
    const { headers } = exchange.codec
    for (let i = 0; i < headers.count; i++) if (CHANGING.has(headers.hash(i))) return
    const fields = exchange.peekStored(object.head)?.headers
    if (fields === undefined) return
    const made = object.parsed === undefined ? [] : listOf(object)
    if (made.length >= LOCATIONS_MAX) made.shift()
    made.push(new PreparedHead(cache.token, fields, out))
    object.parsed = made
  }

  /** What was kept of the object for this location. */
  static of(object: CachedObject, { cache }: ExchangeConf): PreparedHead | undefined {
    const token = cache?.token
    const made = listOf(object)
    for (let i = 0; i < made.length; i++) if (made[i]!.token === token) return made[i]
    return undefined
  }

  /** Fills the head of a response. */
  apply(out: ResponseHead): void {
    out.status = this.#status
    out.statusText = this.#statusText
    out.contentType = this.#contentType
    out.contentLength = this.#contentLength
    out.lastModified = this.#lastModified
    out.lastModifiedSent = this.#lastModifiedSent
    out.etag = this.#etag
    out.server = this.#server
    out.date = this.#date
    out.contentEncoding = this.#contentEncoding
    out.allowRanges = this.#allowRanges
    out.lines = this.#lines
    out.source = this.fields
  }
}
