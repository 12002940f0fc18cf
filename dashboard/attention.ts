/** What somebody should look at, the worst first, and what the navigation tells of it. */
import { percent } from './format.ts'
import type { Tone } from './parts.tsx'
import type { useStore } from './store.ts'
import type { Slab } from './types.ts'

type Store = ReturnType<typeof useStore>

/** Something to look at, and the view that has it. */
export interface Note {
  readonly tone: 'warn' | 'bad'
  readonly title: string
  readonly text: string
  readonly view: string
}

const DAYS_BAD = 3
const DAYS_WARN = 14
const FULL_WARN = 0.9
const NAMES_MAX = 4
const BUSY_WARN = 0.9
/** States in which a server does not work although it should. */
const FAILED: ReadonlySet<string> = new Set(['unavail', 'unhealthy'])

/** Tells whether a server does not work although it should. */
export function isFailed(state: string): boolean {
  return FAILED.has(state)
}

/** How a state is shown: the words are NGINX Plus's. */
export function toneOf(state: string): Tone {
  if (state === 'up') return 'ok'
  if (isFailed(state)) return 'bad'
  return state === 'draining' || state === 'checking' ? 'warn' : ''
}

export interface PeerCounts {
  readonly groups: number
  readonly all: number
  readonly up: number
  readonly failed: number
}

/** Counts the servers of all groups; undefined before the first answer. */
export function peerCounts(store: Store): PeerCounts | undefined {
  const groups = store.last('9/http/upstreams/')
  if (groups === undefined) return undefined
  const peers = Object.values(groups).flatMap((group) => group.peers)
  return {
    groups: Object.keys(groups).length,
    all: peers.length,
    up: peers.filter(({ state }) => state === 'up').length,
    failed: peers.filter(({ state }) => isFailed(state)).length,
  }
}

/** The share of a zone that is taken. */
export function fillOf({ pages }: Slab): number {
  return pages.used / Math.max(1, pages.used + pages.free)
}

export function attention(store: Store): Note[] {
  const notes = [...failedPeers(store), ...errors(store), ...certificates(store), ...zones(store), ...process(store)]
  return notes.sort((a, b) => Number(b.tone === 'bad') - Number(a.tone === 'bad'))
}

function* failedPeers(store: Store): Generator<Note> {
  for (const [name, { peers }] of Object.entries(store.last('9/http/upstreams/') ?? {})) {
    const failed = peers.filter(({ state }) => isFailed(state))
    const inUse = peers.filter(({ state }) => state === 'up').length
    if (failed.length > 0 && inUse === 0) {
      yield {
        tone: 'bad',
        title: `No server of ${name} works`,
        text: listed(failed.map((peer) => peer.server)),
        view: 'upstreams',
      }
    } else if (failed.length > 0) {
      const title = `${failed.length} of ${peers.length} servers of ${name} failed`
      yield { tone: 'warn', title, text: listed(failed.map((peer) => peer.server)), view: 'upstreams' }
    }
  }
}

function* errors(store: Store): Generator<Note> {
  const track = store.track('9/http/server_zones/')
  for (const name of Object.keys(track.last?.data ?? {})) {
    const failing = track.rate((all) => all[name]?.responses['5xx'])
    const total = track.rate((all) => all[name]?.responses.total)
    if (failing === undefined || total === undefined || total < 1 || failing / total < 0.05) continue
    const text = `${percent(failing / total)} of the last responses`
    yield { tone: 'bad', title: `Server ${name} answers with errors`, text, view: 'zones' }
  }
}

function* certificates(store: Store): Generator<Note> {
  for (const { names, subject, daysLeft, file } of store.last('viaduct/certificates') ?? []) {
    if (daysLeft >= DAYS_WARN) continue
    const ended = daysLeft < 0
    const title = ended ? 'A certificate has ended' : `A certificate ends in ${Math.floor(daysLeft)} days`
    const tone = daysLeft < DAYS_BAD ? 'bad' : 'warn'
    yield { tone, title, text: names.length > 0 ? listed(names) : subject || file, view: 'system' }
  }
}

function* zones(store: Store): Generator<Note> {
  for (const [name, slab] of Object.entries(store.last('9/slabs/') ?? {})) {
    const share = fillOf(slab)
    if (share >= FULL_WARN)
      yield { tone: 'warn', title: `Zone ${name} is nearly full`, text: percent(share), view: 'system' }
  }
}

function* process(store: Store): Generator<Note> {
  const reloads = store.last('viaduct/reloads')
  const latest = reloads?.reloads.at(-1)
  if (latest !== undefined && !latest.ok) {
    yield { tone: 'bad', title: 'The last reload was refused', text: latest.problem, view: 'system' }
  }
  if (reloads !== undefined && reloads.respawned > 0) {
    yield { tone: 'warn', title: 'Workers died', text: `${reloads.respawned} were started anew`, view: 'system' }
  }
  const busy = (store.last('viaduct/workers') ?? []).filter((worker) => worker.busy >= BUSY_WARN)
  if (busy.length > 0) {
    yield {
      tone: 'warn',
      title: 'Workers are busy',
      text: listed(busy.map(({ id }) => `worker ${id}`)),
      view: 'system',
    }
  }
}

function listed(names: readonly string[]): string {
  const rest = names.length - NAMES_MAX
  return names.slice(0, NAMES_MAX).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}
