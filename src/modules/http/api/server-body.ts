/** A server of a group as it is given in JSON: what is there is laid over a server that is, or over the defaults. */
import { parseMilliseconds, parseSeconds } from '../../../config/units.ts'
import { parseAddress } from '../../../lib/address.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import type { PeerOptions } from '../../../upstream/peer-row.ts'
import { PEER_DEFAULTS } from '../../../upstream/registry.ts'
import type { ServerSpec } from '../../../upstream/server-line.ts'
import { type Problem, problem } from './answer.ts'
import { type JsonObject, readJson } from './json-body.ts'
import type { Ask } from './resource.ts'

const PORT_DEFAULT = 80
const ROUTE_SIZE_MAX = 32
const NUMBER_MAX = 2147483647

/** A server that is to be made. */
export const NEW_SERVER = undefined

const KNOWN: ReadonlySet<string> = new Set(
  'id server service weight max_conns max_fails fail_timeout slow_start route backup down drain parent host'.split(' '),
)

type Draft = { -readonly [K in keyof PeerOptions]: PeerOptions[K] }

/** Reads the body of a request. */
export function readServer(ask: Ask, group: PeerGroup, before: ServerSpec | undefined): ServerSpec | Problem {
  const given = readJson(ask.body)
  if ('code' in given) return given
  return shapeProblem(given, before) ?? build(given, group, before)
}

function shapeProblem(given: JsonObject, before: ServerSpec | undefined): Problem | undefined {
  for (const [name, value] of given) {
    if (!KNOWN.has(name)) return format(`unknown parameter "${name}"`)
    if (typeof value === 'object' && value !== null) return format('nested object or list')
  }
  if (before === undefined && !given.has('server')) return format('missing "server" argument')
  return undefined
}

function format(text: string): Problem {
  return problem(400, 'UpstreamConfFormatError', text)
}

function build(given: JsonObject, group: PeerGroup, before: ServerSpec | undefined): ServerSpec | Problem {
  const options: Draft = { ...(before?.options ?? PEER_DEFAULTS) }
  const wrong = readNumbers(given, options) ?? readTimes(given, options) ?? readFlags(given, options)
  if (wrong !== undefined) return wrong
  const route = given.get('route')
  if (route !== undefined) {
    if (typeof route !== 'string') return format('invalid "route" value')
    if (route.length > ROUTE_SIZE_MAX) return problem(400, 'UpstreamBadRoute', 'route is too long')
    options.route = route
  }
  const wanted = given.has('backup') ? flagOf(given.get('backup')) : false
  if (wanted === undefined) return format('invalid "backup" value')
  const backup = before?.backup ?? wanted
  return place(given, group, { backup, options }, before)
}

function readNumbers(given: JsonObject, options: Draft): Problem | undefined {
  if (given.has('weight')) {
    const weight = countOf(given.get('weight'))
    if (weight === undefined || weight === 0) return problem(400, 'UpstreamBadWeight', 'invalid "weight"')
    options.weight = weight
  }
  if (given.has('max_conns')) {
    const maxConns = countOf(given.get('max_conns'))
    if (maxConns === undefined) return problem(400, 'UpstreamBadMaxConns', 'invalid "max_conns"')
    options.maxConns = maxConns
  }
  if (given.has('max_fails')) {
    const maxFails = countOf(given.get('max_fails'))
    if (maxFails === undefined) return problem(400, 'UpstreamBadMaxFails', 'invalid "max_fails"')
    options.maxFails = maxFails
  }
  return undefined
}

/** A number, or one in quotes, as the dashboard of NGINX Plus sends it. */
function countOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= NUMBER_MAX
    ? number
    : undefined
}

/** The same for yes and no. */
function flagOf(value: unknown): boolean | undefined {
  if (value === 'true' || value === 'false') return value === 'true'
  return typeof value === 'boolean' ? value : undefined
}

function readTimes(given: JsonObject, options: Draft): Problem | undefined {
  const failTimeout = given.get('fail_timeout')
  if (failTimeout !== undefined) {
    const seconds = timeOf(failTimeout, parseSeconds)
    if (seconds === undefined) return problem(400, 'UpstreamBadFailTimeout', 'invalid "fail_timeout"')
    options.failTimeoutS = seconds
  }
  const slowStart = given.get('slow_start')
  if (slowStart !== undefined) {
    const ms = timeOf(slowStart, parseMilliseconds)
    if (ms === undefined) return problem(400, 'UpstreamBadSlowStart', 'invalid "slow_start"')
    options.slowStartMs = ms
  }
  return undefined
}

function timeOf(value: unknown, parse: (text: string) => number | undefined): number | undefined {
  const count = countOf(value)
  if (count !== undefined) return parse(String(count))
  return typeof value === 'string' ? parse(value) : undefined
}

function readFlags(given: JsonObject, options: Draft): Problem | undefined {
  if (given.has('down')) {
    const down = flagOf(given.get('down'))
    if (down === undefined) return format('invalid "down" value')
    options.down = down
    // Whoever is told to be up takes requests again.
    if (!down && !given.has('drain')) options.drain = false
  }
  if (given.has('drain')) {
    const drain = flagOf(given.get('drain'))
    if (drain === undefined) return format('invalid "drain" value')
    options.drain = drain
  }
  return undefined
}

/** Where the server is. */
function place(
  given: JsonObject,
  group: PeerGroup,
  rest: Pick<ServerSpec, 'backup' | 'options'>,
  before: ServerSpec | undefined,
): ServerSpec | Problem {
  const text = given.get('server')
  const service = given.get('service')
  if (service === '') return problem(400, 'UpstreamBadService', '"service" is empty')
  if (service !== undefined && typeof service !== 'string') return format('invalid "service" value')
  if (text !== undefined && typeof text !== 'string') return format('invalid "server" value')
  if (text === undefined || text === before?.text) {
    return before === undefined ? format('missing "server" argument') : { ...before, ...rest }
  }
  return addressed(text, service ?? '', group, rest)
}

function addressed(
  text: string,
  service: string,
  group: PeerGroup,
  rest: Pick<ServerSpec, 'backup' | 'options'>,
): ServerSpec | Problem {
  const bad = (why: string): Problem => problem(400, 'UpstreamBadAddress', why)
  if (/[\s;{}"'\\]/.test(text)) return bad('invalid "server" argument')
  const address = parseAddress(text, PORT_DEFAULT)
  if ('error' in address) return bad(`"${address.error}" while parsing`)
  const isName = address.kind === 'tcp' && address.family === 0
  if (service !== '') {
    if (address.kind === 'tcp' && address.hasPort) return bad(`service upstream "${text}" may not have port`)
    if (!isName) return bad(`service upstream "${text}" requires domain name`)
  }
  if (isName && !group.servers!.resolves) {
    return problem(400, 'UpstreamConfNoResolver', `no resolver defined to resolve ${text}`)
  }
  return { address, text, resolve: isName, service, ...rest }
}
