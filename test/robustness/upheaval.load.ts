/**
 * Upheaval: under load the server is reloaded, its workers and its engine are killed and its descriptors used up, while back
 * ends reset, and clients stop reading, go on, reset and leave at any point. Whatever is answered in full is what was asked
 * for: everything carries a checksum. Afterwards nothing is left: no connection, no descriptor, and all are served as before.
 *
 * CHAOS_SECONDS says how long, CHAOS_SEED repeats a run as far as timing allows.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Certificates, type Pair } from '../harness/certificates.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { randomFrom } from './chaos-parts.ts'
import { descriptorKinds, descriptors } from './process-facts.ts'
import { BODY_MAX, bodyOf, piecesOf, sumOf } from './upheaval-parts.ts'

const PROGRAM = fileURLToPath(new URL('upheaval-back-end.ts', import.meta.url))
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 15)
const USERS = 24
const LEAVE_PERCENT = 8
const STOP_PERCENT = 20
const STOP_MAX_MS = 60
/** So often something befalls the server. */
const BEFALLS_EVERY_MS = 1000
/** Longer than all time-outs of the configuration together. */
const ANSWER_MAX_MS = 20_000
/** What the engine may have, and how many idle clients come at once to take it all. */
const DESCRIPTORS = 140
const CROWD = 150
const FILE = { seed: 5, size: 2_500_000 }

const seed = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 1_000_000))
const random = randomFrom(seed)

/** Preloaded into every thread: a worker throws when a folder appears. */
const BOMB = `
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'
if (!isMainThread) setInterval(() => {
  try { fs.rmdirSync(new URL('throw', import.meta.url)) } catch { return }
  throw new Error('a bug')
}, 5).unref()
`

const conf = (ports: readonly number[], { certFile, keyFile }: Pair): string => `
  worker_processes 2; worker_rlimit_nofile ${DESCRIPTORS}; worker_shutdown_timeout 1s;
  error_log %%DIR%%/error.log notice;
  http {
    access_log off; client_max_body_size 0; sendfile on;
    client_body_temp_path %%DIR%%/body; proxy_temp_path %%DIR%%/proxy;
    proxy_connect_timeout 2s; proxy_read_timeout 5s; proxy_send_timeout 5s; send_timeout 5s; client_body_timeout 5s;
    proxy_http_version 1.1; proxy_set_header Connection "";
    upstream back { zone back 256k; ${ports.map((port) => `server 127.0.0.1:${port} max_fails=0;`).join(' ')}
      keepalive 8; keepalive_timeout 1s; }
    server {
      listen 127.0.0.1:%%PORT_0%%; listen 127.0.0.1:%%PORT_1%% ssl; root %%DIR%%;
      ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};
      location /kept { proxy_pass http://back; }
      location /small { proxy_pass http://back; proxy_buffers 4 16k; proxy_max_temp_file_size 128k; }
      location /unbuffered { proxy_pass http://back; proxy_buffering off; proxy_request_buffering off; }
      location /file { alias %%DIR%%/file; }
      location /read { sendfile off; alias %%DIR%%/file; }
      location = /status { stub_status; }
    }
  }`

/** `broken`: an answer that breaks off visibly; `nothing`: the connection was gone before one. */
type Result = 'good' | 'wrong' | 'late' | 'broken' | 'nothing' | 'left' | `${number}`

const below = (limit: number): number => Math.floor(random() * limit)
const happens = (percent: number): boolean => random() * 100 < percent

/** How a user gets there: over a connection that is kept or not, with TLS or without. */
interface Way {
  readonly agent: http.Agent | false
  readonly secure: boolean
}

