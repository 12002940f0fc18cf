/**
 * `health_check` and `match` of NGINX Plus: the servers of a group are asked by HTTP requests of our own, as the location
 * with the directive passes requests to them. As an addition the directive may stand in the `upstream` block itself.
 */
import { milliseconds, number, text } from '../../../../config/args.ts'
import { mapped, params, present } from '../../../../config/combine.ts'
import { block, type ConfOf, directives, type ReadContext, type ScopeView } from '../../../../config/directive.ts'
import type { Position, Word } from '../../../../config/source.ts'
import type { AttachContext, HttpTree } from '../../../../http/compile/module.ts'
import { PASSED, type PassedLocations, type PassedTo } from '../../../../http/exchange/compile/passed-locations.ts'
import { CodecProbe } from '../../../../http/exchange/probes/codec.ts'
import { type Expectation, HttpProbe } from '../../../../http/exchange/probes/http1.ts'
import { CHECK_PATH, GrpcProbe, type GrpcProbeOptions, Http2Probe } from '../../../../http/exchange/probes/http2.ts'
import type { LocationConf } from '../../../../http/request/location.ts'
import type { ErrorLog } from '../../../../log/error-log.ts'
import type { PeerGroup } from '../../../../upstream/group.ts'
import { type CheckOptions, HealthChecks, type Probe, type ProbeOwner } from '../../../../upstream/health.ts'
import { CHECKING, HEALTHY } from '../../../../upstream/peer-row.ts'
import { MatchBlock, matchDirectives, statusExpectation } from './match.ts'
import { compileRequirement } from './require.ts'

const INTERVAL_MS = 5000
/** The name's length stands in one byte of the message. */
const SERVICE_LENGTH_MAX = 120
/** Time-outs of a check that no location lends its own. */
const TIMEOUT_MS = 60_000

/** One `health_check`. */
interface HealthCheckSpec {
  readonly intervalMs: number
  readonly jitterMs: number
  readonly fails: number
  readonly passes: number
  readonly uri: string
  readonly mandatory: boolean
  /** A `match` block; empty: any answer of 2xx and 3xx. */
  readonly match: string
  readonly port: number
  readonly keepTimeMs: number
  /** `type=grpc` with what belongs to it. */
  readonly grpc: { readonly service: string; readonly status: number } | undefined
  readonly at: Position
}

const count = number('number', { min: 1 })

const shape = {
  interval: milliseconds,
  jitter: milliseconds,
  fails: count,
  passes: count,
  uri: text('uri'),
  mandatory: present,
  persistent: present,
  match: text('name'),
  port: number('port', { min: 1, max: 65535 }),
  type: text('type'),
  grpc_service: text('service'),
  grpc_status: number('code', { min: 0 }),
  keepalive_time: milliseconds,
}

const healthCheck = mapped(params(shape), (given, words, at): HealthCheckSpec => {
  const { type, uri = '/', persistent = false, mandatory = false } = given
  checkType(given, words, at)
  // A reload never forgets what is known of a server, so there is nothing more to do for it.
  if (persistent && !mandatory) at.fail('"persistent" parameter requires "mandatory"')
  if (!uri.startsWith('/')) at.fail(`invalid uri "${uri}"`)
  return {
    intervalMs: given.interval ?? INTERVAL_MS,
    jitterMs: given.jitter ?? 0,
    fails: given.fails ?? 1,
    passes: given.passes ?? 1,
    uri: uri,
    mandatory,
    match: given.match ?? '',
    port: given.port ?? 0,
    keepTimeMs: given.keepalive_time ?? 0,
    grpc: type === 'grpc' ? { service: given.grpc_service ?? '', status: given.grpc_status ?? 0 } : undefined,
    at: at.end,
  }
})

interface TypeWords {
  readonly type: string | undefined
  readonly uri: string | undefined
  readonly match: string | undefined
  readonly grpc_service: string | undefined
  readonly grpc_status: number | undefined
}

