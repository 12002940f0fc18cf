/** What became of a request as sections of lines, each with the place in the configuration that it is about. */
import type { Config } from '../../config/load.ts'
import type { Position } from '../../config/source.ts'
import { statusText } from '../../http/message/status.ts'
import type { LocationConf } from '../../http/request/location.ts'
import { type Advice, adviceFor } from './advice.ts'
import { whyLocation, whyServer } from './choices.ts'
import { familyOf, has, inForce, overridden, settingOf } from './places.ts'
import type { Told } from './recorder.ts'
import type { Answered } from './run.ts'
import { decodeSent } from './sent.ts'
import { attemptOf, FAILURES, type Supposition } from './supposition.ts'
import { surroundings } from './surroundings.ts'

const LEVELS = ['', 'emerg', 'alert', 'crit', 'error', 'warn', 'notice', 'info', 'debug'] as const

/** One line. */
export interface Line {
  readonly text: string
  readonly at?: Position | undefined
  /** It stands below the line before. */
  readonly inner?: boolean
  /** It is what decided the outcome, or a warning. */
  readonly weight?: 'cause' | 'warning'
}

/** Lines with what they are about. */
export interface Section {
  readonly title: string
  readonly lines: readonly Line[]
}

/** The whole answer. */
export interface Report {
  readonly request: string
  /** What comes of it, in one sentence. */
  readonly outcome: string
  /** Why, in one sentence, when it is no success. */
  readonly cause: Line | undefined
  readonly status: number
  /** What is easily overlooked. */
  readonly advice: readonly Advice[]
  readonly sections: readonly Section[]
}

/** Makes the report. */
export function reportOf(answered: Answered, config: Config): Report {
  const { question, status, stopped, told } = answered
  const { method, secure, host, port, target } = question
  const shown = port === (secure ? 443 : 80) ? host : `${host}:${port}`
  const request = `${method} ${secure ? 'https' : 'http'}://${shown}${target}`
  const sections = [
    section('listener', listenerLines(answered)),
    section('server', serverLines(answered)),
    ...phaseSections(told, answered),
    section('response', responseLines(answered)),
    section(
      'log',
      told.filter(isLog).map(({ text, at }) => ({ text: text.replace(/^log: /, ''), at })),
    ),
  ]
  return {
    request,
    outcome: outcomeOf(answered),
    cause: stopped === '' ? causeOf(answered) : { text: stopped, weight: 'cause' },
    status,
    advice: [...surroundings(answered, config), ...adviceFor(answered)],
    sections: sections.filter(({ lines }) => lines.length > 0),
  }
}

function section(title: string, lines: readonly Line[]): Section {
  return { title, lines }
}

const isLog = ({ text, depth }: Told): boolean => depth === 0 && text.startsWith('log: ')

function outcomeOf({ status, head, told, stopped }: Answered): string {
  if (stopped !== '') return 'no response'
  if (status === 0) return 'the connection is closed without a response'
  const location = fieldOf(head, 'location')
  const answer = statusText(status)
  if (location !== undefined && status >= 300 && status < 400) return `${answer}, to ${location}`
  const asked = told.findLast(({ kind, depth }) => kind === 'back end' && depth === 0)
  const file = told.findLast(({ kind, text, depth }) => kind === 'file' && depth === 0 && text.endsWith(': a file'))
  const handler = told.findLast(({ kind, depth }) => kind === 'handler' && depth === 0)?.text
  if (asked !== undefined && handler?.match(/proxy|grpc|cgi|uwsgi|memcached/)) return `${answer}, of ${asked.text}`
  if (file !== undefined && handler === 'http_static')
    return `${answer}, the file ${file.text.slice(0, -': a file'.length)}`
  return answer
}

function fieldOf(head: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1]
}

/** Kinds of what happened that a status comes from. */
const CAUSES: ReadonlySet<Told['kind']> = new Set(['decision', 'message', 'file', 'refused'])

