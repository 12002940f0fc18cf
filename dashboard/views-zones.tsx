/** Servers and locations: how much is asked of them, what they answer, and how fast. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { isFailed } from './attention.ts'
import { ago, bytes, count, ms, rate } from './format.ts'
import { quantile, since } from './history.ts'
import { Badge, Card, Codes, Empty, Facts, Histogram, Sheet, Spark } from './parts.tsx'
import type { useStore } from './store.ts'
import { type Column, Table } from './table.tsx'
import type { Buckets, Classes, Timed, Zone } from './types.ts'

type Store = ReturnType<typeof useStore>
type Kind = 'server' | 'location'

interface ZoneRow {
  readonly kind: Kind
  readonly name: string
  readonly zone: Zone
  readonly timed: Timed | undefined
  readonly requests: number | undefined
  readonly classes: Readonly<Record<keyof Classes & `${number}xx`, number | undefined>>
  readonly received: number | undefined
  readonly sent: number | undefined
  readonly recent: Buckets
}

const SERVER_LINES = `server {
    status_zone site;
    ...
}`
const LOCATION_LINES = `location /shop/ {
    status_zone shop;
    proxy_pass http://shop;
}`

function rowsOf(store: Store, kind: Kind): ZoneRow[] {
  const track = store.track(kind === 'server' ? '9/http/server_zones/' : '9/http/location_zones/')
  const timed = store.track('viaduct/zones')
  const of = kind === 'server' ? 'servers' : 'locations'
  return Object.entries(track.last?.data ?? {}).map(([name, zone]) => {
    const times = timed.last?.data[of][name]
    const before = timed.oldest?.data[of][name]?.times
    const classRate = (key: keyof Classes & `${number}xx`) => track.rate((all) => all[name]?.responses[key])
    return {
      kind,
      name,
      zone,
      timed: times,
      requests: track.rate((all) => all[name]?.requests),
      classes: {
        '1xx': classRate('1xx'),
        '2xx': classRate('2xx'),
        '3xx': classRate('3xx'),
        '4xx': classRate('4xx'),
        '5xx': classRate('5xx'),
      },
      received: track.rate((all) => all[name]?.received),
      sent: track.rate((all) => all[name]?.sent),
      recent: times === undefined || before === undefined ? [] : since(times.times, before),
    }
  })
}

function bytesColumn(
  key: string,
  label: string,
  title: string,
  from: 'narrow' | 'wide',
  pick: (row: ZoneRow) => number | undefined,
): Column<ZoneRow> {
  const width = '88px'
  return {
    key,
    label,
    title,
    number: true,
    from,
    width,
    cell: (row) => bytes(pick(row)),
    sort: (row) => pick(row) ?? -1,
  }
}

function columnsOf(store: Store, first: string): Column<ZoneRow>[] {
  const classColumn = (key: '2xx' | '3xx' | '4xx' | '5xx', from: 'narrow' | 'wide' | 'huge'): Column<ZoneRow> => ({
    key,
    label: key,
    title: `Responses ${key} per second`,
    number: true,
    from,
    width: '62px',
    cell: ({ classes }) => rate(classes[key]),
    tone: ({ classes }) => (!classes[key] ? 'zero' : key === '5xx' ? 'bad' : ''),
    sort: ({ classes }) => classes[key] ?? -1,
  })
  const timeColumn = (share: number, from: 'mid' | undefined): Column<ZoneRow> => ({
    key: `p${share}`,
    label: `p${share}`,
    title: `${share} % of the last requests were not slower`,
    number: true,
    ...(from === undefined ? {} : { from }),
    width: '76px',
    cell: ({ recent }) => ms(quantile(recent, share / 100)),
    sort: ({ recent }) => quantile(recent, share / 100) ?? -1,
  })
  return [
    { key: 'name', label: first, cell: ({ name }) => name, sort: ({ name }) => name },
    {
      key: 'spark',
      label: 'Last minute',
      from: 'wide',
      width: '110px',
      cell: ({ kind, name }) => <Spark series={store.chronicle.series(`${kind} ${name}`)} />,
    },
    {
      key: 'rate',
      label: 'Req/s',
      title: 'Requests per second',
      number: true,
      width: '76px',
      cell: ({ requests }) => rate(requests),
      sort: ({ requests }) => requests ?? -1,
    },
    classColumn('2xx', 'wide'),
    classColumn('3xx', 'huge'),
    classColumn('4xx', 'narrow'),
    classColumn('5xx', 'narrow'),
    timeColumn(50, 'mid'),
    timeColumn(95, undefined),
    timeColumn(99, 'mid'),
    bytesColumn('in', 'In/s', 'Bytes received per second', 'wide', ({ received }) => received),
    bytesColumn('out', 'Out/s', 'Bytes sent per second', 'narrow', ({ sent }) => sent),
    {
      key: 'last',
      label: 'Last hit',
      number: true,
      from: 'huge',
      width: '110px',
      cell: ({ timed }) => ago(timed?.last ?? 0, Date.now()),
      sort: ({ timed }) => timed?.last ?? 0,
    },
  ]
}

export function Zones({ store }: { readonly store: Store }): JSX.Element {
  return (
    <div class="stack">
      <ZoneCard store={store} kind="server" />
      <ZoneCard store={store} kind="location" />
    </div>
  )
}

/** The table of servers for the first view. */
export function ServersShort({ store }: { readonly store: Store }): JSX.Element | null {
  return Object.keys(store.last('9/http/server_zones/') ?? {}).length === 0 ? null : (
    <ZoneCard store={store} kind="server" />
  )
}

