/** Answers of `vhost_traffic_status_display`: the pages, and `control` to reset or delete rows. */
import { GET, HEAD } from '../../../http/message/method.ts'
import type { Request } from '../../../http/request/request.ts'
import type { Verdict } from '../../../http/request/verdict.ts'
import { sendBytes } from '../../../http/response/send-text.ts'
import { Exposition } from '../../../http/status/exposition.ts'
import { toBinary } from '../../../lib/bytes.ts'
import { filtersObject, statusObject, upstreamsObject, zonesObject } from './json.ts'
import { ALONE, FILTER, GROUP, SEPARATOR, SERVER } from './numbers.ts'
import { HTML_PAGE } from './page.ts'
import { writeTraffic } from './prometheus.ts'
import { filtersOf, serversOf, type TrafficZone } from './zone.ts'

/** In what a page may be asked for. */
export const FORMATS = ['json', 'html', 'jsonp', 'prometheus'] as const
/** One of them. */
export type Format = (typeof FORMATS)[number]

/** What a location shows. */
export interface DisplayConf {
  readonly zone: TrafficZone
  readonly format: Format
  readonly callback: string
  readonly sumKey: string
}

/** Groups of rows by the names that `control` has for them. */
const GROUPS: ReadonlyMap<string, readonly string[]> = new Map([
  ['*', [SERVER, FILTER, GROUP, ALONE]],
  ['server', [SERVER]],
  ['filter', [FILTER]],
  ['upstream@group', [GROUP]],
  ['upstream@alone', [ALONE]],
])

/** Sends the page that the rest of the path asks for. */
export function display(r: Request, conf: DisplayConf): Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0) return 405
  const rest = r.uri.startsWith(r.location.name) ? r.uri.slice(r.location.name.length) : ''
  r.out.add('Cache-Control', 'no-cache')
  if (/\/?control$/.test(rest)) return control(r, conf)
  const asked = /format\/(\w+)\/?$/.exec(rest)?.[1]
  const format = asked === undefined ? conf.format : FORMATS.find((known) => known === asked)
  if (format === undefined) return 404
  return page(r, conf, format)
}

function page(r: Request, { zone, callback, sumKey }: DisplayConf, format: Format): Verdict {
  switch (format) {
    case 'html':
      return send(r, HTML_PAGE, 'text/html')
    case 'jsonp':
      return send(r, `${callback}(${JSON.stringify(statusObject(zone, sumKey))})`, 'application/javascript')
    case 'prometheus': {
      const text = new Exposition('')
      writeTraffic(text, zone, sumKey)
      return send(r, text.text, text.contentType)
    }
    default:
      return send(r, JSON.stringify(statusObject(zone, sumKey)), 'application/json')
  }
}

function send(r: Request, text: string, type: string): Verdict {
  return sendBytes(r, 200, Buffer.from(text, 'utf8'), type)
}

function control(r: Request, { zone, sumKey }: DisplayConf): Verdict {
  const words = new URLSearchParams(r.args)
  const [cmd, group, name] = [words.get('cmd') ?? '', words.get('group') ?? '', words.get('zone') ?? '*']
  const prefixes = GROUPS.get(group)
  if (cmd === 'status') return send(r, JSON.stringify(statusOf(zone, group, name, sumKey)), 'application/json')
  const changes = cmd === 'reset' || cmd === 'delete'
  let count = 0
  if (changes && prefixes !== undefined && zone.records !== undefined) {
    const rest = name === '*' ? '' : toBinary(name).replaceAll('@', SEPARATOR)
    for (const prefix of prefixes) count += zone.records.forget(prefix + rest, cmd === 'delete')
  }
  const done = { processingReturn: changes && count > 0, processingCommandString: cmd }
  const what = { processingGroupString: group, processingZoneString: name, processingCounts: count }
  return send(r, JSON.stringify({ ...done, ...what }), 'application/json')
}

function statusOf(zone: TrafficZone, group: string, name: string, sumKey: string): object {
  const one = (object: object): object => {
    if (name === '*') return object
    const found = (object as Readonly<Record<string, unknown>>)[name]
    return found === undefined ? {} : { [name]: found }
  }
  switch (group) {
    case 'server':
      return one(zonesObject(zone, serversOf(zone, sumKey)))
    case 'filter':
      return one(filtersObject(zone, filtersOf(zone)))
    case 'upstream@group':
    case 'upstream@alone':
      return one(upstreamsObject(zone))
    default:
      return statusObject(zone, sumKey)
  }
}
