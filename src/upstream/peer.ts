/**
 * One server of an upstream group: its address, its limits, and its state. The state is a row of numbers in a buffer, so
 * that it can be private to a worker or shared by all of them through the same class.
 *
 *   | conns | fails | effective weight | current weight | health | accessed |   what every choice looks at, close together
 *   | header ms | response ms | in-flight ms | in-flight | in-flight sum | in-flight at |   averages of least_time
 *   | checked | warm since | rises | falls | checks | failed checks | times unhealthy | last check |    active checks
 */
import { hash } from 'node:crypto'
import { bytesOf } from '../lib/bytes.ts'
import { clock } from '../lib/clock.ts'
import type { GroupState } from './group-state.ts'

const CONNS = 0
/** Place in a row. */
export const FAILS = 1
/** Place in a row. */
export const EFFECTIVE = 2
/** Place in a row. */
export const CURRENT = 3
const CHECKED = 12
const ACCESSED = 5
const HEADER_MS = 6
const RESPONSE_MS = 7
const INFLIGHT_MS = 8
const INFLIGHT = 9
const INFLIGHT_SUM = 10
const INFLIGHT_AT = 11
/** Place in a row. */
export const HEALTH = 4
const WARM_SINCE = 13
const RISES = 14
const FALLS = 15
const CHECKS = 16
const CHECKS_FAILED = 17
const UNHEALTHY_COUNT = 18
const LAST_PASSED = 19
/** Numbers per peer. */
export const PEER_ROW = 24

/** Health: nothing is known against the server. */
export const HEALTHY = 0
/** Health: active checks failed; no requests until they pass. */
export const UNHEALTHY = 1
/** Health: a mandatory check has not come to a result yet; no requests until then. */
export const CHECKING = 2

/** What a `server` line says. */
export interface PeerOptions {
  readonly weight: number
  /** Most connections at once; 0: no limit. */
  readonly maxConns: number
  /** Failures within `failTimeoutS` that make the server unavailable; 0 turns the count off. */
  readonly maxFails: number
  readonly failTimeoutS: number
  readonly down: boolean
  /** Takes only requests that are bound to it by `sticky`. */
  readonly drain: boolean
  /** What `sticky` calls the server; empty: the MD5 of its address. */
  readonly route: string
  /** After a recovery the server's share grows to the whole during this time; 0: at once. */
  readonly slowStartMs: number
}

/** Where connections to a peer go. */
export interface PeerAddress {
  /** `127.0.0.1:8000`, `[::1]:8000` or `unix:/path`: what `$upstream_addr` tells. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly path: string
}

/** One server address; its numbers are read from and written to its row. */
export class Peer {
  readonly address: PeerAddress
  readonly options: PeerOptions
  /** The host as it was written, for `$upstream_last_server_name`. */
  readonly server: string
  #sid = ''
  /** The numbers of all peers of the state, and where those of this one begin: for loops over many peers. */
  readonly cells: Int32Array
  readonly row: number

  /** Uses row `index` of `state`. */
  constructor(address: PeerAddress, options: PeerOptions, server: string, state: GroupState, index: number) {
    this.address = address
    this.options = options
    this.server = server
    this.cells = state.cells
    this.row = index * PEER_ROW
    if (state.fresh) this.effectiveWeight = options.weight
  }

  get conns(): number {
    return this.cells[this.row + CONNS]!
  }
  set conns(value: number) {
    this.cells[this.row + CONNS] = value
  }
  get fails(): number {
    return this.cells[this.row + FAILS]!
  }
  set fails(value: number) {
    this.cells[this.row + FAILS] = value
  }
  get effectiveWeight(): number {
    return this.cells[this.row + EFFECTIVE]!
  }
  set effectiveWeight(value: number) {
    this.cells[this.row + EFFECTIVE] = value
  }
  get currentWeight(): number {
    return this.cells[this.row + CURRENT]!
  }
  set currentWeight(value: number) {
    this.cells[this.row + CURRENT] = value
  }
  get checked(): number {
    return this.cells[this.row + CHECKED]!
  }
  set checked(value: number) {
    this.cells[this.row + CHECKED] = value
  }
  get accessed(): number {
    return this.cells[this.row + ACCESSED]!
  }
  set accessed(value: number) {
    this.cells[this.row + ACCESSED] = value
  }

