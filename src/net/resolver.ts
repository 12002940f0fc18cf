/**
 * Names that are looked up while serving (ngx_resolver.c): one lookup for all who ask at once, answers remembered as
 * long as they are valid, failures not at all. A name has its IPv4 and its IPv6 half, each with a question of its own;
 * an alias without addresses is an entry that leads to another one.
 *
 *     resolve(name) -> entry -> Lookup (queries) -> answers -> entry -> waiters, in a tick of their own
 */
import { clock } from '../lib/clock.ts'
import { parseIp } from '../lib/ip.ts'
import { ERROR, type ErrorLog } from '../log/error-log.ts'
import type { NameServer } from './dns-channel.ts'
import { codeText, Lookup, type LookupOwner, NAME_ERROR, NO_RECORDS, Question, TIMED_OUT } from './dns-lookup.ts'
import { type DnsRecord, type DnsResponse, findingsOf, TYPE_A, TYPE_AAAA, TYPE_SRV } from './dns-message.ts'
import { ServiceCall, type ServiceWaiter } from './dns-service.ts'
import { beginEvent, flushWires } from './flush.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from './timer-wheel.ts'

/** `resolver address ... [valid=time] [ipv4=off] [ipv6=off]`. */
export interface ResolverOptions {
  readonly servers: readonly NameServer[]
  /** How long answers are good; 0 or less: as long as they say. */
  readonly validMs: number
  readonly ipv4: boolean
  readonly ipv6: boolean
}

/** Hears what became of a name, once. */
export interface NameWaiter {
  /**
   * `error` is nginx's text (`3: Host not found`) and `code` its number when there are no addresses; `untilMs`
   * (monotonic) is when it is worth asking again.
   */
  onResolved(addresses: readonly string[], error: string, untilMs: number, code: number): void
}

const SERVER_FAILURE = 2
const ENTRIES_MAX = 4096
/** Names under way at once; who asks for more is told that the server failed. */
const LOOKUPS_MAX = 1024
/** NGX_RESOLVER_MAX_RECURSION. */
const ALIASES_MAX = 50
const ADDRESSES_MAX = 256
const FAILED_VALID_MS = 10_000
const NONE: readonly never[] = []

/** One who asked, until told. */
class Waiting implements TimerOwner {
  readonly resolver: Resolver
  readonly waiter: NameWaiter | undefined
  readonly service: ServiceWaiter | undefined
  readonly timer = new Timer(this)
  aliases = 0
  entry: Entry | undefined
  addresses: readonly string[] = NONE
  code = 0
  untilMs = 0

  constructor(resolver: Resolver, waiter: NameWaiter | undefined, service: ServiceWaiter | undefined) {
    this.resolver = resolver
    this.waiter = waiter
    this.service = service
  }

  onTimeout(): void {
    this.resolver.timedOut(this)
  }
}

/** What is known about a name, or being asked. */
class Entry implements LookupOwner {
  readonly resolver: Resolver
  readonly name: string
  readonly isService: boolean
  ipv4: readonly string[] = NONE
  ipv6: readonly string[] = NONE
  targets: readonly DnsRecord[] = NONE
  /** Set instead of the others: the name is only another one's alias. */
  cname = ''
  validUntilMs = 0
  waiting: Waiting[] = []
  questions: readonly Question[] = NONE
  lookup: Lookup | undefined
  #code = 0
  #ttlS = 0

  constructor(resolver: Resolver, name: string, isService: boolean) {
    this.resolver = resolver
    this.name = name
    this.isService = isService
  }

  /** Forgets what it knew: new questions are asked. */
  reset(questions: readonly Question[]): void {
    this.questions = questions
    this.ipv4 = this.ipv6 = this.targets = NONE
    this.cname = ''
    this.#code = 0
    this.#ttlS = Number.MAX_SAFE_INTEGER
  }

  get known(): boolean {
    return this.lookup === undefined && this.validUntilMs > clock.monotonic
  }

  onResend(): boolean {
    if (this.waiting.length > 0) return true
    this.resolver.forget(this)
    return false
  }

