/**
 * Active health checks: servers are asked whether they are well, and those that are not get no requests. One worker of
 * the server asks; the results stand in the rows of the peers, where all workers see them, and outlast that worker.
 *
 *   GroupHealth (a group) -> HealthCheck (one directive) -> CheckedPeer (one server) -> Probe (one way of asking)
 *
 * A server is well when all checks say so. A check changes its mind after `fails` failures or `passes` passes in a row;
 * before the first result a mandatory check holds a server back (CHECKING).
 */
import { clock } from '../lib/clock.ts'
import { ERROR, type ErrorLog, INFO, NOTICE, WARN } from '../log/error-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../net/timer-wheel.ts'
import type { PeerGroup } from './group.ts'
import type { Peer } from './peer.ts'
import { CHECKING, HEALTHY, UNHEALTHY } from './peer-row.ts'

/** First checks of the servers of a group are spread over at most this time. */
const SPREAD_MS = 1000

/** Hears what a probe found: once for each `start` that is not followed by `stop`, and never from within it. */
export interface ProbeOwner {
  /** `doing` completes "while ..."; `problem` is what else is worth a line, or empty. */
  onResult(passed: boolean, doing: string, problem: string): void
}

/** One way of asking one server, again and again. */
export interface Probe {
  start(peer: Peer): void
  stop(): void
}

/** What a check directive says, whatever its syntax. */
export interface CheckOptions {
  /** The name of the `match` block, for logs. */
  readonly name: string
  /** `http` or `tcp`. */
  readonly type: string
  readonly intervalMs: number
  /** At most so much is added to each interval. */
  readonly jitterMs: number
  readonly fails: number
  readonly passes: number
  /** Asks there instead of at the server's own port; 0: at its own. */
  readonly port: number
  /** What a server is taken for before it was asked: HEALTHY, CHECKING or UNHEALTHY. */
  readonly before: number
}

/** The checks of all groups of one tree; those of the next tree take the results over. */
export class HealthChecks {
  readonly #groups = new Map<PeerGroup, GroupHealth>()

  get groups(): Iterable<GroupHealth> {
    return this.#groups.values()
  }

  add(group: PeerGroup, options: CheckOptions, makeProbe: (owner: ProbeOwner) => Probe, log: ErrorLog): void {
    let health = this.#groups.get(group)
    if (health === undefined) {
      health = new GroupHealth(group)
      this.#groups.set(group, health)
      group.onReplace = health
    }
    health.add(new HealthCheck(health, options, makeProbe, log))
  }

  /** Servers whose rows are new are taken for what they were before. */
  inherit(previous: unknown): void {
    if (!(previous instanceof HealthChecks)) return
    for (const health of this.#groups.values()) {
      for (const before of previous.#groups.values()) {
        if (before.group.name === health.group.name) health.inherit(before.group)
      }
    }
  }

