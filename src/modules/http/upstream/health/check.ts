/**
 * Health checks in the syntax of Tengine and nginx_upstream_check_module: `check` and its companions inside `upstream`,
 * and a page with the state of all servers. The engine is that of `health_check`.
 */
import { keyValue, number, oneOf, raw, size, words } from '../../../../config/args.ts'
import { mapped, optional, params } from '../../../../config/combine.ts'
import { type ConfOf, directive, directives, type ReadContext, type ScopeView } from '../../../../config/directive.ts'
import type { Word } from '../../../../config/source.ts'
import type { AttachContext, HttpTree } from '../../../../http/compile/module.ts'
import { HttpProbe } from '../../../../http/exchange/probes/http1.ts'
import type { Plan } from '../../../../http/request/plan.ts'
import type { PeerGroup } from '../../../../upstream/group.ts'
import type { CheckOptions, Probe, ProbeOwner } from '../../../../upstream/health.ts'
import { HEALTHY, UNHEALTHY } from '../../../../upstream/peer-row.ts'
import { AJP, FASTCGI_PARAMS, fastcgi, MYSQL, PacketProbe, SSL_HELLO } from '../../../../upstream/probes/packets.ts'
import { type ProbeOptions, TcpProbe } from '../../../../upstream/probes/tcp.ts'
import { type StatusFormat, sendCheckStatus } from './check-status.ts'
import { healthChecks } from './health-check.ts'
import { statusExpectation } from './match.ts'

/** One `check`; times are milliseconds. */
interface CheckSpec {
  readonly interval: number
  readonly fall: number
  readonly rise: number
  readonly timeout: number
  readonly defaultDown: boolean
  readonly type: CheckType
  readonly port: number
}

const TYPES = ['tcp', 'http', 'ssl_hello', 'mysql', 'ajp', 'fastcgi'] as const
type CheckType = (typeof TYPES)[number]

const PACKETS = { ssl_hello: SSL_HELLO, mysql: MYSQL, ajp: AJP }
const CONNECT = { keepAlive: false }
const positive = number('number', { min: 1 })
const STATUSES: readonly string[] = ['http_1xx', 'http_2xx', 'http_3xx', 'http_4xx', 'http_5xx']
const IN = ['upstream'] as const

const groupDirectives = {
  check: directive({
    in: IN,
    args: mapped(
      params({
        interval: positive,
        fall: positive,
        rise: positive,
        timeout: positive,
        default_down: oneOf('true', 'false'),
        type: raw(TYPES.join(' | '), { min: 1, max: 1 }),
        port: number('port', { min: 1, max: 65535 }),
      }),
      (given, _, at): CheckSpec => ({
        interval: given.interval ?? 30_000,
        fall: given.fall ?? 5,
        rise: given.rise ?? 2,
        timeout: given.timeout ?? 1000,
        defaultDown: given.default_down !== 'false',
        type: readType(given.type?.[0], at),
        port: given.port ?? 0,
      }),
    ),
    doc: 'Asks the servers of the group periodically; those that fail get no requests. Times are milliseconds.',
  }),
  check_http_send: directive({
    in: IN,
    args: mapped(raw('request', { min: 1, max: 1 }), ([word]) => word!.text),
    default: '"GET / HTTP/1.0\\r\\n\\r\\n"',
    doc: 'The bytes that a check of type http sends.',
  }),
  check_http_expect_alive: directive({
    in: IN,
    args: mapped(words('http_2xx | http_3xx | http_4xx | http_5xx'), readStatuses),
    default: 'http_2xx http_3xx',
    doc: 'Classes of statuses that a server that is well answers.',
  }),
  check_keepalive_requests: directive({
    in: IN,
    args: positive,
    default: '1',
    doc: 'Checks over one connection.',
  }),
  check_fastcgi_param: directives({
    in: IN,
    args: keyValue(),
    doc: 'A parameter of checks of type fastcgi.',
  }),
}

type GroupConf = ConfOf<typeof groupDirectives>

const placed = {
  check_shm_size: directive({
    in: ['http'],
    args: size,
    default: '1M',
    doc: 'Memory for the results of checks.',
    withoutEffect: 'Each group gets as much as its servers need.',
  }),
  check_status: directive({
    in: ['server', 'location'],
    args: optional(oneOf('html', 'csv', 'json')),
    inheritance: 'pseudo',
    doc: 'Answers with the state of all servers that are checked.',
  }),
}

function readType(word: Word | undefined, at: ReadContext): CheckType {
  const type = word?.text ?? 'tcp'
  return TYPES.find((one) => one === type) ?? at.fail(`invalid check type "${type}"`, word)
}

/** First digits of the statuses. */
function readStatuses(names: readonly string[], list: readonly Word[], at: ReadContext): ReadonlySet<number> {
  return new Set(
    names.map((name, i) => {
      const digit = STATUSES.indexOf(name) + 1
      return digit > 0 ? digit : at.fail(`invalid value "${name}"`, list[i])
    }),
  )
}

/** The directives of this part. */
export const checkDirectives = { ...groupDirectives, ...placed }

/** Makes a location the page of `check_status` where it asks for that. */
export function attachCheckStatus(plan: Plan, at: AttachContext): void {
  const own = at.location.scope.own(placed)
  if (!('check_status' in own)) return
  const format: StatusFormat = own.check_status ?? 'html'
  plan.own(sendCheckStatus, { checks: healthChecks(at), format })
}

/** Tells whether a group has checks of its own, whose results have to be shared. */
export function hasCheck(scope: ScopeView): boolean {
  return scope.resolve(groupDirectives).check !== undefined
}

/** Gives a group its `check`, if it has one. */
export function attachCheck(group: PeerGroup, scope: ScopeView, tree: HttpTree): void {
  const conf = scope.resolve(groupDirectives)
  const { check } = conf
  if (check === undefined) return
  const { interval: intervalMs, fall: fails, rise: passes, port, type, timeout } = check
  const before = check.defaultDown ? UNHEALTHY : HEALTHY
  const options: CheckOptions = { name: '', type, intervalMs, jitterMs: 0, fails, passes, port, before }
  const tcp: ProbeOptions = {
    port,
    connectTimeoutMs: timeout,
    readTimeoutMs: timeout,
    whole: true,
    connect: () => CONNECT,
  }
  healthChecks(tree).add(group, options, probesOf(type, tcp, conf), tree.log)
}

/** Makes what asks one server. */
function probesOf(type: CheckType, tcp: ProbeOptions, conf: GroupConf): (owner: ProbeOwner) => Probe {
  const classes = conf.check_http_expect_alive
  const isAlive = (status: number): boolean => classes.has(Math.floor(status / 100))
  if (type === 'tcp') return (owner) => new TcpProbe(owner, tcp)
  if (type !== 'http') {
    const params = conf.check_fastcgi_param.map(({ key, value }) => [key, value] as const)
    const check = type === 'fastcgi' ? fastcgi(params.length > 0 ? params : FASTCGI_PARAMS, isAlive) : PACKETS[type]
    return (owner) => new PacketProbe(owner, tcp, check)
  }
  const http = {
    ...tcp,
    request: () => conf.check_http_send,
    expectation: statusExpectation(isAlive),
    requestsMax: conf.check_keepalive_requests,
    keepTimeMs: Number.POSITIVE_INFINITY,
  }
  return (owner) => new HttpProbe(owner, http)
}
