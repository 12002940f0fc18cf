/**
 * One exchange's dealings with the cache (ngx_http_upstream_cache and what follows from it): the look-up before a back end
 * is asked, what is served instead of asking, and whether the answer is kept.
 *
 *   lookUp --> served                     HIT STALE UPDATING            (STALE, with a copy of the request that renews)
 *          --> waits for another request  then looks again
 *          --> NEXT: ask the back end --> onHead --> kept while it passes, or not
 *                                     --> 304: the stored one is served       REVALIDATED
 *                                     --> it fails: the stored one is served  STALE
 */
import { clock } from '../../../lib/clock.ts'
import { parseHttpDate } from '../../../lib/http-date.ts'
import { ERROR } from '../../../log/error-log.ts'
import { isTrue } from '../../../value/truth.ts'
import type { Cache } from '../../cache/cache.ts'
import type { StoreMeta } from '../../cache/cache-file.ts'
import {
  CACHE_BUSY,
  CACHE_ERROR,
  CACHE_HIT,
  CACHE_SCARCE,
  CACHE_STALE,
  CACHE_UPDATING,
  type CacheUse,
  type CacheWaiter,
  WAKE_GROWING,
  WAKE_TIMEOUT,
} from '../../cache/cache-use.ts'
import type { CachedObject } from '../../cache/cached-object.ts'
import {
  STATUS_BYPASS,
  STATUS_EXPIRED,
  STATUS_HIT,
  STATUS_MISS,
  STATUS_REVALIDATED,
  STATUS_STALE,
  STATUS_UPDATING,
} from '../../cache/counters.ts'
import { Freshness, forbidding } from '../../cache/freshness.ts'
import { type Demands, demandsOf, forbidsStale, readShared } from '../../cache/shared-cache.ts'
import { normalizesVary, normalizeVary, type VaryValues } from '../../cache/vary.ts'
import { hashName } from '../../message/field-names.ts'
import { HEAD, POST } from '../../message/method.ts'
import type { Text } from '../../request/plan.ts'
import type { Request } from '../../request/request.ts'
import { trace } from '../../request/trace.ts'
import { DONE, NEXT, type Verdict, WAIT } from '../../request/verdict.ts'
import { HEAD_DONE } from '../codec.ts'
import type { Exchange } from '../exchange.ts'
import type { KeptBody } from '../response-pump.ts'
import { type CacheConf, validSeconds } from './conf.ts'
import { asGet, PURGES, type PurgeConf, purge } from './purge.ts'
import { renewBehind } from './renew.ts'
import { readStoredHead, serveObject } from './serve.ts'
import { answersGet, dress, invalidate, isUnsafe, meets, renewedHead, sameForms, withHead } from './shared.ts'
import { tagsOf } from './tags.ts'
import { UNFIT } from './unfit.ts'

/** Header of a cache file, `\nKEY: ` and the line end behind the key. */
const FILE_START = 336 + 6 + 1
/** Room that a head has at the least. */
const HEAD_ROOM = 256
/** How long an answer that may not be kept makes others not wait for one another. */
const PASS_SECONDS = 5
/** Buffers are proposed in steps of this size. */
const ROUNDED = 1024
const NO_CONTENT = 204
const NOT_MODIFIED = 304
const GATEWAY_TIMEOUT = 504
const SERVER_ERROR = 500
const RANGE = hashName('range')
const LAST_MODIFIED = hashName('last-modified')
const ETAG = hashName('etag')
const NO_TAGS: readonly string[] = []
const STATUS_NAMES = [undefined, 'MISS', 'BYPASS', 'EXPIRED', 'STALE', 'UPDATING', 'REVALIDATED', 'HIT']

