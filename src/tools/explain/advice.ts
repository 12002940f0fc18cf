/** What people overlook about one request, said at the top: each is a question that is asked often, with its answer. */

import type { Scope } from '../../config/scope.ts'
import type { Position } from '../../config/source.ts'
import { whyServer } from './choices.ts'
import { familyOf, inForce, overridden, settingOf } from './places.ts'
import type { Told } from './recorder.ts'
import type { Answered } from './run.ts'
import { decodeSent, type Sent } from './sent.ts'
import { attemptOf, conditionOf } from './supposition.ts'

/** One sentence. */
export interface Advice {
  readonly text: string
  readonly at: Position | undefined
}

interface Asking {
  readonly scheme: string
  readonly sent: Sent
  readonly scope: Scope
  readonly tls: string | undefined
  readonly told: Told
}

/** What is worth to be known about what became of a request, the weightiest first. */
export function adviceFor(answered: Answered): readonly Advice[] {
  const asking = askingOf(answered)
  return [
    ...redirects(answered),
    ...(asking === undefined ? [] : unmet(asking, answered)),
    ...failed(answered),
    ...caching(answered),
    ...notCompressed(answered),
    ...fieldsLost(answered),
    ...(asking === undefined ? [] : passing(asking, answered)),
    ...limits(answered),
    ...notNamed(answered),
    ...notLogged(answered),
  ]
}

function askingOf({ told }: Answered): Asking | undefined {
  const found = told.findLast(({ kind, depth }) => kind === 'back end' && depth === 0)
  if (found?.asked === undefined) return undefined
  const { url, head, tls } = found.asked
  const scheme = url.split(':', 1)[0]!
  return { scheme, tls, sent: decodeSent(scheme, head), scope: found.location.scope, told: found }
}

function requestField({ question }: Answered, name: string): string | undefined {
  return question.fields.find(([given]) => given.toLowerCase() === name)?.[1]
}

function sentField({ sent }: Asking, name: string): string | undefined {
  return sent.fields.find(([given]) => given.toLowerCase() === name)?.[1]
}

/** What the client wants and the back end will not hear of, or cannot give. */
function unmet(asking: Asking, answered: Answered): Advice[] {
  const advice: Advice[] = []
  const { scheme, scope, tls } = asking
  const pass = inForce(scope, `${familyOf(scheme)}_pass`).at(-1)?.at
  const add = (text: string, at: Position | undefined = pass): void => void advice.push({ text, at })
  if (requestField(answered, 'upgrade') !== undefined && sentField(asking, 'upgrade') === undefined) {
    add(
      'Upgrade is not passed on, so no WebSocket can begin: proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
    )
  }
  if (requestField(answered, 'accept')?.includes('text/event-stream') === true && buffers(scope, scheme)) {
    add('events are kept back until a buffer is full: proxy_buffering off; for this location')
  }
  if (tls === '' && /^(?:https|grpcs)$/.test(scheme)) {
    add(
      `TLS asks for no server name (SNI), and back ends with several certificates refuse that: ${familyOf(scheme)}_ssl_server_name on;`,
    )
  }
  if (familyOf(scheme) === 'fastcgi') {
    const script = sentField(asking, 'script_filename')
    if (script === undefined || script === '') add('SCRIPT_FILENAME is not sent: php-fpm will say "File not found."')
  }
  return advice
}

/** How the request changes on its way. */
function passing(asking: Asking, answered: Answered): Advice[] {
  const advice: Advice[] = []
  const { scheme, scope } = asking
  const pass = inForce(scope, `${familyOf(scheme)}_pass`).at(-1)?.at
  const add = (text: string, at: Position | undefined = pass): void => void advice.push({ text, at })
  const lost = overridden(scope, `${familyOf(scheme)}_set_header`)
  if (lost.length > 0) {
    const names = lost.map(({ value }) => (value as { name: string }).name).join(', ')
    const are = lost.length === 1 ? 'is' : 'are'
    add(
      `${names} of the blocks around ${are} not sent, since a nearer block has ${familyOf(scheme)}_set_header of its own`,
      lost[0]!.at,
    )
  }
  const path = asking.sent.line.split(' ')[1] ?? ''
  const { target } = answered.question
  if (scheme === 'http' || scheme === 'https') {
    if (path !== target)
      add(
        `the back end is asked for ${path}, not for ${target}: the URI of proxy_pass takes the place of the location's name`,
      )
    if (/\/\/|(\/[^/?]+)\1(?:\/|$)/.test(path) && !/\/\/|(\/[^/?]+)\1(?:\/|$)/.test(target))
      add(`slashes or a part of the path are doubled in ${path}: compare the last slash of location and proxy_pass`)
  }
  const host = sentField(asking, 'host')
  if (host !== undefined && answered.question.host !== host.replace(/:\d+$/, '') && familyOf(scheme) === 'proxy') {
    add(`the back end sees Host: ${host}, not ${answered.question.host}: proxy_set_header Host $host;`)
  }
  return advice
}

