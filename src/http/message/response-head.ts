/**
 * The head of a response until it is written: the fields that the engine itself reads or computes as numbers and texts
 * of their own, the rest as names and values in order, and what a back end sent as verbatim lines.
 */
import type { FileEntry } from '../files/file-entry.ts'
import type { ByteRange } from './byte-ranges.ts'
import type { HeaderTable } from './header-table.ts'

/** A piece of a body: `text` first, then the bytes from `start` to before `end` of the whole. */
export interface BodyPart {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** Who makes a body of several answers, and is told which part of it is wanted. */
export interface BodyAssembler {
  part: ByteRange | undefined
}

/** Nothing known, as `contentLength` and `lastModified`. */
export const UNKNOWN = -1

/** The status and the fields of one response, filled before `Request.sendHead`. */
export class ResponseHead {
  status = 0
  /** Status code and reason as the back end wrote them, when they are to be passed on: `200 OK`. */
  statusText = ''
  /** Without charset, which filters may add. */
  contentType = ''
  charset = ''
  /** The charset that a back end asks for, whatever `charset` says (X-Accel-Charset). */
  overrideCharset = ''
  /** In bytes, or UNKNOWN: then the body is chunked or ends with the connection. */
  contentLength = UNKNOWN
  /** Seconds since the epoch, or UNKNOWN. */
  lastModified = UNKNOWN
  /** It is a back end's own word, which goes on with any status. */
  lastModifiedSent = false
  location = ''
  etag = ''
  /** Values that replace the server's own, when a back end's are passed on. */
  server: string | undefined
  date: string | undefined
  contentEncoding = ''
  /** The carrier frames the body in chunks. */
  chunked = false
  /** A back end has answered the client's conditions itself: If-Modified-Since and its kin are not looked at. */
  conditionsOff = false
  /** Conditions are tested as RFC 9110 says, and not as nginx does. */
  rfcConditions = false
  /** Ranges may be served from this body. */
  allowRanges = false
  /** At most one range of it, because it comes piece by piece from a back end. */
  singleRange = false
  /** Whoever makes the body obeys `parts` and `replacement`, so that filters need not cut it themselves. */
  seekable = false
  /** Who makes the body of several answers cuts it too. */
  assembler: BodyAssembler | undefined
  /** The file that is served, for filters that keep other forms of it. */
  file: FileEntry | undefined
  /** What to send of a seekable body, in this order. */
  parts: readonly BodyPart[] | undefined
  /** What to send in place of a seekable body. */
  replacement: Uint8Array | undefined
  /** `Accept-Ranges: bytes` is due. */
  acceptRanges = false
  /** `Vary: Accept-Encoding` is due. */
  varyEncoding = false
  /** Lines of the back end's head, each ended by CRLF, to be sent as they are. */
  lines = ''
  /** Where `lines` came from, for `$sent_http_*`. */
  source: HeaderTable | undefined
  readonly names: string[] = []
  readonly values: string[] = []
  /** Trailer fields, computed when the body ends. */
  trailers: (() => string) | undefined
  /** They are no reason for HTTP/1 to send a body of known length in chunks. */
  trailersOptional = false
  /** The trailer fields sent, each ended by CRLF, for `$sent_trailer_*`. */
  trailerLines = ''

  reset(): void {
    this.status = 0
    this.statusText = ''
    this.contentType = ''
    this.charset = ''
    this.overrideCharset = ''
    this.contentLength = UNKNOWN
    this.lastModified = UNKNOWN
    this.lastModifiedSent = false
    this.location = ''
    this.etag = ''
    this.server = undefined
    this.date = undefined
    this.contentEncoding = ''
    this.chunked = false
    this.conditionsOff = this.rfcConditions = false
    this.allowRanges = false
    this.singleRange = false
    this.seekable = false
    this.assembler = undefined
    this.file = undefined
    this.parts = undefined
    this.replacement = undefined
    this.acceptRanges = false
    this.varyEncoding = false
    this.lines = ''
    this.source = undefined
    // Setting a length is slow even when it does not change.
    if (this.names.length !== 0) this.names.length = this.values.length = 0
    this.trailers = undefined
    this.trailersOptional = false
    this.trailerLines = ''
  }

