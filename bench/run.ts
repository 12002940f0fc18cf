/**
 * `npm run bench`: Viaduct side by side with nginx. One worker each, the same configuration, both on one core, the load
 * and the back end on another; rounds alternate, so that what else the machine does hurts both, and the median counts.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { command, positive } from '../scripts/command.ts'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { type IdleRow, idleTable, measureIdle } from './idle.ts'
import { checkAlike, measure, median, type Result } from './measure.ts'
import { Partner } from './partner.ts'
import { startPhp } from './php-origin.ts'
import { stopProcess } from './process-tree.ts'
import { cpuRatio, machine, type Row, table } from './report.ts'
import type { Scenario } from './scenario.ts'
import { balancers } from './scenarios/balancers.ts'
import { cachedResponses } from './scenarios/cached.ts'
import { fastcgi } from './scenarios/fastcgi.ts'
import { fixed } from './scenarios/fixed.ts'
import { gzip } from './scenarios/gzip.ts'
import { noKeepalive } from './scenarios/no-keepalive.ts'
import { production } from './scenarios/production.ts'
import { proxied } from './scenarios/proxied.ts'
import { proxied100k } from './scenarios/proxied-100k.ts'
import { secure } from './scenarios/secure.ts'
import { staticFiles } from './scenarios/static.ts'
import { streams } from './scenarios/streams.ts'
import { keptSection, PAGE } from './section.ts'
import {
  type Compared,
  ENGINES,
  type Engine,
  findNginx,
  type Running,
  START_SECONDS,
  startAll,
  startGrpcOrigin,
  startOrigin,
  stopAll,
} from './servers.ts'
import { measureSteady, type SteadyRow, steadyTable } from './steady.ts'

const SCENARIOS: readonly Scenario[] = [
  fixed,
  proxied,
  production,
  proxied100k,
  noKeepalive,
  ...staticFiles,
  gzip,
  ...cachedResponses,
  ...balancers,
  ...streams,
  ...secure,
  ...fastcgi,
]
const PACKAGES = 'nginx-light wrk nghttp2-client nghttp2-server util-linux php-fpm'
/** Hot code is compiled anew until it has run some ten thousand times; of what takes long that many take their time. */
const WARM_UP_SECONDS = 2
const WARM_UP_SECONDS_MAX = 12
const WARM_UP_REQUESTS = 10_000

interface Plan extends Compared {
  readonly scenarios: readonly Scenario[]
  readonly seconds: number
  readonly rounds: number
  /** Memory per idle connection too. */
  readonly idle: boolean
  /** Latency at fixed rates too. */
  readonly steady: boolean
}

/** What a run has found. */
interface Findings {
  readonly rows: readonly Row[]
  readonly steady: readonly SteadyRow[]
  readonly idle: readonly IdleRow[]
}

await command({
  called: 'npm run bench',
  summary: 'Viaduct side by side with nginx, and what requests of each cost',
  usage: ['[OPTION ...] [SCENARIO ...]'],
  about: `Without words, --idle and --steady all of it, which writes docs/BENCHMARKS.md. Needs two cores and, on Debian,

apt-get install ${PACKAGES}

NGINX=PATH measures another nginx. The scenarios:

${SCENARIOS.map(({ name, title }) => `  ${name.padEnd(18)}${title}`).join('\n')}`,
  options: {
    seconds: { type: 'string', value: 'N', help: 'of each round; 3 unless told' },
    rounds: { type: 'string', value: 'N', help: 'of each scenario; 3 unless told' },
    engine: { type: 'string', value: 'NAME', help: `only this engine of Viaduct: ${ENGINES.join(' or ')}` },
    idle: { type: 'boolean', help: 'memory per idle connection' },
    steady: { type: 'boolean', help: 'what requests take at a fixed rate' },
  },
  examples: [
    ['fixed static-1kb', 'only these'],
    ['--seconds 10 --rounds 5 --engine io_uring proxied', 'longer, and one engine'],
  ],
  words: SCENARIOS.map(({ name }) => name),
  run: async ({ seconds, rounds, engine, idle = false, steady = false }, words) => {
    const engines = ENGINES.filter((one) => engine === undefined || one === engine)
    if (engines.length === 0) throw new ToolFailure(`no engine "${engine}"`, `there are: ${ENGINES.join(' ')}`)
    const all = words.length === 0 && !idle && !steady
    const plan = {
      scenarios: SCENARIOS.filter(({ name }) => all || words.includes(name)),
      seconds: positive('--seconds', seconds, 3),
      rounds: Math.ceil(positive('--rounds', rounds, 3)),
      idle: idle || all,
      steady: steady || all,
      engines,
    }
    return await main({ ...plan, nginx: neededNginx() })
  },
})

async function main(plan: Plan): Promise<number> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-bench-'))
  const origin = await startOrigin(path.join(dir, 'origin'), plan.nginx)
  const rows: Row[] = []
  let idle: IdleRow[] = []
  let steady: SteadyRow[] = []
  try {
    for (const scenario of plan.scenarios)
      rows.push(await compare(path.join(dir, scenario.name), scenario, plan, origin.address))
    if (plan.steady) steady = await measureSteady(path.join(dir, 'steady'), plan)
    if (plan.idle) idle = await measureIdle(path.join(dir, 'idle'), plan)
  } finally {
    await stopProcess(origin.child)
    fs.rmSync(dir, { recursive: true, force: true })
  }
  if (rows.length > 0) for (const engine of plan.engines) console.log(`\n${engine}\n${table(rows, engine)}`)
  if (steady.length > 0) console.log(`\n${steadyTable(steady)}`)
  if (idle.length > 0) console.log(`\n${idleTable(idle)}`)
  if (rows.length === SCENARIOS.length && plan.engines.length === ENGINES.length) {
    writePage({ rows, steady, idle }, plan)
  }
  return 0
}

