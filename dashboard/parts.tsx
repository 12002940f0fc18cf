/** Small parts that views are made of. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { count, ms, percent } from './format.ts'
import type { Series } from './history.ts'
import type { Buckets } from './types.ts'

/** How good or bad something is. */
export type Tone = 'ok' | 'warn' | 'bad' | ''

export function Card(props: {
  readonly title: string
  readonly tools?: ComponentChildren
  readonly children: ComponentChildren
}): JSX.Element {
  return (
    <section class="card" aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
        {props.tools}
      </header>
      {props.children}
    </section>
  )
}

export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }): JSX.Element {
  return (
    <span class={`badge ${tone}`}>
      <i />
      {children}
    </span>
  )
}

/** How full something is, from 0 to 1. */
export function Meter({ share, label }: { readonly share: number; readonly label: string }): JSX.Element {
  const tone = share >= 0.95 ? 'bad' : share >= 0.8 ? 'warn' : ''
  return (
    <span class={`meter ${tone}`} title={label}>
      <span>
        <i style={{ width: `${Math.min(100, share * 100)}%` }} />
      </span>
      <b>{percent(share)}</b>
    </span>
  )
}

const SPARK_POINTS = 60

/** A line of the last minute; it says nothing that the number beside it does not. */
export function Spark({ series }: { readonly series: Series }): JSX.Element {
  const values = series.slice(-SPARK_POINTS)
  const top = Math.max(1e-9, ...values.map((value) => value ?? 0))
  const offset = SPARK_POINTS - values.length
  let line = ''
  let from = -1
  let area = ''
  for (const [i, value] of values.entries()) {
    const x = offset + i
    if (value === null) {
      if (from >= 0) area += `L${x - 1} 20L${from} 20Z`
      from = -1
      continue
    }
    const point = `${x} ${(19 - (value / top) * 17).toFixed(1)}`
    line += `${from < 0 ? 'M' : 'L'}${point}`
    area += `${from < 0 ? 'M' : 'L'}${point}`
    if (from < 0) from = x
  }
  if (from >= 0) area += `L${SPARK_POINTS - 1} 20L${from} 20Z`
  return (
    <svg class="spark" viewBox={`0 0 ${SPARK_POINTS - 1} 20`} preserveAspectRatio="none" aria-hidden="true">
      <path class="area" d={area} />
      <path d={line} />
    </svg>
  )
}

/** What would fill an empty place: lines of configuration to copy. */
export function Empty({ why, lines }: { readonly why: string; readonly lines?: string }): JSX.Element {
  const [copied, setCopied] = useState(false)
  const copy = (text: string): void => {
    void navigator.clipboard?.writeText(text).then(() => setCopied(true))
  }
  return (
    <div class="empty">
      <p>{why}</p>
      {lines !== undefined && (
        <>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it may scroll, which keyboards must reach */}
          <pre tabIndex={0}>{lines}</pre>
          <span class="copy">
            {navigator.clipboard !== undefined && (
              <button type="button" class="button" onClick={() => copy(lines)}>
                Copy
              </button>
            )}
            <span role="status">{copied ? 'Copied.' : ''}</span>
          </span>
        </>
      )}
    </div>
  )
}

/** A dialog at the side; Escape closes it. */
export function Sheet(props: {
  readonly title: string
  readonly badge?: ComponentChildren
  readonly onClose: () => void
  readonly children: ComponentChildren
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const before = document.activeElement
    dialog.current?.showModal()
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside it closes it, as Escape does by itself
    <dialog
      ref={dialog}
      class="sheet"
      aria-label={props.title}
      onClose={props.onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <header>
        <h2>{props.title}</h2>
        {props.badge}
        <button type="button" class="button icon" aria-label="Close" onClick={() => dialog.current?.close()}>
          <Cross />
        </button>
      </header>
      {props.children}
    </dialog>
  )
}

function Cross(): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path d="M4 4l8 8M12 4l-8 8" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" />
    </svg>
  )
}

/** Pairs of a name and a value. */
export function Facts({ of }: { readonly of: readonly (readonly [string, ComponentChildren])[] }): JSX.Element {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  )
}

/** Counts by response time as bars, from the first that has any to the last. */
export function Histogram({ buckets }: { readonly buckets: Buckets }): JSX.Element {
  const total = buckets.reduce((sum, [, n]) => sum + n, 0)
  if (total === 0) return <p class="muted">No requests yet.</p>
  const most = Math.max(...buckets.map(([, n]) => n))
  const first = buckets.findIndex(([, n]) => n > 0)
  const last = buckets.findLastIndex(([, n]) => n > 0)
  return (
    <div class="bars">
      {buckets.slice(first, last + 1).map(([upTo, n]) => (
        <div key={upTo}>
          <span>{upTo === null ? '> 10 s' : `≤ ${ms(upTo)}`}</span>
          <div>
            <div style={{ width: `${(n / most) * 100}%` }} />
          </div>
          <span>{percent(n / total)}</span>
        </div>
      ))}
    </div>
  )
}

/** Status codes with their counts. */
export function Codes({ codes }: { readonly codes: Readonly<Record<string, number>> | undefined }): JSX.Element {
  const all = Object.entries(codes ?? {}).sort(([, a], [, b]) => b - a)
  if (all.length === 0) return <p class="muted">No responses yet.</p>
  const most = all[0]![1]
  return (
    <div class="bars">
      {all.map(([code, n]) => (
        <div key={code}>
          <span>{code}</span>
          <div>
            <div class={`c-${code[0]}`} style={{ width: `${(n / most) * 100}%` }} />
          </div>
          <span>{count(n)}</span>
        </div>
      ))}
    </div>
  )
}
