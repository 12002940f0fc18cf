/** ngx_http_upstream_module: groups of servers, and the `$upstream_*` variables that tell what was asked of them. */
import { milliseconds, number, raw, size, text } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type BlockValue, block, directive, directives, type ScopeView } from '../../../config/directive.ts'
import type { Position } from '../../../config/source.ts'
import { parseNumber, parseSize } from '../../../config/units.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import { httpModule } from '../../../http/compile/module.ts'
import { trailerOf } from '../../../http/exchange/trailers.ts'
import { type Attempt, timeText } from '../../../http/request/attempts.ts'
import type { Request } from '../../../http/request/request.ts'
import { formatHttpDate } from '../../../lib/http-date.ts'
import { ZONE_SIZE_MIN, Zone } from '../../../shared/zone.ts'
import { PeerGroup } from '../../../upstream/group.ts'
import { PEER_ROW } from '../../../upstream/peer-row.ts'
import type { PoolOptions } from '../../../upstream/pool.ts'
import { UpstreamRegistry } from '../../../upstream/registry.ts'
import { serverLine } from '../../../upstream/server-line.ts'
import { stateFile } from '../../../upstream/state-file.ts'
import type { Getter, Variables } from '../../../value/variables.ts'
import { attachCheck, attachCheckStatus, checkDirectives, hasCheck } from './health/check.ts'
import {
  attachHealth,
  attachLocationHealth,
  hasHealthCheck,
  healthChecks,
  healthDirectives,
  noteMatches,
} from './health/health-check.ts'
import { compileKey, methodDirectives, methodOf } from './methods.ts'
import { attachQueue, queueDirectives } from './queue.ts'
import { warnOfResolver } from './resolve.ts'
import { attachGauges, givenServers, makeServers } from './servers.ts'
import { attachSticky, stickyDirectives } from './sticky.ts'

/** `keepalive connections [local]`. */
const keepalive = mapped(raw('connections [local]', { min: 1, max: 2 }), ([count, local], _, at) => {
  const max = parseNumber(count!.text)
  if (max === undefined) return at.fail(`invalid value "${count!.text}" in "keepalive" directive`, count)
  if (local !== undefined && local.text !== 'local') return at.fail(`invalid parameter "${local.text}"`, local)
  return { max, local: local !== undefined }
})

/** `zone name [size]`; size 0: declared by another group. */
interface ZoneName {
  readonly name: string
  readonly size: number
}
const ZONE_KIND = 'upstream'

const zoneName = mapped(raw('name [size]', { min: 1, max: 2 }), ([name, given], _, at): ZoneName => {
  if (name!.text === '') return at.fail('invalid zone name ""', name)
  if (given === undefined) return { name: name!.text, size: 0 }
  const size = parseSize(given.text)
  if (size === undefined) return at.fail(`invalid zone size "${given.text}"`, given)
  if (size < ZONE_SIZE_MIN) return at.fail(`zone "${name!.text}" is too small`, given)
  return { name: name!.text, size }
})

const server = serverLine(80)

/** The directives inside `upstream`. */
const groupDirectives = {
  zone: directive({
    in: ['upstream'],
    args: zoneName,
    duplicate: false,
    doc: 'Shared memory for the state of the group: connections, failures and averages of all workers together.',
  }),
  server: directives({ in: ['upstream'], args: server, doc: 'A server of the group.' }),
  state: directive({
    in: ['upstream'],
    args: stateFile(server),
    doc: 'A file with the servers of the group, instead of `server` lines: for groups that are changed while they serve.',
  }),
  keepalive: directive({
    in: ['upstream'],
    args: keepalive,
    default: '32 local',
    doc: 'Idle connections to the group that each worker keeps; `local`: each location keeps its own.',
  }),
  keepalive_requests: directive({
    in: ['upstream'],
    args: number('number'),
    default: '1000',
    doc: 'Most requests over one connection.',
  }),
  keepalive_time: directive({
    in: ['upstream'],
    args: milliseconds,
    default: '1h',
    doc: 'Longest life of a connection.',
  }),
  keepalive_timeout: directive({
    in: ['upstream'],
    args: milliseconds,
    default: '60s',
    doc: 'How long an idle connection is kept.',
  }),
}

