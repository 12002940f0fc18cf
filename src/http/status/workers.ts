/**
 * How each worker is: its thread, its memory, how late its event loop is. Each writes a row of its own once a second,
 * where something shows it; whoever asks reads all rows.
 */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { clock } from '../../lib/clock.ts'
import { systemThreadId } from '../../lib/thread-number.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { HttpTree } from '../compile/module.ts'
import { connectionCounters, type WorkerConnections } from '../server/connection-counters.ts'
import { statusReadersOf } from './readers.ts'

const TAG = 'http_worker_status'
const NAME = 'status of workers'
const ROW = 16
const WORKERS_MAX = 256
const SIZE = WORKERS_MAX * ROW * Float64Array.BYTES_PER_ELEMENT
const SAMPLE_MS = 1000
/** How finely delays are measured: the loop is looked at so often. */
const RESOLUTION_MS = 20
/** A worker that has not written for so long is gone. */
const GONE_MS = 10_000
const NS_PER_MS = 1e6

const WRITTEN = 0
const TID = 1
const HEAP = 2
const EXTERNAL = 3
const DELAY_MEDIAN = 4
const DELAY_99 = 5
const DELAY_MAX = 6
const BUSY = 7

/** What is known of a worker. */
export interface WorkerStatus extends WorkerConnections {
  readonly id: number
  /** The kernel's number of its thread. */
  readonly pid: number
  readonly heapBytes: number
  readonly externalBytes: number
  /** How late the event loop was in the last second, in milliseconds. */
  readonly delay: { readonly median: number; readonly p99: number; readonly max: number }
  /** The part of the last second, from 0 to 1, in which the event loop was busy. */
  readonly busy: number
}

/** The rows of all workers. */
class WorkerStatuses implements TimerOwner {
  readonly #rows: Float64Array | undefined
  readonly #row: Float64Array | undefined
  readonly #timer = new Timer(this)
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #utilization = performance.eventLoopUtilization()

  constructor(tree: HttpTree) {
    const buffer = statusReadersOf(tree).zone(NAME, SIZE, TAG, 'reads')
    if (buffer === undefined || tree.role !== 'worker') return
    this.#rows = new Float64Array(buffer)
    const at = (tree.workerId % WORKERS_MAX) * ROW
    this.#row = this.#rows.subarray(at, at + ROW)
    tree.onStart(() => this.#start())
    tree.onExit(() => this.#stop())
  }

  #start(): void {
    this.#delays.enable()
    if (this.#row !== undefined) this.#row[TID] = systemThreadId()
    this.#sample()
  }

  #stop(): void {
    this.#delays.disable()
    cancelTimer(this.#timer)
  }

  onTimeout(): void {
    this.#sample()
  }

  #sample(): void {
    const row = this.#row!
    const { heapUsed, external } = process.memoryUsage()
    row[HEAP] = heapUsed
    row[EXTERNAL] = external
    const delays = this.#delays
    const late = (ns: number): number => Math.max(0, (Number.isFinite(ns) ? ns : 0) / NS_PER_MS - RESOLUTION_MS)
    row[DELAY_MEDIAN] = late(delays.percentile(50))
    row[DELAY_99] = late(delays.percentile(99))
    row[DELAY_MAX] = late(delays.max)
    delays.reset()
    const now = performance.eventLoopUtilization()
    row[BUSY] = performance.eventLoopUtilization(now, this.#utilization).utilization
    this.#utilization = now
    row[WRITTEN] = Date.now()
    setTimer(this.#timer, SAMPLE_MS)
  }

  /** All workers that live. */
  get all(): readonly WorkerStatus[] {
    const rows = this.#rows ?? new Float64Array(0)
    const found: WorkerStatus[] = []
    for (let id = 0; id * ROW < rows.length; id++) {
      const value = (field: number): number => rows[id * ROW + field]!
      if (clock.now - value(WRITTEN) > GONE_MS) continue
      found.push({
        id,
        pid: value(TID),
        heapBytes: value(HEAP),
        externalBytes: value(EXTERNAL),
        delay: { median: value(DELAY_MEDIAN), p99: value(DELAY_99), max: value(DELAY_MAX) },
        busy: value(BUSY),
        ...connectionCounters.of(id),
      })
    }
    return found
  }
}

/** The workers as a tree sees them. */
export function workersOf(tree: HttpTree): WorkerStatuses {
  return tree.shared('worker status', () => new WorkerStatuses(tree))
}
