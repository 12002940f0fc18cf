/**
 * `npm run bench:operations`: what it costs a proxied request to be counted, shown and traced. One server for each way, all
 * on one core, one after the other under the same load. Rounds alternate, are short and many, and what else the machine
 * does can only add to the cost of one: the cheapest quarter of each server's rounds is compared. A profile of each says how
 * much of its worker's time goes into what it adds.
 */
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { command, positive } from '../scripts/command.ts'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { measure } from './measure.ts'
import { stopProcess } from './process-tree.ts'
import { profileOptions, shareOf } from './profile.ts'
import { machine } from './report.ts'
import { PASS, type Scenario } from './scenario.ts'
import { writeSection } from './section.ts'
import { findNginx, type Running, startOrigin, startOurs, stopAll } from './servers.ts'

const WARM_UP_SECONDS = 6
const SCRAPE_MS = 1000
const PROFILE_SECONDS = 40
/** Most that may be spent on what a way adds, in percent. */
const BOUND = 3

/** One way to run the same proxy. */
interface Way {
  readonly name: string
  readonly title: string
  readonly http: string
  /** What Prometheus asks for once a second meanwhile. */
  readonly scraped?: string
  /** The files of what this way adds. */
  readonly files?: RegExp
}

const backend = (zone: string): string =>
  `upstream backend { ${zone} server %%ORIGIN%%; keepalive 64; keepalive_requests 1000000; }\n`
const server = (inner: string): string =>
  `access_log off; keepalive_requests 1000000; server { listen 127.0.0.1:%%PORT%%; ${inner} }`
const ZONED = backend('zone backend 256k;')
const COUNTED = 'status_zone site;'
const SHOWN = 'location = /metrics { metrics; } location /api/ { api; }'
const TRACED = `otel_exporter { endpoint http://%%ORIGIN%%/v1/traces; } otel_service_name bench;
  split_clients $otel_trace_id $sampled { 1% on; * off; } otel_trace $sampled;`

const WAYS: readonly Way[] = [
  { name: 'plain', title: 'nothing of it', http: backend('') + server(`location / { ${PASS} }`) },
  { name: 'again', title: 'the same again (noise)', http: backend('') + server(`location / { ${PASS} }`) },
  {
    name: 'counted',
    title: 'zones of server, location and group, histograms; metrics scraped each second',
    http: ZONED + server(`${COUNTED} location / { status_zone pages; ${PASS} } ${SHOWN}`),
    scraped: '/metrics',
    files:
      /\/(?:status-zone|zone-counts|peer-counts|group-gauges|label-slots|time-histogram|tally|lock|holdings)\.ts$|\/(?:http\/status|metrics)\//,
  },
  {
    name: 'traced',
    title: 'one in a hundred requests traced',
    http: `${backend('')}${TRACED}\n${server(`location / { ${PASS} }`)}`,
    files: /\/otel\/|\/(?:otlp|split-clients|murmur|random|web-client)\.ts$/,
  },
]

// Profiles name the files of what was added, which a built program has not.
delete process.env['VIADUCT_BUILT']

const running = new Map<Way, Running>()
/** CPU time of a request in microseconds, by way, a number for each round. */
const costs = new Map<Way, number[]>(WAYS.map((way) => [way, []]))
/** The share of what each way adds of all that its server does. */
const shares = new Map<Way, number>()

interface Plan {
  readonly seconds: number
  readonly rounds: number
  /** The page stays as it is. */
  readonly print: boolean
}

/** Where servers run, and what is behind them. */
interface Place {
  readonly dir: string
  readonly origin: string
}

await command({
  called: 'npm run bench:operations',
  summary: 'what it costs a proxied request to be counted, shown and traced',
  usage: ['[OPTION ...]'],
  about: `Writes a section of docs/BENCHMARKS.md; the exit status is 1 when something takes more than ${BOUND} % of its worker's time. Needs, on
Debian, apt-get install nginx-light wrk util-linux; NGINX=PATH is another back end.`,
  options: {
    seconds: { type: 'string', value: 'N', help: 'of each round; 1 unless told' },
    rounds: { type: 'string', value: 'N', help: 'of each way; 40 unless told' },
    print: { type: 'boolean', help: 'only print the section' },
  },
  examples: [['--seconds 3 --rounds 20 --print', 'longer rounds, and the page stays as it is']],
  words: [],
  run: async ({ seconds, rounds, print = false }) => {
    const plan = { seconds: positive('--seconds', seconds, 1), rounds: positive('--rounds', rounds, 40), print }
    const nginx = findNginx()
    if (nginx === undefined)
      throw new ToolFailure('nginx is the back end', 'apt-get install nginx-light wrk util-linux')
    await measureAll(plan, nginx)
    return report(plan)
  },
})

