/** Caches for tests of the store: in a folder of their own, with a log that is kept and a clock that the test moves. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { Cache } from '../../src/http/cache/cache.ts'
import type { StoreMeta } from '../../src/http/cache/cache-file.ts'
import type { CachePath } from '../../src/http/cache/cache-path.ts'
import type { CacheUse, OpenOptions } from '../../src/http/cache/cache-use.ts'
import { CacheRoom } from '../../src/http/cache/room.ts'
import { clock, SYSTEM_TIME } from '../../src/lib/clock.ts'
import { LOADED, LOADING } from '../../src/shared/cache/layout.ts'
import { CACHE_ZONE_KIND } from '../../src/shared/cache/memory.ts'
import { ZONE_SIZE_MIN, Zone } from '../../src/shared/zone.ts'

const PACE = { files: 100, sleepMs: 50, thresholdMs: 200 }
/** How a location looks up: plainly, and with a lock. */
export const OPEN: OpenOptions = { minUses: 1, lock: false, lockTimeoutMs: 5000, lockAgeMs: 5000 }
export const LOCKED: OpenOptions = { ...OPEN, lock: true }
/** The head of what is stored. */
export const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n'
export const NO_VARY = { varyValue: () => '' }

/** A cache as one thread sees it, and what it has logged. */
export interface TestCache {
  readonly cache: Cache
  readonly room: CacheRoom
  readonly zone: Zone
  readonly folder: string
  readonly temp: string
  readonly lines: string[]
  /** Another thread's view of the same zone. */
  second(): TestCache
}

/** Makes a cache whose files are all known. */
export function makeCache(settings: Partial<CachePath> = {}, zoneSize = ZONE_SIZE_MIN): TestCache {
  const folder = mkdtempSync(join(tmpdir(), 'viaduct-store-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const zone = Zone.create('one', zoneSize, CACHE_ZONE_KIND)
  zone.words[LOADING] = LOADED
  return viewOf(zone, folder, settings)
}

/** A view of the cache that others use too. */
export function viewOf(zone: Zone, folder: string, settings: Partial<CachePath>): TestCache {
  const path = pathOf(join(folder, 'cache'), settings)
  const room = new CacheRoom(zone, path)
  const lines: string[] = []
  const temp = join(folder, 'temp')
  return { cache: new Cache(path, room), room, zone, folder, temp, lines, second: () => viewOf(zone, folder, settings) }
}

/** The settings of a cache. */
export function pathOf(path: string, settings: Partial<CachePath> = {}): CachePath {
  return {
    name: 'one',
    zoneSize: ZONE_SIZE_MIN,
    path,
    slash: false,
    levels: [1, 2],
    useTempPath: false,
    inactiveS: 600,
    maxSize: Number.POSITIVE_INFINITY,
    minFree: 0,
    memory: 0,
    manager: PACE,
    loader: PACE,
    purger: PACE,
    at: { file: '', line: 0, column: 0 },
    ...settings,
  }
}

/** A header that is fresh for a minute. */
export function meta(more: Partial<StoreMeta> = {}): StoreMeta {
  return {
    validSec: clock.seconds + 60,
    validMsec: 0,
    updatingSec: 0,
    errorSec: 0,
    lastModified: -1,
    date: clock.seconds,
    etag: '',
    vary: '',
    tags: [],
    ...more,
  }
}

/** Begins the use of a key. */
export function use(made: TestCache, key: string, values: Readonly<Record<string, string>> = {}): CacheUse {
  const log = { logError: (_: number, message: string) => made.lines.push(message) }
  return made.cache.use(key, { varyValue: (name) => values[name] ?? '' }, log)
}

/** Begins to store what `used` has looked up. */
export function begin(made: TestCache, used: CacheUse, more: Partial<StoreMeta> = {}, length = -1): boolean {
  const head = more.tags === undefined ? HEAD : HEAD.replace(/\r\n$/, `Surrogate-Key: ${more.tags.join(' ')}\r\n\r\n`)
  return used.begin(meta(more), Buffer.from(head), length, { path: made.temp, levels: [] })
}

/** Stores a response; the use is released. */
export function store(
  made: TestCache,
  key: string,
  body: string,
  more: Partial<StoreMeta> = {},
  values: Readonly<Record<string, string>> = {},
): boolean {
  const used = use(made, key, values)
  used.open(OPEN)
  const bytes = Buffer.from(body)
  const stored = begin(made, used, more) && used.append(bytes, 0, bytes.length) && used.complete()
  used.release()
  return stored
}

/** What a look-up finds: the verdict, and the body of a whole object. */
export function lookUp(made: TestCache, key: string, values: Readonly<Record<string, string>> = {}): [number, string] {
  const used = use(made, key, values)
  const verdict = used.open(OPEN)
  const body = used.object?.entry?.content?.toString('latin1') ?? ''
  used.release()
  return [verdict, body]
}

/** Lets time go by, for the rest of the file. */
export function passSeconds(seconds: number): void {
  moved += seconds * 1000
  jumpWall(seconds)
}
let moved = 0

/** Sets the clock on the wall, by which nothing goes by. */
export function jumpWall(seconds: number): void {
  jumped += seconds * 1000
  clock.setSource({
    ...SYSTEM_TIME,
    wall: () => SYSTEM_TIME.wall() + jumped,
    monotonic: () => SYSTEM_TIME.monotonic() + moved,
  })
}
let jumped = 0
