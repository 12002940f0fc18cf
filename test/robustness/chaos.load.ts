/**
 * Chaos: for a quarter of a minute, back ends reset, break off, send garbage, stall, close idle connections, are frozen
 * and killed, all at random and under load, while clients leave. Every request is answered within its time-outs, in full
 * or with the right 502 or 504 or visibly broken off; no POST is sent twice; and afterwards everything counts as before.
 * CHAOS_SEED repeats a run as far as the machine's timing allows.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Server, startViaduct } from '../harness/server.ts'
import { bodyOf, randomFrom } from './chaos-parts.ts'
import { descriptorKinds, descriptors } from './process-facts.ts'

const PROGRAM = fileURLToPath(new URL('chaos-back-end.ts', import.meta.url))
const BACK_ENDS = 4
const USERS = 32
const DURATION_MS = 15_000
const TROUBLE_EVERY_MS = 400
const FROZEN_MS = 700
const CONNS_MAX = 40
/** Every other back end may be set aside; not all, or nobody would be asked for much of the time. */
const FAILS = ['max_fails=20 fail_timeout=1s', 'max_fails=0']
/** Three attempts that time out after 400 ms, a slow body that stalls, and a busy machine. */
const ANSWER_MAX_MS = 4000
const LEAVE_PERCENT = 5
const POST_PERCENT = 30
/** Between two requests of a user: what is refused at once must not become all there is. */
const PAUSE_MAX_MS = 20

/** No connection stays that would be counted. */
const CLOSE = { headers: { Connection: 'close' } }

const seed = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 1_000_000))
const random = randomFrom(seed)

/** One place for a back end: whoever is killed is followed by another on the same port. */
class Seat implements AsyncDisposable {
  port = 0
  child: ChildProcess | undefined
  /** Ids of the POSTs that arrived. */
  readonly posts: string[] = []

  async start(): Promise<void> {
    const child = fork(PROGRAM, [`${Math.floor(random() * 1e9)}`, `${this.port}`])
    const [port] = (await once(child, 'message')) as [number]
    child.on('message', (id: string) => this.posts.push(id))
    this.port = port
    this.child = child
  }

  async kill(): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }
}

const conf = (seats: readonly Seat[]) => `
  worker_processes 2;
  events { worker_connections 1024; }
  http {
    log_format chaos '$arg_id $status "$upstream_status" $request_method $request_time';
    access_log %%DIR%%/access.log chaos;
    error_log %%DIR%%/error.log warn;
    proxy_connect_timeout 400ms; proxy_read_timeout 400ms; proxy_send_timeout 400ms;
    proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_next_upstream error timeout invalid_header; proxy_next_upstream_tries 3; proxy_next_upstream_timeout 2s;
    client_body_temp_path %%DIR%%/body; proxy_temp_path %%DIR%%/proxy;
    keepalive_requests 100000;
    upstream back {
      zone back 256k;
      ${seats.map(({ port }, n) => `server 127.0.0.1:${port} max_conns=${CONNS_MAX} ${FAILS[n % 2]};`).join('\n')}
      keepalive 16; keepalive_timeout 1s;
    }
    server {
      listen 127.0.0.1:%%PORT_0%%;
      location / { proxy_pass http://back; add_header X-Back-End $upstream_addr; }
      location /hold { proxy_pass http://back; proxy_read_timeout 20s; }
      location = /status { access_log off; stub_status; }
    }
  }`

/** What came of a request: `left` when the client went away, `broken` when the answer broke off visibly. */
type Result = 'good' | 'wrong' | 'broken' | 'left' | 'nothing' | `${number}`

interface Outcome {
  readonly id: string
  readonly result: Result
  readonly ms: number
}

interface Ask {
  readonly id: string
  readonly method: 'GET' | 'POST'
  readonly agent: http.Agent | false
  /** The client goes away after this time. */
  readonly leaveMs?: number
}

function ask(server: Server, { id, method, agent, leaveMs }: Ask): Promise<Outcome> {
  const start = performance.now()
  return new Promise((resolve) => {
    const end = (result: Result): void => resolve({ id, result, ms: performance.now() - start })
    const body = method === 'POST' ? bodyOf(id) : ''
    const headers = { 'Content-Length': body.length }
    const request = http.request(server.url(`/?id=${id}`), { method, headers, agent })
    request.on('error', () => end(request.destroyed && leaveMs !== undefined ? 'left' : 'nothing'))
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('latin1').on('data', (piece: string) => {
        text += piece
      })
      response.on('error', () => end(leaveMs === undefined ? 'broken' : 'left'))
      response.on('end', () => {
        if (response.statusCode !== 200) end(`${response.statusCode ?? 0}`)
        else end(text === bodyOf(id) ? 'good' : 'wrong')
      })
    })
    if (leaveMs !== undefined) setTimeout(() => request.destroy(), leaveMs)
    request.end(body)
  })
}

async function user(server: Server, until: number, kept: boolean, nextId: () => string): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const agent = kept ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : false
  while (performance.now() < until) {
    const method = random() * 100 < POST_PERCENT ? 'POST' : 'GET'
    const leaves = random() * 100 < LEAVE_PERCENT
    const leave = leaves ? { leaveMs: random() * 200 } : {}
    outcomes.push(await ask(server, { id: nextId(), method, agent: leaves ? false : agent, ...leave }))
    await delay(random() * PAUSE_MAX_MS)
  }
  if (agent !== false) agent.destroy()
  return outcomes
}

