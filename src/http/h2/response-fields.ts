/**
 * Response heads as HPACK blocks, in nginx's order of fields. Encoded fields do not depend on the connection, so what
 * many responses have in common is remembered: the start of a head for a second, a back end's fields as long as they come again.
 */

import { clock } from '../../lib/clock.ts'
import { formatHttpDate } from '../../lib/http-date.ts'
import { checkHead } from '../message/field-value.ts'
import type { Request } from '../request/request.ts'
import { absoluteLocation } from '../response/location-field.ts'
import { CONNECTION_FIELDS } from './connection-fields.ts'
import { encodeField, encodeStatus } from './wire/hpack-encoder.ts'

/** Literal without indexing, its name the one of that number in the static table. */
const CONTENT_LENGTH_NAME = '\x0f\x0d'

/** They end here. */
const DROPPED: ReadonlySet<string> = new Set(CONNECTION_FIELDS)
/** Encoded runs of lines: how many are remembered, and how long they may be. */
const RUNS_MAX = 256
const RUN_LENGTH_MAX = 2048

/** The block of a response head; `status` is what the client is told. */
export function encodeHead(r: Request, status: number): string {
  const { out } = r
  checkHead(r)
  let block = status === 200 ? start(r) : encodeStatus(status) + serverAndDate(r)
  if (out.contentType !== '') {
    block += encodeField(
      'content-type',
      out.charset === '' ? out.contentType : out.contentType + '; charset=' + out.charset,
    )
  }
  if (out.contentLength >= 0 && status !== 204) block += contentLength(out.contentLength)
  if (out.lastModified >= 0) block += encodeField('last-modified', formatHttpDate(out.lastModified))
  if (out.location !== '') block += encodeField('location', absoluteLocation(r))
  if (out.varyEncoding) block += encodeField('vary', 'Accept-Encoding')
  if (out.etag !== '') block += encodeField('etag', out.etag)
  if (out.lines !== '') block += encodeLines(out.lines)
  if (out.contentEncoding !== '') block += encodeField('content-encoding', out.contentEncoding)
  const { names, values } = out
  for (let i = 0; i < names.length; i++) block += oneField(names[i]!, values[i]!)
  return out.acceptRanges ? block + encodeField('accept-ranges', 'bytes') : block
}

let startServer = ''
let startSecond = -1
let startBlock = ''

/** `:status: 200` and what the server says of itself. */
function start(r: Request): string {
  const { out, location } = r
  if (out.server !== undefined || out.date !== undefined) return encodeStatus(200) + serverAndDate(r)
  if (startSecond !== clock.seconds || startServer !== location.serverField) {
    startSecond = clock.seconds
    startServer = location.serverField
    startBlock = encodeStatus(200) + serverAndDate(r)
  }
  return startBlock
}

function serverAndDate(r: Request): string {
  const { out, location } = r
  // `Server: name\r\n`
  const server = out.server ?? location.serverField.slice(8, -2)
  const block = server === '' ? '' : encodeField('server', server)
  if (out.date === '') return block
  return block + (out.date === undefined ? dateField() : encodeField('date', out.date))
}

let dateSecond = -1
let dateBlock = ''

function dateField(): string {
  if (dateSecond !== clock.seconds) {
    dateSecond = clock.seconds
    dateBlock = encodeField('date', clock.httpDate)
  }
  return dateBlock
}

/** Digits are shorter in no code. */
function contentLength(length: number): string {
  const digits = String(length)
  return CONTENT_LENGTH_NAME + String.fromCharCode(digits.length) + digits
}

const runs = new Map<string, string>()

/** Lines of a head or a trailer section, each ended by CRLF, as fields. */
export function encodeLines(lines: string): string {
  const known = runs.get(lines)
  if (known !== undefined) return known
  let block = ''
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf('\r\n', at)
    const colon = lines.indexOf(':', at)
    if (end < 0 || colon < 0) break
    if (colon < end) block += oneField(lines.slice(at, colon), lines.slice(colon + 1, end).trim())
    at = end + 2
  }
  if (lines.length <= RUN_LENGTH_MAX) {
    if (runs.size >= RUNS_MAX) runs.clear()
    runs.set(lines, block)
  }
  return block
}

function oneField(name: string, value: string): string {
  const lower = name.toLowerCase()
  if (DROPPED.has(lower)) return ''
  return encodeField(lower, value)
}
