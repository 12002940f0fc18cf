/** The server itself: workers, shared zones, certificates, and how its configuration came to be. */
import type { JSX } from 'preact'
import { fillOf } from './attention.ts'
import { Chart } from './chart.tsx'
import { bytes, count, moment, ms, rate } from './format.ts'
import { Badge, Card, Empty, Meter, type Tone } from './parts.tsx'
import type { useStore } from './store.ts'
import { type Column, Table } from './table.tsx'
import type { Certificate, Resolver, Slab, Worker } from './types.ts'

type Store = ReturnType<typeof useStore>

const CERTIFICATE_LINES = `server {
    listen 443 ssl;
    ssl_certificate     /etc/ssl/site.pem;
    ssl_certificate_key /etc/ssl/site.key;
}`
const ZONE_LINES = `limit_req_zone $binary_remote_addr zone=by_client:10m rate=20r/s;`
const whole = (value: number | undefined): string => (value === undefined ? '–' : `${Math.round(value)} %`)

export function System({ store }: { readonly store: Store }): JSX.Element {
  return (
    <div class="stack">
      <div class="grid two">
        <Chart title="Busiest worker" format={whole} lines={[{ name: 'busy', label: 'busy', color: 'a' }]} />
        <Chart
          title="Event-loop delay, p99"
          format={ms}
          lines={[{ name: 'delay', label: 'slowest worker', color: 'v' }]}
        />
      </div>
      <Workers store={store} />
      <Certificates store={store} />
      <ZonesFill store={store} />
      <Resolvers store={store} />
      <ReloadHistory store={store} />
    </div>
  )
}

const WORKER_COLUMNS: readonly Column<Worker>[] = [
  {
    key: 'id',
    label: 'Worker',
    cell: ({ id, pid }) => (
      <>
        {id} <span class="muted">process {pid}</span>
      </>
    ),
    sort: ({ id }) => id,
  },
  {
    key: 'busy',
    label: 'Busy',
    title: 'Share of the last second in which it worked',
    width: '150px',
    cell: ({ id, busy }) => <Meter share={busy} label={`Worker ${id} busy`} />,
    sort: ({ busy }) => busy,
  },
  {
    key: 'delay',
    label: 'Delay p99',
    title: 'How late its event loop was in the last second',
    number: true,
    width: '96px',
    cell: ({ delay }) => ms(delay.p99),
    tone: ({ delay }) => (delay.p99 >= 200 ? 'bad' : delay.p99 >= 50 ? 'warn' : ''),
    sort: ({ delay }) => delay.p99,
  },
  {
    key: 'heap',
    label: 'Heap',
    number: true,
    from: 'narrow',
    width: '96px',
    cell: ({ heapBytes }) => bytes(heapBytes),
    sort: ({ heapBytes }) => heapBytes,
  },
  {
    key: 'external',
    label: 'Buffers',
    title: 'Memory outside of the heap',
    number: true,
    from: 'mid',
    width: '96px',
    cell: ({ externalBytes }) => bytes(externalBytes),
    sort: ({ externalBytes }) => externalBytes,
  },
  {
    key: 'active',
    label: 'Active',
    title: 'Connections with a request',
    number: true,
    from: 'narrow',
    width: '80px',
    cell: ({ active }) => count(active),
    sort: ({ active }) => active,
  },
  {
    key: 'idle',
    label: 'Idle',
    title: 'Connections kept open',
    number: true,
    from: 'mid',
    width: '72px',
    cell: ({ idle }) => count(idle),
    sort: ({ idle }) => idle,
  },
  {
    key: 'accepted',
    label: 'Accepted',
    number: true,
    from: 'mid',
    width: '92px',
    cell: ({ accepted }) => count(accepted),
    sort: ({ accepted }) => accepted,
  },
  {
    key: 'dropped',
    label: 'Dropped',
    number: true,
    from: 'mid',
    width: '84px',
    cell: ({ dropped }) => count(dropped),
    tone: ({ dropped }) => (dropped > 0 ? 'warn' : 'zero'),
    sort: ({ dropped }) => dropped,
  },
  {
    key: 'requests',
    label: 'Requests',
    number: true,
    from: 'mid',
    width: '92px',
    cell: ({ requests }) => count(requests),
    sort: ({ requests }) => requests,
  },
]

