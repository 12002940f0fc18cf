/** Groups of back ends and their servers; what is done with a server is in its sheet. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { AddServer } from './add-server.tsx'
import { isFailed, toneOf } from './attention.ts'
import { bytes, count, duration, ms, NOTHING, rate } from './format.ts'
import { quantile, rateBetween, type Snapshot, since, together } from './history.ts'
import { Badge, Card, Empty } from './parts.tsx'
import { PeerSheet } from './peer-sheet.tsx'
import type { useStore } from './store.ts'
import { type Column, type RowGroup, Table } from './table.tsx'
import type { Buckets, Group, Named, Peer, PeerTimes } from './types.ts'

type Store = ReturnType<typeof useStore>

/** A server of a group with what is known of it. */
export interface PeerRow {
  readonly group: string
  readonly peer: Peer
  readonly more: PeerTimes | undefined
  readonly recent: Buckets
  readonly requests: number | undefined
  readonly failing: number | undefined
  readonly sent: number | undefined
  readonly received: number | undefined
}

const LINES = `upstream shop {
    zone shop 64k;                # state shared by all workers: shows it here
    server 10.0.0.7:80;
    server 10.0.0.8:80;
}`

const indexes = new WeakMap<object, ReadonlyMap<string, unknown>>()

/** Finds one of many by group and id; answers never change, so that an index is made once for each. */
function indexOf<T extends { readonly id: number }, A extends Named<unknown>>(
  data: A,
  list: (group: A[string]) => readonly T[],
): ReadonlyMap<string, T> {
  let index = indexes.get(data)
  if (index === undefined) {
    const entries = Object.entries(data) as [string, A[string]][] // its own entries
    index = new Map(entries.flatMap(([name, group]) => list(group).map((one) => [`${name} ${one.id}`, one] as const)))
    indexes.set(data, index)
  }
  return index as ReadonlyMap<string, T> // made from this answer by the same list
}

function rowsOf(store: Store): Map<string, PeerRow[]> {
  const track = store.track('9/http/upstreams/')
  const times = store.track('viaduct/upstreams')
  const peers = (snapshot: Snapshot<Named<Group>> | undefined) =>
    snapshot && { atMs: snapshot.atMs, data: indexOf(snapshot.data, (group) => group.peers) }
  const [before, last] = [peers(track.before), peers(track.last)]
  const more = times.last && indexOf(times.last.data, (list) => list)
  const earlier = times.oldest && indexOf(times.oldest.data, (list) => list)
  const all = new Map<string, PeerRow[]>()
  for (const [group, { peers }] of Object.entries(track.last?.data ?? {})) {
    const rows = peers.map((peer): PeerRow => {
      const key = `${group} ${peer.id}`
      const told = more?.get(key)
      const then = earlier?.get(key)
      const rateOf = (pick: (one: Peer) => number) =>
        rateBetween(before, last, (index) => {
          const one = index.get(key)
          return one && pick(one)
        })
      return {
        group,
        peer,
        more: told,
        recent: told === undefined || then === undefined ? [] : since(told.times, then.times),
        requests: rateOf(({ requests }) => requests),
        failing: rateOf(({ fails, responses }) => fails + responses['5xx']),
        sent: rateOf(({ sent }) => sent),
        received: rateOf(({ received }) => received),
      }
    })
    all.set(group, rows)
  }
  return all
}

const COLUMNS: readonly Column<PeerRow>[] = [
  {
    key: 'server',
    label: 'Server',
    cell: ({ peer }) => (
      <>
        {peer.server}
        {peer.backup && <span class="muted"> backup</span>}
      </>
    ),
    sort: ({ peer }) => peer.server,
  },
  {
    key: 'state',
    label: 'State',
    width: '124px',
    cell: ({ peer }) => <Badge tone={toneOf(peer.state)}>{peer.state}</Badge>,
    sort: ({ peer }) => `${toneOf(peer.state)} ${peer.state}`,
  },
  {
    key: 'since',
    label: 'For',
    title: 'How long it has been in its state',
    number: true,
    from: 'wide',
    width: '96px',
    cell: ({ more }) => (more === undefined || more.since === 0 ? NOTHING : duration(Date.now() - more.since)),
    sort: ({ more }) => (more === undefined || more.since === 0 ? 0 : Date.now() - more.since),
  },
  {
    key: 'weight',
    label: 'Weight',
    number: true,
    from: 'wide',
    width: '76px',
    cell: ({ peer }) => peer.weight,
    sort: ({ peer }) => peer.weight,
  },
  {
    key: 'rate',
    label: 'Req/s',
    title: 'Requests per second',
    number: true,
    width: '72px',
    cell: ({ requests }) => rate(requests),
    sort: ({ requests }) => requests ?? -1,
  },
  {
    key: 'active',
    label: 'Active',
    title: 'Requests under way',
    number: true,
    from: 'mid',
    width: '76px',
    cell: ({ peer }) => (peer.max_conns === undefined ? count(peer.active) : `${peer.active}/${peer.max_conns}`),
    tone: ({ peer }) => (peer.active === 0 ? 'zero' : peer.active >= (peer.max_conns ?? Infinity) ? 'warn' : ''),
    sort: ({ peer }) => peer.active,
  },
  {
    key: 'p50',
    label: 'p50',
    title: 'Half of the last responses were not slower',
    number: true,
    from: 'mid',
    width: '76px',
    cell: ({ recent }) => ms(quantile(recent, 0.5)),
    sort: ({ recent }) => quantile(recent, 0.5) ?? -1,
  },
  {
    key: 'p95',
    label: 'p95',
    title: '95 % of the last responses were not slower',
    number: true,
    from: 'narrow',
    width: '76px',
    cell: ({ recent }) => ms(quantile(recent, 0.95)),
    sort: ({ recent }) => quantile(recent, 0.95) ?? -1,
  },
  {
    key: 'failing',
    label: 'Err/s',
    title: 'Failed attempts and 5xx per second',
    number: true,
    from: 'narrow',
    width: '68px',
    cell: ({ failing }) => rate(failing),
    tone: ({ failing }) => (failing ? 'bad' : 'zero'),
    sort: ({ failing }) => failing ?? -1,
  },
  {
    key: 'fails',
    label: 'Fails',
    title: 'Failed attempts in all',
    number: true,
    from: 'mid',
    width: '72px',
    cell: ({ peer }) => count(peer.fails),
    tone: ({ peer }) => (peer.fails > 0 ? '' : 'zero'),
    sort: ({ peer }) => peer.fails,
  },
  {
    key: 'checks',
    label: 'Checks',
    title: 'Health checks that failed, of all',
    number: true,
    from: 'wide',
    width: '96px',
    cell: ({ peer: { health_checks: checks } }) =>
      checks.checks === 0 ? '–' : `${count(checks.fails)} / ${count(checks.checks)}`,
    sort: ({ peer }) => peer.health_checks.fails,
  },
  {
    key: 'received',
    label: 'In/s',
    title: 'Bytes received from it per second',
    number: true,
    from: 'huge',
    width: '88px',
    cell: ({ received }) => bytes(received),
    sort: ({ received }) => received ?? -1,
  },
]