/** Asks for something, in any way, and compares what comes. */
async function ask(server: Server, { agent, secure }: Way): Promise<Result> {
  const size = 1 + Math.floor(random() ** 3 * BODY_MAX)
  const one = below(8)
  const path = ['/kept', '/small', '/unbuffered', '/file', '/read'][below(5)]!
  const upload = path[1] !== 'f' && path[1] !== 'r' && happens(40)
  const leaves = happens(LEAVE_PERCENT)
  const chunked = happens(50)
  const target = `${path}?seed=${one}&size=${size}`
  const begin = secure ? https.request : http.request
  const request = begin(secure ? `https://127.0.0.1:${server.port(1)}${target}` : server.url(target), {
    agent: leaves ? false : agent,
    rejectUnauthorized: false,
    method: upload ? 'POST' : 'GET',
    timeout: ANSWER_MAX_MS,
    headers: upload && !chunked ? { 'Content-Length': size } : {},
  })
  const failed = new Promise<Result>((resolve) => {
    request.on('error', () => resolve(leaves ? 'left' : 'nothing'))
    request.on('timeout', () => resolve('late'))
  })
  if (leaves)
    setTimeout(() => (secure || happens(50) ? request.destroy() : request.socket?.resetAndDestroy()), random() * 150)
  const asked = path[1] === 'f' || path[1] === 'r' ? FILE : { seed: one, size }
  const result = await Promise.race([failed, answered(request, upload ? 'up' : 'down', asked)])
  request.destroy()
  return leaves && result !== 'wrong' ? 'left' : result
}

async function answered(
  request: http.ClientRequest,
  way: 'up' | 'down',
  asked: { readonly seed: number; readonly size: number },
): Promise<Result> {
  const coming = once(request, 'response') as Promise<[http.IncomingMessage]>
  coming.catch(() => {})
  // Not waited for: Node's client does not always say that it has sent everything, over TLS, before the response is read.
  if (way === 'up') void send(request, asked.seed, asked.size)
  else request.end()
  const [response] = await coming.catch(() => [undefined])
  if (response === undefined) return 'nothing'
  const hash = createHash('sha1')
  let text = ''
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      hash.update(piece)
      if (way === 'up') text += piece.latin1Slice()
      if (happens(STOP_PERCENT)) await delay(random() * STOP_MAX_MS)
    }
  } catch {
    return 'broken'
  }
  // Who has left himself is not told of it by every version of the stream.
  if (!response.complete) return 'broken'
  if (response.statusCode !== 200) return `${response.statusCode ?? 0}`
  const wanted = sumOf(asked.seed, asked.size)
  return (way === 'up' ? text : hash.digest('hex')) === wanted ? 'good' : 'wrong'
}

/** Sends a body with pauses; whoever takes it may be gone at any time. */
async function send(request: http.ClientRequest, one: number, size: number): Promise<void> {
  async function* slowly(): AsyncGenerator<Buffer> {
    for (const piece of piecesOf(one, size, random)) {
      yield piece
      if (happens(STOP_PERCENT)) await delay(random() * STOP_MAX_MS)
    }
  }
  await pipeline(slowly, request).catch(() => {})
}

async function user(server: Server, until: number, kept: boolean, secure: boolean): Promise<Result[]> {
  const { Agent } = secure ? https : http
  const agent = kept ? new Agent({ keepAlive: true, maxSockets: 1 }) : false
  const results: Result[] = []
  while (performance.now() < until) {
    const result = await ask(server, { agent, secure })
    results.push(result)
    // Who finds nobody does not ask again and again at once.
    if (result === 'nothing') await delay(50)
  }
  if (agent !== false) agent.destroy()
  return results
}

/** The process that serves. */
function engineOf(server: Server): number | undefined {
  const children = fs.readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1').trim().split(' ')
  return children.map(Number).find((pid) => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('worker process')
    } catch {
      return false
    }
  })
}

/** As many clients as no engine has descriptors for come, say nothing, and go. */
async function crowd(server: Server): Promise<void> {
  const sockets = Array.from({ length: CROWD }, () => net.connect(server.port(), '127.0.0.1').on('error', () => {}))
  await delay(BEFALLS_EVERY_MS)
  for (const socket of sockets) socket.destroy()
}

/** What befalls the server, in turn. */
const FATE = ['reload', 'crowd', 'reload', 'worker', 'reload', 'crowd', 'engine', 'reload'] as const

async function strike(server: Server, what: (typeof FATE)[number]): Promise<void> {
  const engine = engineOf(server)
  if (what === 'reload') server.signal('SIGHUP')
  else if (what === 'crowd') await crowd(server)
  else if (what === 'worker') fs.mkdirSync(`${server.dir}/throw`, { recursive: true })
  else if (engine !== undefined) process.kill(engine, 'SIGKILL')
}

