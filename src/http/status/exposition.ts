/**
 * Numbers as text for Prometheus (version 0.0.4) or OpenMetrics (1.0.0), which differ in little: how counters are named,
 * and how the text ends.
 */
import { TIME_BOUNDS, type TimeHistogram } from '../../shared/time-histogram.ts'

const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8'
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
const MS_PER_SECOND = 1000

/** What a number is: one that only grows, one that may fall, or one of which older names do not tell. */
type MetricType = 'counter' | 'gauge' | 'unknown'

/** Names and values that tell samples of a family apart. */
export type Labels = Readonly<Record<string, string | number>>

/** A text that is being written; samples of a family stand together, whatever the order in which they come. */
export class Exposition {
  readonly #open: boolean
  readonly #families = new Map<string, { readonly head: string; readonly lines: string[] }>()

  /** `accept` is what the client wants to have. */
  constructor(accept: string) {
    this.#open = accept.includes('application/openmetrics-text')
  }

  get contentType(): string {
    return this.#open ? OPEN_METRICS : PROMETHEUS
  }

  /** A number that only grows; the name ends with `_total`. */
  counter(name: string, help: string, labels: Labels, value: number): void {
    const family = this.#open ? name.replace(/_total$/, '') : name
    this.#family(family, 'counter', help).push(sample(name, labels, value))
  }

  gauge(name: string, help: string, labels: Labels, value: number): void {
    this.#family(name, 'gauge', help).push(sample(name, labels, value))
  }

  /** A counter with a name that others have made, which need not end as names of counters do. */
  foreign(name: string, help: string, labels: Labels, value: number): void {
    if (/_total$/.test(name)) this.counter(name, help, labels, value)
    else this.#family(name, this.#open ? 'unknown' : 'counter', help).push(sample(name, labels, value))
  }

  /** Times as a histogram in seconds. */
  times(name: string, help: string, labels: Labels, { counts, sumMs }: TimeHistogram): void {
    const lines = this.#family(name, 'histogram', help)
    let below = 0
    for (const [n, count] of counts.entries()) {
      below += count
      const bound = TIME_BOUNDS[n]
      const le = bound === undefined ? '+Inf' : numberText(bound / MS_PER_SECOND, this.#open)
      lines.push(sample(`${name}_bucket`, { ...labels, le }, below))
    }
    lines.push(sample(`${name}_sum`, labels, sumMs / MS_PER_SECOND), sample(`${name}_count`, labels, below))
  }

  /** Counts that were made elsewhere: `below` has how many are not greater than each bound. */
  histogram(
    name: string,
    help: string,
    labels: Labels,
    given: {
      readonly bounds: readonly string[]
      readonly below: readonly number[]
      readonly sum: number
      readonly count: number
    },
  ): void {
    const lines = this.#family(name, 'histogram', help)
    const { bounds, below, sum, count } = given
    for (const [n, le] of bounds.entries()) lines.push(sample(`${name}_bucket`, { ...labels, le }, below[n] ?? 0))
    lines.push(sample(`${name}_bucket`, { ...labels, le: '+Inf' }, count))
    lines.push(sample(`${name}_sum`, labels, sum), sample(`${name}_count`, labels, count))
  }

  #family(name: string, type: MetricType | 'histogram', help: string): string[] {
    let family = this.#families.get(name)
    if (family === undefined) {
      const kind = type === 'unknown' && !this.#open ? 'untyped' : type
      family = { head: `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${kind}\n`, lines: [] }
      this.#families.set(name, family)
    }
    return family.lines
  }

  /** All of it. */
  get text(): string {
    let text = ''
    for (const { head, lines } of this.#families.values()) text += head + lines.join('')
    return this.#open ? `${text}# EOF\n` : text
  }
}

function sample(name: string, labels: Labels, value: number): string {
  const all = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(String(text))}"`)
  return `${name}${all.length === 0 ? '' : `{${all.join(',')}}`} ${valueText(value)}\n`
}

function valueText(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN'
}

/** OpenMetrics wants bounds as numbers with a point. */
function numberText(value: number, open: boolean): string {
  return open && Number.isInteger(value) ? `${value}.0` : String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