/** The last thing that happened before the status was known. */
function causeOf({ told, status, location }: Answered): Line | undefined {
  const at = told.findIndex(({ kind, depth }) => kind === 'status' && depth === 0)
  if (at < 0 && (status < 300 || status === 304)) {
    // Nothing but a rule has answered.
    const handled = told.some(({ kind, depth }) => kind === 'handler' && depth === 0)
    const rule = handled ? undefined : told.findLast(({ text, depth }) => depth === 0 && text.startsWith('answers '))
    return rule === undefined ? undefined : { text: rule.text, at: rule.at, weight: 'cause' }
  }
  const before = (at < 0 ? told : told.slice(0, at)).filter(
    ({ kind, depth, text }) => CAUSES.has(kind) && depth === 0 && !/^(?:log|cache|compression)/.test(text),
  )
  const message = before.findLast(({ kind, level }) => kind === 'message' && (level ?? 0) <= 5)
  const decision = before.findLast(
    ({ kind, text }) => kind === 'decision' && /^(?:answers|redirects|denies)/.test(text),
  )
  const cause = decision ?? message ?? before.at(-1)
  if (cause === undefined)
    return location === undefined ? undefined : { text: 'its location decides', at: location.scope.at, weight: 'cause' }
  return { text: cause.text, at: cause.at ?? cause.location.scope.at, weight: 'cause' }
}

function listenerLines({ endpoint, others, question }: Answered): Line[] {
  const { spec, servers } = endpoint
  const protocols = [
    servers.ssl ? 'TLS' : 'plain HTTP',
    ...(servers.http2 ? ['HTTP/2'] : []),
    ...(servers.proxyProtocol ? ['PROXY protocol'] : []),
  ]
  const lines: Line[] = [{ text: `${spec.key}, ${protocols.join(', ')}`, at: spec.at }]
  if (!question.secure && servers.ssl)
    lines.push({ text: 'TLS is spoken here: plain HTTP is answered with 400 (497)', inner: true, weight: 'warning' })
  for (const { spec: other } of others)
    lines.push({ text: `also on this port: ${other.key}`, at: other.at, inner: true })
  return lines
}

function serverLines({ server, question, endpoint }: Answered): Line[] {
  if (server === undefined) return []
  const { text, at } = whyServer(server, question.host, endpoint)
  const name = server.name === '' ? 'without a name' : server.name
  return [
    { text: name, at: server.base.scope.at },
    { text, at, inner: true },
  ]
}

/** What happened, in order; a location begins a section of its own. */
function phaseSections(told: readonly Told[], answered: Answered): Section[] {
  const sections: Section[] = []
  let title = 'rules'
  const seen = new Set<LocationConf>()
  let lines: Line[] = []
  const close = (): void => {
    if (lines.length > 0) sections.push({ title, lines })
    lines = []
    title = 'phases'
  }
  for (const one of told) {
    if (isLog(one)) continue
    if (one.kind === 'location') {
      close()
      // Once is enough to say why.
      const lines = locationLines(one, answered)
      sections.push({
        title: one.depth > 0 ? 'subrequest' : 'location',
        lines: seen.has(one.location) ? lines.slice(0, 2) : lines,
      })
      seen.add(one.location)
    } else if (one.kind === 'back end') {
      close()
      sections.push({ title: one.depth > 0 ? 'asks (subrequest)' : 'back end', lines: backEndLines(one, answered) })
    } else if (one.kind !== 'field') lines.push(lineOf(one))
  }
  close()
  return sections
}

function lineOf({ kind, text, at, level, depth }: Told): Line {
  const inner = depth > 0
  switch (kind) {
    case 'redirect':
      return { text: `goes on inside the server at ${text}`, at, inner }
    case 'status':
      return { text: `status ${text}`, at, inner, weight: 'cause' }
    case 'handler':
      return { text: `handled by ${text}`, at, inner }
    case 'file':
      return { text: `looks for ${text}`, at, inner }
    case 'message':
      return {
        text: `error log: [${LEVELS[level ?? 0]}] ${text}`,
        at,
        inner,
        weight: (level ?? 0) <= 5 ? 'warning' : undefined,
      } as Line
    default:
      return { text, at, inner }
  }
}

function locationLines({ text: uri, location, at }: Told, { server }: Answered): Line[] {
  const named = at === undefined ? undefined : outermost(location)
  const { won, lost } = whyLocation(server?.locations ?? location.server.locations, uri, named)
  const lines: Line[] = [
    { text: named === undefined ? uri : shownName(named), at },
    { text: won, inner: true },
  ]
  for (const { text, at: place } of lost) lines.push({ text: `not ${text}`, at: place, inner: true })
  return lines
}

/** The location itself behind an `if` or `limit_except`. */
function outermost(location: LocationConf): LocationConf {
  let at = location
  while (at.pseudo && at.outer !== undefined) at = at.outer
  return at
}

function shownName({ name, regex, exact, noRegex }: LocationConf): string {
  return `${regex !== undefined ? '~ ' : exact ? '= ' : noRegex ? '^~ ' : ''}${name}`
}

