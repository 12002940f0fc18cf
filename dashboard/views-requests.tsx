/** Single requests as they come, with where each spent its time; and what is asked most. */
import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { apiPath } from './api.ts'
import { bytes, count, moment, ms } from './format.ts'
import { Badge, Card, Empty, Facts, Sheet, type Tone } from './parts.tsx'
import type { useStore } from './store.ts'
import { type Column, Table } from './table.tsx'
import type { Attempt, Sample, TopEntry } from './types.ts'

type Store = ReturnType<typeof useStore>

const SAMPLE_LINES = `http {
    status_requests 1% slow=500ms;   # one of a hundred, and all that took longer
    ...
}`
const TOP_LINES = `http {
    status_top on;
    ...
}`
const RANKS_MAX = 12
const FIRST_SHOWN = 20
const PROTOCOLS: Readonly<Record<number, string>> = {
  9: 'HTTP/0.9',
  10: 'HTTP/1.0',
  11: 'HTTP/1.1',
  20: 'HTTP/2',
  30: 'HTTP/3',
}
const PARTS = ['queue', 'connect', 'header', 'body'] as const
const PART_COLORS: Readonly<Record<string, string>> = { queue: '4', connect: 'v', header: 'a', body: '3' }
const PART_NAMES: Readonly<Record<string, string>> = {
  queue: 'Waited for a server',
  connect: 'Connecting',
  header: 'Until the head',
  body: 'Until the end',
}

export function Requests({ store }: { readonly store: Store }): JSX.Element {
  const top = store.last('viaduct/top')
  return (
    <div class="stack">
      <Live store={store} />
      {top !== undefined && !top.recorded ? (
        <Card title="Asked most">
          <Empty why="What is asked most is not recorded. This line does it, in little memory:" lines={TOP_LINES} />
        </Card>
      ) : (
        <div class="grid three">
          <Ranks title="Top URLs" entries={top?.urls ?? []} />
          <Ranks title="Top clients" entries={top?.clients ?? []} />
          <Ranks title="Top errors" entries={top?.errors ?? []} />
        </div>
      )}
    </div>
  )
}

function Ranks({ title, entries }: { readonly title: string; readonly entries: readonly TopEntry[] }): JSX.Element {
  const shown = entries.filter(({ text }) => !isOwn(text.replace(/^\d+ /, ''))).slice(0, RANKS_MAX)
  const most = Math.max(1, ...shown.map((entry) => entry.count))
  return (
    <Card title={title} tools={<span class="muted small">of the last minutes</span>}>
      {shown.length === 0 ? (
        <p class="pad muted">None.</p>
      ) : (
        <ol class="ranks">
          {shown.map((entry) => (
            <li key={entry.text}>
              <div style={{ width: `${(entry.count / most) * 100}%` }} />
              <span title={entry.text}>{entry.text}</span>
              {entry.ms > 0 && <span class="muted small">{ms(entry.ms)}</span>}
              <span>{count(entry.count)}</span>
            </li>
          ))}
        </ol>
      )}
    </Card>
  )
}

function statusTone(status: number): Tone {
  return status >= 500 ? 'bad' : status >= 400 ? 'warn' : status >= 200 && status < 300 ? 'ok' : ''
}

interface Part {
  readonly name: (typeof PARTS)[number]
  readonly ms: number
}

/** Moments count from the beginning of the attempt: each part lasts from the one before that came. */
function partsOf({ queue, connect, header, response }: Attempt): Part[] {
  const waited = Math.max(0, queue)
  const connected = Math.max(0, connect)
  const answered = header < 0 ? connected : Math.max(header, connected)
  const ended = response < 0 ? answered : Math.max(response, answered)
  return [
    { name: 'queue', ms: waited },
    { name: 'connect', ms: connected },
    { name: 'header', ms: answered - connected },
    { name: 'body', ms: ended - answered },
  ]
}

function Spent({ attempts, total }: { readonly attempts: readonly Attempt[]; readonly total: number }): JSX.Element {
  const parts = attempts.flatMap(partsOf).filter((part) => part.ms > 0)
  const rest = Math.max(0, total - parts.reduce((sum, part) => sum + part.ms, 0))
  const label = [...parts.map((part) => `${part.name} ${ms(part.ms)}`), `here ${ms(rest)}`].join(', ')
  return (
    <div class="split" role="img" aria-label={label} title={label}>
      {parts.map((part, i) => (
        <div key={i} class={`c-${PART_COLORS[part.name]}`} style={{ flexGrow: part.ms }} />
      ))}
      {rest > 0 && <div class="c-1" style={{ flexGrow: rest }} />}
    </div>
  )
}