function buffers(scope: Scope, scheme: string): boolean {
  const last = inForce(scope, `${familyOf(scheme)}_buffering`).at(-1)
  return last === undefined || last.value === true
}

function fieldsLost({ location, head }: Answered): Advice[] {
  if (location === undefined || head === '') return []
  const lost = overridden(location.scope, 'add_header').filter(
    () => !inForce(location.scope, 'add_header_inherit').some(({ value }) => value === 'merge'),
  )
  const names = (list: readonly { readonly value: unknown }[]): string =>
    list.map(({ value }) => (value as { name: string }).name).join(', ')
  const advice: Advice[] = []
  if (lost.length > 0) {
    advice.push({
      text: `${names(lost)} of the blocks around ${lost.length === 1 ? 'is' : 'are'} not added, since a nearer block has add_header of its own`,
      at: lost[0]!.at,
    })
  }
  const lines = head.toLowerCase().split('\r\n')
  const missing = inForce(location.scope, 'add_header').filter(({ value }) => {
    const { name, always } = value as { name: string; always: boolean }
    return !always && !lines.some((line) => line.startsWith(`${name.toLowerCase()}:`))
  })
  if (missing.length > 0 && /^HTTP\/[\d.]+ (?!20[0146]|30[123478])/.test(head)) {
    advice.push({
      text: `${names(missing)} ${missing.length === 1 ? 'is' : 'are'} not added to this status without "always"`,
      at: missing[0]!.at,
    })
  }
  const twice = lines.filter((line) => line.startsWith('access-control-allow-origin:'))
  if (twice.length > 1) {
    const at = inForce(location.scope, 'add_header').find(
      ({ value }) => (value as { name: string }).name.toLowerCase() === 'access-control-allow-origin',
    )?.at
    advice.push({
      text: 'Access-Control-Allow-Origin is there twice, which browsers refuse: the back end sends it too',
      at,
    })
  }
  return advice
}

function notCompressed(answered: Answered): Advice[] {
  if (requestField(answered, 'accept-encoding') === undefined) return []
  const said = answered.told.filter(({ text, depth }) => depth === 0 && text.startsWith('compression'))
  const taken = said.some(({ text }) => text.endsWith('the client takes it'))
  return taken
    ? []
    : said.slice(-1).map(({ text, location }) => ({ text, at: inForce(location.scope, 'gzip').at(-1)?.at }))
}

function caching({ told }: Answered): Advice[] {
  return told
    .filter(({ text, depth }) => depth === 0 && /^cache: (?:not|bypassed)/.test(text))
    .map(({ text, location, at }) => ({ text, at: at ?? inForce(location.scope, 'proxy_cache').at(-1)?.at }))
}

function redirects({ head, question, status, location }: Answered): Advice[] {
  if (status < 300 || status > 399 || status === 304 || location === undefined) return []
  const to = /^Location: (.*?)\r?$/im.exec(head)?.[1] ?? ''
  const { secure, host, port, target } = question
  const self = [
    `${secure ? 'https' : 'http'}://${host}${target}`,
    `${secure ? 'https' : 'http'}://${host}:${port}${target}`,
  ]
  const at = location.scope.at
  if (self.includes(to)) return [{ text: 'the redirect leads to the same URL again: it never ends', at }]
  if (!secure && to === `https://${host}${target}`) {
    const forwarded = question.fields.find(([name]) => name.toLowerCase() === 'x-forwarded-proto')?.[1]
    if (forwarded === 'https')
      return [
        {
          text: 'the client speaks HTTPS to a proxy before this server, which sees HTTP ($scheme) and redirects for ever: look at $http_x_forwarded_proto',
          at,
        },
      ]
  }
  return []
}

