/**
 * Asks the API again and again and remembers. What a view shows is asked for each second, the rest now and then; nothing while
 * nobody looks. Views are drawn anew after each round.
 */
import { useEffect, useState } from 'preact/hooks'
import { getMany, type Trouble } from './api.ts'
import { Chronicle, quantile, since, Track, together } from './history.ts'
import type { History, ResourcePath, Resources, Zone } from './types.ts'

const ROUND_MS = 1000
const RETRY_MS = 2000
/** How often, in rounds, a resource is asked for while no view wants it. */
const USUAL: { readonly [P in ResourcePath]: number } = {
  'viaduct/access': 10,
  '9/nginx': 10,
  '9/connections': 1,
  '9/ssl': 10,
  '9/slabs/': 10,
  '9/resolvers/': 10,
  '9/http/requests': 1,
  '9/http/server_zones/': 1,
  '9/http/location_zones/': 10,
  '9/http/upstreams/': 3,
  '9/http/limit_reqs/': 10,
  '9/http/limit_conns/': 10,
  'viaduct/zones': 1,
  'viaduct/upstreams': 10,
  'viaduct/caches': 10,
  'viaduct/workers': 2,
  'viaduct/reloads': 10,
  'viaduct/certificates': 30,
  'viaduct/history': 0,
  'viaduct/top': 0,
  'viaduct/requests?count=200': 0,
}
/** What each view wants in each round. */
const WANTED: Readonly<Record<string, readonly ResourcePath[]>> = {
  zones: ['9/http/location_zones/'],
  upstreams: ['9/http/upstreams/', 'viaduct/upstreams'],
  caches: ['viaduct/caches'],
  limits: ['9/http/limit_reqs/', '9/http/limit_conns/'],
  requests: ['viaduct/top', 'viaduct/requests?count=200'],
  system: ['viaduct/workers', '9/slabs/', '9/resolvers/', 'viaduct/reloads', '9/ssl'],
}

const PATHS = Object.keys(USUAL) as ResourcePath[] // the keys of its type
/** Over more than this rates say nothing. */
const GAP_MS = 10_000
const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const
class Store {
  view = 'overview'
  trouble: Trouble | undefined
  /** What the server said to it. */
  troubleText = ''
  /** Since when the server does not answer; 0 while it does. */
  awaySinceMs = 0
  paused = false
  readonly chronicle = new Chronicle()
  readonly #tracks = new Map<ResourcePath, Track<unknown>>()
  readonly #listeners = new Set<() => void>()
  #round = 0
  /** The chart has what the server remembers of the time before. */
  #remembered = false

  track<P extends ResourcePath>(path: P): Track<Resources[P]> {
    let track = this.#tracks.get(path)
    if (track === undefined) this.#tracks.set(path, (track = new Track()))
    return track as Track<Resources[P]> // only answers to this path are added to it
  }

  last<P extends ResourcePath>(path: P): Resources[P] | undefined {
    return this.track(path).last?.data
  }

  /** Servers may be changed. */
  get writable(): boolean {
    return this.last('viaduct/access')?.write === true
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  changed(): void {
    for (const listener of this.#listeners) listener()
  }

  start(): void {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.#cut()
    })
    void this.#go()
  }