/** Freezes and kills back ends, one at a time. Returns how many of each. */
async function trouble(seats: readonly Seat[], until: number): Promise<{ frozen: number; killed: number }> {
  const count = { frozen: 0, killed: 0 }
  while (performance.now() < until) {
    const seat = seats[Math.floor(random() * seats.length)]!
    if (random() < 0.5) {
      seat.child!.kill('SIGSTOP')
      count.frozen++
      await delay(FROZEN_MS)
      seat.child!.kill('SIGCONT')
    } else {
      await seat.kill()
      count.killed++
      await delay(random() * FROZEN_MS)
      await seat.start()
    }
    await delay(random() * TROUBLE_EVERY_MS)
  }
  return count
}

/** Each line says what it must: the status is that of the last attempt. */
function assertLogged(server: Server, outcomes: readonly Outcome[]): void {
  const lines = server.accessLog().trimEnd().split('\n')
  const byId = new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line]))
  assert.equal(byId.size, lines.length)
  for (const { id, result } of outcomes) {
    const line = byId.get(id)
    if (result === 'left') continue
    const [, status, attempts = ''] = /^\d+ (\d+) "(.*)" \w+ [\d.]+$/.exec(line ?? '') ?? assert.fail(`${id}: ${line}`)
    assert.equal(status, /^\d+$/.test(result) ? result : '200', line)
    assert.equal(attempts.split(', ').at(-1), status, line)
  }
}

function countsOf(outcomes: readonly Outcome[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { result } of outcomes) counts[result] = (counts[result] ?? 0) + 1
  return counts
}

async function statusOf(server: Server): Promise<string> {
  const response = await fetch(server.url('/status'), CLOSE)
  const text = await response.text()
  const numbers = /^Active connections: (\d+) [\s\S]*Reading: (\d+) Writing: (\d+) Waiting: (\d+)/.exec(text)
  return numbers?.slice(1).join(' ') ?? text
}

/** Ends the trouble, and resolves when every back end is asked again and answers. */
async function calm(server: Server, seats: readonly Seat[]): Promise<void> {
  for (const { child } of seats) child!.send('calm')
  await server.until('all are well', async () => {
    const responses = await Promise.all(Array.from({ length: 40 }, () => fetch(server.url('/?id=1'), CLOSE)))
    const texts = await Promise.all(responses.map((response) => response.text()))
    const answering = new Set(responses.map((response) => response.headers.get('x-back-end')))
    return answering.size === BACK_ENDS && texts.every((text) => text === bodyOf('1'))
  })
}

/** As many requests as all back ends may have can be held, and not one more. */
async function assertExactLimit(server: Server, seats: readonly Seat[]): Promise<void> {
  const total = CONNS_MAX * BACK_ENDS
  const agent = new http.Agent({ maxSockets: Number.POSITIVE_INFINITY })
  const get = async (path: string): Promise<number> => {
    const [response] = (await once(http.get(server.url(path), { agent }), 'response')) as [http.IncomingMessage]
    response.resume()
    return response.statusCode!
  }
  const held = Promise.all(Array.from({ length: total }, () => get('/hold?id=0')))
  held.catch(() => {})
  await server.until('all are held', async () => (await statusOf(server)) === `${total + 1} 0 ${total + 1} 0`)
  assert.equal(await get('/?id=1'), 502)
  for (const { child } of seats) child!.send('release')
  assert.deepEqual([...new Set(await held)], [200])
  agent.destroy()
}

test('chaos', async (t) => {
  t.diagnostic(`CHAOS_SEED=${seed}`)
  await using running = new AsyncDisposableStack()
  const seats = Array.from({ length: BACK_ENDS }, () => running.use(new Seat()))
  await Promise.all(seats.map((seat) => seat.start()))
  const server = running.use(await startViaduct(conf(seats)))
  assert.equal(await statusOf(server), '1 0 1 0')
  const before = descriptors(server.pid)
  const kindsBefore = descriptorKinds(server.pid)

  const until = performance.now() + DURATION_MS
  let ids = 0
  const nextId = (): string => `${++ids}`
  const users = Array.from({ length: USERS }, (_, n) => user(server, until, n % 2 === 0, nextId))
  const [count, ...each] = await Promise.all([trouble(seats, until), ...users])
  const outcomes = each.flat()
  const counts = countsOf(outcomes)
  const slowest = outcomes.reduce((most, { ms }) => Math.max(most, ms), 0)
  t.diagnostic(`${outcomes.length} requests, ${count.frozen} times frozen, ${count.killed} times killed`)
  t.diagnostic(`${JSON.stringify(counts)}, the slowest after ${slowest.toFixed(0)} ms`)

  const allowed = ['good', 'broken', 'left', '502', '504']
  assert.deepEqual(outcomes.filter(({ result }) => !allowed.includes(result)).slice(0, 10), [])
  assert.ok(slowest < ANSWER_MAX_MS, `${slowest} ms`)
  for (const result of allowed) assert.ok((counts[result] ?? 0) > 0, `${result} never happened`)
  const posts = seats.flatMap((seat) => seat.posts)
  assert.equal(new Set(posts).size, posts.length, 'a POST was sent twice')

  await server.until('no request is left', async () => (await statusOf(server)) === '1 0 1 0')
  assertLogged(server, outcomes)
  await calm(server, seats)
  await assertExactLimit(server, seats)
  await server.until('connections are closed', async () => (await statusOf(server)) === '1 0 1 0')
  await server
    .until('descriptors go', () => descriptors(server.pid) <= before)
    .catch(() => assert.fail(`${before}: ${kindsBefore}; after: ${descriptorKinds(server.pid)}`))
})
