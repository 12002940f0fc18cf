/**
 * Looks after the files of one cache, in the thread that serves nobody: deletes what was not used for `inactive`, what is
 * over `max_size` or under `min_free`, and what was purged; loads the index after a start and writes its snapshot. It
 * works in parts with rests between, as the settings say, and is rung at when there is something to do.
 */
import { clock } from '../../../lib/clock.ts'
import { errnoText } from '../../../lib/errno.ts'
import type { Steps } from '../../../lib/steps.ts'
import { ERROR, NOTICE } from '../../../log/error-log.ts'
import { Bell } from '../../../shared/cache/bells.ts'
import { BEING_LOADED, COLD, LOADED } from '../../../shared/cache/layout.ts'
import { RULE_NOTHING, RULE_REMOVES } from '../../../shared/cache/rules.ts'
import { type Suspect, Upkeep } from '../../../shared/cache/upkeep.ts'
import type { Zone } from '../../../shared/zone.ts'
import type { CachePath, Pace } from '../cache-path.ts'
import { EXPIRED_FILES } from '../counters.ts'
import { headTags } from '../head-tags.ts'
import { forgetPurges, notedSize } from '../purge-journal.ts'
import { readStored } from '../read-object.ts'
import { expireFile } from '../rewrite-header.ts'
import { CacheRoom, freeBytes, idleSeconds } from '../room.ts'
import { Loader } from './loader.ts'
import { Paced } from './paced.ts'
import { writeSnapshot } from './snapshot.ts'

/** Where the keeper writes. */
export type KeeperLog = (level: number, message: string) => void

/** Longest rest, as in nginx. */
const REST_MAX_MS = 10_000
const SNAPSHOT_EVERY_MS = 300_000
/** Sooner when there is so much in the journal of purges. */
const SNAPSHOT_AT_MOST_EVERY_MS = 30_000
const NOTED_BYTES = 8192
/** The loader lets the server begin. */
const LOAD_AFTER_MS = 200

/** The keeper of one cache. */
export class Keeper {
  readonly #room: CacheRoom
  readonly #upkeep: Upkeep
  readonly #log: KeeperLog
  readonly #bell: Bell
  readonly #files: Loader
  readonly #manager: Paced
  readonly #loader: Paced
  #pace: Pace
  #savedAt = 0
  #saved = 0
  #stopped = false