/** The dealings of one request; reused by `begin`. */
export class Caching implements VaryValues, CacheWaiter {
  readonly #exchange: Exchange
  readonly #freshness = new Freshness()
  #r!: Request
  #conf!: CacheConf
  #cache: Cache | undefined
  #use: CacheUse | undefined
  /** What was served. */
  #object: CachedObject | undefined
  /** `$upstream_cache_status` as nginx numbers it; 0: the cache was not asked. */
  status = 0
  key = ''
  /** The response may be kept, as far as is known. */
  cacheable = false
  /** The response is being kept. */
  storing = false
  /** The request renews what another one is answered with. */
  #behind = false
  /** The back end is asked whether the stored response is still good, and not by the client's own conditions. */
  #conditional = false
  /** The request goes on although its client has left. */
  #holding = false
  #wakeReason = 0
  /** What the request asks of a cache that obeys (`rfc9111`). */
  #demands: Demands | undefined
  /** What is stored for an unsafe method's target becomes invalid here. */
  #invalidates: Cache | undefined
  #collapsed = false
  /** What came is in the cache. */
  #stored = false
  /** The stored response with what 304 has changed. */
  #renewed: CachedObject | undefined

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  begin(r: Request, conf: CacheConf): void {
    this.#r = r
    this.#conf = conf
    this.#cache = this.#use = this.#object = undefined
    this.status = 0
    this.key = ''
    this.cacheable =
      this.storing =
      this.#behind =
      this.#conditional =
      this.#holding =
      this.#collapsed =
      this.#stored =
        false
    this.#demands = this.#invalidates = this.#renewed = undefined
  }

  /** The request is over. */
  release(): void {
    if (this.status !== 0) this.#count()
    this.#object = undefined
    this.#letGo()
  }

  #count(): void {
    const counters = this.#cache?.counters
    if (counters === undefined) return
    const received = this.#exchange.attempts.last?.responseLength ?? 0
    counters.count(this.status, this.#object?.length ?? received)
    if (this.#stored) counters.countWritten(this.status, received)
  }

  /** What is known is the stored response, and not one of a back end. */
  get serving(): boolean {
    return this.#object !== undefined
  }

  // ---- before a back end is asked ------------------------------------------------------------

  /** Looks for the response; NEXT when a back end is to be asked. */
  lookUp(): Verdict {
    const r = this.#r
    const conf = this.#conf
    if (this.#behind) return this.#ask(STATUS_EXPIRED)
    if (conf.purge !== undefined) {
      const asked = conf.purge.asks(r)
      if (asked !== 0) return asked === PURGES ? this.#purge(conf.purge) : asked
    }
    if ((r.methodBit & conf.methods) === 0) {
      if (trace !== undefined)
        trace.decided(r, undefined, `cache: not asked, since ${r.method} is not among its methods`)
      return this.#passMethod()
    }
    const cache = conf.find(r)
    if (cache === undefined || typeof cache === 'number') return cache ?? NEXT
    if (r.methodBit === HEAD && conf.convertHead) this.#exchange.methodAsked = 'GET'
    const key = conf.key(r, this.#exchange)
    if (FILE_START + key.length + HEAD_ROOM > conf.bufferSize) return this.#keyTooLong(key)
    this.#cache = cache
    this.key = key
    this.cacheable = true
    if (trace !== undefined) trace.decided(r, undefined, `cache: the key is "${key}"`)
    if (anyTrue(r, conf.bypass)) {
      if (trace !== undefined) trace.decided(r, undefined, `cache: bypassed by ${conf.prefix}_bypass`)
      this.status = STATUS_BYPASS
      this.#use = cache.use(key, this, r)
      return NEXT
    }
    if (conf.rfc9111) this.#demands = demandsOf(r.headers)
    const known = this.#demands === undefined ? cache.recall(key, this) : undefined
    if (known !== undefined && known.validSec >= clock.seconds) {
      this.status = STATUS_HIT
      const verdict = this.#serve(known, false)
      if (verdict !== NEXT) return verdict
    }
    this.#use = cache.use(key, this, r)
    return this.#open()
  }

  /** A method that the cache has nothing to do with, unless its success makes what is stored invalid. */
  #passMethod(): Verdict {
    if (this.#conf.rfc9111 && isUnsafe(this.#r)) {
      const cache = this.#conf.find(this.#r)
      if (typeof cache === 'object') this.#invalidates = cache
    }
    return NEXT
  }

  #purge(purgeConf: PurgeConf): Verdict {
    const r = this.#r
    const cache = this.#conf.find(r)
    if (cache === undefined || typeof cache === 'number') return cache ?? NEXT
    const key = asGet(r, () => this.#conf.key(r, this.#exchange))
    if (trace !== undefined) {
      trace.decided(r, undefined, `cache: what is stored under the key "${key}" would be removed`)
      return NO_CONTENT
    }
    return purge(r, cache, key, purgeConf)
  }

  #keyTooLong(key: string): Verdict {
    const { prefix, bufferSize } = this.#conf
    const needed = Math.ceil((FILE_START + key.length + HEAD_ROOM) / ROUNDED) * ROUNDED
    const why = `${bufferSize} is not enough for cache key, it should be increased to at least ${needed}`
    this.#r.logError(ERROR, `${prefix}_buffer_size ${why}`)
    return NEXT
  }

  #open(): Verdict {
    const conf = this.#conf
    const use = this.#use!
    for (;;) {
      switch (use.open(conf.open)) {
        case CACHE_HIT:
          return this.#refuses(use.object!) ? this.#ask(STATUS_EXPIRED) : this.#serveFound(STATUS_HIT)
        case CACHE_STALE:
          if (this.#takesStale(use.object!)) return this.#serveFound(STATUS_STALE)
          if (!conf.background || !this.#staleWhileUpdating(use)) return this.#ask(STATUS_EXPIRED)
          return this.#serveAndRenew(use)
        case CACHE_UPDATING:
          if (this.#takesStale(use.object!)) return this.#serveFound(STATUS_STALE)
          if (this.#staleWhileUpdating(use)) return this.#serveFound(STATUS_UPDATING)
          if (!conf.open.lock) return this.#ask(STATUS_EXPIRED)
          break
        case CACHE_BUSY:
          break
        case CACHE_SCARCE:
          this.cacheable = false
          return this.#ask(STATUS_MISS)
        case CACHE_ERROR:
          this.status = STATUS_HIT
          return use.error
        default:
          return this.#ask(STATUS_MISS)
      }
      this.#collapsed = true
      if (use.wait(this)) return WAIT
      if (use.timedOut) return this.#askAlone()
    }
  }

  /** The response is expired, and may be used while it is renewed. */
  #staleWhileUpdating(use: CacheUse): boolean {
    return this.#conf.staleUpdating || use.staleUpdating
  }

  /** The client wants something fresher than this. */
  #refuses(object: CachedObject): boolean {
    const demands = this.#demands
    if (demands === undefined || object.growing !== undefined) return false
    const head = this.#exchange.peekStored(object.head)
    return head !== undefined && !meets(demands, object, head.headers, clock.seconds)
  }

  /** The client is content with a response that has expired. */
  #takesStale(object: CachedObject): boolean {
    const demands = this.#demands
    if (demands === undefined || demands.noCache || demands.maxStale < clock.seconds - object.validSec) return false
    return this.#mayBeStale(object)
  }

  #mayBeStale(object: CachedObject): boolean {
    if (!this.#conf.rfc9111) return true
    const head = this.#exchange.peekStored(object.head)
    return head !== undefined && !forbidsStale(head.headers)
  }

  /** Waiting took too long: the answer is this request's alone. */
  #askAlone(): Verdict {
    this.cacheable = false
    return this.#ask(this.#use!.object === undefined ? STATUS_MISS : STATUS_EXPIRED)
  }

