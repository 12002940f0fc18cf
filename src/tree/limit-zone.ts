/**
 * The zones of limit_req and limit_conn: memory that all threads share, the key that requests are counted by, and what
 * is checked of both (ngx_shared_memory_add and its callers).
 */
import type { Position } from '../config/source.ts'
import { Tally, tallySize } from '../shared/tally.ts'
import { Zone } from '../shared/zone.ts'
import type { Template } from '../value/template.ts'
import type { HasSlots, Text } from '../value/variables.ts'
import type { TreeContext } from './context.ts'

/** A zone as `limit_req_zone` or `limit_conn_zone` declares it. */
export interface LimitZoneSpec {
  readonly name: string
  readonly size: number
  readonly key: Template
  readonly at: Position
}

/** A use of a zone: `limit_req` or `limit_conn`. */
interface LimitUse {
  readonly zone: string
  readonly at: Position
}

/** Outcomes of a request in one zone: the numbers that modules have for them are below this. */
const OUTCOMES = 8

/** One zone of a tree. */
export class LimitZone<Subject, Records> {
  readonly name: string
  /** The key as written, for messages. */
  readonly source: string
  /** What is counted in; undefined where nothing is served. */
  readonly records: Records | undefined
  /** Compiled when all variables are known. */
  key: Text<Subject> = () => ''
  readonly #counts: Tally | undefined

  constructor(name: string, source: string, records: Records | undefined, counts: Tally | undefined) {
    this.name = name
    this.source = source
    this.records = records
    this.#counts = counts
  }

  /** Counts what became of a request here. */
  count(outcome: number): void {
    if (this.#counts !== undefined) this.#counts.row[outcome]!++
  }

  /** How often that was, over all threads. */
  countOf(outcome: number): number {
    return this.#counts?.sum(outcome) ?? 0
  }

  /** Counts from zero. */
  resetCounts(): void {
    this.#counts?.reset()
  }

  /** How something with this key is counted, in words. */
  counting(key: string): string {
    if (key === '') return `not counted, since its key ${this.source} is empty`
    const shown = /^[\x20-\x7e]+$/.test(key) ? ` ("${key}")` : ''
    return `counted by its key ${this.source}${shown} in zone "${this.name}"`
  }
}

/** The zones of one kind (`limit_req`, `limit_conn`) in one tree. */
export class LimitZones<Subject extends HasSlots, Records> {
  readonly #tag: string
  readonly #owner: string
  readonly #tree: TreeContext<Subject>
  readonly #zones = new Map<string, LimitZone<Subject, Records>>()

  /** `owner` is the directive that nginx names when the key of a zone changes. */
  constructor(tag: string, owner: string, tree: TreeContext<Subject>) {
    this.#tag = tag
    this.#owner = owner
    this.#tree = tree
  }

  /** Takes a declared zone; `open` makes the records in it. */
  declare({ name, size, key, at }: LimitZoneSpec, open: (zone: Zone) => Records): void {
    const known = this.#zones.get(name)
    if (known !== undefined) {
      this.#tree.fail(`${this.#tag}_zone "${name}" is already bound to key "${known.source}"`, at)
      return
    }
    const bound = { owner: `${this.#owner} "${name}"`, kind: 'key', value: key.source }
    const buffer = this.#tree.zone(name, size, this.#tag, at, bound)
    const memory = buffer === undefined ? undefined : Zone.attach(name, buffer, this.#tag)
    const records = memory === undefined ? undefined : open(memory)
    const zone = new LimitZone<Subject, Records>(name, key.source, records, this.#countsOf(name))
    this.#zones.set(name, zone)
    this.#tree.afterAttach(() => {
      zone.key = this.#tree.text(key)
    })
  }

  #countsOf(name: string): Tally | undefined {
    const key = `counts of ${this.#tag} ${name}`
    const buffer = this.#tree.zone(key, tallySize(OUTCOMES), `${this.#tag}_counts`)
    return buffer === undefined ? undefined : Tally.attach(key, buffer, { fields: OUTCOMES, gauges: 0 })
  }

  /** All declared zones by name. */
  get all(): ReadonlyMap<string, LimitZone<Subject, Records>> {
    return this.#zones
  }

  /** Checks the uses in one block: each zone once, and none that nobody declares. */
  check(uses: readonly LimitUse[]): void {
    const seen = new Set<string>()
    for (const { zone, at } of uses) {
      this.#tree.zone(zone, 0, this.#tag, at)
      if (seen.has(zone)) this.#tree.fail(`"${this.#tag}" directive is duplicate`, at)
      seen.add(zone)
    }
  }

  /** Finds a declared zone. */
  find(name: string): LimitZone<Subject, Records> | undefined {
    return this.#zones.get(name)
  }
}