  /** Adds a field; `name` as it is to be written. */
  add(name: string, value: string): void {
    this.names.push(name)
    this.values.push(value)
  }

  /** Forgets what a response of this status does not tell (ngx_http_header_filter), once filters have seen it. */
  fitStatus(): void {
    const { status } = this
    if (!this.lastModifiedSent && status !== 206 && status !== 304) this.lastModified = UNKNOWN
    if (status === 204) this.contentLength = UNKNOWN
  }

  /** Forgets what describes the body that was meant to be sent, before an error page takes its place. */
  clearBody(): void {
    this.contentType = ''
    this.charset = ''
    this.contentLength = UNKNOWN
    this.lastModified = UNKNOWN
    this.lastModifiedSent = false
    this.etag = ''
    this.contentEncoding = ''
    this.allowRanges = false
    this.seekable = false
    this.assembler = undefined
    this.file = undefined
    this.parts = undefined
    this.replacement = undefined
    this.acceptRanges = false
  }

  /** The value of an added field, by its lower-case name. */
  get(lowerName: string): string | undefined {
    for (let i = 0; i < this.names.length; i++) {
      if (this.names[i]!.length === lowerName.length && this.names[i]!.toLowerCase() === lowerName)
        return this.values[i]
    }
    return undefined
  }

  /** The value of a field that was added or passed on, by its lower-case name; several values are joined. */
  field(lowerName: string): string | undefined {
    const added = this.get(lowerName)
    if (added !== undefined || this.lines === '') return added
    const values: string[] = []
    for (const line of this.lines.split('\r\n')) {
      const colon = lowerName.length
      if (line.charAt(colon) === ':' && line.slice(0, colon).toLowerCase() === lowerName) {
        values.push(line.slice(colon + 1).trim())
      }
    }
    return values.length === 0 ? undefined : values.join(', ')
  }

  /** The value of a trailer that was sent, by its name as variables have it (`x_y` for `X-Y`). */
  trailer(variable: string): string | undefined {
    if (this.trailerLines === '') return undefined
    const values: string[] = []
    for (const line of this.trailerLines.split('\r\n')) {
      const colon = line.indexOf(':')
      if (colon !== variable.length) continue
      if (line.slice(0, colon).toLowerCase().replaceAll('-', '_') === variable)
        values.push(line.slice(colon + 1).trim())
    }
    return values.length === 0 ? undefined : values.join(', ')
  }

  /** Ranges of this body are not to be had. */
  clearRanges(): void {
    this.allowRanges = false
    this.acceptRanges = false
    if (this.lines !== '' || this.names.length > 0) this.remove('accept-ranges')
  }

  /** The body becomes another one: what was true of the original's bytes is taken back, and its tag made weak. */
  transform(): void {
    this.contentLength = UNKNOWN
    this.clearRanges()
    this.seekable = false
    const { etag } = this
    if (etag === '' || (etag.length > 2 && etag.startsWith('W/'))) return
    this.etag = etag.startsWith('"') ? 'W/' + etag : ''
  }

  /** Forgets the date and the tag, which are those of another body, also a date that could not be read. */
  clearValidators(): void {
    this.lastModified = UNKNOWN
    this.etag = ''
    if (this.lines !== '' || this.names.length > 0) this.remove('last-modified')
  }

  /** Removes every field of that lower-case name, added or passed on. */
  remove(lowerName: string): void {
    if (this.lines !== '') this.lines = withoutField(this.lines, lowerName)
    for (let i = this.names.length - 1; i >= 0; i--) {
      if (this.names[i]!.toLowerCase() !== lowerName) continue
      this.names.splice(i, 1)
      this.values.splice(i, 1)
    }
  }
}

/** Verbatim lines without those of one field. */
function withoutField(lines: string, lowerName: string): string {
  const start = lowerName + ':'
  if (!lines.toLowerCase().includes(start)) return lines
  let kept = ''
  for (const line of lines.split('\r\n')) {
    if (line !== '' && !line.toLowerCase().startsWith(start)) kept += line + '\r\n'
  }
  return kept
}
