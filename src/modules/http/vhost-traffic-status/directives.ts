/** The directives of nginx-module-vts. */
import { bits, flag, oneOf, raw, text } from '../../../config/args.ts'
import { mapped, optional } from '../../../config/combine.ts'
import { type Context, directive, directives } from '../../../config/directive.ts'
import { fullName } from '../../../config/include.ts'
import { parseMilliseconds, parseNumber, parseOffset, parseSize } from '../../../config/units.ts'
import { readTemplate, type Template } from '../../../value/template.ts'
import { variableName } from '../../../value/variable-name.ts'
import { FORMATS } from './display.ts'
import type { DumpSpec } from './dump.ts'
import { type Averaging, BUCKETS_MAX, MEMBERS, type StatusCodes } from './numbers.ts'

const IN: readonly Context[] = ['http', 'server', 'location']
const SHOWN: readonly Context[] = ['server', 'location']
const ZONE_NAME = 'ngx_http_vhost_traffic_status'
const ZONE_SIZE = 1048576
const ZONE_SIZE_MIN = 32768
const CODE = 503
const MS_PER_SECOND = 1000
const DUMP_PERIOD_MS = 60_000
const AVERAGE_PERIOD_MS = 60_000

/** A zone as it is declared. */
export interface ZoneSpec {
  readonly name: string
  readonly size: number
}

const zoneArgs = mapped(raw('[shared:name:size]', { max: 1 }), ([word], _, at): ZoneSpec => {
  if (word === undefined) return { name: ZONE_NAME, size: ZONE_SIZE }
  const [, name, sizeText] = /^shared:([^:]+):(.+)$/.exec(word.text) ?? []
  const size = sizeText === undefined ? undefined : parseSize(sizeText)
  if (name === undefined || size === undefined) return at.fail(`invalid shared size "${word.text}"`, word)
  return size < ZONE_SIZE_MIN ? at.fail(`shared "${word.text}" is too small`, word) : { name, size }
})

/** What a filter counts by, and the group that its rows are shown in. */
export interface FilterSpec {
  readonly key: Template
  readonly group: Template | undefined
}

const filterArgs = mapped(raw('key [name]', { min: 1, max: 2 }), ([key, group], _, at): FilterSpec => {
  return { key: readTemplate(key!, at), group: group === undefined ? undefined : readTemplate(group, at) }
})

/** A limit on a number of a row: that of the request's server, or of the row that `key` names. */
export interface LimitSpec {
  readonly key: Template | undefined
  readonly member: number
  readonly most: number
  readonly code: number
}

function limitArgs(keyed: boolean) {
  const skip = keyed ? 1 : 0
  const syntax = `${keyed ? 'key ' : ''}member:size [code]`
  return mapped(raw(syntax, { min: 1 + skip, max: 2 + skip }), (words, _, at): LimitSpec => {
    const [member, size] = words[skip]!.text.split(':')
    const field = MEMBERS.get(member ?? '')
    const most = size === undefined ? undefined : parseOffset(size)
    if (field === undefined || most === undefined) {
      return at.fail(`invalid limit "${words[skip]!.text}"`, words[skip], `members: ${[...MEMBERS.keys()].join(', ')}`)
    }
    const codeWord = words[skip + 1]
    const code = codeWord === undefined ? CODE : (parseNumber(codeWord.text) ?? 0)
    if (code < 400 || code > 599) at.fail(`invalid code "${codeWord?.text}"`, codeWord)
    return { key: keyed ? readTemplate(words[0]!, at) : undefined, member: field, most, code }
  })
}

const buckets = mapped(raw('second ...', { min: 1, max: BUCKETS_MAX }), (words, _, at): readonly number[] => {
  return words.map((word) => {
    const ms = Math.round(Number(word.text) * MS_PER_SECOND)
    return ms > 0 ? ms : at.fail(`invalid parameter "${word.text}"`, word)
  })
})

/** How many rows filters may have, and the beginnings of the groups that this is about; none: all. */
interface FilterMax {
  readonly most: number
  readonly groups: readonly string[]
}

const filterMax = mapped(raw('number [string ...]', { min: 1 }), ([count, ...groups], _, at): FilterMax => {
  const most = parseNumber(count!.text) ?? at.fail(`invalid number of filter_max_node "${count!.text}"`, count)
  return { most, groups: groups.map((word) => word.text) }
})

const dump = mapped(raw('path [period]', { min: 1, max: 2 }), ([path, period], _, at): DumpSpec => {
  const periodMs = period === undefined ? DUMP_PERIOD_MS : parseMilliseconds(period.text)
  if (!periodMs) return at.fail(`invalid parameter "${period?.text}"`, period)
  return { path: fullName(path!.text, at.prefix), periodMs }
})

const averaging = mapped(raw('AMM | WMA [period]', { min: 1, max: 2 }), ([method, period], _, at): Averaging => {
  const name = method!.text.toUpperCase()
  if (name !== 'AMM' && name !== 'WMA') return at.fail(`invalid parameter "${method!.text}"`, method)
  const periodMs = period === undefined ? AVERAGE_PERIOD_MS : parseMilliseconds(period.text)
  if (periodMs === undefined) return at.fail(`invalid parameter "${period?.text}"`, period)
  return { periodMs, weighted: name === 'WMA' }
})

