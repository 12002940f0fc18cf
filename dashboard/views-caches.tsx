/** Caches: how much they answer, and why they did not; and limits, with what they refused. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { bytes, count, NOTHING, percent, rate } from './format.ts'
import { Badge, Card, Empty, Facts, Meter, Sheet } from './parts.tsx'
import type { useStore } from './store.ts'
import { type Column, Table } from './table.tsx'
import type { Cache, LimitConn, LimitReq } from './types.ts'

type Store = ReturnType<typeof useStore>

const CACHE_LINES = `proxy_cache_path /var/cache/viaduct keys_zone=pages:10m max_size=1g;
server {
    location / {
        proxy_cache pages;
        proxy_cache_valid 10m;
        proxy_pass http://shop;
    }
}`
const LIMIT_LINES = `limit_req_zone $binary_remote_addr zone=by_client:10m rate=20r/s;
server {
    location / {
        limit_req zone=by_client burst=40 nodelay;
        proxy_pass http://shop;
    }
}`

/** Answered by the cache, and not; with the colour of each. */
const ANSWERED = ['hit', 'stale', 'updating', 'revalidated'] as const
const ASKED = ['miss', 'expired', 'bypass', 'scarce'] as const
const COLORS: Readonly<Record<string, string>> = {
  hit: '2',
  stale: '4',
  updating: '3',
  revalidated: 'a',
  miss: '5',
  expired: 'v',
  bypass: '1',
  scarce: '1',
}
const WHY: Readonly<Record<string, string>> = {
  hit: 'the stored response was good',
  stale: 'an old one answered, as nobody else could',
  updating: 'an old one answered while a new one was fetched',
  revalidated: 'the back end said that it is still good',
  miss: 'there was none',
  expired: 'it was too old',
  bypass: 'the configuration passes it by',
  scarce: 'it was not asked often enough yet',
  size: 'larger than allowed',
  zone: 'no room for its key',
  disk: 'the disk refused it',
  uncacheable: 'the response forbids it',
  evicted: 'to make room',
  inactive: 'nobody asked for it',
  purged: 'somebody removed it',
  healed: 'its file was broken',
}

interface CacheRow {
  readonly name: string
  readonly cache: Cache
  readonly ratio: number | undefined
  readonly recent: number | undefined
  readonly answered: number | undefined
}

function sum(cache: Cache, names: readonly (typeof ANSWERED | typeof ASKED)[number][]): number {
  return names.reduce((total, name) => total + cache[name].responses, 0)
}

export function Caches({ store }: { readonly store: Store }): JSX.Element {
  const [opened, setOpened] = useState<string>()
  const track = store.track('viaduct/caches')
  const { last, oldest } = track
  const rows = Object.entries(last?.data ?? {}).map(([name, cache]): CacheRow => {
    const then = oldest?.data[name]
    const [hits, all] = [sum(cache, ANSWERED), sum(cache, [...ANSWERED, ...ASKED])]
    const before = then === undefined ? undefined : ([sum(then, ANSWERED), sum(then, [...ANSWERED, ...ASKED])] as const)
    return {
      name,
      cache,
      ratio: all === 0 ? undefined : hits / all,
      recent: before === undefined || all <= before[1] ? undefined : (hits - before[0]) / (all - before[1]),
      answered: track.rate((caches) => caches[name] && sum(caches[name], [...ANSWERED, ...ASKED])),
    }
  })
  const row = rows.find(({ name }) => name === opened)
  return (
    <Card title="Caches">
      {last !== undefined && rows.length === 0 ? (
        <Empty why="Nothing is cached. These lines keep responses for ten minutes:" lines={CACHE_LINES} />
      ) : (
        <Table
          label="Caches"
          columns={COLUMNS}
          groups={[{ key: 'all', rows }]}
          keyOf={({ name }) => name}
          onOpen={({ name }) => setOpened(name)}
        />
      )}
      {row !== undefined && <CacheSheet row={row} onClose={() => setOpened(undefined)} />}
    </Card>
  )
}

