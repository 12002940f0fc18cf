/**
 * The second half of looking up a service (RFC 2782): each server that the SRV records name is looked up, and when the
 * last one is known the whole is told.
 */
import { NAME_ERROR, NO_RECORDS } from './dns-lookup.ts'
import type { DnsRecord } from './dns-message.ts'

/** One server of a service. */
export interface ServiceTarget {
  readonly name: string
  readonly port: number
  /** The lowest number is asked first. */
  readonly priority: number
  readonly weight: number
  readonly addresses: readonly string[]
  /** Why there are no addresses, or 0. */
  readonly code: number
}

/** Hears what became of a service, once. */
export interface ServiceWaiter {
  /** Targets stand in the order of their priority; `code` is not 0 when none of them has an address. */
  onService(targets: readonly ServiceTarget[], code: number, untilMs: number): void
}

/** What looks up the names of targets: the resolver. */
interface NameSource {
  resolve(name: string, waiter: TargetCall): void
}

/** One question for a service, from its SRV records on. */
export class ServiceCall {
  readonly #waiter: ServiceWaiter
  readonly #calls: readonly TargetCall[]
  readonly #failedUntilMs: number
  #untilMs: number
  #left: number

  constructor(records: readonly DnsRecord[], untilMs: number, failedUntilMs: number, waiter: ServiceWaiter) {
    this.#waiter = waiter
    this.#calls = records.map((record) => new TargetCall(record, this))
    this.#untilMs = untilMs
    this.#failedUntilMs = failedUntilMs
    this.#left = records.length
  }

  start(source: NameSource): void {
    for (const call of this.#calls) source.resolve(call.record.target, call)
  }

  /** One target is known, or will not be. */
  targetDone(code: number, untilMs: number): void {
    if (code === 0) this.#untilMs = Math.min(this.#untilMs, untilMs)
    if (--this.#left > 0) return
    const targets = inTurn(this.#calls.map((call) => call.target))
    if (targets.some(({ addresses }) => addresses.length > 0)) {
      this.#waiter.onService(targets, 0, this.#untilMs)
      return
    }
    const missing = targets.find(({ code }) => code === NO_RECORDS) ?? targets.find(({ code }) => code === NAME_ERROR)
    this.#waiter.onService(targets, (missing ?? targets[0])?.code ?? NO_RECORDS, this.#failedUntilMs)
  }
}

class TargetCall {
  readonly record: DnsRecord
  readonly #call: ServiceCall
  #addresses: readonly string[] = []
  #code = 0

  constructor(record: DnsRecord, call: ServiceCall) {
    this.record = record
    this.#call = call
  }

  get target(): ServiceTarget {
    const { target, port, priority, weight } = this.record
    // Weight 0 means "hardly ever"; nginx makes it 1.
    return { name: target, port, priority, weight: weight || 1, addresses: this.#addresses, code: this.#code }
  }

  onResolved(addresses: readonly string[], _error: string, untilMs: number, code: number): void {
    this.#addresses = addresses
    this.#code = code
    this.#call.targetDone(code, untilMs)
  }
}

/** Targets of equal priority begin with any of them, by weight, so that many proxies do not all begin with the same. */
function inTurn(targets: readonly ServiceTarget[]): readonly ServiceTarget[] {
  let result: ServiceTarget[] = []
  for (let start = 0; start < targets.length; ) {
    let end = start
    while (end < targets.length && targets[end]!.priority === targets[start]!.priority) end++
    const equals = targets.slice(start, end)
    const first = byWeight(equals)
    result = result.concat(equals.slice(first), equals.slice(0, first))
    start = end
  }
  return result
}

function byWeight(targets: readonly ServiceTarget[]): number {
  const share = ({ weight, addresses }: ServiceTarget): number => weight * addresses.length
  let left = Math.random() * targets.reduce((sum, target) => sum + share(target), 0)
  for (let i = 0; i < targets.length; i++) {
    left -= share(targets[i]!)
    if (left < 0) return i
  }
  return 0
}
