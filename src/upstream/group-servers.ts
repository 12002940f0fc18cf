/**
 * The servers of a group that may be changed while it serves: makes peers of the list that all threads share
 * (server-book.ts), and makes them again when the list has changed. A server that stays as it is keeps its peer; one with
 * other limits keeps its state.
 */
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../net/timer-wheel.ts'
import type { PeerGroup } from './group.ts'
import type { GroupState } from './group-state.ts'
import { privateState } from './group-state.ts'
import { Peer } from './peer.ts'
import type { GroupPeerCounts } from './peer-counts.ts'
import type { PeerAddress } from './peer-row.ts'
import { peerAddresses } from './registry.ts'
import type { ResolvedGroup, ResolveLine } from './resolve.ts'
import type { ChangingRows } from './resolve-rows.ts'
import type { Changed, Edit, ServerBook, ServerEntry } from './server-book.ts'
import type { ServerSpec } from './server-line.ts'
import { writeState } from './state-file.ts'

/** Rows that the configuration's own servers have from the beginning, by the numbers of these. */
export interface FirstRows {
  readonly state: GroupState
  readonly byId: ReadonlyMap<number, { readonly address: PeerAddress; readonly row: number }>
}

/** What a group needs for its servers. */
export interface ServersEnv {
  /** The list in shared memory; undefined: it does not change. */
  readonly book: ServerBook | undefined
  readonly first: FirstRows
  readonly rows: ChangingRows | undefined
  readonly counts: GroupPeerCounts | undefined
  /** Where the list is kept over restarts; empty: nowhere. */
  readonly statePath: string
  /** Those who know names are named. */
  readonly resolves: boolean
  /** Makes what looks names up. */
  names(group: PeerGroup): ResolvedGroup
}

interface Member {
  readonly entry: ServerEntry
  readonly peer: Peer
  /** Of a row that is given back; empty for those from the beginning. */
  readonly rowKey: string
}

/** The servers of one group in one tree. */
export class GroupServers {
  readonly #env: ServersEnv
  #entries: readonly ServerEntry[]
  #members: readonly Member[] = []
  #seen = 0
  #group: PeerGroup | undefined
  #names: ResolvedGroup | undefined

  constructor(given: readonly ServerSpec[], env: ServersEnv) {
    this.#env = env
    this.#entries = given.map((spec, id) => ({ id, spec }))
    this.#load()
    this.#build()
  }

  get peers(): readonly Peer[] {
    return this.#members.filter(({ entry }) => !entry.spec.backup).map(({ peer }) => peer)
  }

  get backups(): readonly Peer[] {
    return this.#members.filter(({ entry }) => entry.spec.backup).map(({ peer }) => peer)
  }

  /** All servers, those behind names as one. */
  get entries(): readonly ServerEntry[] {
    this.sync()
    return this.#entries
  }

  /** The list may be changed here. */
  get changeable(): boolean {
    return this.#env.book !== undefined
  }

  /** Names can be looked up. */
  get resolves(): boolean {
    return this.#env.resolves
  }