async function measureAll({ seconds, rounds }: Plan, nginx: string): Promise<void> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-bench-'))
  const origin = await startOrigin(path.join(dir, 'origin'), nginx)
  const place = { dir, origin: origin.address }
  try {
    for (const way of WAYS) if (way.files !== undefined) shares.set(way, await profile(place, way, way.files))
    for (const way of WAYS) running.set(way, await start(place, way, way.name))
    for (const way of WAYS) await round(way, WARM_UP_SECONDS)
    for (let n = 0; n < rounds; n++) {
      // Each way is first, second ... as often as the others.
      for (const way of [...WAYS.slice(n % WAYS.length), ...WAYS.slice(0, n % WAYS.length)]) {
        costs.get(way)!.push(await round(way, seconds))
      }
      console.log(WAYS.map((way) => `${way.name} ${costs.get(way)!.at(-1)!.toFixed(2)}`).join(', '))
    }
  } finally {
    await stopAll([...running.values()])
    await stopProcess(origin.child)
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

function scenarioOf({ name, title, http }: Way): Scenario {
  return { name, title, http, target: '/small' }
}

function start({ dir, origin }: Place, way: Way, folder: string): Promise<Running> {
  return startOurs(path.join(dir, folder), scenarioOf(way), origin)
}

/** Loads a server of its own, each thread of which leaves a profile. */
async function profile(place: Place, way: Way, files: RegExp): Promise<number> {
  const folder = path.join(place.dir, `profile-${way.name}`)
  process.env['NODE_OPTIONS'] = profileOptions(folder)
  const one = await start(place, way, `profiled-${way.name}`)
  delete process.env['NODE_OPTIONS']
  await round(way, PROFILE_SECONDS, one)
  // Threads write their profiles when they end in order.
  const gone = once(one.child, 'exit')
  one.child.kill('SIGQUIT')
  await gone
  const { share, samples } = shareOf(folder, files)
  console.log(`${way.name}: ${(share * 100).toFixed(2)} % of ${samples} samples`)
  return share
}

async function round(way: Way, length: number, one: Running = running.get(way)!): Promise<number> {
  const scraping = way.scraped === undefined ? undefined : scrape(new URL(way.scraped, one.url).href)
  const { cpuMicroseconds } = await measure(scenarioOf(way), one, length, undefined)
  await scraping?.[Symbol.asyncDispose]()
  return cpuMicroseconds
}

/** Asks for a page once a second; the disposal waits for the last answer. */
function scrape(url: string): AsyncDisposable {
  let asked: Promise<unknown> = Promise.resolve()
  const ask = (): void => {
    asked = fetch(url).then((response) => response.text())
  }
  ask()
  const timer = setInterval(ask, SCRAPE_MS)
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await asked
    },
  }
}

/** The mean of the cheapest quarter. */
function cheapest(values: readonly number[]): number {
  const least = values.toSorted((a, b) => a - b).slice(0, Math.ceil(values.length / 4))
  return least.reduce((sum, value) => sum + value, 0) / least.length
}

/** Shows and writes the section; returns the exit status. */
function report({ seconds, rounds, print }: Plan): number {
  const [plain] = WAYS
  const base = cheapest(costs.get(plain!)!)
  const lines = WAYS.map((way) => {
    const cost = cheapest(costs.get(way)!)
    const share = shares.get(way)
    return { title: way.title, cost, more: (cost / base - 1) * 100, share, within: (share ?? 0) * 100 <= BOUND }
  })
  const percent = (value: number | undefined, sign = ''): string =>
    value === undefined ? '' : `${value >= 0 ? sign : ''}${value.toFixed(1)} %`
  const rows = lines.map(({ title, cost, more, share }, n) => {
    const cells = [title, cost.toFixed(2), n === 0 ? '' : percent(more, '+'), percent(share && share * 100)]
    return `| ${cells.join(' | ')} |`
  })
  const text = `## What it costs to be watched

Measured by \`npm run bench:operations\` on ${new Date().toISOString().slice(0, 10)}: ${machine('the back end is nginx')}.
A small response proxied over kept connections, one worker; ${rounds} alternating rounds of ${seconds} s, of which the
cheapest quarter of each server counts, since what else the machine does can only add. What is configured nowhere adds no step
to a request, so that the second line is what that measurement is worth. *Share* is how much of its worker's time (samples of
V8's profiler, ${PROFILE_SECONDS} s without the first twelve) a server spends in what is added and what that calls, the pages that are scraped
included; it hardly depends on what else the machine does, and is what must not be above ${BOUND} %.

| | CPU µs/request | more | share |
|---|---:|---:|---:|
${rows.join('\n')}`
  console.log(`\n${text}`)
  if (!print) writeSection('operations', text)
  const over = lines.filter(({ within }) => !within)
  if (over.length > 0) console.error(`more than ${BOUND} %: ${over.map(({ title }) => title).join('; ')}`)
  return over.length > 0 ? 1 : 0
}
