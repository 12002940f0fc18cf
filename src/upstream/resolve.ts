/**
 * `server name resolve`: names of a group that are looked up again and again while it serves
 * (ngx_http_upstream_zone_module). Each worker asks for itself; what it learns becomes servers of the group, whose state
 * is shared. Servers that stay keep their state and their place, over reloads too.
 *
 * What an answer does: addresses replace the ones before; a name that has no records loses its servers; a name that
 * does not exist, or cannot be asked for, keeps them (nginx lets the first of these two take them away).
 */
import { clock } from '../lib/clock.ts'
import { ERROR, type ErrorLog } from '../log/error-log.ts'
import { codeText, NAME_ERROR, NO_RECORDS } from '../net/dns-lookup.ts'
import type { ServiceTarget } from '../net/dns-service.ts'
import type { Resolver } from '../net/resolver.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../net/timer-wheel.ts'
import type { PeerGroup } from './group.ts'
import { privateState } from './group-state.ts'
import { Peer } from './peer.ts'
import type { GroupPeerCounts } from './peer-counts.ts'
import type { PeerOptions } from './peer-row.ts'
import { peerAddress } from './registry.ts'
import type { ChangingRows } from './resolve-rows.ts'

const RETRY_MS_MIN = 1000
const NONE: readonly Member[] = []

/** A `server` line whose name is looked up. */
export interface ResolveLine {
  readonly host: string
  /** `service=`, or ''. */
  readonly service: string
  /** Of every server, unless the service tells. */
  readonly port: number
  /** As written. */
  readonly text: string
  readonly backup: boolean
  readonly options: PeerOptions
}

/** One address of a line. */
interface Member {
  readonly host: string
  readonly port: number
  /** What the server is called: the line's text, or the target of the service. */
  readonly server: string
  /** What the service says; a weight on the line wins. */
  readonly weight: number
  readonly backup: boolean
}

/** What resolving needs of its surroundings. */
export interface ResolveEnv {
  readonly resolver: Resolver
  /** `resolver_timeout`: how soon to try again after a failure. */
  readonly timeoutMs: number
  /** Undefined where nothing is shared: not in a worker. */
  readonly rows: ChangingRows | undefined
  /** Set where servers are counted. */
  readonly counts?: GroupPeerCounts | undefined
  readonly log: ErrorLog
}

/** The servers of one group that come from names. */
export class ResolvedGroup {
  readonly group: PeerGroup
  readonly env: ResolveEnv
  #fixed: readonly Peer[]
  #fixedBackups: readonly Peer[]
  #names: readonly ResolvedName[]
  #started = false

  /** Adds what `lines` lead to to the servers that `group` has. */
  constructor(group: PeerGroup, lines: readonly ResolveLine[], env: ResolveEnv) {
    this.group = group
    this.env = env
    this.#fixed = group.peers
    this.#fixedBackups = group.backups
    this.#names = lines.map((line) => new ResolvedName(line, this))
  }

  /** Takes the servers of the same names over, before `start`. */
  inherit(before: ResolvedGroup): void {
    for (const name of this.#names) {
      const old = before.#names.find(({ line }) => sameName(line, name.line))
      if (old !== undefined) name.inherit(old)
    }
    this.rebuild()
  }

