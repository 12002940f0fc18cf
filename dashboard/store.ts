/**
 * Asks the API again and again and remembers. What a view shows is asked for each second, the rest now and then; nothing while
 * nobody looks. Views are drawn anew after each round.
 */
import { useEffect, useState } from 'preact/hooks'
import { get, mayWrite, type Trouble } from './api.ts'
import { Chronicle, quantile, since, Track, together } from './history.ts'
import type { ResourcePath, Resources, Zone } from './types.ts'

const ROUND_MS = 1000
const RETRY_MS = 2000
/** How often, in rounds, a resource is asked for while no view wants it. */
const USUAL: { readonly [P in ResourcePath]: number } = {
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
const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const
const CHECKS_MAX = 60

/** A change of a server's state that was seen. */
export interface StateChange {
  readonly atMs: number
  readonly from: string
  readonly to: string
}

/** How servers of groups fared while the page was open. */
export interface PeerStory {
  state: string
  readonly changes: StateChange[]
  /** Outcomes of health checks, true when passed; the newest last. */
  readonly checks: boolean[]
  seen: { all: number; failed: number }
}

class Store {
  view = 'overview'
  trouble: Trouble | undefined
  /** What the server said to it. */
  troubleText = ''
  /** Since when the server does not answer; 0 while it does. */
  awaySinceMs = 0
  writable = false
  paused = false
  readonly chronicle = new Chronicle()
  readonly #tracks = new Map<ResourcePath, Track<unknown>>()
  readonly #stories = new Map<string, PeerStory>()
  readonly #listeners = new Set<() => void>()
  #round = 0
  #probed = false

  track<P extends ResourcePath>(path: P): Track<Resources[P]> {
    let track = this.#tracks.get(path)
    if (track === undefined) this.#tracks.set(path, (track = new Track()))
    return track as Track<Resources[P]> // only answers to this path are added to it
  }

  last<P extends ResourcePath>(path: P): Resources[P] | undefined {
    return this.track(path).last?.data
  }

  story(group: string, id: number): PeerStory | undefined {
    return this.#stories.get(`${group} ${id}`)
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
    await Promise.all((WANTED[this.view] ?? []).map((path) => this.#ask(path)))
    this.changed()
  }

  async #once(): Promise<void> {
    const wanted = WANTED[this.view] ?? []
    const due = PATHS.filter((path) => wanted.includes(path) || (USUAL[path] !== 0 && this.#round % USUAL[path] === 0))
    const first = await this.#ask('9/connections')
    if (first) {
      if (this.awaySinceMs !== 0) this.#cut()
      this.awaySinceMs = 0
      this.#round++
      if (!this.#probed) {
        this.#probed = true
        void mayWrite().then((may) => {
          this.writable = may
          this.changed()
        })
      }
      await Promise.all(due.filter((path) => path !== '9/connections').map((path) => this.#ask(path)))
    } else if (this.awaySinceMs === 0) {
      this.awaySinceMs = Date.now()
      this.#round = 0
      this.#probed = false
    }
    this.#note(first)
    this.changed()
  }

  async #ask<P extends ResourcePath>(path: P): Promise<boolean> {
    const outcome = await get<Resources[P]>(path)
    if (path === '9/connections') {
      this.trouble = outcome.ok ? undefined : outcome.trouble
      this.troubleText = outcome.ok ? '' : outcome.text
    }
    if (!outcome.ok) return false
    this.track(path).add(performance.now(), outcome.data)
    if (path === '9/http/upstreams/') this.#noteStates()
    if (path === 'viaduct/upstreams') this.#noteChecks()
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

  #noteStates(): void {
    for (const [name, { peers }] of Object.entries(this.last('9/http/upstreams/') ?? {})) {
      for (const { id, state } of peers) {
        const story = this.#storyOf(name, id, state)
        if (story.state === state) continue
        story.changes.push({ atMs: Date.now(), from: story.state, to: state })
        story.state = state
      }
    }
  }

  #noteChecks(): void {
    for (const [name, peers] of Object.entries(this.last('viaduct/upstreams') ?? {})) {
      for (const { id, state, checks } of peers) {
        const story = this.#storyOf(name, id, state)
        const { seen } = story
        const failed = seen.all < 0 ? checks.failed : checks.failed_all - seen.failed
        const passed = seen.all < 0 ? checks.passed : checks.all - seen.all - failed
        for (let i = 0; i < Math.min(failed, CHECKS_MAX); i++) story.checks.push(false)
        for (let i = 0; i < Math.min(passed, CHECKS_MAX); i++) story.checks.push(true)
        story.checks.splice(0, Math.max(0, story.checks.length - CHECKS_MAX))
        story.seen = { all: checks.all, failed: checks.failed_all }
      }
    }
  }

  #storyOf(group: string, id: number, state: string): PeerStory {
    const key = `${group} ${id}`
    let story = this.#stories.get(key)
    if (story === undefined) {
      this.#stories.set(key, (story = { state, changes: [], checks: [], seen: { all: -1, failed: -1 } }))
    }
    return story
  }
}

/** The one store of the page. */
export const store = new Store()

/** Draws the component that calls it after each round. */
export function useStore(): Store {
  const [, draw] = useState(0)
  useEffect(() => store.listen(() => draw((n) => n + 1)), [])
  return store
}
