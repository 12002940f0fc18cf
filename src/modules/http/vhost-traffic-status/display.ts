/** Answers of `vhost_traffic_status_display`: the page that the path asks for. */

import { GET, HEAD } from '../../../http/message/method.ts'
import type { Request } from '../../../http/request/request.ts'
import type { Verdict } from '../../../http/request/verdict.ts'
import { sendBytes } from '../../../http/response/send-text.ts'
import { Exposition } from '../../../http/status/exposition.ts'
import { soundUtf8 } from '../../../lib/bytes.ts'
import { control } from './control.ts'
import { statusObject } from './json.ts'
import { HTML_PAGE } from './page.ts'
import { writeTraffic } from './prometheus.ts'
import type { TrafficView } from './zone.ts'

/** In what a page may be asked for. */
export const FORMATS = ['json', 'html', 'jsonp', 'prometheus'] as const
/** One of them. */
export type Format = (typeof FORMATS)[number]

/** What a location shows. */
export interface DisplayConf {
  readonly view: TrafficView
  readonly format: Format
  readonly callback: string
  readonly sumKey: string
}

/** Sends the page that the rest of the path asks for. */
export function display(r: Request, conf: DisplayConf): Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0) return 405
  const rest = r.uri.startsWith(r.location.name) ? r.uri.slice(r.location.name.length) : ''
  r.out.add('Cache-Control', 'no-cache')
  if (/\/?control$/.test(rest))
    return send(r, JSON.stringify(control(r.args, conf.view, conf.sumKey)), 'application/json')
  const asked = /format\/(\w+)\/?$/.exec(rest)?.[1]
  const format = asked === undefined ? conf.format : FORMATS.find((known) => known === asked)
  if (format === undefined) return 404
  return page(r, conf, format)
}

function page(r: Request, { view, callback, sumKey }: DisplayConf, format: Format): Verdict {
  switch (format) {
    case 'html':
      return send(r, HTML_PAGE, 'text/html')
    case 'jsonp':
      return send(r, `${callback}(${JSON.stringify(statusObject(view, sumKey))})`, 'application/javascript')
    case 'prometheus': {
      const text = new Exposition('')
      writeTraffic(text, view, sumKey)
      return send(r, text.text, text.contentType)
    }
    default:
      return send(r, JSON.stringify(statusObject(view, sumKey)), 'application/json')
  }
}

function send(r: Request, text: string, type: string): Verdict {
  return sendBytes(r, 200, Buffer.from(soundUtf8(text), 'latin1'), type)
}