const COLUMNS: readonly Column<CacheRow>[] = [
  { key: 'name', label: 'Cache', cell: ({ name }) => name, sort: ({ name }) => name },
  {
    key: 'why',
    label: 'Outcomes',
    from: 'mid',
    width: '220px',
    cell: ({ cache }) => <Outcomes cache={cache} />,
  },
  {
    key: 'ratio',
    label: 'Hit ratio',
    number: true,
    width: '84px',
    cell: ({ ratio }) => percent(ratio),
    sort: ({ ratio }) => ratio ?? -1,
  },
  {
    key: 'recent',
    label: 'Recently',
    title: 'Hit ratio of the last 15 seconds',
    number: true,
    from: 'narrow',
    width: '84px',
    cell: ({ recent }) => percent(recent),
    sort: ({ recent }) => recent ?? -1,
  },
  {
    key: 'rate',
    label: 'Req/s',
    number: true,
    from: 'narrow',
    width: '76px',
    cell: ({ answered }) => rate(answered),
    sort: ({ answered }) => answered ?? -1,
  },
  {
    key: 'entries',
    label: 'Entries',
    number: true,
    from: 'mid',
    width: '84px',
    cell: ({ cache }) => count(cache.entries),
    sort: ({ cache }) => cache.entries,
  },
  {
    key: 'size',
    label: 'Size',
    number: true,
    width: '100px',
    cell: ({ cache }) => bytes(cache.size),
    sort: ({ cache }) => cache.size,
  },
  {
    key: 'full',
    label: 'Of its limit',
    from: 'wide',
    width: '140px',
    cell: ({ name, cache }) =>
      cache.maxSize ? <Meter share={cache.size / cache.maxSize} label={`${name}: size of the limit`} /> : 'no limit',
  },
]

function Outcomes({ cache }: { readonly cache: Cache }): JSX.Element {
  const parts = [...ANSWERED, ...ASKED].map((name) => [name, cache[name].responses] as const).filter(([, n]) => n > 0)
  return (
    <div class="split" role="img" aria-label={parts.map(([name, n]) => `${name} ${n}`).join(', ') || 'none yet'}>
      {parts.map(([name, n]) => (
        <div key={name} class={`c-${COLORS[name]}`} style={{ flexGrow: n }} title={`${name}: ${count(n)}`} />
      ))}
    </div>
  )
}

function Reasons({ of }: { readonly of: readonly (readonly [string, number])[] }): JSX.Element {
  return <Facts of={of.map(([name, n]) => [`${name}${WHY[name] === undefined ? '' : `: ${WHY[name]}`}`, count(n)])} />
}

function CacheSheet({ row, onClose }: { readonly row: CacheRow; readonly onClose: () => void }): JSX.Element {
  const { cache, name } = row
  return (
    <Sheet title={name} onClose={onClose} badge={cache.cold ? <Badge tone="warn">loading</Badge> : undefined}>
      <section>
        <Facts
          of={[
            ['Size', `${bytes(cache.size)}${cache.maxSize ? ` of ${bytes(cache.maxSize)}` : ''}`],
            ['Entries', count(cache.entries)],
            ['Keys zone', <Meter key="z" share={cache.zone.used / Math.max(1, cache.zone.total)} label="Keys zone" />],
            ['Bytes from the cache', bytes(ANSWERED.reduce((total, key) => total + cache[key].bytes, 0))],
            ['Bytes from back ends', bytes(ASKED.reduce((total, key) => total + cache[key].bytes, 0))],
          ]}
        />
      </section>
      <section>
        <h3>Answered by the cache: {percent(row.ratio)}</h3>
        <Outcomes cache={cache} />
        <Reasons of={ANSWERED.map((key) => [key, cache[key].responses])} />
      </section>
      <section>
        <h3>Back end asked</h3>
        <Reasons of={ASKED.map((key) => [key, cache[key].responses])} />
      </section>
      <section>
        <h3>Not stored</h3>
        <Reasons of={Object.entries(cache.refused)} />
      </section>
      <section>
        <h3>Removed</h3>
        <Reasons of={Object.entries(cache.removed)} />
      </section>
      <section>
        <h3>Waiting for the same response</h3>
        <Facts
          of={[
            ['Requests that waited', count(cache.waits.all)],
            ['Gave up waiting', count(cache.waits.timeouts)],
            ['Read along while it came', count(cache.waits.followed)],
          ]}
        />
      </section>
    </Sheet>
  )
}

