/** Sends one request through a compiled configuration and records what becomes of it; nobody is contacted. */
import { chooseByName } from '../../http/accept/handshake.ts'
import { H1Connection } from '../../http/h1/connection.ts'
import { H2Connection } from '../../http/h2/connection.ts'
import { Client } from '../../http/request/client.ts'
import type { LocationConf, ServerConf } from '../../http/request/location.ts'
import { traceTo } from '../../http/request/trace.ts'
import { HttpListener } from '../../http/server/listener.ts'
import { clock } from '../../lib/clock.ts'
import { parseIp } from '../../lib/ip.ts'
import { connectBy } from '../../net/connect.ts'
import type { EndpointPlan } from '../../runtime/endpoints.ts'
import type { Program } from '../../runtime/program.ts'
import { ToolFailure } from '../frame/tool.ts'
import { backEnd, failingBackEnd } from './back-ends.ts'
import { type ClientTalk, type Said, TALK_1, TALK_2 } from './client-talk.ts'
import { answerConnections, ClientWire, type Destination } from './nowhere.ts'
import { settingOf } from './places.ts'
import type { Recorder, Told } from './recorder.ts'
import { attemptOf, type Failure, type Supposed, type Supposition } from './supposition.ts'
import { TimeMachine } from './time-machine.ts'

/** The request, and what is to be supposed. */
export interface Question {
  readonly secure: boolean
  /** As in the URL: without port, in lower case. */
  readonly host: string
  readonly port: number
  /** Path and arguments as sent. */
  readonly target: string
  readonly method: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly from: string
  readonly bodySize: number
  readonly http2: boolean
  /** What back ends answer; undefined: they are asked. */
  readonly supposed: Supposition | undefined
}

/** What became of it. */
export interface Answered {
  readonly question: Question
  readonly endpoint: EndpointPlan
  /** Other sockets of that port. */
  readonly others: readonly EndpointPlan[]
  readonly server: ServerConf | undefined
  readonly location: LocationConf | undefined
  /** 0: there was none. */
  readonly status: number
  /** The head as it was sent, without the blank line; empty: nothing was sent. */
  readonly head: string
  readonly bodyBytes: number
  readonly told: readonly Told[]
  /** Why it goes no further, when it does not. */
  readonly stopped: string
}

const TIMEOUT_MS = 10_000

/** Runs the request; throws a `ToolFailure` when no listening socket is for it. */
export async function answer(program: Program, question: Question, recorder: Recorder): Promise<Answered> {
  const [endpoint, ...others] = endpointsFor(program, question)
  if (endpoint === undefined) throw nobodyListens(program, question)
  const { spec } = endpoint
  const wildcard = spec.host === '0.0.0.0' || spec.host === '::'
  const local = parseIp(question.host) === undefined ? '127.0.0.1' : question.host
  const end = { address: wildcard ? '' : spec.host, port: spec.port, unixPath: spec.path }
  const listener = new HttpListener(spec.key, end, endpoint.servers)
  listener.byAddress = endpoint.byAddress
  const wire = new ClientWire(question.from, wildcard ? local : spec.host)
  const client = new Client(listener.nextConnectionId(), wire, listener)
  const servers = listener.serversFor(client)
  const common = { question, endpoint, others }
  const nothing = {
    ...common,
    server: undefined,
    location: undefined,
    status: 0,
    head: '',
    bodyBytes: 0,
    told: recorder.told,
  }
  if (question.secure && !servers.ssl) {
    return { ...nothing, stopped: `the handshake of TLS fails: ${spec.key} speaks plain HTTP` }
  }
  if (question.secure) {
    const chosen = chooseByName(client, servers, parseIp(question.host) === undefined ? question.host : '')
    if (chosen.ssl.rejects) {
      return { ...nothing, server: chosen, stopped: 'the handshake of TLS is rejected (ssl_reject_handshake)' }
    }
    client.secure = true
  } else client.plainOnTls = servers.ssl
  const talk = question.http2 ? TALK_2 : TALK_1
  if (question.http2 && !servers.http2) {
    return { ...nothing, stopped: `${spec.key} does not speak HTTP/2: http2 on;` }
  }
  const Kind = question.http2 ? H2Connection : H1Connection
  const outcome = await serve(wire, () => new Kind(wire, listener, client), talk, question, recorder)
  return { ...common, ...outcome, told: recorder.told }
}

type Outcome = Omit<Answered, 'question' | 'endpoint' | 'others' | 'told'>

