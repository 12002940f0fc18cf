/** The servers of an `upstream` block: those that it gives, and the memory that their state, counts and changes are in. */
import type { ScopeView } from '../../../config/directive.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import { statusReadersOf } from '../../../http/status/readers.ts'
import { formatAddress } from '../../../lib/address.ts'
import type { Zone } from '../../../shared/zone.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import { GROUP_GAUGES_SIZE, GroupGauges } from '../../../upstream/group-gauges.ts'
import { ChangingGroups, type FirstRows, GroupServers } from '../../../upstream/group-servers.ts'
import { privateState, sharedState } from '../../../upstream/group-state.ts'
import { GroupPeerCounts, peerCountsSize } from '../../../upstream/peer-counts.ts'
import type { PeerAddress } from '../../../upstream/peer-row.ts'
import { peerAddresses } from '../../../upstream/registry.ts'
import { ChangingRows } from '../../../upstream/resolve-rows.ts'
import { bookSize, ServerBook } from '../../../upstream/server-book.ts'
import { type ServerLine, type ServerSpec, serverLine } from '../../../upstream/server-line.ts'
import { readState, specOf } from '../../../upstream/state-file.ts'
import { hasResolver, namesOf } from './resolve.ts'

const TAG = 'http_upstream_status'

/** What lines say, with one server for each address of a name that is looked up now. */
export function givenServers(lines: readonly ServerLine[], tree: HttpTree): readonly ServerSpec[] {
  return lines.flatMap((line) => {
    const servers = addressed(specOf(line))
    if (servers.length === 0) tree.fail(`host not found in upstream "${line.text}"`, line.at)
    return servers
  })
}

function addressed(spec: ServerSpec): readonly ServerSpec[] {
  return spec.resolve ? [spec] : peerAddresses(spec.address).map((address) => atAddress(spec, address))
}

/** A server that is written as a name, at one of its addresses. */
function atAddress(spec: ServerSpec, { name, host, port }: PeerAddress): ServerSpec {
  if (spec.address.kind === 'unix' || formatAddress(spec.address) === name) return spec
  const family = host.includes(':') ? 6 : 4
  return { ...spec, text: name, name: spec.text, address: { kind: 'tcp', host, port, hasPort: true, family } }
}

/** Where the state of a group is kept. */
export interface GroupPlace {
  readonly zone: Zone | undefined
  /** The zone as the block names it, if it does. */
  readonly place: { readonly name: string; readonly size: number } | undefined
  /** Where changes are written to; empty: nowhere. */
  readonly statePath: string
}

/** The servers of a group. */
export function makeServers(
  name: string,
  given: readonly ServerSpec[],
  { zone, place, statePath }: GroupPlace,
  scope: ScopeView,
  tree: HttpTree,
): GroupServers {
  const readers = statusReadersOf(tree)
  const size = zone?.size ?? place?.size ?? 0
  const named = place !== undefined
  const countsIn = named ? readers.zone(`counts of upstream ${name}`, peerCountsSize(size), TAG, 'reads') : undefined
  const bookIn = named ? readers.zone(`changed servers of upstream ${name}`, bookSize(size), TAG, 'writes') : undefined
  const counts = countsIn === undefined ? undefined : GroupPeerCounts.attach(name, countsIn, zone?.lock)
  const book = bookIn === undefined ? undefined : ServerBook.attach(name, bookIn)
  // What the file says now counts when it is not what was read: another worker may have written it meanwhile.
  book?.begin(given, statePath === '' ? undefined : () => readState(statePath, serverLine(80)).flatMap(addressed))
  const servers: GroupServers = new GroupServers(given, {
    book,
    first: firstRows(name, statePath === '' ? given : [], zone, scope, tree),
    rows: zone === undefined ? undefined : new ChangingRows(zone, name),
    counts,
    statePath,
    resolves: hasResolver(scope),
    names: (group) => namesOf(group, { zone, counts }, scope, tree),
  })
  if (book !== undefined) changingOf(tree).add(servers)
  return servers
}

/** Has what a group has now counted for all workers, where somebody may ask. */
export function attachGauges(group: PeerGroup, tree: HttpTree): void {
  const name = `gauges of upstream ${group.name}`
  const buffer = statusReadersOf(tree).zone(name, GROUP_GAUGES_SIZE, TAG, 'reads')
  const gauges = buffer === undefined ? undefined : GroupGauges.attach(name, buffer)
  group.gauges = gauges
  if (group.pool !== undefined) group.pool.gauges = gauges
  if (group.queue !== undefined) group.queue.gauges = gauges
}

function changingOf(tree: HttpTree): ChangingGroups {
  return tree.shared('changing groups', () => {
    const made = new ChangingGroups()
    tree.onStart(() => made.start())
    tree.onExit(() => made.stop())
    return made
  })
}

/** Rows for the servers of the configuration, side by side; those of a state file come and go. */
function firstRows(
  name: string,
  given: readonly ServerSpec[],
  zone: Zone | undefined,
  scope: ScopeView,
  tree: HttpTree,
): FirstRows {
  const byId = new Map<number, { readonly address: PeerAddress; readonly row: number }>()
  for (const [id, { address, resolve }] of given.entries()) {
    const [first] = resolve ? [] : peerAddresses(address)
    if (first !== undefined) byId.set(id, { address: first, row: byId.size })
  }
  if (zone === undefined || byId.size === 0) return { state: privateState(byId.size), byId }
  const peers = [...byId].map(([id, { address }]) => ({ address, options: given[id]!.options }))
  const state = sharedState(zone, name, peers)
  if (state === undefined) tree.fail(`zone "${zone.name}" is too small for upstream "${name}"`, scope.at)
  return { state: state ?? privateState(byId.size), byId }
}
