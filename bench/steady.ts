/**
 * What requests take at fixed rates: `npm run bench -- --steady`. The process that asks keeps to a rate whatever becomes of it
 * (partners/steady.ts), and is the back end too.
 */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Partner } from './partner.ts'
import type { Timed } from './partners/partner.ts'
import { stopProcess } from './process-tree.ts'
import { aligned } from './report.ts'
import type { Scenario } from './scenario.ts'
import { fixed } from './scenarios/fixed.ts'
import { production } from './scenarios/production.ts'
import { proxied } from './scenarios/proxied.ts'
import { type Compared, type Engine, type Running, START_SECONDS, startAll, stopAll } from './servers.ts'

const SCENARIOS: readonly Scenario[] = [fixed, proxied, production]
const CONNECTIONS = 64
/** Of what the slowest server answers. */
const SHARES = [0.25, 0.5, 0.75]
const ROUNDED_TO = 500
/** Of answering as fast as it can, which also warms up. */
const FULL_SECONDS = 3

/** The figures of one rate. */
export interface SteadyRow {
  readonly title: string
  readonly share: number
  /** Requests per second. */
  readonly rate: number
  readonly latency: ReadonlyMap<'nginx' | Engine, Quantiles>
}

type Quantiles = readonly [p50Ms: number, p99Ms: number, p999Ms: number]

/** Measures all servers at all rates. */
export async function measureSteady(
  dir: string,
  { seconds, rounds, ...compared }: Compared & { readonly seconds: number; readonly rounds: number },
): Promise<SteadyRow[]> {
  const partner = await Partner.start('steady')
  const rows: SteadyRow[] = []
  try {
    for (const scenario of SCENARIOS) {
      const started = performance.now()
      const servers = await startAll(path.join(dir, scenario.name), scenario, compared, partner.address)
      try {
        const full = await slowest(partner, servers)
        await sleep(Math.max(0, started + START_SECONDS * 1000 - performance.now()))
        for (const share of SHARES) {
          const rate = Math.max(1, Math.round((full * share) / ROUNDED_TO)) * ROUNDED_TO
          const latency = await atRate(partner, servers, { rate, seconds, rounds })
          const row = { title: scenario.title, share, rate, latency }
          rows.push(row)
          console.log(cells(row).join(', '))
        }
      } finally {
        await stopAll(servers)
      }
    }
  } finally {
    await stopProcess(partner.child)
  }
  return rows
}

async function slowest(partner: Partner, servers: readonly Running[]): Promise<number> {
  let slowest = Number.POSITIVE_INFINITY
  for (const { url } of servers) {
    const { perSecond } = await partner.measure({ url, seconds: FULL_SECONDS, connections: CONNECTIONS })
    slowest = Math.min(slowest, perSecond)
  }
  return slowest
}

/** What is measured of each server. */
interface Rounds {
  readonly rate: number
  readonly seconds: number
  readonly rounds: number
}

async function atRate(
  partner: Partner,
  servers: readonly Running[],
  { rate, seconds, rounds }: Rounds,
): Promise<Map<'nginx' | Engine, Quantiles>> {
  const found = new Map(servers.map(({ name }) => [name, [] as Timed[]]))
  for (let round = 0; round < rounds; round++) {
    for (const { name, url } of servers) {
      found.get(name)!.push(await partner.measure({ url, seconds, connections: CONNECTIONS, rate }))
    }
  }
  return new Map(
    [...found].map(([name, timed]) => [
      name,
      [median(timed, 'p50Ms'), median(timed, 'p99Ms'), median(timed, 'p999Ms')],
    ]),
  )
}

function median(timed: readonly Timed[], figure: 'p50Ms' | 'p99Ms' | 'p999Ms'): number {
  return timed.map((one) => one[figure]).sort((a, b) => a - b)[timed.length >> 1]!
}

/** The figures as a Markdown table. */
export function steadyTable(rows: readonly SteadyRow[]): string {
  const names = [...rows[0]!.latency.keys()]
  const columns = ['p50', 'p99', 'p99.9'].flatMap((quantile) =>
    names.map((name, i) => (i === 0 ? `${quantile}: ${name}` : name)),
  )
  return aligned([['scenario', 'share', 'requests/s', ...columns], ...rows.map(cells)])
}

function cells({ title, share, rate, latency }: SteadyRow): string[] {
  const figures = [0, 1, 2].flatMap((n) => [...latency.values()].map((quantiles) => quantiles[n]!.toFixed(2)))
  return [title, `${share * 100} %`, String(rate), ...figures]
}