/** What goes together: `type=grpc` with what names the call, or `uri` and `match`. */
function checkType(
  { type, uri, match, grpc_service, grpc_status }: TypeWords,
  words: readonly Word[],
  at: ReadContext,
): void {
  const word = words.find(({ text: given }) => /^(type|grpc_)/.test(given))
  if (type !== undefined && type !== 'grpc') at.fail(`invalid type "${type}"`, word)
  if (type === undefined && (grpc_service !== undefined || grpc_status !== undefined)) {
    at.fail('"grpc_service" and "grpc_status" parameters require "type=grpc"', word)
  }
  if (type === 'grpc' && (uri !== undefined || match !== undefined)) {
    at.fail('"type=grpc" is not compatible with "uri" and "match" parameters', word)
  }
  if (grpc_service !== undefined && grpc_service.length > SERVICE_LENGTH_MAX) at.fail('too long "grpc_service"', word)
}

const groupDirectives = {
  health_check: directives({
    in: ['location', 'upstream'],
    args: healthCheck,
    inheritance: 'never',
    reading: 'eager',
    doc: 'Asks the servers of a group periodically; those that do not answer well get no requests.',
  }),
}

/** The directives of this part: `match` with what stands in it, and `health_check`, also (not in nginx) in `upstream`. */
export const healthDirectives = {
  match: block({
    in: ['http'],
    args: text('name'),
    opens: 'match',
    doc: 'What an answer to a health check must be like.',
  }),
  ...matchDirectives,
  ...groupDirectives,
}
type Conf = ConfOf<typeof healthDirectives>

const MATCHES = 'match blocks'
type Matches = Map<string, ScopeView>

/** Notes the `match` blocks of the tree. */
export function noteMatches(conf: Conf, tree: HttpTree): void {
  const matches = tree.shared(MATCHES, (): Matches => new Map())
  for (const { args: name, scope, at } of conf.match) {
    if (matches.has(name)) tree.fail(`duplicate match "${name}"`, at)
    matches.set(name, scope)
  }
}

/** Adds the checks of a location. */
export function attachLocationHealth(conf: Conf, at: AttachContext): void {
  if (conf.health_check.length === 0 || at.location.scope.context !== 'location') return
  for (const spec of conf.health_check) at.afterAttach(() => attachToLocation(spec, at))
}

/** Tells whether a group has checks in its own block. */
export function hasHealthCheck(scope: ScopeView): boolean {
  return scope.resolve(groupDirectives).health_check.length > 0
}

function attachToLocation(spec: HealthCheckSpec, at: AttachContext): void {
  const { location } = at
  const passed = at.shared(PASSED, (): PassedLocations => new Map()).get(location)
  if (passed === undefined) {
    at.fail('"health_check" requires a location that passes requests to an upstream', spec.at)
    return
  }
  if (passed.group.zone === undefined) {
    at.fail(`"health_check" requires "zone" in upstream "${passed.group.name}"`, spec.at)
    return
  }
  addCheck(spec, passed, location, location.log, at)
}

/** Adds the checks that stand in the group's own block. */
export function attachHealth(group: PeerGroup, scope: ScopeView, tree: HttpTree): void {
  const { health_check } = scope.resolve(groupDirectives)
  for (const spec of health_check) {
    tree.afterAttach(() => {
      addCheck(spec, { ...PLAIN, group, request: plainRequest(group.name) }, undefined, tree.log, tree)
    })
  }
}

const PLAIN_CONNECT = { keepAlive: false }
const PLAIN = { connectTimeoutMs: TIMEOUT_MS, readTimeoutMs: TIMEOUT_MS, connect: () => PLAIN_CONNECT }

function plainRequest(host: string): PassedTo['request'] {
  return (uri, keep) => `GET ${uri} HTTP/1.1\r\nHost: ${host}\r\nConnection: ${keep ? 'keep-alive' : 'close'}\r\n\r\n`
}

