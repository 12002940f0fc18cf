/**
 * What the server did in the last minutes, so that who begins to look sees more than from then on: one worker writes down
 * sums once a second, and which state the servers of groups are in.
 */
import { clock } from '../../lib/clock.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import { NumberHistory, numberHistorySize } from '../../shared/number-history.ts'
import { quantileOf, sumOfHistograms, type TimeHistogram } from '../../shared/time-histogram.ts'
import type { HttpTree } from '../compile/module.ts'
import { connectionCounters } from '../server/connection-counters.ts'
import { statusZonesOf } from '../server/status-zones.ts'
import type { ZoneSums } from '../server/zone-counts.ts'
import { statusReadersOf } from './readers.ts'
import { listPeers, shownGroups, stateNumber, stateOf } from './upstreams.ts'
import { workersOf } from './workers.ts'

const TAG = 'http_status_history'
const NAME = 'history of numbers'
const EVERY_MS = 1000
/** Times are those of the last seconds. */
const WINDOW = 15

/** Numbers of a sample: sums since counting began, then what holds at the moment; times in milliseconds. */
export const HISTORY_FIELDS = [
  'requests',
  '1xx',
  '2xx',
  '3xx',
  '4xx',
  '5xx',
  'received',
  'sent',
  'accepted',
  'active',
  'idle',
  'p50',
  'p95',
  'p99',
  'busy',
  'delay',
] as const

const SHAPE = { samples: 600, fields: HISTORY_FIELDS.length }
const SIZE = numberHistorySize(SHAPE.samples, SHAPE.fields)

/** The history as a tree sees it. */
class History implements TimerOwner {
  readonly #tree: HttpTree
  readonly #numbers: NumberHistory | undefined
  readonly #timer = new Timer(this)
  #times: TimeHistogram[] = []

  constructor(tree: HttpTree) {
    this.#tree = tree
    const buffer = statusReadersOf(tree).zone(NAME, SIZE, TAG, 'looks')
    this.#numbers = buffer === undefined ? undefined : NumberHistory.attach(NAME, buffer, SHAPE)
    if (this.#numbers === undefined || tree.role !== 'worker' || !tree.isFirst) return
    tree.onStart(() => this.onTimeout())
    tree.onQuit(() => cancelTimer(this.#timer))
    tree.onExit(() => cancelTimer(this.#timer))
  }

  onTimeout(): void {
    this.#numbers?.add(clock.now, this.#sample())
    for (const group of shownGroups(this.#tree).values()) {
      for (const { peer } of listPeers(group)) peer.counts?.noteState(clock.now, stateNumber(stateOf(peer)))
    }
    setTimer(this.#timer, EVERY_MS)
  }

  #sample(): readonly number[] {
    const zones = [...statusZonesOf(this.#tree).all('server').values()].map((counts) => counts.sums())
    const sum = (of: (zone: ZoneSums) => number): number => zones.reduce((all, zone) => all + of(zone), 0)
    const { requests, active, idle, accepted } = connectionCounters.sinceReset
    const workers = workersOf(this.#tree).all
    const times = this.#recent(sumOfHistograms(zones.map((zone) => zone.times)))
    const quantile = (part: number): number => (times === undefined ? Number.NaN : quantileOf(times, part))
    return [
      requests,
      ...[0, 1, 2, 3, 4].map((n) => sum(({ classes }) => classes[n]!)),
      sum(({ received }) => received),
      sum(({ sent }) => sent),
      accepted,
      active,
      idle,
      ...[0.5, 0.95, 0.99].map(quantile),
      workers.reduce((most, { busy }) => Math.max(most, busy), 0),
      workers.reduce((most, { delay }) => Math.max(most, delay.p99), 0),
    ]
  }

  /** The times of the last seconds; undefined when there are none, as when counting has just begun anew. */
  #recent(now: TimeHistogram): TimeHistogram | undefined {
    const [before = now] = this.#times
    this.#times = [...this.#times, now].slice(-WINDOW)
    const counts = now.counts.map((count, n) => count - before.counts[n]!)
    if (counts.some((count) => count < 0) || counts.every((count) => count === 0)) return undefined
    return { sumMs: now.sumMs - before.sumMs, counts }
  }

  /** The samples, the oldest first: the moment, then numbers as HISTORY_FIELDS has them; NaN is not known. */
  get samples(): readonly (readonly number[])[] {
    return this.#numbers?.all ?? []
  }
}

/** The history of a tree. */
export function historyOf(tree: HttpTree): History {
  return tree.shared('history of numbers', () => new History(tree))
}