/** Where nginx is, when all else that this needs is here too. */
function neededNginx(): string {
  const nginx = findNginx()
  const missing = ['wrk', 'h2load', 'nghttpd', 'taskset'].filter(
    (name) => spawnSync(name, ['--version']).error !== undefined,
  )
  if (nginx === undefined) missing.unshift('nginx')
  if (nginx === undefined || missing.length > 0)
    throw new ToolFailure(`not here: ${missing.join(', ')}`, `apt-get install ${PACKAGES}`)
  if (os.cpus().length < 2) throw new ToolFailure('two cores are needed: one for the server, one for the load')
  return nginx
}

async function compare(dir: string, scenario: Scenario, plan: Plan, origin: string): Promise<Row> {
  const partner = scenario.partner === undefined ? undefined : await Partner.start(scenario.partner)
  const grpc = scenario.grpc === true ? await startGrpcOrigin() : undefined
  const php = scenario.php === true ? await startPhp(`${dir}/php`) : undefined
  const address = partner?.address ?? grpc?.address ?? php?.address ?? origin
  const started = performance.now()
  const servers = await startAll(dir, scenario, plan, address)
  const results: Record<'nginx' | Engine, Result[]> = { nginx: [], io_uring: [], epoll: [] }
  try {
    if (partner === undefined && grpc === undefined) await checkAlike(scenario, servers)
    do for (const server of servers) await warmUp(scenario, server, partner)
    while (performance.now() - started < START_SECONDS * 1000)
    for (let round = 0; round < plan.rounds; round++) {
      for (const server of servers) results[server.name].push(await measure(scenario, server, plan.seconds, partner))
    }
  } finally {
    await stopAll(servers)
    for (const beside of [partner, grpc, php]) if (beside !== undefined) await stopProcess(beside.child)
  }
  const viaduct = new Map(plan.engines.map((engine) => [engine, median(results[engine])]))
  const row = { scenario, nginx: median(results.nginx), viaduct }
  const ours = plan.engines.map((engine) => {
    return `${engine} ${viaduct.get(engine)!.cpuMicroseconds.toFixed(1)} (${cpuRatio(row, engine).toFixed(2)}x)`
  })
  console.log(`${scenario.name}, µs per request: nginx ${row.nginx.cpuMicroseconds.toFixed(1)}, ${ours.join(', ')}`)
  return row
}

async function warmUp(scenario: Scenario, server: Running, partner: Partner | undefined): Promise<void> {
  let requests = 0
  for (let seconds = 0; seconds < WARM_UP_SECONDS_MAX && requests < WARM_UP_REQUESTS; seconds += WARM_UP_SECONDS) {
    requests += (await measure(scenario, server, WARM_UP_SECONDS, partner)).requestsPerSecond * WARM_UP_SECONDS
  }
}

function writePage({ rows, steady, idle }: Findings, { seconds, rounds, nginx }: Plan): void {
  const version = spawnSync(nginx, ['-v'], { encoding: 'utf8' }).stderr.trim().replace('nginx version: ', '')
  const text = `# Benchmarks

Written by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}.

${machine(version)}

One worker each with the same configuration text (\`bench/scenarios/\`), all on one core; \`wrk\` with 64 connections and the
back end on another. The median of ${rounds} alternating rounds of ${seconds} s, after at least ${WARM_UP_SECONDS} s and ${WARM_UP_REQUESTS} requests (or ${WARM_UP_SECONDS_MAX} s) of warming up, and ${START_SECONDS} s behind their start. CPU time is that of the whole process tree. Trust
the ratios, not the digits: *requests per CPU second* above 1 means that Viaduct needs less CPU time for a request than nginx,
*expected* is the ratio that this stage of the project has to reach. HTTP/2 and gRPC are asked by \`h2load\`; what goes to and
fro (WebSockets, events, handshakes) is measured by processes that are client and back end in one, and a "request" is then a
message, an event or a handshake. How many handshakes a second there are is up to that process, which does as much for
each of them as the server: what counts there is the CPU time.

On io_uring, which is what Viaduct uses where it is allowed to:

${table(rows, 'io_uring')}

The same run on Node's handles (\`use epoll;\`):

${table(rows, 'epoll')}

## At a fixed rate

How long requests take when so many of them come each second, whatever the server makes of it (\`bench/partners/steady.ts\`): 64
connections, a request due every so often, its time counted from when it was due. Who falls behind is thus charged for
all that had to wait meanwhile, which a load that only asks once it was answered leaves out (coordinated omission). The rates
are quarters of what the slowest of the servers answers when that process asks as fast as it can. Pauses of the process itself
and of the machine are in all columns alike. Medians of the rounds, in milliseconds.

${steadyTable(steady)}

## What an idle connection costs

In memory, when it has made a request and keeps quiet:

${idleTable(idle)}
${keptSection('bounds')}${keptSection('operations')}`
  fs.writeFileSync(PAGE, text)
  console.log('written: docs/BENCHMARKS.md')
}
