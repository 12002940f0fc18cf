/** One measurement: load on one server, with the CPU time that the server used meanwhile. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { byH2load } from './h2load.ts'
import type { Partner } from './partner.ts'
import type { Measured } from './partners/partner.ts'
import { cpuSeconds } from './process-tree.ts'
import type { Scenario } from './scenario.ts'
import { LOAD_CORE, type Running } from './servers.ts'

const run = promisify(execFile)
const CONNECTIONS = 64

/** What one round, or the median of several, came to. */
export interface Result {
  readonly requestsPerSecond: number
  readonly cpuMicroseconds: number
  readonly p99Ms: number
}

/** Loads a server for some seconds. Fails when anything but good responses came back. */
export async function measure(
  scenario: Scenario,
  server: Running,
  seconds: number,
  partner: Partner | undefined,
): Promise<Result> {
  const { connections = CONNECTIONS } = scenario
  const before = cpuSeconds(server.child.pid!)
  const measured =
    partner === undefined
      ? await byTool(scenario, server, seconds, connections)
      : await partner.measure({ url: server.url, seconds, connections })
  const used = cpuSeconds(server.child.pid!) - before
  return {
    requestsPerSecond: measured.perSecond,
    cpuMicroseconds: (used * 1e6) / measured.count,
    p99Ms: measured.p99Ms,
  }
}

function byTool(scenario: Scenario, server: Running, seconds: number, connections: number): Promise<Measured> {
  if (scenario.h2 === undefined) return byWrk(scenario, server, seconds, connections)
  return byH2load(server.url, scenario.h2, connections, seconds, server.dir)
}

async function byWrk(
  { name, headers = [] }: Scenario,
  server: Running,
  seconds: number,
  connections: number,
): Promise<Measured> {
  const words = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '30s',
    '--latency',
    ...headers.flatMap((line) => ['-H', line]),
  ]
  const { stdout } = await run('taskset', ['-c', String(LOAD_CORE), 'wrk', ...words, server.url])
  const bad = /Non-2xx.*|Socket errors.*/.exec(stdout)?.[0]
  if (bad !== undefined) throw new Error(`${name}, ${server.name}: ${bad}`)
  return {
    count: numberAfter(stdout, /(\d+) requests in/),
    perSecond: numberAfter(stdout, /Requests\/sec:\s+([\d.]+)/),
    p99Ms: milliseconds(/99%\s+([\d.]+)(us|ms|s|m)/.exec(stdout)),
  }
}

function numberAfter(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1]
  if (found === undefined) throw new Error(`wrk printed no ${pattern}:\n${text}`)
  return Number(found)
}

function milliseconds(match: RegExpExecArray | null): number {
  const factor = { us: 0.001, ms: 1, s: 1000, m: 60_000 }[match?.[2] ?? ''] ?? Number.NaN
  return Number(match?.[1]) * factor
}

/** The median of each figure. */
export function median(results: readonly Result[]): Result {
  const middle = (figure: (result: Result) => number): number => {
    const sorted = results.map(figure).sort((a, b) => a - b)
    return sorted[sorted.length >> 1]!
  }
  return {
    requestsPerSecond: middle((result) => result.requestsPerSecond),
    cpuMicroseconds: middle((result) => result.cpuMicroseconds),
    p99Ms: middle((result) => result.p99Ms),
  }
}

/** Fails when the servers do not answer alike: then they would not do the same work. */
export async function checkAlike(scenario: Scenario, servers: readonly Running[]): Promise<void> {
  // The certificates of the servers under test are nobody's.
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  const headers = (scenario.headers ?? []).map((line) => line.split(': ') as [string, string])
  const answers = await Promise.all(
    servers.map(async ({ name, url }) => {
      const response = await fetch(url, { headers: headers.filter(([field]) => field !== 'Connection') })
      const size = (await response.arrayBuffer()).byteLength
      return { name, text: `${response.status}, ${size} bytes, ${response.headers.get('content-encoding') ?? 'plain'}` }
    }),
  )
  delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
  const [first, ...others] = answers
  const other = others.find(({ text }) => text !== first!.text)
  if (other !== undefined) {
    throw new Error(`${scenario.name}: ${first!.name} answers ${first!.text}, ${other.name} ${other.text}`)
  }
}
