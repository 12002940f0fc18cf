/** The trailers of a response, as they came and as they are passed on. */
import { ERROR } from '../../log/error-log.ts'
import { loggedLine } from '../message/logged-field.ts'
import type { Request } from '../request/request.ts'
import type { ExchangeConf } from './conf.ts'

const TRAILER = /^([!-9;-~]+):[ \t]*(.*?)[ \t]*$/
const CONTROL = /[\0\r\n]/

/** The trailers of one attempt. */
export class Trailers {
  /** The section as it came, in lines. */
  received = ''
  /** What the client gets of it. */
  sent = ''

  reset(): void {
    this.received = this.sent = ''
  }

  /** The section is complete; false: it is malformed, which was logged. */
  pass(r: Request, conf: ExchangeConf): boolean {
    if (this.received === '') return true
    const lines = conf.protocol.framed ? passedTrailers(conf, this.received) : trailerLines(r, conf, this.received)
    this.sent = lines ?? ''
    return lines !== undefined
  }
}

/**
 * The trailer section of a back end as it is sent on, or undefined when it is malformed (which is logged). `section` is
 * as it came, line ends and the blank line included.
 */
function trailerLines(r: Request, conf: ExchangeConf, section: string): string | undefined {
  let lines = ''
  for (const line of section.split('\r\n')) {
    if (line === '') continue
    const [, name, value] = TRAILER.exec(line) ?? []
    if (name === undefined || CONTROL.test(line)) {
      r.logError(
        ERROR,
        `upstream sent invalid trailer: "${loggedLine(line).replace(/[^ -~]/g, '?')}" while reading upstream`,
      )
      return undefined
    }
    const lower = name.toLowerCase()
    if (conf.hidden.ofName(lower) === 0) lines += `${name}: ${value}\r\n`
  }
  return lines
}

/** The same for a section that is known to be sound: what clients may not have is taken out. */
function passedTrailers(conf: ExchangeConf, section: string): string {
  let lines = ''
  for (let start = 0; start < section.length; ) {
    const end = section.indexOf('\r\n', start) + 2
    const name = section.slice(start, section.indexOf(':', start))
    if (conf.hidden.ofName(name) === 0) lines += section.slice(start, end)
    start = end
  }
  return lines
}

/** `$upstream_trailer_name`: the value of a trailer by its name as variables have it (`x_y` for `X-Y`). */
export function trailerOf(section: string, variable: string): string | undefined {
  let found: string | undefined
  for (const line of section.split('\r\n')) {
    const [, name, value] = TRAILER.exec(line) ?? []
    if (name?.toLowerCase().replaceAll('-', '_') !== variable) continue
    found = found === undefined ? value : `${found}, ${value}`
  }
  return found
}
