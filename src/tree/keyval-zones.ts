/**
 * The zones of `keyval_zone` of a tree: pairs in shared memory, how long they live, and the file that keeps them over
 * restarts. A change is made when the file could be written, or not at all.
 */

import type { Position } from '../config/source.ts'
import { toBinary } from '../lib/bytes.ts'
import { clock } from '../lib/clock.ts'
import { readKept, writeKept } from '../lib/kept-file.ts'
import { readable } from '../lib/text.ts'
import { ALERT } from '../log/error-log.ts'
import { KEYVAL_KIND, KeyvalRecords, type KeyvalType, type Pair, type PairOutcome } from '../shared/keyval-records.ts'
import { ZONE_SIZE_MIN, Zone } from '../shared/zone.ts'
import type { TreeServices } from './context.ts'

/** A zone as it is declared. */
export interface KeyvalSpec {
  readonly name: string
  readonly size: number
  readonly type: KeyvalType
  /** How long a pair lives; 0: until it is removed. */
  readonly timeoutMs: number
  /** Empty: nothing is kept. */
  readonly statePath: string
  readonly at: Position
}

/** Memory for the lock under which a state file is written. */
const STATE_KIND = 'keyval state'

/** One zone. */
export class KeyvalZone {
  readonly spec: KeyvalSpec
  readonly records: KeyvalRecords | undefined
  /** Held while the file is written, so that no thread puts back what was before another one's change. */
  readonly #writing: Zone | undefined

  constructor(spec: KeyvalSpec, records: KeyvalRecords | undefined, writing: Zone | undefined) {
    this.spec = spec
    this.records = records
    this.#writing = writing
  }

  /** When a pair ends that is made or changed now. */
  expiry(nowMs: number, givenMs: number | undefined): number {
    const { timeoutMs } = this.spec
    return timeoutMs === 0 ? Number.POSITIVE_INFINITY : nowMs + (givenMs ?? timeoutMs)
  }

  /** Keeps what there is; returns what the system refuses, or nothing. */
  save(nowMs: number): string {
    const { statePath } = this.spec
    if (statePath === '' || this.records === undefined) return ''
    this.#writing?.lock.enter()
    const problem = writeKept(statePath, stateText(this.records.all(nowMs)))
    this.#writing?.lock.leave()
    return problem
  }

  /** The file is another one than before, or is there for the first time: what the zone has outlives a restart, too. */
  saveFirst(nowMs: number): string {
    const { text, problem } = readKept(this.spec.statePath)
    if (problem !== '' || text !== '' || this.records === undefined || this.records.all(nowMs).length === 0)
      return problem
    return this.save(nowMs)
  }

  /** Takes over what was kept. */
  load(text: string, nowMs: number): PairOutcome {
    let outcome: PairOutcome = 'done'
    for (const pair of pairsOf(text)) {
      if (pair.expiresMs <= nowMs) continue
      const added = this.records?.add(pair, nowMs) ?? 'done'
      // A thread that died while it loaded has brought some.
      if (added !== 'done' && added !== 'exists') outcome = added
    }
    return outcome
  }
}

/** The zones of one tree. */
export class KeyvalZones {
  readonly #tree: TreeServices
  readonly #zones = new Map<string, KeyvalZone>()

  constructor(tree: TreeServices) {
    this.#tree = tree
  }

  get all(): ReadonlyMap<string, KeyvalZone> {
    return this.#zones
  }

  find(name: string): KeyvalZone | undefined {
    return this.#zones.get(name)
  }

  /** Takes a declared zone. */
  declare(spec: KeyvalSpec, nowMs: number): void {
    const { name, size, type, at, statePath } = spec
    const tree = this.#tree
    if (this.#zones.has(name)) return tree.fail(`duplicate keyval zone "${name}"`, at)
    const bound = { owner: `keyval zone "${name}"`, kind: 'type', value: type }
    const buffer = tree.zone(name, size, KEYVAL_KIND, at, bound)
    const memory = buffer === undefined ? undefined : Zone.attach(name, buffer, KEYVAL_KIND)
    const records = memory === undefined ? undefined : new KeyvalRecords(memory, type)
    const zone = new KeyvalZone(spec, records, statePath === '' ? undefined : this.#stateZone(name))
    this.#zones.set(name, zone)
    if (statePath === '') return
    this.#takeState(zone, nowMs)
    if (tree.role !== 'worker' || !tree.isFirst) return
    tree.onStart(() => {
      const problem = zone.saveFirst(clock.now)
      if (problem !== '') tree.log.write(ALERT, `keyval zone "${name}" is not kept: ${problem}`)
    })
  }

  #stateZone(of: string): Zone | undefined {
    const name = `state of keyval zone ${of}`
    const buffer = this.#tree.zone(name, ZONE_SIZE_MIN, STATE_KIND)
    return buffer === undefined ? undefined : Zone.attach(name, buffer, STATE_KIND)
  }

  #takeState(zone: KeyvalZone, nowMs: number): void {
    const { statePath, name, at } = zone.spec
    const load = (): void => {
      const text = readState(statePath)
      if (text.problem !== '') return this.#tree.fail(text.problem, at)
      const outcome = zone.load(text.text, nowMs)
      if (outcome !== 'done') this.#tree.warn(`not all of "${statePath}" fits keyval zone "${name}": ${outcome}`, at)
    }
    if (zone.records !== undefined) zone.records.loadOnce(load)
    else if (this.#tree.role === 'master') load()
  }
}

/** The zones of a tree. */
export function keyvalZonesOf(tree: TreeServices): KeyvalZones {
  return tree.shared('keyval zones', () => new KeyvalZones(tree))
}

function readState(path: string): { readonly text: string; readonly problem: string } {
  const kept = readKept(path)
  if (kept.problem !== '') return kept
  const { text } = kept
  try {
    pairsOf(text)
    return { text, problem: '' }
  } catch {
    return { text: '', problem: `keyval state file "${path}" is broken: remove it, or mend it by hand` }
  }
}

interface KeptValue {
  readonly value: string
  readonly expires: number
}

/** Bytes that are no UTF-8 are lone surrogates in it. `{"key":"value"}`, and `{"key":{"value":"...","expires":ms}}` for pairs that end. */
function stateText(pairs: readonly Pair[]): string {
  const kept = pairs.map(({ key, value, expiresMs }) => [
    readable(key),
    Number.isFinite(expiresMs) ? { value: readable(value), expires: expiresMs } : readable(value),
  ])
  return `${JSON.stringify(Object.fromEntries(kept), undefined, 1)}\n`
}

function pairsOf(text: string): readonly Pair[] {
  if (text.trim() === '') return []
  const kept = JSON.parse(text) as Readonly<Record<string, string | KeptValue>>
  return Object.entries(kept).map(([key, value]) => ({
    key: toBinary(key),
    value: toBinary(typeof value === 'string' ? value : value.value),
    expiresMs: typeof value === 'string' ? Number.POSITIVE_INFINITY : value.expires,
  }))
}