  start(): void {
    for (const health of this.#groups.values()) health.start()
  }

  /** What checks of before have found holds no longer where there are none any more. */
  forgetOthers(groups: Iterable<PeerGroup>): void {
    for (const group of groups) {
      if (this.#groups.has(group)) continue
      group.lock?.enter()
      for (const peer of [...group.peers, ...group.backups])
        if (peer.checks > 0 || peer.health !== HEALTHY) peer.forgetChecks()
      group.lock?.leave()
    }
  }

  stop(): void {
    for (const health of this.#groups.values()) health.stop()
  }
}

/** All checks of one group. */
export class GroupHealth {
  readonly group: PeerGroup
  readonly checks: HealthCheck[] = []
  #running = false

  constructor(group: PeerGroup) {
    this.group = group
  }

  /** Primary servers, then backups. */
  get peers(): readonly Peer[] {
    return [...this.group.peers, ...this.group.backups]
  }

  add(check: HealthCheck): void {
    this.checks.push(check)
    this.#prepare()
  }

  inherit(before: PeerGroup): void {
    const old = new Map([...before.peers, ...before.backups].map((peer) => [peer.address.name, peer]))
    for (const peer of this.peers) {
      const known = old.get(peer.address.name)
      if (known === undefined || known.checks === 0 || peer.checks > 0) continue
      peer.checks = known.checks
      peer.checksFailed = known.checksFailed
      peer.unhealthyCount = known.unhealthyCount
      peer.lastPassed = known.lastPassed
      peer.rises = known.rises
      peer.falls = known.falls
      peer.health = known.health
    }
  }

  start(): void {
    this.#running = true
    for (const check of this.checks) check.sync(this.peers)
  }

  stop(): void {
    this.#running = false
    for (const check of this.checks) check.sync([])
  }

  /** The group has other servers now. */
  onReplace(): void {
    this.#prepare()
    if (this.#running) this.start()
  }

  /** In every worker: servers that nobody has asked yet may have to wait. */
  #prepare(): void {
    const before = this.checks.reduce((most, check) => Math.max(most, check.options.before), HEALTHY)
    if (before === HEALTHY) return
    const { lock } = this.group
    lock?.enter()
    for (const peer of this.peers) if (peer.checks === 0 && peer.health === HEALTHY) peer.health = before
    lock?.leave()
  }

  /** A check has changed its mind about a server. */
  settle(peer: Peer): void {
    const states = this.checks.map((check) => check.stateOf(peer))
    const state = states.includes(UNHEALTHY) ? UNHEALTHY : states.includes(CHECKING) ? CHECKING : HEALTHY
    if (state === peer.health) return
    const { lock, queue } = this.group
    lock?.enter()
    if (state === UNHEALTHY) peer.unhealthyCount++
    if (state !== HEALTHY) peer.counts?.down(clock.now, Number.POSITIVE_INFINITY)
    else {
      peer.counts?.up(clock.now)
      if (peer.health === UNHEALTHY) peer.warmUp()
      peer.fails = 0
    }
    peer.health = state
    lock?.leave()
    if (state === HEALTHY) queue?.wake()
  }
}

/** One check of one group. */
export class HealthCheck {
  readonly options: CheckOptions
  readonly #health: GroupHealth
  readonly #makeProbe: (owner: ProbeOwner) => Probe
  readonly #log: ErrorLog
  readonly #members = new Map<string, CheckedPeer>()

  constructor(health: GroupHealth, options: CheckOptions, makeProbe: (owner: ProbeOwner) => Probe, log: ErrorLog) {
    this.#health = health
    this.options = options
    this.#makeProbe = makeProbe
    this.#log = log
  }

  /** Asks these servers from now on, and no others. */
  sync(peers: readonly Peer[]): void {
    const wanted = new Map(peers.filter((peer) => !peer.options.down).map((peer) => [peer.address.name, peer]))
    for (const [name, member] of this.#members) {
      if (wanted.has(name)) continue
      member.stop()
      this.#members.delete(name)
    }
    const spread = Math.min(SPREAD_MS, this.options.intervalMs) / Math.max(1, wanted.size)
    let delay = 0
    for (const [name, peer] of wanted) {
      const member = this.#members.get(name)
      if (member !== undefined) this.#moved(member, peer)
      else {
        const made = new CheckedPeer(this, peer, this.#makeProbe)
        this.#members.set(name, made)
        made.start(peer.health === HEALTHY ? delay : 0)
      }
      delay += spread
    }
  }

  /** The same server with another row: what is known is written there. */
  #moved(member: CheckedPeer, peer: Peer): void {
    if (member.peer === peer) return
    member.peer = peer
    if (peer.checks === 0) peer.checks = 1
    this.#health.settle(peer)
  }

  /** What this check thinks of a server. */
  stateOf(peer: Peer): number {
    return this.#members.get(peer.address.name)?.state ?? HEALTHY
  }

  /** A server has become well, or unwell. */
  onChange({ peer, state }: CheckedPeer, doing: string): void {
    if (state === HEALTHY) this.#log.write(NOTICE, `peer is healthy while ${doing}${this.#about(peer)}`)
    else this.#log.write(WARN, `peer is unhealthy while ${doing}${this.#about(peer)}`)
    this.#health.settle(peer)
  }

  /** What went wrong; a server that stays away is not worth more than the lines until it was given up. */
  logProblem(peer: Peer, falls: number, message: string): void {
    this.#log.write(falls <= this.options.fails ? ERROR : INFO, message + this.#about(peer))
  }

  #about({ address }: Peer): string {
    const { name, port } = this.options
    const where = port === 0 ? '' : `, port ${port}`
    return `, health check "${name}" of peer ${address.name} in upstream "${this.#health.group.name}"${where}`
  }
}

/** One server as one check sees it. */
class CheckedPeer implements ProbeOwner, TimerOwner {
  peer: Peer
  state: number
  readonly #check: HealthCheck
  readonly #probe: Probe
  readonly #timer = new Timer(this)
  #rises = 0
  #falls = 0

  constructor(check: HealthCheck, peer: Peer, makeProbe: (owner: ProbeOwner) => Probe) {
    this.#check = check
    this.peer = peer
    // The worker that asked before may have died: what it found holds.
    this.state = peer.health
    this.#probe = makeProbe(this)
  }

  start(delayMs: number): void {
    setTimer(this.#timer, delayMs)
  }

  stop(): void {
    cancelTimer(this.#timer)
    this.#probe.stop()
  }

  onTimeout(): void {
    this.#probe.start(this.peer)
  }

  onResult(passed: boolean, doing: string, problem: string): void {
    clock.update()
    this.#count(passed)
    if (problem !== '') this.#check.logProblem(this.peer, this.#falls, `${problem} while ${doing}`)
    const state = this.#judge(passed)
    if (state !== this.state) {
      this.state = state
      this.#check.onChange(this, doing)
    }
    const { intervalMs, jitterMs } = this.#check.options
    setTimer(this.#timer, intervalMs + Math.floor(Math.random() * jitterMs))
  }

  #count(passed: boolean): void {
    const { peer } = this
    this.#rises = passed ? this.#rises + 1 : 0
    this.#falls = passed ? 0 : this.#falls + 1
    peer.rises = this.#rises
    peer.falls = this.#falls
    peer.lastPassed = passed ? 1 : 0
    peer.checks++
    if (!passed) peer.checksFailed++
    peer.counts?.checked(passed)
  }

  #judge(passed: boolean): number {
    const { fails, passes } = this.#check.options
    // The first result of a mandatory check decides.
    if (this.state === CHECKING) return passed ? HEALTHY : UNHEALTHY
    if (passed) return this.#rises >= passes ? HEALTHY : this.state
    return this.#falls >= fails ? UNHEALTHY : this.state
  }
}