function ZoneCard({ store, kind }: { readonly store: Store; readonly kind: Kind }): JSX.Element {
  const [filter, setFilter] = useState('')
  const [opened, setOpened] = useState<string>()
  const rows = rowsOf(store, kind)
  const title = kind === 'server' ? 'Servers' : 'Locations'
  const fitting = rows.filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase()))
  const row = rows.find(({ name }) => name === opened)
  const tools = rows.length > 8 && (
    <input
      class="field"
      type="search"
      placeholder="Filter"
      aria-label={`Filter ${title.toLowerCase()}`}
      value={filter}
      onInput={(event) => setFilter(event.currentTarget.value)}
    />
  )
  return (
    <Card title={title} tools={tools}>
      {rows.length === 0 ? (
        <Empty
          why={`No ${kind} has a zone yet. This line makes one:`}
          lines={kind === 'server' ? SERVER_LINES : LOCATION_LINES}
        />
      ) : (
        <Table
          label={title}
          columns={columnsOf(store, kind === 'server' ? 'Server' : 'Location')}
          groups={[{ key: kind, rows: fitting }]}
          keyOf={({ name }) => name}
          onOpen={({ name }) => setOpened(name)}
        />
      )}
      {row !== undefined && <ZoneSheet row={row} onClose={() => setOpened(undefined)} />}
    </Card>
  )
}

function ZoneSheet({ row, onClose }: { readonly row: ZoneRow; readonly onClose: () => void }): JSX.Element {
  const { zone, timed, recent } = row
  const { ssl } = zone
  return (
    <Sheet title={row.name} onClose={onClose}>
      <section>
        <Facts
          of={[
            ['Requests', `${count(zone.requests)} in all, ${rate(row.requests)} /s`],
            ...(zone.processing === undefined ? [] : ([['Under way', count(zone.processing)]] as const)),
            ['Given up by clients', count(zone.discarded)],
            ['Received', `${bytes(zone.received)}, ${bytes(row.received)}/s`],
            ['Sent', `${bytes(zone.sent)}, ${bytes(row.sent)}/s`],
            ['Last hit', ago(timed?.last ?? 0, Date.now())],
          ]}
        />
      </section>
      <section>
        <h3>Response times of the last 15 seconds</h3>
        <Histogram buckets={recent} />
      </section>
      <section>
        <h3>Response times since counting began</h3>
        <Histogram buckets={timed?.times.buckets ?? []} />
      </section>
      <section>
        <h3>Statuses</h3>
        <Codes codes={zone.responses.codes} />
      </section>
      {ssl !== undefined && ssl.handshakes + ssl.handshakes_failed > 0 && (
        <section>
          <h3>TLS</h3>
          <Facts
            of={[
              ['Handshakes', count(ssl.handshakes)],
              ['Failed', count(ssl.handshakes_failed)],
              ['Sessions taken up again', count(ssl.session_reuses)],
            ]}
          />
        </section>
      )}
    </Sheet>
  )
}

interface GroupRow {
  readonly name: string
  readonly up: number
  readonly all: number
  readonly failed: number
  readonly requests: number | undefined
  readonly active: number
}

/** The table of groups for the first view. */
export function GroupsShort({ store }: { readonly store: Store }): JSX.Element | null {
  const track = store.track('9/http/upstreams/')
  const rows = Object.entries(track.last?.data ?? {}).map(
    ([name, { peers }]): GroupRow => ({
      name,
      up: peers.filter(({ state }) => state === 'up').length,
      all: peers.length,
      failed: peers.filter(({ state }) => isFailed(state)).length,
      requests: track.rate((all) => all[name]?.peers.reduce((sum, peer) => sum + peer.requests, 0)),
      active: peers.reduce((sum, { active }) => sum + active, 0),
    }),
  )
  if (rows.length === 0) return null
  const columns: Column<GroupRow>[] = [
    { key: 'name', label: 'Group', cell: ({ name }) => name, sort: ({ name }) => name },
    {
      key: 'spark',
      label: 'Last minute',
      from: 'wide',
      width: '110px',
      cell: ({ name }) => <Spark series={store.chronicle.series(`group ${name}`)} />,
    },
    {
      key: 'state',
      label: 'Servers up',
      width: '130px',
      cell: ({ up, all, failed }) => (
        <Badge tone={up === 0 ? 'bad' : failed > 0 ? 'warn' : 'ok'}>
          {up} of {all}
        </Badge>
      ),
      sort: ({ failed }) => -failed,
    },
    {
      key: 'rate',
      label: 'Req/s',
      number: true,
      width: '84px',
      cell: ({ requests }) => rate(requests),
      sort: ({ requests }) => requests ?? -1,
    },
    {
      key: 'active',
      label: 'Active',
      number: true,
      width: '84px',
      from: 'narrow',
      cell: ({ active }) => count(active),
      sort: ({ active }) => active,
    },
  ]
  return (
    <Card title="Back ends">
      <Table
        label="Groups of back ends"
        columns={columns}
        groups={[{ key: 'all', rows }]}
        keyOf={({ name }) => name}
        onOpen={() => {
          location.hash = '#/upstreams'
        }}
      />
    </Card>
  )
}