  /** One half has its answer. A failure of either half fails the name, an empty half does not (as in nginx). */
  onAnswer(question: Question, response: DnsResponse): void {
    const code = response.code === 0 ? this.#code : response.code
    if (code === 0 && response.records.length > 0) {
      if (!this.#learn(question, response)) return
    } else {
      question.answered = true
      this.#code = code
      this.cname = ''
    }
    if (this.questions.some(({ answered }) => !answered)) return
    if (this.#code !== 0) this.resolver.failed(this, this.#code)
    else if (this.#found() || this.cname !== '') this.resolver.answered(this, this.#ttlS)
    else this.resolver.failed(this, NO_RECORDS)
  }

  #found(): boolean {
    return this.ipv4.length + this.ipv6.length + this.targets.length > 0
  }

  /** Takes what may be believed; false when that is nothing, so that the question stays open. */
  #learn(question: Question, response: DnsResponse): boolean {
    const { records, cname, ttlS, strangeType } = findingsOf(response)
    const { log } = this.resolver
    if (strangeType !== 0) log.write(ERROR, `unexpected RR type ${strangeType} in DNS response`)
    if (records.length === 0 && cname === '') {
      log.write(ERROR, `no ${this.isService ? 'SRV type' : 'A or CNAME types'} in DNS response`)
      return false
    }
    question.answered = true
    this.#ttlS = Math.min(this.#ttlS, ttlS)
    const used = records.slice(0, ADDRESSES_MAX)
    if (question.type === TYPE_SRV) this.targets = used.toSorted((a, b) => a.priority - b.priority)
    else if (question.type === TYPE_A) this.ipv4 = used.map(({ address }) => address)
    else this.ipv6 = used.map(({ address }) => address)
    this.cname = this.#found() ? '' : cname
    return true
  }
}

/** Counts what is asked of name servers, and what comes of it. */
export interface LookupCounts {
  onLookup(isService: boolean): void
  /** `code` is 0, one of DNS, or one of ours. */
  onOutcome(code: number): void
}

/** One `resolver` directive with its memory. */
export class Resolver {
  readonly log: ErrorLog
  counts: LookupCounts | undefined
  readonly #options: ResolverOptions
  readonly #timeoutMs: number
  readonly #names = new Map<string, Entry>()
  readonly #services = new Map<string, Entry>()
  #ready: Waiting[] = []
  #nextServer = 0
  #lookups = 0
  #waiting = 0
  #closed = false

  constructor(options: ResolverOptions, timeoutMs: number, log: ErrorLog) {
    this.#options = options
    this.#timeoutMs = timeoutMs
    this.log = log
  }

  /** The addresses of a name that is known and still good, beginning with any of them. */
  known(text: string): readonly string[] | undefined {
    if (parseIp(text) !== undefined) return [text]
    let entry = this.#names.get(normal(text))
    for (let i = 0; i < ALIASES_MAX && entry?.known === true; i++) {
      if (entry.cname === '') return rotated(entry)
      entry = this.#names.get(entry.cname)
    }
    return undefined
  }

  /** Looks a name up; the waiter is called in a later tick, exactly once. */
  resolve(text: string, waiter: NameWaiter): void {
    const waiting = new Waiting(this, waiter, undefined)
    this.#waiting++
    if (parseIp(text) !== undefined) this.#finish(waiting, 0, [text], Number.MAX_SAFE_INTEGER)
    else this.#ask(waiting, normal(text))
  }

  /** Looks up the servers of a service: `http`, or with dots `_http._tcp`. The waiter is called later, exactly once. */
  resolveService(service: string, text: string, waiter: ServiceWaiter): void {
    const waiting = new Waiting(this, undefined, waiter)
    this.#waiting++
    this.#ask(waiting, normal(service.includes('.') ? `${service}.${text}` : `_${service}._tcp.${text}`))
  }

  #ask(waiting: Waiting, name: string): void {
    const entry = this.#entryOf(name, waiting.service !== undefined)
    if (entry === undefined) {
      this.#finish(waiting, SERVER_FAILURE, NONE, this.#failedUntil())
      return
    }
    if (entry.known) {
      this.#settle(waiting, entry)
      return
    }
    const isDeserted = entry.waiting.length === 0
    waiting.entry = entry
    entry.waiting.push(waiting)
    if (!waiting.timer.active && this.#timeoutMs > 0) setTimer(waiting.timer, this.#timeoutMs)
    if (entry.lookup === undefined) this.#begin(entry)
    // All who asked before have given up: the query, or its answer, is lost.
    else if (isDeserted) entry.lookup.again()
  }

  #entryOf(name: string, isService: boolean): Entry | undefined {
    const map = isService ? this.#services : this.#names
    const before = map.get(name)
    if (before !== undefined && (before.known || before.lookup !== undefined)) return before
    if (this.#lookups >= LOOKUPS_MAX) return undefined
    if (before === undefined && map.size >= ENTRIES_MAX) forgetOne(map)
    const entry = before ?? new Entry(this, name, isService)
    // The order of a map is the age of its entries.
    map.delete(name)
    map.set(name, entry)
    return entry
  }

