/** A chart of the last minutes, by uPlot. Its numbers stand in a legend, which is all that readers without eyes need. */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { Card } from './parts.tsx'
import { store } from './store.ts'

/** One line of a chart. */
export interface Line {
  readonly name: string
  readonly label: string
  /** The ending of a class `c-…`, which has the colour. */
  readonly color: string
}

const VARIABLES: Readonly<Record<string, string>> = {
  '1': '--grey',
  '2': '--ok',
  '3': '--info',
  '4': '--warn',
  '5': '--bad',
  a: '--accent',
  v: '--violet',
}
const SHOWN_S = 300
/** A page that was just opened shows a minute, and more as time passes. */
const SHOWN_MIN_S = 60
/** Steps between the lines of an axis that look round in binary units. */
const BINARY_STEPS = Array.from({ length: 42 }, (_, power) => 2 ** power)

interface Props {
  readonly title: string
  readonly lines: readonly Line[]
  readonly format: (value: number | undefined) => string
  /** Lines are laid upon each other. */
  readonly stacked?: boolean
  /** Values are bytes. */
  readonly binary?: boolean
}

export function Chart(props: Props): JSX.Element {
  const { title, lines, format, stacked = false } = props
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  useEffect(() => {
    const element = place.current!
    const draw = (): void => {
      plot.current?.destroy()
      plot.current = makePlot(element, props)
      fill(plot.current, lines, stacked)
    }
    draw()
    const resized = new ResizeObserver(() => plot.current?.setSize(sizeOf(element)))
    resized.observe(element)
    const stop = store.listen(() => fill(plot.current!, lines, stacked))
    // Colours are those of the theme.
    const dark = matchMedia('(prefers-color-scheme: dark)')
    const theme = new MutationObserver(draw)
    theme.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    dark.addEventListener('change', draw)
    return () => {
      stop()
      resized.disconnect()
      theme.disconnect()
      dark.removeEventListener('change', draw)
      plot.current?.destroy()
    }
  }, [])
  const legend = (
    <div class="legend">
      {lines.map(({ name, label, color }) => (
        <span key={name}>
          <i class={`c-${color}`} />
          {label} <b>{format(store.chronicle.series(name).at(-1) ?? undefined)}</b>
        </span>
      ))}
    </div>
  )
  return (
    <Card title={title} tools={legend}>
      <div class="chart" ref={place} aria-hidden="true" />
    </Card>
  )
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  return { width: Math.max(80, element.clientWidth - 8), height: 160 }
}

/** What a colour is under the theme; a canvas does not understand `light-dark()`. */
function colorOf(color: string): string {
  const probe = document.createElement('i')
  probe.style.color = color
  document.body.append(probe)
  const computed = getComputedStyle(probe).color
  probe.remove()
  return computed
}

function makePlot(element: HTMLElement, { lines, format, stacked = false, binary = false }: Props): uPlot {
  const muted = colorOf('var(--muted)')
  const grid = { stroke: colorOf('var(--line)'), width: 1 }
  const ticks = { show: false }
  const font = '11px system-ui, sans-serif'
  const order = stacked ? lines.toReversed() : lines
  return new uPlot(
    {
      ...sizeOf(element),
      legend: { show: false },
      cursor: { show: false },
      padding: [6, 24, 0, 0],
      scales: {
        x: { time: true, range: (_, min, max) => [max - Math.min(SHOWN_S, Math.max(SHOWN_MIN_S, max - min)), max] },
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] },
      },
      axes: [
        { stroke: muted, grid: { show: false }, ticks, font, size: 22, space: 70, values: (_, at) => at.map(clock) },
        {
          stroke: muted,
          grid,
          ticks,
          font,
          size: 62,
          space: 34,
          ...(binary ? { incrs: BINARY_STEPS } : {}),
          values: (_, at) => at.map((value) => format(value).replace(/\.0+(?= |$)/, '')),
        },
      ],
      series: [
        {},
        ...order.map(({ color }): uPlot.Series => {
          const stroke = `var(${VARIABLES[color]})`
          return {
            stroke: colorOf(stroke),
            width: 1.6,
            points: { show: false },
            spanGaps: false,
            ...(stacked || lines.length < 3 ? { fill: colorOf(mixed(stroke, stacked)) } : {}),
          }
        }),
      ],
    },
    [[], ...lines.map(() => [])],
    element,
  )
}

/** Areas of a stack hide what is behind them, which is drawn before; others let it be seen. */
function mixed(stroke: string, stacked: boolean): string {
  return stacked ? `color-mix(in srgb, ${stroke} 34%, var(--card))` : `color-mix(in srgb, ${stroke} 9%, transparent)`
}

function clock(atS: number): string {
  const at = new Date(atS * 1000)
  const two = (n: number): string => String(n).padStart(2, '0')
  const seconds = at.getSeconds() === 0 ? '' : `:${two(at.getSeconds())}`
  return `${two(at.getHours())}:${two(at.getMinutes())}${seconds}`
}

/** Hands the series over; in a stack each line is the sum of those up to it, drawn from the highest. */
function fill(plot: uPlot, lines: readonly Line[], stacked: boolean): void {
  const { chronicle } = store
  const from = Math.max(0, chronicle.times.length - SHOWN_S)
  const series = lines.map(({ name }) => chronicle.series(name).slice(from))
  if (stacked) {
    for (let line = 1; line < series.length; line++) {
      for (const [i, value] of series[line]!.entries()) {
        const below = series[line - 1]![i] ?? null
        if (value !== null && below !== null) series[line]![i] = value + below
      }
    }
    series.reverse()
  }
  plot.setData([chronicle.times.slice(from), ...series])
}