function addCheck(
  spec: HealthCheckSpec,
  passed: PassedTo,
  location: LocationConf | undefined,
  log: ErrorLog,
  tree: HttpTree,
): void {
  if (spec.grpc !== undefined || passed.grpc !== undefined) return addGrpcCheck(spec, passed, log, tree)
  const expectation = expectationOf(spec, location, tree)
  if (expectation === undefined) return
  const keep = spec.keepTimeMs > 0
  const options = {
    port: spec.port,
    connectTimeoutMs: passed.connectTimeoutMs,
    readTimeoutMs: passed.readTimeoutMs,
    whole: false,
    connect: () => passed.connect(),
    request: () => passed.request(spec.uri, keep),
    expectation,
    requestsMax: keep ? Number.POSITIVE_INFINITY : 1,
    keepTimeMs: spec.keepTimeMs,
  }
  const { http2, own } = passed
  const probe = (owner: ProbeOwner): Probe => {
    if (own !== undefined) return new CodecProbe(owner, { ...options, ...own, ask: () => own.ask(spec.uri) })
    if (http2 === undefined) return new HttpProbe(owner, options)
    return new Http2Probe(owner, { ...options, head: () => http2(spec.uri) })
  }
  healthChecks(tree).add(passed.group, checkOptions(spec, 'http'), probe, log)
}

function checkOptions(spec: HealthCheckSpec, type: string): CheckOptions {
  const { intervalMs, jitterMs, fails, passes, port, match: name } = spec
  const before = spec.mandatory ? CHECKING : HEALTHY
  return { name, type, intervalMs, jitterMs, fails, passes, port, before }
}

function addGrpcCheck(spec: HealthCheckSpec, passed: PassedTo, log: ErrorLog, tree: HttpTree): void {
  const { grpc: head } = passed
  if (spec.grpc === undefined || head === undefined) {
    const needs = head === undefined ? 'a location with "grpc_pass"' : '"type=grpc", as its location has "grpc_pass"'
    return tree.fail(`"health_check" ${spec.grpc === undefined ? '' : 'with "type=grpc" '}requires ${needs}`, spec.at)
  }
  const options: GrpcProbeOptions = {
    port: spec.port,
    connectTimeoutMs: passed.connectTimeoutMs,
    readTimeoutMs: passed.readTimeoutMs,
    whole: false,
    connect: () => passed.connect(),
    head: () => head(CHECK_PATH),
    ...spec.grpc,
  }
  healthChecks(tree).add(passed.group, checkOptions(spec, 'grpc'), (owner) => new GrpcProbe(owner, options), log)
}

function expectationOf(
  { match, at }: HealthCheckSpec,
  location: LocationConf | undefined,
  tree: HttpTree,
): Expectation | undefined {
  if (match === '') return statusExpectation((status) => status >= 200 && status <= 399)
  const scope = tree.shared(MATCHES, (): Matches => new Map()).get(match)
  if (scope === undefined) {
    tree.fail(`unknown match "${match}"`, at)
    return undefined
  }
  const { required } = new MatchBlock(match, scope)
  if (required.length === 0) return new MatchBlock(match, scope)
  if (location === undefined)
    return refuse(tree, `"require" of match "${match}" needs "health_check" in a location`, at)
  const wrong = required.find((name) => !name.startsWith('$'))
  if (wrong !== undefined) return refuse(tree, `invalid variable name "${wrong}"`, scope.at)
  return new MatchBlock(match, scope, compileRequirement(required, location, tree))
}

function refuse(tree: HttpTree, message: string, at: Position): undefined {
  tree.fail(message, at)
}

/** The checks of a tree. One worker asks; its successor goes on if it dies. */
export function healthChecks(tree: HttpTree): HealthChecks {
  return tree.shared('health checks', () => {
    const checks = new HealthChecks()
    if (tree.role === 'worker' && tree.isFirst) {
      tree.onStart(() => checks.start())
      tree.onQuit(() => checks.stop())
      tree.onExit(() => checks.stop())
    }
    return checks
  })
}