const outer = {
  upstream: block({ in: ['http'], args: text('name'), opens: 'upstream', doc: 'A group of servers.' }),
  upstream_fair_shm_size: directive({
    in: ['http'],
    args: size,
    doc: 'Memory for the counts of `fair`.',
    withoutEffect: 'the counts are in the zone of the group',
  }),
}

/** The groups of a tree; made by the first who asks. */
const UPSTREAMS = 'upstreams'

const allDirectives = {
  ...outer,
  ...groupDirectives,
  ...methodDirectives,
  ...stickyDirectives,
  ...queueDirectives,
  ...healthDirectives,
  ...checkDirectives,
}

/** `upstream` blocks and what stands in them. */
export const upstreamModule = httpModule({
  name: 'http_upstream',
  doc: 'Groups of back ends.',
  directives: allDirectives,
  variables: variables(),
  prefixes: {
    upstream_http_: (rest) => (r) => upstreamField(r, rest),
    upstream_trailer_: (rest) => (r) => trailerOf(r.conversation?.responseTrailers ?? '', rest),
    upstream_cookie_: (rest) => (r) => upstreamCookie(r, rest),
  },
  *init(conf, tree) {
    noteMatches(conf, tree)
    const made: { readonly name: string; readonly group: PeerGroup | undefined; readonly at: Position }[] = []
    for (const block of conf.upstream) {
      yield
      made.push({ name: block.args, group: makeGroup(block, tree), at: block.at })
    }
    // Behind the names: they inherit servers first, whose connections are then taken over.
    const registry = tree.shared(UPSTREAMS, () => new UpstreamRegistry())
    for (const { name, group, at } of made) {
      if (group !== undefined && !registry.add(group)) tree.fail(`duplicate upstream "${name}"`, at)
    }
    const checks = healthChecks(tree)
    tree.onStart(() => checks.forgetOthers(made.flatMap(({ group }) => group ?? [])))
    tree.onExit(() => registry.close())
  },
  attach(conf, plan, at) {
    attachLocationHealth(conf, at)
    attachCheckStatus(plan, at)
  },
})

type UpstreamBlock = Pick<BlockValue<string, unknown>, 'args' | 'scope' | 'at' | 'close'>

function makeGroup(block: UpstreamBlock, tree: HttpTree): PeerGroup | undefined {
  const { args: name, scope } = block
  const conf = scope.resolve(groupDirectives)
  const lines = conf.state?.servers ?? conf.server
  if (conf.state !== undefined && conf.server.length > 0) {
    tree.fail('"server" cannot be used together with "state"', conf.server[0]!.at)
  }
  if (lines.length === 0 && conf.state === undefined) {
    tree.fail('no servers are inside upstream', block.close)
    return undefined
  }
  const given = givenServers(lines, tree)
  if (given.length === 0 && conf.state === undefined) return undefined
  if (lines.every((line) => line.backup) && conf.state === undefined) {
    tree.fail(`no servers in upstream "${name}" in ${block.at.file}:${block.at.line}`)
    return undefined
  }
  const names = lines.filter((line) => line.resolve)
  if (names.length > 0) warnOfResolver(name, names[0]!.at, scope, tree)
  const place = conf.zone ?? ownZone(name, given.length - names.length, names.length, scope)
  const zone = zoneOf(place, tree, scope)
  const servers = makeServers(name, given, { zone, place: conf.zone, statePath: conf.state?.path ?? '' }, scope, tree)
  const method = methodOf(scope, tree)
  const group = new PeerGroup(name, servers.peers, servers.backups, method.make, poolOptions(conf))
  group.lock = zone?.lock
  group.zone = conf.zone?.name
  group.servers = servers
  servers.join(group)
  tree.onExit(() => servers.stop())
  attachSticky(group, scope, tree)
  attachQueue(group, scope)
  if (conf.zone !== undefined) attachGauges(group, tree)
  attachHealth(group, scope, tree)
  attachCheck(group, scope, tree)
  // Variables of the key may be declared anywhere in the configuration.
  tree.afterAttach(() => {
    group.key = compileKey(method.key, tree)
  })
  return group
}

