/**
 * One server of an upstream group: its address, its limits, and its state. The state is a row of numbers in a buffer, so
 * that it can be private to a worker or shared by all of them through the same class (peer-row.ts).
 */
import { hash } from 'node:crypto'
import { bytesOf } from '../lib/bytes.ts'
import { clock } from '../lib/clock.ts'
import { letGo, NOT_NOTED, noteHolding } from '../shared/holdings.ts'
import type { GroupState } from './group-state.ts'
import type { PeerCounts } from './peer-counts.ts'
import {
  ACCESSED,
  CHANGES,
  CHECKED,
  CHECKS,
  CHECKS_FAILED,
  CONNS,
  CURRENT,
  EFFECTIVE,
  FAILS,
  FALLS,
  HEADER_MS,
  HEALTH,
  HEALTHY,
  INFLIGHT,
  INFLIGHT_AT,
  INFLIGHT_MS,
  INFLIGHT_SUM,
  LAST_PASSED,
  type PeerAddress,
  type PeerOptions,
  RESPONSE_MS,
  RISES,
  UNHEALTHY_COUNT,
  WARM_SINCE,
} from './peer-row.ts'

/** One server address; its numbers are read from and written to its row. */
export class Peer {
  readonly address: PeerAddress
  readonly options: PeerOptions
  /** The host as it was written, for `$upstream_last_server_name`. */
  readonly server: string
  /** Name of the group that it is in. */
  group = ''
  /** What is counted of it, where somebody may ask. */
  counts: PeerCounts | undefined
  #sid = ''
  /** The numbers of all peers of the state; number `field` of this one stands at `field * stride + row`. */
  readonly cells: Int32Array
  readonly row: number
  readonly stride: number
  /** Where others count with us: the zone, and the word of `conns`. */
  readonly #zoneId: number
  readonly #connsAt: number

  /** Uses row `index` of `state`. */
  constructor(address: PeerAddress, options: PeerOptions, server: string, state: GroupState, index: number) {
    this.address = address
    this.options = options
    this.server = server
    this.cells = state.cells
    this.row = index
    this.stride = state.stride
    this.#zoneId = state.shared?.zoneId ?? 0
    this.#connsAt = (state.shared?.at ?? 0) + CONNS * state.stride + index
    if (state.fresh) this.effectiveWeight = options.weight
  }

