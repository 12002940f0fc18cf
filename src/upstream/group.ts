/**
 * An upstream group: primary servers, backups, the balancer over each, and the connections kept open to them. A request
 * walks through a group by a `Selection`, which remembers what it tried.
 */
import { clock } from '../lib/clock.ts'
import { type ErrorLog, type LogContext, WARN } from '../log/error-log.ts'
import { NOT_NOTED } from '../shared/holdings.ts'
import type { Lock } from '../shared/lock.ts'
import type { Balancer, BalancerFactory } from './balancers/balancer.ts'
import type { GroupGauges } from './group-gauges.ts'
import type { GroupServers } from './group-servers.ts'
import type { Peer } from './peer.ts'
import type { AttemptNumbers } from './peer-counts.ts'
import { HEALTHY } from './peer-row.ts'
import { ConnectionPool, type PoolOptions } from './pool.ts'
import type { RequestQueue } from './queue.ts'
import { slowStarting } from './slow-start.ts'

/** What binds clients to servers (`sticky`). Subjects are requests; calls come in the order of an attempt. */
export interface Sticky {
  /** The `sid` of the server that a request wants; empty: any will do. */
  serverOf(subject: never): string
  /** A server was picked for an attempt. */
  onPick(subject: never, peer: Peer): void
  /** The head of a response that is passed on is there. */
  onHead(subject: never, peer: Peer): void
  /** An attempt is over. */
  onDone(subject: never, peer: Peer, outcome: Outcome): void
}

/** The servers of a group at one time with their balancers: it never changes, and a request keeps the one it began with. */
class PeerSet {
  readonly peers: readonly Peer[]
  readonly backups: readonly Peer[]
  readonly primary: Balancer
  readonly backup: Balancer | undefined
  /** One server and no backup: it is asked whatever it did before (nginx's single-server rule). */
  readonly single: boolean
  /** How many servers a request may try. */
  readonly triesMax: number
  #bySid: ReadonlyMap<string, Peer> | undefined
  #backupBySid: ReadonlyMap<string, Peer> | undefined

  constructor(peers: readonly Peer[], backups: readonly Peer[], make: BalancerFactory) {
    this.peers = peers
    this.backups = backups
    this.primary = make(peers)
    this.backup = backups.length > 0 ? make(backups) : undefined
    this.single = peers.length === 1 && backups.length === 0
    this.triesMax = countUp(peers) + countUp(backups)
  }

  /** The balancer that a request is with. */
  balancerOf(selection: Selection): Balancer {
    return selection.inBackup ? this.backup! : this.primary
  }

  pick(selection: Selection, key: string, sid: string): Peer | undefined {
    const nowS = Math.floor(clock.monotonic / 1000) + 1
    if (this.single) return this.#theOne(sid)
    if (!selection.inBackup) {
      const peer = this.#bound(selection, sid, nowS) ?? this.primary.pick(key, selection.tried, nowS)
      if (peer !== undefined || this.backup === undefined) return peer
      selection.inBackup = true
    }
    return this.#bound(selection, sid, nowS) ?? this.backup!.pick(key, selection.tried, nowS)
  }

  #theOne(sid: string): Peer | undefined {
    const peer = this.peers[0]!
    const { down, drain, maxConns } = peer.options
    if (down || (drain && sid !== peer.sid) || peer.health !== HEALTHY) return undefined
    return maxConns > 0 && peer.conns >= maxConns ? undefined : peer
  }

  /** The server that a request is bound to, if it can be used. */
  #bound(selection: Selection, sid: string, nowS: number): Peer | undefined {
    if (sid === '') return undefined
    const peer = this.#sids(selection.inBackup).get(sid)
    if (peer === undefined || selection.tried?.has(peer) === true || !peer.availableToBound(nowS)) return undefined
    this.balancerOf(selection).onBound?.(peer, selection.tried, nowS)
    if (nowS - peer.checked > peer.options.failTimeoutS) peer.checked = nowS
    return peer
  }

  /** Servers by `sid`; of several with the same one the first counts. */
  #sids(inBackup: boolean): ReadonlyMap<string, Peer> {
    if (inBackup) return (this.#backupBySid ??= bySid(this.backups))
    return (this.#bySid ??= bySid(this.peers))
  }
}

function bySid(peers: readonly Peer[]): ReadonlyMap<string, Peer> {
  return new Map(peers.toReversed().map((peer) => [peer.sid, peer]))
}

function countUp(peers: readonly Peer[]): number {
  return peers.filter(({ options }) => !options.down).length
}

/** The servers behind one name, and how they are chosen and connected to. */
export class PeerGroup {
  readonly name: string
  readonly pool: ConnectionPool | undefined
  readonly #make: BalancerFactory
  #set: PeerSet
  /** Set when the peers' state is shared with other workers. */
  lock: Lock | undefined
  /** What a hash balancer chooses by, from a request or session; undefined when nothing is asked. */
  key: ((subject: never) => string) | undefined
  /** Set when clients are bound to servers. */
  sticky: Sticky | undefined
  /** Where requests wait when no server can take them; undefined: they do not. */
  queue: RequestQueue | undefined
  /** The zone that the peers' state is in, if there is one. */
  zone: string | undefined
  /** Set where somebody may ask what the group has now. */
  gauges: GroupGauges | undefined
  /** Set when the servers may be changed, or asked about. */
  servers: GroupServers | undefined
  /** Wants to know when the group gets other servers. */
  onReplace: { onReplace(): void } | undefined

