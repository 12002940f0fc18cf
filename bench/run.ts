/**
 * `npm run bench`: Viaduct side by side with nginx. One worker each, the same configuration, both on one core, the load
 * and the back end on another; rounds alternate, so that what else the machine does hurts both, and the median counts.
 *
 *     npm run bench                          all scenarios; writes docs/BENCHMARKS.md
 *     npm run bench -- fixed static-1kb      only these
 *     npm run bench -- --seconds 10 --rounds 5
 *     npm run bench -- --idle                only memory per idle connection
 *
 * Needs a Debian machine's `apt-get install nginx-light wrk nghttp2-client nghttp2-server util-linux php-fpm`; NGINX=/path
 * measures another nginx; VIADUCT_TEST_ENGINE=io_uring (or epoll) has Viaduct use that for its sockets.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
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
import { findNginx, startBoth, startGrpcOrigin, startOrigin, stopAll } from './servers.ts'

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
/** The compiler of hot code needs some thousand requests before its figures settle. */
const WARM_UP_SECONDS = 2

interface Plan {
  readonly scenarios: readonly Scenario[]
  readonly seconds: number
  readonly rounds: number
  /** Memory per idle connection too. */
  readonly idle: boolean
  readonly nginx: string
}

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const plan = readPlan(args)
  if (typeof plan === 'string') {
    console.error(plan)
    return 1
  }
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-bench-'))
  const origin = await startOrigin(path.join(dir, 'origin'), plan.nginx)
  const rows: Row[] = []
  let idle: IdleRow[] = []
  try {
    for (const scenario of plan.scenarios)
      rows.push(await compare(path.join(dir, scenario.name), scenario, plan, origin.address))
    if (plan.idle) idle = await measureIdle(path.join(dir, 'idle'), plan.nginx)
  } finally {
    await stopProcess(origin.child)
    fs.rmSync(dir, { recursive: true, force: true })
  }
  if (rows.length > 0) console.log(`\n${table(rows)}`)
  if (idle.length > 0) console.log(`\n${idleTable(idle)}`)
  if (plan.scenarios.length === SCENARIOS.length) writePage(rows, idle, plan)
  return 0
}

/** What is to be done, or why it cannot be. */
function readPlan(args: readonly string[]): Plan | string {
  const options = {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    idle: { type: 'boolean', default: false },
  } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  const nginx = findNginx()
  const missing = ['wrk', 'h2load', 'nghttpd', 'taskset'].filter(
    (name) => spawnSync(name, ['--version']).error !== undefined,
  )
  if (nginx === undefined) missing.unshift('nginx')
  if (nginx === undefined || missing.length > 0) {
    return `bench: not here: ${missing.join(', ')}; apt-get install ${PACKAGES}`
  }
  if (os.cpus().length < 2) return 'bench: two cores are needed: one for the server, one for the load'
  const unknown = positionals.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name))
  const names = SCENARIOS.map(({ name }) => name).join(' ')
  if (unknown.length > 0) return `bench: no scenario ${unknown.join(', ')}; there are: ${names}`
  const scenarios = SCENARIOS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const onlyIdle = values.idle && positionals.length === 0
  const idle = values.idle || positionals.length === 0
  const { seconds, rounds } = values
  return { scenarios: onlyIdle ? [] : scenarios, seconds: Number(seconds), rounds: Number(rounds), idle, nginx }
}

async function compare(dir: string, scenario: Scenario, plan: Plan, origin: string): Promise<Row> {
  const partner = scenario.partner === undefined ? undefined : await Partner.start(scenario.partner)
  const grpc = scenario.grpc === true ? await startGrpcOrigin() : undefined
  const php = scenario.php === true ? await startPhp(`${dir}/php`) : undefined
  const address = partner?.address ?? grpc?.address ?? php?.address ?? origin
  const servers = await startBoth(dir, scenario, plan.nginx, address)
  const results: Record<'nginx' | 'viaduct', Result[]> = { nginx: [], viaduct: [] }
  try {
    if (partner === undefined && grpc === undefined) await checkAlike(scenario, servers)
    for (const server of servers) await measure(scenario, server, WARM_UP_SECONDS, partner)
    for (let round = 0; round < plan.rounds; round++) {
      for (const server of servers) results[server.name].push(await measure(scenario, server, plan.seconds, partner))
    }
  } finally {
    await stopAll(servers)
    for (const beside of [partner, grpc, php]) if (beside !== undefined) await stopProcess(beside.child)
  }
  const row = { scenario, nginx: median(results.nginx), viaduct: median(results.viaduct) }
  const cost = `${row.nginx.cpuMicroseconds.toFixed(1)} and ${row.viaduct.cpuMicroseconds.toFixed(1)} µs per request`
  console.log(`${scenario.name}: ${cost}, ${cpuRatio(row).toFixed(2)}x`)
  return row
}

function writePage(rows: readonly Row[], idle: readonly IdleRow[], { seconds, rounds, nginx }: Plan): void {
  const version = spawnSync(nginx, ['-v'], { encoding: 'utf8' }).stderr.trim().replace('nginx version: ', '')
  const text = `# Benchmarks

Written by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}.

${machine(version)}

One worker each with the same configuration text (\`bench/scenarios/\`), both on one core; \`wrk\` with 64 connections and the
back end on another. The median of ${rounds} alternating rounds of ${seconds} s. CPU time is that of the whole process tree. Trust
the ratios, not the digits: *requests per CPU second* above 1 means that Viaduct needs less CPU time for a request than nginx,
*expected* is the ratio that this stage of the project has to reach. HTTP/2 and gRPC are asked by \`h2load\`; what goes to and
fro (WebSockets, events, handshakes) is measured by processes that are client and back end in one, and a "request" is then a
message, an event or a handshake.

${table(rows)}

What a connection costs that has made a request and keeps quiet:

${idleTable(idle)}

## What bounds the figures

- A small response costs nginx and Viaduct the same system calls (one read and one write per connection involved, and an
  epoll_wait for many): three quarters of the time of a fixed response and two thirds of a proxied one are spent in the
  kernel by both. Of the rest about half is Node's way from libuv into JavaScript and back, half is our own code.
- A connection per request costs more than in nginx: each accepted socket is an object for libuv, for V8 and for us.
- A file of 1 MB is read and written piece by piece: Node offers no sendfile. Files up to 256 KB are kept in memory
  (\`open_file_cache\`), short ones leave in one piece with their head.
- TLS: two thirds of a proxied request are the same system calls, a fifth is OpenSSL and Node's way to it. An idle TLS
  connection keeps buffers for both directions in Node's engine; nginx gives them back.
- Over HTTP/2 the answers of one event leave in one system call for all streams of a connection.
- The compressed form of a static file is remembered, so a page is compressed once and not for every client.
- Each choice of round robin adds up two numbers of every server of the group; while nothing is known against any of
  them, nothing else is looked at.
${keptSection('operations')}`
  fs.writeFileSync(PAGE, text)
  console.log('written: docs/BENCHMARKS.md')
}