const COLUMNS: readonly Column<Sample>[] = [
  {
    key: 'uri',
    label: 'Request',
    cell: ({ method, uri }) => (
      <>
        <span class="muted">{method}</span> {uri}
      </>
    ),
    sort: ({ uri }) => uri,
  },
  {
    key: 'status',
    label: 'Status',
    width: '84px',
    cell: ({ status }) => <Badge tone={statusTone(status)}>{status}</Badge>,
    sort: ({ status }) => status,
  },
  {
    key: 'ms',
    label: 'Time',
    number: true,
    width: '84px',
    cell: (sample) => ms(sample.ms),
    sort: (sample) => sample.ms,
  },
  {
    key: 'spent',
    label: 'Spent',
    title: 'Waiting for a server, connecting, until the head, until the end; the rest here or with the client',
    from: 'mid',
    width: '130px',
    cell: ({ upstream = [], ms: total }) => <Spent attempts={upstream} total={total} />,
  },
  {
    key: 'host',
    label: 'Host',
    from: 'wide',
    width: '150px',
    cell: ({ host }) => host,
    sort: ({ host }) => host,
  },
  {
    key: 'upstream',
    label: 'Back end',
    from: 'mid',
    width: '160px',
    cell: ({ upstream, cache }) => upstream?.at(-1)?.address ?? (cache === undefined ? '–' : `cache: ${cache}`),
  },
  {
    key: 'client',
    label: 'Client',
    from: 'wide',
    width: '140px',
    cell: ({ client }) => client,
    sort: ({ client }) => client,
  },
  {
    key: 'at',
    label: 'At',
    number: true,
    from: 'narrow',
    width: '84px',
    cell: ({ at }) => moment(at),
    sort: ({ at }) => at,
  },
]

interface Filter {
  readonly path: string
  readonly server: string
  readonly status: string
  readonly slowMs: number
}

/** What this page asks itself is left out. */
function isOwn(text: string): boolean {
  return text.startsWith(apiPath)
}

function fits(sample: Sample, { path, server, status, slowMs }: Filter): boolean {
  if (status !== '' && String(sample.status)[0] !== status) return false
  if (server !== '' && serverOf(sample) !== server) return false
  return sample.ms >= slowMs && sample.uri.includes(path)
}

function serverOf({ server, host }: Sample): string {
  return server || host
}