  constructor(
    name: string,
    peers: readonly Peer[],
    backups: readonly Peer[],
    make: BalancerFactory,
    pool: PoolOptions | undefined,
  ) {
    this.name = name
    this.#make = slowStarting(make)
    this.#set = this.#own(peers, backups)
    this.pool = pool === undefined ? undefined : new ConnectionPool(pool)
  }

  /** The servers that a request which begins now will use. */
  get set(): PeerSet {
    this.servers?.sync()
    return this.#set
  }
  get peers(): readonly Peer[] {
    return this.#set.peers
  }
  get backups(): readonly Peer[] {
    return this.#set.backups
  }

  #own(peers: readonly Peer[], backups: readonly Peer[]): PeerSet {
    for (const peer of peers) peer.group = this.name
    for (const peer of backups) peer.group = this.name
    return new PeerSet(peers, backups, this.#make)
  }

  /** Other servers from now on, under new balancers; requests under way stay with the old ones. */
  replace(peers: readonly Peer[], backups: readonly Peer[]): void {
    this.#set = this.#own(peers, backups)
    this.onReplace?.onReplace()
  }
}

/** The attempt came to a response that is passed on. */
export const GOOD = 0
/** The attempt came to nothing, and that is not the peer's fault. */
export const BLAMELESS = 1
/** The attempt counts against the peer. */
export const FAILED = 2
/** What an attempt came to. */
export type Outcome = typeof GOOD | typeof BLAMELESS | typeof FAILED

/** One request's way through a group; reused, hence `begin`. */
export class Selection {
  group!: PeerGroup
  #set!: PeerSet
  /** The peer in use; its `conns` counts this request. */
  peer: Peer | undefined
  tried: Set<Peer> | undefined
  inBackup = false
  triesLeft = 0
  #several = false
  /** The note of `peer.join`. */
  #note = NOT_NOTED

  begin(group: PeerGroup, triesMax: number): void {
    this.group = group
    this.#set = group.set
    this.peer = undefined
    this.tried = undefined
    this.inBackup = false
    this.#several = !this.#set.single
    const tries = this.#several ? this.#set.triesMax : 1
    this.triesLeft = triesMax > 0 ? Math.min(triesMax, tries) : tries
  }

  /** Takes the next peer; undefined: nginx's `no live upstreams`. */
  next(key: string, sid = ''): Peer | undefined {
    const { lock } = this.group
    lock?.enter()
    const peer = this.#set.pick(this, key, sid)
    this.peer = peer
    if (peer !== undefined) {
      this.#note = peer.join()
      peer.counts?.begin(clock.now)
    }
    lock?.leave()
    if (peer === undefined) return undefined
    if (this.#several) {
      this.tried ??= new Set()
      this.tried.add(peer)
    }
    return peer
  }

  /** The head of a response is there. */
  onHead(headerMs: number): void {
    if (this.peer !== undefined) this.#set.balancerOf(this).onHead?.(this.peer, headerMs)
  }

  /** Nobody could be picked, and the request waits: the next pick begins with the primary servers again. */
  waits(): void {
    this.inBackup = false
  }

  /** A connection was at fault, not a peer: what was tried may be tried again, and one time more. */
  forgive(): void {
    this.triesLeft++
    this.tried?.clear()
  }

  /** The attempt is over. A failed one counts against the peer (ngx_http_upstream_free_round_robin_peer). */
  done(outcome: Outcome, attempt: AttemptNumbers, log: ErrorLog, context: LogContext): void {
    const { peer } = this
    if (peer === undefined) return
    this.peer = undefined
    const { lock } = this.group
    lock?.enter()
    const disabled = this.#settle(peer, outcome, attempt)
    lock?.leave()
    this.group.queue?.wake()
    if (!disabled) return
    const at = attempt.connectMs < 0 ? 'connecting to upstream' : 'reading response header from upstream'
    log.write(WARN, `upstream server temporarily disabled while ${at}`, context)
  }

  /** Returns true when the peer is not to be used for a while. */
  #settle(peer: Peer, outcome: Outcome, attempt: AttemptNumbers): boolean {
    const { headerMs, responseMs } = attempt
    peer.leave(this.#note)
    peer.counts?.end(attempt, outcome === FAILED)
    this.#set.balancerOf(this).onDone?.(peer, outcome === GOOD, headerMs, responseMs)
    if (!this.#several) {
      peer.fails = 0
      this.triesLeft = 0
      return false
    }
    if (this.triesLeft > 0) this.triesLeft--
    if (outcome === FAILED) return this.#fail(peer)
    if (peer.accessed < peer.checked) this.#recover(peer)
    return false
  }

  #recover(peer: Peer): void {
    const { maxFails } = peer.options
    if (maxFails > 0 && peer.fails >= maxFails) {
      peer.warmUp()
      peer.counts?.up(clock.now)
    }
    peer.fails = 0
  }

  #fail(peer: Peer): boolean {
    const { maxFails, weight } = peer.options
    const nowS = Math.floor(clock.monotonic / 1000) + 1
    peer.fails++
    peer.accessed = nowS
    peer.checked = nowS
    if (maxFails === 0) return false
    peer.effectiveWeight = Math.max(0, peer.effectiveWeight - Math.floor(weight / maxFails))
    if (peer.fails < maxFails) return false
    peer.counts?.disable(clock.now, clock.now + peer.options.failTimeoutS * 1000)
    return true
  }
}
