/** What is printed and kept of a run: a table, with the machine it comes from. */
import os from 'node:os'
import type { Result } from './measure.ts'
import type { Scenario } from './scenario.ts'
import type { Engine } from './servers.ts'

/** The figures of one scenario. */
export interface Row {
  readonly scenario: Scenario
  readonly nginx: Result
  readonly viaduct: ReadonlyMap<Engine, Result>
}

const COLUMNS = [
  'scenario',
  'requests/s: nginx',
  'viaduct',
  'ratio',
  'CPU µs/request: nginx',
  'viaduct',
  'requests per CPU second',
  'expected',
  'p99 ms: nginx',
  'viaduct',
  'ratio',
]

/** Requests per CPU second, as a multiple of nginx's. */
export function cpuRatio({ nginx, viaduct }: Row, engine: Engine): number {
  return nginx.cpuMicroseconds / viaduct.get(engine)!.cpuMicroseconds
}

/** One line per scenario with what Viaduct did on one engine, as a Markdown table. */
export function table(rows: readonly Row[], engine: Engine): string {
  return aligned([COLUMNS, ...rows.map((row) => cells(row, engine))])
}

/** A Markdown table with columns of even width, of which the first one is text. */
export function aligned(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)))
  const text = lines.map((line) => `| ${line.map((cell, i) => pad(cell, widths[i]!, i)).join(' | ')} |`)
  text.splice(
    1,
    0,
    `|${widths.map((width, i) => (i === 0 ? `${'-'.repeat(width + 2)}` : `${'-'.repeat(width + 1)}:`)).join('|')}|`,
  )
  return text.join('\n')
}

function cells(row: Row, engine: Engine): string[] {
  const { scenario, nginx } = row
  const viaduct = row.viaduct.get(engine)!
  return [
    scenario.title,
    nginx.requestsPerSecond.toFixed(0),
    viaduct.requestsPerSecond.toFixed(0),
    ratio(viaduct.requestsPerSecond / nginx.requestsPerSecond),
    nginx.cpuMicroseconds.toFixed(1),
    viaduct.cpuMicroseconds.toFixed(1),
    ratio(cpuRatio(row, engine)),
    scenario.expected === undefined || engine !== 'io_uring' ? '' : ratio(scenario.expected),
    ...(Number.isNaN(nginx.p99Ms)
      ? ['', '', '']
      : [nginx.p99Ms.toFixed(2), viaduct.p99Ms.toFixed(2), ratio(viaduct.p99Ms / nginx.p99Ms)]),
  ]
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

function ratio(value: number): string {
  return `${value.toFixed(2)}x`
}

/** What the figures depend on. */
export function machine(nginxVersion: string): string {
  const [cpu] = os.cpus()
  const memory = Math.round(os.totalmem() / 2 ** 30)
  const model = cpu?.model.trim() ?? 'unknown processor'
  return `${model}, ${os.cpus().length} cores, ${memory} GB; Linux ${os.release()}; Node ${process.versions.node}; ${nginxVersion}`
}