function Workers({ store }: { readonly store: Store }): JSX.Element {
  return (
    <Card title="Workers">
      <Table
        label="Workers"
        columns={WORKER_COLUMNS}
        groups={[{ key: 'all', rows: store.last('viaduct/workers') ?? [] }]}
        keyOf={({ id }) => String(id)}
      />
    </Card>
  )
}

function daysTone(days: number): Tone {
  return days < 3 ? 'bad' : days < 14 ? 'warn' : 'ok'
}

const CERTIFICATE_COLUMNS: readonly Column<Certificate>[] = [
  {
    key: 'names',
    label: 'Names',
    cell: ({ names, subject }) => <span title={names.join(', ')}>{names.join(', ') || subject}</span>,
    sort: ({ names }) => names[0] ?? '',
  },
  {
    key: 'days',
    label: 'Ends in',
    width: '124px',
    cell: ({ daysLeft }) => (
      <Badge tone={daysTone(daysLeft)}>{daysLeft < 0 ? 'ended' : `${Math.floor(daysLeft)} days`}</Badge>
    ),
    sort: ({ daysLeft }) => daysLeft,
  },
  {
    key: 'at',
    label: 'At',
    from: 'narrow',
    width: '120px',
    cell: ({ notAfterMs }) => new Date(notAfterMs).toLocaleDateString('en-CA'),
    sort: ({ notAfterMs }) => notAfterMs,
  },
  { key: 'issuer', label: 'Issuer', from: 'mid', cell: ({ issuer }) => issuer, sort: ({ issuer }) => issuer },
  {
    key: 'file',
    label: 'File',
    from: 'wide',
    cell: ({ file }) => <span title={file}>{file}</span>,
    sort: ({ file }) => file,
  },
]

function Certificates({ store }: { readonly store: Store }): JSX.Element {
  const all = store.last('viaduct/certificates')
  return (
    <Card title="Certificates">
      {all !== undefined && all.length === 0 ? (
        <Empty why="No server has a certificate. These lines give it one:" lines={CERTIFICATE_LINES} />
      ) : (
        <Table
          label="Certificates"
          columns={CERTIFICATE_COLUMNS}
          groups={[{ key: 'all', rows: (all ?? []).toSorted((a, b) => a.daysLeft - b.daysLeft) }]}
          keyOf={({ file, names }) => `${file} ${names.join()}`}
        />
      )}
    </Card>
  )
}

interface ZoneRow {
  readonly name: string
  readonly slab: Slab
  readonly share: number
  readonly failed: number
}

const ZONE_COLUMNS: readonly Column<ZoneRow>[] = [
  { key: 'name', label: 'Zone', cell: ({ name }) => name, sort: ({ name }) => name },
  {
    key: 'share',
    label: 'Full',
    width: '170px',
    cell: ({ name, share }) => <Meter share={share} label={`Zone ${name}`} />,
    sort: ({ share }) => share,
  },
  {
    key: 'used',
    label: 'Pages',
    title: 'Pages of 4 KiB',
    number: true,
    from: 'narrow',
    width: '130px',
    cell: ({ slab: { pages } }) => `${count(pages.used)} of ${count(pages.used + pages.free)}`,
    sort: ({ slab }) => slab.pages.used,
  },
  {
    key: 'failed',
    label: 'No room',
    title: 'How often there was no room',
    number: true,
    from: 'narrow',
    width: '96px',
    cell: ({ failed }) => count(failed),
    tone: ({ failed }) => (failed > 0 ? 'warn' : 'zero'),
    sort: ({ failed }) => failed,
  },
]