interface LimitRow {
  readonly name: string
  readonly kind: string
  readonly passed: number
  readonly delayed: number | undefined
  readonly rejected: number
  readonly dry: number
  readonly passing: number | undefined
  readonly rejecting: number | undefined
}

const LIMIT_COLUMNS: readonly Column<LimitRow>[] = [
  { key: 'name', label: 'Zone', cell: ({ name }) => name, sort: ({ name }) => name },
  { key: 'kind', label: 'Limits', from: 'narrow', width: '120px', cell: ({ kind }) => kind },
  {
    key: 'passing',
    label: 'Passed/s',
    number: true,
    from: 'narrow',
    width: '88px',
    cell: ({ passing }) => rate(passing),
    sort: ({ passing }) => passing ?? -1,
  },
  {
    key: 'rejecting',
    label: 'Rejected/s',
    number: true,
    width: '100px',
    cell: ({ rejecting }) => rate(rejecting),
    tone: ({ rejecting }) => (rejecting ? 'bad' : 'zero'),
    sort: ({ rejecting }) => rejecting ?? -1,
  },
  {
    key: 'passed',
    label: 'Passed',
    number: true,
    from: 'mid',
    width: '96px',
    cell: ({ passed }) => count(passed),
    sort: ({ passed }) => passed,
  },
  {
    key: 'delayed',
    label: 'Delayed',
    number: true,
    from: 'mid',
    width: '96px',
    cell: ({ delayed }) => count(delayed),
    sort: ({ delayed }) => delayed ?? -1,
  },
  {
    key: 'rejected',
    label: 'Rejected',
    number: true,
    width: '96px',
    cell: ({ rejected }) => count(rejected),
    tone: ({ rejected }) => (rejected > 0 ? 'warn' : 'zero'),
    sort: ({ rejected }) => rejected,
  },
  {
    key: 'share',
    label: 'Share',
    title: 'Of all that asked, those that were rejected',
    number: true,
    from: 'narrow',
    width: '84px',
    cell: ({ passed, delayed, rejected }) => percent(rejected / (passed + (delayed ?? 0) + rejected)),
  },
  {
    key: 'dry',
    label: 'Dry run',
    title: 'What a limit that is only tried would have rejected or delayed',
    number: true,
    from: 'wide',
    width: '96px',
    cell: ({ dry }) => (dry === 0 ? NOTHING : count(dry)),
    sort: ({ dry }) => dry,
  },
]

export function Limits({ store }: { readonly store: Store }): JSX.Element {
  const reqs = store.track('9/http/limit_reqs/')
  const conns = store.track('9/http/limit_conns/')
  const ofReqs = Object.entries(reqs.last?.data ?? {}).map(
    ([name, limit]: [string, LimitReq]): LimitRow => ({
      name,
      kind: 'requests',
      passed: limit.passed,
      delayed: limit.delayed,
      rejected: limit.rejected,
      dry: limit.delayed_dry_run + limit.rejected_dry_run,
      passing: reqs.rate((all) => all[name]?.passed),
      rejecting: reqs.rate((all) => all[name]?.rejected),
    }),
  )
  const ofConns = Object.entries(conns.last?.data ?? {}).map(
    ([name, limit]: [string, LimitConn]): LimitRow => ({
      name,
      kind: 'connections',
      passed: limit.passed,
      delayed: undefined,
      rejected: limit.rejected,
      dry: limit.rejected_dry_run,
      passing: conns.rate((all) => all[name]?.passed),
      rejecting: conns.rate((all) => all[name]?.rejected),
    }),
  )
  const rows = [...ofReqs, ...ofConns]
  return (
    <Card title="Limits">
      {reqs.last !== undefined && rows.length === 0 ? (
        <Empty why="Nobody is limited. These lines allow each client 20 requests per second:" lines={LIMIT_LINES} />
      ) : (
        <Table
          label="Limits"
          columns={LIMIT_COLUMNS}
          groups={[{ key: 'all', rows }]}
          keyOf={({ kind, name }) => `${kind} ${name}`}
        />
      )}
    </Card>
  )
}