const codes = mapped(raw('all | code ...'), (words, _, at): StatusCodes => {
  if (words.length === 0) return undefined
  if (words[0]!.text === 'all') return 'all'
  const list = words.map((word) => {
    const code = parseNumber(word.text)
    if (!code) return at.fail(`invalid parameter "${word.text}"`, word)
    return code < 100 || code > 599 ? at.fail(`invalid status_code "${word.text}"`, word) : code
  })
  if (list.some((code, n) => n > 0 && code < list[n - 1]!)) return at.fail('status codes must be ordered')
  return [...new Set(list)]
})

/** A variable, and which number it gets: `group/zone/name`. */
interface SetSpec {
  readonly variable: string
  readonly named: Template
}

const setArgs = mapped(raw('$variable group/zone/name', { min: 2, max: 2 }), ([variable, named], _, at): SetSpec => {
  return { variable: variableName(variable!, at), named: readTemplate(named!, at) }
})

// tidy: a list that is made once
const format = oneOf(...FORMATS)

/** All of them. */
export const trafficDirectives = {
  vhost_traffic_status: directive({ in: IN, args: flag, doc: 'Counts requests; on where there is a zone.' }),
  vhost_traffic_status_zone: directive({ in: ['http'], args: zoneArgs, doc: 'Memory for what is counted.' }),
  vhost_traffic_status_filter: directive({ in: IN, args: flag, default: 'on', doc: 'Counts by filters, too.' }),
  vhost_traffic_status_filter_by_host: directive({
    in: IN,
    args: flag,
    default: 'off',
    doc: 'Counts by the host that is asked for in place of the name of the server.',
  }),
  vhost_traffic_status_filter_by_set_key: directives({
    in: IN,
    args: filterArgs,
    doc: 'Counts by a text with variables, shown in a group.',
  }),
  vhost_traffic_status_filter_max_node: directive({
    in: ['http'],
    args: filterMax,
    doc: 'Most rows of filters, all or those whose groups begin so; those used longest ago go.',
  }),
  vhost_traffic_status_filter_check_duplicate: directive({
    in: IN,
    args: flag,
    default: 'on',
    doc: 'Counts once by filters that stand twice.',
  }),
  vhost_traffic_status_limit: directive({ in: IN, args: flag, default: 'on', doc: 'Limits requests.' }),
  vhost_traffic_status_limit_traffic: directives({
    in: IN,
    args: limitArgs(false),
    doc: 'Refuses requests when a number of their server has been reached.',
  }),
  vhost_traffic_status_limit_traffic_by_set_key: directives({
    in: IN,
    args: limitArgs(true),
    doc: 'Refuses requests when a number of the row that a key names has been reached: `FG@group@name`.',
  }),
  vhost_traffic_status_limit_check_duplicate: directive({
    in: IN,
    args: flag,
    default: 'on',
    doc: 'Of limits on the same number only the first holds.',
  }),
  vhost_traffic_status_bypass_limit: directive({ in: IN, args: flag, default: 'off', doc: 'Does not limit here.' }),
  vhost_traffic_status_bypass_stats: directive({ in: IN, args: flag, default: 'off', doc: 'Does not count here.' }),
  vhost_traffic_status_stats_by_upstream: directive({
    in: ['http'],
    args: flag,
    default: 'on',
    doc: 'Counts by back ends.',
  }),
  vhost_traffic_status_display: directive({
    in: SHOWN,
    args: mapped(optional(format), (given) => ({ format: given })),
    inheritance: 'pseudo',
    doc: 'Answers with what was counted; below it stand `/format/json` and others, and `/control`.',
  }),
  vhost_traffic_status_display_format: directive({
    in: SHOWN,
    args: format,
    default: 'json',
    doc: 'What the page is when its path does not say.',
  }),
  vhost_traffic_status_display_jsonp: directive({
    in: SHOWN,
    args: text('callback'),
    default: 'ngx_http_vhost_traffic_status_jsonp_callback',
    doc: 'The function that JSONP calls.',
  }),
  vhost_traffic_status_display_sum_key: directive({
    in: SHOWN,
    args: text('name'),
    default: '*',
    doc: 'The name that all servers together are shown under.',
  }),
  vhost_traffic_status_average_method: directive({
    in: IN,
    args: averaging,
    default: 'AMM 60s',
    doc: 'How averages are made of the last 64 times that are not older than a period: equally (AMM), or newer ones count for more (WMA).',
  }),
  vhost_traffic_status_histogram_buckets: directive({
    in: IN,
    args: buckets,
    doc: 'Bounds of histograms in seconds.',
  }),
  vhost_traffic_status_dump: directive({
    in: ['http'],
    args: dump,
    doc: 'A file that keeps what was counted over restarts, and how often it is written.',
  }),
  vhost_traffic_status_set_by_filter: directives({
    in: [...IN, 'if'],
    args: setArgs,
    doc: 'Makes a variable of a number that was counted: `server/example.org/requestCounter`.',
  }),
  vhost_traffic_status_measure_status_codes: directive({
    in: ['http'],
    args: codes,
    doc: 'Statuses that are counted one by one; all others are counted together.',
  }),
  vhost_traffic_status_ignore_status: directive({
    in: IN,
    args: bits('1xx', '2xx', '3xx', '4xx', '5xx', 'off'),
    default: 'off',
    doc: 'Requests that end with such a status are not counted.',
  }),
}