/** What one worker finds out all have to know: without a `zone` the group gets one where there is something to find out. */
function ownZone(name: string, servers: number, names: number, scope: ScopeView): ZoneName | undefined {
  if (names === 0 && !hasCheck(scope) && !hasHealthCheck(scope)) return undefined
  // Twice the rows, for the servers before and after a reload.
  const needed = ZONE_SIZE_MIN + servers * 2 * PEER_ROW * 4 + names * SIZE_PER_NAME
  return { name: `servers of ${name}`, size: Math.ceil(needed / ZONE_SIZE_MIN) * ZONE_SIZE_MIN }
}

/** Room for some hundred servers behind a name that is looked up while serving. */
const SIZE_PER_NAME = 65536

/** The zone of a group, where there is memory for it: in workers. */
function zoneOf(zone: ZoneName | undefined, tree: HttpTree, scope: ScopeView): Zone | undefined {
  const buffer = zone === undefined ? undefined : tree.zone(zone.name, zone.size, ZONE_KIND, scope.at)
  return buffer === undefined ? undefined : Zone.attach(zone!.name, buffer, ZONE_KIND)
}

function poolOptions(conf: {
  readonly keepalive: { readonly max: number; readonly local: boolean }
  readonly keepalive_requests: number
  readonly keepalive_time: number
  readonly keepalive_timeout: number
}): PoolOptions | undefined {
  const { max, local } = conf.keepalive
  if (max === 0) return undefined
  return {
    max,
    local,
    requestsMax: conf.keepalive_requests,
    timeMs: conf.keepalive_time,
    timeoutMs: conf.keepalive_timeout,
  }
}

function variables(): Variables<Request> {
  const joined =
    (value: (attempt: Attempt) => string): Getter<Request> =>
    (r) =>
      r.conversation?.attempts.join(value)
  return {
    upstream_addr: joined((a) => a.address),
    upstream_last_addr: (r) => r.conversation?.attempts.last?.address,
    upstream_last_server_name: (r) => r.conversation?.attempts.last?.server || undefined,
    upstream_status: joined((a) => (a.status === 0 ? '-' : String(a.status))),
    upstream_queue_time: joined((a) => timeText(a.queueMs)),
    upstream_connect_time: joined((a) => timeText(a.connectMs)),
    upstream_header_time: joined((a) => timeText(a.headerMs)),
    upstream_response_time: joined((a) => timeText(a.responseMs)),
    upstream_response_length: joined((a) => String(a.responseLength)),
    upstream_bytes_received: joined((a) => String(a.bytesReceived)),
    upstream_bytes_sent: joined((a) => String(a.bytesSent)),
    upstream_cache_status: (r) => r.conversation?.caching?.statusText,
    upstream_cache_key: (r) => r.conversation?.caching?.key || undefined,
    upstream_cache_last_modified: (r) => {
      const seconds = r.conversation?.caching?.lastModified ?? -1
      return seconds < 0 ? undefined : formatHttpDate(seconds)
    },
    upstream_cache_etag: (r) => r.conversation?.caching?.etag || undefined,
    upstream_cache_age: (r) => {
      const seconds = r.conversation?.caching?.age ?? -1
      return seconds < 0 ? undefined : String(seconds)
    },
  }
}

function upstreamField(r: Request, name: string): string | undefined {
  const headers = r.conversation?.responseFields
  if (headers === undefined) return undefined
  let found: string | undefined
  for (let i = headers.findVariable(name); i >= 0; i = headers.findVariable(name, i + 1)) {
    found = found === undefined ? headers.value(i) : `${found}, ${headers.value(i)}`
  }
  return found
}

/** The value of a cookie that the back end set (ngx_http_parse_set_cookie_lines): only spaces may stand around it. */
function upstreamCookie(r: Request, name: string): string | undefined {
  const headers = r.conversation?.responseFields
  if (headers === undefined) return undefined
  for (let i = headers.findVariable('set_cookie'); i >= 0; i = headers.findVariable('set_cookie', i + 1)) {
    const [, given, value] = /^([^=; ]+) *= *([^;]*?) *(?:;|$)/.exec(headers.value(i)) ?? []
    if (given !== undefined && given.toLowerCase() === name) return value
  }
  return undefined
}