type Wanted = 'all' | 'failed' | 'up' | 'other'

export function Upstreams({ store }: { readonly store: Store }): JSX.Element {
  const [filter, setFilter] = useState('')
  const [wanted, setWanted] = useState<Wanted>('all')
  const [opened, setOpened] = useState<readonly [group: string, id: number]>()
  const [adding, setAdding] = useState(false)
  const groups = store.last('9/http/upstreams/')
  const rows = rowsOf(store)
  const shown: RowGroup<PeerRow>[] = []
  const word = filter.toLowerCase()
  for (const [name, all] of rows) {
    const fitting = all.filter(({ peer }) => fits(peer, name, word, wanted))
    if (fitting.length > 0) {
      shown.push({ key: name, head: <GroupHead name={name} group={groups![name]!} rows={all} />, rows: fitting })
    }
  }
  const count = shown.reduce((sum, group) => sum + group.rows.length, 0)
  const open = opened && rows.get(opened[0])?.find(({ peer }) => peer.id === opened[1])
  if (groups !== undefined && rows.size === 0) {
    return (
      <Card title="Groups of back ends">
        <Empty
          why="No group has a zone, in which what workers know of servers is shared. This makes one:"
          lines={LINES}
        />
      </Card>
    )
  }
  return (
    <Card
      title="Servers by group"
      tools={
        <div class="tools">
          <span class="muted small" role="status">
            {count} servers
          </span>
          <select
            class="field"
            aria-label="State of servers"
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value as Wanted)}
          >
            <option value="all">Any state</option>
            <option value="failed">Failed</option>
            <option value="up">Up</option>
            <option value="other">Down or draining</option>
          </select>
          {store.writable && (
            <button type="button" class="button" onClick={() => setAdding(true)}>
              Add a server
            </button>
          )}
          <input
            class="field"
            type="search"
            placeholder="Group or server"
            aria-label="Filter by group or server"
            value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </div>
      }
    >
      <Table
        label="Servers by group"
        columns={COLUMNS}
        groups={shown}
        keyOf={({ group, peer }) => `${group} ${peer.id}`}
        onOpen={({ group, peer }) => setOpened([group, peer.id])}
      />
      {open !== undefined && <PeerSheet store={store} row={open} onClose={() => setOpened(undefined)} />}
      {adding && <AddServer store={store} groups={[...rows.keys()]} onClose={() => setAdding(false)} />}
    </Card>
  )
}

function fits(peer: Peer, group: string, word: string, wanted: Wanted): boolean {
  if (!peer.server.toLowerCase().includes(word) && !group.toLowerCase().includes(word)) return false
  switch (wanted) {
    case 'failed':
      return isFailed(peer.state)
    case 'up':
      return peer.state === 'up'
    case 'other':
      return peer.state !== 'up' && !isFailed(peer.state)
    default:
      return true
  }
}

function GroupHead(props: {
  readonly name: string
  readonly group: Group
  readonly rows: readonly PeerRow[]
}): JSX.Element {
  const { name, group, rows } = props
  const up = rows.filter(({ peer }) => peer.state === 'up').length
  const failed = rows.filter(({ peer }) => isFailed(peer.state)).length
  const total = rows.reduce((sum, { requests }) => sum + (requests ?? 0), 0)
  const p95 = quantile(together(rows.flatMap(({ recent }) => (recent.length > 0 ? [recent] : []))), 0.95)
  const facts = [
    `${rate(total)} req/s`,
    ...(p95 === undefined ? [] : [`p95 ${ms(p95)}`]),
    `${group.keepalive} kept open`,
    ...(group.queue === undefined ? [] : [`${group.queue.size} of ${group.queue.max_size} queued`]),
    ...(group.zombies > 0 ? [`${group.zombies} removed but in use`] : []),
  ]
  return (
    <span class="line">
      {name}
      <Badge tone={up === 0 ? 'bad' : failed > 0 ? 'warn' : 'ok'}>
        {up} of {rows.length} up
      </Badge>
      <span class="muted small">{facts.join(' · ')}</span>
    </span>
  )
}