/** What is chosen from the list, and whether it goes on. */
function Filters(props: {
  readonly filter: Filter
  readonly servers: readonly string[]
  readonly onChange: (part: Partial<Filter>) => void
  readonly held: boolean
  readonly onHold: () => void
}): JSX.Element {
  const { filter, servers, onChange, held, onHold } = props
  return (
    <div class="tools">
      <select
        class="field"
        aria-label="Status"
        value={filter.status}
        onChange={(event) => onChange({ status: event.currentTarget.value })}
      >
        <option value="">Any status</option>
        {['2', '3', '4', '5'].map((status) => (
          <option key={status} value={status}>
            {status}xx
          </option>
        ))}
      </select>
      <select
        class="field"
        aria-label="Server"
        value={filter.server}
        onChange={(event) => onChange({ server: event.currentTarget.value })}
      >
        <option value="">Any server</option>
        {servers.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <select
        class="field"
        aria-label="Time"
        value={filter.slowMs}
        onChange={(event) => onChange({ slowMs: Number(event.currentTarget.value) })}
      >
        {[0, 10, 100, 500, 1000, 5000].map((slow) => (
          <option key={slow} value={slow}>
            {slow === 0 ? 'Any time' : `${ms(slow)} and more`}
          </option>
        ))}
      </select>
      <input
        class="field"
        type="search"
        placeholder="Path"
        aria-label="Filter by path"
        value={filter.path}
        onInput={(event) => onChange({ path: event.currentTarget.value })}
      />
      <button type="button" class={`button ${held ? 'on' : ''}`} aria-pressed={held} onClick={onHold}>
        {held ? 'Held' : 'Hold'}
      </button>
    </div>
  )
}

function Live({ store }: { readonly store: Store }): JSX.Element {
  const [filter, setFilter] = useState<Filter>({ path: '', server: '', status: '', slowMs: 0 })
  const [held, setHeld] = useState<readonly Sample[]>()
  const [opened, setOpened] = useState<Sample>()
  const [whole, setWhole] = useState(false)
  // What somebody points at stays where it is.
  const [still, setStill] = useState<readonly Sample[]>()
  const samples = store.last('viaduct/requests?count=200')
  const all = (held ?? still ?? samples?.requests ?? []).filter(({ uri }) => !isOwn(uri))
  const fitting = all.filter((sample) => fits(sample, filter))
  const shown = whole ? fitting : fitting.slice(0, FIRST_SHOWN)
  const servers = useServers(all)
  if (samples !== undefined && !samples.recorded) {
    return (
      <Card title="Requests">
        <Empty
          why="Single requests are not recorded. This line records some, without their arguments:"
          lines={SAMPLE_LINES}
        />
      </Card>
    )
  }
  const tools = (
    <Filters
      filter={filter}
      servers={servers}
      onChange={(part) => setFilter({ ...filter, ...part })}
      held={held !== undefined}
      onHold={() => setHeld(held === undefined ? samples?.requests : undefined)}
    />
  )
  return (
    <Card title="Requests" tools={tools}>
      {shown.length === 0 ? (
        <Empty why={all.length === 0 ? 'None was recorded yet.' : 'None of the recorded requests fits.'} />
      ) : (
        <Table
          label="Requests"
          columns={COLUMNS}
          groups={[{ key: 'all', rows: shown }]}
          keyOf={keyOf}
          onOpen={setOpened}
          onStay={(stays) => setStill(stays ? (still ?? samples?.requests) : undefined)}
        />
      )}
      {fitting.length > FIRST_SHOWN && (
        <div class="more">
          <button type="button" class="button" onClick={() => setWhole(!whole)}>
            {whole ? `Show the last ${FIRST_SHOWN}` : `Show all ${fitting.length}`}
          </button>
        </div>
      )}
      {opened !== undefined && <SampleSheet sample={opened} onClose={() => setOpened(undefined)} />}
    </Card>
  )
}

/** A number for each sample, which has none of its own: the same answer may tell of two that are alike. */
const keys = new WeakMap<Sample, string>()
let keyCount = 0

function keyOf(sample: Sample): string {
  let key = keys.get(sample)
  if (key === undefined) keys.set(sample, (key = `${sample.at} ${sample.client} ${sample.uri} ${keyCount++ % 1000}`))
  return key
}

/** The servers of what was seen so far, so that a choice does not vanish while it is made. */
function useServers(samples: readonly Sample[]): string[] {
  const seen = useRef(new Set<string>())
  for (const sample of samples) if (seen.current.size < 200) seen.current.add(serverOf(sample))
  return [...seen.current].sort()
}

function SampleSheet({ sample, onClose }: { readonly sample: Sample; readonly onClose: () => void }): JSX.Element {
  const { upstream = [], status, cache } = sample
  return (
    <Sheet
      title={`${sample.method} ${sample.uri}`}
      badge={<Badge tone={statusTone(status)}>{status}</Badge>}
      onClose={onClose}
    >
      <section>
        <Facts
          of={[
            ['At', moment(sample.at)],
            ['Took', ms(sample.ms)],
            ['Client', sample.client],
            ['Host', sample.host],
            ['Server', sample.server || 'without a name'],
            ['Location', sample.location],
            ['Protocol', PROTOCOLS[sample.protocol] ?? String(sample.protocol)],
            ['Received', bytes(sample.received)],
            ['Sent', bytes(sample.sent)],
            ...(cache === undefined ? [] : ([['Cache', cache]] as const)),
          ]}
        />
      </section>
      <section>
        <h3>Where it spent its time</h3>
        <Spent attempts={upstream} total={sample.ms} />
        <div class="legend">
          {PARTS.map((part) => (
            <span key={part}>
              <i class={`c-${PART_COLORS[part]}`} />
              {PART_NAMES[part]}
            </span>
          ))}
          <span>
            <i class="c-1" />
            Here, or with the client
          </span>
        </div>
      </section>
      {upstream.map((attempt, i) => (
        <section key={i}>
          <h3>
            Attempt {i + 1}: {attempt.address}
          </h3>
          <Facts
            of={[
              ['Status', attempt.status === 0 ? 'none' : String(attempt.status)],
              ...partsOf(attempt).map((part) => [PART_NAMES[part.name]!, ms(part.ms)] as const),
            ]}
          />
        </section>
      ))}
      {upstream.length === 0 && (
        <section>
          <p class="muted">No back end was asked.</p>
        </section>
      )}
    </Sheet>
  )
}