function serve(
  wire: ClientWire,
  connect: () => H1Connection | H2Connection,
  talk: ClientTalk,
  question: Question,
  recorder: Recorder,
): Promise<Outcome> {
  return new Promise((resolve) => {
    let done = false
    const end = (stopped: string): void => {
      if (done) return
      done = true
      clearTimeout(timer)
      traceTo(undefined)
      connectBy(undefined)
      time.stop()
      // Nothing is left that waits for its time-out.
      connection.close()
      hangUp()
      const r = recorder.request
      const { head, bodyBytes } = talk.hear(wire.heard)
      const status = Number(/^HTTP\/[\d.]+ (\d{3})/.exec(head)?.[1] ?? 0)
      resolve({ server: r?.server, location: r?.location, status, head, bodyBytes, stopped })
    }
    const timer = setTimeout(() => end(`no answer within ${TIMEOUT_MS / 1000} s`), TIMEOUT_MS)
    recorder.onStop = () => end('it would change something')
    // What the end has queued leaves when the event is over.
    recorder.onEnd = () => setImmediate(() => setImmediate(end, ''))
    wire.onGone = () => setImmediate(() => end(wire.heard === '' ? 'the connection is closed without an answer' : ''))
    traceTo(recorder)
    const time = new TimeMachine()
    const hangUp = question.supposed === undefined ? () => {} : supposeBackEnds(question.supposed, recorder, time)
    clock.update()
    const connection = connect()
    connection.start()
    wire.say(talk.say(saidOf(question)))
  })
}

/** The client's request is answered as supposed, its subrequests (auth_request ...) with 200. */
function supposeBackEnds(supposition: Supposition, recorder: Recorder, time: TimeMachine): () => void {
  const fine: Supposed = { status: 200, fields: [], body: Buffer.alloc(0) }
  return answerConnections(() => {
    const told = recorder.told.findLast(({ kind }) => kind === 'back end')
    const attempts = recorder.told.filter(({ kind, depth }) => kind === 'back end' && depth === 0).length
    const scheme = told?.asked?.url.split(':', 1)[0] ?? 'http'
    const attempt = told?.depth === 0 ? attemptOf(supposition, attempts - 1) : fine
    return typeof attempt === 'string' ? failing(attempt, told!, time) : backEnd(scheme, attempt)
  })
}

/** Nobody waits for a time-out: as much time passes as it takes. */
function failing(failure: Failure, { location: { scope }, asked }: Told, time: TimeMachine): Destination {
  const wait = (name: string): void => time.pass(Number(settingOf(scope, asked!.url, name)))
  if (failure === 'connect-timeout') wait('connect_timeout')
  if (failure === 'timeout') wait('read_timeout')
  return failingBackEnd(failure) ?? (failure === 'refused' ? 'refused' : 'nothing')
}

function saidOf({ method, target, host, port, secure, fields, bodySize }: Question): Said {
  const given = new Set(fields.map(([name]) => name.toLowerCase()))
  const name = host.includes(':') ? `[${host}]` : host
  const own = [
    ['User-Agent', 'viaduct-explain'],
    ['Accept', '*/*'],
  ] as const
  return {
    method,
    scheme: secure ? 'https' : 'http',
    authority: port === (secure ? 443 : 80) ? name : `${name}:${port}`,
    target,
    fields: [...own.filter(([field]) => !given.has(field.toLowerCase())), ...fields],
    body: Buffer.alloc(Math.min(bodySize, BODY_MAX), 'x'),
  }
}

/** So much of a body is really made. */
const BODY_MAX = 64 * 1024 * 1024

/** The sockets that a client of the URL may reach, the likeliest first. */
function endpointsFor({ http }: Program, { host, port }: Question): EndpointPlan[] {
  const found = (http?.endpoints ?? []).filter(({ spec }) => spec.kind === 'tcp' && spec.port === port)
  const rank = ({ spec, byAddress }: EndpointPlan): number => {
    if (spec.host === host || byAddress.has(host)) return 0
    return spec.host === '0.0.0.0' ? 1 : spec.host === '::' ? 2 : 3
  }
  return found.sort((a, b) => rank(a) - rank(b))
}

function nobodyListens({ http }: Program, { port }: Question): ToolFailure {
  const keys = (http?.endpoints ?? []).map(({ spec }) => spec.key)
  const what = keys.length === 0 ? 'the configuration has no server' : `it listens on ${keys.join(', ')}`
  return new ToolFailure(`nothing listens on port ${port}: clients are refused by the system`, what)
}
