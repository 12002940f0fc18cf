/**
 * `vhost_traffic_status_dump`: a file that keeps what was counted over restarts. One worker writes it, and each once more
 * when it ends; the first that finds blank memory reads it. The file is JSON, and ours alone: the module writes its memory
 * as it is, which nothing else can read. What is there is replaced at once, so that no crash leaves half a file.
 */
import type { HttpTree } from '../../../http/compile/module.ts'
import { clock } from '../../../lib/clock.ts'
import { type KeptText, readKept, writeKept } from '../../../lib/kept-file.ts'
import { ALERT, WARN } from '../../../log/error-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../../net/timer-wheel.ts'
import type { TrafficRecords, TrafficRow } from '../../../shared/traffic-records.ts'
import { type Counted, codesOf, KEPT_FIELDS, putCodes, touch } from './numbers.ts'
import type { TrafficZone } from './zone.ts'

/** Changes with the layout of a row. */
const VERSION = 1
const PREFIX = ''

/** Where what was counted is kept, and how often it is written. */
export interface DumpSpec {
  readonly path: string
  readonly periodMs: number
}

interface KeptRow {
  readonly key: string
  readonly numbers: readonly number[]
  readonly codes?: Readonly<Record<string, number>>
}

interface Kept {
  readonly version: number
  readonly zone: string
  readonly rows: readonly KeptRow[]
}

/** Keeps what a zone counts. */
export function keepTraffic(zone: TrafficZone, spec: DumpSpec, tree: HttpTree): void {
  const { records } = zone
  if (records === undefined || tree.role !== 'worker') return
  const dump = new Dump(zone, records, spec, tree)
  records.loadOnce(() => {
    // Memory of another size is blank: what the one before it has counted since the file was written goes there first.
    running.get(spec.path)?.write()
    dump.restore()
  })
  tree.onStart(() => dump.start())
  tree.onQuit(() => dump.rest())
  tree.onExit(() => dump.stop())
}

/** Those of this thread that have started, by their files. */
const running = new Map<string, Dump>()

class Dump implements TimerOwner {
  readonly #zone: TrafficZone
  readonly #records: TrafficRecords
  readonly #spec: DumpSpec
  readonly #tree: HttpTree
  readonly #timer = new Timer(this)
  readonly #counted: Counted
  #started = false

  constructor(zone: TrafficZone, records: TrafficRecords, spec: DumpSpec, tree: HttpTree) {
    this.#zone = zone
    this.#records = records
    this.#spec = spec
    this.#tree = tree
    this.#counted = { codes: zone.codes, labels: records.labels }
  }

  start(): void {
    this.#started = true
    running.set(this.#spec.path, this)
    if (this.#tree.isFirst) setTimer(this.#timer, this.#spec.periodMs)
  }

  /** Another worker writes from time to time. */
  rest(): void {
    cancelTimer(this.#timer)
  }

  stop(): void {
    cancelTimer(this.#timer)
    // A tree that was made and never served has nothing to say, and the file is another's when one has taken it over.
    if (!this.#started || running.get(this.#spec.path) !== this) return
    running.delete(this.#spec.path)
    this.write()
  }

  onTimeout(): void {
    this.write()
    setTimer(this.#timer, this.#spec.periodMs)
  }

  write(): void {
    this.#records.alone(() => {
      const { path } = this.#spec
      const rows = this.#records.all(PREFIX).map((row) => this.#kept(row))
      const kept: Kept = { version: VERSION, zone: this.#zone.name, rows }
      const problem = writeKept(path, JSON.stringify(kept))
      if (problem !== '') this.#tree.log.write(ALERT, problem)
    })
  }

  #kept({ key, numbers }: TrafficRow): KeptRow {
    const own = numbers.subarray(0, KEPT_FIELDS)
    // Most rows end with numbers that were never written.
    const used = own.findLastIndex((number) => number !== 0) + 1
    const codes = codesOf(numbers, this.#counted)
    return { key, numbers: [...own.subarray(0, used)], ...(codes === undefined ? {} : { codes }) }
  }

  restore(): void {
    const { path } = this.#spec
    const kept = this.#read()
    if (kept === undefined) return
    this.#records.enter()
    let left = 0
    for (const { key, numbers, codes = {} } of kept.rows) {
      const row = this.#records.row(key)
      if (row === undefined) left++
      else {
        row.set(numbers)
        putCodes(row, codes, this.#counted)
        // It was in use when the server ended: what removes rows that are not shall leave it for a while.
        touch(row, clock.now)
      }
    }
    this.#records.leave()
    if (left > 0) this.#tree.log.write(WARN, `${left} rows of "${path}" do not fit zone "${this.#zone.name}"`)
  }

  #read(): Kept | undefined {
    const { path } = this.#spec
    const file = readKept(path)
    if (file.problem !== '') this.#tree.log.write(ALERT, file.problem)
    if (file.text === '') return undefined
    const kept = parsed(file)
    if (kept?.version === VERSION && kept.zone === this.#zone.name && kept.rows.every(isRow)) return kept
    this.#tree.log.write(WARN, `"${path}" has not what zone "${this.#zone.name}" counted: it is not read`)
    return undefined
  }
}

function parsed({ text }: KeptText): Kept | undefined {
  // tidy: read once, when the server starts
  try {
    const kept = JSON.parse(text) as Partial<Kept> | null
    return Array.isArray(kept?.rows) ? (kept as Kept) : undefined // the caller checks what is in it
  } catch {
    return undefined
  }
}

function isRow(row: Partial<KeptRow> | null): boolean {
  const { key, numbers, codes = {} } = row ?? {}
  if (codes === null || !Object.values(codes).every((count) => Number.isFinite(count))) return false
  if (typeof key !== 'string' || !Array.isArray(numbers) || numbers.length > KEPT_FIELDS) return false
  return numbers.every((number) => Number.isFinite(number))
}