  /** Average time to the head of a response. */
  get headerMs(): number {
    return this.cells[this.row + HEADER_MS]!
  }
  set headerMs(value: number) {
    this.cells[this.row + HEADER_MS] = value
  }
  /** Average time to the end of a response. */
  get responseMs(): number {
    return this.cells[this.row + RESPONSE_MS]!
  }
  set responseMs(value: number) {
    this.cells[this.row + RESPONSE_MS] = value
  }
  /** Average age of requests that are under way. */
  get inflightMs(): number {
    return this.cells[this.row + INFLIGHT_MS]!
  }
  set inflightMs(value: number) {
    this.cells[this.row + INFLIGHT_MS] = value
  }
  /** Requests under way, as least_time counts them. */
  get inflight(): number {
    return this.cells[this.row + INFLIGHT]!
  }
  set inflight(value: number) {
    this.cells[this.row + INFLIGHT] = value
  }
  /** Ages of the requests under way, in total, at `inflightAtMs`. */
  get inflightSumMs(): number {
    return this.cells[this.row + INFLIGHT_SUM]!
  }
  set inflightSumMs(value: number) {
    this.cells[this.row + INFLIGHT_SUM] = value
  }
  /** When that total was taken. */
  get inflightAtMs(): number {
    return this.cells[this.row + INFLIGHT_AT]!
  }
  set inflightAtMs(value: number) {
    this.cells[this.row + INFLIGHT_AT] = value
  }

  /** What active checks know: HEALTHY, UNHEALTHY or CHECKING. */
  get health(): number {
    return this.cells[this.row + HEALTH]!
  }
  set health(value: number) {
    this.cells[this.row + HEALTH] = value
  }
  /** Checks passed in a row. */
  get rises(): number {
    return this.cells[this.row + RISES]!
  }
  set rises(value: number) {
    this.cells[this.row + RISES] = value
  }
  /** Checks failed in a row. */
  get falls(): number {
    return this.cells[this.row + FALLS]!
  }
  set falls(value: number) {
    this.cells[this.row + FALLS] = value
  }
  /** Checks in all. */
  get checks(): number {
    return this.cells[this.row + CHECKS]!
  }
  set checks(value: number) {
    this.cells[this.row + CHECKS] = value
  }
  /** Checks that failed, in all. */
  get checksFailed(): number {
    return this.cells[this.row + CHECKS_FAILED]!
  }
  set checksFailed(value: number) {
    this.cells[this.row + CHECKS_FAILED] = value
  }
  /** How often the server became unhealthy. */
  get unhealthyCount(): number {
    return this.cells[this.row + UNHEALTHY_COUNT]!
  }
  set unhealthyCount(value: number) {
    this.cells[this.row + UNHEALTHY_COUNT] = value
  }
  /** 1 when the last check passed. */
  get lastPassed(): number {
    return this.cells[this.row + LAST_PASSED]!
  }
  set lastPassed(value: number) {
    this.cells[this.row + LAST_PASSED] = value
  }

  /** The server is back: with `slow_start` it begins with next to nothing. */
  warmUp(): void {
    // Zero means that it is warm, and time is counted modulo 2^32.
    if (this.options.slowStartMs > 0) this.cells[this.row + WARM_SINCE] = clock.monotonic | 0 || 1
  }

  /** The part of its share that the server gets by now, from 0 to 1. */
  get warmth(): number {
    const since = this.cells[this.row + WARM_SINCE]!
    if (since === 0) return 1
    const elapsed = ((clock.monotonic | 0) - since) | 0
    const { slowStartMs } = this.options
    if (elapsed >= 0 && elapsed < slowStartMs) return elapsed / slowStartMs
    this.cells[this.row + WARM_SINCE] = 0
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
