/** One cache of a configuration: what locations hold, and what requests begin with. */
import { clock } from '../../lib/clock.ts'
import type { KeyWords } from '../../shared/cache/memory.ts'
import { RULE_KEY, RULE_PREFIX, RULE_SOFT, RULE_TAG } from '../../shared/cache/rules.ts'
import { tagHash } from '../../shared/cache/tags.ts'
import { CacheKey, fileNameOf } from './cache-file.ts'
import type { CachePath } from './cache-path.ts'
import { CacheUse } from './cache-use.ts'
import type { CachedObject } from './cached-object.ts'
import { type CacheCounters, PURGED } from './counters.ts'
import { variantSlot } from './object-memory.ts'
import { notePurge } from './purge-journal.ts'
import { expireFile } from './rewrite-header.ts'
import type { CacheLog, CacheRoom } from './room.ts'
import { type VaryValues, variantOf } from './vary.ts'

/** A cache with its settings; where nothing is served (in the master) it has no more than those. */
export class Cache {
  readonly path: CachePath
  readonly #room: CacheRoom | undefined

  constructor(path: CachePath, room: CacheRoom | undefined) {
    this.path = path
    this.#room = room
  }

  get name(): string {
    return this.path.name
  }

  /** There is a thread that serves, and a zone. */
  get serving(): boolean {
    return this.#room !== undefined
  }

  /** The thread's side of it; only where it serves. */
  get room(): CacheRoom {
    return this.#room!
  }

  get counters(): CacheCounters {
    return this.#room!.counters
  }

  /**
   * An object of this thread's memory, if it is still what the index has; fresh or not. Takes no lock, computes nothing but
   * the variant of what varies, and counts as a use.
   */
  recall(key: string, values: VaryValues): CachedObject | undefined {
    const room = this.#room!
    let object = room.memory.get(key)
    if (object === undefined) return undefined
    if (object.vary !== '') {
      object = this.#recallVariant(object, values)
      if (object === undefined) return undefined
    }
    const { index } = room
    if (index.generationOf(object.place) !== object.generation || index.lastRule > object.purge) return undefined
    index.touch(object.place, object.generation, room.inactiveAt)
    return object
  }

  #recallVariant(main: CachedObject, values: VaryValues): CachedObject | undefined {
    const room = this.#room!
    const md5 = variantOf(main.md5, main.vary, values)
    if (md5.latin1Slice() === main.header.variant) return main
    // What leads to it must be true as well.
    if (room.index.generationOf(main.place) !== main.generation) return undefined
    room.index.touch(main.place, main.generation, room.inactiveAt)
    return room.memory.get(variantSlot(md5.hexSlice()))
  }

  /** Begins the use of a key by one request, which ends with `release`. */
  use(key: string, values: VaryValues, log: CacheLog): CacheUse {
    return new CacheUse(this, CacheKey.of(key), values, log)
  }

  /** The path of a key's file. */
  fileName(key: string): string {
    return fileNameOf(this.path.path, this.path.levels, CacheKey.of(key).hex)
  }

  /**
   * Purges a key with all its variants, or (`soft`) makes them expire, so that they are refreshed and may be used as stale.
   * Returns how many responses there were.
   */
  purgeKey(key: string, soft: boolean, log: CacheLog): number {
    const { cold } = this.#room!.index
    const count = purgeKey(this.#room!, CacheKey.of(key), soft, log)
    if (cold) this.#note(RULE_KEY, key, soft, log)
    return count
  }

  /**
   * Purges all keys that begin with a text; an empty one is everything. It holds from now on, and the files go one after
   * another. False: too many such purges are under way.
   */
  purgePrefix(prefix: string, soft: boolean, log?: CacheLog): boolean {
    const done = this.#room!.index.purgePrefix(prefix, soft)
    if (done) this.#note(RULE_PREFIX, prefix, soft, log)
    return done
  }

  /** Purges what has a tag; returns how many responses are known to have it. */
  purgeTag(tag: string, soft: boolean, log?: CacheLog): number {
    const count = purgeTag(this.#room!, tag, soft)
    // Of those that expire the index alone knows.
    if (count > 0 || this.#room!.index.cold) this.#note(RULE_TAG, String(tagHash(tag)), soft, log)
    return count
  }

  /** A purge goes on after the process that has begun it. */
  #note(type: number, text: string, soft: boolean, log: CacheLog | undefined): void {
    notePurge(this.path.path, { type: soft ? type | RULE_SOFT : type, text }, log)
  }
}

function purgeKey(room: CacheRoom, key: CacheKey, soft: boolean, log: CacheLog): number {
  const { index } = room
  const files: KeyWords[] = []
  index.ruleForKey(key.text, soft)
  index.purgeKey(key, soft, clock.seconds, files)
  let count = 0
  // Until all files are known, that of the key may be there without an entry.
  const known = files.some(({ k0, k1, k2, k3 }) => k0 === key.k0 && k1 === key.k1 && k2 === key.k2 && k3 === key.k3)
  if (index.cold && !known) files.push(key)
  for (let i = 0; i < files.length; i++) {
    const path = room.fileName(files[i]!)
    if (soft ? expireFile(path, clock.seconds, log) : room.unlink(path, log)) count++
  }
  room.counters.add(PURGED, count)
  return count
}

function purgeTag(room: CacheRoom, tag: string, soft: boolean): number {
  const hash = tagHash(tag)
  room.index.ruleForTag(hash, soft)
  const count = room.index.purgeTag(hash, soft, clock.seconds)
  room.counters.add(PURGED, count)
  return count
}