  #change(field: number, value: number): void {
    const { cells, stride } = this
    const at = field * stride + this.row
    if (cells[at] === value) return
    cells[at] = value
    Atomics.add(cells, CHANGES * stride, 1)
  }

  get conns(): number {
    return this.cells[CONNS * this.stride + this.row]!
  }
  set conns(value: number) {
    this.cells[CONNS * this.stride + this.row] = value
  }
  get fails(): number {
    return this.cells[FAILS * this.stride + this.row]!
  }
  set fails(value: number) {
    this.#change(FAILS, value)
  }
  get effectiveWeight(): number {
    return this.cells[EFFECTIVE * this.stride + this.row]!
  }
  set effectiveWeight(value: number) {
    this.#change(EFFECTIVE, value)
  }
  get currentWeight(): number {
    return this.cells[CURRENT * this.stride + this.row]!
  }
  set currentWeight(value: number) {
    this.cells[CURRENT * this.stride + this.row] = value
  }
  get checked(): number {
    return this.cells[CHECKED * this.stride + this.row]!
  }
  set checked(value: number) {
    this.cells[CHECKED * this.stride + this.row] = value
  }
  get accessed(): number {
    return this.cells[ACCESSED * this.stride + this.row]!
  }
  set accessed(value: number) {
    this.cells[ACCESSED * this.stride + this.row] = value
  }

  /** Average time to the head of a response. */
  get headerMs(): number {
    return this.cells[HEADER_MS * this.stride + this.row]!
  }
  set headerMs(value: number) {
    this.cells[HEADER_MS * this.stride + this.row] = value
  }
  /** Average time to the end of a response. */
  get responseMs(): number {
    return this.cells[RESPONSE_MS * this.stride + this.row]!
  }
  set responseMs(value: number) {
    this.cells[RESPONSE_MS * this.stride + this.row] = value
  }
  /** Average age of requests that are under way. */
  get inflightMs(): number {
    return this.cells[INFLIGHT_MS * this.stride + this.row]!
  }
  set inflightMs(value: number) {
    this.cells[INFLIGHT_MS * this.stride + this.row] = value
  }
  /** Requests under way, as least_time counts them. */
  get inflight(): number {
    return this.cells[INFLIGHT * this.stride + this.row]!
  }
  set inflight(value: number) {
    this.cells[INFLIGHT * this.stride + this.row] = value
  }
  /** Ages of the requests under way, in total, at `inflightAtMs`. */
  get inflightSumMs(): number {
    return this.cells[INFLIGHT_SUM * this.stride + this.row]!
  }
  set inflightSumMs(value: number) {
    this.cells[INFLIGHT_SUM * this.stride + this.row] = value
  }
  /** When that total was taken. */
  get inflightAtMs(): number {
    return this.cells[INFLIGHT_AT * this.stride + this.row]!
  }
  set inflightAtMs(value: number) {
    this.cells[INFLIGHT_AT * this.stride + this.row] = value
  }

  /** What active checks know: HEALTHY, UNHEALTHY or CHECKING. */
  get health(): number {
    return this.cells[HEALTH * this.stride + this.row]!
  }
  set health(value: number) {
    this.#change(HEALTH, value)
  }
  /** Checks passed in a row. */
  get rises(): number {
    return this.cells[RISES * this.stride + this.row]!
  }
  set rises(value: number) {
    this.cells[RISES * this.stride + this.row] = value
  }
  /** Checks failed in a row. */
  get falls(): number {
    return this.cells[FALLS * this.stride + this.row]!
  }
  set falls(value: number) {
    this.cells[FALLS * this.stride + this.row] = value
  }
  /** Checks in all. */
  get checks(): number {
    return this.cells[CHECKS * this.stride + this.row]!
  }
  set checks(value: number) {
    this.cells[CHECKS * this.stride + this.row] = value
  }
  /** Checks that failed, in all. */
  get checksFailed(): number {
    return this.cells[CHECKS_FAILED * this.stride + this.row]!
  }
  set checksFailed(value: number) {
    this.cells[CHECKS_FAILED * this.stride + this.row] = value
  }
  /** How often the server became unhealthy. */
  get unhealthyCount(): number {
    return this.cells[UNHEALTHY_COUNT * this.stride + this.row]!
  }
  set unhealthyCount(value: number) {
    this.cells[UNHEALTHY_COUNT * this.stride + this.row] = value
  }
  /** 1 when the last check passed. */
  get lastPassed(): number {
    return this.cells[LAST_PASSED * this.stride + this.row]!
  }
  set lastPassed(value: number) {
    this.cells[LAST_PASSED * this.stride + this.row] = value
  }

  /** Nobody checks it any more. */
  forgetChecks(): void {
    this.health = HEALTHY
    this.rises = this.falls = 0
    this.checks = this.checksFailed = this.unhealthyCount = this.lastPassed = 0
  }

  /** One request more, noted where it is shared: the result goes to `leave`. */
  join(): number {
    const { cells } = this
    const at = CONNS * this.stride + this.row
    const note = this.#zoneId === 0 ? NOT_NOTED : noteHolding(this.#zoneId, this.#connsAt)
    cells[at] = cells[at]! + 1
    return note
  }

  /** One request less. */
  leave(note: number): void {
    const { cells } = this
    const at = CONNS * this.stride + this.row
    letGo(note)
    if (cells[at]! > 0) cells[at] = cells[at]! - 1
  }

  /** The server is back: with `slow_start` it begins with next to nothing. */
  warmUp(): void {
    // Zero means that it is warm, and time is counted modulo 2^32.
    if (this.options.slowStartMs > 0) this.cells[WARM_SINCE * this.stride + this.row] = clock.monotonic | 0 || 1
  }

  /** The part of its share that the server gets by now, from 0 to 1. */
  get warmth(): number {
    const since = this.cells[WARM_SINCE * this.stride + this.row]!
    if (since === 0) return 1
    const elapsed = ((clock.monotonic | 0) - since) | 0
    const { slowStartMs } = this.options
    if (elapsed >= 0 && elapsed < slowStartMs) return elapsed / slowStartMs
    this.cells[WARM_SINCE * this.stride + this.row] = 0
    return 1
  }

  /** What `sticky` calls the server: its `route`, or the MD5 of its address. */
  get sid(): string {
    if (this.#sid === '') this.#sid = this.options.route || hash('md5', bytesOf(this.address.name), 'hex')
    return this.#sid
  }

  /** May a request be sent to it at this second? */
  available(nowS: number): boolean {
    const { down, drain } = this.options
    return !down && !drain && this.#able(nowS)
  }

  /** The same for a request that is bound to this server, which draining does not keep away. */
  availableToBound(nowS: number): boolean {
    return !this.options.down && this.#able(nowS)
  }

  #able(nowS: number): boolean {
    const { maxFails, failTimeoutS, maxConns } = this.options
    if (this.health !== HEALTHY) return false
    if (maxFails > 0 && this.fails >= maxFails && nowS - this.checked <= failTimeoutS) return false
    return maxConns === 0 || this.conns < maxConns
  }
}
