/**
 * Names that are looked up while serving. Queries are made by Node's resolver (c-ares: random ids and ports, answers
 * checked against questions); what is kept here is nginx's part: one query for all who ask at once, answers remembered
 * as long as they are valid, a time-out of its own.
 */
import { Resolver as DnsResolver } from 'node:dns'
import { clock } from '../lib/clock.ts'
import { parseIp } from '../lib/ip.ts'
import { beginEvent, flushWires } from './flush.ts'

/** `resolver address ... [valid=time] [ipv4=off] [ipv6=off]`. */
export interface ResolverOptions {
  /** `host:port` of the servers. */
  readonly servers: readonly string[]
  /** How long answers are good, or -1: as long as they say. */
  readonly validMs: number
  readonly ipv4: boolean
  readonly ipv6: boolean
}

/** Hears what became of a name; `error` is nginx's text (`3: Host not found`) when there are no addresses. */
export interface NameWaiter {
  onResolved(addresses: readonly string[], error: string): void
}

interface Entry {
  addresses: readonly string[]
  validUntilMs: number
  /** Those who wait for the query under way. */
  waiters: NameWaiter[] | undefined
}

/** c-ares codes as nginx numbers and names them. */
const ERRORS: Readonly<Record<string, string>> = {
  EFORMERR: '1: Format error',
  ESERVFAIL: '2: Server failure',
  ENOTFOUND: '3: Host not found',
  ENODATA: '3: Host not found',
  ENOTIMP: '4: Unimplemented',
  EREFUSED: '5: Operation refused',
  ETIMEOUT: '110: Operation timed out',
  ECANCELLED: '110: Operation timed out',
}
const NAMES_MAX = 4096
const TRIES = 3
const FAILED_VALID_MS = 0

/** One `resolver` directive with its memory. */
export class Resolver {
  readonly #options: ResolverOptions
  readonly #timeoutMs: number
  readonly #names = new Map<string, Entry>()
  #dns: DnsResolver | undefined

  constructor(options: ResolverOptions, timeoutMs: number) {
    this.#options = options
    this.#timeoutMs = timeoutMs
  }

  /** The addresses of a name that is known and still good. */
  known(name: string): readonly string[] | undefined {
    if (parseIp(name) !== undefined) return [name]
    const entry = this.#names.get(name.toLowerCase())
    if (entry === undefined || entry.validUntilMs <= clock.monotonic || entry.addresses.length === 0) return undefined
    return entry.addresses
  }

  /** Looks a name up; the waiter is called later, exactly once. */
  resolve(text: string, waiter: NameWaiter): void {
    const name = text.toLowerCase()
    let entry = this.#names.get(name)
    if (entry === undefined) {
      this.#forgetOldest()
      entry = { addresses: [], validUntilMs: 0, waiters: undefined }
      this.#names.set(name, entry)
    }
    if (entry.waiters !== undefined) {
      entry.waiters.push(waiter)
      return
    }
    entry.waiters = [waiter]
    this.#query(name, entry)
  }

  #forgetOldest(): void {
    if (this.#names.size < NAMES_MAX) return
    for (const [name, entry] of this.#names) {
      if (entry.waiters !== undefined) continue
      this.#names.delete(name)
      return
    }
  }

  #query(name: string, entry: Entry): void {
    const { ipv4, ipv6 } = this.#options
    const dns = this.#client()
    const found: string[] = []
    let ttl = Number.POSITIVE_INFINITY
    let error = ''
    let left = (ipv4 ? 1 : 0) + (ipv6 ? 1 : 0)
    const timer = setTimeout(() => finish('ETIMEOUT'), this.#timeoutMs)
    const finish = (failure: string): void => {
      if (left < 0) return
      left = -1
      clearTimeout(timer)
      this.#answered(entry, found, ttl, failure)
    }
    const answer = (
      failed: NodeJS.ErrnoException | null,
      records?: readonly { address: string; ttl: number }[],
    ): void => {
      for (const record of records ?? []) {
        found.push(record.address)
        ttl = Math.min(ttl, record.ttl)
      }
      if (failed !== null && (error === '' || error === 'ENODATA')) error = failed.code ?? 'ESERVFAIL'
      if (--left === 0) finish(found.length > 0 ? '' : error)
    }
    if (ipv4) dns.resolve4(name, { ttl: true }, answer)
    if (ipv6) dns.resolve6(name, { ttl: true }, answer)
  }

  #answered(entry: Entry, addresses: readonly string[], ttlS: number, failure: string): void {
    clock.update()
    beginEvent()
    const waiters = entry.waiters ?? []
    entry.waiters = undefined
    if (failure === '') {
      entry.addresses = addresses
      const { validMs } = this.#options
      entry.validUntilMs = clock.monotonic + (validMs >= 0 ? validMs : ttlS * 1000)
    } else entry.validUntilMs = clock.monotonic + FAILED_VALID_MS
    const error = failure === '' ? '' : (ERRORS[failure] ?? '2: Server failure')
    for (const waiter of waiters) waiter.onResolved(failure === '' ? addresses : [], error)
    flushWires()
  }

  #client(): DnsResolver {
    if (this.#dns === undefined) {
      const tries = TRIES
      this.#dns = new DnsResolver({ timeout: Math.max(1000, Math.floor(this.#timeoutMs / tries)), tries })
      this.#dns.setServers([...this.#options.servers])
    }
    return this.#dns
  }

  /** Ends queries under way: those who wait are told that time ran out. */
  close(): void {
    this.#dns?.cancel()
  }
}