function startedWorkers(server: Server): number {
  return server.errorLog().match(/start worker process /g)?.length ?? 0
}

async function statusOf(server: Server): Promise<string> {
  try {
    const text = await (
      await fetch(server.url('/status'), { headers: { Connection: 'close' }, signal: AbortSignal.timeout(5000) })
    ).text()
    return /^Active connections: (\d+) [\s\S]*Reading: (\d+) Writing: (\d+) Waiting: (\d+)/
      .exec(text)!
      .slice(1)
      .join(' ')
  } catch {
    return 'nobody answers'
  }
}

function countsOf(results: readonly Result[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const result of results) counts[result] = (counts[result] ?? 0) + 1
  return counts
}

/** Told of back ends that are not reached, of what was killed, and of what there were no descriptors for. */
const EXPECTED = /worker process \d+: Error: a bug|exited (?:on signal 9|with code 1)|too many open files/i

test('upheaval', { timeout: (SECONDS + 100) * 1000 }, async (t) => {
  t.diagnostic(`CHAOS_SEED=${seed}`)
  await using running = new AsyncDisposableStack()
  const backs: ChildProcess[] = []
  const ports: number[] = []
  for (let i = 0; i < 2; i++) {
    const back = fork(PROGRAM, [`${below(1e9)}`])
    running.defer(() => void back.kill())
    ports.push(((await once(back, 'message')) as [number])[0])
    backs.push(back)
  }
  const certificates = new Certificates()
  running.defer(() => certificates.remove())
  const files = { 'bomb.mjs': BOMB, file: bodyOf(FILE.seed, FILE.size) }
  const env = { NODE_OPTIONS: '--import=./bomb.mjs' }
  const prepare = (dir: string): void => fs.chmodSync(dir, 0o777)
  const server = running.use(
    await startViaduct(conf(ports, certificates.make('localhost')), { files, env, cwd: true, alerts: true, prepare }),
  )
  const before = descriptors(server.pid)
  const kinds = descriptorKinds(server.pid)

  const until = performance.now() + SECONDS * 1000
  const befell: Record<string, number> = {}
  const users = Array.from({ length: USERS }, (_, n) => user(server, until, n % 2 === 0, n % 3 === 0))
  for (let turn = 0; performance.now() < until; turn++) {
    const what = FATE[turn % FATE.length]!
    await delay(BEFALLS_EVERY_MS * (0.5 + random()))
    const started = startedWorkers(server)
    await strike(server, what)
    // Not faster than a busy machine starts what was killed, or nobody serves any more.
    const killed = what === 'engine' ? 2 : what === 'worker' ? 1 : 0
    await server.until('who was killed is replaced', () => startedWorkers(server) >= started + killed).catch(() => {})
    befell[what] = (befell[what] ?? 0) + 1
  }
  const results = (await Promise.all(users)).flat()
  const counts = countsOf(results)
  t.diagnostic(`${JSON.stringify(befell)}; ${results.length} requests: ${JSON.stringify(counts)}`)

  assert.equal(counts['wrong'] ?? 0, 0, 'an answer that is not what was asked for, or none in time')
  assert.ok((counts['good'] ?? 0) > results.length / 4, 'most are served')
  await server.until('no request is left', async () => (await statusOf(server)) === '1 0 1 0')
  for (const back of backs) back.send('calm')
  const last = await Promise.all(
    Array.from({ length: USERS }, (_, n) => ask(server, { agent: false, secure: n % 3 === 0 })),
  )
  assert.deepEqual(countsOf(last.filter((result) => result !== 'left')), {
    good: last.filter((r) => r !== 'left').length,
  })
  await server.until('connections are closed', async () => (await statusOf(server)) === '1 0 1 0')
  await server
    .until('descriptors go', () => descriptors(server.pid) <= before)
    .catch(() => assert.fail(`${before}: ${kinds}; after: ${descriptorKinds(server.pid)}`))
  const alerts = server.errorLog().match(/.*\[(?:alert|emerg|crit)\].*/g) ?? []
  assert.deepEqual(alerts.filter((line) => !EXPECTED.test(line)).slice(0, 10), [])
})
