/**
 * One request's dealings with one key: looking it up, waiting for whoever fetches it, storing what was fetched. What
 * ngx_http_file_cache.c does with a `ngx_http_cache_t`; the lock also covers refreshes, and who waits is woken.
 */
import { clock } from '../../lib/clock.ts'
import { errnoText } from '../../lib/errno.ts'
import { openPath } from '../../lib/file-status.ts'
import { ALERT, CRIT, INFO } from '../../log/error-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { Entry } from '../../shared/cache/entries.ts'
import { LOCK_POINTLESS, LOCK_TAKEN, NO_LOCK } from '../../shared/cache/index.ts'
import { RULE_NOTHING, RULE_REMOVES } from '../../shared/cache/rules.ts'
import { tagHash } from '../../shared/cache/tags.ts'
import type { TempPath } from '../files/temp-file.ts'
import type { Cache } from './cache.ts'
import { CacheKey, encodeStart, fits, type StoreMeta } from './cache-file.ts'
import { CachedObject } from './cached-object.ts'
import { FOLLOWED, HEALED, LOCK_TIMEOUTS, LOCK_WAITS, STORED, UNCACHEABLE } from './counters.ts'
import { GrowingBody } from './growing-body.ts'
import { headTags } from './head-tags.ts'
import { variantSlot } from './object-memory.ts'
import { copyBody, type ReadFailure, readGrowing, readObject } from './read-object.ts'
import { expireFile, rewriteHeader } from './rewrite-header.ts'
import type { CacheLog, CacheRoom } from './room.ts'
import { descriptorPath, StoreFile } from './store-file.ts'
import { type VaryValues, variantOf } from './vary.ts'
import { type EntryWaiter, Following } from './waiting-room.ts'

/** What `open` and `follow` answer: fresh; expired and to be refreshed by this use; expired and refreshed by another. */
export const CACHE_HIT = 1
export const CACHE_STALE = 2
export const CACHE_UPDATING = 3
/** Absent: to be fetched; not to be stored (too few uses, no room for the key); a failure that is remembered; being fetched. */
export const CACHE_MISS = 4
export const CACHE_SCARCE = 5
export const CACHE_ERROR = 6
export const CACHE_BUSY = 7

/** Why a waiter is woken: look again; the head is there, and the body may be followed; not cacheable; it took too long. */
export const WAKE_CHANGED = 1
export const WAKE_GROWING = 2
export const WAKE_PASS = 3
export const WAKE_TIMEOUT = 4

/** Look again, with another key or another state. */
const AGAIN = 0
const ROUNDS_MAX = 8
/** So often a full zone is made to have room. */
const TRIES_MAX = 16
/** Largest body that is copied when its head changes. */
const COPIED_SIZE_MAX = 16 * 1048576

/** The settings of a location that look-ups need. */
export interface OpenOptions {
  readonly minUses: number
  readonly lock: boolean
  readonly lockTimeoutMs: number
  readonly lockAgeMs: number
}

const PLAIN: OpenOptions = { minUses: 1, lock: false, lockTimeoutMs: 0, lockAgeMs: 0 }

/** One who waits for another's fetch. */
export interface CacheWaiter {
  /** Called once for each `wait` that was true, between events. */
  onCacheWake(reason: number): void
}

/** One request's use of one key; begun by `Cache.use`, ended by `release`. */
export class CacheUse implements EntryWaiter, TimerOwner {
  readonly cache: Cache
  readonly key: CacheKey
  /** What was found, until `release`. */
  object: CachedObject | undefined = undefined
  /** The status that is remembered, after CACHE_ERROR. */
  error = 0
  /** The response itself allows to be used while it is refreshed, or when that fails. */
  staleUpdating = false
  staleError = false
  /** The keys zone had no room. */
  full = false
  /** There is a response under the key, and this request wants another variant. */
  varyMiss = false
  /** It has waited as long as it may. */
  timedOut = false
  readonly #values: VaryValues
  readonly #log: CacheLog
  readonly #room: CacheRoom
  #options: OpenOptions = PLAIN
  /** The key that is looked up: the main one, or that of a variant. */
  #current: CacheKey
  #entry: Entry = 0
  #held = -1
  #lock = NO_LOCK
  /** The last purge before what is fetched was asked for. */
  #since: number
  #file: StoreFile | undefined = undefined
  #meta: StoreMeta | undefined = undefined
  #bodyStart = 0
  #following: Following | undefined = undefined
  #reader: GrowingBody | undefined = undefined
  #waiter: CacheWaiter | undefined = undefined
  #waitUntilMs = -1
  #offered = 0
  #timer: Timer | undefined = undefined