  #ask(status: number): Verdict {
    this.status = status
    if (this.cacheable && this.#rangeTooFar()) this.cacheable = false
    const { revalidate, rfc9111 } = this.#conf
    this.#conditional = this.cacheable && status === STATUS_EXPIRED && (revalidate || rfc9111)
    return this.#demands?.onlyIfCached === true ? GATEWAY_TIMEOUT : NEXT
  }

  /** ngx_http_upstream_cache_check_range. */
  #rangeTooFar(): boolean {
    const max = this.#conf.rangeOffsetMax
    if (max === Number.POSITIVE_INFINITY) return false
    const range = this.#r.headers.valueOf(RANGE, 'range')
    if (range === undefined) return false
    if (max === 0) return true
    const [, last, offset] = /^bytes= *(?:(-)|(\d*))/i.exec(range) ?? []
    if (last !== undefined) return true
    return offset !== undefined && offset !== '' && Number(offset) >= max
  }

  onCacheWake(reason: number): void {
    this.#wakeReason = reason
    this.#r.resumeBy(goOn)
  }

  /** After a wait: looks again, asks, or follows who fetches. */
  goOn(): Verdict {
    const reason = this.#wakeReason
    let verdict: Verdict
    if (reason === WAKE_TIMEOUT) verdict = this.#askAlone()
    else if (reason === WAKE_GROWING && this.#use!.follow() === CACHE_HIT) verdict = this.#serveFound(STATUS_HIT)
    else verdict = this.#open()
    return verdict === NEXT ? this.#exchange.fetch() : verdict
  }

  varyValue(name: string): string {
    const { headers } = this.#r
    const value = headers.joined(hashName(name), name, ',') ?? ''
    if (this.#conf.rfc9111) return sameForms(name, value)
    return normalizesVary(name) ? normalizeVary(value) : value
  }

  // ---- serving what is stored ----------------------------------------------------------------

  #serveFound(status: number): Verdict {
    this.status = status
    const verdict = this.#serve(this.#use!.object!, false)
    return verdict === NEXT ? this.#ask(STATUS_MISS) : verdict
  }

  /** Serves a stale response, and has a copy of the request renew it. */
  #serveAndRenew(use: CacheUse): Verdict {
    this.status = STATUS_STALE
    const object = use.takeObject()
    if (object === undefined) return 500
    if (renewBehind(this.#exchange, use, this.key)) this.#use = undefined
    const verdict = this.#serve(object, true)
    return verdict === NEXT ? 500 : verdict
  }

  /** This exchange renews a response for `use`, which another request has begun. */
  adopt(use: CacheUse, key: string): void {
    this.#use = use
    this.#cache = use.cache
    this.key = key
    this.cacheable = this.#behind = true
  }

  #serve(object: CachedObject, owned: boolean): Verdict {
    this.#object = object
    const verdict = serveObject(this.#r, this.#exchange, object, owned)
    if (verdict === NEXT) this.#object = undefined
    return verdict
  }

  /**
   * Decides whether the stored response answers in place of what a back end did: `kind` is how that has failed (failure.ts),
   * `status` what it said; 0: nothing. Then `answer` is due.
   */
  standsIn(kind: number, status: number): boolean {
    const object = this.#use?.object
    if (this.status !== STATUS_EXPIRED || object === undefined) return false
    if (status === NOT_MODIFIED && this.#conditional) {
      this.#renew(object)
      this.status = STATUS_REVALIDATED
      return true
    }
    const failed = status === 0 || (this.#conf.rfc9111 && status >= SERVER_ERROR)
    const excused = failed && this.#use!.staleError
    if (((this.#conf.stale & kind) === 0 && !excused) || !this.#mayBeStale(object)) return false
    this.status = STATUS_STALE
    return true
  }

  /** Serves the stored response after `standsIn`. */
  answer(): void {
    const r = this.#r
    this.cacheable = false
    if (r.ended) return this.settle()
    const verdict = this.#serve(this.#renewed ?? this.#use!.object!, false)
    if (verdict === NEXT) this.settle()
    r.finish(verdict === NEXT ? 500 : verdict)
  }

  /** No back end has answered: the stored response does, or (if so the time of that is remembered) `status`. */
  settleFor(kind: number, status: number): Verdict {
    if (this.standsIn(kind, 0)) {
      this.answer()
      return DONE
    }
    const seconds = this.cacheable && (status === 502 || status === 504) ? validSeconds(this.#conf, status) : 0
    if (seconds > 0) this.#use?.remember(status, clock.seconds + seconds)
    this.settle()
    return status
  }

  /** The back end says that nothing has changed: the times of its answer hold, or else those of the stored one. */
  #renew(object: CachedObject): void {
    if (this.#conf.rfc9111) return this.#renewWhole(object)
    const { validSec, updatingSec, errorSec } = this.#freshness
    if (validSec > 0) return this.#refresh(object, validSec, updatingSec, errorSec)
    if (!readStoredHead(this.#r, this.#exchange, object)) return
    this.#readFreshness()
    const until = this.#validUntil(this.#exchange.codec.status)
    if (until > 0) this.#refresh(object, until, this.#freshness.updatingSec, this.#freshness.errorSec)
  }

  /** The stored response takes over what 304 says, and is stored anew with the same body. */
  #renewWhole(object: CachedObject): void {
    const stored = this.#exchange.peekStored(object.head)
    if (stored === undefined) return
    const head = renewedHead(stored.headers, stored.statusText || `${stored.status} `, this.#exchange.codec.headers)
    if (this.#exchange.readStored(head) !== HEAD_DONE) return
    this.#readFreshness()
    const use = this.#use!
    const meta = this.#meta(this.#freshness.validSec || clock.seconds - 1)
    this.#renewed = withHead(object, meta, head)
    if (this.#freshness.cacheable) use.refreshHead(meta, head, this.#exchange.conf.tempPath)
  }

  #refresh(object: CachedObject, validSec: number, updatingSec: number, errorSec: number): void {
    const { lastModified, etag, vary } = object
    const times = { validSec, validMsec: 0, updatingSec, errorSec, date: clock.seconds }
    this.#use!.refresh({ ...times, lastModified, etag, vary, tags: NO_TAGS })
  }

  // ---- keeping what a back end answers -------------------------------------------------------

  /** The head is there: it may forbid to keep the response. */
  judge(): void {
    if (this.#invalidates !== undefined) this.#invalidate(this.#invalidates)
    if (!this.cacheable) return
    this.#readFreshness()
    this.cacheable = this.#freshness.cacheable
  }

  #invalidate(cache: Cache): void {
    const { status } = this.#exchange.codec
    if (status >= 200 && status < 400) invalidate(this.#r, cache, this.#conf, this.#exchange)
  }

  #readFreshness(): void {
    const { codec, conf } = this.#exchange
    const { headers: fields, status } = codec
    this.#freshness.begin()
    if (!this.#conf.rfc9111) return this.#freshness.read(fields, conf.ignore, clock.seconds)
    const validFor = validSeconds(this.#conf, status)
    readShared(this.#freshness, { status, fields, request: this.#r.headers, validSeconds: validFor }, clock.seconds)
  }

  /** The moment until which an answer of this status is good; 0: it is not kept. */
  #validUntil(status: number): number {
    const { validSec } = this.#freshness
    const seconds = validSec > 0 || this.#conf.rfc9111 ? 0 : validSeconds(this.#conf, status)
    return seconds > 0 ? clock.seconds + seconds : validSec
  }

  /**
   * The response is not passed on: something of ours answers, for a status (which is remembered) or for
   * X-Accel-Redirect (0).
   */
  intercepted(status: number): void {
    const until = this.cacheable && status > 0 ? this.#validUntil(status) : 0
    if (until > 0) this.#use?.remember(status, until)
    else this.#pass()
    this.settle()
  }

  /** The head was passed on: begins to keep the response when that may be. `head` is how it is to stand in the file. */
  keep(head: Buffer, length: number): void {
    const { codec, pump, conf } = this.#exchange
    if (this.#invalidates !== undefined) this.#keepForGet(this.#invalidates)
    const until = this.cacheable && pump.buffering ? this.#validUntil(codec.status) : 0
    if (trace !== undefined) {
      trace.decided(this.#r, undefined, `cache: ${this.#wouldKeep(until)}`)
      return this.#pass()
    }
    if (until === 0 || this.#r.mark(UNFIT) !== 0 || anyTrue(this.#r, this.#conf.noCache)) return this.#pass()
    // Nobody follows a body whose end nobody knows before the connection ends.
    this.storing = this.#use!.begin(this.#meta(until), head, length, conf.tempPath, !codec.endsWithConnection)
    if (!this.storing) this.#pass()
  }

  /** What would become of the response, for who asks why. */
  #wouldKeep(until: number): string {
    const { codec, pump } = this.#exchange
    const { prefix } = this.#conf
    if (!pump.buffering) return `not stored, since ${prefix}_buffering is off`
    if (!this.cacheable) return `not stored: ${forbidding(codec.headers, this.#exchange.conf.ignore)}`
    if (until === 0)
      return `not stored, since neither the response nor ${prefix}_cache_valid says for how long ${codec.status} is good`
    if (anyTrue(this.#r, this.#conf.noCache)) return `not stored because of ${prefix}_no_cache`
    return `stored for ${until - clock.seconds} s`
  }

  /** What POST answers may be what GET would (RFC 9110, section 9.3.3): it says so, and how long it is good. */
  #keepForGet(cache: Cache): void {
    const r = this.#r
    const exchange = this.#exchange
    if (r.methodBit !== POST || !answersGet(r, exchange)) return
    this.#readFreshness()
    this.key = asGet(r, () => this.#conf.key(r, exchange))
    this.cacheable = this.#freshness.cacheable
    this.#use = cache.use(this.key, this, r)
  }

  #meta(validSec: number): StoreMeta {
    const { headers, status } = this.#exchange.codec
    const { updatingSec, errorSec, vary } = this.#freshness
    const described = status === 200 || status === 206
    const modified = described ? headers.valueOf(LAST_MODIFIED, 'last-modified') : undefined
    const lastModified = modified === undefined ? -1 : parseHttpDate(modified)
    const etag = described ? (headers.valueOf(ETAG, 'etag') ?? '') : ''
    const tags = tagsOf(headers)
    return { validSec, validMsec: 0, updatingSec, errorSec, lastModified, date: clock.seconds, etag, vary, tags }
  }

  /** The response is not kept: nobody needs to wait for it. */
  #pass(): void {
    this.cacheable = false
    const use = this.#use
    if (use?.updating === true) use.uncacheable(PASS_SECONDS)
  }

  /** Bytes of the body that is kept; false: they are not, from now on. */
  append(bytes: Uint8Array, start: number, end: number): boolean {
    this.storing = this.#use!.append(bytes, start, end)
    return this.storing
  }

  written(): KeptBody | undefined {
    return this.#use?.written()
  }

  /** The body is whole. The request may be over when this returns. */
  complete(): void {
    this.storing = false
    this.#stored = this.#use!.complete()
    this.#unhold()
  }

  /** Nothing more comes: what was begun is dropped. The request may be over when this returns. */
  settle(): void {
    if (this.storing) this.#use!.discard()
    this.storing = false
    this.#letGo()
  }

  #letGo(): void {
    const use = this.#use
    this.#use = undefined
    use?.release()
    this.#unhold()
  }

  // ---- the request's own life ----------------------------------------------------------------

  /** The client has left, or has what it wants: true when the request goes on for the sake of the cache. */
  outlast(): boolean {
    const r = this.#r
    const { main } = r
    // Before the head is there nobody knows whether the response may be kept. A main request that is over is held by copies.
    if (!this.cacheable || this.#holding || (main.ended && main.background === 0)) return false
    this.#holding = true
    r.copyBegun()
    if (main !== r) main.copyBegun()
    return true
  }

  #unhold(): void {
    if (!this.#holding) return
    this.#holding = false
    const r = this.#r
    const { main } = r
    // The subrequest is over before its main request.
    r.copyEnded()
    if (main !== r) main.copyEnded()
  }

  /** The head for the client is made: says what the cache did. */
  tell(): void {
    const conf = this.#conf
    if (!conf.rfc9111) return
    const r = this.#r
    const object = this.#object
    if (object !== undefined) dress(r, this.#exchange, object, clock.seconds)
    r.out.add('Cache-Status', this.#statusField(object))
  }

  #statusField(object: CachedObject | undefined): string {
    const { status } = this.#exchange.codec
    const collapsed = this.#collapsed ? '; collapsed' : ''
    if (object !== undefined && this.status !== STATUS_REVALIDATED) {
      return `viaduct; hit; ttl=${object.validSec - clock.seconds}${collapsed}`
    }
    const stored = this.cacheable && this.#exchange.pump.buffering && this.#validUntil(status) > 0
    const revalidated = this.status === STATUS_REVALIDATED ? '; fwd-status=304' : ''
    return `viaduct; fwd=${this.#forwardedFor()}${revalidated}${stored ? '; stored' : ''}${collapsed}`
  }

  #forwardedFor(): string {
    if (this.status === 0) return 'method'
    if (this.status === STATUS_BYPASS) return 'bypass'
    if (this.status === STATUS_MISS) return this.#use?.varyMiss === true ? 'vary-miss' : 'uri-miss'
    return (this.#use?.object?.validSec ?? 0) >= clock.seconds ? 'request' : 'stale'
  }

  // ---- variables -----------------------------------------------------------------------------

  /** `$upstream_cache_status`. */
  get statusText(): string | undefined {
    return STATUS_NAMES[this.status]
  }

  /** What revalidation asks with; -1 when it does not. */
  get lastModified(): number {
    return this.#revalidating() ? this.#use!.object!.lastModified : -1
  }

  get etag(): string {
    return this.#revalidating() ? this.#use!.object!.etag : ''
  }

  #revalidating(): boolean {
    return this.#conditional && this.status === STATUS_EXPIRED && this.#use?.object !== undefined
  }

  /** Seconds since the served response was stored or renewed; -1: none is served. */
  get age(): number {
    const object = this.#object
    return object === undefined ? -1 : Math.max(0, clock.seconds - object.date)
  }
}

/** Continues the look-up of a request that has waited. */
function goOn(r: Request): Verdict {
  const caching = r.conversation?.caching
  return caching instanceof Caching ? caching.goOn() : 500
}

function anyTrue(r: Request, values: readonly Text[]): boolean {
  for (let i = 0; i < values.length; i++) if (isTrue(values[i]!(r))) return true
  return false
}