  constructor(zone: Zone, path: CachePath, log: KeeperLog) {
    this.#room = new CacheRoom(zone, path)
    this.#upkeep = new Upkeep(this.#room.index)
    this.#log = log
    this.#files = new Loader(this.#room, this.#upkeep, log)
    this.#bell = new Bell(zone.words, () => this.#rung())
    this.#pace = path.manager
    this.#manager = new Paced({
      begin: () => this.#manage(),
      pace: () => this.#pace,
      restMs: () => this.#restMs(),
    })
    this.#loader = new Paced({
      begin: () => this.#load(),
      pace: () => this.path.loader,
      restMs: () => Number.POSITIVE_INFINITY,
    })
    clock.update()
    this.#savedAt = clock.monotonic
  }

  get path(): CachePath {
    return this.#room.path
  }

  /** The configuration was loaded anew. */
  set path(path: CachePath) {
    this.#room.path = path
    this.#manager.startIn(0)
  }

  /** Begins. */
  start(): void {
    this.#bell.listen()
    this.#manager.startIn(0)
    if (this.#upkeep.loading === LOADED) return
    this.#upkeep.loading = BEING_LOADED
    this.#files.restorePurges()
    this.#loader.startIn(LOAD_AFTER_MS)
  }

  /** Ends, and writes the snapshot. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#manager.stop()
    this.#loader.stop()
    clock.update()
    this.#save()
    if (this.#upkeep.loading === BEING_LOADED) this.#upkeep.loading = COLD
  }

  #rung(): boolean {
    this.#manager.startIn(0)
    return !this.#stopped
  }

  /** Until the next entry becomes inactive; less when there is more to do. */
  #restMs(): number {
    const { doomedCount, ruleCount, loading, firstInactiveAt } = this.#upkeep
    if (doomedCount > 0 || (ruleCount > 0 && loading === LOADED)) return this.path.manager.sleepMs
    if (this.path.minFree > 0) return 1000
    // What comes meanwhile is not inactive before this.
    const next = firstInactiveAt || idleSeconds() + this.path.inactiveS
    return Math.min(REST_MAX_MS, Math.max(1, next - idleSeconds()) * 1000)
  }

  *#load(): Steps<void> {
    const { path } = this.path
    yield* this.#files.load()
    const megabytes = (this.#upkeep.size / 1048576).toFixed(3)
    this.#log(NOTICE, `http file cache: ${path} ${megabytes}M, bsize: ${this.#room.blockSize}`)
    // Purges that an end has interrupted go on now that all files are known.
    if (this.#upkeep.ruleCount > 0) this.#manager.startIn(0)
  }

  *#manage(): Steps<void> {
    this.#pace = this.path.manager
    yield* this.#expire()
    yield* this.#trim()
    yield* this.#deleteDoomed()
    this.#files.unfinished = this.#files.unfinished.filter((path) => !this.#files.deleteAbandoned(path))
    this.#pace = this.path.purger
    if (this.#upkeep.ruleCount > 0 && this.#upkeep.loading === LOADED) yield* this.#purge()
    if (this.#upkeep.loading === LOADED && this.#isDue()) this.#save()
  }

  #isDue(): boolean {
    const pastMs = clock.monotonic - this.#savedAt
    if (pastMs < SNAPSHOT_AT_MOST_EVERY_MS) return false
    return pastMs >= SNAPSHOT_EVERY_MS || notedSize(this.path.path) > NOTED_BYTES
  }

  *#expire(): Steps<void> {
    for (;;) {
      const { index, inactiveAt } = this.#room
      const result = index.evict(idleSeconds(), inactiveAt, true)
      if (result < 0) return
      if (result === 1) this.#delete(this.#room.fileName(index.evicted))
      this.#room.counters.add(EXPIRED_FILES, 1)
      yield
    }
  }

  /** Keeps `max_size` and `min_free`; those who store do so themselves, so this is for settings that changed, and others' files. */
  *#trim(): Steps<void> {
    const { maxSize, minFree, path } = this.path
    while (this.#upkeep.size > maxSize) {
      if (!this.#room.evict()) return
      yield
    }
    while (minFree > 0 && freeBytes(path) < minFree) {
      if (!this.#room.evict()) return
      yield
    }
  }

  *#deleteDoomed(): Steps<void> {
    for (let part = 0; this.#upkeep.doomedCount > 0; part++) {
      for (const key of this.#upkeep.doomedIn(part)) {
        this.#delete(this.#room.fileName(key))
        this.#upkeep.deleted(key)
        yield
      }
      if (this.#upkeep.isLast(part)) return
    }
  }

  /** Holds all objects against the rules of purging. */
  *#purge(): Steps<void> {
    const purge = this.#room.index.lastPurge
    for (let part = 0; ; part++) {
      for (const suspect of this.#upkeep.suspectsIn(part, purge)) {
        this.#hold(suspect, purge)
        yield
      }
      if (this.#upkeep.isLast(part)) break
    }
    this.#upkeep.dropRules(purge)
  }

  #hold(suspect: Suspect, purge: number): void {
    const { index } = this.#room
    const path = this.#room.fileName(suspect)
    // What holds for every key needs no file.
    let found = index.ruleFor(suspect.purge, '', [])
    if (found === RULE_NOTHING) {
      const stored = readStored(path)
      if (stored !== undefined) found = index.ruleFor(suspect.purge, stored.key, headTags(stored.head))
    }
    if (found === RULE_REMOVES) {
      index.missing(suspect.entry, suspect.generation)
      this.#delete(path)
    } else if (found === RULE_NOTHING) index.cleared(suspect.entry, suspect.generation, purge)
    else {
      expireFile(path, clock.seconds, { logError: this.#log })
      index.expire(suspect.entry, suspect.generation, purge, clock.seconds)
    }
  }

  #delete(path: string): void {
    this.#room.unlink(path, { logError: this.#log })
  }

  #save(): void {
    this.#savedAt = clock.monotonic
    const { changes, loading } = this.#upkeep
    if (loading !== LOADED) return
    const { index } = this.#room
    const purge = index.lastPurge
    // tidy: this thread serves nobody, and the disk may refuse.
    try {
      if (changes !== this.#saved) writeSnapshot(this.path.path, this.#upkeep)
      this.#saved = changes
      // What a purge has doomed no snapshot tells of.
      if (this.#upkeep.doomedCount === 0) forgetPurges(this.path.path, () => index.lastPurge === purge)
    } catch (error) {
      this.#log(ERROR, `the index of cache "${this.path.name}" was not written ${errnoText(error)}`)
    }
  }
}