function ZonesFill({ store }: { readonly store: Store }): JSX.Element {
  const rows = Object.entries(store.last('9/slabs/') ?? {}).map(
    ([name, slab]): ZoneRow => ({
      name,
      slab,
      share: fillOf(slab),
      failed: Object.values(slab.slots).reduce((sum, { fails }) => sum + fails, 0),
    }),
  )
  return (
    <Card title="Shared zones">
      {rows.length === 0 ? (
        <Empty
          why="Nothing is shared by the workers. Limits, caches and groups with a zone do that, such as:"
          lines={ZONE_LINES}
        />
      ) : (
        <Table label="Shared zones" columns={ZONE_COLUMNS} groups={[{ key: 'all', rows }]} keyOf={({ name }) => name} />
      )}
    </Card>
  )
}

interface ResolverRow {
  readonly name: string
  readonly asked: number
  readonly asking: number | undefined
  readonly responses: Resolver['responses']
}

/** A column for one of the outcomes. */
function outcomeColumn(key: string, label: string, from?: 'narrow' | 'mid'): Column<ResolverRow> {
  return {
    key,
    label,
    number: true,
    width: '104px',
    ...(from === undefined ? {} : { from }),
    cell: ({ responses }) => count(responses[key] ?? 0),
    tone: ({ responses }) => (!responses[key] ? 'zero' : key === 'noerror' ? '' : 'warn'),
    sort: ({ responses }) => responses[key] ?? 0,
  }
}

const RESOLVER_COLUMNS: readonly Column<ResolverRow>[] = [
  { key: 'name', label: 'Resolver', cell: ({ name }) => name, sort: ({ name }) => name },
  { key: 'asking', label: 'Asked/s', number: true, width: '84px', cell: ({ asking }) => rate(asking) },
  {
    key: 'asked',
    label: 'Asked',
    number: true,
    width: '84px',
    from: 'narrow',
    cell: ({ asked }) => count(asked),
    sort: ({ asked }) => asked,
  },
  outcomeColumn('noerror', 'Answered', 'narrow'),
  outcomeColumn('nxdomain', 'No such name', 'mid'),
  outcomeColumn('servfail', 'Failed', 'mid'),
  outcomeColumn('timedout', 'Timed out'),
]

/** Name servers, where a resolver has a `status_zone`. */
function Resolvers({ store }: { readonly store: Store }): JSX.Element | null {
  const track = store.track('9/resolvers/')
  const asked = ({ requests }: Resolver): number => requests.name + requests.srv + requests.addr
  const rows = Object.entries(track.last?.data ?? {}).map(
    ([name, resolver]): ResolverRow => ({
      name,
      asked: asked(resolver),
      asking: track.rate((all) => all[name] && asked(all[name])),
      responses: resolver.responses,
    }),
  )
  if (rows.length === 0) return null
  return (
    <Card title="Resolvers">
      <Table label="Resolvers" columns={RESOLVER_COLUMNS} groups={[{ key: 'all', rows }]} keyOf={({ name }) => name} />
    </Card>
  )
}

const RELOADS_SHOWN = 20

function ReloadHistory({ store }: { readonly store: Store }): JSX.Element {
  const reloads = store.last('viaduct/reloads')
  const tools = reloads !== undefined && (
    <span class="muted small">
      {reloads.generation} in all, {reloads.refused} refused, {reloads.respawned} workers started anew
    </span>
  )
  return (
    <Card title="Configurations" tools={tools}>
      <ol class="timeline">
        {(reloads?.reloads ?? [])
          .toReversed()
          .slice(0, RELOADS_SHOWN)
          .map((reload) => (
            <li key={`${reload.at} ${reload.generation}`}>
              <span class="muted">{moment(reload.at)}</span>
              <span>
                <Badge tone={reload.ok ? 'ok' : 'bad'}>{reload.ok ? 'loaded' : 'refused'}</Badge>
              </span>
              <span>{changeOf(reload)}</span>
              <span class="muted">{ms(reload.tookMs)}</span>
            </li>
          ))}
      </ol>
    </Card>
  )
}

function changeOf({
  problem,
  changed,
  generation,
  workers,
}: {
  readonly problem: string
  readonly changed: readonly string[]
  readonly generation: number
  readonly workers: number
}): string {
  if (problem !== '') return problem
  if (changed.length > 0) return `changed: ${changed.join(', ')}`
  return generation === 1 ? `started with ${workers} workers` : 'nothing changed in the files'
}