/** Conditions that lists of failures have words for. */
const CONDITIONS: ReadonlySet<string> = new Set([
  'error',
  'timeout',
  'invalid_header',
  ...[500, 502, 503, 504, 403, 404, 429].map((status) => `http_${status}`),
])
/** Methods of requests that may have had an effect. */
const UNSAFE: ReadonlySet<string> = new Set(['POST', 'LOCK', 'PATCH'])
const PRIVATE = /^(?:10\.|127\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|f[cd]|::1$)/

/** A limit that counts what may be one proxy for everybody. */
function limits({ told, question }: Answered): Advice[] {
  const one = told.find(
    ({ text, depth }) => depth === 0 && /^counted by its key \$(?:binary_)?remote_addr\b/.test(text),
  )
  if (one === undefined || !PRIVATE.test(question.from)) return []
  const proxied = question.fields.some(([name]) => /^(?:x-forwarded-for|x-real-ip|via|forwarded)$/i.test(name))
  if (!proxied && question.from.startsWith('127.')) return []
  return [{ text: `${one.text}: all clients of a proxy before this server share it (set_real_ip_from)`, at: one.at }]
}

/** A back end has failed: who else would be asked, whether an expired response would do, what the error page comes to. */
function failed({ told, question }: Answered): Advice[] {
  const asked = told.filter(({ kind, depth }) => kind === 'back end' && depth === 0)
  // Behind a redirect another location asks for something else.
  const last = asked.filter(({ location }) => location === asked[0]!.location).at(-1)
  if (last?.asked === undefined || question.supposed === undefined) return []
  const condition = conditionOf(attemptOf(question.supposed, asked.indexOf(last)))
  if (condition === '') return []
  const { scope } = last.location
  const { url, group, peer } = last.asked
  const family = familyOf(url.split(':', 1)[0]!)
  const advice: Advice[] = []
  const listed = (name: string): readonly string[] =>
    (settingOf(scope, url, name) as readonly string[] | undefined) ?? []
  const placeOf = (name: string): Position | undefined => inForce(scope, `${family}_${name}`).at(-1)?.at
  // A single server is nobody's neighbour.
  if (CONDITIONS.has(condition) && group !== peer) {
    const next = listed('next_upstream')
    const at = placeOf('next_upstream')
    if (!next.includes(condition))
      advice.push({ text: `no other server is asked after this: ${family}_next_upstream lacks ${condition}`, at })
    else if (UNSAFE.has(question.method) && !next.includes('non_idempotent'))
      advice.push({
        text: `no other server is asked: ${question.method} may have had an effect (${family}_next_upstream ... non_idempotent)`,
        at,
      })
  }
  const cache = inForce(scope, `${family}_cache`).at(-1)
  if (cache !== undefined && cache.value !== 'off') {
    const stale = listed('cache_use_stale').includes(condition)
    advice.push({
      text: stale
        ? `with an expired response in the cache, clients get that instead (${family}_cache_use_stale ${condition})`
        : `an expired response in the cache is not used: ${family}_cache_use_stale lacks ${condition}`,
      at: placeOf('cache_use_stale') ?? cache.at,
    })
  }
  return [...advice, ...errorPageAsked(told.slice(told.indexOf(last)))]
}

/** An error page that the back end is to make which has just failed. */
function errorPageAsked(told: readonly Told[]): Advice[] {
  const redirect = told.findIndex(({ kind, depth }) => kind === 'redirect' && depth === 0)
  const handler = told.slice(redirect + 1).find(({ kind, depth }) => kind === 'handler' && depth === 0)
  if (redirect < 0 || handler === undefined || !/proxy|grpc|cgi|uwsgi|memcached/.test(handler.text)) return []
  const page = told[redirect]!.text
  return [
    {
      text: `the error page ${page} is asked of a back end, too: give it a location that has the file`,
      at: handler.location.scope.at,
    },
  ]
}

/** The client asked for a name that no server has, and there are several. */
function notNamed({ server, question, endpoint }: Answered): Advice[] {
  if (server === undefined || !endpoint.servers.hasNames) return []
  const { text, at } = whyServer(server, question.host, endpoint)
  return text.startsWith('no server_name') ? [{ text, at }] : []
}

function notLogged({ told }: Answered): Advice[] {
  const one = told.find(({ text, depth }) => depth === 0 && text.startsWith('not logged'))
  return one === undefined ? [] : [{ text: one.text, at: inForce(one.location.scope, 'access_log').at(-1)?.at }]
}