  constructor(cache: Cache, key: CacheKey, values: VaryValues, log: CacheLog) {
    this.cache = cache
    this.key = this.#current = key
    this.#values = values
    this.#log = log
    this.#room = cache.room
    this.#since = this.#room.index.lastPurge
  }

  /** This use is the one that fetches or refreshes; others may wait for it. */
  get updating(): boolean {
    return this.#lock !== NO_LOCK
  }

  // -------------------------------------------------------------------------------------------------- looking up

  /** Looks the key up and answers with one of the constants above; after a wake it is called again. */
  open(options: OpenOptions): number {
    this.#options = options
    this.#since = this.#room.index.lastPurge
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (!this.#acquire()) return CACHE_SCARCE
      const verdict = this.#look()
      if (verdict !== AGAIN) return verdict
    }
    return CACHE_SCARCE
  }

  #acquire(): boolean {
    return this.#entry !== 0 || this.#enter(this.#current, 0)
  }

  /** Begins to use the entry of a key, making room in the zone when there is none. */
  #enter(key: CacheKey, main: Entry): boolean {
    const { index } = this.#room
    let entry = index.acquire(key, clock.seconds, this.#room.inactiveAt, main)
    // Another thread may be quicker to take what becomes free.
    for (let n = 0; entry === 0 && n < TRIES_MAX && this.#room.evict(); n++) {
      entry = index.acquire(key, clock.seconds, this.#room.inactiveAt, main)
    }
    if (entry === 0) {
      this.full = true
      this.#room.noZoneRoom(this.#log)
      return false
    }
    this.#current = key
    this.#entry = entry
    this.#held = index.held
    return true
  }

  #look(): number {
    const { index } = this.#room
    const entry = this.#entry
    this.error = index.errorOf(entry)
    if (this.error !== 0) return CACHE_ERROR
    const existed = index.exists(entry)
    if (existed || (index.cold && !index.isDoomed(entry))) {
      const found = this.#find(existed)
      if (found === AGAIN) return AGAIN
      if (found !== undefined) return this.#judge(found)
    }
    if (!existed && index.usesOf(entry) < this.#options.minUses) return CACHE_SCARCE
    return this.#miss(existed && index.exists(entry))
  }

  /** The object of the entry, from memory or the disk; AGAIN when another key has to be looked up. */
  #find(existed: boolean): CachedObject | typeof AGAIN | undefined {
    const object = this.#recall() ?? this.#read(existed)
    if (object === undefined) return undefined
    if (object.vary !== '') {
      const md5 = variantOf(this.key.md5, object.vary, this.#values)
      if (md5.latin1Slice() !== object.header.variant)
        return this.#toVariant(object, CacheKey.variant(this.key.text, md5))
    }
    return this.#holdAgainstPurges(object)
  }

  #slot(): string {
    return this.#current === this.key ? this.key.text : variantSlot(this.#current.hex)
  }

  #recall(): CachedObject | undefined {
    const { index, memory } = this.#room
    const object = memory.get(this.#slot())
    const entry = this.#entry
    return object?.place === entry && object.generation === index.generationOf(entry) ? object : undefined
  }

  #read(existed: boolean): CachedObject | undefined {
    const { index, memory } = this.#room
    const entry = this.#entry
    // Before the file is opened: what is replaced meanwhile is read again by the next.
    let generation = index.generationOf(entry)
    const path = this.#room.fileName(this.#current)
    const expiredAt = index.expiredAt(entry)
    let read = readObject(path, this.#current, index.bodyStartOf(entry))
    if (!(read instanceof CachedObject)) {
      this.#unread(read, path, existed ? generation : 0)
      return undefined
    }
    if (generation === 0) {
      const { bodyStart, validSec, blocks } = read
      generation = index.found(entry, { blocks, bodyStart, validSec, tags: headTags(read.head) })
    }
    if (read.validSec > expiredAt) read = read.renewed({ ...read.header, validSec: expiredAt })
    read.generation = generation
    read.place = entry
    read.md5 = this.key.md5
    read.purge = index.purgeOf(entry)
    if (generation !== 0 && this.#room.path.memory > 0) memory.put(this.#slot(), read)
    return read
  }

  /** A file that is gone or broken is a miss; the index is told, and the log once. */
  #unread({ errno, call, problem }: ReadFailure, path: string, generation: number): void {
    const gone = errno === 'ENOENT' || errno === 'ENOTDIR'
    if (generation !== 0 && (gone || problem !== '')) {
      this.#room.index.missing(this.#entry, generation)
      this.#room.counters.add(HEALED, 1)
    }
    if (problem !== '') this.#log.logError(INFO, `cache file "${path}" ${problem}`)
    else if (!gone) this.#log.logError(CRIT, `${call} "${path}" failed ${errnoText(errno)}`)
    else if (generation !== 0) this.#log.logError(INFO, `cache file "${path}" is gone`)
  }

  /** Another variant is wanted: goes on with its key, unless that is where we are. */
  #toVariant(object: CachedObject, key: CacheKey): typeof AGAIN | undefined {
    const { index } = this.#room
    if (!object.hot) object.entry?.release()
    if (this.#current !== this.key) {
      this.#log.logError(INFO, `cache file "${this.#room.fileName(this.#current)}" has incorrect vary hash`)
      index.missing(this.#entry, object.generation)
      return undefined
    }
    const main = this.#entry
    const held = this.#held
    this.#giveLock()
    this.varyMiss = true
    this.#entry = 0
    if (!this.#enter(key, main)) this.#entry = 0
    index.release(main, held, true)
    // A zone without room is met again, by `open`.
    this.#current = key
    return AGAIN
  }

  /** Nothing: a purge has taken it. AGAIN: it has expired by one. */
  #holdAgainstPurges(object: CachedObject): CachedObject | typeof AGAIN | undefined {
    const { index, memory } = this.#room
    if (index.lastRule <= object.purge) return object
    const last = index.lastPurge
    const found = index.ruleFor(object.purge, this.key.text, headTags(object.head))
    if (found === RULE_NOTHING) {
      object.purge = last
      index.cleared(this.#entry, object.generation, last)
      return object
    }
    memory.delete(this.#slot())
    if (!object.hot) object.entry?.release()
    const path = this.#room.fileName(this.#current)
    if (found === RULE_REMOVES) {
      index.missing(this.#entry, object.generation)
      this.#room.unlink(path, this.#log)
      return undefined
    }
    expireFile(path, clock.seconds, this.#log)
    index.expire(this.#entry, object.generation, last, clock.seconds)
    return AGAIN
  }

  #judge(object: CachedObject): number {
    this.#setObject(object)
    const now = clock.seconds
    if (object.validSec >= now) return CACHE_HIT
    this.staleUpdating = object.validSec + object.updatingSec >= now
    this.staleError = object.validSec + object.errorSec >= now
    if (this.updating) return CACHE_STALE
    const { lock, lockAgeMs } = this.#options
    return this.#takeLock(lock ? lockAgeMs : 0, true) ? CACHE_STALE : CACHE_UPDATING
  }

  #setObject(object: CachedObject): void {
    if (object === this.object) return
    this.#dropObject()
    this.object = object
  }

  #dropObject(): void {
    const { object } = this
    this.object = undefined
    // What is behind a descriptor belongs to this use; what is in memory to nobody.
    if (object?.entry !== undefined && object.entry.content === undefined) object.entry.release()
  }

  /** `unreadable`: there is a file, which the system does not let us read. */
  #miss(unreadable: boolean): number {
    const { lock, lockTimeoutMs, lockAgeMs } = this.#options
    if (this.updating || !lock || this.#room.index.passes(this.#entry, clock.seconds)) return CACHE_MISS
    const taken = this.#takeLock(lockAgeMs, unreadable)
    if (taken === undefined) return AGAIN
    if (taken) return CACHE_MISS
    return lockTimeoutMs === 0 || this.timedOut ? CACHE_SCARCE : CACHE_BUSY
  }

  /** Undefined: there is an object by now. */
  #takeLock(ageMs: number, stale: boolean): boolean | undefined {
    const { index } = this.#room
    const lock = index.lock(this.#entry, clock.monotonic, ageMs, stale)
    if (lock === LOCK_POINTLESS) return undefined
    if (lock === LOCK_TAKEN) return false
    this.#lock = { number: lock, note: index.held }
    return true
  }

  #giveLock(): void {
    const lock = this.#lock
    if (lock === NO_LOCK) return
    this.#lock = NO_LOCK
    this.#room.index.unlock(this.#entry, lock)
  }

  // -------------------------------------------------------------------------------------------------- waiting

  /**
   * Waits for whoever fetches; the waiter is woken once. False: there is nothing to wait for: `open` again; or, with
   * `timedOut`, no time is left, or answers are not cacheable: the request goes on for itself, without storing.
   */
  wait(waiter: CacheWaiter): boolean {
    const { index, waiting, counters } = this.#room
    const now = clock.monotonic
    if (this.#waitUntilMs < 0) {
      this.#waitUntilMs = now + this.#options.lockTimeoutMs
      counters.add(LOCK_WAITS, 1)
    }
    // Of what is not cacheable any more nobody waits for a refresh either.
    if (now >= this.#waitUntilMs || index.passes(this.#entry, clock.seconds)) {
      this.timedOut = true
      return false
    }
    waiting.listen()
    if (!index.await(this.#entry, now)) return false
    this.#waiter = waiter
    const growing = index.flightOf(this.#entry)
    const news = growing !== 0 && growing !== this.#offered
    waiting.add(this.#entry, news ? index.awaited - 1 : index.awaited, this)
    if (news) index.ringSelf()
    this.#armTimer(now)
    return true
  }

  #armTimer(now: number): void {
    this.#timer ??= new Timer(this)
    const left = this.#room.index.lockLeftMs(this.#entry, now)
    setTimer(this.#timer, Math.max(1, Math.min(this.#waitUntilMs - now, left)))
  }

  /** Stops waiting. */
  cancelWait(): void {
    if (this.#waiter === undefined) return
    this.#waiter = undefined
    cancelTimer(this.#timer!)
    this.#room.waiting.remove(this.#entry, this)
  }

  /** The waiting room has news of the entry. */
  onNews(): boolean {
    const { index } = this.#room
    const entry = this.#entry
    const flight = index.flightOf(entry)
    if (flight !== 0 && flight !== this.#offered) {
      this.#offered = flight
      this.#wake(WAKE_GROWING)
    } else if (index.passes(entry, clock.seconds)) this.#wake(WAKE_PASS)
    else if (index.await(entry, clock.monotonic)) return true
    else this.#wake(WAKE_CHANGED)
    return false
  }

  #wake(reason: number): void {
    const waiter = this.#waiter!
    this.#waiter = undefined
    cancelTimer(this.#timer!)
    waiter.onCacheWake(reason)
  }

  /** The lock may be taken over, or this request has waited long enough. */
  onTimeout(): void {
    const waiter = this.#waiter
    if (waiter === undefined) return
    this.cancelWait()
    if (clock.monotonic < this.#waitUntilMs) {
      waiter.onCacheWake(WAKE_CHANGED)
      return
    }
    this.timedOut = true
    this.#room.counters.add(LOCK_TIMEOUTS, 1)
    this.#log.logError(INFO, 'cache lock timeout')
    waiter.onCacheWake(WAKE_TIMEOUT)
  }

  /**
   * Reads what another one is storing, from the head on: CACHE_HIT with an object whose body grows. When that is not to be
   * had (any more), or is another variant, the answer is that of `open`.
   */
  follow(): number {
    const { flights, index, waiting, counters } = this.#room
    const flight = flights.follow(this.#entry)
    if (flight === 0) return this.open(this.#options)
    const following = new Following(flights, flight)
    following.holding = index.held
    const fd = openPath(descriptorPath(flights.fdOf(flight)))
    const bodyStart = flights.bodyStartOf(flight)
    if (typeof fd === 'string') return this.#unfollow(following)
    following.body = new GrowingBody(following, fd, bodyStart)
    // Only now is it sure that the descriptor was not another file's already.
    const object = flights.isOwned(flight) ? readGrowing(this.key, fd, bodyStart, following.body) : undefined
    if (object === undefined) return this.#unfollow(following)
    if (object.vary !== '') {
      const md5 = variantOf(this.key.md5, object.vary, this.#values)
      if (md5.latin1Slice() !== object.header.variant) {
        if (this.#current === this.key) this.#toVariant(object, CacheKey.variant(this.key.text, md5))
        return this.#unfollow(following)
      }
    }
    counters.add(FOLLOWED, 1)
    this.#following = following
    this.#setObject(object)
    waiting.follow(following)
    return CACHE_HIT
  }

  #unfollow(following: Following): number {
    this.#endFollowing(following)
    return this.open(this.#options)
  }

  #endFollowing(following: Following): void {
    following.body?.close()
    this.#room.waiting.unfollow(following)
    this.#room.flights.unfollow(following.flight, following.holding)
  }

  // -------------------------------------------------------------------------------------------------- storing

  /**
   * Begins to store a response, whatever `open` has said before, or without it. False: it passes without being stored, and
   * nobody waits for it any more. What is not `offered` is not followed by others while it comes: its end may never be told.
   */
  begin(meta: StoreMeta, head: Uint8Array, length: number, folder: TempPath, offered = true): boolean {
    const variant = meta.vary === '' ? '' : variantOf(this.key.md5, meta.vary, this.#values).latin1Slice()
    const stands = this.#acquire() && this.#toStored(variant)
    if (!stands || !fits(this.key, head.length)) {
      if (stands) this.#log.logError(ALERT, `cache key or head is too long to be stored in "${this.cache.name}"`)
      this.#giveLock()
      return false
    }
    const start = encodeStart(meta, this.key, head, variant)
    const path = this.#room.fileName(this.#current)
    this.#file = StoreFile.begin(this.#room, this.#log, { entry: this.#entry, path, start, length, folder, offered })
    this.#meta = meta
    this.#bodyStart = start.length
    if (this.#file !== undefined) return true
    this.uncacheable(0)
    return false
  }

  /** What was looked up as a variant and is none, or another one, is stored under the main key. */
  #toStored(variant: string): boolean {
    if (this.#current === this.key || this.#current.md5 === variant) return true
    const { index } = this.#room
    this.#giveLock()
    index.release(this.#entry, this.#held, this.#options.minUses > 1)
    this.#entry = 0
    return this.#enter(this.key, 0)
  }

  /** Appends bytes of the body. False: it is given up, and the response goes on without the cache. */
  append(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#file === undefined) return false
    if (this.#file.append(bytes, start, end)) return true
    this.#file = undefined
    this.#giveLock()
    return false
  }

  /** The body is whole. False: it could not be kept. */
  complete(): boolean {
    const file = this.#file
    if (file === undefined) return false
    this.#file = undefined
    const { index, counters } = this.#room
    const blocks = file.complete()
    if (blocks < 0) {
      this.#giveLock()
      return false
    }
    const { validSec, tags } = this.#meta!
    const facts = { blocks, bodyStart: this.#bodyStart, validSec, tags: tags.map(tagHash) }
    const lock = this.#lock
    this.#lock = NO_LOCK
    if (index.stored(this.#entry, this.key.text, facts, this.#since, lock)) {
      counters.add(STORED, 1)
      return true
    }
    this.#room.unlink(this.#room.fileName(this.#current), this.#log)
    return false
  }

  /** The fetch has failed, or what came is incomplete: who waits tries for himself. */
  discard(): void {
    this.#file?.discard()
    this.#file = undefined
    this.#giveLock()
  }

  /** The answer may not be stored: who waits goes on at once, and for so many seconds nobody waits for this key. */
  uncacheable(seconds: number): void {
    this.#file?.discard()
    this.#file = undefined
    if (this.#entry === 0) return
    const lock = this.#lock
    this.#lock = NO_LOCK
    this.#room.counters.add(UNCACHEABLE, 1)
    this.#room.index.pass(this.#entry, clock.seconds + seconds, lock)
  }

  /** The object is still good (304): its header is written anew in place. */
  refresh(meta: StoreMeta): void {
    const { object } = this
    const { index } = this.#room
    if (object === undefined || object.growing !== undefined) return
    if (index.isPurged(this.#entry, this.#since, this.key.text)) {
      // The back end was asked before: the next request asks again.
      this.#giveLock()
      return
    }
    const variant = meta.vary === '' ? '' : variantOf(this.key.md5, meta.vary, this.#values).latin1Slice()
    const header = { ...object.header, ...meta, variant }
    const written = rewriteHeader(this.#room.fileName(this.#current), object, header, this.#log)
    const lock = this.#lock
    this.#lock = NO_LOCK
    if (written) index.refreshed(this.#entry, meta.validSec, lock)
    else index.unlock(this.#entry, lock)
    this.object = object.renewed(header)
  }

  /**
   * The object is still good and has another head: its file is written anew, with the old body. False: that was not
   * possible, or would take too long, and only the times are new.
   */
  refreshHead(meta: StoreMeta, head: Uint8Array, folder: TempPath): boolean {
    const { object } = this
    const entry = object?.entry
    const possible = entry !== undefined && entry.size <= COPIED_SIZE_MAX
    if (!possible || !this.begin(meta, head, entry.size, folder, false)) {
      this.refresh(meta)
      return false
    }
    const header = { ...object!.header, ...meta, bodyStart: this.#bodyStart }
    if (!copyBody(entry, (bytes, end) => this.append(bytes, 0, end)) || !this.complete()) {
      this.discard()
      return false
    }
    this.object = object!.renewed(header, Buffer.from(head))
    return true
  }

  /** Remembers a failure in place of a response; a time of 0 leaves what was there. */
  remember(status: number, validSec: number): void {
    const { index } = this.#room
    if (this.#acquire() && !index.isPurged(this.#entry, this.#since, this.key.text))
      index.remember(this.#entry, status, validSec)
  }

  // -------------------------------------------------------------------------------------------------- ending

  /**
   * What was stored so far by this use, for a client that is slower than the back end; it stays readable to its end, and is
   * closed with the use.
   */
  written(): GrowingBody | undefined {
    this.#reader ??= this.#file?.reader()
    return this.#reader
  }

  /** Hands the object over: the caller releases its `entry` when all is sent. */
  takeObject(): CachedObject | undefined {
    const { object } = this
    object?.entry?.retain()
    return object
  }

  /** Gives everything back. May be called again. */
  release(): void {
    this.cancelWait()
    this.discard()
    this.#reader?.close()
    if (this.#following !== undefined) this.#endFollowing(this.#following)
    this.#following = undefined
    this.#dropObject()
    const entry = this.#entry
    this.#entry = 0
    if (entry !== 0) this.#room.index.release(entry, this.#held, this.#options.minUses > 1)
  }
}
