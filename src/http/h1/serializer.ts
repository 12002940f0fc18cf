/**
 * Writes HTTP/1.1 response heads, in the order in which nginx writes its fields. A reply to HTTP/1.0 says HTTP/1.1 too,
 * as nginx does.
 */

import { clock } from '../../lib/clock.ts'
import { formatHttpDate } from '../../lib/http-date.ts'
import { checkHead } from '../message/field-value.ts'
import type { ResponseHead } from '../message/response-head.ts'
import { statusText } from '../message/status.ts'
import type { Request } from '../request/request.ts'
import { absoluteLocation } from '../response/location-field.ts'

/** The head as text, blank line included. */
export function serializeHead(r: Request, chunked: boolean): string {
  const { out, location } = r
  const { status } = out
  checkHead(r)
  let head = isUsual(out) ? usualStart(r) : ownStart(r)
  if (out.contentType !== '') {
    head += 'Content-Type: ' + out.contentType + (out.charset === '' ? '\r\n' : '; charset=' + out.charset + '\r\n')
  }
  if (out.contentLength >= 0 && status !== 204) head += 'Content-Length: ' + out.contentLength + '\r\n'
  if (out.lastModified >= 0) head += 'Last-Modified: ' + formatHttpDate(out.lastModified) + '\r\n'
  if (out.location !== '') head += 'Location: ' + absoluteLocation(r) + '\r\n'
  if (chunked) head += 'Transfer-Encoding: chunked\r\n'
  head += status !== 101 && r.keepAlive ? location.keepAliveFields : connectionFields(status)
  if (out.varyEncoding) head += 'Vary: Accept-Encoding\r\n'
  return head + listedFields(r) + '\r\n'
}

/** Nothing of a back end's stands in the first lines, or it says what would stand there anyway. */
function isUsual(out: ResponseHead): boolean {
  if (out.server !== undefined || out.date !== undefined) return false
  return out.statusText === '' || (out.status === 200 && out.statusText === '200 OK')
}

/** Status line, Server and Date of the server's own making: the same for all responses of a second. */
function usualStart(r: Request): string {
  const { location } = r
  const { status } = r.out
  if (status !== 200) return 'HTTP/1.1 ' + statusText(status) + '\r\n' + location.serverField + dateField()
  if (location.startSecond !== clock.seconds) {
    location.startSecond = clock.seconds
    location.startText = 'HTTP/1.1 200 OK\r\n' + location.serverField + dateField()
  }
  return location.startText
}

function ownStart(r: Request): string {
  const { out, location } = r
  let start = 'HTTP/1.1 ' + (out.statusText === '' ? statusText(out.status) : out.statusText) + '\r\n'
  start += out.server === undefined ? location.serverField : ownField('Server: ', out.server)
  return start + (out.date === undefined ? dateField() : ownField('Date: ', out.date))
}

/** Empty when the field was cleared. */
function ownField(start: string, value: string): string {
  return value === '' ? '' : start + value + '\r\n'
}

/** Fields from the list, common to all protocols in order and spelling. */
function listedFields(r: Request): string {
  const { out } = r
  let fields = ''
  if (out.etag !== '') fields += 'ETag: ' + out.etag + '\r\n'
  fields += out.lines
  if (out.contentEncoding !== '') fields += 'Content-Encoding: ' + out.contentEncoding + '\r\n'
  const { names, values } = out
  for (let i = 0; i < names.length; i++) fields += names[i]! + ': ' + values[i]! + '\r\n'
  if (out.acceptRanges) fields += 'Accept-Ranges: bytes\r\n'
  return fields
}

function connectionFields(status: number): string {
  return status === 101 ? 'Connection: upgrade\r\n' : 'Connection: close\r\n'
}

let dateSecond = -1
let dateLine = ''

function dateField(): string {
  if (clock.seconds !== dateSecond) {
    dateSecond = clock.seconds
    dateLine = 'Date: ' + clock.httpDate + '\r\n'
  }
  return dateLine
}