/** Directives that set what is sent, by the scheme of the back end. */
const SETTERS: Readonly<Record<string, string>> = {
  http: 'proxy_set_header',
  https: 'proxy_set_header',
  grpc: 'grpc_set_header',
  grpcs: 'grpc_set_header',
  fastcgi: 'fastcgi_param',
  uwsgi: 'uwsgi_param',
  suwsgi: 'uwsgi_param',
  scgi: 'scgi_param',
}

function backEndLines(one: Told, { question, told }: Answered): Line[] {
  const { asked, location } = one
  const { url, group, peer, head, tls } = asked!
  const scheme = url.split(':', 1)[0]!
  const setter = SETTERS[scheme]
  const { scope } = location
  const pass = setter === undefined ? undefined : inForce(scope, `${setter.split('_', 1)[0]}_pass`).at(-1)
  const lines: Line[] = [{ text: url, at: pass?.at }]
  if (group !== peer) lines.push({ text: `group "${group}", server ${peer}`, inner: true })
  if (tls !== undefined)
    lines.push({
      text: tls === '' ? 'TLS, without a server name (SNI)' : `TLS, asking for "${tls}" (SNI)`,
      inner: true,
      ...(tls === '' ? { weight: 'warning' as const } : {}),
    })
  const { line, fields } = decodeSent(scheme, head)
  if (line !== '') lines.push({ text: line, inner: true })
  const given = setter === undefined ? [] : inForce(scope, setter)
  for (const [name, value] of fields)
    lines.push({
      text: `${name}: ${value}`,
      at: given.findLast((one) => nameOf(one.value) === name.toLowerCase())?.at,
      inner: true,
    })
  for (const { value, at } of setter === undefined ? [] : overridden(scope, setter)) {
    lines.push({
      text: `not sent: ${nameOf(value)}, since a nearer block has ${setter} of its own`,
      at,
      inner: true,
      weight: 'warning',
    })
  }
  if (question.supposed !== undefined) lines.push({ text: supposedText(one, told, question.supposed), inner: true })
  return lines
}

/** What was done in place of asking. */
function supposedText(one: Told, told: readonly Told[], supposition: Supposition): string {
  if (one.depth > 0) return 'nothing was sent: an answer with status 200 is supposed'
  const attempt = attemptOf(
    supposition,
    told.filter(({ kind, depth }) => kind === 'back end' && depth === 0).indexOf(one),
  )
  if (typeof attempt !== 'string') return `nothing was sent: an answer with status ${attempt.status} is supposed`
  const name = { 'connect-timeout': 'connect_timeout', timeout: 'read_timeout' }[attempt as string]
  const { url } = one.asked!
  const text = `nothing was sent: it is supposed that ${FAILURES[attempt].text}`
  if (name === undefined) return text
  const ms = Number(settingOf(one.location.scope, url, name))
  return `${text} for ${ms / 1000} s (${familyOf(url.split(':', 1)[0]!)}_${name})`
}

function nameOf(value: unknown): string {
  const { name } = value as { readonly name?: unknown }
  return typeof name === 'string' ? name.toLowerCase() : ''
}

function responseLines({ head, bodyBytes, location }: Answered): Line[] {
  if (head === '' || location === undefined) return []
  const [first = '', ...fields] = head.split('\r\n')
  const { scope } = location
  const given = inForce(scope, 'add_header')
  const lines: Line[] = [{ text: first }]
  for (const field of fields) {
    const name = field.slice(0, field.indexOf(':')).toLowerCase()
    lines.push({ text: field, at: given.find((one) => nameOf(one.value) === name)?.at, inner: true })
  }
  const sent = new Set(fields.map((field) => field.slice(0, field.indexOf(':')).toLowerCase()))
  for (const { value, at } of given) {
    if (!sent.has(nameOf(value)))
      lines.push({
        text: `not added: ${nameOf(value)}, since the status is none of those it is for (no "always"), or its value is empty`,
        at,
        inner: true,
        weight: 'warning',
      })
  }
  if (!has(scope, 'add_header_inherit', 'merge')) {
    for (const { value, at } of overridden(scope, 'add_header')) {
      lines.push({
        text: `not added: ${nameOf(value)}, since a nearer block has add_header of its own`,
        at,
        inner: true,
        weight: 'warning',
      })
    }
  }
  lines.push({ text: `${bodyBytes} bytes of body`, inner: true })
  return lines
}