  /** The peers of one of the entries: one, or those that its name leads to now. */
  peersOf({ id, spec }: ServerEntry): readonly Peer[] {
    if (spec.resolve) return lineOf(spec).flatMap((line) => this.#names?.peersOf(line) ?? [])
    return this.#members.filter(({ entry }) => entry.id === id).map(({ peer }) => peer)
  }

  /** The group is there. */
  join(group: PeerGroup): void {
    this.#group = group
    if (this.#entries.some(({ spec }) => spec.resolve)) this.#pass()
  }

  sync(): void {
    const { book } = this.#env
    if (book === undefined || book.version === this.#seen) return
    this.#load()
    this.#build()
    this.#pass()
  }

  /** Changes the list, everywhere; returns what is against it, or the new list. */
  change(edit: Edit): Changed | string {
    const { book, statePath } = this.#env
    const save = statePath === '' ? undefined : (specs: readonly ServerSpec[]) => writeState(statePath, specs)
    const before = new Map(this.entries.map(({ id, spec }) => [id, spec]))
    const changed = book!.change(edit, save)
    if (typeof changed === 'string') return changed
    this.sync()
    for (const { entry, peer } of this.#members) {
      if (before.get(entry.id)?.options.weight !== entry.spec.options.weight) this.#weigh(peer)
    }
    return changed
  }

  /** What is left of a weight after failures begins anew with another weight. */
  #weigh(peer: Peer): void {
    const { lock } = this.#group ?? {}
    lock?.enter()
    peer.effectiveWeight = peer.options.weight
    lock?.leave()
  }

  /** The tree is replaced. */
  stop(): void {
    for (const member of this.#members) this.#give(member)
    this.#members = []
  }

  #load(): void {
    const { book } = this.#env
    if (book === undefined) return
    const { version, entries } = book.read()
    this.#seen = version
    if (entries !== undefined) this.#entries = entries
  }

  #build(): void {
    const left = new Map(this.#members.map((member) => [member.entry.id, member]))
    const members: Member[] = []
    for (const entry of this.#entries) {
      if (entry.spec.resolve) continue
      const before = left.get(entry.id)
      const made = before !== undefined && same(before.entry.spec, entry.spec) ? before : this.#make(entry)
      if (made === before) left.delete(entry.id)
      if (made !== undefined) members.push(made)
    }
    this.#members = members
    for (const member of left.values()) this.#give(member)
  }

  #make(entry: ServerEntry): Member | undefined {
    const { spec, id } = entry
    const { first, rows, counts } = this.#env
    const address = peerAddresses(spec.address)[0]
    if (address === undefined) return undefined
    const known = first.byId.get(id)
    const row = known?.address.name === address.name ? known.row : -1
    const rowKey = row >= 0 ? '' : `server ${id} ${address.name}`
    const state = row >= 0 ? first.state : rows === undefined ? privateState(1) : rows.take(rowKey)
    if (state === undefined) return undefined
    const peer = new Peer(address, spec.options, spec.name ?? spec.text, state, Math.max(0, row))
    peer.counts = counts?.take(address.name)
    return { entry, peer, rowKey }
  }

  #give({ peer, rowKey }: Member): void {
    if (rowKey !== '') this.#env.rows?.give(rowKey)
    if (peer.counts !== undefined) this.#env.counts?.give(peer.address.name)
  }

  /** Tells the group, by way of those who look names up where there are names. */
  #pass(): void {
    const lines = this.#entries.filter(({ spec }) => spec.resolve).flatMap(({ spec }) => lineOf(spec))
    const group = this.#group
    if (group === undefined) return
    if (lines.length > 0) this.#names ??= this.#env.names(group)
    if (this.#names === undefined) group.replace(this.peers, this.backups)
    else this.#names.change(this.peers, this.backups, lines)
  }
}

/** How soon a worker without requests learns of a change. */
const LOOK_MS = 500

/**
 * The groups of one tree that may change: a worker learns of a change with the next request, and here when there is none,
 * since it may be the one that checks the health of servers.
 */
export class ChangingGroups implements TimerOwner {
  readonly #groups: GroupServers[] = []
  readonly #timer = new Timer(this)

  add(servers: GroupServers): void {
    this.#groups.push(servers)
  }

  start(): void {
    setTimer(this.#timer, LOOK_MS)
  }

  stop(): void {
    cancelTimer(this.#timer)
  }

  onTimeout(): void {
    for (const servers of this.#groups) servers.sync()
    this.start()
  }
}

function same(a: ServerSpec, b: ServerSpec): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** A server whose name is looked up while it serves. */
function lineOf({ address, service, text, backup, options }: ServerSpec): readonly ResolveLine[] {
  if (address.kind === 'unix') return []
  return [{ host: address.host, service, port: address.port, text, backup, options }]
}