  #begin(entry: Entry): void {
    const { ipv4, ipv6, servers } = this.#options
    const types = entry.isService ? [TYPE_SRV] : ipv4 && ipv6 ? [TYPE_A, TYPE_AAAA] : [ipv4 ? TYPE_A : TYPE_AAAA]
    entry.reset(types.map((type) => new Question(entry.name, type)))
    if (entry.questions.some(({ query }) => query === undefined)) {
      this.failed(entry, NAME_ERROR)
      return
    }
    this.#lookups++
    this.counts?.onLookup(entry.isService)
    entry.lookup = new Lookup(entry.questions, servers, this.#nextServer, entry, this.log)
    this.#nextServer = (this.#nextServer + 1) % servers.length
  }

  #end(entry: Entry): readonly Waiting[] {
    const { waiting, lookup } = entry
    entry.waiting = []
    if (lookup !== undefined) {
      entry.lookup = undefined
      lookup.close()
      this.#lookups--
    }
    return waiting
  }

  /** An entry has all its answers. */
  answered(entry: Entry, ttlS: number): void {
    const { validMs } = this.#options
    this.counts?.onOutcome(0)
    entry.validUntilMs = clock.monotonic + (validMs > 0 ? validMs : ttlS * 1000)
    for (const waiting of this.#end(entry)) this.#settle(waiting, entry)
  }

  /** An entry cannot be had; it is asked for anew next time. */
  failed(entry: Entry, code: number): void {
    if (entry.lookup !== undefined) this.counts?.onOutcome(code)
    const waiting = this.#end(entry)
    this.forget(entry)
    for (const one of waiting) this.#finish(one, code, NONE, this.#failedUntil())
  }

  /** Nobody waits for an entry any more. */
  forget(entry: Entry): void {
    this.#end(entry)
    const map = entry.isService ? this.#services : this.#names
    if (map.get(entry.name) === entry) map.delete(entry.name)
  }

  timedOut(waiting: Waiting): void {
    const { entry } = waiting
    if (entry === undefined) return
    entry.waiting = entry.waiting.filter((other) => other !== waiting)
    if (entry.waiting.length === 0) this.counts?.onOutcome(TIMED_OUT)
    this.#finish(waiting, TIMED_OUT, NONE, this.#failedUntil())
  }

  #failedUntil(): number {
    const { validMs } = this.#options
    return clock.monotonic + (validMs > 0 ? validMs : FAILED_VALID_MS)
  }

  /** Passes on what an entry says: addresses, targets to look up, or the name to go on with. */
  #settle(waiting: Waiting, entry: Entry): void {
    waiting.entry = undefined
    if (entry.cname !== '') {
      if (waiting.aliases++ < ALIASES_MAX) this.#ask(waiting, normal(entry.cname))
      else this.#finish(waiting, NAME_ERROR, NONE, this.#failedUntil())
    } else if (waiting.service !== undefined) {
      cancelTimer(waiting.timer)
      new ServiceCall(entry.targets, entry.validUntilMs, this.#failedUntil(), waiting.service).start(this)
      this.#told()
    } else this.#finish(waiting, 0, [...entry.ipv4, ...entry.ipv6], entry.validUntilMs)
  }

  #finish(waiting: Waiting, code: number, addresses: readonly string[], untilMs: number): void {
    cancelTimer(waiting.timer)
    waiting.entry = undefined
    waiting.code = code
    waiting.addresses = addresses
    waiting.untilMs = untilMs
    if (this.#ready.push(waiting) === 1) process.nextTick(() => this.#tell())
  }

  #tell(): void {
    clock.update()
    beginEvent()
    const ready = this.#ready
    this.#ready = []
    for (const { waiter, service, addresses, code, untilMs } of ready) {
      waiter?.onResolved(addresses, code === 0 ? '' : codeText(code), untilMs, code)
      service?.onService(NONE, code, untilMs)
      this.#told()
    }
    flushWires()
  }

  #told(): void {
    this.#waiting--
    if (this.#closed && this.#waiting === 0) this.close()
  }

  /** Ends: those who still wait are served, and when there are none the sockets close. */
  close(): void {
    this.#closed = true
    if (this.#waiting > 0) return
    for (const entry of [...this.#names.values(), ...this.#services.values()]) this.forget(entry)
  }
}

function normal(text: string): string {
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  return name.toLowerCase()
}

function forgetOne(map: Map<string, Entry>): void {
  for (const [name, entry] of map) {
    if (entry.lookup !== undefined) continue
    map.delete(name)
    return
  }
}

/** All addresses, each family beginning anywhere, and the whole too (ngx_resolver_export). */
function rotated({ ipv4, ipv6 }: Entry): readonly string[] {
  if (ipv4.length + ipv6.length === 1) return ipv4.length === 1 ? ipv4 : ipv6
  return turned([...turned(ipv4), ...turned(ipv6)])
}

function turned(list: readonly string[]): readonly string[] {
  const start = Math.floor(Math.random() * list.length)
  return start === 0 ? list : [...list.slice(start), ...list.slice(0, start)]
}
