/**
 * What may stand in a field that this server writes, to clients and to back ends. nginx sends what a variable holds; a
 * line end that came out of a decoded URI would then begin a field, or a message, of somebody else's making. One rule:
 *
 *   a line that is folded (a line end before a blank, as `$ssl_client_cert` has them) goes on with a blank (RFC 9110, 5.5)
 *   Location and Refresh are URIs: control bytes are percent-encoded
 *   any other field with CR, LF or NUL is left out, and an error line says so
 */
import { ERROR } from '../../log/error-log.ts'
import type { Template, TemplatePart } from '../../value/template.ts'
import type { ResponseHead } from './response-head.ts'

const LINE_END = /[\0\r\n]/
const FOLD = /\r?\n[ \t]+/g
const WRITTEN_FOLD = /[ \t]*[\r\n]+[ \t]*/g
const CONTROL = /[\0-\x1f\x7f]/
const CONTROLS = /[\0-\x1f\x7f]/g
const URI_FIELD = /^(?:location|refresh)$/i

/** Whose field it is: a request, as far as it is needed here. */
interface Writer {
  logError(level: number, message: string): void
}

interface Answered extends Writer {
  readonly out: ResponseHead
}

/** `value` without folds; empty when it cannot be written. */
export function unfolded(value: string): string {
  if (!LINE_END.test(value)) return value
  const line = value.replace(FOLD, ' ')
  return LINE_END.test(line) ? '' : line
}

/** The same for a field of a request or its response: one that must be left out is logged. */
export function fieldValue(r: Writer, name: string, value: string): string {
  if (!LINE_END.test(value)) return value
  const line = unfolded(value)
  if (line !== '') return line
  r.logError(ERROR, `header "${name}" is not sent: its value has a line end or a NUL byte`)
  return ''
}

/** A template of a field: lines that the configuration itself folds become one, so that the value may be constant. */
export function fieldTemplate(template: Template): Template {
  if (!LINE_END.test(template.source)) return template
  const { constant } = template
  return { ...template, constant: constant?.replace(WRITTEN_FOLD, ' '), parts: template.parts.map(unfoldedPart) }
}

function unfoldedPart(part: TemplatePart): TemplatePart {
  return typeof part === 'string' ? part.replace(WRITTEN_FOLD, ' ') : part
}

/** What was found sound last: most responses of a thread have the same. */
let soundType = ''
let soundCharset = ''

/** A response head is about to be written: what modules put into it is made to follow the rule. */
export function checkHead(r: Answered): void {
  const { out } = r
  if (out.location !== '' && CONTROL.test(out.location)) out.location = encodeControls(out.location)
  if (out.contentType !== soundType || out.charset !== soundCharset) checkType(r)
  if (out.etag !== '') out.etag = fieldValue(r, 'ETag', out.etag)
  if (out.statusText !== '' && out.statusText.includes('\0')) out.statusText = ''
  const { values } = out
  for (let i = values.length - 1; i >= 0; i--) if (CONTROL.test(values[i]!)) checkListed(r, i)
}

function checkType(r: Answered): void {
  const { out } = r
  soundType = out.contentType = fieldValue(r, 'Content-Type', out.contentType)
  soundCharset = out.charset = fieldValue(r, 'Content-Type', out.charset)
}

function checkListed(r: Answered, index: number): void {
  const { names, values } = r.out
  const name = names[index]!
  const value = URI_FIELD.test(name) ? encodeControls(values[index]!) : fieldValue(r, name, values[index]!)
  values[index] = value
  if (value !== '') return
  names.splice(index, 1)
  values.splice(index, 1)
}

function encodeControls(uri: string): string {
  return uri.replace(CONTROLS, (c) => '%' + c.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase())
}
