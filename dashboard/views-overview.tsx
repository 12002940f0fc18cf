/** The first view: what needs attention, the numbers of now, and their last minutes. */
import type { JSX } from 'preact'
import { attention, peerCounts } from './attention.ts'
import { Chart } from './chart.tsx'
import { bytes, count, ms, NOTHING, percent, rate } from './format.ts'
import { Empty, Spark, type Tone } from './parts.tsx'
import type { useStore } from './store.ts'
import { GroupsShort, ServersShort } from './views-zones.tsx'

type Store = ReturnType<typeof useStore>

const perSecond = (value: number | undefined): string => (value === undefined ? NOTHING : `${bytes(value)}/s`)
const ZONE_LINES = `server {
    status_zone site;      # counts this server's requests
    ...
}`

export function Overview({ store }: { readonly store: Store }): JSX.Element {
  const zones = store.last('9/http/server_zones/')
  return (
    <div class="stack">
      <Attention store={store} />
      <Tiles store={store} />
      {zones !== undefined && Object.keys(zones).length === 0 && (
        <section class="card" aria-label="No zones">
          <Empty
            why="No server counts its requests, so that there are no statuses, times and bytes. Give your servers zones:"
            lines={ZONE_LINES}
          />
        </section>
      )}
      <div class="grid two">
        <Chart
          title="Requests per second"
          format={rate}
          stacked
          lines={[
            { name: '2xx', label: '2xx', color: '2' },
            { name: '3xx', label: '3xx', color: '3' },
            { name: '4xx', label: '4xx', color: '4' },
            { name: '5xx', label: '5xx', color: '5' },
          ]}
        />
        <Chart
          title="Response time"
          format={ms}
          lines={[
            { name: 'p99', label: 'p99', color: 'v' },
            { name: 'p95', label: 'p95', color: '3' },
            { name: 'p50', label: 'p50', color: 'a' },
          ]}
        />
        <Chart
          title="Traffic"
          format={perSecond}
          binary
          lines={[
            { name: 'out', label: 'sent', color: 'a' },
            { name: 'in', label: 'received', color: 'v' },
          ]}
        />
        <Chart
          title="Connections"
          format={count}
          lines={[
            { name: 'active', label: 'active', color: 'a' },
            { name: 'idle', label: 'idle', color: '1' },
          ]}
        />
      </div>
      <ServersShort store={store} />
      <GroupsShort store={store} />
    </div>
  )
}

function Attention({ store }: { readonly store: Store }): JSX.Element {
  const notes = attention(store)
  return (
    <ul class="notes" aria-label="What needs attention">
      {notes.length === 0 && (
        <li class="note ok">
          <b>All is well.</b>
          <span>No back end is down, nothing is nearly full, no certificate ends soon.</span>
        </li>
      )}
      {notes.map(({ tone, title, text, view }) => (
        <li key={title + text} class={`note ${tone}`}>
          <b>{title}</b>
          <span>{text}</span>
          <a href={`#/${view}`} aria-label={`Show ${title}: ${text}`}>
            Show
          </a>
        </li>
      ))}
    </ul>
  )
}

function Tiles({ store }: { readonly store: Store }): JSX.Element {
  const of = (name: string): number | undefined => store.chronicle.series(name).at(-1) ?? undefined
  const classes = ['1xx', '2xx', '3xx', '4xx', '5xx'].map(of)
  const all = classes.reduce<number>((sum, value) => sum + (value ?? 0), 0)
  const failing = all > 0 ? (classes[4] ?? 0) / all : undefined
  const peers = peerCounts(store)
  const total = store.last('9/http/requests')
  return (
    <div class="grid tiles">
      <Tile
        label="Requests"
        value={rate(of('requests'))}
        unit="/s"
        sub={`${count(total?.total)} in all, ${total?.current ?? 0} now`}
        spark="requests"
        store={store}
      />
      <Tile label="Response time, p95" value={ms(of('p95'))} sub={`p99 ${ms(of('p99'))}`} spark="p95" store={store} />
      <Tile
        label="Server errors"
        value={percent(failing)}
        sub={`5xx ${rate(of('5xx'))} /s, 4xx ${rate(of('4xx'))} /s`}
        tone={failing !== undefined && failing >= 0.05 ? 'bad' : failing !== undefined && failing >= 0.01 ? 'warn' : ''}
        spark="5xx"
        store={store}
      />
      <Tile
        label="Connections"
        value={count(of('active'))}
        sub={`${count(of('idle'))} idle, ${rate(of('accepted'))} new /s`}
        spark="active"
        store={store}
      />
      <Tile
        label="Sent"
        value={perSecond(of('out'))}
        sub={`${perSecond(of('in'))} received`}
        spark="out"
        store={store}
      />
      <Tile
        label="Back ends up"
        value={peers === undefined || peers.all === 0 ? NOTHING : String(peers.up)}
        unit={peers === undefined || peers.all === 0 ? '' : ` of ${peers.all}`}
        sub={peers === undefined ? '' : `${peers.groups} groups, ${peers.failed} failed`}
        tone={peers !== undefined && peers.failed > 0 ? 'bad' : ''}
        store={store}
      />
    </div>
  )
}

function Tile(props: {
  readonly label: string
  readonly value: string
  readonly unit?: string
  readonly sub: string
  readonly tone?: Tone
  readonly spark?: string
  readonly store: Store
}): JSX.Element {
  const { label, value, unit, sub, tone = '', spark, store } = props
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for what can be filled in
    <div class={`card tile ${tone}`} role="group" aria-label={label}>
      {spark !== undefined && <Spark series={store.chronicle.series(spark)} />}
      <div class="label">{label}</div>
      <div class="value">
        {value}
        {unit !== undefined && <small>{unit}</small>}
      </div>
      <div class="sub" title={sub}>
        {sub}
      </div>
    </div>
  )
}