  start(): void {
    this.#started = true
    for (const name of this.#names) name.start()
  }

  /** The group has other servers and lines from now on; lines that stay keep what they lead to. */
  change(fixed: readonly Peer[], fixedBackups: readonly Peer[], lines: readonly ResolveLine[]): void {
    const before = this.#names
    this.#fixed = fixed
    this.#fixedBackups = fixedBackups
    this.#names = lines.map((line) => {
      const kept = before.find((name) => JSON.stringify(name.line) === JSON.stringify(line))
      if (kept !== undefined) return kept
      const made = new ResolvedName(line, this)
      const old = before.find((name) => sameName(name.line, line))
      if (old !== undefined) made.inherit(old)
      return made
    })
    for (const name of before) if (!this.#names.includes(name)) name.stop()
    if (this.#started) for (const name of this.#names) if (!before.includes(name)) name.start()
    this.rebuild()
  }

  /** The servers that a line leads to now. */
  peersOf(line: ResolveLine): readonly Peer[] {
    return this.#names.find((name) => sameName(name.line, line))?.peers ?? []
  }

  /** Asks no more; requests under way may go on with its servers. */
  stop(): void {
    for (const name of this.#names) name.stop()
  }

  /** The servers of a name changed. */
  rebuild(): void {
    const peers = this.#names.flatMap((name) => name.peers)
    const isBackup = this.#names.flatMap((name) => name.members.map(({ backup }) => backup))
    this.group.replace(
      [...this.#fixed, ...peers.filter((_, i) => !isBackup[i])],
      [...this.#fixedBackups, ...peers.filter((_, i) => isBackup[i])],
    )
  }
}

function sameName(a: ResolveLine, b: ResolveLine): boolean {
  return a.host === b.host && a.service === b.service && a.backup === b.backup
}

/** One line: asks when its time has come. */
class ResolvedName implements TimerOwner {
  readonly line: ResolveLine
  /** Members and their peers stand in the same order. */
  members: readonly Member[] = NONE
  peers: readonly Peer[] = []
  readonly #owner: ResolvedGroup
  readonly #timer = new Timer(this)
  #keys: readonly string[] = []
  #stopped = false

  constructor(line: ResolveLine, owner: ResolvedGroup) {
    this.line = line
    this.#owner = owner
  }

  /** Asks at once, also where a configuration before knows for how long: a reload may be because of what has changed. */
  start(): void {
    setTimer(this.#timer, 0)
  }

  stop(): void {
    this.#stopped = true
    cancelTimer(this.#timer)
    for (let i = 0; i < this.#keys.length; i++) this.#give(i)
    this.#keys = []
  }

  inherit(before: ResolvedName): void {
    const { service, port, text } = this.line
    this.#become(before.members.map((member) => (service === '' ? { ...member, port, server: text } : member)))
  }

  onTimeout(): void {
    const { host, service } = this.line
    const { resolver } = this.#owner.env
    if (service === '') resolver.resolve(host, this)
    else resolver.resolveService(service, host, this)
  }

  onResolved(addresses: readonly string[], _error: string, untilMs: number, code: number): void {
    if (this.#stopped) return
    const { port, text, backup, host } = this.line
    if (code !== 0) this.#log(`${host} could not be resolved (${codeText(code)})`)
    const members = addresses.map((a) => ({ host: a, port, server: text, weight: 1, backup }))
    this.#learn(members, code, untilMs)
  }

  onService(targets: readonly ServiceTarget[], code: number, untilMs: number): void {
    if (this.#stopped) return
    const { service, host } = this.line
    for (const target of targets) {
      if (target.code === 0) continue
      const what = `${target.name} could not be resolved (${codeText(target.code)})`
      this.#log(`${what} while resolving service ${service} of ${host}`)
    }
    if (code !== 0) this.#log(`service ${service} of ${host} could not be resolved (${codeText(code)})`)
    this.#learn(this.#membersOf(targets), code, untilMs)
  }

  /** Servers of the lowest priority number are primaries, the others backups; a backup line uses the first alone. */
  #membersOf(targets: readonly ServiceTarget[]): readonly Member[] {
    const reachable = targets.filter(({ addresses }) => addresses.length > 0)
    const first = reachable[0]?.priority
    return reachable
      .filter(({ priority }) => priority === first || !this.line.backup)
      .flatMap(({ addresses, name, port, priority, weight }) =>
        addresses.map((host) => ({
          host,
          port,
          server: name,
          weight,
          backup: this.line.backup || priority !== first,
        })),
      )
  }

  #learn(members: readonly Member[], code: number, untilMs: number): void {
    const retry = code !== 0 && code !== NO_RECORDS && code !== NAME_ERROR
    const delay = retry ? this.#owner.env.timeoutMs : untilMs - clock.monotonic
    setTimer(this.#timer, Math.max(RETRY_MS_MIN, delay))
    if ((code === 0 || code === NO_RECORDS) && this.#become(members)) this.#owner.rebuild()
  }

  #log(message: string): void {
    this.#owner.env.log.write(ERROR, message)
  }

  /** Keeps the peers of members that stay, in their order, and adds the new ones behind them; false: nothing changed. */
  #become(wanted: readonly Member[]): boolean {
    const left = [...wanted]
    const members: Member[] = []
    const peers: Peer[] = []
    const keys: string[] = []
    for (let i = 0; i < this.members.length; i++) {
      const at = left.findIndex((member) => sameMember(this.line, member, this.members[i]!))
      if (at < 0) {
        this.#give(i)
        continue
      }
      left.splice(at, 1)
      members.push(this.members[i]!)
      peers.push(this.peers[i]!)
      keys.push(this.#keys[i]!)
    }
    const changed = left.length > 0 || members.length < this.members.length
    for (const member of left) {
      const key = keyOf(this.line, member, keys)
      const peer = this.#peer(member, key)
      if (peer === undefined) continue
      members.push(member)
      peers.push(peer)
      keys.push(key)
    }
    this.members = members
    this.peers = peers
    this.#keys = keys
    return changed
  }

  #give(i: number): void {
    const { rows, counts } = this.#owner.env
    rows?.give(this.#keys[i]!)
    if (this.peers[i]!.counts !== undefined) counts?.give(this.peers[i]!.address.name)
  }

  #peer(member: Member, key: string): Peer | undefined {
    const { rows } = this.#owner.env
    const state = rows === undefined ? privateState(1) : rows.take(key)
    if (state === undefined) {
      this.#log(`cannot add new server to upstream "${this.#owner.group.name}", memory exhausted`)
      return undefined
    }
    const { host, port, server } = member
    const options = { ...this.line.options, weight: weightOf(this.line, member) }
    const peer = new Peer(peerAddress(host, port), options, server, state, 0)
    peer.counts = this.#owner.env.counts?.take(peer.address.name)
    return peer
  }
}

function sameMember(line: ResolveLine, a: Member, b: Member): boolean {
  if (a.host !== b.host || a.port !== b.port || a.server !== b.server) return false
  return weightOf(line, a) === weightOf(line, b) && a.backup === b.backup
}

function weightOf({ options }: ResolveLine, { weight }: Member): number {
  return options.weight === 1 ? weight : options.weight
}

/** What a row is for; equal members are told apart by a number. */
function keyOf(line: ResolveLine, member: Member, taken: readonly string[]): string {
  const { server, host, port } = member
  const base = `${line.service} ${server} ${host} ${port} ${weightOf(line, member)}`
  for (let i = 0; ; i++) if (!taken.includes(`${base} ${i}`)) return `${base} ${i}`
}

/** The groups of one tree whose servers come from names; they live as long as the tree serves. */
export class ResolvedGroups {
  readonly #groups = new Map<string, ResolvedGroup>()

  add(group: ResolvedGroup): void {
    this.#groups.set(group.group.name, group)
  }

  /** Takes over from the tree before. */
  inherit(previous: unknown): void {
    if (!(previous instanceof ResolvedGroups)) return
    for (const [name, group] of this.#groups) {
      const before = previous.#groups.get(name)
      if (before !== undefined) group.inherit(before)
    }
  }

  start(): void {
    for (const group of this.#groups.values()) group.start()
  }

  stop(): void {
    for (const group of this.#groups.values()) group.stop()
  }
}