  async #go(): Promise<void> {
    for (;;) {
      const began = performance.now()
      if (!document.hidden && !this.paused) await this.#once()
      const rest = (this.trouble === undefined ? ROUND_MS : RETRY_MS) - (performance.now() - began)
      await new Promise((resolve) => setTimeout(resolve, Math.max(50, rest)))
    }
  }

  /** Asks for what a view needs at once, as when it was opened or something was changed. */
  async refresh(): Promise<void> {
    const wanted = WANTED[this.view] ?? []
    if (wanted.length > 0 && this.trouble === undefined) await this.#ask(wanted)
    this.changed()
  }

  async #once(): Promise<void> {
    const wanted = WANTED[this.view] ?? []
    const due = PATHS.filter((path) => wanted.includes(path) || (USUAL[path] !== 0 && this.#round % USUAL[path] === 0))
    const answered = await this.#ask(this.#remembered ? due : [...due, 'viaduct/history'])
    if (answered) {
      this.awaySinceMs = 0
      this.#round++
      // Rates take two answers: until then the charts end with what is remembered.
      if (this.#remember()) return this.changed()
    } else if (this.awaySinceMs === 0) {
      this.awaySinceMs = Date.now()
      this.#round = 0
    }
    this.#note(answered)
    this.changed()
  }

  /** Asks for all of these at once. */
  async #ask(paths: readonly ResourcePath[]): Promise<boolean> {
    const outcome = await getMany(paths)
    this.trouble = outcome.ok ? undefined : outcome.trouble
    this.troubleText = outcome.ok ? '' : outcome.text
    if (!outcome.ok) return false
    // After the server was away its counts may have begun anew.
    if (this.awaySinceMs !== 0) this.#cut()
    const nowMs = performance.now()
    for (const path of paths) {
      const data = outcome.data.get(path)
      if (data !== undefined) this.track(path).add(nowMs, data as never) // what the API answers to this path
    }
    return true
  }

  /** Puts what the server remembers before what is seen from here; false when that was done. */
  #remember(): boolean {
    if (this.#remembered) return false
    this.#remembered = true
    const history = this.last('viaduct/history')
    if (history === undefined) return false
    for (const [n, atMs] of history.at.entries()) this.chronicle.add(atMs, remembered(history, n))
    return true
  }

  /** After a gap rates begin anew. */
  #cut(): void {
    for (const [path, track] of this.#tracks) {
      // Sudden emptiness would look like a fault: what does not make rates stays.
      if (path.startsWith('9/http/') || path === 'viaduct/zones' || path === 'viaduct/upstreams') track.cut()
    }
  }

  #note(alive: boolean): void {
    const values = new Map<string, number | undefined>()
    if (alive) {
      const zones = this.track('9/http/server_zones/')
      const sum = (pick: (zone: Zone) => number) => (all: Resources['9/http/server_zones/']) =>
        Object.values(all).reduce((total, zone) => total + pick(zone), 0)
      values.set(
        'requests',
        this.track('9/http/requests').rate(({ total }) => total),
      )
      for (const name of CLASSES) values.set(name, zones.rate(sum(({ responses }) => responses[name])))
      values.set('in', zones.rate(sum(({ received }) => received)))
      values.set('out', zones.rate(sum(({ sent }) => sent)))
      const buckets = this.#allBuckets()
      for (const n of [50, 95, 99]) values.set(`p${n}`, quantile(buckets, n / 100))
      const connections = this.last('9/connections')
      values.set('active', connections?.active)
      values.set('idle', connections?.idle)
      values.set(
        'accepted',
        this.track('9/connections').rate(({ accepted }) => accepted),
      )
      const workers = this.last('viaduct/workers') ?? []
      values.set('busy', workers.length === 0 ? undefined : Math.max(...workers.map(({ busy }) => busy)) * 100)
      values.set('delay', workers.length === 0 ? undefined : Math.max(...workers.map(({ delay }) => delay.p99)))
      for (const name of Object.keys(zones.last?.data ?? {})) {
        values.set(
          `server ${name}`,
          zones.rate((all) => all[name]?.requests),
        )
      }
      const locations = this.track('9/http/location_zones/')
      for (const name of Object.keys(locations.last?.data ?? {})) {
        values.set(
          `location ${name}`,
          locations.rate((all) => all[name]?.requests),
        )
      }
      const groups = this.track('9/http/upstreams/')
      for (const name of Object.keys(groups.last?.data ?? {})) {
        values.set(
          `group ${name}`,
          groups.rate((all) => all[name]?.peers.reduce((total, { requests }) => total + requests, 0)),
        )
      }
    }
    this.chronicle.add(Date.now(), values)
  }

  #allBuckets() {
    const track = this.track('viaduct/zones')
    const before = track.oldest?.data.servers
    if (before === undefined) return []
    return together(
      Object.entries(track.last!.data.servers).map(([name, { times }]) => since(times, before[name]?.times)),
    )
  }
}

/** Numbers of a moment that the server remembers, under the names of the charts' series. */
function remembered(history: History, n: number): ReadonlyMap<string, number | undefined> {
  const value = (name: keyof History): number | undefined => history[name][n] ?? undefined
  const passed = n === 0 ? 0 : history.at[n]! - history.at[n - 1]!
  const rateOf = (name: keyof History): number | undefined => {
    const [from, to] = [n === 0 ? null : history[name][n - 1], history[name][n]]
    if (from == null || to == null || to < from || passed <= 0 || passed > GAP_MS) return undefined
    return ((to - from) * 1000) / passed
  }
  const busy = value('busy')
  return new Map<string, number | undefined>([
    ...(['requests', ...CLASSES, 'accepted'] as const).map((name) => [name, rateOf(name)] as const),
    ['in', rateOf('received')],
    ['out', rateOf('sent')],
    ...(['p50', 'p95', 'p99', 'active', 'idle', 'delay'] as const).map((name) => [name, value(name)] as const),
    ['busy', busy === undefined ? undefined : busy * 100],
  ])
}

/** The one store of the page. */
export const store = new Store()

/** Draws the component that calls it after each round. */
export function useStore(): Store {
  const [, draw] = useState(0)
  useEffect(() => store.listen(() => draw((n) => n + 1)), [])
  return store
}
